//! One request before it is sent.

use serde::{Deserialize, Serialize};

/// Number of a request in schedule order over all phases, from 0.
pub type RequestId = u64;

/// Index into the workload's list of class names.
pub type ClassIndex = u16;

/// What one request asks for. A pure function of (plan, workload seed, id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSpec {
    /// The request's id.
    pub id: RequestId,
    /// Its workload class.
    pub class: ClassIndex,
    /// Tokens of the prompt's text under the chosen tokenizer, chat template excluded.
    pub prompt_tokens: u32,
    /// Output tokens asked for.
    pub output_tokens: u32,
}
