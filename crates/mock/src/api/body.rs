//! The JSON body of a generation request, as far as the simulator heeds it.
//!
//! What is long or depends on other members (prompts, tools, schemas) stays as it came, and is read
//! when the rest is known.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Fields of both endpoints. Absent and `null` are the same.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub model: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub messages: Option<&'a RawValue>,
    #[serde(borrow)]
    pub prompt: Option<&'a RawValue>,
    pub stream: Option<bool>,
    pub stream_options: Option<StreamOptions>,
    pub max_tokens: Option<i64>,
    pub max_completion_tokens: Option<i64>,
    pub min_tokens: Option<i64>,
    pub ignore_eos: Option<bool>,
    pub n: Option<i64>,
    pub temperature: Option<f64>,
    pub top_k: Option<i64>,
    pub seed: Option<i64>,
    #[serde(borrow)]
    pub logprobs: Option<&'a RawValue>,
    pub top_logprobs: Option<i64>,
    #[serde(borrow)]
    pub cache_salt: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub tools: Option<&'a RawValue>,
    #[serde(borrow)]
    pub tool_choice: Option<&'a RawValue>,
    #[serde(borrow)]
    pub response_format: Option<&'a RawValue>,
    #[serde(borrow)]
    pub structured_outputs: Option<&'a RawValue>,
    #[serde(borrow)]
    pub guided_json: Option<&'a RawValue>,
    #[serde(borrow)]
    pub guided_choice: Option<&'a RawValue>,
}

/// `stream_options`.
#[derive(Debug, Deserialize)]
pub(super) struct StreamOptions {
    #[serde(default)]
    pub include_usage: Option<bool>,
    #[serde(default)]
    pub continuous_usage_stats: Option<bool>,
}
