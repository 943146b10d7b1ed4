//! llm-d Benchmark Report 0.2.1: one report, as JSON.
//!
//! Units stand beside every statistic, so ours go in as they are. It has no place for intervals or an origin; where
//! the text says what was measured, that is said. Invariant: the report validates against its published schema.

use super::foreign::Foreign;
use super::loss;
use super::out::Out;
use super::run::ExportedRun;
use super::setup::{SetUp, rate};
use super::spread::Spread;
use super::{Losses, Writer};
use infermeter_audit::facts::Metric;
use infermeter_audit::vocabulary::{LLMD, Quantity};
use infermeter_core::declared::Subject;
use infermeter_core::run::RunManifest;
use serde_json::{Map, Value, json};
use std::io;

/// A report.
pub(crate) struct Report;

impl Writer for Report {
    fn run(&mut self, run: &ExportedRun<'_>, out: &mut dyn Out) -> io::Result<Losses> {
        let foreign = Foreign::of(run)?;
        let report = json!({
            "version": "0.2.1",
            "run": of_run(run, &foreign),
            "scenario": { "stack": [stack(run)], "load": load(run, &foreign) },
            "results": { "request_performance": { "aggregate": aggregate(&foreign) } },
        });
        let out = out.file("benchmark_report.json")?;
        serde_json::to_writer_pretty(&mut *out, &report)?;
        out.write_all(b"\n")?;
        Ok(loss::of_run(run, &foreign))
    }
}

