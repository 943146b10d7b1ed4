//! What a file loses it cannot answer for: every leaf of every sample is deleted in turn.
//!
//! Without a field a check may stay as it was, or no longer be able to tell. It must not change its
//! mind, but for checks of what is reported at all, which then fail.

use super::samples::{SAMPLES, VLLM_PLAIN};
use super::{Kind, Side, audit, checks, read};
use infermeter_audit::{Format, Scope};
use serde_json::Value;
use std::collections::BTreeMap;

/// Checks that something is reported: they fail where it is not.
const OF_ABSENCE: [&str; 8] = [
    "throughput-without-latency",
    "latency-without-throughput",
    "one-phase-only",
    "per-gpu-missing",
    "normalised-hides-stalls",
    "averages-alone",
    "no-distribution",
    "variance-unreported",
];

/// Checks of a claim, with what names the claim: one that is not made cannot be wrong.
const OF_CLAIMS: [(&str, &[&str]); 4] = [
    ("percentile-unsupported", &["p99", "percentile"]),
    ("tail-ratio", &["p99", "Time To First Token", "first token"]),
    ("throughput-disagrees", &["per_second"]),
    (
        "p99-is-max",
        &["p99", "inter_token_latency", "prefill.latency"],
    ),
];

fn is_the_claim(code: &str, leaf: &str) -> bool {
    let claims = OF_CLAIMS.iter().filter(|(of, _)| *of == code);
    claims
        .flat_map(|(_, names)| *names)
        .any(|name| leaf.contains(name))
}

/// Every text that is a sample less one leaf, with the name of the leaf.
fn without_one(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.lines().collect();
    if let Ok(whole) = serde_json::from_str::<Value>(text) {
        return without_one_member(&whole);
    }
    if lines.iter().all(|l| l.starts_with('{')) {
        let mut out = Vec::new();
        for (i, line) in lines.iter().enumerate() {
            let value: Value = serde_json::from_str(line).expect("a line of JSON");
            for (name, less) in without_one_member(&value) {
                let mut lines: Vec<String> = lines.iter().map(|l| (*l).to_owned()).collect();
                lines[i] = less;
                out.push((format!("line {i}: {name}"), lines.join("\n")));
            }
        }
        return out;
    }
    let mut out = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let mut fewer = lines.clone();
        fewer.remove(i);
        out.push((format!("line {i} ({line})"), fewer.join("\n")));
        for cell in 1..cells_of(line).len() {
            let mut cells = cells_of(line);
            let heading = cells_of(lines[0]).get(cell).copied().unwrap_or("");
            let name = format!("line {i}, {heading} of {}", cells[0]);
            cells[cell] = "";
            let line = cells.join(",");
            let mut changed = lines.clone();
            changed[i] = &line;
            out.push((name, changed.join("\n")));
        }
    }
    out
}

/// The cells of a line of CSV, quotes and all.
fn cells_of(line: &str) -> Vec<&str> {
    let mut quoted = false;
    let commas = |c: char| {
        quoted ^= c == '"';
        c == ',' && !quoted
    };
    line.split(commas).collect()
}

fn without_one_member(value: &Value) -> Vec<(String, String)> {
    let mut paths = Vec::new();
    paths_of(value, &mut Vec::new(), &mut paths);
    let less = |path: Vec<String>| {
        let mut value = value.clone();
        delete(&mut value, &path);
        (path.join("."), value.to_string())
    };
    paths.into_iter().map(less).collect()
}

/// Members of objects at any depth; of a list the first element, the others are alike.
fn paths_of(value: &Value, path: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(map) => {
            for (name, member) in map {
                path.push(name.clone());
                out.push(path.clone());
                paths_of(member, path, out);
                path.pop();
            }
        }
        Value::Array(list) => {
            if let Some(first) = list.first() {
                path.push("0".to_owned());
                paths_of(first, path, out);
                path.pop();
            }
        }
        _ => {}
    }
}

fn delete(value: &mut Value, path: &[String]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    let inner = match value {
        Value::Object(map) if rest.is_empty() => {
            map.shift_remove(first);
            return;
        }
        Value::Object(map) => map.get_mut(first),
        Value::Array(list) => list.first_mut(),
        _ => None,
    };
    if let Some(inner) = inner {
        delete(inner, rest);
    }
}

fn answers(text: &str) -> Option<BTreeMap<&'static str, (Kind, String)>> {
    let results = read(text.as_bytes()).ok()?;
    let outcomes = checks(results).into_iter();
    Some(
        outcomes
            .map(|c| {
                (
                    c.code,
                    (c.answer, c.evidence.or(c.missing).unwrap_or_default()),
                )
            })
            .collect(),
    )
}

