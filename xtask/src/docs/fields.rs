//! The page of fields: every member of every published schema, with its type and its meaning.
//!
//! Knows the schemas alone, which a test holds against the types. A type that stands in several places has a section
//! of its own. Invariant: a member is described once, with its path from there.

use super::wrapped;
use anyhow::{Result, bail};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A published schema.
pub struct Published {
    /// Its name.
    pub name: String,
    /// It.
    pub schema: Value,
}

/// The keys of a plan, which have a page of their own.
const PLAN: &str = "Plan";

/// Places that are named where a type stands in many.
const PLACES_NAMED: usize = 6;

/// The page behind its introduction.
pub fn page(all: &[Published]) -> Result<String> {
    let mut book = Book::default();
    for one in all {
        for (name, schema) in members(&one.schema, "$defs") {
            match book.types.get(name) {
                Some(known) if !alike(known, schema) => bail!(
                    "two types are called {name}: rename one with #[schemars(rename = \"...\")]"
                ),
                Some(_) => {}
                None => {
                    book.types.insert(name, schema);
                    count(schema, &mut book.uses);
                }
            }
        }
        for (keyword, value) in one.schema.as_object().into_iter().flatten() {
            if keyword != "$defs" {
                count(value, &mut book.uses);
            }
        }
    }
    let mut text = String::new();
    for one in all {
        let said = described(&one.schema);
        let lines = match one.name == "plan" {
            true => "Its keys are those of [the plan](plan.md).\n".to_owned(),
            false => book.lines(&one.schema, &Path::root(&one.name)),
        };
        text.push_str(&format!(
            "## `{}`\n\n{}\n{lines}\n",
            one.name,
            paragraph(&said)
        ));
    }
    text.push_str("## Types that stand in several places\n\n");
    let shared = book.uses.iter().filter(|(_, uses)| **uses > 1);
    let shared: Vec<&str> = shared.map(|(name, _)| *name).collect();
    for name in &shared {
        // What stands in it is known once all of it has been read.
        book.sections.insert(name, String::new());
    }
    for name in shared {
        let lines = match (name, book.types.get(name)) {
            (PLAN, _) => "Its keys are those of [the plan](plan.md).\n".to_owned(),
            (_, Some(schema)) => book.lines(schema, &Path::of(name)),
            (_, None) => bail!("{name} is referred to and is not there"),
        };
        book.sections.insert(name, lines);
    }
    for (name, lines) in &book.sections {
        let said = book
            .types
            .get(name)
            .map_or_else(String::new, |schema| described(schema));
        let said = paragraph(&format!(
            "{said} {}",
            stands(book.places.get(name).map_or(&[], Vec::as_slice))
        ));
        text.push_str(&format!("### {name}\n\n{said}\n{lines}\n"));
    }
    Ok(text.trim_end().to_owned() + "\n")
}

/// They have the same members, whatever a reader of older files may find absent.
fn alike(one: &Value, other: &Value) -> bool {
    let [one, other] = [one, other].map(|schema| {
        let mut schema = schema.clone();
        schema.as_object_mut().map(|map| map.remove("required"));
        schema
    });
    one == other
}

/// What is known of all schemas.
#[derive(Default)]
struct Book<'a> {
    /// The types by name.
    types: BTreeMap<&'a str, &'a Value>,
    /// How often each is referred to.
    uses: BTreeMap<&'a str, usize>,
    /// Where those stand that are referred to more than once.
    places: BTreeMap<&'a str, Vec<String>>,
    /// Their members.
    sections: BTreeMap<&'a str, String>,
}

/// A place in a value.
#[derive(Debug, Clone)]
struct Path {
    /// The schema or the type that it begins in.
    of: String,
    /// From there.
    steps: String,
}

impl Path {
    fn root(name: &str) -> Self {
        Self {
            of: format!("`{name}`"),
            steps: String::new(),
        }
    }

    fn of(name: &str) -> Self {
        Self {
            of: format!("[{name}](#{})", name.to_lowercase()),
            steps: String::new(),
        }
    }

    fn member(&self, name: &str) -> Self {
        let joint = if self.steps.is_empty() { "" } else { "." };
        self.then(&format!("{joint}{name}"))
    }

    fn then(&self, step: &str) -> Self {
        Self {
            of: self.of.clone(),
            steps: format!("{}{step}", self.steps),
        }
    }
}

impl<'a> Book<'a> {
    /// The members of a schema, an item of a list each.
    fn lines(&mut self, schema: &'a Value, at: &Path) -> String {
        let mut lines = String::new();
        for form in self.forms(schema) {
            lines.push_str(&self.lines_of(form, at));
        }
        lines
    }

