//! What a user asked, read from a request that went through a proxy: the API, the texts, and how tokens are drawn.
//!
//! It keeps nothing and measures nothing. Invariant: a request that is none of a known API is not taken for one.

use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::response::{Expect, Numbers};
use infermeter_core::plan::{Endpoint, Input};
use infermeter_proxy::Seen;
use serde_json::{Map, Value};

/// Output tokens that bound what is kept of an answer to a request that names no length.
const UNBOUNDED_TOKENS: u32 = 8_192;

/// Names under which requests ask for a length.
const LENGTHS: [&str; 3] = ["max_completion_tokens", "max_tokens", "max_output_tokens"];

/// Members that say how tokens are drawn: no text of a user's is in them.
const SAMPLING: [&str; 12] = [
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "seed",
    "n",
    "presence_penalty",
    "frequency_penalty",
    "repetition_penalty",
    "reasoning_effort",
    "ignore_eos",
    "min_tokens",
];

/// How an answer's tokens are drawn, as far as the request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drawing {
    /// The likeliest token each time, or with a seed: the same again.
    Repeatable,
    /// At random.
    Random,
}

/// A text of the prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Who says it, as the API calls it.
    pub(crate) role: String,
    /// The text; calls of tools as JSON.
    pub(crate) text: String,
}

/// A request of a known API.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    pub(crate) endpoint: Endpoint,
    pub(crate) streaming: bool,
    /// Output tokens asked for at most.
    pub(crate) output_tokens: Option<u32>,
    /// Several answers were asked for: whose instants are whose cannot be told.
    pub(crate) choices: u64,
    pub(crate) drawing: Drawing,
    pub(crate) model: Option<String>,
    /// The prompt, in order.
    pub(crate) said: Vec<Said>,
    /// Tools that the model may call.
    pub(crate) tools: u64,
    /// The sampling parameters that it names.
    pub(crate) sampling: Map<String, Value>,
    numbers: Numbers,
}

/// Why a request is not one that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoQuestion {
    /// Of no known API: a list of models, a health check.
    OtherPath,
    /// Its body was not kept.
    NotKept,
    /// It ended before its body had come: the server could not be reached, or the user broke off.
    CutOff,
    /// Its body is not what the API takes.
    NotUnderstood,
}

impl Question {
    /// The question of what a proxy saw.
    pub(crate) fn of(seen: &Seen) -> Result<Self, NoQuestion> {
        let endpoint = endpoint(&seen.method, &seen.path).ok_or(NoQuestion::OtherPath)?;
        let Some(bytes) = &seen.body.bytes else {
            return Err(match seen.last_byte_in {
                Some(_) => NoQuestion::NotKept,
                None => NoQuestion::CutOff,
            });
        };
        let body: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|_| NoQuestion::NotUnderstood)?;
        Self::read(endpoint, &body).ok_or(NoQuestion::NotUnderstood)
    }

    fn read(endpoint: Endpoint, body: &Map<String, Value>) -> Option<Self> {
        let said = said(endpoint, body)?;
        let number = |name: &str| body.get(name).and_then(Value::as_u64);
        let length = LENGTHS.iter().find_map(|name| number(name));
        let sampling = SAMPLING.iter().filter_map(|name| {
            let value = body.get(*name).filter(|value| !value.is_null())?;
            // Only numbers and single words: a member may hold anything.
            let plain = value.is_number() || value.is_boolean() || is_word(value);
            plain.then(|| ((*name).to_owned(), value.clone()))
        });
        Some(Self {
            endpoint,
            streaming: body.get("stream").and_then(Value::as_bool) == Some(true),
            output_tokens: length.and_then(|n| u32::try_from(n).ok()),
            choices: number("n").unwrap_or(1),
            drawing: drawing(endpoint, body),
            model: body.get("model").and_then(Value::as_str).map(str::to_owned),
            tools: body
                .get("tools")
                .and_then(Value::as_array)
                .map_or(0, |t| t.len() as u64),
            sampling: sampling.collect(),
            numbers: numbers(endpoint, body, said.len()),
            said,
        })
    }

    /// What the answer should be.
    pub(crate) fn expect(&self) -> Expect {
        Expect {
            dialect: Dialect::of(self.endpoint),
            streaming: self.streaming,
            keep_texts: KeepTexts::Always,
            output_tokens: self.output_tokens.unwrap_or(UNBOUNDED_TOKENS) as usize,
            numbers: self.numbers,
        }
    }

    /// The last one to speak is a tool.
    pub(crate) fn is_after_tool(&self) -> bool {
        let last = self.said.last().map(|said| said.role.as_str());
        matches!(last, Some("tool" | "function" | "tool_result"))
    }

    /// Texts to embed or to rank.
    pub(crate) fn items(&self) -> Option<u32> {
        let has_items = Endpoint::api(self.endpoint).input.items().is_some();
        has_items.then_some(self.numbers.items)
    }
}

