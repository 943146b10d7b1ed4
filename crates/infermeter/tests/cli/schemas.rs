//! The published schemas against what is really written: every value that a test of this suite reads through
//! [`Ran::json`](crate::process::Ran::json) or [`manifest`](crate::process::manifest) is held against its schema,
//! and here the rest.

use crate::process::{Going, LIGHT, Scratch, UNPROBED, infermeter, manifest, mock, run, words};
use infermeter_record::unpack;
use jsonschema::Validator;
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{LazyLock, Mutex};

/// A schema as it is published, and one that refuses members that it does not describe.
#[derive(Clone)]
struct Pair {
    published: std::sync::Arc<Validator>,
    strict: std::sync::Arc<Validator>,
}

fn pair(name: &str) -> Pair {
    static KNOWN: LazyLock<Mutex<HashMap<String, Pair>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let made = known.entry(name.to_owned()).or_insert_with(|| {
        let schema: Value =
            serde_json::from_str(&infermeter(&format!("schema {name}")).out).expect("JSON");
        let of = |schema: &Value| {
            jsonschema::draft202012::new(schema)
                .expect("a schema")
                .into()
        };
        let mut strict = schema.clone();
        closed(&mut strict, &schema["$defs"]);
        Pair {
            published: of(&schema),
            strict: of(&strict),
        }
    });
    made.clone()
}

/// Refuses members that are not described.
fn closed(schema: &mut Value, types: &Value) {
    let Value::Object(map) = schema else { return };
    for keyword in ["properties", "patternProperties", "$defs"] {
        if let Some(Value::Object(all)) = map.get_mut(keyword) {
            all.values_mut().for_each(|one| closed(one, types));
        }
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(one) = map.get_mut(keyword) {
            closed(one, types);
        }
    }
    let is_object = map.contains_key("properties");
    if let Some(Value::Array(all)) = map.get_mut("prefixItems") {
        all.iter_mut().for_each(|one| closed(one, types));
    }
    for keyword in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(all)) = map.get_mut(keyword) {
            // What is said of the same object as the members here is not all of it.
            let each = all.iter_mut();
            each.for_each(|one| {
                if is_object {
                    inside(one, types)
                } else {
                    closed(one, types)
                }
            });
        }
    }
    if !is_object {
        return;
    }
    if let Some(whole) = open_type(map, types) {
        map.remove("$ref");
        map.insert("allOf".to_owned(), json!([whole]));
    }
    if !map.contains_key("additionalProperties") {
        map.insert("unevaluatedProperties".to_owned(), json!(false));
    }
}

/// The type that an object refers to beside its own members, as it is.
fn open_type(map: &Map<String, Value>, types: &Value) -> Option<Value> {
    let name = map.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
    let mut whole = types[name].clone();
    inside(&mut whole, types);
    Some(whole)
}

/// Closes what lies below the members of an object, not the object.
fn inside(schema: &mut Value, types: &Value) {
    if let Some(Value::Object(all)) = schema.get_mut("properties") {
        all.values_mut().for_each(|one| closed(one, types));
    }
}

