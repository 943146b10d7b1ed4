//! Why a prompt cannot be written.

/// Why a prompt cannot be written: never under a built-in tokenizer, a file that changes aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// The workload file cannot be read any more.
    #[error("{0}")]
    File(String),
    /// The length was not met.
    #[error(
        "no text of exactly {wanted} tokens found under {tokenizer} (--tokenizer): the last \
         attempt had {got}"
    )]
    NotExact {
        /// The tokenizer.
        tokenizer: String,
        /// Tokens asked for.
        wanted: u32,
        /// Tokens of the last attempt.
        got: usize,
    },
    /// A dataset does not give its text.
    #[error("--dataset: {message}")]
    Text {
        /// What is wrong.
        message: String,
    },
    /// The tokenizer refused its own words.
    #[error("{tokenizer} (--tokenizer) cannot encode a prompt: {message}")]
    Encode {
        /// The tokenizer.
        tokenizer: String,
        /// What it says.
        message: String,
    },
}