/// The API of a request, by its path, below whatever base.
fn endpoint(method: &str, path: &str) -> Option<Endpoint> {
    let path = path.trim_end_matches('/');
    let is_at = |endpoint: &Endpoint| {
        let api = endpoint.api();
        let short = api.path.strip_prefix("/v1").unwrap_or(api.path);
        let mut places = [api.path, short]
            .into_iter()
            .chain(api.other_paths.iter().copied());
        places.any(|place| path.ends_with(place))
    };
    // Chat stands first: its path ends as that of completions does.
    (method == "POST")
        .then(|| Endpoint::ALL.into_iter().find(is_at))
        .flatten()
}

fn is_word(value: &Value) -> bool {
    let text = value.as_str();
    text.is_some_and(|text| text.len() <= 16 && text.chars().all(|c| c.is_ascii_lowercase()))
}

/// Greedy, or with a seed; lists of numbers are always the same.
fn drawing(endpoint: Endpoint, body: &Map<String, Value>) -> Drawing {
    let is = |name: &str, wanted: f64| body.get(name).and_then(Value::as_f64) == Some(wanted);
    let seeded = body.get("seed").is_some_and(Value::is_number);
    let repeatable = is("temperature", 0.0) || is("top_k", 1.0) || seeded || !endpoint.generates();
    match repeatable {
        true => Drawing::Repeatable,
        false => Drawing::Random,
    }
}

fn numbers(endpoint: Endpoint, body: &Map<String, Value>, texts: usize) -> Numbers {
    let texts = u32::try_from(texts).unwrap_or(u32::MAX);
    match endpoint.api().input {
        Input::Messages | Input::Text => Numbers::NONE,
        Input::Texts => Numbers {
            items: texts,
            results: texts,
            base64: body.get("encoding_format").and_then(Value::as_str) == Some("base64"),
        },
        Input::Query => {
            // The query is one of the texts.
            let items = texts.saturating_sub(1);
            let top = body.get("top_n").and_then(Value::as_u64);
            let top = top.and_then(|n| u32::try_from(n).ok()).unwrap_or(items);
            Numbers {
                items,
                results: top.min(items),
                base64: false,
            }
        }
    }
}

/// The texts of a request in the order in which the model reads them; absent where the body is not what the API takes.
fn said(endpoint: Endpoint, body: &Map<String, Value>) -> Option<Vec<Said>> {
    let mut all = Vec::new();
    // Templates put tools in front.
    if let Some(tools) = body.get("tools").filter(|tools| !tools.is_null()) {
        push(&mut all, "tools", tools.to_string());
    }
    match endpoint {
        Endpoint::Chat => messages(body.get("messages")?, &mut all)?,
        Endpoint::Messages => {
            if let Some(system) = body.get("system") {
                push(&mut all, "system", text_of(system));
            }
            messages(body.get("messages")?, &mut all)?;
        }
        Endpoint::Responses => {
            if let Some(instructions) = body.get("instructions") {
                push(&mut all, "system", text_of(instructions));
            }
            match body.get("input")? {
                Value::String(text) => push(&mut all, "user", text.clone()),
                items => messages(items, &mut all)?,
            }
        }
        Endpoint::Completions => texts(body.get("prompt")?, "user", &mut all)?,
        Endpoint::Embeddings => texts(body.get("input")?, "input", &mut all)?,
        Endpoint::Rerank => {
            push(&mut all, "query", text_of(body.get("query")?));
            for document in body.get("documents")?.as_array()? {
                push(&mut all, "document", text_of(document));
            }
        }
    }
    Some(all)
}

fn push(all: &mut Vec<Said>, role: &str, text: String) {
    all.push(Said {
        role: role.to_owned(),
        text,
    });
}

/// One text, or several; token ids stand as they are written.
fn texts(value: &Value, role: &str, all: &mut Vec<Said>) -> Option<()> {
    match value {
        Value::String(text) => push(all, role, text.clone()),
        Value::Array(list) if list.iter().any(Value::is_string) => {
            list.iter().for_each(|text| push(all, role, text_of(text)));
        }
        Value::Array(list) if !list.is_empty() => push(all, role, value.to_string()),
        _ => return None,
    }
    Some(())
}

