//! The JSON Schema (draft 2020-12) of a table of keys.
//!
//! It is that of a plan file: it accepts what may be written by hand, of which what is written by
//! infermeter is a part. Invariant: a file that it refuses is refused by `run`, too; the reverse does not hold,
//! since the small languages inside of texts (`ramp:5..50/60s`) are checked by `run` alone.

use super::{Demand, Key, Range, ValueKind, When};
use schemars::Schema;
use serde_json::{Map, Value, json};

/// A number that stands in a text.
const NUMBER: &str = r"^\s*-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\s*$";
/// A whole number that stands in a text.
const WHOLE: &str = r"^\s*(0|[1-9][0-9]*)\s*$";
/// A time: numbers with their units, or 0.
const TIME: &str = r"^\s*(0|(\+?[0-9.]+([eE][+-]?[0-9]+)?\s*(ns|us|ms|s|m|h)\s*)+)$";

/// The schema of an object with these keys. What excludes each other does so wherever it stands; a key that needs
/// another one may find it among the flags, so needs are no part of it.
pub fn of_keys(keys: &[Key]) -> Schema {
    let properties = keys.iter().map(|key| (key.name.to_owned(), property(key)));
    let object = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties.collect::<Map<String, Value>>(),
        "allOf": keys.iter().flat_map(|key| exclusions(key, keys)).collect::<Vec<Value>>(),
    });
    let mut map = match object {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    map.retain(|_, value| value.as_array().is_none_or(|all| !all.is_empty()));
    map.into()
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
fn exclusions(key: &Key, keys: &[Key]) -> Vec<Value> {
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
        .map(|(mine, other)| json!({"not": {"allOf": [so(mine, keys), so(other, keys)]}}))
        .collect()
}

/// A key is in that state.
fn so(when: When, keys: &[Key]) -> Value {
    let (key, state) = match when {
        When::Is(key, value) => (key, json!({"const": value})),
        // Naming a default asks for nothing.
        When::Given(key) => (key, json!({"not": {"enum": defaults(key, keys)}})),
    };
    json!({"required": [key], "properties": {key: state}})
}

fn defaults(key: &str, keys: &[Key]) -> Vec<Value> {
    let known = keys.iter().find(|known| known.name == key);
    let default = known.map(|known| (known.default)());
    default.into_iter().chain([Value::Null]).collect()
}
