//! Answers that were to be JSON, or to call tools.
//!
//! Does not repair: JSON in a fence of code is none, and neither is JSON with words around it. Invariant: an answer that was
//! cut is not blamed for its missing end, and what is too large or too deep to be read is not judged.

use crate::form::{Form, Shape, Tool};
use crate::said::{Asked, Said};
use infermeter_core::answer::{Doubt, Doubts};
use serde_json::Value;

/// More JSON is not read, bytes: in memory it takes some thirty times as much.
const MOST_JSON: usize = 1 << 20;
/// Brackets within brackets: the parser gives up behind them.
const DEEPEST: usize = 120;
/// More calls of one answer are not read.
const MOST_CALLS: usize = 1_024;
/// Bytes within which the name of a tool ends.
const LONGEST_NAME: usize = 512;

pub(super) fn check(form: &Form, asked: &Asked<'_>, said: &Said<'_>) -> Doubts {
    let mut doubts = Doubts::default();
    if let Some(tools) = &form.tools {
        let most = if asked.forced_length { 1 } else { MOST_CALLS };
        doubts = calls(said, tools, most);
    }
    // A call is an answer of another kind.
    let speaks = said.calls.trim().is_empty() && !said.content.trim().is_empty();
    match &form.text {
        Some(shape) if speaks => doubts.union(json(asked, said, shape)),
        _ => doubts,
    }
}

fn json(asked: &Asked<'_>, said: &Said<'_>, shape: &Shape) -> Doubts {
    if said.content.len() > MOST_JSON {
        return Doubts::from_iter([Doubt::NotJudgedPart]);
    }
    let mut values = serde_json::Deserializer::from_str(said.content).into_iter::<Value>();
    let value = values.next();
    let behind = said.content.get(values.byte_offset()..).unwrap_or_default();
    // What comes behind the value is the measuring tool's doing where a length was forced.
    let ends = asked.forced_length || behind.trim().is_empty();
    let found = match value {
        Some(Ok(value)) if ends => (!shape.allows(&value)).then_some(Doubt::SchemaBroken),
        Some(Err(error)) if error.is_eof() && said.is_cut() => None,
        Some(Err(_)) if is_deep(said.content) => Some(Doubt::NotJudgedPart),
        _ => Some(Doubt::NotJson),
    };
    found.into_iter().collect()
}

/// Its brackets are nested deeper than is read.
fn is_deep(text: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
    }
    false
}

fn calls(said: &Said<'_>, tools: &[Tool], most: usize) -> Doubts {
    let mut doubts = Doubts::default();
    let mut rest = said.calls.trim();
    if rest.len() > MOST_JSON {
        return Doubts::from_iter([Doubt::NotJudgedPart]);
    }
    for _ in 0..most {
        if rest.is_empty() {
            break;
        }
        let (name, behind) = split_name(rest, tools);
        let tool = tool_of(name, tools);
        if tool.is_none() && !name.is_empty() {
            doubts.insert(Doubt::ToolUnknown);
        }
        let Some((arguments, next)) = arguments(behind) else {
            // What comes behind cannot be told apart any more.
            if !said.is_cut() {
                doubts.insert(Doubt::ToolArguments);
            }
            break;
        };
        if tool.is_some_and(|tool| !arguments.is_object() || !tool.arguments.allows(&arguments)) {
            doubts.insert(Doubt::ToolArguments);
        }
        rest = next;
    }
    doubts
}

/// The name that calls begin with: up to its arguments. A tool without any may be followed by the next one at once.
fn split_name<'a>(rest: &'a str, tools: &[Tool]) -> (&'a str, &'a str) {
    let within = &rest.as_bytes()[..rest.len().min(LONGEST_NAME)];
    let opens = within.iter().position(|byte| matches!(byte, b'{' | b'['));
    let end = opens.unwrap_or(rest.len());
    let whole = rest[..end].trim();
    let begins = |tool: &&Tool| !tool.name.is_empty() && whole.starts_with(tool.name.as_str());
    let known = tools
        .iter()
        .filter(begins)
        .max_by_key(|tool| tool.name.len());
    let follows = |tool: &&Tool| {
        let behind = &whole[tool.name.len()..];
        tools
            .iter()
            .any(|next| !next.name.is_empty() && behind.starts_with(next.name.as_str()))
    };
    match known.filter(follows) {
        Some(tool) => rest.split_at(tool.name.len()),
        None => (whole, &rest[end..]),
    }
}

/// The tool of a name; where the API does not say names, the only one there is.
fn tool_of<'a>(name: &str, tools: &'a [Tool]) -> Option<&'a Tool> {
    match (name, tools) {
        ("", [only]) => Some(only),
        _ => tools.iter().find(|tool| tool.name == name),
    }
}

/// The arguments that a text begins with, and what comes behind them; without any they are an empty object. `None` where
/// they are not JSON.
fn arguments(text: &str) -> Option<(Value, &str)> {
    if !text.starts_with(['{', '[']) {
        return Some((Value::Object(serde_json::Map::new()), text));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let arguments = values.next()?.ok()?;
    Some((arguments, text.get(values.byte_offset()..)?.trim_start()))
}
