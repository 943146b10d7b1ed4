//! OpenAI's chat completions, as vLLM, SGLang, TGI, llama.cpp and gateways serve them.

use super::choices::Choices;
use crate::encode::write::push_messages;
use infermeter_core::plan::Endpoint;

/// The dialect.
pub(super) static CHAT: Choices = Choices {
    endpoint: Endpoint::Chat,
    said: &["messages"],
    push: push_messages,
    renames_length: true,
};
