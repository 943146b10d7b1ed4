//! One request of a load, asked with nothing else in flight; its answer in one piece.
//!
//! It judges nothing. Invariant: texts are those of the answer's own members, whatever else the server puts beside them.

use crate::features::in_band_error;
use crate::target::{Control, said};
use infermeter_client::encode::RequestEncoder;
use infermeter_core::request::{RequestContent, RequestSpec};
use infermeter_core::text::inert;
use serde_json::Value;

/// An answer that was asked for alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AloneAnswer {
    /// The visible text.
    pub content: String,
    /// What was thought before.
    pub reasoning: String,
    /// For each call of a tool its name and its arguments.
    pub calls: String,
    /// How it ended.
    pub finish: Option<String>,
    /// Output tokens by usage.
    pub output_tokens: Option<u32>,
    /// All of it, as the server wrote it.
    pub whole: Value,
    /// From the request to the last byte, nanoseconds by the program's clock.
    pub e2e_ns: i64,
}

impl Control {
    /// Asks for the answer to one request; `encoder` writes requests for answers in one piece.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn alone(
        &mut self,
        encoder: &RequestEncoder,
        spec: &RequestSpec,
        content: &RequestContent,
    ) -> Result<AloneAnswer, String> {
        let request = encoder.encode(&self.next_id(), spec, content);
        let answer = self.send(&request, "POST", "question asked alone");
        let answer = answer.map_err(|error| inert(&error.to_string(), 300))?;
        if answer.head.status != 200 {
            return Err(format!("status {}: {}", answer.head.status, said(&answer)));
        }
        if let Some(problem) = in_band_error(&answer) {
            return Err(format!("error: {problem}"));
        }
        let value: Value = serde_json::from_slice(&answer.body)
            .map_err(|_| "the answer is not JSON".to_owned())?;
        let last = answer.reads.last().map_or(answer.sent_ns, |(at, _)| *at);
        Ok(AloneAnswer {
            e2e_ns: last - answer.sent_ns,
            ..read(&value)
        })
        .map(|read| AloneAnswer {
            whole: value,
            ..read
        })
    }
}

/// The texts of an answer in one piece, of any API that generates.
fn read(value: &Value) -> AloneAnswer {
    let text = |places: &[&str]| {
        let found = places
            .iter()
            .find_map(|place| value.pointer(place)?.as_str());
        found.map(str::to_owned)
    };
    let number = |places: &[&str]| {
        let found = places
            .iter()
            .find_map(|place| value.pointer(place)?.as_u64());
        found.and_then(|n| u32::try_from(n).ok())
    };
    let mut answer = AloneAnswer {
        content: text(&["/choices/0/message/content", "/choices/0/text"]).unwrap_or_default(),
        reasoning: text(&[
            "/choices/0/message/reasoning_content",
            "/choices/0/message/reasoning",
        ])
        .unwrap_or_default(),
        calls: String::new(),
        finish: text(&["/choices/0/finish_reason", "/stop_reason", "/status"]),
        output_tokens: number(&["/usage/completion_tokens", "/usage/output_tokens"]),
        whole: Value::Null,
        e2e_ns: 0,
    };
    for call in listed(value, "/choices/0/message/tool_calls") {
        let part = |place: &str| {
            call.pointer(place)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        answer.calls.push_str(part("/function/name"));
        answer.calls.push_str(part("/function/arguments"));
    }
    // Messages: a list of blocks.
    for block in listed(value, "/content") {
        add_block(&mut answer, block);
    }
    // Responses: a list of items, messages with a list of parts among them.
    for item in listed(value, "/output") {
        listed(item, "/content").for_each(|part| add_block(&mut answer, part));
    }
    answer
}

fn listed<'a>(value: &'a Value, place: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(place)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn add_block(answer: &mut AloneAnswer, block: &Value) {
    let member = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default();
    match member("type") {
        "text" | "output_text" => answer.content.push_str(member("text")),
        "thinking" | "reasoning_text" => {
            answer.reasoning.push_str(member("thinking"));
            answer.reasoning.push_str(member("text"));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_read_from_every_api() {
        let chat = json!({"choices": [{"message": {"content": "42", "reasoning_content": "6 times 7",
            "tool_calls": [{"function": {"name": "f", "arguments": "{\"a\":1}"}}]}, "finish_reason": "stop"}],
            "usage": {"completion_tokens": 3}});
        let answer = read(&chat);
        assert_eq!(
            (answer.content.as_str(), answer.reasoning.as_str()),
            ("42", "6 times 7")
        );
        assert_eq!(answer.calls, "f{\"a\":1}");
        assert_eq!(
            (answer.finish.as_deref(), answer.output_tokens),
            (Some("stop"), Some(3))
        );
        let completion = json!({"choices": [{"text": " 42", "finish_reason": "length"}]});
        assert_eq!(read(&completion).content, " 42");
        let messages = json!({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "42"}],
            "stop_reason": "end_turn", "usage": {"output_tokens": 2}});
        assert_eq!(read(&messages).content, "42");
        assert_eq!(read(&messages).finish.as_deref(), Some("end_turn"));
        let responses = json!({"status": "completed", "output": [{"type": "message", "content":
            [{"type": "output_text", "text": "42"}]}]});
        assert_eq!(read(&responses).content, "42");
        assert_eq!(read(&json!({"content": null})), AloneAnswer::default());
    }
}
