//! Observations that Langfuse exported: JSON lines, CSV (read as JSON by its header), or Parquet (unpacked
//! before).
//!
//! Names of the export and of its API. Invariant: observations that are no generations are counted apart.

use super::call::{Any, Call, Said, between, instant_of, sum, tokens};
use super::chat::is_messages;
use super::left_out::{Place, Reason};
use super::sink::Sink;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;

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

/// Numbers of tokens by their kind, an open list.
type Usage<'a> = BTreeMap<String, Any<'a>>;

/// Names of cached tokens; the first that is there counts.
const CACHED: [&str; 3] = [
    "input_cached_tokens",
    "input_cache_read",
    "cache_read_input_tokens",
];
/// Tokens of a prompt under Anthropic's names.
const ANTHROPICS: [&str; 2] = ["cache_read_input_tokens", "cache_creation_input_tokens"];

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
    let usage = usage.unwrap_or_default();
    let (input_tokens, output_tokens) = lengths(&usage)?;
    let start = instant_of(line.start_time, 1_000_000_000)?;
    let session = line
        .session_id
        .filter(|id| !id.is_absent())
        .or(line.trace_id);
    let cached = CACHED.iter().find_map(|name| usage.get(*name).copied());
    sink.call(
        Call {
            at_ns: start,
            duration_ns: between(start, instant_of(line.end_time, 1_000_000_000)?),
            session: session.and_then(Any::text),
            input_tokens,
            output_tokens,
            cached_tokens: tokens(cached).ok().flatten(),
            class: line.provided_model_name.or(line.model).and_then(Any::text),
            said: line.input.and_then(said),
            ..Call::default()
        },
        place,
    );
    Ok(())
}

/// Tokens of the prompt and of the answer. Langfuse takes details off `input` and `output` when it ingests
/// them (`input_cached_tokens` off `input`), so that all kinds add up to the total; where these two alone are
/// the total, nothing was taken off.
fn lengths(usage: &Usage<'_>) -> Result<(Option<u32>, Option<u32>), Reason> {
    let own = |name: &str| tokens(usage.get(name).copied());
    let (input, output) = (own("input")?, own("output")?);
    if let (Some(input), Some(output), Some(total)) = (input, output, own("total")?)
        && u64::from(input) + u64::from(output) == u64::from(total)
    {
        return Ok((Some(input), Some(output)));
    }
    let all = |side: &str| {
        let is = |name: &str| {
            let rest = name.strip_prefix(side);
            let anthropics = side == "input" && ANTHROPICS.contains(&name);
            anthropics || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        let of_side = usage.iter().filter(|(name, _)| is(name));
        sum(of_side.map(|(_, value)| Some(*value)))
    };
    Ok((all("input")?, all("output")?))
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
        b'[' if is_messages(&json) => Some(Said::Messages(json)),
        b'{' => {
            let held: Held<'_> = serde_json::from_str(&json).ok()?;
            Some(Said::Messages(held.messages.json().to_owned().into()))
        }
        b'n' if &*json == "null" => None,
        _ => Some(Said::Text(json)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_that_were_taken_off_belong_to_their_side() {
        #[track_caller]
        fn check(usage: &str, expect: (Option<u32>, Option<u32>)) {
            let usage: Usage<'_> = serde_json::from_str(usage).expect("an object");
            assert_eq!(lengths(&usage), Ok(expect), "{usage:?}");
        }
        check(
            r#"{"input":36,"input_cached_tokens":64,"output":3,"output_reasoning_tokens":7,"total":110}"#,
            (Some(100), Some(10)),
        );
        check(
            r#"{"input":9,"cache_read_input_tokens":20,"cache_creation_input_tokens":1,"output":5}"#,
            (Some(30), Some(5)),
        );
        // As they came: nothing was taken off.
        check(
            r#"{"input":100,"input_cached_tokens":64,"output":10,"total":110}"#,
            (Some(100), Some(10)),
        );
        check(r#"{"output":10,"inputs":1}"#, (None, Some(10)));
    }

    #[test]
    fn a_text_that_begins_with_a_bracket_is_a_text() {
        let said = |json: &'static str| said(serde_json::from_str(json).expect("JSON"));
        let text = Some(Said::Text("[INST] Hi [/INST]".into()));
        assert_eq!(said(r#""[INST] Hi [/INST]""#), text);
        let messages = r#"[{"role":"user","content":"Hi"}]"#;
        assert_eq!(said(messages), Some(Said::Messages(messages.into())));
    }
}