fn of_run(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> Value {
    let verdict = run.verdict.as_str();
    let mut keywords = vec![format!("infermeter-verdict:{verdict}")];
    let codes = run
        .findings()
        .iter()
        .map(|f| format!("infermeter-finding:{}", f.code));
    keywords.extend(codes);
    let mut time = Map::new();
    if let Some((first, last)) = foreign.span {
        let ends = [("start", first), ("end", last)];
        let dated = ends
            .into_iter()
            .filter_map(|(name, at)| Some((name, (run.real_time)(at)?)));
        time.extend(dated.map(|(name, at)| (name.to_owned(), json!(at))));
    }
    if let Some(seconds) = foreign.duration_s() {
        time.insert("duration".to_owned(), json!(format!("PT{seconds}S")));
    }
    json!({
        "uid": run.manifest.run_id,
        "time": time,
        "description": format!(
            "infermeter {}, {verdict}: latencies from the send, throughputs from the first send to the last end",
            run.manifest.infermeter_version
        ),
        "keywords": keywords,
    })
}

/// The server, as far as it was declared. Where no accelerator is named, or nobody says how the model is split over
/// them, the part is a generic one: the schema takes no engine without.
fn stack(run: &ExportedRun<'_>) -> Value {
    let set_up = SetUp::of(run.manifest);
    let unknown = || "unknown".to_owned();
    let version = set_up.text(Subject::Engine, "version");
    let version = version.or_else(|| run.manifest.environment.target.version.clone());
    let tool = set_up.engine().unwrap_or_else(unknown);
    let version = version.unwrap_or_else(unknown);
    let gpu = set_up.text(Subject::Hardware, "gpu").zip(set_up.gpus());
    let standardized = match gpu.zip(set_up.split()) {
        None => json!({ "kind": "generic", "tool": tool, "tool_version": version }),
        Some(((model, count), split)) => json!({
            "kind": "inference_engine",
            "tool": tool,
            "tool_version": version,
            "role": "aggregate",
            "replicas": 1,
            "model": { "name": run.manifest.model },
            "accelerator": {
                "model": model,
                "count": count,
                "parallelism": {
                    "dp": split.dp,
                    "dp_local": split.dp,
                    "workers": 1,
                    "ep": set_up.parallel("ep").unwrap_or(1),
                    "pp": split.pp,
                    "tp": split.tp,
                },
            },
        }),
    };
    json!({
        "metadata": { "label": "server", "cfg_id": run.manifest.plan_hash },
        "standardized": standardized,
        "native": { "config": { "model": run.manifest.model } },
    })
}

fn load(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> Value {
    let manifest = run.manifest;
    let mut standardized = Map::new();
    let mut put = |name: &str, value: Value| {
        standardized.insert(name.to_owned(), value);
    };
    let (tool, version) = tool(manifest);
    put("tool", json!(tool));
    put("tool_version", json!(version));
    if run.is_planned() {
        put("parallelism", json!(manifest.clients.len().max(1)));
    }
    put("source", json!(source(manifest)));
    put("stage", json!(0));
    if let Some(input) = &foreign.input_lengths {
        put("input_seq_len", lengths(input));
    }
    if let Some(output) = &foreign.output_lengths {
        put("output_seq_len", lengths(output));
    }
    if let Some(rate) = rate(manifest).filter(|rate| *rate > 0.0) {
        put("rate_qps", json!(rate));
    }
    if let Some(slots) = manifest.plan.concurrency {
        put("concurrency", json!(slots));
    }
    json!({
        "metadata": { "cfg_id": manifest.plan_hash },
        "standardized": standardized,
        "native": { "config": { "run_id": manifest.run_id, "plan_hash": manifest.plan_hash } },
    })
}

/// Who sent the load, and its version.
fn tool(manifest: &RunManifest) -> (&str, &str) {
    match &manifest.imported {
        Some(of) => (&of.tool, of.tool_version.as_deref().unwrap_or("unknown")),
        None => ("infermeter", &manifest.infermeter_version),
    }
}

fn source(manifest: &RunManifest) -> &'static str {
    let plan = &manifest.plan;
    match (plan.dataset.is_some(), plan.workload_file.is_some()) {
        _ if !manifest.load_model.is_ours() => "unknown",
        (true, _) => "sampled",
        (false, true) => "unknown",
        (false, false) => "random",
    }
}

/// Lengths as they came.
fn lengths(of: &Spread) -> Value {
    if of.min == of.max {
        return json!({ "distribution": "fixed", "value": of.mean });
    }
    json!({
        "distribution": "other",
        "value": of.mean,
        "std_dev": of.std,
        "min": of.min as u64,
        "max": of.max.max(1.0) as u64,
    })
}

fn aggregate(foreign: &Foreign<'_>) -> Value {
    let mut requests = Map::new();
    let total = foreign.completed + foreign.failed;
    requests.insert("total".to_owned(), json!(total));
    requests.insert("failures".to_owned(), json!(foreign.failed));
    let lengths = [
        ("input_length", &foreign.input_lengths),
        ("output_length", &foreign.output_lengths),
    ];
    for (name, spread) in lengths {
        if let Some(spread) = spread {
            requests.insert(name.to_owned(), of_spread("count", spread));
        }
    }
    let (mut latency, mut throughput) = (Map::new(), Map::new());
    for term in LLMD {
        let name = term.theirs.to_owned();
        if let Some(spread) = foreign.spread(term.ours) {
            latency.insert(name, of_spread(unit(term.ours), spread));
        } else if let Some(rate) = foreign.figure(term.ours) {
            throughput.insert(name, json!({ "units": unit(term.ours), "mean": rate }));
        }
    }
    json!({ "requests": requests, "latency": latency, "throughput": throughput })
}

fn unit(of: Quantity) -> &'static str {
    match of {
        Quantity::Latency(Metric::Tpot | Metric::Ntpot | Metric::Itl) => "ms/token",
        Quantity::Latency(_) => "ms",
        Quantity::RequestRate => "queries/s",
        _ => "tokens/s",
    }
}

fn of_spread(units: &str, of: &Spread) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    put("units", json!(units));
    put("mean", json!(of.mean));
    put("stddev", json!(of.std));
    put("min", json!(of.min));
    for (p, value) in &of.percentiles {
        put(
            &format!("p{}", p.to_string().replace('.', "p")),
            json!(value),
        );
    }
    put("max", json!(of.max));
    Value::Object(members)
}
