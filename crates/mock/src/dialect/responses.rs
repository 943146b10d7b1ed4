//! OpenAI's Responses, as vLLM serves them: typed and numbered events, one item for each part of an answer.

use super::items::{goes_on, members, put_messages, put_tools, written};
use super::{End, Naming, Opening, Said, Saying, UsageCounts, Voice, Wire};
use crate::content::Part;
use crate::refusal::Refusal;
use crate::render::{Framing, json_text, piece};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The dialect.
pub(super) struct Responses;

impl Wire for Responses {
    fn body<'b>(&self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, Refusal> {
        let mut body = members(bytes)?;
        let said = match body.remove("input") {
            Some(text @ Value::String(_)) => vec![json!({"role": "user", "content": text})],
            Some(Value::Array(items)) => items.into_iter().map(message).collect(),
            _ => return Err(Refusal::bad_request("input: field required")),
        };
        let system = body.remove("instructions").filter(Value::is_string);
        put_messages(&mut body, system, said.into_iter());
        for (own, chat) in [
            ("max_output_tokens", "max_tokens"),
            ("text", "response_format"),
        ] {
            if let Some(value) = body.remove(own) {
                let value = value.get("format").map(format).unwrap_or(value);
                body.insert(chat.to_owned(), value);
            }
        }
        put_tools(&mut body, nested);
        if let Some(choice) = body.remove("tool_choice") {
            body.insert("tool_choice".to_owned(), nested(choice));
        }
        Ok(written(body))
    }

    fn finish_word(&self, finish: &'static str) -> &'static str {
        let (status, why) = status(finish);
        why.unwrap_or(status)
    }

    fn voice(&self, naming: Naming<'_>) -> Box<dyn Voice> {
        Box::new(Speech {
            id: naming.id.to_owned(),
            model: json_text(naming.model),
            created_s: naming.created_s,
            number: 0,
            open: None,
            text: Vec::new(),
            items: Vec::new(),
            finish: None,
        })
    }
}

/// An item of the input as a message of chat.
fn message(item: Value) -> Value {
    match item["type"].as_str() {
        Some("function_call_output") => json!({
            "role": "tool",
            "tool_call_id": item["call_id"],
            "content": item["output"],
        }),
        Some("function_call") => json!({
            "role": "assistant",
            "tool_calls": [{"id": item["call_id"], "function": {
                "name": item["name"], "arguments": item["arguments"],
            }}],
        }),
        _ => item,
    }
}

/// `{"type": "function", "name": ...}` as chat has it, with all but the type inside.
fn nested(value: Value) -> Value {
    if value["type"] != "function" {
        return value;
    }
    json!({"type": "function", "function": value})
}

fn format(format: &Value) -> Value {
    match format["type"].as_str() {
        Some("json_schema") => json!({"type": "json_schema", "json_schema": format}),
        _ => format.clone(),
    }
}

/// One answer.
#[derive(Debug)]
struct Speech {
    id: String,
    model: String,
    created_s: i64,
    /// Number of the next event.
    number: u64,
    open: Option<Part>,
    /// JSON text of the item that is open.
    text: Vec<u8>,
    /// Items that are whole, as JSON.
    items: Vec<String>,
    /// How the answer ended, until it is told.
    finish: Option<String>,
}

/// Status of a response, and why it is not complete.
fn status(finish: &str) -> (&'static str, Option<&'static str>) {
    match finish {
        "length" => ("incomplete", Some("max_output_tokens")),
        "content_filter" => ("incomplete", Some("content_filter")),
        _ => ("completed", None),
    }
}

fn usage_object(usage: UsageCounts) -> Value {
    let mut members = Map::new();
    members.insert("input_tokens".to_owned(), usage.prompt.into());
    if let Some(cached) = usage.cached {
        members.insert(
            "input_tokens_details".to_owned(),
            json!({"cached_tokens": cached}),
        );
    }
    members.insert("output_tokens".to_owned(), usage.completion.into());
    let reasoning = usage.reasoning.unwrap_or(0);
    let details = json!({"reasoning_tokens": reasoning});
    members.insert("output_tokens_details".to_owned(), details);
    let total = u64::from(usage.prompt) + u64::from(usage.completion);
    members.insert("total_tokens".to_owned(), total.into());
    Value::Object(members)
}

