//! Anthropic's Messages, as vLLM serves them: named events, one block for each part of an answer.

use super::items::{goes_on, members, put_messages, put_tools, written};
use super::{End, Naming, Opening, Said, Saying, UsageCounts, Voice, Wire};
use crate::content::Part;
use crate::refusal::Refusal;
use crate::render::{Framing, json_text, piece, put};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The dialect.
pub(super) struct Messages;

impl Wire for Messages {
    fn body<'b>(&self, bytes: &'b [u8]) -> Result<Cow<'b, [u8]>, Refusal> {
        let mut body = members(bytes)?;
        if !body.contains_key("max_tokens") {
            return Err(Refusal::bad_request("max_tokens: field required"));
        }
        let messages = body.remove("messages");
        let Some(Value::Array(messages)) = messages else {
            return Err(Refusal::bad_request("messages: field required"));
        };
        let system = body.remove("system");
        put_messages(&mut body, system, messages.into_iter().map(turn));
        put_tools(&mut body, tool);
        if let Some(choice) = body.remove("tool_choice") {
            body.insert("tool_choice".to_owned(), tool_choice(&choice));
        }
        Ok(written(body))
    }

    fn finish_word(&self, finish: &'static str) -> &'static str {
        stop_reason(finish)
    }

    fn voice(&self, naming: Naming<'_>) -> Box<dyn Voice> {
        Box::new(Speech {
            id: naming.id.to_owned(),
            model: json_text(naming.model),
            index: 0,
            open: None,
            finish: None,
        })
    }
}

/// A message in the form of chat: a tool's result is one of its own role there.
fn turn(message: Value) -> Value {
    let results = message.get("content").and_then(Value::as_array);
    let result = results
        .into_iter()
        .flatten()
        .find(|part| part["type"] == "tool_result");
    match result {
        Some(result) => json!({
            "role": "tool",
            "tool_call_id": result["tool_use_id"],
            "content": result["content"],
        }),
        None => message,
    }
}

fn tool(tool: Value) -> Value {
    json!({"type": "function", "function": {
        "name": tool["name"],
        "description": tool["description"],
        "parameters": tool["input_schema"],
    }})
}

fn tool_choice(choice: &Value) -> Value {
    match choice["type"].as_str() {
        Some("any") => json!("required"),
        Some("tool") => json!({"type": "function", "function": {"name": choice["name"]}}),
        Some(word) => json!(word),
        None => choice.clone(),
    }
}

/// One answer.
#[derive(Debug)]
struct Speech {
    id: String,
    model: String,
    /// The block that is open, or the next one.
    index: u32,
    open: Option<Part>,
    /// How the answer ended, until it is told.
    finish: Option<&'static str>,
}

/// The word of this API for a reason.
fn stop_reason(finish: &str) -> &'static str {
    match finish {
        "length" => "max_tokens",
        "tool_calls" => "tool_use",
        "content_filter" => "refusal",
        _ => "end_turn",
    }
}

/// `{...}` of the counts: those of the prompt that came from the cache stand apart.
fn usage_object(usage: UsageCounts, with_prompt: bool) -> String {
    let cached = usage.cached.unwrap_or(0);
    let mut members = Map::new();
    if with_prompt {
        members.insert(
            "input_tokens".to_owned(),
            (usage.prompt.saturating_sub(cached)).into(),
        );
        if let Some(cached) = usage.cached {
            members.insert("cache_read_input_tokens".to_owned(), cached.into());
        }
    }
    members.insert("output_tokens".to_owned(), usage.completion.into());
    Value::Object(members).to_string()
}

fn event(out: &mut Vec<u8>, name: &str, data: &[&[u8]], framing: Framing) {
    let head = format!("event: {name}\ndata: {{\"type\":\"{name}\"");
    let mut parts = vec![head.as_bytes()];
    parts.extend(data);
    parts.push(b"}\n\n");
    piece(out, &parts, framing);
}

