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

pub use headers::{HeaderError, Headers};
pub use target::{Target, TargetError};
pub use template::{BodyTemplate, TemplateError};

use infermeter_core::plan::Endpoint;
use infermeter_core::request::{BodyMember, Message, RequestContent, RequestSpec};
use serde_json::{Map, Value, json};
use template::{Piece, Placeholder};

/// The `user-agent` of every request.
pub const USER_AGENT: &str = concat!("infermeter/", env!("CARGO_PKG_VERSION"));

/// The names under which an answer's length is asked for.
const LENGTHS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// Request fields that not every server knows; found out before the clock starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Features {
    /// `ignore_eos: true`: generate until `max_tokens`.
    pub ignore_eos: bool,
    /// `min_tokens` equal to `max_tokens`.
    pub min_tokens: bool,
    /// `stream_options.include_usage` (streams only).
    pub include_usage: bool,
    /// `stream_options.continuous_usage_stats` (streams only; implies `include_usage`).
    pub continuous_usage: bool,
    /// The answer's length is asked for as `max_completion_tokens`: the server refuses `max_tokens`.
    pub max_completion_tokens: bool,
}

/// What all requests of a run have in common.
#[derive(Debug, Clone)]
pub struct RequestShape {
    /// The API spoken.
    pub endpoint: Endpoint,
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
        self.path.as_deref().unwrap_or(self.endpoint.path())
    }
}

/// One member of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    /// The same in every request that does not bring its own: `"name":value`.
    Fixed(String, Vec<u8>),
    /// `messages`.
    Messages,
    /// `prompt`.
    Prompt,
    /// A name whose value is the number of output tokens.
    OutputTokens(&'static str),
    /// A name with a value that is put together from the request.
    Made(String, Vec<Piece>),
}

/// Encodes the requests of one run.
#[derive(Debug, Clone)]
pub struct RequestEncoder {
    /// Head up to the value of `x-request-id`.
    before_id: Vec<u8>,
    members: Vec<Member>,
    /// A template has the model in its own place.
    places_model: bool,
    /// What all requests have, for templates: the model's name in JSON, and whether they stream.
    model: String,
    stream: bool,
    session_header: Option<String>,
}

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
        before_id.extend_from_slice(b"x-request-id: ");
        Self {
            before_id,
            places_model: shape.template.as_ref().is_some_and(BodyTemplate::has_model),
            members: members(shape),
            model: json!(shape.model).to_string(),
            stream: shape.stream,
            session_header: shape.session_header.clone(),
        }
    }

    /// What the requests to this target begin with: those to another differ in nothing behind it.
    pub fn head(&self) -> &[u8] {
        &self.before_id
    }

    /// The whole request: `content` with the length that `spec` asks for. Bytes of `request_id` that
    /// a header value cannot hold become `-`.
    pub fn encode(
        &self,
        request_id: &str,
        spec: &RequestSpec,
        content: &RequestContent,
    ) -> Vec<u8> {
        let body = self.body_of(request_id, content, spec.output_tokens);
        let length = body.len().to_string();
        let mut request = Vec::with_capacity(self.before_id.len() + body.len() + 128);
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
        request.extend_from_slice(b"\r\ncontent-length: ");
        request.extend_from_slice(length.as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(&body);
        request
    }

    fn body_of(&self, id: &str, content: &RequestContent, output_tokens: u32) -> Vec<u8> {
        let text: usize = content.messages.iter().map(|m| m.text.len() + 32).sum();
        let mut body = Vec::with_capacity(text + text / 16 + 512);
        let placed = |name: &str| self.places_model && name == "model";
        let own = |name: &str| !placed(name) && content.members.iter().any(|m| &*m.name == name);
        let mut start = b'{';
        for member in &self.members {
            if matches!(member, Member::Fixed(name, _) | Member::Made(name, _) if own(name)) {
                continue;
            }
            body.push(start);
            start = b',';
            match member {
                Member::Fixed(_, bytes) => body.extend_from_slice(bytes),
                Member::Messages => push_messages(&mut body, &content.messages),
                Member::Prompt => {
                    body.extend_from_slice(br#""prompt":"#);
                    push_prompt(&mut body, &content.messages);
                }
                Member::Made(name, pieces) => {
                    push_text(&mut body, name);
                    body.push(b':');
                    for piece in pieces {
                        self.push_piece(&mut body, piece, (id, content, output_tokens));
                    }
                }
                Member::OutputTokens(name) => {
                    push_text(&mut body, name);
                    body.push(b':');
                    body.extend_from_slice(output_tokens.to_string().as_bytes());
                }
            }
        }
        for member in content.members.iter().filter(|m| !placed(&m.name)) {
            body.push(start);
            start = b',';
            push_member(&mut body, member);
        }
        body.push(b'}');
        body
    }

    /// Writes a piece of a template for a request: its id, what it says, its answer's length.
    fn push_piece(
        &self,
        body: &mut Vec<u8>,
        piece: &Piece,
        (id, content, output_tokens): (&str, &RequestContent, u32),
    ) {
        let own_model = content.members.iter().find(|m| &*m.name == "model");
        let model = own_model.map_or(self.model.as_str(), |m| &*m.json);
        match piece {
            Piece::Bytes(bytes) => body.extend_from_slice(bytes),
            Piece::Value(Placeholder::Prompt) => push_prompt(body, &content.messages),
            Piece::Value(Placeholder::Messages) => push_list(body, &content.messages),
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
                for message in &content.messages {
                    push_inside(body, &message.text);
                }
            }
        }
    }
}

