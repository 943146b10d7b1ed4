//! What to send: lengths of prompts and answers, prompts of exact token length, traces.
//!
//! It does not say when anything is sent, opens no socket and knows no API dialect. The only IO is
//! reading a tokenizer, a trace or a file of lengths that the user named.
//!
//! Invariant: a [`Workload`] is a pure function of its inputs and the request's id. Any thread can
//! make any request, in any order, and gets the same bytes.

mod classes;
mod counter;
mod lengths;
mod pairs;
mod prompt;
mod timestamp;
mod tokenizer;
mod trace;
mod trace_error;
mod words;
mod workload;

pub use counter::TokenCounter;
pub use lengths::LengthDistribution;
pub use pairs::{LengthPair, PairsError, read_pairs};
pub use tokenizer::{Tokenizer, TokenizerError};
pub use trace::{MAX_TOKENS, MAX_TRACE_ROWS, TraceReader, TraceRow, read_trace};
pub use trace_error::TraceError;
pub use workload::{ExpectedTokens, PromptError, Workload};
