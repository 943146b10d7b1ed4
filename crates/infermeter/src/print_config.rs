//! `--print-config`: the plan as a TOML file, with the origin of each value.

use crate::layers::Resolved;
use infermeter_session::redact::redact;
use serde_json::Value;

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
