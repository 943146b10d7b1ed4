//! The JSON Schema of plan files (draft 2020-12), made from the table of keys.
//!
//! It accepts what a plan file may hold by itself: a key that needs another one may find it among the
//! flags, so needs are no part of it. What excludes each other does so wherever it stands. Invariant:
//! a file that the schema refuses is refused by `run`, too; the reverse does not hold, since the small
//! languages inside of texts (`ramp:5..50/60s`) are checked by `run` alone.

use infermeter_core::key::{Demand, Key, Keyed, Range, ValueKind, When};
use infermeter_core::plan::Plan;
use serde_json::{Map, Value, json};

/// A number that stands in a text.
const NUMBER: &str = r"^\s*-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\s*$";
/// A whole number that stands in a text.
const WHOLE: &str = r"^\s*(0|[1-9][0-9]*)\s*$";
/// A time: numbers with their units, or 0.
const TIME: &str = r"^\s*(0|(\+?[0-9.]+([eE][+-]?[0-9]+)?\s*(ns|us|ms|s|m|h)\s*)+)$";

/// The schema.
pub(crate) fn of_plan() -> Value {
    let keys = Plan::KEYS;
    let properties = keys.iter().map(|key| (key.name.to_owned(), property(key)));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Plan of infermeter",
        "description": "What `infermeter run --config FILE` reads. The keys are the names of the flags.",
        "type": "object",
        "additionalProperties": false,
        "properties": properties.collect::<Map<String, Value>>(),
        "allOf": keys.iter().flat_map(exclusions).collect::<Vec<Value>>(),
    })
}

/// One key.
fn property(key: &Key) -> Value {
    let mut forms = forms(key);
    if key.many {
        let one = Value::from(forms.clone());
        forms.push(json!({"type": "array", "items": {"anyOf": one}}));
    }
    if key.optional {
        forms.push(json!({"type": "null"}));
    }
    let mut property = json!({"description": key.help, "anyOf": forms});
    let default = (key.default)();
    if !default.is_null() {
        property["default"] = default;
    }
    if matches!(key.kind, ValueKind::Text | ValueKind::Time) {
        property["examples"] = vec![key.example].into();
    }
    property
}

/// The forms that one value may have.
fn forms(key: &Key) -> Vec<Value> {
    match key.kind {
        ValueKind::Switch => vec![json!({"type": "boolean"})],
        ValueKind::Number => vec![
            bounded(json!({"type": "number"}), key.range),
            json!({"type": "string", "pattern": NUMBER}),
        ],
        ValueKind::Whole => vec![
            bounded(json!({"type": "integer", "minimum": 0}), key.range),
            json!({"type": "string", "pattern": WHOLE}),
        ],
        ValueKind::Time => vec![
            json!({"type": "string", "pattern": TIME}),
            json!({"const": 0}),
        ],
        ValueKind::OneOf(names) => vec![json!({"enum": names})],
        ValueKind::Object => vec![json!({"type": "object"}), json!({"type": "string"})],
        ValueKind::Text if key.many => vec![json!({"type": "string"})],
        ValueKind::Text => vec![json!({"type": ["string", "number"]})],
    }
}

fn bounded(mut form: Value, range: Option<Range>) -> Value {
    let Some(range) = range else { return form };
    let bounds = [
        ("exclusiveMinimum", range.above),
        ("minimum", range.least),
        ("maximum", range.most),
    ];
    for (name, bound) in bounds {
        if let Some(bound) = bound {
            form[name] = bound.into();
        }
    }
    form
}

/// What may not stand in one file with `key`.
fn exclusions(key: &Key) -> Vec<Value> {
    let rules = key
        .rules
        .iter()
        .filter(|rule| rule.demand == Demand::Excludes);
    let pairs = rules.flat_map(|rule| {
        let mine = match rule.at {
            Some(value) => When::Is(key.name, value),
            None => When::Given(key.name),
        };
        rule.others.iter().map(move |other| (mine, *other))
    });
    pairs
        .map(|(mine, other)| json!({"not": {"allOf": [so(mine), so(other)]}}))
        .collect()
}

/// A key is in that state.
fn so(when: When) -> Value {
    let (key, state) = match when {
        When::Is(key, value) => (key, json!({"const": value})),
        // Naming a default asks for nothing.
        When::Given(key) => (key, json!({"not": {"enum": defaults(key)}})),
    };
    json!({"required": [key], "properties": {key: state}})
}

