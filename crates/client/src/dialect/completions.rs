//! OpenAI's completions: one text in, its continuation out.

use super::choices::Choices;
use crate::encode::write::push_prompt;
use infermeter_core::plan::Endpoint;

/// The dialect.
pub(super) static COMPLETIONS: Choices = Choices {
    endpoint: Endpoint::Completions,
    said: &["prompt"],
    push: push_prompt,
    renames_length: false,
};