    fn lines_of(&mut self, form: &'a Value, at: &Path) -> String {
        let mut lines = String::new();
        if let (Some(name), Some(said)) = (form["const"].as_str(), form["description"].as_str()) {
            lines.push_str(&wrapped(&format!("- `{name}`: {}", escaped(said))));
        }
        let required: Vec<&Value> = form["required"].as_array().into_iter().flatten().collect();
        let tag = members(form, "properties").find_map(|(name, member)| {
            let value = member["const"].as_str()?;
            Some(format!(" Where `{name}` is `{value}`."))
        });
        for (name, member) in members(form, "properties") {
            let path = at.member(name);
            let absent = match required.iter().any(|known| *known == name) {
                true => "",
                false => ", may be absent",
            };
            let mut said = escaped(member["description"].as_str().unwrap_or_default());
            said.push_str(&self.values(member));
            if member["const"].is_null() {
                said.push_str(tag.as_deref().unwrap_or_default());
            }
            let kind = self.kind(member);
            let line = format!("- `{}` ({kind}{absent}): {}", path.steps, said.trim());
            lines.push_str(&wrapped(line.trim_end_matches([':', ' '])));
            lines.push_str(&self.below(member, &path));
        }
        for (_, member) in members(form, "patternProperties") {
            lines.push_str(&self.below(member, &at.member("*")));
        }
        lines
    }

    /// What lies below a member.
    fn below(&mut self, member: &'a Value, at: &Path) -> String {
        let mut lines = String::new();
        for form in self.forms(member) {
            if let Some(name) = named(form) {
                let place = format!("{} `{}`", at.of, at.steps);
                self.places.entry(name).or_default().push(place);
            } else if form["const"].is_null() {
                lines.push_str(&self.lines_of(form, at));
            }
            if form["items"].is_object() {
                lines.push_str(&self.below(&form["items"], &at.then("[]")));
            }
            if form["additionalProperties"].is_object() {
                lines.push_str(&self.below(&form["additionalProperties"], &at.member("*")));
            }
        }
        lines
    }

