//! JSON of a schema, with room for words.
//!
//! Understood: `type`, `properties`, `items`, `minItems`, `maxItems`, `enum`, `const`, `anyOf`,
//! `oneOf`, the first of `allOf`, local `$ref`, lengths of strings, limits and `multipleOf` of
//! numbers, the common `format`s. Not: `pattern`, `patternProperties`, conditions. Optional
//! properties are given, too.
//!
//! Invariants: what is written is JSON whatever the schema says; depth and size have limits.

use crate::text::{LONGEST_SPOKEN, SHORTEST_SPOKEN, Speech};
use infermeter_core::seed::splitmix64;
use serde_json::{Map, Value};

/// Deepest nesting that is followed.
const MAX_DEPTH: u32 = 16;

/// Most values written for one schema.
const MAX_VALUES: u32 = 512;

/// A piece of JSON text.
#[derive(Debug, Clone, PartialEq)]
enum Segment {
    Text(String),
    /// The inside of a string, for words.
    Slot {
        /// At least this many words.
        least: u32,
        /// So many more.
        room: u32,
    },
}

/// JSON with room for words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Draft {
    segments: Vec<Segment>,
}

impl Draft {
    /// A text without room.
    pub fn fixed(text: &str) -> Self {
        Self {
            segments: vec![Segment::Text(text.to_owned())],
        }
    }

    /// JSON of a schema; an object with one text without a schema.
    pub fn of(schema: Option<&Value>, key: u64) -> Self {
        let anything = Value::Object(Map::from_iter([("type".to_owned(), "object".into())]));
        let root = schema.unwrap_or(&anything);
        let mut writer = Writer {
            root,
            segments: Vec::new(),
            values_left: MAX_VALUES,
            state: key,
        };
        writer.value(root, 0);
        Self {
            segments: writer.segments,
        }
    }

    /// Words that fit in beyond the least.
    pub fn room(&self) -> u32 {
        let rooms = self.segments.iter().map(|segment| match segment {
            Segment::Text(_) => 0,
            Segment::Slot { room, .. } => *room,
        });
        rooms.fold(0, u32::saturating_add)
    }

    /// The text with `extra` words beyond the least, at most as many as there is room for.
    pub fn text(&self, extra: u32, key: u64) -> String {
        let mut speech = Speech::of(!key);
        let mut left = extra;
        let mut text = String::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(fixed) => text.push_str(fixed),
                Segment::Slot { least, room } => {
                    let more = left.min(*room);
                    left -= more;
                    for place in 0..least + more {
                        let word = speech.next_word();
                        text.push_str(if place == 0 { word.trim_start() } else { word });
                    }
                }
            }
        }
        text
    }
}

struct Writer<'a> {
    root: &'a Value,
    segments: Vec<Segment>,
    values_left: u32,
    state: u64,
}

impl<'a> Writer<'a> {
    fn put(&mut self, text: &str) {
        match self.segments.last_mut() {
            Some(Segment::Text(last)) => last.push_str(text),
            _ => self.segments.push(Segment::Text(text.to_owned())),
        }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.state = splitmix64(self.state);
        self.state % below.max(1)
    }

    fn value(&mut self, schema: &'a Value, depth: u32) {
        if depth > MAX_DEPTH || self.values_left == 0 {
            return self.put("null");
        }
        self.values_left -= 1;
        if let Some(inner) = self.inner(schema) {
            return self.value(inner, depth + 1);
        }
        if let Some(value) = schema.get("const") {
            return self.put(&value.to_string());
        }
        if let Some(values) = schema.get("enum").and_then(Value::as_array)
            && !values.is_empty()
        {
            let place = self.draw(values.len() as u64) as usize;
            return self.put(&values[place].to_string());
        }
        match kind_of(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => self.put(&integer(schema, self.state).to_string()),
            "number" => self.put(&number(schema, self.state)),
            "boolean" => {
                let text = ["true", "false"][self.draw(2) as usize];
                self.put(text);
            }
            "null" => self.put("null"),
            _ => self.string(schema),
        }
    }

