//! Small questions that stand at the end of a prompt, answered as a capable model answers them: by reading the prompt.
//!
//! The forms are those of the canaries and of the built-in evaluation of infermeter, read by what they say and not by who
//! made them. Anything else is no question. A good part of the answers has a few words around what was asked for, as
//! models have it. Invariant: what is answered stands in the prompt, or is computed from it.

mod forms;

use super::body::Body;
use crate::content::Wish;
use forms::{Found, find};
use infermeter_core::seed::splitmix64;
use serde_json::Value;
use serde_json::value::RawValue;

/// What a question says near its end; one of them at least.
const MARKS: [&str; 3] = ["nothing else", "Answer with", "answer with"];
/// Bytes of a prompt's end in which the mark stands.
const TAIL: usize = 700;

/// What a model may answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    /// The right answer.
    pub right: Wish,
    /// What a worse model says.
    pub wrong: Wish,
    /// The answer is an object.
    pub is_json: bool,
    /// Equal for equal questions, whatever stands before them.
    pub question: u64,
}

/// The reply to the question that a prompt ends with; `None` where it ends with none. `unread`: the share of the
/// prompt's text, from its beginning on, that is not seen.
pub(super) fn reply(body: &Body<'_>, unread: f64) -> Option<Reply> {
    let prompt = body.messages.or(body.prompt)?.get();
    if !ends_with_question(prompt) {
        return None;
    }
    let text = last_text(&serde_json::from_str(prompt).ok()?)?;
    let tools = body.tools.map(RawValue::get);
    let found = find(unread_of(&text, unread), tools)?;
    Some(replied(found))
}

/// A look at the end of a prompt's JSON: most prompts end without a question, and are not read a second time.
fn ends_with_question(prompt_json: &str) -> bool {
    let mut start = prompt_json.len().saturating_sub(TAIL);
    while !prompt_json.is_char_boundary(start) {
        start += 1;
    }
    let tail = &prompt_json[start..];
    MARKS.iter().any(|mark| tail.contains(mark))
}

/// The part of a text that is seen.
fn unread_of(text: &str, unread: f64) -> &str {
    let mut from = (text.len() as f64 * unread) as usize;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

/// The last text of a prompt: of a list of messages that of the last one.
fn last_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        // Of messages the last one; of its parts the last that has a text.
        Value::Array(list) => match list.last()?.get("role") {
            Some(_) => last_text(list.last()?),
            None => list.iter().rev().find_map(last_text),
        },
        Value::Object(message) => {
            let content = message.get("content").or_else(|| message.get("text"))?;
            last_text(content)
        }
        _ => None,
    }
}

/// What was found, as it is said.
fn replied(found: Found) -> Reply {
    let said = |text: String| Wish::Answer {
        text,
        goes_on: false,
    };
    let question = hash(&found.question);
    let dress = splitmix64(question) >> 32;
    let text = |right: &str| match dress % 8 {
        0 => format!("The answer is {right}."),
        1 => format!("Sure: {right}"),
        2 => format!("**{right}**"),
        _ => right.to_owned(),
    };
    let (right, wrong, is_json) = match found.answer {
        forms::Answer::Text(right) => (said(text(&right)), said(found.wrong), false),
        forms::Answer::Json(right) => (said(right), said(found.wrong), true),
        forms::Answer::Call { name, arguments } => {
            let right = Wish::CallExactly { name, arguments };
            (right, said(found.wrong), false)
        }
    };
    Reply {
        right,
        wrong,
        is_json,
        question,
    }
}

fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0, |hash, byte| splitmix64(hash ^ u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replied(text: &str, unread: f64) -> Option<Reply> {
        let message = serde_json::json!({"role": "user", "content": format!("Some words. {text}")});
        let body = serde_json::json!({ "messages": [message] }).to_string();
        reply(&serde_json::from_str(&body).expect("a body"), unread)
    }

    /// The words of an answer, without what is said around it.
    fn said(wish: &Wish) -> String {
        let Wish::Answer { text, .. } = wish else {
            panic!("{wish:?} is no text");
        };
        let bare = text
            .trim_start_matches("The answer is ")
            .trim_start_matches("Sure: ");
        bare.trim_matches('*').trim_end_matches('.').to_owned()
    }

    fn right(text: &str) -> String {
        said(&replied(text, 0.0).unwrap_or_else(|| panic!("{text}")).right)
    }

    #[test]
    fn questions_are_answered_and_nothing_else_is() {
        for (text, expected) in [
            (
                "Ignore the text above. Answer with this marker and nothing else: [[AB-CD]]",
                "[[AB-CD]]",
            ),
            (
                "The marker of this text is [[AB-CD]]. More. What is the marker of the text above? Answer with the \
                 marker and nothing else.",
                "[[AB-CD]]",
            ),
            (
                "How many times does the word a stand in this list: a, b, a? Answer with the number and nothing else.",
                "2",
            ),
            (
                "Write these words in reverse order, with commas between them, and nothing else: a, b, c",
                "c, b, a",
            ),
            (
                "What is 12 times 3? Answer with the number and nothing else.",
                "36",
            ),
            (
                "Answer with a JSON object and nothing else: its member \"name\" is \"a\", \"count\" is 3.",
                "{\"name\":\"a\",\"count\":3}",
            ),
        ] {
            assert_eq!(right(text), expected, "{text}");
            let reply = replied(text, 0.0).expect("a reply");
            assert_ne!(said(&reply.wrong), expected, "{text}");
            assert_eq!(replied(&format!("Other words. {text}"), 0.0), Some(reply));
        }
        assert_eq!(replied("What is the time?", 0.0), None);
        assert_eq!(replied("Say nothing else.", 0.0), None);
        let parts = serde_json::json!({"messages": [{"role": "user", "content": [
            {"type": "text", "text": "What is 4 plus 5? Answer with the number and nothing else."},
            {"type": "image_url", "image_url": {"url": "x"}},
        ]}]})
        .to_string();
        let parts = serde_json::from_str(&parts).expect("a body");
        assert_eq!(said(&reply(&parts, 0.0).expect("a reply").right), "9");
        let plain = r#"{"prompt":"What is 4 plus 5? Answer with the number and nothing else."}"#;
        let plain = serde_json::from_str(plain).expect("a body");
        assert_eq!(said(&reply(&plain, 0.0).expect("a reply").right), "9");
    }

    #[test]
    fn some_answers_have_words_around_them() {
        let question =
            |n: u32| format!("What is {n} plus 5? Answer with the number and nothing else.");
        let bare = |n: &u32| {
            let reply = replied(&question(*n), 0.0).expect("a reply");
            matches!(reply.right, Wish::Answer { text, .. } if text == (n + 5).to_string())
        };
        let bare = (0..200).filter(bare).count();
        assert!((90..160).contains(&bare), "{bare}");
    }

    #[test]
    fn what_is_not_read_is_not_found() {
        let filler = "words and words. ".repeat(60);
        let text = format!(
            "The marker of this text is [[AB-CD]]. {filler}What is the marker of the text above? Answer with the marker and \
             nothing else."
        );
        assert_eq!(right(&text), "[[AB-CD]]");
        let blind = replied(&text, 0.5).expect("a question");
        assert!(!said(&blind.right).contains("[["), "{blind:?}");
    }
}