#[test]
fn no_deleted_leaf_changes_an_answer() {
    let mut wrong = Vec::new();
    let mut deletions = 0;
    for (text, format) in SAMPLES {
        let before = answers(text).expect("a sample is readable");
        for (leaf, less) in without_one(text) {
            deletions += 1;
            let Some(after) = answers(&less) else {
                continue;
            };
            for (code, (was, _)) in &before {
                let (is, why) = &after[code];
                let absent = *is == Kind::Fail && OF_ABSENCE.contains(code);
                let withdrawn = *is == Kind::Pass && is_the_claim(code, &leaf);
                let excused = absent || withdrawn;
                let told = matches!(is, Kind::Pass | Kind::Fail);
                if told && is != was && !excused {
                    wrong.push(format!(
                        "{} without {leaf}: {code} {was:?} -> {is:?} {why}",
                        format.label()
                    ));
                }
            }
        }
    }
    assert!(deletions > 1000, "{deletions}");
    assert!(
        wrong.is_empty(),
        "{} of {deletions}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Files that hold what their format is told by, and nothing else.
const EMPTY: [(&str, Format); 14] = [
    (
        r#"{"completed": "", "duration": "", "total_token_throughput": ""}"#,
        Format::Vllm,
    ),
    (
        r#"{"completed": "", "duration": "", "total_output_tokens_retokenized": ""}"#,
        Format::Sglang,
    ),
    (
        r#"{"aiperf_version": "", "request_latency": {"avg": ""}}"#,
        Format::Aiperf,
    ),
    (
        r#"{"input_config": {}, "request_latency": {"avg": ""}}"#,
        Format::GenaiPerf,
    ),
    (r#"{"benchmarks": [{"metrics": {}}]}"#, Format::Guidellm),
    (
        r#"{"benchmarks": [{"metrics": {}, "args": {"strategy": {}}}]}"#,
        Format::Guidellm,
    ),
    (r#"{"successes": {"latency": {}}}"#, Format::InferencePerf),
    (
        r#"{"results_num_requests_started": "", "num_concurrent_requests": ""}"#,
        Format::Llmperf,
    ),
    (
        r#"[{"ttft_s": "", "end_to_end_latency_s": ""}]"#,
        Format::Llmperf,
    ),
    (
        r#"{"aggregated_metrics": {"stats": {}}}"#,
        Format::GenaiBench,
    ),
    (
        r#"{"version": "", "results": {"request_performance": {}}}"#,
        Format::Llmd,
    ),
    (
        r#"{"n_samples_issued": "", "n_samples_completed": "", "duration_ns": ""}"#,
        Format::MlperfEndpoints,
    ),
    (
        "MLPerf Results Summary\nScenario : Server\n",
        Format::MlperfLoadgen,
    ),
    (
        ":::MLLOG {\"key\": \"effective_scenario\", \"value\": \"Server\"}\n",
        Format::MlperfLoadgen,
    ),
];

/// What is known of a tool whatever its file says: llmperf keeps a number of requests in flight, and
/// LoadGen's scenario is what its file is told by.
const KNOWN: [(Format, &str); 4] = [
    (Format::Llmperf, "all-at-once"),
    (Format::MlperfLoadgen, "all-at-once"),
    (Format::MlperfLoadgen, "closed-loop"),
    (Format::MlperfLoadgen, "constant-arrivals"),
];

#[test]
fn an_empty_file_passes_nothing() {
    let mut told = Vec::new();
    for (text, format) in EMPTY {
        let results = read(text.as_bytes()).expect("of a known format");
        assert_eq!(results[0].format, format);
        for outcome in checks(results) {
            let known = KNOWN.contains(&(format, outcome.code));
            if !known && matches!(outcome.answer, Kind::Pass | Kind::Fail) {
                told.push(format!(
                    "{:?} {} {:?}",
                    format, outcome.code, outcome.answer
                ));
            }
        }
    }
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// A result of vllm bench serve with a set-up, and one that differs from it in everything.
fn two_results() -> [Value; 2] {
    let mut one: Value = serde_json::from_str(VLLM_PLAIN).expect("JSON");
    for (name, value) in [
        ("engine", "vllm"),
        ("engine_version", "0.11"),
        ("gpu", "H100"),
        ("gpu_count", "8"),
        ("tp", "8"),
        ("dtype", "bf16"),
        ("dataset_name", "sharegpt"),
        ("seed", "1"),
    ] {
        one[name] = value.into();
    }
    let mut other = one.clone();
    for (name, value) in [
        ("engine", "sglang"),
        ("gpu", "H200"),
        ("gpu_count", "16"),
        ("tp", "16"),
        ("dtype", "fp8"),
        ("model_id", "another"),
        ("tokenizer_id", "another"),
        ("dataset_name", "random"),
        ("seed", "2"),
        ("date", "20270101-000000"),
    ] {
        other[name] = value.into();
    }
    let scaled = |value: &Value, by: f64| Value::from(value.as_f64().expect("a number") * by);
    for (name, by) in [
        ("request_throughput", 1.5),
        ("output_throughput", 1.5),
        ("mean_ttft_ms", 2.0),
        ("p99_ttft_ms", 2.0),
        ("total_input_tokens", 2.0),
    ] {
        other[name] = scaled(&one[name], by);
    }
    [one, other]
}

fn compared(one: &str, other: &str) -> Option<BTreeMap<&'static str, (Kind, String)>> {
    let side = |name: &str, text: &str| {
        let results = read(text.as_bytes()).ok()?;
        let name = name.to_owned();
        Some(Side { name, results })
    };
    let sides = [side("one", one)?, side("other", other)?];
    let checks = audit(&sides).checks.into_iter();
    let pairs = checks.filter(|c| c.scope == Scope::Comparison);
    Some(
        pairs
            .map(|c| {
                (
                    c.code,
                    (c.answer, c.evidence.or(c.missing).unwrap_or_default()),
                )
            })
            .collect(),
    )
}

#[test]
fn no_deleted_leaf_changes_a_comparison() {
    let [one, other] = two_results();
    let one = one.to_string();
    let before = compared(&one, &other.to_string()).expect("two sides");
    let failed = before.values().filter(|(kind, _)| *kind == Kind::Fail);
    assert!(failed.count() >= 7, "{before:#?}");
    let mut wrong = Vec::new();
    for (leaf, less) in without_one_member(&other) {
        for after in [compared(&one, &less), compared(&less, &one)]
            .into_iter()
            .flatten()
        {
            for (code, (was, _)) in &before {
                let (is, why) = &after[code];
                let told = matches!(is, Kind::Pass | Kind::Fail);
                if told && is != was {
                    wrong.push(format!("without {leaf}: {code} {was:?} -> {is:?} {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
