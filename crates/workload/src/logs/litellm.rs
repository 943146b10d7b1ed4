//! Calls that a LiteLLM proxy logged: `StandardLoggingPayload`, one JSON object a call, and its rows of spend.
//!
//! Members as documented. Invariant: what the proxy answered from its own cache never was a load.

use super::call::{Any, Call, Said, between, instant_of, sum, tokens};
use super::left_out::{Place, Reason};
use super::sink::Sink;
use serde::Deserialize;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    trace_id: Option<Any<'a>>,
    #[serde(borrow)]
    session_id: Option<Any<'a>>,
    #[serde(borrow)]
    call_type: Option<Any<'a>>,
    #[serde(borrow)]
    status: Option<Any<'a>>,
    #[serde(borrow, rename = "startTime")]
    start: Option<Any<'a>>,
    #[serde(borrow, rename = "endTime")]
    end: Option<Any<'a>>,
    #[serde(borrow)]
    prompt_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    completion_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    model: Option<Any<'a>>,
    #[serde(borrow)]
    cache_hit: Option<Any<'a>>,
    #[serde(borrow)]
    messages: Option<Any<'a>>,
    #[serde(borrow)]
    metadata: Option<Any<'a>>,
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    usage_object: Option<Usage<'a>>,
}

/// What an answer says of its tokens, as in the APIs of OpenAI and Anthropic.
#[derive(Debug, Deserialize)]
pub(super) struct Usage<'a> {
    #[serde(borrow)]
    prompt_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    input_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    completion_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    output_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    prompt_tokens_details: Option<Details<'a>>,
    #[serde(borrow)]
    input_tokens_details: Option<Details<'a>>,
    // Anthropic's, which its `input_tokens` do not hold.
    #[serde(borrow)]
    cache_read_input_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    cache_creation_input_tokens: Option<Any<'a>>,
}

#[derive(Debug, Deserialize)]
struct Details<'a> {
    #[serde(borrow)]
    cached_tokens: Option<Any<'a>>,
}

impl Usage<'_> {
    /// Tokens of the prompt, cached ones among them.
    pub fn input(&self) -> Result<Option<u32>, Reason> {
        if let Some(tokens) = tokens(self.prompt_tokens)? {
            return Ok(Some(tokens));
        }
        sum([
            self.input_tokens,
            self.cache_read_input_tokens,
            self.cache_creation_input_tokens,
        ])
    }

    /// Tokens of the answer.
    pub fn output(&self) -> Result<Option<u32>, Reason> {
        tokens(self.completion_tokens.or(self.output_tokens))
    }

    /// Tokens of the prompt that were cached.
    pub fn cached(&self) -> Result<Option<u32>, Reason> {
        let details = self.prompt_tokens_details.as_ref();
        let details = details.or(self.input_tokens_details.as_ref());
        let cached = tokens(details.and_then(|details| details.cached_tokens))?;
        match cached {
            Some(cached) => Ok(Some(cached)),
            None => tokens(self.cache_read_input_tokens),
        }
    }
}

/// Reads a call.
pub(super) fn read(bytes: &[u8], place: Place, sink: &mut Sink<'_>) -> Result<(), Reason> {
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
    let said = |value: Option<Any<'_>>| value.and_then(Any::text).unwrap_or_default().into_owned();
    match &*said(line.call_type) {
        "" => return Err(Reason::NoCall),
        kind if kind.contains("embedding") || kind.contains("rerank") => {
            return Err(Reason::NoOutput);
        }
        kind if !(kind.contains("completion")
            || kind.contains("messages")
            || kind.contains("responses")) =>
        {
            return Err(Reason::NotSent);
        }
        _ => {}
    }
    if !matches!(&*said(line.status), "" | "success") {
        return Err(Reason::Failed);
    }
    if line.cache_hit.is_some_and(Any::truth) {
        return Err(Reason::AnsweredBefore);
    }
    let start = instant_of(line.start, 1_000_000_000)?;
    let metadata = line
        .metadata
        .and_then(|of| serde_json::from_str::<Metadata<'_>>(of.json()).ok());
    let usage = metadata.and_then(|metadata| metadata.usage_object);
    let session = line
        .session_id
        .filter(|id| !id.is_absent())
        .or(line.trace_id);
    let messages = line
        .messages
        .filter(|messages| messages.json().starts_with('['));
    sink.call(
        Call {
            at_ns: start,
            duration_ns: between(start, instant_of(line.end, 1_000_000_000)?),
            session: session.and_then(Any::text),
            input_tokens: tokens(line.prompt_tokens)?,
            output_tokens: tokens(line.completion_tokens)?,
            cached_tokens: usage.as_ref().map(Usage::cached).transpose()?.flatten(),
            class: line.model.and_then(Any::text),
            said: messages.map(|messages| Said::Messages(messages.json().into())),
            ..Call::default()
        },
        place,
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(usage: &str, input: u32, cached: Option<u32>) {
        let usage: Usage<'_> = serde_json::from_str(usage).expect("an object");
        assert_eq!(usage.input(), Ok(Some(input)));
        assert_eq!(usage.cached(), Ok(cached));
    }

    #[test]
    fn cached_tokens_are_tokens_of_the_prompt() {
        check(
            r#"{"input_tokens":4,"cache_read_input_tokens":90,"cache_creation_input_tokens":6}"#,
            100,
            Some(90),
        );
        check(
            r#"{"input_tokens":100,"input_tokens_details":{"cached_tokens":64}}"#,
            100,
            Some(64),
        );
        // A proxy's total holds them already.
        check(
            r#"{"prompt_tokens":100,"cache_read_input_tokens":90}"#,
            100,
            Some(90),
        );
    }
}
