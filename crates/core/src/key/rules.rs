//! Ranges and rules of keys, held against values.
//!
//! Invariant: what was not given breaks no rule, and a message names every key that it speaks of.

use super::{Demand, Key, Range, Rule, ValueKind, When};
use crate::units::Span;
use serde_json::{Map, Value};

/// What the rules of a table are held against.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Values by key.
    pub values: &'a Map<String, Value>,
    /// Whether a key was asked for.
    pub given: &'a dyn Fn(&str) -> bool,
}

/// The first range or rule of `keys` that does not hold, as a message that names the key at fault.
pub fn broken(keys: &[Key], asked: Asked<'_>) -> Option<String> {
    let null = Value::Null;
    keys.iter().find_map(|key| {
        let value = asked.values.get(key.name).unwrap_or(&null);
        let problem = out_of_range(key, value);
        problem
            .map(|problem| format!("{}: {problem}", key.written()))
            .or_else(|| key.rules.iter().find_map(|rule| asked.breaks(key, rule)))
    })
}

impl Asked<'_> {
    fn breaks(self, key: &Key, rule: &Rule) -> Option<String> {
        let applies = match rule.at {
            Some(at) => self.is(key.name, at),
            None => (self.given)(key.name),
        };
        let other = rule.others.iter().find(|other| self.holds(other));
        let mine = Self::state(
            &rule
                .at
                .map_or(When::Given(key.name), |at| When::Is(key.name, at)),
        );
        match (rule.demand, other) {
            _ if !applies => None,
            (Demand::Needs, None) => {
                let needed: Vec<String> = rule.others.iter().map(Self::state).collect();
                let why = behind(rule.why);
                Some(format!("{mine} needs {}{why}", needed.join(" or ")))
            }
            (Demand::Excludes, Some(other)) => {
                let why = if rule.why.is_empty() {
                    "give one"
                } else {
                    rule.why
                };
                let other = Self::state(other);
                Some(format!("{mine} and {other} exclude each other: {why}"))
            }
            (Demand::Needs, Some(_)) | (Demand::Excludes, None) => None,
        }
    }

    fn holds(self, when: &When) -> bool {
        match when {
            When::Given(key) => (self.given)(key),
            When::Is(key, wanted) => self.is(key, wanted),
        }
    }

    fn is(self, key: &str, wanted: &str) -> bool {
        match self.values.get(key) {
            Some(Value::String(text)) => text == wanted,
            Some(value) => {
                let written = value.to_string();
                written == wanted
            }
            None => false,
        }
    }

    /// `--arrival gamma`.
    fn state(when: &When) -> String {
        match when {
            When::Given(key) => format!("--{key}"),
            When::Is(key, value) => format!("--{key} {value}"),
        }
    }
}

fn behind(why: &str) -> String {
    match why {
        "" => String::new(),
        why => format!(": {why}"),
    }
}

/// What is wrong with a value, where its key has a range.
fn out_of_range(key: &Key, value: &Value) -> Option<String> {
    let range = key.range?;
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.parse::<Span>().ok()?.ns() as f64,
        _ => return None,
    };
    let fits = range.above.is_none_or(|bound| number > bound)
        && range.least.is_none_or(|bound| number >= bound)
        && range.most.is_none_or(|bound| number <= bound);
    if fits {
        return None;
    }
    let value = match value {
        // "0 must be above 0" says nothing that "must be above 0" does not.
        _ if number == 0.0 && key.kind != ValueKind::Number => String::new(),
        Value::String(text) => format!("{text} "),
        _ => format!("{number} "),
    };
    let words = range.words(key.kind);
    Some(format!("{value}must be {words}{}", behind(range.note)))
}

impl Range {
    /// `above 0 and at most 1`.
    pub fn words(&self, kind: ValueKind) -> String {
        let bound = |bound: f64| match kind {
            ValueKind::Time if bound != 0.0 => Span(bound as i64).to_string(),
            _ => bound.to_string(),
        };
        let parts = [
            self.above.map(|b| format!("above {}", bound(b))),
            self.least.map(|b| format!("at least {}", bound(b))),
            self.most.map(|b| format!("at most {}", bound(b))),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        parts.join(" and ")
    }
}
