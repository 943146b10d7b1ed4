//! Requests as bytes: HTTP/1.1 head and JSON body of a chat or completions request, ready before
//! the clock starts. Also the plain GET of control traffic.
//!
//! It sends nothing, and sets no sampling parameter (temperature and its like are the server's
//! unless the extra body names them).
//!
//! Invariant: what it emits has exactly the headers and the body length it says; no caller's text
//! can add a header.

mod headers;
mod target;
mod template;
pub(crate) mod write;

pub use crate::features::Features;
pub use headers::{HeaderError, Headers};
pub use target::{Target, TargetError};
pub use template::{BodyTemplate, TemplateError};

use crate::dialect::Dialect;
use crate::lists::Numbers;
use infermeter_core::request::{BodyMember, RequestContent, RequestSpec};
use infermeter_core::spans::TraceKey;
use serde_json::{Map, Value, json};
use template::{Piece, Placeholder};
use write::{push_inside, push_messages, push_name, push_prompt, push_text};

/// The `user-agent` of every request.
pub(crate) const USER_AGENT: &str = concat!("infermeter/", env!("CARGO_PKG_VERSION"));

/// What all requests of a run have in common.
#[derive(Debug, Clone)]
pub struct RequestShape {
    /// How the API spoken is written.
    pub dialect: Dialect,
    /// Name of the model.
    pub model: String,
    /// Ask for an event stream.
    pub stream: bool,
    /// Fields the server knows.
    pub features: Features,
    /// Headers of the user's; they replace ours of the same name.
    pub headers: Headers,
    /// Members merged into the body; they replace ours of the same name, whole.
    pub extra_body: Map<String, Value>,
    /// Header that carries the session of a request, for routers that keep sessions on a replica.
    pub session_header: Option<String>,
    /// Path below the target's base; absent: the API's.
    pub path: Option<String>,
    /// The body's form, where it is not the API's. Features are then not asked for.
    pub template: Option<BodyTemplate>,
}

impl RequestShape {
    /// Path of the requests, below the target's base.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(self.dialect.path())
    }
}

/// One member of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    /// The same in every request that does not bring its own: `"name":value`.
    Fixed(String, Vec<u8>),
    /// The member of this name that the dialect makes from what a request says.
    Said(&'static str),
    /// A name whose value is the number of output tokens.
    OutputTokens(&'static str),
    /// A name with a value that is put together from the request.
    Made(String, Vec<Piece>),
}

/// What one request says.
#[derive(Clone, Copy)]
struct Said<'a> {
    id: &'a str,
    content: &'a RequestContent,
    output_tokens: u32,
}

/// Encodes the requests of one run.
#[derive(Debug, Clone)]
pub struct RequestEncoder {
    dialect: Dialect,
    /// Head up to the value of `x-request-id`.
    before_id: Vec<u8>,
    members: Vec<Member>,
    /// A template has the model in its own place.
    places_model: bool,
    /// What all requests have, for templates: the model's name in JSON, and whether they stream.
    model: String,
    stream: bool,
    session_header: Option<String>,
    /// Members of every body that say what comes back: the form of embeddings, and the most results.
    base64: bool,
    top_n: Option<u32>,
    /// The traces of the run, where each request says which is its own.
    traces: Option<TraceKey>,
}

/// What stands before the value of W3C Trace Context's header.
const TRACEPARENT: &[u8] = b"\r\ntraceparent: ";

impl RequestEncoder {
    /// An encoder of requests to `target`.
    pub fn new(target: &Target, shape: &RequestShape) -> Self {
        let accept = if shape.stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        let path = target.path(shape.path());
        let mut before_id = head("POST", &path, target, accept, &shape.headers);
        if !shape.headers.has("content-type") {
            before_id.extend_from_slice(b"content-type: application/json\r\n");
        }
        for (name, value) in shape.dialect.headers() {
            if !shape.headers.has(name) {
                push_header(&mut before_id, name, value);
            }
        }
        before_id.extend_from_slice(b"x-request-id: ");
        Self {
            dialect: shape.dialect,
            before_id,
            places_model: shape.template.as_ref().is_some_and(BodyTemplate::has_model),
            members: members(shape),
            model: json!(shape.model).to_string(),
            stream: shape.stream,
            session_header: shape.session_header.clone(),
            base64: shape
                .extra_body
                .get("encoding_format")
                .is_some_and(|v| *v == "base64"),
            top_n: top_n(&shape.extra_body),
            traces: None,
        }
    }