/// The schema of a value that a command has printed, by what stands in it.
fn schema_of(value: &Value) -> Option<&'static str> {
    let marks: [(&str, &[&str]); 27] = [
        ("bench", &["configurations", "bench"]),
        ("coldstart", &["asked", "found"]),
        ("run", &["headline", "summary"]),
        ("shadow", &["tee_delay", "ends"]),
        ("record", &["left_out", "texts"]),
        ("repeat", &["repeated"]),
        ("sweep", &["curves", "sentences"]),
        ("sweeps", &["sweeps"]),
        ("search", &["search", "sentence"]),
        ("compare", &["comparison"]),
        ("gate", &["decision", "candidate"]),
        ("capacity", &["sizings", "traffic"]),
        ("audit", &["dimensions", "checks"]),
        ("list", &["folder", "entries"]),
        ("doctor", &["worst", "checks"]),
        ("calibrate", &["machine", "limits"]),
        ("rungs", &["rungs", "missing"]),
        ("dry-runs", &["one_run"]),
        ("dry-run", &["dry_run"]),
        ("inspect", &["rows", "rank_correlation"]),
        ("verify", &["holds", "recomputed_by"]),
        ("metering", &["agrees", "joined_by"]),
        ("history-show", &["occasion", "series"]),
        ("history-trend", &["plans", "/plans/0/trend"]),
        ("history-list", &["plans", "damaged"]),
        ("history-add", &["/runs/0/result"]),
        ("schemas", &["schemas"]),
    ];
    let is_there = |name: &&str| match name.starts_with('/') {
        true => value.pointer(name).is_some(),
        false => value.get(name).is_some(),
    };
    let has = |(_, names): &&(&str, &[&str])| names.iter().all(&is_there);
    marks.iter().find(has).map(|(name, _)| *name)
}

/// A value that a command has printed is as its schema says, and has nothing that is not described.
#[track_caller]
pub fn fits(value: &Value) {
    match schema_of(value) {
        Some(name) => is_a(name, value),
        None => panic!("which schema describes this? {value:#}"),
    }
}

#[track_caller]
pub fn is_a(name: &str, value: &Value) {
    let pair = pair(name);
    for (how, validator) in [("published", &pair.published), ("strict", &pair.strict)] {
        let errors: Vec<String> = validator
            .iter_errors(value)
            .take(5)
            .map(|error| {
                let text = error.to_string();
                format!(
                    "{}: {}",
                    error.instance_path(),
                    &text[..text.len().min(600)]
                )
            })
            .collect();
        assert!(
            errors.is_empty(),
            "not a {how} `{name}`:\n{}",
            errors.join("\n")
        );
    }
}

/// Every origin that a value names: as a member, and as what something is counted from.
fn origins(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, below) in map {
                if ["intended", "send"].contains(&name.as_str()) {
                    found.push(name.clone());
                }
                if name.ends_with("origin") {
                    found.extend(below.as_str().map(str::to_owned));
                }
                origins(below, found);
            }
        }
        Value::Array(all) => all.iter().for_each(|below| origins(below, found)),
        _ => {}
    }
}

#[track_caller]
fn has_origins(line: &str, expect: &[&str]) {
    let light = "--warmup 0 --threads 1";
    let ran = infermeter(&format!("run {} {light} {UNPROBED} {line} --json", mock()));
    let value = ran.json();
    let mut found = Vec::new();
    origins(&value["headline"], &mut found);
    origins(&value["summary"], &mut found);
    found.sort();
    found.dedup();
    assert_eq!(found, expect, "{line}");
}

#[test]
fn origins_that_mean_nothing_for_a_load_are_absent() {
    let scratch = Scratch::new();
    let rows = ["46.0", "46.1", "46.2"].map(|at| format!("2023-11-16 18:15:{at},16,4\n"));
    let rows = format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{}", rows.concat());
    let trace = scratch.file("t.csv", &rows);
    let both = ["intended", "send"];
    for open in [
        "--workload fixed:16,4 --rate 50 --requests 6".to_owned(),
        "--workload fixed:16,4 --rate 50 --requests 6 --arrival constant".to_owned(),
        "--workload fixed:16,4 --rate 20 --duration 1s --sessions turns=2 --sessions think=10ms"
            .to_owned(),
        format!("--trace {trace}"),
    ] {
        let out = scratch.path(&format!("open{}", open.len()));
        has_origins(&format!("{open} --out {}", out.display()), &both);
    }
    for (at, closed) in [
        "--workload fixed:16,4 --concurrency 2 --requests 6",
        "--workload fixed:16,4 --concurrency 2 --requests 6 --no-stream",
        "--workload fixed:16,4 --concurrency 2 --duration 500ms --sessions turns=2 --sessions think=10ms",
    ]
    .into_iter()
    .enumerate()
    {
        let out = scratch.path(&format!("closed{at}"));
        has_origins(&format!("{closed} --out {}", out.display()), &["send"]);
    }
}

