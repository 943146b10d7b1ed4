//! AIPerf: `profile_export.jsonl`, a request a line, and `profile_export_aiperf.json`, statistics by tag.
//!
//! Its "inter_token_latency" is TPOT and its "inter_chunk_latency" the chunk gap. Tokens are the server's, as with
//! its `--use-server-token-count`. Invariant: what a request lacks is no member of its line.

use super::foreign::{Foreign, e2e_ms, is_completed, tpot_ms, ttft_ms};
use super::loss;
use super::out::Out;
use super::run::ExportedRun;
use super::setup::{SetUp, rate};
use super::spread::Spread;
use super::{Losses, Writer};
use infermeter_audit::vocabulary::{AIPERF, Quantity};
use infermeter_core::clock::Offset;
use infermeter_core::plan::ArrivalKind;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::run::RunState;
use infermeter_core::text::inert;
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io;

/// Longest error kept, bytes.
const MOST_TEXT: usize = 1_024;

/// The files of a run.
pub(crate) struct Aiperf;

impl Writer for Aiperf {
    fn run(&mut self, run: &ExportedRun<'_>, out: &mut dyn Out) -> io::Result<Losses> {
        let foreign = Foreign::of(run)?;
        lines(run, &foreign, out)?;
        let out = out.file("profile_export_aiperf.json")?;
        serde_json::to_writer_pretty(&mut *out, &summary(run, &foreign))?;
        out.write_all(b"\n")?;
        Ok(loss::of_run(run, &foreign))
    }
}

fn lines(run: &ExportedRun<'_>, foreign: &Foreign<'_>, out: &mut dyn Out) -> io::Result<()> {
    let out = out.file("profile_export.jsonl")?;
    let mut requests = foreign.requests.iter().peekable();
    let mut number = 0;
    run.records.each(&mut |record| {
        let Some(of) = requests.next_if(|r| r.id == record.id) else {
            return Ok(());
        };
        let line = line(run, of, record, number);
        number += 1;
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    })
}

fn line(run: &ExportedRun<'_>, of: &RequestFacts, record: &RequestRecord, number: u64) -> Value {
    let session = of.turn.map_or(of.id, |turn| turn.session);
    let error = record.error.as_ref().map(|error| {
        json!({
            "code": of.status,
            "type": error.reason.as_str(),
            "message": inert(&error.text, MOST_TEXT),
        })
    });
    let mut metadata = Map::new();
    let mut put = |name: &str, value: Value| {
        metadata.insert(name.to_owned(), value);
    };
    put("session_num", json!(number));
    let id = format!("{}-{}", run.manifest.run_id, of.id);
    put("x_request_id", json!(id));
    put("conversation_id", json!(format!("session_{session:06}")));
    put("turn_index", json!(of.turn.map_or(0, |turn| turn.number)));
    for (name, at) in instants(of) {
        if let Some(at) = at.filter(|_| run.is_timed()) {
            // Of a run without a date they count from its first send, as what is read back as no date.
            put(name, json!(run.manifest.clock.realtime_origin_ns + at.0));
        }
    }
    put("worker_id", json!("infermeter"));
    put("record_processor_id", json!("infermeter"));
    put("benchmark_phase", json!("profiling"));
    if run.is_planned() {
        put("was_cancelled", json!(of.outcome == Outcome::Cancelled));
    }
    json!({
        "metadata": metadata,
        "metrics": metrics(run, of, record),
        "error": error,
    })
}