/// The kinds of items: where their text goes.
fn item(part: Part, id: &str, status: &str, name: &str, text: &str) -> String {
    match part {
        Part::Content => format!(
            "{{\"id\":\"msg_{id}\",\"type\":\"message\",\"role\":\"assistant\",\
             \"status\":\"{status}\",\"content\":[{{\"type\":\"output_text\",\"annotations\":[],\
             \"text\":\"{text}\"}}]}}"
        ),
        Part::Reasoning => format!(
            "{{\"id\":\"rs_{id}\",\"type\":\"reasoning\",\"summary\":[],\
             \"content\":[{{\"type\":\"reasoning_text\",\"text\":\"{text}\"}}]}}"
        ),
        Part::CallName | Part::CallArguments => format!(
            "{{\"id\":\"fc_{id}\",\"type\":\"function_call\",\"call_id\":\"call-{id}\",\
             \"status\":\"{status}\",\"name\":\"{name}\",\"arguments\":\"{text}\"}}"
        ),
    }
}

impl Speech {
    fn event(&mut self, out: &mut Vec<u8>, kind: &str, data: &[&[u8]], framing: Framing) {
        let number = self.number;
        self.number += 1;
        let head =
            format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number}");
        let mut parts = vec![head.as_bytes()];
        parts.extend(data);
        parts.push(b"}\n\n");
        piece(out, &parts, framing);
    }

    fn response(&self, status: &str, more: &str) -> String {
        let Self {
            id,
            model,
            created_s,
            ..
        } = self;
        let output = self.items.join(",");
        format!(
            "{{\"id\":\"resp_{id}\",\"object\":\"response\",\"created_at\":{created_s},\
             \"model\":\"{model}\",\"status\":\"{status}\",\"output\":[{output}]{more}}}"
        )
    }

    fn open(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, framing: Framing) {
        if goes_on(self.open, saying) {
            return;
        }
        self.close(out, framing);
        let name = match saying.part {
            Part::CallName => String::from_utf8_lossy(saying.text).into_owned(),
            _ => String::new(),
        };
        let empty = item(saying.part, &self.id, "in_progress", &name, "");
        let data = format!(",\"output_index\":{},\"item\":{empty}", self.items.len());
        self.event(
            out,
            "response.output_item.added",
            &[data.as_bytes()],
            framing,
        );
        self.open = Some(saying.part);
        self.text.clear();
        if saying.part == Part::CallName {
            // Kept in front of the arguments until the item is whole.
            self.items.push(name);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>, framing: Framing) {
        let Some(part) = self.open.take() else { return };
        let name = match part {
            Part::CallName => self.items.pop().unwrap_or_default(),
            _ => String::new(),
        };
        let text = String::from_utf8_lossy(&self.text).into_owned();
        let whole = item(part, &self.id, "completed", &name, &text);
        let data = format!(",\"output_index\":{},\"item\":{whole}", self.items.len());
        self.event(
            out,
            "response.output_item.done",
            &[data.as_bytes()],
            framing,
        );
        self.items.push(whole);
    }

    fn tell_end(&mut self, out: &mut Vec<u8>, usage: Option<UsageCounts>, framing: Framing) {
        let Some(finish) = self.finish.take() else {
            return;
        };
        let (status, more) = end_of(&finish, usage);
        let data = format!(",\"response\":{}", self.response(status, &more));
        self.event(
            out,
            &format!("response.{status}"),
            &[data.as_bytes()],
            framing,
        );
    }
}

/// Status of an answer that ended so, and what stands behind its output.
fn end_of(finish: &str, usage: Option<UsageCounts>) -> (&'static str, String) {
    let (status, why) = status(finish);
    let details = why.map_or(Value::Null, |why| json!({"reason": why}));
    let usage = usage.map(|usage| format!(",\"usage\":{}", usage_object(usage)));
    let more = format!(
        ",\"error\":null,\"incomplete_details\":{details}{}",
        usage.unwrap_or_default()
    );
    (status, more)
}

