//! What can be wrong with an evaluation's file, said so that its owner finds the place.
//!
//! Invariant: text from the file is made inert before it gets into a message.

/// Why rows cannot be asked. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// There is no row.
    #[error(
        "it has no rows: write one JSON object a line, as in {{\"prompt\": \"2+2?\", \"answer\": 4, \"kind\": \"number\"}}"
    )]
    Empty,
    /// There is too much.
    #[error("it has more than {0}: take a part of it")]
    TooMuch(&'static str),
    /// A line is not what it should be.
    #[error("line {line}: {problem}")]
    Line {
        /// The line.
        line: u64,
        /// What is wrong, and what to write.
        problem: String,
    },
}