impl Speech {
    /// The block that a part belongs to: a call's name and its arguments are one.
    fn open(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, framing: Framing) {
        if goes_on(self.open, saying) {
            return;
        }
        self.close(out, framing);
        let index = format!(",\"index\":{},\"content_block\":", self.index);
        let mut block = Vec::new();
        match saying.part {
            Part::Content => block.extend_from_slice(b"{\"type\":\"text\",\"text\":\"\"}"),
            Part::Reasoning => block
                .extend_from_slice(b"{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}"),
            Part::CallName | Part::CallArguments => {
                let id = &self.id;
                put(
                    &mut block,
                    format_args!("{{\"type\":\"tool_use\",\"id\":\"toolu_{id}\",\"name\":\""),
                );
                if saying.part == Part::CallName {
                    block.extend_from_slice(saying.text);
                }
                block.extend_from_slice(b"\",\"input\":{}}");
            }
        }
        event(
            out,
            "content_block_start",
            &[index.as_bytes(), &block],
            framing,
        );
        self.open = Some(saying.part);
    }

    fn close(&mut self, out: &mut Vec<u8>, framing: Framing) {
        if self.open.take().is_some() {
            let index = format!(",\"index\":{}", self.index);
            event(out, "content_block_stop", &[index.as_bytes()], framing);
            self.index += 1;
        }
    }

    /// How it ended, and usage where that is told.
    fn tell_end(&mut self, out: &mut Vec<u8>, usage: Option<UsageCounts>, framing: Framing) {
        let Some(reason) = self.finish.take() else {
            return;
        };
        let usage = usage.map(|usage| format!(",\"usage\":{}", usage_object(usage, false)));
        let delta = format!(
            ",\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}}{}",
            usage.unwrap_or_default()
        );
        event(out, "message_delta", &[delta.as_bytes()], framing);
    }
}

impl Voice for Speech {
    fn role(&mut self, out: &mut Vec<u8>, opening: Opening, framing: Framing) {
        let (id, model) = (&self.id, &self.model);
        let usage = opening.at_once.map(|usage| usage_object(usage, true));
        let usage = usage.map_or_else(String::new, |usage| format!(",\"usage\":{usage}"));
        let message = format!(
            ",\"message\":{{\"id\":\"msg_{id}\",\"type\":\"message\",\"role\":\"assistant\",\
             \"content\":[],\"model\":\"{model}\",\"stop_reason\":null,\"stop_sequence\":null{usage}}}"
        );
        event(out, "message_start", &[message.as_bytes()], framing);
    }

    fn content(&mut self, out: &mut Vec<u8>, saying: Saying<'_>, end: End<'_>, framing: Framing) {
        if !saying.text.is_empty() {
            self.open(out, saying, framing);
        }
        let (before, behind): (&[u8], &[u8]) = match saying.part {
            Part::Content => (b"{\"type\":\"text_delta\",\"text\":\"", b"\"}"),
            Part::Reasoning => (b"{\"type\":\"thinking_delta\",\"thinking\":\"", b"\"}"),
            Part::CallName | Part::CallArguments => (
                b"{\"type\":\"input_json_delta\",\"partial_json\":\"",
                b"\"}",
            ),
        };
        // The name has come with its block.
        if !saying.text.is_empty() && saying.part != Part::CallName {
            let index = format!(",\"index\":{},\"delta\":", self.index);
            let data = [index.as_bytes(), before, saying.text, behind];
            event(out, "content_block_delta", &data, framing);
        }
        if let Some(finish) = end.reason {
            self.close(out, framing);
            self.finish = Some(stop_reason(finish));
        }
        if end.usage.is_some() {
            self.tell_end(out, end.usage, framing);
        }
    }

    fn usage(&mut self, out: &mut Vec<u8>, usage: UsageCounts, framing: Framing) {
        self.tell_end(out, Some(usage), framing);
    }

    fn end(&mut self, out: &mut Vec<u8>, framing: Framing) {
        self.tell_end(out, None, framing);
        event(out, "message_stop", &[], framing);
    }

    fn error(&mut self, out: &mut Vec<u8>, framing: Framing) {
        let error =
            b",\"error\":{\"type\":\"overloaded_error\",\"message\":\"engine died on demand\"}";
        event(out, "error", &[error], framing);
    }