    /// The same for a run whose requests say which trace they are.
    #[must_use]
    pub fn traced(self, traces: TraceKey) -> Self {
        Self {
            traces: Some(traces),
            ..self
        }
    }

    /// What has to come back for a request of so many texts or documents, where it holds some.
    pub fn numbers(&self, items: Option<u32>) -> Numbers {
        let items = items.unwrap_or(0);
        Numbers {
            items,
            results: self.top_n.unwrap_or(items).min(items),
            base64: self.base64,
        }
    }

    /// What the requests to this target begin with: those to another differ in nothing behind it.
    pub fn head(&self) -> &[u8] {
        &self.before_id
    }

    /// How the answers to its requests are written.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The whole request: `content` with the length that `spec` asks for. Bytes of `request_id` that
    /// a header value cannot hold become `-`.
    pub fn encode(
        &self,
        request_id: &str,
        spec: &RequestSpec,
        content: &RequestContent,
    ) -> Vec<u8> {
        let body = self.body_of(Said {
            id: request_id,
            content,
            output_tokens: spec.output_tokens,
        });
        let length = body.len().to_string();
        let mut request = Vec::with_capacity(self.before_id.len() + body.len() + 256);
        request.extend_from_slice(&self.before_id);
        request.extend(
            request_id
                .bytes()
                .map(|b| if b.is_ascii_graphic() { b } else { b'-' }),
        );
        if let (Some(name), Some(turn)) = (&self.session_header, spec.turn) {
            request.extend_from_slice(b"\r\n");
            request.extend_from_slice(name.as_bytes());
            request.extend_from_slice(format!(": {}", turn.session).as_bytes());
        }
        if let Some(traces) = &self.traces {
            request.extend_from_slice(TRACEPARENT);
            request.extend_from_slice(&traces.parent(spec.id).value());
        }
        request.extend_from_slice(b"\r\ncontent-length: ");
        request.extend_from_slice(length.as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(&body);
        request
    }

    fn body_of(&self, said: Said<'_>) -> Vec<u8> {
        let content = said.content;
        let texts = content.texts().into_iter();
        let text: usize = texts.map(|text| text.len() + 32).sum();
        let mut body = Vec::with_capacity(text + text / 16 + 512);
        let placed = |name: &str| self.places_model && name == "model";
        let own = |name: &str| !placed(name) && content.members().iter().any(|m| &*m.name == name);
        let mut start = b'{';
        for member in &self.members {
            let replaced = match member {
                Member::Fixed(name, _) | Member::Made(name, _) => own(name),
                Member::OutputTokens(name) => own(name),
                Member::Said(_) => false,
            };
            if replaced {
                continue;
            }
            let before = body.len();
            body.push(start);
            match member {
                Member::Fixed(_, bytes) => body.extend_from_slice(bytes),
                Member::Said(name) => {
                    push_name(&mut body, name);
                    if !self.dialect.push_said(name, content, &mut body) {
                        body.truncate(before);
                        continue;
                    }
                }
                Member::Made(name, pieces) => {
                    push_name(&mut body, name);
                    for piece in pieces {
                        self.push_piece(&mut body, piece, said);
                    }
                }
                Member::OutputTokens(name) => {
                    push_name(&mut body, name);
                    body.extend_from_slice(said.output_tokens.to_string().as_bytes());
                }
            }
            start = b',';
        }
        let written = |m: &&BodyMember| !placed(&m.name) && !m.is_left_out();
        for member in content.members().iter().filter(written) {
            let before = body.len();
            body.push(start);
            if self.dialect.push_member(member, &mut body) {
                start = b',';
            } else {
                body.truncate(before);
            }
        }
        body.push(b'}');
        body
    }

    /// Writes a piece of a template for a request: its id, what it says, its answer's length.
    fn push_piece(&self, body: &mut Vec<u8>, piece: &Piece, said: Said<'_>) {
        let Said {
            id,
            content,
            output_tokens,
        } = said;
        let own_model = content.members().iter().find(|m| &*m.name == "model");
        let model = own_model.map_or(self.model.as_str(), |m| &*m.json);
        match piece {
            Piece::Bytes(bytes) => body.extend_from_slice(bytes),
            Piece::Value(Placeholder::Prompt) => push_prompt(body, content.messages()),
            Piece::Value(Placeholder::Messages) => push_messages(body, content.messages()),
            Piece::Value(Placeholder::Model) => body.extend_from_slice(model.as_bytes()),
            Piece::Value(Placeholder::Id) => push_text(body, id),
            Piece::Inside(Placeholder::Id) => push_inside(body, id),
            Piece::Value(Placeholder::MaxTokens) | Piece::Inside(Placeholder::MaxTokens) => {
                body.extend_from_slice(output_tokens.to_string().as_bytes());
            }
            Piece::Value(Placeholder::Stream) | Piece::Inside(Placeholder::Stream) => {
                body.extend_from_slice(self.stream.to_string().as_bytes());
            }
            Piece::Inside(Placeholder::Model) => {
                let inside = model.get(1..model.len().saturating_sub(1));
                body.extend_from_slice(inside.unwrap_or_default().as_bytes());
            }
            Piece::Inside(Placeholder::Prompt | Placeholder::Messages) => {
                for text in content.texts() {
                    push_inside(body, text);
                }
            }
        }
    }
}

/// A GET request for control traffic (`/v1/models`, `/health`, `/metrics`).
pub fn encode_get(target: &Target, path: &str, headers: &Headers) -> Vec<u8> {
    let mut request = head("GET", &target.path(path), target, "*/*", headers);
    request.extend_from_slice(b"\r\n");
    request
}

/// Request line and headers, the user's behind ours.
fn head(method: &str, path: &str, target: &Target, accept: &str, headers: &Headers) -> Vec<u8> {
    let form = target.request_target(path);
    let mut head = format!("{method} {form} HTTP/1.1\r\n").into_bytes();
    let host = target.host_header();
    for (name, value) in [
        ("host", host.as_str()),
        ("user-agent", USER_AGENT),
        ("accept", accept),
        // Without this any coding is welcome (RFC 9110, 12.5.3).
        ("accept-encoding", "identity"),
    ] {
        if !headers.has(name) {
            push_header(&mut head, name, value);
        }
    }
    if let Some(value) = target.authorization()
        && !headers.has("authorization")
    {
        push_header(&mut head, "authorization", value);
    }
    for (name, value) in headers.iter() {
        push_header(&mut head, name, value);
    }
    head
}

fn push_header(head: &mut Vec<u8>, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        head.extend_from_slice(part.as_bytes());
    }
}

