//! Rows of JSON lines.
//!
//! Every member is known, or the row is refused with what was probably meant. Invariant: each message names the line and
//! what to write, and nothing of the file's text that is not inert.

use super::{ANSWER_TOKENS, EvalError, Expected, Row, regex};
use crate::form::Form;
use infermeter_core::request::{Message, Role};
use infermeter_core::text::{inert, not_one_of};
use serde_json::{Map, Value};

/// Bytes of a file at most.
const MOST_BYTES: usize = 64 << 20;
/// Rows of a file at most.
const MOST_ROWS: usize = 100_000;
/// Bytes of a row at most: questions are made as fast as prompts.
const MOST_ROW_BYTES: usize = 1 << 20;
/// Bytes of a regular expression at most.
const MOST_PATTERN: usize = 4_096;
/// Messages of a row at most.
const MOST_MESSAGES: usize = 200;
/// Output tokens of an answer at most.
const MOST_TOKENS: u64 = 1 << 20;

const MEMBERS: [&str; 7] = [
    "prompt",
    "messages",
    "answer",
    "kind",
    "id",
    "max_tokens",
    "tolerance",
];
const KINDS: [&str; 5] = ["exact", "number", "choice", "regex", "json-schema"];
const ROLES: [&str; 4] = ["system", "developer", "user", "assistant"];

/// All rows of a file.
pub(super) fn rows(bytes: &[u8]) -> Result<Vec<Row>, EvalError> {
    if bytes.len() > MOST_BYTES {
        return Err(EvalError::TooMuch("64 MiB"));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut rows = Vec::new();
    for (place, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if rows.len() == MOST_ROWS {
            return Err(EvalError::TooMuch("100,000 rows"));
        }
        let row = row(line).map_err(|problem| EvalError::Line {
            line: place as u64 + 1,
            problem,
        })?;
        rows.push(row);
    }
    match rows.is_empty() {
        true => Err(EvalError::Empty),
        false => Ok(rows),
    }
}

fn row(line: &[u8]) -> Result<Row, String> {
    if line.len() > MOST_ROW_BYTES {
        return Err("a row has 1 MiB at most".to_owned());
    }
    let text = std::str::from_utf8(line).map_err(|_| "it is not UTF-8".to_owned())?;
    let members: Map<String, Value> = serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON object: {}", inert(&error.to_string(), 200)))?;
    for name in members.keys() {
        if !MEMBERS.contains(&name.as_str()) {
            return Err(format!("the member {}", not_one_of(name, &MEMBERS)));
        }
    }
    let messages = match (members.get("prompt"), members.get("messages")) {
        (Some(prompt), None) => vec![Message::new(Role::User, text_of("prompt", prompt)?)],
        (None, Some(messages)) => read_messages(messages)?,
        (Some(_), Some(_)) => {
            return Err("it has both `prompt` and `messages`: leave one away".to_owned());
        }
        (None, None) => {
            return Err("it has no `prompt` and no `messages`: write what is asked".to_owned());
        }
    };
    Ok(Row {
        id: members.get("id").map(id_of).transpose()?,
        max_tokens: members
            .get("max_tokens")
            .map_or(Ok(ANSWER_TOKENS), tokens_of)?,
        messages,
        expected: expected(&members)?,
    })
}

fn expected(members: &Map<String, Value>) -> Result<Expected, String> {
    let kind = members
        .get("kind")
        .ok_or_else(|| format!("it has no `kind`: write one of {}", KINDS.join(", ")))?;
    let kind = kind
        .as_str()
        .ok_or_else(|| format!("its `kind` is no text: write one of {}", KINDS.join(", ")))?;
    let answer = members.get("answer").ok_or("it has no `answer`")?;
    let tolerance = members.get("tolerance");
    if tolerance.is_some() && kind != "number" {
        return Err("`tolerance` belongs to the kind `number` alone".to_owned());
    }
    match kind {
        "exact" => exact(answer),
        "number" => number(answer, tolerance),
        "choice" => choice(answer),
        "regex" => pattern(answer),
        "json-schema" if answer.is_object() => Form::schema(answer)
            .map(Expected::Schema)
            .map_err(|error| inert(&error.to_string(), 400)),
        "json-schema" => Err(
            "its `answer` is no object: write the JSON Schema that the answer has to meet"
                .to_owned(),
        ),
        other => Err(format!("its `kind` {}", not_one_of(other, &KINDS))),
    }
}

fn exact(answer: &Value) -> Result<Expected, String> {
    let one = |value: &Value| match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => {
            Err("its `answer` is no text: write one, or a list of those that are right".to_owned())
        }
    };
    match answer {
        Value::Array(all) if !all.is_empty() => all
            .iter()
            .map(one)
            .collect::<Result<_, _>>()
            .map(Expected::Exact),
        _ => one(answer).map(|text| Expected::Exact(vec![text])),
    }
}