    fn whole(&self, said: Said<'_>, finish: &str, usage: Option<UsageCounts>) -> Vec<u8> {
        let (id, model) = (&self.id, &self.model);
        let mut body = Vec::with_capacity(said.text.len() + 512);
        put(
            &mut body,
            format_args!(
                "{{\"id\":\"msg_{id}\",\"type\":\"message\",\"role\":\"assistant\",\
                 \"model\":\"{model}\",\"content\":["
            ),
        );
        if let Some(thinking) = said.reasoning {
            body.extend_from_slice(b"{\"type\":\"thinking\",\"thinking\":\"");
            body.extend_from_slice(thinking);
            body.extend_from_slice(b"\",\"signature\":\"\"},");
        }
        match said.call {
            None => {
                body.extend_from_slice(b"{\"type\":\"text\",\"text\":\"");
                body.extend_from_slice(said.text);
                body.extend_from_slice(b"\"}");
            }
            Some(name) => {
                put(
                    &mut body,
                    format_args!("{{\"type\":\"tool_use\",\"id\":\"toolu_{id}\",\"name\":\""),
                );
                body.extend_from_slice(name);
                put(
                    &mut body,
                    format_args!("\",\"input\":{}}}", input(said.text)),
                );
            }
        }
        let reason = stop_reason(finish);
        let usage = usage.map(|usage| format!(",\"usage\":{}", usage_object(usage, true)));
        put(
            &mut body,
            format_args!(
                "],\"stop_reason\":\"{reason}\",\"stop_sequence\":null{}}}",
                usage.unwrap_or_default()
            ),
        );
        body
    }
}

/// Arguments as the object that they are, where they are one.
fn input(arguments: &[u8]) -> Value {
    let quoted = [b"\"", arguments, b"\""].concat();
    let text: Option<String> = serde_json::from_slice(&quoted).ok();
    let object = text.and_then(|text| serde_json::from_str(&text).ok());
    object.filter(Value::is_object).unwrap_or_else(|| json!({}))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naming() -> Naming<'static> {
        Naming {
            id: "7",
            created_s: 1,
            model: "m",
            reasoning_field: Default::default(),
            listed: Default::default(),
            scores: None,
        }
    }

    const USAGE: UsageCounts = UsageCounts {
        prompt: 10,
        completion: 3,
        cached: Some(4),
        reasoning: None,
        times: None,
    };

    fn names(out: &[u8]) -> Vec<String> {
        let text = std::str::from_utf8(out).expect("text");
        let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
        let kind = |data: &str| {
            let value: Value = serde_json::from_str(data).expect("JSON");
            value["type"].as_str().expect("a type").to_owned()
        };
        data.map(kind).collect()
    }

    #[test]
    fn an_answer_is_blocks_between_a_start_and_a_stop() {
        let mut voice = Messages.voice(naming());
        let mut out = Vec::new();
        let opening = Opening {
            at_once: Some(USAGE),
            with_each: None,
        };
        let saying = |part, text| Saying { part, text };
        let ends = End {
            reason: Some("length"),
            usage: None,
        };
        voice.role(&mut out, opening, Framing::Bare);
        voice.content(
            &mut out,
            saying(Part::Reasoning, b"a"),
            End::default(),
            Framing::Bare,
        );
        voice.content(&mut out, saying(Part::Content, b"b"), ends, Framing::Bare);
        voice.usage(&mut out, USAGE, Framing::Bare);
        voice.end(&mut out, Framing::Bare);
        assert_eq!(
            names(&out),
            [
                "message_start",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "content_block_start",
                "content_block_delta",
                "content_block_stop",
                "message_delta",
                "message_stop"
            ]
        );
        let text = String::from_utf8(out).expect("text");
        assert!(text.contains(r#""input_tokens":6"#) && text.contains(r#""output_tokens":3"#));
        assert!(text.contains(r#""stop_reason":"max_tokens""#));
    }

    #[test]
    fn bodies_are_read_as_those_of_chat() {
        let body = br#"{"model":"m","max_tokens":5,"stream":true,"system":"s",
            "messages":[{"role":"user","content":"u"}],
            "tools":[{"name":"t","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"}}"#;
        let read = Messages.body(body).expect("a body");
        let value: Value = serde_json::from_slice(&read).expect("JSON");
        assert_eq!(
            value["messages"][0],
            json!({"role": "system", "content": "s"})
        );
        assert_eq!(value["tools"][0]["function"]["name"], "t");
        assert_eq!(value["tool_choice"], "required");
        assert!(
            Messages.body(b"{\"messages\":[]}").is_err(),
            "a length is needed"
        );
    }
}
