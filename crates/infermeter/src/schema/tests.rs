//! That the published schemas are those of the types, describe every field, and refuse what is wrong.

use super::{PUBLISHED, Published, made, readable};
use crate::cli::Given;
use crate::{layers, values};
use infermeter_core::key::{Asked, Keyed, broken};
use infermeter_core::plan::Plan;
use jsonschema::Validator;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Set to write the files instead of comparing them: `cargo xtask docs` does.
const WRITE: &str = "INFERMETER_WRITE_SCHEMAS";

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/schemas");

#[test]
fn published_schemas_are_as_the_types_say() {
    let write = std::env::var_os(WRITE).is_some();
    for (name, schema) in made::all() {
        let path = Path::new(FOLDER).join(format!("{name}.json"));
        let text = format!("{schema:#}\n");
        if write {
            std::fs::write(&path, text).expect("written");
            continue;
        }
        let published = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            text == published,
            "docs/src/schemas/{name}.json is not as the types say: `cargo xtask docs` writes it"
        );
    }
}

#[test]
fn the_binary_has_the_files() {
    for published in PUBLISHED {
        let path = Path::new(FOLDER).join(format!("{}.json", published.name));
        let file = std::fs::read_to_string(path).expect("published");
        assert!(
            published.text().expect("packed") == file,
            "{}",
            published.name
        );
    }
}

#[test]
fn every_file_is_published() {
    let files = std::fs::read_dir(FOLDER).expect("the folder");
    let mut files: Vec<String> = files
        .map(|file| {
            file.expect("a file")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    files.sort();
    let mut names: Vec<String> = PUBLISHED
        .iter()
        .map(|p| format!("{}.json", p.name))
        .collect();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn names_are_found_or_suggested() {
    assert_eq!(Published::named("run.json").expect("known").version, 1);
    let error = Published::named("run.jsn")
        .expect_err("unknown")
        .to_string();
    assert!(
        error.starts_with("`run.jsn` is not one of plan, run, run.json, "),
        "{error}"
    );
    assert!(error.ends_with("did you mean `run.json`?"), "{error}");
}

/// Every member of every object is described, and every number says what it is of.
#[test]
fn every_field_is_described() {
    let mut missing = Vec::new();
    for (name, schema) in made::all() {
        let mut look = |path: &str, property: &Map<String, Value>| {
            let said = property.get("description").and_then(Value::as_str);
            let said = said.unwrap_or_default();
            let kind = property
                .get("type")
                .map(Value::to_string)
                .unwrap_or_default();
            let fraction = kind.contains("number") && !kind.contains("string");
            let elsewhere = property
                .get("$ref")
                .is_some_and(|to| to.to_string().contains("#/properties/"));
            if said.is_empty() && property.get("const").is_none() && !elsewhere {
                missing.push(format!("{name}: {path} has no description"));
            } else if fraction && !readable::says_unit(said) {
                missing.push(format!("{name}: {path} says no unit: {said}"));
            }
        };
        visit(&schema, "", &mut look);
    }
    missing.sort();
    missing.dedup();
    assert!(
        missing.is_empty(),
        "{}\n{}",
        missing.len(),
        missing.join("\n")
    );
}

/// A reader looks at the version first, whatever it reads.
#[test]
fn every_value_has_its_version() {
    for (name, schema) in made::all() {
        let is_required = schema["required"]
            .as_array()
            .is_some_and(|names| names.contains(&json!("format_version")));
        let is_fixed = schema.pointer("/properties/format_version/const").is_some();
        // A plan is written by hand, and the version of a ledger stands in its first line.
        let expect = !["plan", "ledger"].contains(&name);
        assert_eq!((is_required, is_fixed), (expect, expect), "{name}");
    }
}

/// Where the name of a member does not say its unit, its type does.
#[test]
fn bounds_are_in_the_unit_of_what_they_bound() {
    let made = made::all();
    let check = |schema: &str, of: &str, member: &str, expect: &str| {
        let (_, schema) = made.iter().find(|(name, _)| *name == schema).expect("made");
        let mut said = Vec::new();
        visit(&schema["$defs"][of], "", &mut |path, property| {
            if path.ends_with(&format!(".{member}")) {
                said.push(property["description"].clone());
            }
        });
        let all_say_it = said.iter().all(|said| said.to_string().contains(expect));
        assert!(all_say_it && !said.is_empty(), "{of}.{member}: {said:?}");
    };
    check("compare", "PairedChange", "low", "as `scale` says");
    check("compare", "Worsening", "upper", "relative, or in points");
    check("gate", "GateDoubt", "baseline", "number of runs");
    check("gate", "GateLine", "baseline", "that of `unit`");
    check("run", "PairedRatio", "high", "ratio");
    check("run", "Rate", "low", "that of `per_s`");
    check("search", "FoundRate", "high", "requests per second");
    check("run", "InFlight", "max", "requests");
    check("run", "LoadPart", "least", "requests");
    check("repeat", "PrecisionLook", "high", "milliseconds");
}

#[test]
fn every_unit_of_a_type_is_that_of_a_member() {
    let made = made::all();
    for (of, members, unit) in readable::OF_TYPES {
        let types = made.iter().map(|(_, schema)| &schema["$defs"][of]);
        let said: String = types.map(Value::to_string).collect();
        assert!(
            said.matches(&format!(" Unit: {unit}.")).count() >= members.len(),
            "{of} has no {members:?}"
        );
    }
}

fn visit(schema: &Value, path: &str, look: &mut impl FnMut(&str, &Map<String, Value>)) {
    let Value::Object(schema) = schema else {
        return;
    };
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            ("properties", Value::Object(all)) => {
                for (name, property) in all {
                    let path = format!("{path}.{name}");
                    if let Value::Object(property) = property {
                        look(&path, property);
                    }
                    visit(property, &path, look);
                }
            }
            ("$defs" | "patternProperties", Value::Object(all)) => {
                for (name, one) in all {
                    visit(one, name, look);
                }
            }
            ("anyOf" | "oneOf" | "allOf" | "prefixItems", Value::Array(all)) => {
                for one in all {
                    visit(one, path, look);
                }
            }
            ("items" | "additionalProperties", one) => visit(one, path, look),
            _ => {}
        }
    }
}

fn validator(name: &str) -> Validator {
    let made = made::all();
    let (_, schema) = made
        .iter()
        .find(|(known, _)| *known == name)
        .expect("published");
    jsonschema::draft202012::new(schema).expect("a schema")
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
    let schema = validator("plan");
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
        assert!(schema.is_valid(&plan), "{plan}");
        assert!(read(&plan), "{plan}");
    }
    let defaults = serde_json::to_value(Plan::defaults()).expect("JSON");
    assert!(schema.is_valid(&defaults));
    for key in Plan::KEYS.iter().filter(|key| !key.example.is_empty()) {
        let plan = json!({key.name: key.example});
        assert!(schema.is_valid(&plan), "{plan}");
    }
}

#[test]
fn bad_plans_are_not() {
    let schema = validator("plan");
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
        assert!(!schema.is_valid(&plan), "{plan}");
        assert!(!read(&plan), "{plan}");
    }
}