fn number(answer: &Value, tolerance: Option<&Value>) -> Result<Expected, String> {
    let value = match answer {
        Value::String(text) => text.trim().replace([',', '_'], "").parse().ok(),
        other => other.as_f64(),
    };
    let value = value.filter(|value: &f64| value.is_finite());
    let value = value.ok_or("its `answer` is no number: write it as in 42 or \"1,234.5\"")?;
    let tolerance = tolerance.map_or(Some(0.0), Value::as_f64);
    let tolerance = tolerance.filter(|tolerance| tolerance.is_finite() && *tolerance >= 0.0);
    let tolerance = tolerance.ok_or("its `tolerance` is no number from 0 on")?;
    Ok(Expected::Number { value, tolerance })
}

fn choice(answer: &Value) -> Result<Expected, String> {
    let bare = answer
        .as_str()
        .map(|text| text.trim_matches(|c: char| !c.is_alphanumeric()));
    let letter = bare.and_then(|bare| match bare.as_bytes() {
        [letter] if letter.is_ascii_alphabetic() => Some(char::from(letter.to_ascii_uppercase())),
        _ => None,
    });
    let letter =
        letter.ok_or("its `answer` is no letter: write the one that is right, as in \"B\"")?;
    Ok(Expected::Choice(letter))
}

fn pattern(answer: &Value) -> Result<Expected, String> {
    let pattern = answer.as_str().filter(|pattern| !pattern.is_empty());
    let pattern = pattern.ok_or("its `answer` is no text: write a regular expression")?;
    if pattern.len() > MOST_PATTERN {
        return Err(format!(
            "a regular expression has {MOST_PATTERN} bytes at most"
        ));
    }
    let regex = regex(pattern);
    regex.map(Expected::Regex).map_err(|error| {
        format!(
            "its `answer` is no regular expression: {}",
            inert(&error, 300)
        )
    })
}

fn read_messages(value: &Value) -> Result<Vec<Message>, String> {
    let list = value.as_array().filter(|list| !list.is_empty());
    let list = list.ok_or("its `messages` are no list of {\"role\": ..., \"content\": ...}")?;
    if list.len() > MOST_MESSAGES {
        return Err(format!("a row has {MOST_MESSAGES} messages at most"));
    }
    let messages = list.iter().map(message).collect::<Result<Vec<_>, _>>()?;
    match messages.last().map(|message| message.role) {
        Some(Role::User) => Ok(messages),
        _ => Err("its last message is not the user's".to_owned()),
    }
}

fn message(value: &Value) -> Result<Message, String> {
    let role = value.get("role").and_then(Value::as_str);
    let role = role.ok_or("a message has no `role`")?;
    let role = match role {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        other => return Err(format!("the role {}", not_one_of(other, &ROLES))),
    };
    let mut members = value.as_object().into_iter().flat_map(Map::keys);
    if let Some(name) = members.find(|name| !matches!(name.as_str(), "role" | "content")) {
        return Err(format!(
            "the member {} of a message",
            not_one_of(name, &["role", "content"])
        ));
    }
    let content = value.get("content").ok_or("a message has no `content`")?;
    Ok(Message::new(role, text_of("content", content)?))
}

fn text_of(name: &str, value: &Value) -> Result<String, String> {
    let text = value
        .as_str()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    text.map(str::to_owned)
        .ok_or_else(|| format!("its `{name}` is no text, or an empty one"))
}

fn id_of(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(inert(text, 200)),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err("its `id` is no text and no number".to_owned()),
    }
}

fn tokens_of(value: &Value) -> Result<u32, String> {
    let tokens = value
        .as_u64()
        .filter(|tokens| (1..=MOST_TOKENS).contains(tokens));
    let tokens = tokens.and_then(|tokens| u32::try_from(tokens).ok());
    tokens.ok_or_else(|| format!("its `max_tokens` is no whole number from 1 to {MOST_TOKENS}"))
}
