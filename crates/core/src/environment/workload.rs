//! What was sent: its hashes, its file, and what is known of its prompts.

use super::{OtherMembers, TraceRead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was sent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WorkloadSide {
    /// The tokenizer that lengths are counted with.
    pub tokenizer: Option<String>,
    /// The salt of the prompts.
    pub salt: Option<u64>,
    /// Hash of the workload.
    pub sha256: Option<String>,
    /// What two runs with the same hash have in common.
    pub identity: Option<String>,
    /// Hash of the instants; absent in a closed loop.
    pub schedule_sha256: Option<String>,
    /// Hash of the bodies, once they have been sent.
    pub sent_sha256: Option<String>,
    /// What the chat template adds, tokens; absent without one.
    pub template_tokens: Option<u32>,
    /// The file of requests, where there is one.
    pub trace: Option<TraceRead>,
    /// What of it is not sent, in sentences.
    pub left_out: Option<Vec<String>>,
    /// Texts of the dataset, after which the first comes again.
    pub texts_before_repeating: Option<u64>,
    /// Share of the prompt tokens that a prefix cache without limit would hold.
    pub shared_prefix_share: Option<f64>,
    /// Mean prompt length, tokens.
    pub expected_prompt_tokens: Option<f64>,
    /// Mean output length, tokens.
    pub expected_output_tokens: Option<f64>,
    /// Of another version.
    #[serde(flatten)]
    pub other: OtherMembers,
}