/// Of such runs nearly everything is absent.
#[test]
fn runs_without_an_answer_are_described_too() {
    let late = run(mock(), "--timeout 1us --json");
    let printed = late.ran.json();
    assert_eq!(printed["headline"]["completed"], 0);
    assert!(printed["headline"].get("ttft").is_none());
    is_a("run.json", &late.manifest());
    let scratch = Scratch::new();
    for (name, of) in [
        ("none", "--requests 1 --warmup 0"),
        ("closed", "--concurrency 1 --duration 1ms"),
    ] {
        let out = scratch.path(name);
        let rate = if name == "none" { "--rate 50" } else { "" };
        let line = format!(
            "run {} {rate} {of} {UNPROBED} --timeout 1us --json --out {}",
            mock(),
            out.display()
        );
        infermeter(&line).json();
        infermeter(&format!("report {} --json --series", out.display())).json();
    }
}

#[test]
fn the_file_of_a_run_and_its_series_are_described() {
    let run = run(mock(), "--slo ttft.p50<10s --fluidity 1s/100ms --json");
    let printed = run.ran.json();
    assert!(printed["headline"]["goodput"].is_object(), "{printed}");
    is_a("run.json", &run.manifest());
    let series = infermeter(&format!("report {} --json --series", run.dir.display())).json();
    assert!(series["series"].is_object());
    let listed = infermeter(&format!("list {} --json", run.dir.display())).json();
    assert_eq!(listed["entries"][0]["kind"], "run");
    let audited = infermeter(&format!("audit {} --json", run.dir.display())).json();
    assert!(audited["checks"].is_array());
}

/// Records whose summary has other figures than this version's: those from before the first release.
const OTHER_SUMMARY: [&str; 4] = ["closed", "no-stream", "open", "sessions"];

/// Records of earlier versions are valid, but for the summaries named above; `report` brings these up to date.
#[test]
fn records_of_earlier_versions_are_described() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records");
    let schema = pair("run.json").published;
    let mut seen = Vec::new();
    for entry in fs::read_dir(kept).expect("records") {
        let dir = entry.expect("an entry").path();
        let Ok(text) = fs::read_to_string(dir.join("run.json")) else {
            continue;
        };
        let mut value: Value = serde_json::from_str(&text).expect("JSON");
        let name = dir
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if OTHER_SUMMARY.contains(&name.as_str()) {
            assert!(!schema.is_valid(&value), "{name}");
            value["summary"] = Value::Null;
        }
        let errors = schema.iter_errors(&value);
        let errors =
            errors.map(|error| format!("{}: {:.300}", error.instance_path(), error.to_string()));
        let errors: Vec<String> = errors.collect();
        assert!(errors.is_empty(), "{name}:\n{}", errors.join("\n"));
        let scratch = Scratch::new();
        let copy = scratch.path("run");
        fs::create_dir(&copy).expect("created");
        for file in fs::read_dir(&dir).expect("listed") {
            let file = file.expect("a file");
            fs::copy(file.path(), copy.join(file.file_name())).expect("copied");
        }
        infermeter(&format!("report {} --json", copy.display())).json();
        manifest(&copy);
        seen.push(name);
    }
    assert_eq!(seen.len(), 11, "{seen:?}");
}

/// The lines of the ledger of an experiment, each of which is as the schema says.
#[track_caller]
pub fn ledger(dir: &Path) -> Vec<Value> {
    let text = fs::read_to_string(dir.join("experiment.ledger")).expect("a ledger");
    let lines = text.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(&line[9..]).expect("JSON"))
        .collect();
    lines.iter().for_each(|line| is_a("ledger", line));
    lines
}

