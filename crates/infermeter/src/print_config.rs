//! `--print-config`: the plan as a TOML file, with the origin of each value.

use crate::commands::compare::sides::{Side, is_common};
use crate::layers::Resolved;
use crate::values;
use infermeter_core::key::Keyed;
use infermeter_core::text::inert;
use infermeter_session::redact::redact;
use serde_json::{Map, Value};

/// The resolved plan as TOML; absent values are comments. Secrets are hidden.
pub fn print_config(resolved: &Resolved) -> String {
    let plan = redact(&resolved.plan);
    let Ok(Value::Object(map)) = serde_json::to_value(&plan) else {
        return String::new();
    };
    let mut text = String::new();
    let lines: Vec<(String, String)> = map
        .iter()
        .map(|(key, value)| {
            let origin = resolved
                .origins
                .get(key)
                .map_or_else(String::new, ToString::to_string);
            let line = match value {
                Value::Null => format!("# {key} is not set"),
                value => format!("{key} = {}", toml_value(value)),
            };
            (line, origin)
        })
        .collect();
    let width = lines
        .iter()
        .map(|(line, _)| line.len())
        .max()
        .unwrap_or(0)
        .min(48);
    for (line, origin) in lines {
        text.push_str(&format!("{line:width$}  # {origin}\n"));
    }
    text
}

/// What is said of one side stands in the side's table.
const SIDE: &str = "side";

/// The flags of a protocol that a plan file does not hold, as comments below it.
pub(crate) fn of_flags<T: Keyed>(command: &str, flags: &T) -> String {
    let values = values::map_of(flags);
    let defaults = values::defaults::<T>();
    let mut text = format!("\n# What a plan file does not hold, as flags of {command}:\n");
    for key in T::KEYS.iter().filter(|key| key.name != SIDE) {
        let value = values.get(key.name).unwrap_or(&Value::Null);
        let origin = match defaults.get(key.name) == Some(value) {
            true => "  # default",
            false => "",
        };
        for written in written(value) {
            text.push_str(format!("#   --{}{written}{origin}", key.name).trim_end());
            text.push('\n');
        }
    }
    text
}

/// A value as it stands behind its flag, once for each of several; of what is absent or off nothing.
fn written(value: &Value) -> Vec<String> {
    match value {
        Value::Null | Value::Bool(false) => Vec::new(),
        Value::Bool(true) => vec![String::new()],
        Value::Array(all) => all.iter().flat_map(written).collect(),
        Value::String(text) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "._:/=+,-%@".contains(c);
            match text.chars().all(plain) {
                true => vec![format!(" {text}")],
                false => vec![format!(" '{}'", inert(text, 400).replace('\'', "'\\''"))],
            }
        }
        other => vec![format!(" {other}")],
    }
}

/// The tables of sides: their names, and what is not the same for all of them.
pub(crate) fn of_sides(sides: &[Side]) -> String {
    let plans: Vec<Map<String, Value>> = sides
        .iter()
        .map(|side| values::map_of(&redact(&side.plan)))
        .collect();
    let mut text = String::new();
    for (side, plan) in sides.iter().zip(&plans) {
        let own = plan.iter().filter(|(key, value)| {
            let differs = plans
                .iter()
                .any(|other| other.get(key.as_str()) != Some(value));
            *key == "target" || (differs && !is_common(key))
        });
        text.push_str(&format!(
            "\n[[side]]\nname = {}\n",
            Value::from(side.name.as_str())
        ));
        for (key, value) in own.filter(|(_, value)| !value.is_null()) {
            text.push_str(&format!("{key} = {}\n", toml_value(value)));
        }
    }
    text
}

fn toml_value(value: &Value) -> String {
    match value {
        Value::Array(list) => {
            format!(
                "[{}]",
                list.iter().map(toml_value).collect::<Vec<_>>().join(", ")
            )
        }
        Value::Object(map) => {
            let members = map
                .iter()
                .map(|(k, v)| format!("{} = {}", Value::from(k.as_str()), toml_value(v)));
            format!("{{ {} }}", members.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::resolve;

    #[test]
    fn what_is_printed_is_a_plan_file() {
        let line = "infermeter run mock:fixed --rate 2.5 --slo ttft.p99<500ms";
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let given = crate::cli::parse(&words, &crate::commands::COMMANDS)
            .expect("sound")
            .given;
        let resolved = resolve(&given, None).expect("resolves");
        let text = print_config(&resolved);
        assert!(text.contains("rate = 2.5"), "{text}");
        assert!(
            text.lines()
                .any(|l| l.starts_with("seed = 1 ") && l.ends_with("# default"))
        );
        let back: toml::Table = toml::from_str(&text).expect("TOML");
        assert_eq!(back["slo"].as_array().map(Vec::len), Some(1));
    }
}