    /// The schema that another one stands for.
    fn inner(&self, schema: &'a Value) -> Option<&'a Value> {
        if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
            return self.root.pointer(pointer.strip_prefix('#')?);
        }
        ["anyOf", "oneOf", "allOf"].iter().find_map(|name| {
            let choices = schema.get(name)?.as_array()?;
            let is_null = |choice: &&Value| choice.get("type").is_some_and(|t| t == "null");
            choices.iter().find(|c| !is_null(c)).or(choices.first())
        })
    }

    fn object(&mut self, schema: &'a Value, depth: u32) {
        let none = schema.get("additionalProperties") == Some(&Value::Bool(false));
        match schema.get("properties").and_then(Value::as_object) {
            Some(properties) if !properties.is_empty() => {
                let mut before = '{';
                for (name, property) in properties {
                    self.put(&format!("{before}{}:", Value::from(name.as_str())));
                    self.value(property, depth + 1);
                    before = ',';
                }
                self.put("}");
            }
            _ if none => self.put("{}"),
            _ => {
                self.put("{\"answer\":\"");
                self.slot(1, u32::MAX);
                self.put("\"}");
            }
        }
    }

    fn array(&mut self, schema: &'a Value, depth: u32) {
        let count = |name: &str| schema.get(name).and_then(Value::as_u64);
        let most = count("maxItems").unwrap_or(u64::MAX);
        let items = count("minItems").unwrap_or(1).max(1).min(most);
        self.put("[");
        for place in 0..items.min(u64::from(self.values_left)) {
            if place > 0 {
                self.put(",");
            }
            match schema.get("items") {
                Some(item) => self.value(item, depth + 1),
                None => self.string(&Value::Null),
            }
        }
        self.put("]");
    }

    fn string(&mut self, schema: &Value) {
        if let Some(sample) = schema
            .get("format")
            .and_then(Value::as_str)
            .and_then(sample)
        {
            return self.put(&Value::from(sample).to_string());
        }
        let count = |name: &str| schema.get(name).and_then(Value::as_u64);
        let letters = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let most = count("maxLength").map_or(u32::MAX, letters);
        self.put("\"");
        if most < LONGEST_SPOKEN {
            self.put(&"a".repeat(most as usize));
        } else {
            // Each word but the first has a space before it.
            let fit = most.saturating_add(1) / (LONGEST_SPOKEN + 1);
            let wanted = letters(count("minLength").unwrap_or(0));
            let least = wanted.saturating_add(1).div_ceil(SHORTEST_SPOKEN + 1);
            let least = least.clamp(1, fit.min(1 << 16));
            self.slot(least, fit - least);
        }
        self.put("\"");
    }

    fn slot(&mut self, least: u32, room: u32) {
        self.segments.push(Segment::Slot { least, room });
    }
}

/// The type of a schema: its own, the first but null of several, or what its members suggest.
fn kind_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => kinds
            .iter()
            .filter_map(Value::as_str)
            .find(|kind| *kind != "null")
            .unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ => "string",
    }
}

/// A text of a format.
fn sample(format: &str) -> Option<&'static str> {
    match format {
        "date-time" => Some("2024-01-01T00:00:00Z"),
        "date" => Some("2024-01-01"),
        "time" => Some("00:00:00Z"),
        "email" => Some("user@example.com"),
        "uri" => Some("https://example.com/"),
        "uuid" => Some("123e4567-e89b-42d3-a456-426614174000"),
        "ipv4" => Some("192.0.2.1"),
        _ => None,
    }
}

/// The least and the greatest number allowed, `step` inside exclusive limits.
fn limits(schema: &Value, step: f64) -> (Option<f64>, Option<f64>) {
    let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
    let least = limit("minimum").or(limit("exclusiveMinimum").map(|n| n + step));
    let most = limit("maximum").or(limit("exclusiveMaximum").map(|n| n - step));
    (least, most)
}

