//! Request fields that not every server knows.

/// Request fields that not every server knows; found out before the clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `ignore_eos: true`: generate until `max_tokens`.
    pub ignore_eos: bool,
    /// `min_tokens` equal to `max_tokens`.
    pub min_tokens: bool,
    /// `stream_options.include_usage` (streams only).
    pub include_usage: bool,
    /// `stream_options.continuous_usage_stats` (streams only; implies `include_usage`).
    pub continuous_usage: bool,
    /// The answer's length is asked for as `max_completion_tokens`: the server refuses `max_tokens`.
    pub max_completion_tokens: bool,
}