#[test]
fn ledgers_of_every_protocol_are_described() {
    let scratch = Scratch::new();
    let light = "--workload fixed:16,2 --threads 1";
    let short = format!("{light} --warmup 0");
    let mock = mock();
    for (name, line) in [
        (
            "sweep",
            format!("sweep {mock} {short} {UNPROBED} --rates 20,30 --looks 1 --duration 200ms"),
        ),
        (
            "compare",
            format!(
                "compare {mock} {mock} {short} {UNPROBED} --rate 20 --duration 200ms --rounds 2"
            ),
        ),
    ] {
        let out = scratch.path(name);
        infermeter(&format!("{line} --json --out {}", out.display())).json();
        let lines = ledger(&out);
        assert_eq!(lines[0]["asked"]["protocol"]["name"], name);
        assert!(lines.len() > 1, "{lines:#?}");
    }
    // Whole, it would take longer than all else here.
    let out = scratch.path("search");
    let line = format!(
        "search {mock} {light} {UNPROBED} --slo ttft.p50<10s --out {}",
        out.display()
    );
    let mut going = Going::start(&words(&line));
    going.until_says("At most");
    going.signal(Signal::KILL);
    going.end();
    assert_eq!(ledger(&out)[0]["asked"]["protocol"]["name"], "search");
}

#[test]
fn bundles_and_histories_are_described() {
    let scratch = Scratch::new();
    let run = run(mock(), "");
    let bundle = scratch.path("bundle.tar.gz").display().to_string();
    infermeter(&format!("bundle {} --out {bundle}", run.dir.display()));
    let unpacked = unpack(Path::new(&bundle), &scratch.path("unpacked")).expect("a bundle");
    is_a("bundle.json", &json!(unpacked.manifest));
    let verified = infermeter(&format!("verify {bundle} --json")).json();
    assert_eq!(schema_of(&verified), Some("verify"));
    let folder = scratch.path("nightly").display().to_string();
    let said = |line: &str, name: &str| {
        let value = infermeter(&format!("history {line} --json")).json();
        assert_eq!(schema_of(&value), Some(name), "{value:#}");
        value
    };
    said(&format!("add {folder} {bundle}"), "history-add");
    let listed = said(&format!("list {folder}"), "history-list");
    said(&format!("trend {folder}"), "history-trend");
    let id = listed["plans"][0]["runs"][0]["run_id"]
        .as_str()
        .expect("an id");
    said(&format!("show {folder} {id}"), "history-show");
    let lines = fs::read_to_string(scratch.path("nightly/history.jsonl")).expect("a history");
    for line in lines.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        is_a("history-show", &line["entry"]);
    }
    let schemas = infermeter("schema --json").json();
    assert_eq!(schema_of(&schemas), Some("schemas"));
}

#[test]
fn lines_of_a_ledger_are_described() {
    let scratch = Scratch::new();
    let out = scratch.path("e");
    let ran = infermeter(&format!(
        "run {} {LIGHT} {UNPROBED} --repeat 2 --json --out {}",
        mock(),
        out.display()
    ));
    assert_eq!(ran.json()["runs"].as_array().map(Vec::len), Some(2));
    let lines = ledger(&out);
    assert_eq!(lines.len(), 3);
    let mut wrong = lines[1].clone();
    wrong["seen"]["state"] = json!("gone");
    assert!(!pair("ledger").published.is_valid(&wrong), "{wrong}");
}