    /// The forms of a value, but null; types that stand in one place alone are looked into.
    fn forms(&self, schema: &'a Value) -> Vec<&'a Value> {
        if schema["type"] == "null" {
            return Vec::new();
        }
        let mut forms = match schema.get("properties").or(schema.get("type")) {
            Some(_) => vec![schema],
            None => Vec::new(),
        };
        for keyword in ["anyOf", "oneOf", "allOf"] {
            let several = schema[keyword].as_array().into_iter().flatten();
            forms.extend(several.flat_map(|one| self.forms(one)));
        }
        match referred(schema) {
            Some(name)
                if named(schema).is_some() && self.uses.get(name).is_some_and(|n| *n > 1) =>
            {
                forms.push(schema);
            }
            Some(name) => {
                let of_type = self.types.get(name);
                forms.extend(of_type.into_iter().flat_map(|schema| self.forms(schema)));
            }
            None => {}
        }
        forms
    }

    /// The values of an enumeration that has no section of its own.
    fn values(&self, member: &'a Value) -> String {
        let forms = self.forms(member);
        let values = forms.iter().filter_map(|form| {
            let said = form["description"].as_str()?;
            let name = form["const"].as_str()?;
            Some(format!("`{name}`: {}", escaped(said.trim_end_matches('.'))))
        });
        let values: Vec<String> = values.collect();
        match values.is_empty() || !member["const"].is_null() {
            true => String::new(),
            false => format!(" {}.", values.join("; ")),
        }
    }

    /// What a value is, in a few words.
    fn kind(&self, schema: &'a Value) -> String {
        let mut kinds: Vec<String> = Vec::new();
        for form in self.forms(schema) {
            let kind = self.kind_of(form);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let may_be_null = |one: &Value| one["type"] == "null";
        let several = ["anyOf", "oneOf"].map(|keyword| schema[keyword].as_array());
        let mut several = several.into_iter().flatten().flatten();
        let listed = schema["type"].as_array();
        if several.any(may_be_null) || listed.is_some_and(|all| all.iter().any(|t| t == "null")) {
            kinds.push("null".to_owned());
        }
        match kinds.is_empty() {
            true => "anything".to_owned(),
            false => kinds.join(" or "),
        }
    }

    fn kind_of(&self, form: &'a Value) -> String {
        if let Some(name) = named(form) {
            return format!("[{name}](#{})", name.to_lowercase());
        }
        if let Some(value) = form["const"].as_str() {
            return format!("`{value}`");
        }
        if let Some(names) = form["enum"].as_array() {
            let names: Vec<String> = names
                .iter()
                .map(|name| format!("`{}`", text(name)))
                .collect();
            return names.join(" or ");
        }
        let maps = members(form, "patternProperties").map(|(_, member)| member);
        let maps = maps.chain(
            form.get("additionalProperties")
                .filter(|one| one.is_object()),
        );
        let maps: Vec<String> = maps.map(|member| self.kind(member)).collect();
        if !maps.is_empty() && form["properties"].is_null() {
            return format!("object of {}", maps.join(" or "));
        }
        let types: Vec<&str> = match &form["type"] {
            Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        let named = types
            .iter()
            .filter(|name| **name != "null")
            .map(|name| match *name {
                "string" => "text".to_owned(),
                "boolean" => "true or false".to_owned(),
                "array" if form["items"].is_object() => {
                    format!("list of {}", self.kind(&form["items"]))
                }
                "array" => "list".to_owned(),
                other => other.to_owned(),
            });
        named.collect::<Vec<_>>().join(" or ")
    }
}

/// The type that a schema refers to.
fn referred(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.strip_prefix("#/$defs/")
}

/// The same where nothing else is said of the value.
fn named(schema: &Value) -> Option<&str> {
    referred(schema).filter(|_| schema["properties"].is_null())
}

/// Counts how often each type is referred to.
fn count<'a>(value: &'a Value, uses: &mut BTreeMap<&'a str, usize>) {
    if let Some(name) = referred(value) {
        *uses.entry(name).or_default() += 1;
    }
    match value {
        Value::Object(map) => map.values().for_each(|below| count(below, uses)),
        Value::Array(all) => all.iter().for_each(|below| count(below, uses)),
        _ => {}
    }
}

fn members<'a>(schema: &'a Value, keyword: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let map = schema[keyword].as_object();
    map.into_iter()
        .flat_map(Map::iter)
        .map(|(name, value)| (name.as_str(), value))
}

fn described(schema: &Value) -> String {
    escaped(schema["description"].as_str().unwrap_or_default())
}

/// Lines without the indent of a list.
fn paragraph(text: &str) -> String {
    wrapped(text.trim()).replace("\n  ", "\n")
}

/// Where a type stands.
fn stands(places: &[String]) -> String {
    if places.is_empty() {
        return String::new();
    }
    let (named, rest) = places.split_at(places.len().min(PLACES_NAMED));
    let more = match rest.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("At {}{more}.", named.join(", "))
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Text that a page does not take for markup.
fn escaped(text: &str) -> String {
    let code = text.split('`').enumerate().map(|(at, part)| match at % 2 {
        0 => part.replace('<', "&lt;").replace('*', "\\*"),
        _ => part.to_owned(),
    });
    code.collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_have_paths_and_shared_types_sections() {
        let mean = json!({"type": "object", "description": "A mean.", "required": ["value"], "properties": {
            "value": {"type": "number", "description": "Seconds."},
        }});
        let schema = json!({
            "description": "A run.",
            "required": ["load"],
            "properties": {
                "load": {"$ref": "#/$defs/Load", "description": "The load."},
                "ttft": {"$ref": "#/$defs/Mean", "description": "TTFT < 1 s."},
            },
            "$defs": {
                "Mean": mean,
                "Load": {"type": "object", "required": ["rate"], "properties": {
                    "rate": {"anyOf": [{"$ref": "#/$defs/Mean"}, {"type": "null"}], "description": "Asked."},
                    "kind": {"description": "Which.", "oneOf": [
                        {"type": "string", "const": "open", "description": "By instants."},
                        {"type": "string", "const": "closed", "description": "By slots."},
                    ]},
                }},
            },
        });
        let all = [Published {
            name: "run".to_owned(),
            schema,
        }];
        let page = page(&all).expect("a page");
        for line in [
            "- `load` (object): The load.",
            "- `load.rate` ([Mean](#mean) or null): Asked.",
            "- `load.kind` (`open` or `closed`, may be absent): Which. `open`: By instants; `closed`: By slots.",
            "- `ttft` ([Mean](#mean), may be absent): TTFT &lt; 1 s.",
            "A mean. At `run` `load.rate`, `run` `ttft`.",
            "- `value` (number): Seconds.",
        ] {
            assert!(page.contains(line), "no `{line}` in\n{page}");
        }
    }
}