impl Voice for Speech {
    fn role(&mut self, out: &mut Vec<u8>, _: Opening, framing: Framing) {
        for kind in ["response.created", "response.in_progress"] {
            let data = format!(",\"response\":{}", self.response("in_progress", ""));
            self.event(out, kind, &[data.as_bytes()], framing);
        }
    }

    fn content(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        let kind = match saying.part {
            Part::Content => "response.output_text.delta",
            Part::Reasoning => "response.reasoning_text.delta",
            Part::CallName | Part::CallArguments => "response.function_call_arguments.delta",
        };
        if !saying.text.is_empty() {
            self.open(out, saying, framing);
        }
        // The name has come with its item.
        if !saying.text.is_empty() && saying.part != Part::CallName {
            self.text.extend_from_slice(saying.text);
            self.event(out, kind, &[b",\"delta\":\"", saying.text, b"\""], framing);
        }
        if let Some(finish) = end.reason {
            self.close(out, framing);
            self.finish = Some(finish.to_owned());
        }
        if end.usage.is_some() {
            self.tell_end(out, end.usage, framing);
        }
    }

    fn usage(&mut self, out: &mut Vec<u8>, usage: UsageCounts, framing: Framing) {
        self.tell_end(out, Some(usage), framing);
    }

    /// The last event is the mark of the end; nothing comes behind it.
    fn end(&mut self, out: &mut Vec<u8>, framing: Framing) {
        self.tell_end(out, None, framing);
    }

    fn error(&mut self, out: &mut Vec<u8>, framing: Framing) {
        let error = json!({"code": "server_error", "message": "engine died on demand"});
        let data = format!(
            ",\"response\":{}",
            self.response("failed", &format!(",\"error\":{error}"))
        );
        self.event(out, "response.failed", &[data.as_bytes()], framing);
    }

    fn whole(&self, said: Said<'_>, finish: &str, usage: Option<UsageCounts>) -> Vec<u8> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let done =
            |part, name: &str, said: &[u8]| item(part, &self.id, "completed", name, &text(said));
        let reasoning = said.reasoning.map(|said| done(Part::Reasoning, "", said));
        let answer = match said.call {
            Some(name) => done(Part::CallArguments, &text(name), said.text),
            None => done(Part::Content, "", said.text),
        };
        let whole = Self {
            id: self.id.clone(),
            model: self.model.clone(),
            items: reasoning.into_iter().chain([answer]).collect(),
            text: Vec::new(),
            finish: None,
            ..*self
        };
        let (status, more) = end_of(finish, usage);
        whole.response(status, &more).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_and_the_last_one_has_all() {
        let mut voice = Responses.voice(Naming {
            id: "7",
            created_s: 1,
            model: "m",
            reasoning_field: Default::default(),
            listed: Default::default(),
            scores: None,
        });
        let usage = UsageCounts {
            prompt: 10,
            completion: 3,
            cached: Some(4),
            reasoning: Some(1),
            times: None,
        };
        let mut out = Vec::new();
        let saying = |part, text| Saying { part, text };
        let ends = End {
            reason: Some("tool_calls"),
            usage: None,
        };
        voice.role(&mut out, Opening::default(), Framing::Bare);
        voice.content(
            &mut out,
            saying(Part::Reasoning, b"a"),
            End::default(),
            Framing::Bare,
        );
        voice.content(
            &mut out,
            saying(Part::CallName, b"f"),
            End::default(),
            Framing::Bare,
        );
        voice.content(
            &mut out,
            saying(Part::CallArguments, b"{\\\"a\\\":1}"),
            ends,
            Framing::Bare,
        );
        voice.usage(&mut out, usage, Framing::Bare);
        voice.end(&mut out, Framing::Bare);
        let text = String::from_utf8(out).expect("text");
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let events: Vec<Value> = data
            .map(|d| serde_json::from_str(d).expect("JSON"))
            .collect();
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], number);
        }
        let last = events.last().expect("an event");
        assert_eq!(last["type"], "response.completed");
        assert_eq!(
            last["response"]["usage"]["output_tokens_details"]["reasoning_tokens"],
            1
        );
        let items = last["response"]["output"].as_array().expect("items");
        assert_eq!(items.len(), 2);
        assert_eq!(
            (&items[1]["name"], &items[1]["arguments"]),
            (&json!("f"), &json!("{\"a\":1}"))
        );
    }
}
