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

pub use headers::{HeaderError, Headers};
pub use target::{Target, TargetError};

use infermeter_core::plan::Endpoint;
use serde_json::{Map, Value, json};

/// The `user-agent` of every request.
pub const USER_AGENT: &str = concat!("infermeter/", env!("CARGO_PKG_VERSION"));

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
}

/// One member of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Member {
    /// The same in every request: `"name":value`.
    Fixed(Vec<u8>),
    /// `messages` with one user message.
    Messages,
    /// `prompt`.
    Prompt,
    /// A name whose value is the number of output tokens.
    OutputTokens(&'static str),
}

/// Encodes the requests of one run.
#[derive(Debug, Clone)]
pub struct RequestEncoder {
    /// Head up to the value of `x-request-id`.
    before_id: Vec<u8>,
    members: Vec<Member>,
}

impl RequestEncoder {
    /// An encoder of requests to `target`.
    pub fn new(target: &Target, shape: &RequestShape) -> Self {
        let accept = if shape.stream {
            "text/event-stream"
        } else {
            "application/json"
        };
        let path = target.path(shape.endpoint.path());
        let mut before_id = head("POST", &path, target, accept, &shape.headers);
        if !shape.headers.has("content-type") {
            before_id.extend_from_slice(b"content-type: application/json\r\n");
        }
        before_id.extend_from_slice(b"x-request-id: ");
        Self {
            before_id,
            members: members(shape),
        }
    }

    /// The whole request. Bytes of `request_id` that a header value cannot hold become `-`.
    pub fn encode(&self, request_id: &str, prompt: &str, output_tokens: u32) -> Vec<u8> {
        let body = self.body(prompt, output_tokens);
        let length = body.len().to_string();
        let mut request = Vec::with_capacity(self.before_id.len() + body.len() + 128);
        request.extend_from_slice(&self.before_id);
        request.extend(
            request_id
                .bytes()
                .map(|b| if b.is_ascii_graphic() { b } else { b'-' }),
        );
        request.extend_from_slice(b"\r\ncontent-length: ");
        request.extend_from_slice(length.as_bytes());
        request.extend_from_slice(b"\r\n\r\n");
        request.extend_from_slice(&body);
        request
    }

    /// The JSON body alone.
    pub fn body(&self, prompt: &str, output_tokens: u32) -> Vec<u8> {
        let mut body = Vec::with_capacity(prompt.len() + prompt.len() / 16 + 512);
        for (i, member) in self.members.iter().enumerate() {
            body.push(if i == 0 { b'{' } else { b',' });
            match member {
                Member::Fixed(bytes) => body.extend_from_slice(bytes),
                Member::Messages => {
                    body.extend_from_slice(br#""messages":[{"role":"user","content":"#);
                    push_text(&mut body, prompt);
                    body.extend_from_slice(b"}]");
                }
                Member::Prompt => {
                    body.extend_from_slice(br#""prompt":"#);
                    push_text(&mut body, prompt);
                }
                Member::OutputTokens(name) => {
                    push_text(&mut body, name);
                    body.push(b':');
                    body.extend_from_slice(output_tokens.to_string().as_bytes());
                }
            }
        }
        body.push(b'}');
        body
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
    let mut head = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    let host = target.host_header();
    for (name, value) in [
        ("host", host.as_str()),
        ("user-agent", USER_AGENT),
        ("accept", accept),
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
    let features = shape.features;
    let mut ours: Vec<(&str, Member)> = vec![
        ("model", fixed("model", &json!(shape.model))),
        match shape.endpoint {
            Endpoint::Chat => ("messages", Member::Messages),
            Endpoint::Completions => ("prompt", Member::Prompt),
        },
        ("max_tokens", Member::OutputTokens("max_tokens")),
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
    ours.retain(|(name, _)| !extra.contains_key(*name));
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
    Member::Fixed(bytes)
}

/// Appends a text as a JSON string.
fn push_text(out: &mut Vec<u8>, text: &str) {
    let written = serde_json::to_writer(out, text);
    debug_assert!(written.is_ok(), "a text serialises into memory");
}