fn members(shape: &RequestShape) -> Vec<Member> {
    if let Some(template) = &shape.template {
        let members = template.with(&shape.extra_body).into_iter();
        return members
            .map(|(name, pieces)| Member::Made(name, pieces))
            .collect();
    }
    let features = shape.features;
    let lengths = shape.dialect.lengths();
    let mut ours: Vec<(&str, Member)> = vec![("model", fixed("model", &json!(shape.model)))];
    let said = shape.dialect.said().iter();
    ours.extend(said.map(|name| (*name, Member::Said(name))));
    let length = lengths.get(usize::from(features.max_completion_tokens));
    ours.extend(length.map(|name| (*name, Member::OutputTokens(name))));
    if features.min_tokens {
        ours.push(("min_tokens", Member::OutputTokens("min_tokens")));
    }
    if features.ignore_eos {
        ours.push(("ignore_eos", fixed("ignore_eos", &json!(true))));
    }
    if shape.dialect.streams() {
        ours.push(("stream", fixed("stream", &json!(shape.stream))));
    }
    if shape.stream && (features.include_usage || features.continuous_usage) {
        let mut options = json!({ "include_usage": true });
        if features.continuous_usage {
            options["continuous_usage_stats"] = json!(true);
        }
        ours.push(("stream_options", fixed("stream_options", &options)));
    }
    let extra = &shape.extra_body;
    // Who says how long answers are says it alone, under either name.
    let has_length = lengths.iter().any(|name| extra.contains_key(*name));
    ours.retain(|(name, _)| !(extra.contains_key(*name) || has_length && lengths.contains(name)));
    let extra = extra.iter().map(|(name, value)| fixed(name, value));
    ours.into_iter()
        .map(|(_, member)| member)
        .chain(extra)
        .collect()
}

/// The most results that are to come back, where the body says.
fn top_n(extra: &Map<String, Value>) -> Option<u32> {
    let asked = extra.get("top_n").and_then(Value::as_u64);
    // 0 means all to vLLM.
    asked.filter(|n| *n > 0).and_then(|n| u32::try_from(n).ok())
}

fn fixed(name: &str, value: &Value) -> Member {
    let mut bytes = Vec::new();
    push_name(&mut bytes, name);
    bytes.extend_from_slice(value.to_string().as_bytes());
    Member::Fixed(name.to_owned(), bytes)
}
