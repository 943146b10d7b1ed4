//! OpenTelemetry spans of calls to models, as OTLP JSON (a file of exports, a span or a session a line).
//!
//! Three generations of attribute names are read: those of the conventions of 1.36 and before, of 1.37 to
//! 1.41, and of the GenAI conventions 0.1.0. Invariant: a span of anything else is counted, not read.

use super::call::{Any, Call, Said, between, instant_of, tokens_of};
use super::chat::is_messages;
use super::left_out::{Place, Reason};
use super::sink::Sink;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Operations that ask a model for text.
const ASKS: [&str; 3] = ["chat", "generate_content", "text_completion"];

/// What an attribute says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Operation,
    Conversation,
    Model,
    Input,
    Output,
    Cached,
    Error,
    Messages,
}

/// Names of all generations; of two names for one thing the first that is there counts.
const NAMES: [(&str, Told); 18] = [
    ("gen_ai.operation.name", Told::Operation),
    ("gen_ai.conversation.id", Told::Conversation),
    ("session.id", Told::Conversation),
    ("gen_ai.request.model", Told::Model),
    ("gen_ai.response.model", Told::Model),
    ("gen_ai.usage.input_tokens", Told::Input),
    // 1.36 and before, which engines and proxies still send.
    ("gen_ai.usage.prompt_tokens", Told::Input),
    ("llm.usage.prompt_tokens", Told::Input),
    ("llm.token_count.prompt", Told::Input),
    ("gen_ai.usage.output_tokens", Told::Output),
    ("gen_ai.usage.completion_tokens", Told::Output),
    ("llm.usage.completion_tokens", Told::Output),
    ("llm.token_count.completion", Told::Output),
    ("gen_ai.usage.cache_read.input_tokens", Told::Cached),
    ("gen_ai.usage.cache_read_input_tokens", Told::Cached),
    ("error.type", Told::Error),
    ("gen_ai.input.messages", Told::Messages),
    ("gen_ai.prompt", Told::Messages),
];

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, rename = "resourceSpans")]
    resource_spans: Option<Vec<ResourceSpans<'a>>>,
    /// A session a line.
    #[serde(borrow)]
    spans: Option<Vec<Span<'a>>>,
    #[serde(borrow)]
    session_id: Option<Any<'a>>,
}

#[derive(Deserialize)]
struct ResourceSpans<'a> {
    #[serde(default, borrow, rename = "scopeSpans")]
    scope_spans: Vec<ScopeSpans<'a>>,
}

#[derive(Deserialize)]
struct ScopeSpans<'a> {
    #[serde(default, borrow)]
    spans: Vec<Span<'a>>,
}

#[derive(Deserialize)]
struct Span<'a> {
    #[serde(borrow, rename = "traceId", alias = "trace_id")]
    trace_id: Option<Any<'a>>,
    #[serde(borrow, rename = "spanId", alias = "span_id")]
    span_id: Option<Any<'a>>,
    #[serde(
        borrow,
        rename = "parentSpanId",
        alias = "parent_span_id",
        alias = "parent_id"
    )]
    parent_id: Option<Any<'a>>,
    #[serde(
        borrow,
        rename = "startTimeUnixNano",
        alias = "start_time_unix_nano",
        alias = "start_time"
    )]
    start: Option<Any<'a>>,
    #[serde(
        borrow,
        rename = "endTimeUnixNano",
        alias = "end_time_unix_nano",
        alias = "end_time"
    )]
    end: Option<Any<'a>>,
    #[serde(borrow)]
    attributes: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<Any<'a>>,
}

#[derive(Deserialize)]
struct Attribute<'a> {
    #[serde(borrow)]
    key: Cow<'a, str>,
    #[serde(borrow)]
    value: Value<'a>,
}

/// A value in OTLP's JSON.
#[derive(Deserialize)]
struct Value<'a> {
    #[serde(borrow, rename = "stringValue", alias = "string_value")]
    string: Option<Any<'a>>,
    #[serde(borrow, rename = "intValue", alias = "int_value")]
    int: Option<Any<'a>>,
    #[serde(borrow, rename = "doubleValue", alias = "double_value")]
    double: Option<Any<'a>>,
}

/// What the attributes of a span say.
#[derive(Default)]
struct Attributes<'a> {
    /// By kind: the place among the names, and the value.
    found: Vec<(usize, Cow<'a, str>)>,
    /// It has attributes of the oldest form of messages.
    old_messages: bool,
}

