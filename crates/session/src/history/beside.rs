//! What else is one thing in all runs before a change and another in all behind it.
//!
//! A coincidence, not a cause. Facts that vary from run to run (load average, salts) are on neither side one thing,
//! so they are never named.

use super::Entry;
use infermeter_core::text::inert;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Most that is named.
const MOST: usize = 12;

/// What changed, in words.
pub(super) fn of(before: &[&Entry], behind: &[&Entry]) -> Vec<String> {
    let (before, behind) = (constant(before), constant(behind));
    let names: BTreeSet<&String> = before.keys().chain(behind.keys()).collect();
    let changed = names.into_iter().filter_map(|name| {
        let side = |side: &BTreeMap<String, Option<String>>| match side.get(name) {
            // It varies.
            Some(None) => None,
            Some(Some(value)) => Some(inert(value, 60)),
            None => Some("not known".to_owned()),
        };
        let (then, now) = (side(&before)?, side(&behind)?);
        (then != now).then(|| format!("{name}: {then}, then {now}"))
    });
    changed.take(MOST).collect()
}

/// Facts by name; `None` where they vary.
fn constant(runs: &[&Entry]) -> BTreeMap<String, Option<String>> {
    let mut all: BTreeMap<String, Option<String>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        let facts = facts(run);
        for (name, value) in &facts {
            let known = all.entry(name.clone()).or_insert(match index {
                0 => Some(value.clone()),
                _ => None,
            });
            if known.as_ref().is_some_and(|known| known != value) {
                *known = None;
            }
        }
        for (name, known) in &mut all {
            if !facts.contains_key(name) {
                *known = None;
            }
        }
    }
    all
}

fn facts(run: &Entry) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    facts.insert("infermeter".to_owned(), run.infermeter_version.clone());
    facts.insert("model".to_owned(), run.model.clone());
    let environment = &run.environment;
    for (name, value) in [
        ("plan", serde_json::to_value(&run.plan)),
        ("client", serde_json::to_value(&environment.client)),
        ("server", serde_json::to_value(&environment.target)),
        ("declared", serde_json::to_value(&environment.declared)),
    ] {
        flatten(name, &value.unwrap_or_default(), &mut facts);
    }
    facts
}

fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                flatten(&format!("{name}.{key}"), value, into);
            }
        }
        Value::String(text) => drop(into.insert(name.to_owned(), text.clone())),
        value => drop(into.insert(name.to_owned(), value.to_string())),
    }
}
