//! What makes a schema of types readable: comments as descriptions, units, no more than what is really written.
//!
//! Invariant: nothing that a type writes becomes invalid.

use regex::Regex;
use schemars::Schema;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// Ends of names that say a unit.
const UNITS: [(&str, &str); 11] = [
    ("_per_s", "per second"),
    ("_per_gpu", "per second and accelerator"),
    ("_ms", "milliseconds"),
    ("_us", "microseconds"),
    ("_ns", "nanoseconds"),
    ("_s", "seconds"),
    ("seconds", "seconds"),
    ("bytes", "bytes"),
    ("tokens", "tokens"),
    ("_share", "share, 0 to 1"),
    ("share", "share, 0 to 1"),
];

/// Names of numbers that are in the `unit` of the object that they stand in.
const OF_UNIT: [&str; 20] = [
    "value",
    "low",
    "high",
    "min",
    "max",
    "mean",
    "std",
    "least",
    "greatest",
    "p50",
    "p90",
    "p99",
    "limit",
    "baseline",
    "candidate",
    "measured",
    "predicted",
    "judged",
    "lower",
    "upper",
];

/// What holds figures of any kind is in the unit of the one that it stands for.
const FIGURE: &str = "that of the figure";

/// Units that follow from the type: its name, members, and what they are in.
pub(super) const OF_TYPES: [(&str, &[&str], &str); 27] = [
    ("Cell", &["value", "low", "high"], FIGURE),
    ("Estimated", &["value", "low", "high"], FIGURE),
    ("Mean", &["value", "low", "high"], FIGURE),
    ("Over", &["min", "max"], FIGURE),
    ("TimePart", &["least", "greatest"], FIGURE),
    ("ValueBand", &["least", "greatest"], FIGURE),
    ("GaugeFigure", &["mean", "max"], "that of the gauge"),
    (
        "GaugePart",
        &["least", "mean", "greatest"],
        "that of the gauge",
    ),
    ("FluidityForm", &["min"], "index, 0 to 1"),
    ("FoundRate", &["low", "high"], "requests per second"),
    ("Rate", &["low", "high"], "that of `per_s`"),
    ("ItemRate", &["low", "high"], "that of `per_s`"),
    ("Knee", &["low", "high"], "that of `load`"),
    (
        "LengthPair",
        &["low_median", "high_median", "shift"],
        "characters, or tokens",
    ),
    ("LoadPart", &["least", "most"], "requests"),
    ("PairedRatio", &["value", "low", "high"], "ratio"),
    ("PrecisionLook", &["low", "high"], "milliseconds"),
    (
        "PairedChange",
        &["low", "high"],
        "ratio or difference, as `scale` says",
    ),
    (
        "PairedChange",
        &["within"],
        "logarithm of the ratio, or difference, as `scale` says",
    ),
    ("Worsening", &["upper", "lower"], "relative, or in points"),
    ("GateLine", &["at_least", "at_most"], "that of `worse`"),
    ("GateDoubt", &["baseline", "candidate"], "a number of runs"),
    ("TrendPoint", &["value", "low", "high"], FIGURE),
    ("TrendLevel", &["median", "low", "high"], FIGURE),
    (
        "TrendFigure",
        &["asked_change"],
        "relative, of shares in points",
    ),
    (
        "TrendChange",
        &["change", "at_least", "at_most"],
        "relative, of shares in points",
    ),
    (
        "PilotFigure",
        &["detectable", "detectable_by_t"],
        "relative, or in points",
    ),
];

/// A link of the code's documentation: `[`Self::x`]`.
static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[`(?:[A-Za-z_]+::)*([A-Za-z_]+)`\]").expect("a pattern"));

/// Makes one schema, among those below it, readable.
pub(super) fn transform(schema: &mut Schema) {
    let Some(schema) = schema.as_object_mut() else {
        return;
    };
    // How wide an integer is in memory says nothing about JSON.
    schema.remove("format");
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = LINK
            .replace_all(&text.replace('\n', " "), "`$1`")
            .into_owned();
    }
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    if closed && requires_no_value(schema) {
        return;
    }
    variant_to_member(schema);
    let members = schema.get("properties");
    let has_unit = members.is_some_and(|members| members.get("unit").is_some());
    let required = schema.get("required").and_then(Value::as_array).cloned();
    let required = required.unwrap_or_default();
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        for (name, property) in properties {
            let is_required = required.iter().any(|known| known == name);
            if let Some(property) = property.as_object_mut() {
                if !is_required {
                    never_null(property);
                }
                unit(name, property, has_unit);
            }
        }
    }
}

/// As in what is written by hand, no member has to be there, but for the names that tell variants apart.
fn requires_no_value(schema: &Map<String, Value>) -> bool {
    let required = schema.get("required").and_then(Value::as_array);
    let is_a_name = |name: &Value| {
        let members = schema.get("properties");
        let member = members.and_then(|members| members.get(name.as_str()?));
        member.is_some_and(|member| member.get("const").is_some())
    };
    required.is_none_or(|names| names.iter().all(is_a_name))
}