fn defaults(key: &str) -> Vec<Value> {
    let known = Plan::KEYS.iter().find(|known| known.name == key);
    let default = known.map(|known| (known.default)());
    default.into_iter().chain([Value::Null]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Given;
    use crate::{layers, values};
    use infermeter_core::key::{Asked, broken};
    use regex::Regex;

    /// The keywords that the schema uses, and no others.
    fn valid(schema: &Value, value: &Value) -> bool {
        let keywords = schema.as_object().expect("a schema");
        keywords.iter().all(|(keyword, wanted)| {
            let list = || wanted.as_array().expect("a list");
            let number = value.as_f64();
            let bound = wanted.as_f64().unwrap_or(f64::NAN);
            match keyword.as_str() {
                "$schema" | "title" | "description" | "default" | "examples" => true,
                "type" => match wanted {
                    Value::Array(types) => types.iter().any(|wanted| is_a(value, wanted)),
                    one => is_a(value, one),
                },
                "enum" => list().contains(value),
                "const" => wanted == value,
                "pattern" => value.as_str().is_none_or(|text| {
                    Regex::new(wanted.as_str().expect("text"))
                        .expect("a pattern")
                        .is_match(text)
                }),
                "minimum" => number.is_none_or(|n| n >= bound),
                "exclusiveMinimum" => number.is_none_or(|n| n > bound),
                "maximum" => number.is_none_or(|n| n <= bound),
                "items" => value
                    .as_array()
                    .is_none_or(|all| all.iter().all(|v| valid(wanted, v))),
                "anyOf" => list().iter().any(|schema| valid(schema, value)),
                "allOf" => list().iter().all(|schema| valid(schema, value)),
                "not" => !valid(wanted, value),
                "required" => value.as_object().is_none_or(|map| {
                    list()
                        .iter()
                        .all(|key| map.contains_key(key.as_str().expect("a key")))
                }),
                "properties" => value.as_object().is_none_or(|map| {
                    let mut known = map.iter().filter_map(|(k, v)| Some((wanted.get(k)?, v)));
                    known.all(|(schema, v)| valid(schema, v))
                }),
                "additionalProperties" => value.as_object().is_none_or(|map| {
                    map.keys()
                        .all(|key| schema["properties"].get(key).is_some())
                }),
                other => panic!("{other} is not known here"),
            }
        })
    }

    fn is_a(value: &Value, wanted: &Value) -> bool {
        match wanted.as_str().expect("a type") {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            other => panic!("{other} is not known here"),
        }
    }

    /// Whether `run` takes what a plan file says, whatever else a whole plan needs.
    fn read(plan: &Value) -> bool {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("plan.yaml");
        std::fs::write(&path, plan.to_string()).expect("written");
        let Ok(resolved) = layers::resolve(&Given::default(), Some(&path)) else {
            return false;
        };
        let asked = Asked {
            values: &values::map_of(&resolved.plan),
            given: &|key| resolved.given(key),
        };
        broken(Plan::KEYS, asked).is_none_or(|said| said.contains(" needs "))
    }

    #[test]
    fn good_plans_are_valid() {
        let schema = of_plan();
        for plan in [
            json!({}),
            json!({"target": "http://localhost:8000", "rate": 20, "duration": "120s",
                "workload": "chat", "slo": ["ttft.p99<500ms", "itl.p99<50ms"],
                "hardware": "8 x H100", "gpus": 8, "extra-body": {"temperature": 0}}),
            json!({"target": "mock:fixed", "concurrency": 32, "requests": 1000, "warmup": 0,
                "header": "x-tenant: bench", "label": 7, "timeout": "1h30m", "rate": null}),
            json!({"rate": "20", "seed": "7", "arrival": "gamma", "cv": 0.5, "burn": "10 us"}),
            json!({"clients": "synthetic", "workload": "chat", "tls-insecure": false}),
            // The trace may stand among the flags.
            json!({"thin": 0.5, "time-scale": 2}),
        ] {
            assert!(valid(&schema, &plan), "{plan}");
            assert!(read(&plan), "{plan}");
        }
        let defaults = serde_json::to_value(Plan::defaults()).expect("JSON");
        assert!(valid(&schema, &defaults));
        for key in Plan::KEYS.iter().filter(|key| !key.example.is_empty()) {
            let plan = json!({key.name: key.example});
            assert!(valid(&schema, &plan), "{plan}");
        }
    }

    #[test]
    fn bad_plans_are_not() {
        let schema = of_plan();
        for plan in [
            json!([]),
            json!({"raet": 5}),
            json!({"request-rate": 5}),
            json!({"rate": 0}),
            json!({"rate": 1e8}),
            json!({"rate": "fast"}),
            json!({"rate": true}),
            json!({"seed": 1.5}),
            json!({"seed": null}),
            json!({"concurrency": -1}),
            json!({"threads": 5000}),
            json!({"thin": 2}),
            json!({"duration": 20}),
            json!({"duration": "20"}),
            json!({"json": 1}),
            json!({"no-stream": "yes"}),
            json!({"header": [5]}),
            json!({"arrival": "poison"}),
            json!({"target": []}),
            json!({"extra-body": [1]}),
            json!({"rate": 5, "concurrency": 5}),
            json!({"trace": "t.csv", "dataset": "d.json"}),
            json!({"tls-ca": "ca.pem", "tls-insecure": true}),
            json!({"count": "template", "sessions": ["turns=2"], "chat-template": "t"}),
        ] {
            assert!(!valid(&schema, &plan), "{plan}");
            assert!(!read(&plan), "{plan}");
        }
    }
}
