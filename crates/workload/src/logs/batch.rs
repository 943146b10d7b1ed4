//! Requests of OpenAI's batch API, JSON lines, and their answers' file: lengths without instants.
//!
//! Invariant: a request for several answers or of another API is counted, not read.

use super::call::{Any, Call, Said, tokens};
use super::left_out::{Place, Reason};
use super::litellm::Usage;
use super::sink::Sink;
use serde::Deserialize;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    body: Option<Body<'a>>,
    #[serde(borrow)]
    response: Option<Response<'a>>,
}

/// The body of a request for text.
#[derive(Debug, Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub model: Option<Any<'a>>,
    #[serde(borrow)]
    pub messages: Option<Any<'a>>,
    #[serde(borrow)]
    pub prompt: Option<Any<'a>>,
    #[serde(borrow)]
    pub n: Option<Any<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    status_code: Option<Any<'a>>,
    #[serde(borrow)]
    body: Option<Answer<'a>>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    model: Option<Any<'a>>,
    #[serde(borrow)]
    usage: Option<Usage<'a>>,
}

impl<'a> Body<'a> {
    /// What it says, where it asks for one text.
    pub fn said(&self) -> Result<Said<'a>, Reason> {
        if tokens(self.n)?.is_some_and(|n| n > 1) {
            return Err(Reason::NotSent);
        }
        match (self.messages, self.prompt) {
            (Some(messages), _) if messages.json().starts_with('[') => {
                Ok(Said::Messages(messages.json().into()))
            }
            (_, Some(prompt)) if prompt.json().starts_with('"') => {
                prompt.text().map(Said::Text).ok_or(Reason::WrongValue)
            }
            _ => Err(Reason::NotSent),
        }
    }
}

/// Reads a request, or an answer.
pub(super) fn read(bytes: &[u8], place: Place, sink: &mut Sink<'_>) -> Result<(), Reason> {
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
    if let Some(body) = line.body {
        let call = Call {
            class: body.model.and_then(Any::text),
            said: Some(body.said()?),
            ..Call::default()
        };
        sink.call(call, place);
        return Ok(());
    }
    let response = line.response.ok_or(Reason::NoCall)?;
    if tokens(response.status_code)?.is_some_and(|status| status != 200) {
        return Err(Reason::Failed);
    }
    let answer = response.body.ok_or(Reason::NoOutput)?;
    let usage = answer.usage.ok_or(Reason::NoOutput)?;
    let call = Call {
        input_tokens: usage.input()?,
        output_tokens: usage.output()?,
        cached_tokens: usage.cached()?,
        class: answer.model.and_then(Any::text),
        ..Call::default()
    };
    sink.call(call, place);
    Ok(())
}
