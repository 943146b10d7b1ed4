//! What a request wants its answer to be: tools and output formats, read and checked.
//!
//! `response_format`, vLLM's `structured_outputs` and its older `guided_json` and `guided_choice`
//! are heeded. A regular expression or a grammar is accepted and answered with words.

use super::body::Body;
use crate::content::{ContentParams, Wish};
use crate::length::open_unit;
use crate::refusal::Refusal;
use infermeter_core::seed::splitmix64;
use infermeter_core::text::inert;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Tool {
    function: Option<Function>,
}

#[derive(Deserialize)]
struct Function {
    name: String,
    #[serde(default)]
    parameters: Option<Value>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum NamedChoice {
    Function { function: Named },
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseFormat {
    r#type: String,
    json_schema: Option<JsonSchema>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct JsonSchema {
    schema: Option<Value>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Structured {
    json: Option<Value>,
    choice: Option<Vec<String>>,
    json_object: Option<bool>,
}

/// Which tool is called.
enum Choice {
    Free,
    None,
    Required,
    Named(String),
}

/// Longest definition of tools or of a format, bytes.
const MAX_DEFINITION: usize = 1 << 20;

fn read<'de, T: Deserialize<'de>>(name: &str, raw: &'de RawValue) -> Result<T, Refusal> {
    if raw.get().len() > MAX_DEFINITION {
        return Err(Refusal::bad_request(format!(
            "{name}: longer than {MAX_DEFINITION} bytes"
        )));
    }
    serde_json::from_str(raw.get())
        .map_err(|error| Refusal::bad_request(format!("{name}: {error}")))
}

/// The wish of a chat. `after_tool`: the last message is a tool's result, to be answered in words
/// unless a call is asked for.
pub(super) fn of_chat(
    body: &Body<'_>,
    params: &ContentParams,
    key: u64,
    after_tool: bool,
) -> Result<Wish, Refusal> {
    let calls = match choice(body)? {
        Choice::None => None,
        Choice::Free if after_tool || !draws_call(params, key) => None,
        Choice::Free | Choice::Required => called(body, None, key)?,
        Choice::Named(name) => called(body, Some(&name), key)?,
    };
    calls.map_or_else(|| of_format(body, key), Ok)
}

fn draws_call(params: &ContentParams, key: u64) -> bool {
    open_unit(splitmix64(key ^ 0x746f_6f6c)) <= params.tool_call_share
}

fn choice(body: &Body<'_>) -> Result<Choice, Refusal> {
    let Some(raw) = body.tool_choice else {
        return Ok(match body.tools {
            Some(_) => Choice::Free,
            None => Choice::None,
        });
    };
    let choice = match read::<Value>("tool_choice", raw)?.as_str() {
        Some("none") => return Ok(Choice::None),
        Some("auto") => Choice::Free,
        Some("required") => Choice::Required,
        Some(other) => {
            return Err(Refusal::bad_request(format!(
                "tool_choice: `{}` is not one of none, auto, required, and no function",
                inert(other, 80)
            )));
        }
        None => match read("tool_choice", raw)? {
            NamedChoice::Function { function } => Choice::Named(function.name),
        },
    };
    if body.tools.is_none() {
        return Err(Refusal::bad_request(
            "When using `tool_choice`, `tools` must be set.",
        ));
    }
    Ok(choice)
}

fn called(body: &Body<'_>, wanted: Option<&str>, key: u64) -> Result<Option<Wish>, Refusal> {
    let tools: Vec<Tool> = match body.tools {
        Some(raw) => read("tools", raw)?,
        None => Vec::new(),
    };
    let mut functions: Vec<Function> = tools.into_iter().filter_map(|t| t.function).collect();
    let place = match wanted {
        Some(name) => functions.iter().position(|f| f.name == name).ok_or_else(|| {
            Refusal::bad_request(format!(
                "The tool specified in `tool_choice` does not match any of the specified `tools`: \
                 `{}`",
                inert(name, 80)
            ))
        })?,
        None if functions.is_empty() => return Ok(None),
        None => (splitmix64(key) % functions.len() as u64) as usize,
    };
    let function = functions.swap_remove(place);
    Ok(Some(Wish::Call {
        name: function.name,
        schema: function.parameters,
    }))
}

/// The wish of a request without tools.
pub(super) fn of_format(body: &Body<'_>, key: u64) -> Result<Wish, Refusal> {
    if let Some(raw) = body.structured_outputs {
        return of_structured(read("structured_outputs", raw)?, key);
    }
    let guided = Structured {
        json: body
            .guided_json
            .map(|raw| read("guided_json", raw))
            .transpose()?,
        choice: body
            .guided_choice
            .map(|raw| read("guided_choice", raw))
            .transpose()?,
        json_object: None,
    };
    if guided.json.is_some() || guided.choice.is_some() {
        return of_structured(guided, key);
    }
    let Some(raw) = body.response_format else {
        return Ok(Wish::Words);
    };
    let format: ResponseFormat = read("response_format", raw)?;
    Ok(match format.r#type.as_str() {
        "json_object" => Wish::Json(None),
        "json_schema" => Wish::Json(format.json_schema.and_then(|json| json.schema)),
        _ => Wish::Words,
    })
}

fn of_structured(wanted: Structured, key: u64) -> Result<Wish, Refusal> {
    if let Some(mut choices) = wanted.choice {
        if choices.is_empty() {
            return Err(Refusal::bad_request("choice: an empty list"));
        }
        let place = (splitmix64(key) % choices.len() as u64) as usize;
        return Ok(Wish::Exactly(choices.swap_remove(place)));
    }
    Ok(match wanted.json {
        // A schema may come as JSON text.
        Some(Value::String(text)) => {
            Wish::Json(Some(serde_json::from_str(&text).map_err(|error| {
                Refusal::bad_request(format!("json schema: {error}"))
            })?))
        }
        Some(schema) => Wish::Json(Some(schema)),
        None if wanted.json_object == Some(true) => Wish::Json(None),
        None => Wish::Words,
    })
}