impl<'a> Attributes<'a> {
    fn read(json: Option<&'a RawValue>) -> Result<Self, Reason> {
        let mut attributes = Self::default();
        let Some(json) = json else {
            return Ok(attributes);
        };
        if json.get().starts_with('[') {
            let list: Vec<Attribute<'a>> =
                serde_json::from_str(json.get()).map_err(|_| Reason::WrongValue)?;
            for Attribute { key, value } in list {
                attributes.take(&key, value.string.or(value.int).or(value.double));
            }
        } else {
            let map: BTreeMap<Cow<'a, str>, Any<'a>> =
                serde_json::from_str(json.get()).map_err(|_| Reason::WrongValue)?;
            for (key, value) in map {
                attributes.take(&key, Some(value));
            }
        }
        Ok(attributes)
    }

    fn take(&mut self, key: &str, value: Option<Any<'a>>) {
        self.old_messages |= key.starts_with("gen_ai.prompt.") || key.starts_with("llm.prompts.");
        let Some(place) = NAMES.iter().position(|(name, _)| *name == key) else {
            return;
        };
        // Values may be JSON in a text, or JSON itself.
        let text = value.and_then(|value| match value.json().as_bytes() {
            [b'[' | b'{', ..] => Some(Cow::Borrowed(value.json())),
            _ => value.text(),
        });
        self.found.extend(text.map(|text| (place, text)));
    }

    fn get(&self, told: Told) -> Option<&Cow<'a, str>> {
        let of = |(place, _): &&(usize, Cow<'a, str>)| NAMES[*place].1 == told;
        let first = self.found.iter().filter(of).min_by_key(|(place, _)| *place);
        first.map(|(_, text)| text)
    }

    fn tokens(&self, told: Told) -> Result<Option<u32>, Reason> {
        self.get(told)
            .map(|text| tokens_of(text.trim()))
            .transpose()
    }
}

/// Reads a line of spans.
pub(super) fn read(bytes: &[u8], place: Place, sink: &mut Sink<'_>) -> Result<(), Reason> {
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
    let session = line.session_id.and_then(Any::text);
    let several = line.resource_spans.is_some() || line.spans.is_some();
    let exported = line.resource_spans.into_iter().flatten();
    let scopes = exported.flat_map(|resource| resource.scope_spans);
    let exported = scopes.flat_map(|scope| scope.spans);
    for span in exported.chain(line.spans.into_iter().flatten()) {
        if let Err(reason) = one(&span, session.clone(), place, sink) {
            sink.leave(reason, place);
        }
    }
    if several {
        return Ok(());
    }
    let span: Span<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
    one(&span, session, place, sink)
}

fn one<'a>(
    span: &Span<'a>,
    session: Option<Cow<'a, str>>,
    place: Place,
    sink: &mut Sink<'_>,
) -> Result<(), Reason> {
    let attributes = Attributes::read(span.attributes)?;
    let counted = attributes.get(Told::Input).is_some() || attributes.get(Told::Output).is_some();
    match attributes.get(Told::Operation) {
        Some(operation) if !ASKS.contains(&&**operation) => return Err(Reason::NoCall),
        // An agent's span adds up what its calls have.
        None if !(counted || attributes.old_messages) => return Err(Reason::NoCall),
        _ => {}
    }
    if attributes.get(Told::Error).is_some() || is_error(span.status) {
        return Err(Reason::Failed);
    }
    let start = instant_of(span.start, 1)?;
    let conversation = attributes.get(Told::Conversation).cloned();
    let said = attributes
        .get(Told::Messages)
        .filter(|text| text.starts_with('['));
    let call = Call {
        at_ns: start,
        duration_ns: between(start, instant_of(span.end, 1)?),
        session: conversation
            .or(session)
            .or(span.trace_id.and_then(Any::text)),
        input_tokens: attributes.tokens(Told::Input)?,
        output_tokens: attributes.tokens(Told::Output)?,
        cached_tokens: attributes.tokens(Told::Cached)?,
        class: attributes.get(Told::Model).cloned(),
        said: said.map(|text| match is_messages(text) {
            true => Said::Messages(text.clone()),
            false => Said::Text(text.clone()),
        }),
        ..Call::default()
    };
    let id = |value: Option<Any<'a>>| value.and_then(Any::text).unwrap_or_default();
    let (trace, own, parent) = (id(span.trace_id), id(span.span_id), id(span.parent_id));
    if !own.is_empty() && !sink.sides.is_first(&trace, &own, &parent) {
        return Err(Reason::OtherSide);
    }
    sink.call(call, place);
    Ok(())
}

/// The status of a failed span: its code is 2, under one of its names.
fn is_error(status: Option<Any<'_>>) -> bool {
    #[derive(Deserialize)]
    struct Status<'a> {
        #[serde(borrow, alias = "status_code")]
        code: Option<Any<'a>>,
    }
    let status = status.and_then(|status| serde_json::from_str::<Status<'_>>(status.json()).ok());
    let code = status.and_then(|status| status.code).and_then(Any::text);
    code.is_some_and(|code| matches!(&*code, "2" | "STATUS_CODE_ERROR" | "ERROR"))
}
