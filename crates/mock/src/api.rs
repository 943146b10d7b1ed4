//! What a request asks for: routes, and the generation parameters with their checks.
//!
//! Messages follow vLLM's, since clients are written against those. Unknown fields are accepted and
//! have no effect, as there.

mod body;
mod prompt;

use crate::config::{Config, IgnoreEos};
use crate::http::Head;
use crate::length::{AnswerLength, answer_length};
use crate::refusal::Refusal;
use body::Body;
use infermeter_core::seed::splitmix64;

/// What a path and method lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Chat,
    Completions,
    Models,
    Health,
    Version,
}

impl Route {
    /// The route of a request.
    pub fn of(head: &Head) -> Result<Self, Refusal> {
        let (route, method) = match head.path.as_str() {
            "/v1/chat/completions" => (Self::Chat, "POST"),
            "/v1/completions" => (Self::Completions, "POST"),
            "/v1/models" => (Self::Models, "GET"),
            "/health" => (Self::Health, "GET"),
            "/version" => (Self::Version, "GET"),
            _ => return Err(Refusal::no_such_path()),
        };
        if head.method == method {
            Ok(route)
        } else {
            Err(Refusal::wrong_method(method))
        }
    }
}

/// Checks the key where one is configured; only `/v1` is guarded, as in vLLM.
pub(crate) fn authorize(config: &Config, head: &Head) -> Result<(), Refusal> {
    let Some(key) = &config.api_key else {
        return Ok(());
    };
    let given = head
        .authorization
        .as_deref()
        .and_then(|value| value.strip_prefix("Bearer "));
    if head.path.starts_with("/v1") && given != Some(key.as_str()) {
        return Err(Refusal::unauthorized());
    }
    Ok(())
}

/// The two kinds of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    Chat,
    Completion,
}

/// Which usage a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StreamUsage {
    #[default]
    None,
    /// A chunk of its own at the end.
    Final,
    /// At the end and in every chunk.
    Continuous,
}

/// One generation request, checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub kind: AnswerKind,
    pub stream: bool,
    pub usage: StreamUsage,
    /// Prompt tokens with template and begin token.
    pub prompt_tokens: u32,
    /// The answer's tokens and end.
    pub length: AnswerLength,
    /// Seeds the answer's text.
    pub key: u64,
}

/// Default of `max_tokens` for completions (OpenAI's).
const DEFAULT_COMPLETION_TOKENS: u32 = 16;

impl Ask {
    /// Reads a generation request's body.
    pub fn read(kind: AnswerKind, bytes: &[u8], config: &Config) -> Result<Self, Refusal> {
        let body: Body<'_> = serde_json::from_slice(bytes)
            .map_err(|error| Refusal::bad_request(format!("invalid request body: {error}")))?;
        check_model(&body, config)?;
        let stream = body.stream.unwrap_or(false);
        let usage = stream_usage(&body, stream)?;
        if body.n.is_some_and(|n| n != 1) {
            return Err(Refusal::bad_request("n: only 1 is supported"));
        }
        let (prompt, added, limit) = match kind {
            AnswerKind::Chat => (
                body.messages.ok_or_else(|| missing("messages"))?.0,
                config.template_tokens,
                body.max_completion_tokens.or(body.max_tokens),
            ),
            AnswerKind::Completion => (
                body.prompt.as_ref().ok_or_else(|| missing("prompt"))?.0,
                config.begin_tokens,
                Some(
                    body.max_tokens
                        .unwrap_or_else(|| i64::from(DEFAULT_COMPLETION_TOKENS)),
                ),
            ),
        };
        let prompt_tokens = prompt.tokens.saturating_add(added);
        let max_tokens = allowed_tokens(limit, prompt_tokens, config)?;
        let min_tokens = min_tokens(body.min_tokens, max_tokens)?;
        let ignore = ignores_end(body.ignore_eos.unwrap_or(false), config)?;
        let key = splitmix64(config.seed) ^ prompt.digest;
        Ok(Self {
            kind,
            stream,
            usage,
            prompt_tokens,
            length: cut(answer_length(key, min_tokens, max_tokens, ignore), config),
            key,
        })
    }
}

fn missing(field: &str) -> Refusal {
    Refusal::bad_request(format!("{field}: field required"))
}

fn check_model(body: &Body<'_>, config: &Config) -> Result<(), Refusal> {
    match body.model.as_deref() {
        Some(model) if model != config.model_name() => Err(Refusal::no_such_model(model)),
        // vLLM serves its one model to requests that name none.
        _ => Ok(()),
    }
}

fn stream_usage(body: &Body<'_>, stream: bool) -> Result<StreamUsage, Refusal> {
    let Some(options) = &body.stream_options else {
        return Ok(StreamUsage::None);
    };
    if !stream {
        return Err(Refusal::bad_request(
            "Stream options can only be defined when `stream=True`.",
        ));
    }
    let wanted = options.include_usage.unwrap_or(false);
    let continuous = options.continuous_usage_stats.unwrap_or(false);
    Ok(match (wanted, continuous) {
        (false, _) => StreamUsage::None,
        (true, false) => StreamUsage::Final,
        (true, true) => StreamUsage::Continuous,
    })
}

/// The answer's limit: what was asked for, or what the context leaves.
fn allowed_tokens(limit: Option<i64>, prompt_tokens: u32, config: &Config) -> Result<u32, Refusal> {
    let context = config.model_len();
    let left = context.saturating_sub(prompt_tokens);
    if left == 0 {
        return Err(Refusal::bad_request(format!(
            "This model's maximum context length is {context} tokens. However, your request has \
             {prompt_tokens} input tokens. Please reduce the length of the input messages."
        )));
    }
    match limit {
        None => Ok(left),
        Some(limit) if limit < 1 => Err(Refusal::bad_request(format!(
            "max_tokens must be at least 1, got {limit}."
        ))),
        Some(limit) => u32::try_from(limit)
            .ok()
            .filter(|limit| *limit <= left)
            .ok_or_else(|| {
                Refusal::bad_request(format!(
                    "'max_tokens' or 'max_completion_tokens' is too large: {limit}. This model's \
                     maximum context length is {context} tokens and your request has \
                     {prompt_tokens} input tokens ({limit} > {context} - {prompt_tokens})."
                ))
            }),
    }
}

fn min_tokens(asked: Option<i64>, max_tokens: u32) -> Result<u32, Refusal> {
    let asked = asked.unwrap_or(0);
    u32::try_from(asked)
        .ok()
        .filter(|min| *min <= max_tokens)
        .ok_or_else(|| {
            Refusal::bad_request(format!(
                "min_tokens must be between 0 and max_tokens={max_tokens}, got {asked}."
            ))
        })
}

fn ignores_end(asked: bool, config: &Config) -> Result<bool, Refusal> {
    match config.ignore_eos {
        IgnoreEos::Honoured => Ok(asked),
        IgnoreEos::Ignored => Ok(false),
        IgnoreEos::Refused if asked => Err(Refusal::bad_request(
            "Unrecognized request argument supplied: ignore_eos",
        )),
        IgnoreEos::Refused => Ok(false),
    }
}

/// Applies the preset's limit: a shorter answer ends by length, all its tokens visible.
fn cut(length: AnswerLength, config: &Config) -> AnswerLength {
    match config.preset.answer_limit {
        Some(limit) if length.tokens >= limit => AnswerLength {
            tokens: limit,
            finish: crate::engine::Finish::Length,
        },
        _ => length,
    }
}

#[cfg(test)]
mod tests;