/// `messages`, each with its text, or with parts where it has images.
fn push_messages(body: &mut Vec<u8>, messages: &[Message]) {
    body.extend_from_slice(br#""messages":"#);
    push_list(body, messages);
}

/// The list of messages.
fn push_list(body: &mut Vec<u8>, messages: &[Message]) {
    body.push(b'[');
    for (i, message) in messages.iter().enumerate() {
        if i > 0 {
            body.push(b',');
        }
        body.extend_from_slice(br#"{"role":"#);
        push_text(body, message.role.as_str());
        body.extend_from_slice(br#","content":"#);
        if message.text.is_empty() && message.has_calls() {
            body.extend_from_slice(b"null");
        } else if message.images.is_empty() {
            push_text(body, &message.text);
        } else {
            body.extend_from_slice(br#"[{"type":"text","text":"#);
            push_text(body, &message.text);
            for image in &message.images {
                body.extend_from_slice(br#"},{"type":"image_url","image_url":{"url":"#);
                push_text(body, image);
                body.push(b'}');
            }
            body.extend_from_slice(b"}]");
        }
        for member in &message.members {
            body.push(b',');
            push_member(body, member);
        }
        body.push(b'}');
    }
    body.push(b']');
}

fn push_member(body: &mut Vec<u8>, member: &BodyMember) {
    push_text(body, &member.name);
    body.push(b':');
    body.extend_from_slice(member.json.as_bytes());
}

/// The messages' texts as one: an API without messages has no roles.
fn push_prompt(body: &mut Vec<u8>, messages: &[Message]) {
    match messages {
        [only] => push_text(body, &only.text),
        several => {
            let texts: Vec<&str> = several.iter().map(|m| &*m.text).collect();
            push_text(body, &texts.join("\n"));
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
    let length = match features.max_completion_tokens {
        true => LENGTHS[1],
        false => LENGTHS[0],
    };
    let mut ours: Vec<(&str, Member)> = vec![
        ("model", fixed("model", &json!(shape.model))),
        match shape.endpoint {
            Endpoint::Chat => ("messages", Member::Messages),
            Endpoint::Completions => ("prompt", Member::Prompt),
        },
        (length, Member::OutputTokens(length)),
    ];
    if features.min_tokens {
        ours.push(("min_tokens", Member::OutputTokens("min_tokens")));
    }
    if features.ignore_eos {
        ours.push(("ignore_eos", fixed("ignore_eos", &json!(true))));
    }
    ours.push(("stream", fixed("stream", &json!(shape.stream))));
    if shape.stream && (features.include_usage || features.continuous_usage) {
        let mut options = json!({ "include_usage": true });
        if features.continuous_usage {
            options["continuous_usage_stats"] = json!(true);
        }
        ours.push(("stream_options", fixed("stream_options", &options)));
    }
    let extra = &shape.extra_body;
    // Who says how long answers are says it alone, under either name.
    let has_length = LENGTHS.iter().any(|name| extra.contains_key(*name));
    ours.retain(|(name, _)| !(extra.contains_key(*name) || has_length && LENGTHS.contains(name)));
    let extra = extra.iter().map(|(name, value)| fixed(name, value));
    ours.into_iter()
        .map(|(_, member)| member)
        .chain(extra)
        .collect()
}

fn fixed(name: &str, value: &Value) -> Member {
    let mut bytes = Vec::new();
    push_text(&mut bytes, name);
    bytes.push(b':');
    bytes.extend_from_slice(value.to_string().as_bytes());
    Member::Fixed(name.to_owned(), bytes)
}

/// Appends a text as the inside of a JSON string.
fn push_inside(out: &mut Vec<u8>, text: &str) {
    let mut quoted = Vec::with_capacity(text.len() + 2);
    push_text(&mut quoted, text);
    out.extend_from_slice(quoted.get(1..quoted.len() - 1).unwrap_or_default());
}

/// Appends a text as a JSON string.
fn push_text(out: &mut Vec<u8>, text: &str) {
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok(), "a text serialises into memory");
}
