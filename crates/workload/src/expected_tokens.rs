//! How long the requests of a workload are on average.

/// Mean lengths of a workload's requests, tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedTokens {
    /// Of the prompt.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
}