#[test]
fn a_printed_plan_is_a_plan_in_every_language() {
    let schema = pair("plan").published;
    for line in [
        "run http://h --concurrency 3 --requests 9",
        "run http://h --rate 5 --duration 5s --slo 'ttft.p99<500ms' --header 'x-a: b'",
        "compare http://a http://b --rate 5 --duration 5s",
    ] {
        let printed = infermeter(&format!("{line} --print-config")).out;
        let plan: toml::Table = toml::from_str(&printed).expect("TOML");
        let plan = serde_json::to_value(plan).expect("JSON");
        let errors: Vec<String> = schema.iter_errors(&plan).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{line}: {errors:#?}");
        let scratch = Scratch::new();
        // JSON is YAML, too.
        for (name, text) in [("plan.toml", printed), ("plan.yaml", plan.to_string())] {
            let file = scratch.file(name, &text);
            let command = line.split(' ').next().unwrap_or_default();
            let ran = infermeter(&format!("{command} --config {file} --dry-run"));
            assert_eq!(ran.code, Some(0), "{name}: {ran:#?}");
        }
        let mut wrong = plan;
        wrong["raet"] = json!(5);
        assert!(!schema.is_valid(&wrong));
    }
}

/// Each change makes a value invalid.
#[test]
fn what_is_wrong_is_refused() {
    let run = run(mock(), "--json");
    let printed = run.ran.json();
    let schema = pair("run").published;
    assert!(schema.is_valid(&printed));
    for (pointer, wrong) in [
        ("/headline/requests", json!("6")),
        ("/headline/ttft/p50/value", json!("fast")),
        ("/headline/ttft/p50/grade", json!("good")),
        ("/summary/load_model", json!("ajar")),
        ("/verdict", json!("fine")),
        ("/verdict", json!(null)),
        ("/findings", json!({})),
        ("/seeds/workload", json!(-1)),
        ("/format_version", json!(2)),
        ("/summary/latency/stalls/count", json!(1.5)),
    ] {
        let mut changed = printed.clone();
        *changed
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("no {pointer}")) = wrong;
        assert!(!schema.is_valid(&changed), "{pointer}");
    }
    for (pointer, member) in [
        ("", "summary"),
        ("/headline", "origin"),
        ("/summary/requests", "measured"),
    ] {
        let mut changed = printed.clone();
        let map = changed
            .pointer_mut(pointer)
            .and_then(Value::as_object_mut)
            .expect("an object");
        map.remove(member).expect("a member");
        assert!(!schema.is_valid(&changed), "{pointer}/{member}");
    }
    let mut more = printed;
    more["headline"]["luck"] = json!(7);
    assert!(schema.is_valid(&more), "a later version may add members");
    assert!(!pair("run").strict.is_valid(&more));
}

#[test]
fn schemas_are_listed_and_printed() {
    let listed = infermeter("schema");
    assert_eq!(listed.code, Some(0), "{listed:#?}");
    assert!(listed.out.contains("run.json"), "{}", listed.out);
    let list: Value = serde_json::from_str(&infermeter("schema --json").out).expect("JSON");
    for one in list["schemas"].as_array().expect("a list") {
        let name = one["name"].as_str().expect("a name");
        let schema: Value =
            serde_json::from_str(&infermeter(&format!("schema {name}")).out).expect("JSON");
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
        assert_eq!(schema["$id"], one["id"]);
        assert!(jsonschema::meta::is_valid(&schema), "{name}");
    }
    let markdown = infermeter("schema --format markdown");
    assert!(markdown.out.contains("run --json"), "{}", markdown.out);
}

#[test]
fn what_is_not_there_is_refused() {
    infermeter("schema plam").fails(
        2,
        &["`plam` is not one of plan, run", "did you mean `plan`?"],
    );
    infermeter("schema run --format-version 7")
        .fails(2, &["--format-version 7: `run` has version 1 here"]);
    infermeter("schema --format-version 1").fails(2, &["is of one schema: name it"]);
    infermeter("schema run --format markdown").fails(2, &["a schema is JSON"]);
    infermeter("schema run --markdown").fails(2, &["a schema is JSON"]);
    infermeter("schema run --format xml").fails(2, &["`xml` is not one of"]);
    assert_eq!(infermeter("schema run --format json").code, Some(0));
}