fn messages(list: &Value, all: &mut Vec<Said>) -> Option<()> {
    for message in list.as_array()? {
        let message = message.as_object()?;
        let named = |name: &str| message.get(name).and_then(Value::as_str);
        // Items of the Responses API that are no messages have a type instead of a role.
        let role = named("role").or(named("type")).unwrap_or("user");
        let mut text = message.get("content").map(text_of).unwrap_or_default();
        for name in ["tool_calls", "function_call", "arguments", "output"] {
            if let Some(value) = message.get(name).filter(|value| !value.is_null()) {
                text += &text_of(value);
            }
        }
        push(all, role, text);
    }
    Some(())
}

/// The text of a content: a string, or parts of which some are texts; what else there is as JSON.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(text_of).collect(),
        Value::Object(part) => match part.get("text").or(part.get("content")) {
            Some(text) => text_of(text),
            None => value.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question(path: &str, body: Value) -> Option<Question> {
        let endpoint = endpoint("POST", path)?;
        Question::read(endpoint, body.as_object()?)
    }

    #[test]
    fn apis_are_known_by_their_paths() {
        for (path, expect) in [
            ("/v1/chat/completions", Some(Endpoint::Chat)),
            ("/base/v1/completions/", Some(Endpoint::Completions)),
            ("/v1/messages", Some(Endpoint::Messages)),
            ("/openai/responses", Some(Endpoint::Responses)),
            ("/v2/rerank", Some(Endpoint::Rerank)),
            ("/v1/models", None),
            ("/v1/messages/count_tokens", None),
        ] {
            assert_eq!(endpoint("POST", path), expect, "{path}");
        }
        assert_eq!(endpoint("GET", "/v1/chat/completions"), None);
    }

    #[test]
    fn texts_of_every_api_are_found() {
        let texts = |path: &str, body: Value| -> Vec<(String, String)> {
            let said = question(path, body).expect("a question").said;
            said.into_iter().map(|s| (s.role, s.text)).collect()
        };
        let pair = |role: &str, text: &str| (role.to_owned(), text.to_owned());
        assert_eq!(
            texts(
                "/v1/chat/completions",
                json!({"messages": [{"role": "system", "content": "Be kind."},
                    {"role": "user", "content": [{"type": "text", "text": "Hi"}]}]})
            ),
            [pair("system", "Be kind."), pair("user", "Hi")]
        );
        assert_eq!(
            texts(
                "/v1/messages",
                json!({"system": "S", "messages": [{"role": "user", "content": "Hi"}]})
            ),
            [pair("system", "S"), pair("user", "Hi")]
        );
        assert_eq!(
            texts("/v1/responses", json!({"input": "Hi", "instructions": "I"})),
            [pair("system", "I"), pair("user", "Hi")]
        );
        assert_eq!(
            texts("/v1/completions", json!({"prompt": ["a", "b"]})),
            [pair("user", "a"), pair("user", "b")]
        );
        assert_eq!(
            question("/v1/chat/completions", json!({"prompt": "x"})),
            None
        );
    }

    #[test]
    fn only_greedy_and_seeded_answers_are_the_same_again() {
        let drawing = |more: Value| {
            let mut body = json!({"messages": [{"role": "user", "content": "Hi"}]});
            for (name, value) in more.as_object().expect("members") {
                body[name] = value.clone();
            }
            question("/v1/chat/completions", body)
                .expect("a question")
                .drawing
        };
        assert_eq!(drawing(json!({})), Drawing::Random);
        assert_eq!(drawing(json!({"temperature": 0.7})), Drawing::Random);
        assert_eq!(drawing(json!({"temperature": 0})), Drawing::Repeatable);
        assert_eq!(
            drawing(json!({"seed": 7, "temperature": 1})),
            Drawing::Repeatable
        );
        assert_eq!(drawing(json!({"seed": null})), Drawing::Random);
    }

    #[test]
    fn sampling_parameters_hold_no_text() {
        let asked = question(
            "/v1/chat/completions",
            json!({"messages": [{"role": "user", "content": "Hi"}], "temperature": 0.5,
                "reasoning_effort": "high", "top_p": "my secret canary", "stop": ["canary"]}),
        );
        let sampling = asked.expect("a question").sampling;
        let names: Vec<&String> = sampling.keys().collect();
        assert_eq!(names, ["temperature", "reasoning_effort"]);
    }

    #[test]
    fn a_request_after_a_tool_says_so() {
        let after = |role: &str| {
            let body = json!({"messages": [{"role": "user", "content": "Hi"},
                {"role": role, "content": "42"}]});
            question("/v1/chat/completions", body)
                .expect("a question")
                .is_after_tool()
        };
        assert!(after("tool") && !after("user"));
    }
}