fn instants(of: &RequestFacts) -> [(&'static str, Option<Offset>); 3] {
    let end = super::foreign::end(of).or(of.send_start);
    [
        ("request_start_ns", of.send_start),
        ("request_ack_ns", of.first_byte),
        ("request_end_ns", end),
    ]
}

fn metrics(run: &ExportedRun<'_>, of: &RequestFacts, record: &RequestRecord) -> Map<String, Value> {
    let mut members = Map::new();
    if !is_completed(of) {
        return members;
    }
    let streams = run.collected.streaming;
    let mut put = |name: &str, value: Option<Value>, unit: &str| {
        if let Some(value) = value {
            members.insert(name.to_owned(), json!({ "value": value, "unit": unit }));
        }
    };
    let number = |x: Option<f64>| x.filter(|x| x.is_finite()).map(|x| json!(x));
    let ttfo = RequestMetric::Ttfo.value_ms(of, Origin::Send);
    put("request_latency", number(e2e_ms(of)), "ms");
    if streams {
        let gaps: Vec<f64> = record
            .chunks
            .windows(2)
            .map(|pair| pair[1].at.since(pair[0].at) as f64 / 1e6)
            .collect();
        let per_s = tpot_ms(of).filter(|ms| *ms > 0.0).map(|ms| 1e3 / ms);
        put("time_to_first_token", number(ttft_ms(of)), "ms");
        put("time_to_first_output_token", number(ttfo), "ms");
        put("inter_token_latency", number(tpot_ms(of)), "ms");
        put(
            "output_token_throughput_per_user",
            number(per_s),
            "tokens/sec/user",
        );
        let known = !gaps.is_empty() && !record.knows_ends_alone();
        put("inter_chunk_latency", known.then(|| json!(gaps)), "ms");
    }
    for (name, count) in counts(run, of) {
        put(name, count.map(|n| json!(n)), "tokens");
    }
    let reused = of.new_connection.map(|new| json!(u8::from(!new)));
    put("http_req_connection_reused", reused, "ratio");
    members
}

/// Its "output_token_count" is without the tokens of the reasoning, its "output_sequence_length" with them.
fn counts(run: &ExportedRun<'_>, of: &RequestFacts) -> [(&'static str, Option<u64>); 7] {
    let output = of.output_token_count();
    let reasoning = of.reasoning_tokens.map(u64::from);
    let answer = match reasoning {
        Some(reasoning) => output.and_then(|all| all.checked_sub(reasoning)),
        // A server that does not count them may still have sent some.
        None => output.filter(|_| !of.chunks.reasoning && run.is_planned()),
    };
    [
        ("output_sequence_length", output),
        ("output_token_count", answer),
        ("reasoning_token_count", reasoning),
        ("usage_completion_tokens", of.output_tokens.map(u64::from)),
        ("input_sequence_length", of.input_tokens().map(u64::from)),
        ("usage_prompt_tokens", of.prompt_tokens.map(u64::from)),
        (
            "usage_prompt_cache_read_tokens",
            of.cached_tokens.map(u64::from),
        ),
    ]
}

