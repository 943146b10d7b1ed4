//! Definitions of tools: those of a file, or as many made-up ones as asked for.
//!
//! Invariant: each definition is a function with a name; a choice names one of them.

use super::{KindsError, ToolsAsked, json_file, member};
use infermeter_core::request::BodyMember;
use infermeter_core::text::{closest, inert};
use serde_json::{Value, json};
use std::path::Path;

/// Most made-up tools.
const MAX_TOOLS: usize = 128;

/// What made-up tools do, and to what.
const ACTIONS: [&str; 8] = [
    "get",
    "find",
    "list",
    "create",
    "update",
    "compare",
    "summarize",
    "schedule",
];
const OBJECTS: [&str; 16] = [
    "weather", "order", "invoice", "ticket", "flight", "document", "customer", "meeting", "route",
    "product", "payment", "message", "report", "article", "sensor", "task",
];

/// `tools`, and `tool_choice` where one is asked for.
pub(super) fn members(asked: &ToolsAsked) -> Result<Vec<BodyMember>, KindsError> {
    let what = &asked.what;
    let tools = match what.trim().parse::<usize>() {
        Ok(count @ 1..=MAX_TOOLS) => made(count),
        Ok(_) => {
            let needed = format!("a number from 1 to {MAX_TOOLS}, or a file, is needed");
            return Err(KindsError::Tools(needed));
        }
        Err(_) => read(Path::new(what))?,
    };
    let mut members = vec![member("tools", &tools)];
    if let Some(choice) = &asked.choice {
        members.push(member("tool_choice", &chosen(choice, &tools)?));
    }
    Ok(members)
}

fn read(path: &Path) -> Result<Value, KindsError> {
    let tools = json_file("--tools", path)?;
    let named = |tool: &Value| tool.pointer("/function/name").is_some_and(Value::is_string);
    match tools.as_array() {
        Some(list) if !list.is_empty() && list.iter().all(named) => Ok(tools),
        _ => Err(KindsError::holds(
            "--tools",
            path,
            "no list of tools: write [{\"type\": \"function\", \"function\": {\"name\": ..., \
             \"parameters\": {...}}}]",
        )),
    }
}

/// `count` functions with different names, each with a few parameters.
fn made(count: usize) -> Value {
    let tool = |i: usize| {
        let action = ACTIONS[i % ACTIONS.len()];
        // Each action meets each object once.
        let object = OBJECTS[(i + i / ACTIONS.len()) % OBJECTS.len()];
        json!({"type": "function", "function": {
            "name": format!("{action}_{object}_{i}"),
            "description": format!("{action} a {object} by its name, with an optional limit."),
            "parameters": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": format!("Name of the {object}.")},
                    "limit": {"type": "integer", "minimum": 1, "maximum": 100},
                    "detail": {"type": "string", "enum": ["short", "full"]},
                },
                "required": ["name"],
            },
        }})
    };
    (0..count).map(tool).collect()
}

fn chosen(choice: &str, tools: &Value) -> Result<Value, KindsError> {
    if matches!(choice, "auto" | "required" | "none") {
        return Ok(choice.into());
    }
    let list = tools.as_array().into_iter().flatten();
    let names: Vec<&str> = list
        .filter_map(|tool| tool.pointer("/function/name")?.as_str())
        .collect();
    if names.contains(&choice) {
        return Ok(json!({"type": "function", "function": {"name": choice}}));
    }
    let known = names.into_iter().chain(["auto", "required", "none"]);
    let near = closest(choice, known);
    let near = near.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    let choice = inert(choice, 80);
    Err(KindsError::ToolChoice(format!(
        "`{choice}` is not one of auto, required, none, and no tool of --tools{near}"
    )))
}