/// What is left out where there is nothing to write is never null.
fn never_null(property: &mut Map<String, Value>) {
    let is_null = |form: &Value| form == "null" || form["type"] == "null";
    if let Some(Value::Array(types)) = property.get_mut("type") {
        types.retain(|one| !is_null(one));
        if let [only] = types.as_slice() {
            let only = only.clone();
            property.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(forms)) = property.get_mut("anyOf") {
        forms.retain(|one| !is_null(one));
        if let [Value::Object(only)] = forms.as_slice() {
            let only = only.clone();
            property.remove("anyOf");
            for (key, value) in only {
                property.entry(key).or_insert(value);
            }
        }
    }
}

/// The one member of a variant is described by the variant.
fn variant_to_member(schema: &mut Map<String, Value>) {
    let Some(said) = schema.get("description").cloned() else {
        return;
    };
    if let Some(Value::Object(members)) = schema.get_mut("properties")
        && members.len() == 1
    {
        for member in members.values_mut().filter_map(Value::as_object_mut) {
            member.entry("description").or_insert_with(|| said.clone());
        }
    }
}

/// Adds the unit to the description of a number where its name says it and the description does not.
fn unit(name: &str, property: &mut Map<String, Value>, has_unit: bool) {
    if !is_number(property) {
        return;
    }
    let known = UNITS.iter().find(|(end, _)| name.ends_with(end));
    let known = known.map(|(_, unit)| *unit);
    let of_unit = has_unit && OF_UNIT.contains(&name);
    let Some(Value::String(text)) = property.get_mut("description") else {
        return;
    };
    match known {
        Some(unit) if !said_already(text, unit) => text.push_str(&format!(" Unit: {unit}.")),
        None if of_unit && !says_unit(text) => text.push_str(" Unit: that of `unit`."),
        _ => {}
    }
}

/// Adds the units of [`OF_TYPES`].
pub(super) fn units_of_types(schema: &mut Map<String, Value>) {
    let Some(Value::Object(types)) = schema.get_mut("$defs") else {
        return;
    };
    for (of, members, unit) in OF_TYPES {
        for member in members {
            if let Some(one) = types.get_mut(of) {
                add_unit(one, member, unit);
            }
        }
    }
}

/// To a member of a type, or of one of its variants.
fn add_unit(schema: &mut Value, member: &str, unit: &str) {
    match schema {
        Value::Object(map) => {
            let members = map.get_mut("properties");
            let said = members.and_then(|all| all.get_mut(member)?.get_mut("description"));
            if let Some(Value::String(text)) = said {
                text.push_str(&format!(" Unit: {unit}."));
            }
            for below in map.values_mut() {
                add_unit(below, member, unit);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| add_unit(one, member, unit)),
        _ => {}
    }
}

fn said_already(text: &str, unit: &str) -> bool {
    let first = unit.split([' ', ',']).next().unwrap_or(unit);
    text.to_lowercase().contains(first.trim_end_matches('s'))
}

/// Words that say what a number is of.
const OF: [&str; 37] = [
    "second",
    "byte",
    "token",
    "request",
    "share",
    "ratio",
    "p-value",
    "coefficient",
    "index",
    "percent",
    "unit",
    "deviation",
    "variance",
    "tau",
    "factor",
    "coverage",
    "chance",
    "observations",
    "cores",
    "streams",
    "chunks",
    "sequences",
    "drafts",
    "turns",
    "slots",
    "price",
    "cost",
    "instance",
    "replica",
    "watt",
    "correlation",
    "relative",
    "logarithm",
    " / ",
    "of those",
    "adjusted",
    "not accepted",
];

/// A description says what its number is of.
pub(super) fn says_unit(text: &str) -> bool {
    let text = text.to_lowercase();
    OF.iter().any(|word| text.contains(word))
}

/// A number stands there itself, or a list of numbers.
pub(super) fn is_number(property: &Map<String, Value>) -> bool {
    let items = property.get("items").and_then(Value::as_object);
    let types = match property.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    types.iter().any(|one| ["number", "integer"].contains(one)) || items.is_some_and(is_number)
}

/// Takes away what is said for those who write a value by hand: defaults, examples, which keys exclude each other,
/// and that there are no others.
pub(super) fn only_for_readers(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            // Members may have these names, too, and are schemas then.
            let is_schema =
                map.contains_key("type") || map.contains_key("anyOf") || map.contains_key("$ref");
            if is_schema {
                map.remove("default");
                map.remove("examples");
                if map.contains_key("properties") && requires_no_value(map) {
                    map.remove("allOf");
                    map.remove("additionalProperties");
                }
            }
            map.values_mut().for_each(only_for_readers);
        }
        Value::Array(all) => all.iter_mut().for_each(only_for_readers),
        _ => {}
    }
}

/// Takes from `required` what not every version of a format has: those members have a default for readers.
pub(super) fn only_what_all_versions_have(schema: &mut Map<String, Value>) {
    let later = |name: &Value, properties: &Value| {
        let name = name.as_str().unwrap_or_default();
        properties[name].get("default").is_some()
    };
    if let (Some(properties), Some(Value::Array(required))) = (
        schema.get("properties").cloned(),
        schema.get_mut("required"),
    ) {
        required.retain(|name| !later(name, &properties));
    }
    for (_, value) in schema.iter_mut() {
        below(value);
    }
}

fn below(value: &mut Value) {
    match value {
        Value::Object(map) => only_what_all_versions_have(map),
        Value::Array(all) => all.iter_mut().for_each(below),
        _ => {}
    }
}