fn summary(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> Value {
    let manifest = run.manifest;
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    put("schema_version", json!("1.4"));
    let version = &manifest.infermeter_version;
    put(
        "aiperf_version",
        json!(format!("written by infermeter {version}")),
    );
    put("benchmark_id", json!(manifest.run_id));
    let single = |unit: &str, value: f64| json!({ "unit": unit, "avg": value });
    put(
        "request_count",
        single("requests", foreign.completed as f64),
    );
    put(
        "error_request_count",
        single("requests", foreign.failed as f64),
    );
    if let Some(seconds) = foreign.duration_s() {
        put("benchmark_duration", single("sec", seconds));
    }
    for term in AIPERF {
        if let Some(spread) = foreign.spread(term.ours) {
            put(term.theirs, of_spread(unit(term.ours), spread));
        } else if let Some(value) = foreign.figure(term.ours) {
            put(term.theirs, single(unit(term.ours), value));
        }
    }
    if let Some(spread) = &foreign.input_lengths {
        put("input_sequence_length", of_spread("tokens", spread));
    }
    if let Some(speeds) = speeds(run, foreign) {
        let unit = "tokens/sec/user";
        put("output_token_throughput_per_user", of_spread(unit, &speeds));
    }
    let gpus = SetUp::of(run.manifest).gpus().filter(|n| *n > 0);
    if let (Some(gpus), Some(rate)) = (gpus, foreign.figure(Quantity::OutputRate)) {
        let each = single("tokens/sec/gpu", rate / gpus as f64);
        put("output_token_throughput_per_gpu", each);
    }
    put("input_config", input_config(run, foreign));
    if let Some(cancelled) = was_cancelled(run) {
        put("was_cancelled", json!(cancelled));
    }
    put("error_summary", errors(foreign));
    if let Some((first, last)) = foreign.span {
        for (name, at) in [("start_time", first), ("end_time", last)] {
            if let Some(at) = (run.real_time)(at) {
                put(name, json!(at));
            }
        }
    }
    put(
        "infermeter",
        json!({
            "verdict": run.verdict.as_str(),
            "findings": run.findings().iter().map(|f| f.code.as_str()).collect::<Vec<_>>(),
        }),
    );
    Value::Object(members)
}

/// Tokens per second that the user of each request saw: 1 / TPOT, as its lines have them.
fn speeds(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> Option<Spread> {
    let completed = foreign.requests.iter().filter(|r| is_completed(r));
    let ms = completed.filter_map(|r| tpot_ms(r)).filter(|ms| *ms > 0.0);
    let each = ms.map(|ms| 1e3 / ms).filter(|speed| speed.is_finite());
    run.collected
        .streaming
        .then(|| Spread::of(each.collect()))?
}

/// Whether the run was ended before its time; an import does not say it of its tool's.
fn was_cancelled(run: &ExportedRun<'_>) -> Option<bool> {
    match run.manifest.state {
        _ if !run.is_planned() => None,
        RunState::Running => None,
        RunState::Finished => Some(false),
        RunState::Interrupted => Some(true),
    }
}

/// How many requests failed of each reason.
fn errors(foreign: &Foreign<'_>) -> Value {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for reason in foreign.requests.iter().filter_map(|r| r.reason) {
        *counts.entry(reason.as_str()).or_default() += 1;
    }
    let of = |(reason, count)| {
        let details = json!({ "type": reason, "message": reason });
        json!({ "error_details": details, "count": count })
    };
    counts.into_iter().map(of).collect()
}

fn unit(of: Quantity) -> &'static str {
    match of {
        Quantity::Latency(_) | Quantity::SendLag => "ms",
        Quantity::OutputLength => "tokens",
        Quantity::RequestRate => "requests/sec",
        _ => "tokens/sec",
    }
}

fn of_spread(unit: &str, of: &Spread) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    put("unit", json!(unit));
    put("avg", json!(of.mean));
    for (p, value) in &of.percentiles {
        // Its percentiles are whole.
        if p.fract() == 0.0 {
            put(&format!("p{p}"), json!(value));
        }
    }
    put("min", json!(of.min));
    put("max", json!(of.max));
    put("std", json!(of.std));
    put("count", json!(of.n));
    put("sum", json!(of.sum()));
    Value::Object(members)
}

fn input_config(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> Value {
    let plan = &run.manifest.plan;
    let rate = rate(run.manifest);
    let kind = match (rate, plan.arrival) {
        _ if !run.is_planned() => None,
        (None, _) => Some("concurrency"),
        (Some(_), ArrivalKind::Poisson) => Some("poisson"),
        (Some(_), ArrivalKind::Constant) => Some("constant"),
        (Some(_), ArrivalKind::Gamma | ArrivalKind::Weibull) => Some("gamma"),
    };
    let mut phase = Map::new();
    let mut put = |name: &str, value: Value| {
        phase.insert(name.to_owned(), value);
    };
    put("name", json!("profiling"));
    put("kind", json!("profiling"));
    if let Some(kind) = kind {
        put("type", json!(kind));
    }
    put("requests", json!(foreign.requests.len()));
    if let Some(rate) = rate {
        put("rate", json!(rate));
    }
    if let Some(slots) = plan.concurrency {
        put("concurrency", json!(slots));
    }
    let concurrency = plan.concurrency;
    let mut endpoint = Map::new();
    let mut put = |name: &str, value: Value| {
        endpoint.insert(name.to_owned(), value);
    };
    put("model_names", json!([run.manifest.model]));
    put("streaming", json!(run.collected.streaming));
    if run.is_planned() {
        put("urls", json!([plan.target]));
        put("use_server_token_count", json!(true));
    }
    json!({
        "models": { "items": [{ "name": run.manifest.model }] },
        "endpoint": endpoint,
        "loadgen": { "concurrency": concurrency, "request_rate": rate },
        "phases": [phase],
    })
}
