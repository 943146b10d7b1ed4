//! Values as flags and files write them, brought to the form of their field.
//!
//! Invariant: what a value must be is asked of its key and of the type of its field, nowhere else, and
//! a message quotes the value without what could steer a terminal.

use anyhow::{Result, anyhow, bail};
use infermeter_core::key::{Form, Key, Keyed, ValueKind};
use infermeter_core::text::{inert, not_one_of};
use serde_json::{Map, Value};

/// Every field at its default, by key.
pub(crate) fn defaults<T: Keyed>() -> Map<String, Value> {
    map_of(&T::defaults())
}

/// Values by key.
pub(crate) fn map_of<T: Keyed>(values: &T) -> Map<String, Value> {
    match serde_json::to_value(values) {
        Ok(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// A value as written, in the form that `key`'s field of a `T` has.
///
/// # Errors
/// Saying what the value must be, and what to write for one that another tool has.
pub fn read<T: Keyed>(key: &Key, value: Value) -> Result<Value> {
    let text = value.as_str();
    let tip = text.and_then(|text| key.tips.iter().find(|(known, _)| *known == text));
    let read = shaped(key, value).and_then(|value| {
        check::<T>(key, &value)?;
        Ok(value)
    });
    read.map_err(|error| match tip {
        Some((_, tip)) => anyhow!("{error}; {tip}"),
        None => error,
    })
}

/// What a message quotes.
pub fn shown(text: &str) -> String {
    inert(text, 80)
}

/// Brings a value as written (often text) to the shape that its field has.
fn shaped(key: &Key, value: Value) -> Result<Value> {
    Ok(match (key.many, value) {
        (_, Value::Null) => Value::Null,
        (false, value) => single(key, value)?,
        (true, value) if key.kind == ValueKind::Whole => numbers(key, value)?,
        (true, Value::String(text)) => Value::Array(vec![Value::String(text)]),
        (true, Value::Array(list)) if list.iter().all(Value::is_string) => list.into(),
        (true, _) => bail!("write a text, or a list of texts: [\"...\", \"...\"]"),
    })
}

/// `0,2` and `[0, 2]`.
fn numbers(key: &Key, value: Value) -> Result<Value> {
    let pieces = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let split = pieces.into_iter().flat_map(|piece| match piece {
        Value::String(text) => text.split(',').map(Value::from).collect(),
        other => vec![other],
    });
    split.map(|piece| single(key, piece)).collect()
}

fn single(key: &Key, value: Value) -> Result<Value> {
    let not = |what: &str, value: &Value| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        anyhow!("`{}` is not {what}", shown(&text))
    };
    let number_that = |value: &Value, fits: fn(&serde_json::Number) -> bool| {
        number(value).filter(fits).map(Value::Number)
    };
    Ok(match (key.kind, value) {
        (ValueKind::Number, value) => {
            number_that(&value, |_| true).ok_or_else(|| not("a number", &value))?
        }
        (ValueKind::Whole, value) => number_that(&value, serde_json::Number::is_u64)
            .ok_or_else(|| not("a whole number, 0 or more", &value))?,
        (ValueKind::Object, Value::String(text)) => object(&text)?,
        (ValueKind::Object, other) if !other.is_object() => bail!("must be a JSON object"),
        (ValueKind::Object, other) => other,
        (ValueKind::Switch, value) if !value.is_boolean() => {
            return Err(not("true or false", &value));
        }
        (ValueKind::Switch, value) => value,
        (_, Value::String(text)) if text.trim().is_empty() && key.form != Form::Positional => {
            bail!("nothing in it: give a value, or leave it out")
        }
        (_, Value::Number(n)) => Value::String(n.to_string()),
        (_, value) if !value.is_string() => return Err(not("a text", &value)),
        (_, text) => text,
    })
}

fn number(value: &Value) -> Option<serde_json::Number> {
    match value {
        Value::Number(number) => Some(number.clone()),
        Value::String(text) => serde_json::from_str(text.trim()).ok(),
        _ => None,
    }
}

fn object(text: &str) -> Result<Value> {
    let value: Value = serde_json::from_str(text)
        .map_err(|e| anyhow!("not JSON: {e}; write '{{\"key\": value}}'"))?;
    if value.is_object() {
        Ok(value)
    } else {
        bail!("must be a JSON object")
    }
}

/// Reads a `T` that has this value and defaults elsewhere: the message is the field's own.
fn check<T: Keyed>(key: &Key, value: &Value) -> Result<()> {
    let mut map = Map::new();
    map.insert(key.name.to_owned(), value.clone());
    serde_json::from_value::<T>(Value::Object(map))
        .map(|_| ())
        .map_err(|e| {
            let text = e.to_string();
            if ["expected u16", "expected u32"]
                .iter()
                .any(|end| text.ends_with(end))
            {
                return anyhow!("`{value}` is too large");
            }
            let text = text.split(" at line ").next().unwrap_or(&text);
            one_of(text).unwrap_or_else(|| anyhow!("{text}"))
        })
}

/// What serde says of a name that is none of several, with the one that may be meant.
fn one_of(text: &str) -> Option<anyhow::Error> {
    let (name, expected) = text
        .strip_prefix("unknown variant `")?
        .split_once("`, expected ")?;
    let known: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
    Some(anyhow!(not_one_of(name, &known)))
}