fn integer(schema: &Value, state: u64) -> i64 {
    let (least, most) = limits(schema, 1.0);
    let free = (splitmix64(state) % 99 + 1) as f64;
    let wanted = free
        .max(least.map_or(f64::MIN, f64::ceil))
        .min(most.map_or(f64::MAX, f64::floor));
    let multiple = schema
        .get("multipleOf")
        .and_then(Value::as_f64)
        .unwrap_or(1.0);
    if multiple < 1.0 {
        return wanted as i64;
    }
    let below = (wanted / multiple).floor() * multiple;
    if least.is_some_and(|least| below < least) {
        (below + multiple) as i64
    } else {
        below as i64
    }
}

fn number(schema: &Value, state: u64) -> String {
    let (least, most) = limits(schema, 0.0);
    let whole = integer(schema, state);
    let inside = |n: f64| least.is_none_or(|l| n > l) && most.is_none_or(|m| n < m);
    match (least, most) {
        (Some(least), Some(most)) if !inside(whole as f64) => ((least + most) / 2.0).to_string(),
        _ => whole.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(schema: Value, extra: u32) -> Value {
        let draft = Draft::of(Some(&schema), 3);
        let text = draft.text(extra.min(draft.room()), 3);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn every_type_is_written() {
        let value = check(
            json!({"type": "object", "properties": {
                "s": {"type": "string"}, "i": {"type": "integer"}, "n": {"type": "number"},
                "b": {"type": "boolean"}, "z": {"type": "null"}, "e": {"enum": ["x", "y"]},
                "a": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
                "o": {"type": "object", "properties": {"k": {"const": 7}}},
                "m": {"type": ["null", "string"]}, "d": {"type": "string", "format": "date"},
                "r": {"$ref": "#/$defs/R"}, "u": {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
                "any": {}
            }, "$defs": {"R": {"type": "integer", "minimum": 5, "maximum": 5}}}),
            3,
        );
        assert!(value["s"].is_string() && value["i"].is_i64() && value["n"].is_number());
        assert!(value["b"].is_boolean() && value["z"].is_null() && value["u"].is_boolean());
        assert!(value["e"] == "x" || value["e"] == "y");
        assert_eq!(value["a"].as_array().map(Vec::len), Some(2));
        assert_eq!((&value["o"]["k"], &value["r"]), (&json!(7), &json!(5)));
        assert!(value["m"].is_string() && value["any"].is_string());
        assert_eq!(value["d"], "2024-01-01");
    }

    #[test]
    fn lengths_and_limits_hold() {
        for (least, most) in [(0, 3), (10, 40), (0, 5), (30, 60)] {
            let schema = json!({"type": "string", "minLength": least, "maxLength": most});
            for extra in [0, 1_000] {
                let text = check(schema.clone(), extra);
                let len = text.as_str().expect("a text").len();
                assert!((least..=most).contains(&len), "{least}..={most}: {len}");
            }
        }
        for key in 0..50 {
            let schema = json!({"minimum": 10, "maximum": 20, "multipleOf": 5});
            let n = integer(&schema, key);
            assert!(n == 10 || n == 15 || n == 20, "{n}");
        }
        let half = number(&json!({"minimum": 0, "maximum": 1}), 1);
        assert_eq!(half, "0.5");
        assert_eq!(integer(&json!({"exclusiveMinimum": 200}), 1), 201);
        assert_eq!(check(json!({"type": "array", "maxItems": 0}), 0), json!([]));
    }

    #[test]
    fn room_is_for_texts_alone() {
        let closed = json!({"type": "object", "additionalProperties": false});
        assert_eq!(Draft::of(Some(&closed), 1).room(), 0);
        assert_eq!(Draft::of(Some(&json!({"enum": ["a"]})), 1).room(), 0);
        assert_eq!(Draft::of(None, 1).room(), u32::MAX);
        assert_eq!(Draft::fixed("yes").text(5, 1), "yes");
    }

    #[test]
    fn odd_schemas_end_in_json() {
        check(json!({"$ref": "#"}), 0);
        check(json!({"properties": {"a": {"$ref": "#"}}}), 0);
        check(
            json!({"type": "array", "minItems": 1_000_000, "items": {"type": "array"}}),
            0,
        );
        check(json!(true), 0);
        check(json!({"enum": [], "type": 7, "anyOf": []}), 0);
        let wide = json!({"type": "array", "minItems": 9, "items": {"$ref": "#"}});
        check(wide, 5);
    }
}
