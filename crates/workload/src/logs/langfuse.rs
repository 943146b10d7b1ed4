//! Observations that Langfuse exported: JSON lines, CSV (read as JSON by its header), or Parquet (unpacked
//! before).
//!
//! Names of the export and of its API. Invariant: observations that are no generations are counted apart.

use super::call::{Any, Call, Said, between, instant_of, tokens};
use super::left_out::{Place, Reason};
use super::sink::Sink;
use serde::Deserialize;
use std::borrow::Cow;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Any<'a>>,
    #[serde(borrow, alias = "sessionId")]
    session_id: Option<Any<'a>>,
    #[serde(borrow, alias = "traceId")]
    trace_id: Option<Any<'a>>,
    #[serde(borrow, alias = "startTime")]
    start_time: Option<Any<'a>>,
    #[serde(borrow, alias = "endTime")]
    end_time: Option<Any<'a>>,
    #[serde(borrow, alias = "providedModelName")]
    provided_model_name: Option<Any<'a>>,
    // The API's name.
    #[serde(borrow)]
    model: Option<Any<'a>>,
    #[serde(borrow, alias = "usageDetails")]
    usage_details: Option<Any<'a>>,
    #[serde(borrow)]
    level: Option<Any<'a>>,
    #[serde(borrow)]
    input: Option<Any<'a>>,
}

#[derive(Deserialize)]
struct Usage<'a> {
    #[serde(borrow)]
    input: Option<Any<'a>>,
    #[serde(borrow)]
    output: Option<Any<'a>>,
    #[serde(borrow)]
    input_cached_tokens: Option<Any<'a>>,
    #[serde(borrow)]
    input_cache_read: Option<Any<'a>>,
}

/// Reads an observation.
pub(super) fn read(bytes: &[u8], place: Place, sink: &mut Sink<'_>) -> Result<(), Reason> {
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
    let is =
        |value: Option<Any<'_>>, name: &str| value.and_then(Any::text).is_some_and(|v| v == name);
    if !is(line.kind, "GENERATION") {
        return Err(Reason::NoCall);
    }
    if is(line.level, "ERROR") {
        return Err(Reason::Failed);
    }
    let details = line.usage_details.filter(|details| !details.is_absent());
    // In a table the object stands in a text.
    let details = details.map(|details| match details.json().starts_with('{') {
        true => Cow::Borrowed(details.json()),
        false => details.text().unwrap_or_default(),
    });
    let usage = details.as_deref().map(serde_json::from_str::<Usage<'_>>);
    let usage = usage.transpose().map_err(|_| Reason::WrongValue)?;
    let start = instant_of(line.start_time, 1_000_000_000)?;
    let session = line
        .session_id
        .filter(|id| !id.is_absent())
        .or(line.trace_id);
    let count = |of: fn(&Usage<'_>) -> Option<u32>| usage.as_ref().and_then(of);
    sink.call(
        Call {
            at_ns: start,
            duration_ns: between(start, instant_of(line.end_time, 1_000_000_000)?),
            session: session.and_then(Any::text),
            input_tokens: match &usage {
                Some(usage) => tokens(usage.input)?,
                None => None,
            },
            output_tokens: match &usage {
                Some(usage) => tokens(usage.output)?,
                None => None,
            },
            cached_tokens: count(|usage| {
                let cached = usage.input_cached_tokens.or(usage.input_cache_read);
                tokens(cached).ok().flatten()
            }),
            class: line.provided_model_name.or(line.model).and_then(Any::text),
            said: line.input.and_then(said),
            ..Call::default()
        },
        place,
    );
    Ok(())
}

/// The input of an observation: messages, an object that holds them, or a text; each may stand in a text.
fn said(input: Any<'_>) -> Option<Said<'_>> {
    let json = match input.json().starts_with('"') {
        true => input.text()?,
        false => Cow::Borrowed(input.json()),
    };
    #[derive(Deserialize)]
    struct Held<'a> {
        #[serde(borrow)]
        messages: Any<'a>,
    }
    let first = *json.trim_start().as_bytes().first()?;
    match first {
        b'[' => Some(Said::Messages(json)),
        b'{' => {
            let held: Held<'_> = serde_json::from_str(&json).ok()?;
            Some(Said::Messages(held.messages.json().to_owned().into()))
        }
        b'n' if &*json == "null" => None,
        _ => Some(Said::Text(json)),
    }
}
