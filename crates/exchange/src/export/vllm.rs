//! `vllm bench serve --save-result --save-detailed`, and the summary of `vllm bench sweep`.
//!
//! Their keys, in their order, and one of ours (`infermeter`) for what they have no place for; a sweep's records are
//! flat. Figures are computed from the record by their definitions. Invariant: the arrays are in the order of
//! requests, failed ones among them: 0, no gaps and an error there, as theirs have it.

use super::foreign::{Foreign, e2e_ms, is_completed, ttft_ms};
use super::loss;
use super::out::Out;
use super::run::ExportedRun;
use super::setup::{SetUp, burstiness, rate};
use super::spread::Spread;
use super::{Losses, Writer};
use infermeter_audit::vocabulary::{Quantity, VLLM};
use infermeter_core::clock::Offset;
use infermeter_core::oddity::Oddity;
use infermeter_core::plan::Endpoint;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::run::LoadModel;
use infermeter_core::schedule::Phase;
use infermeter_core::text::inert;
use infermeter_metrics::facts::RequestFacts;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Longest error kept, bytes.
const MOST_TEXT: usize = 1_024;

/// One run.
pub(crate) struct Result;

/// Several, each a flat record.
#[derive(Default)]
pub(crate) struct Sweep {
    records: Vec<Value>,
}

impl Writer for Result {
    fn run(&mut self, run: &ExportedRun<'_>, out: &mut dyn Out) -> io::Result<Losses> {
        let foreign = Foreign::of(run)?;
        let mut members = summary(run, &foreign)?;
        let statistics = statistics(&foreign);
        members.extend(own(run));
        let out = out.file("vllm.json")?;
        let head = serde_json::to_string(&members)?;
        out.write_all(head.strip_suffix('}').unwrap_or(&head).as_bytes())?;
        arrays(run, &foreign, out)?;
        for (name, value) in statistics {
            write!(out, ", {}: {value}", json!(name))?;
        }
        out.write_all(b"}\n")?;
        Ok(loss::of_run(run, &foreign))
    }
}

impl Writer for Sweep {
    fn run(&mut self, run: &ExportedRun<'_>, _out: &mut dyn Out) -> io::Result<Losses> {
        let foreign = Foreign::of(run)?;
        let mut record = parallelism(run);
        record.extend(summary(run, &foreign)?);
        record.extend(statistics(&foreign));
        record.insert("infermeter_run".to_owned(), json!(run.name));
        record.insert("infermeter_verdict".to_owned(), json!(run.verdict.as_str()));
        self.records.push(Value::Object(record));
        Ok(loss::of_run(run, &foreign))
    }

    fn end(&mut self, out: &mut dyn Out) -> io::Result<()> {
        let out = out.file("summary.json")?;
        serde_json::to_writer_pretty(&mut *out, &self.records)?;
        out.write_all(b"\n")
    }
}

/// What the engine was declared to be split into, by the names that the plots look for.
fn parallelism(run: &ExportedRun<'_>) -> Map<String, Value> {
    let set_up = SetUp::of(run.manifest);
    let names = [
        ("tensor_parallel_size", "tp"),
        ("pipeline_parallel_size", "pp"),
        ("data_parallel_size", "dp"),
    ];
    let known = names.into_iter().filter_map(|(theirs, ours)| {
        let n = set_up.parallel(ours)?;
        Some((theirs.to_owned(), json!(n)))
    });
    known.collect()
}

/// Everything but arrays and distributions.
fn summary(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> io::Result<Map<String, Value>> {
    let (manifest, plan) = (run.manifest, &run.manifest.plan);
    let backend = match plan.endpoint {
        Endpoint::Chat => "openai-chat",
        Endpoint::Completions => "openai",
        Endpoint::Embeddings => "openai-embeddings",
        Endpoint::Messages | Endpoint::Responses | Endpoint::Rerank => plan.endpoint.api().name,
    };
    let request_rate = match (manifest.load_model, rate(manifest)) {
        (LoadModel::ClosedLoop, _) => json!("inf"),
        (LoadModel::OpenLoop | LoadModel::Imported | LoadModel::Observed, rate) => json!(rate),
    };
    let mut members = Map::new();
    let mut put = |name: &str, value: Value| {
        members.insert(name.to_owned(), value);
    };
    if let Some(begun) = run.begun() {
        put("date", json!(date(&begun)));
    }
    if run.is_planned() {
        put("endpoint_type", json!(backend));
        put("backend", json!(backend));
        put("tokenizer_id", json!(plan.tokenizer));
        put("burstiness", burstiness(plan));
    }
    put("label", json!(plan.label));
    put("model_id", json!(manifest.model));
    put("num_prompts", json!(foreign.requests.len()));
    // Null says that there was none; of an import, that nobody knows.
    let of_load = [
        ("request_rate", request_rate),
        ("max_concurrency", json!(plan.concurrency)),
    ];
    for (name, value) in of_load {
        if run.is_planned() || !value.is_null() {
            put(name, value);
        }
    }
    for term in VLLM {
        // Their Rust client alone has it, and is told by it.
        let figure = foreign.figure(term.ours);
        if let Some(value) = figure.filter(|_| term.ours != Quantity::InputRate) {
            put(term.theirs, number(term.ours, value / term.factor));
        }
    }
    put("request_goodput", Value::Null);
    if let Some(concurrent) = most_concurrent(run, foreign) {
        put("max_concurrent_requests", json!(concurrent));
    }
    if let Some(chunks) = most_chunks_per_s(run, foreign)? {
        put("max_output_tokens_per_s", json!(chunks as f64));
    }
    Ok(members)
}

/// Counts are whole numbers there, rates and times are not.
fn number(of: Quantity, value: f64) -> Value {
    match of {
        Quantity::Completed | Quantity::Failed | Quantity::InputTokens | Quantity::OutputTokens => {
            json!(value.round() as u64)
        }
        _ => json!(value),
    }
}

/// `20261130-093000`.
fn date(begun: &str) -> String {
    let digits: String = begun.chars().filter(char::is_ascii_digit).collect();
    match (digits.get(..8), digits.get(8..14)) {
        (Some(day), Some(time)) => format!("{day}-{time}"),
        _ => digits,
    }
}

fn statistics(foreign: &Foreign<'_>) -> Vec<(String, Value)> {
    let mut members = Vec::new();
    for term in VLLM {
        if let Some(spread) = foreign.spread(term.ours) {
            members.extend(of_spread(term.theirs, spread, term.factor));
        }
    }
    members
}

fn of_spread(metric: &str, of: &Spread, factor: f64) -> Vec<(String, Value)> {
    let member = |statistic: &str, value: f64| {
        let name = format!("{statistic}_{metric}_ms");
        (name, json!(value / factor))
    };
    let mut members = vec![member("mean", of.mean)];
    members.extend(of.percentile(50.0).map(|median| member("median", median)));
    members.push(member("std", of.std));
    let percentiles = of.percentiles.iter();
    members.extend(percentiles.map(|(p, value)| member(&format!("p{p}"), *value)));
    members
}

/// What their keys have no place for.
fn own(run: &ExportedRun<'_>) -> Option<(String, Value)> {
    let findings: Vec<&str> = run.findings().iter().map(|f| f.code.as_str()).collect();
    let value = json!({
        "infermeter_version": run.manifest.infermeter_version,
        "run_id": run.manifest.run_id,
        "run": run.name,
        "verdict": run.verdict.as_str(),
        "findings": findings,
        "definitions": "latencies from the send; throughputs from the first send to the last end",
    });
    Some(("infermeter".to_owned(), value))
}

/// Their arrays, a request at a time, one after the other.
fn arrays(run: &ExportedRun<'_>, foreign: &Foreign<'_>, out: &mut dyn Write) -> io::Result<()> {
    let requests = &foreign.requests;
    let number = |of: fn(&RequestFacts) -> Option<f64>| {
        move |r: &RequestFacts| json!(of(r).filter(|_| is_completed(r)).unwrap_or(0.0) / 1e3)
    };
    let input: Option<Vec<u32>> = requests.iter().map(|r| r.input_tokens()).collect();
    if let Some(input) = input {
        array(out, "input_lens", input.into_iter().map(|n| json!(n)))?;
    }
    if foreign.output_lengths.is_some() || foreign.completed == 0 {
        let tokens = |r: &RequestFacts| r.output_token_count().filter(|_| is_completed(r));
        let lengths = requests.iter().map(|r| json!(tokens(r).unwrap_or(0)));
        array(out, "output_lens", lengths)?;
    }
    if run.collected.streaming {
        array(out, "ttfts", requests.iter().map(|r| number(ttft_ms)(r)))?;
    }
    if has_chunks(run, foreign) {
        gaps(run, out)?;
    } else {
        array(out, "latencies", requests.iter().map(|r| number(e2e_ms)(r)))?;
    }
    if run.is_timed() {
        let starts = requests.iter().filter_map(|r| r.send_start);
        let starts = starts.map(|at| json!(at.0 as f64 / 1e9));
        array(out, "start_times", starts)?;
    }
    errors(run, out)
}

fn array(out: &mut dyn Write, name: &str, values: impl Iterator<Item = Value>) -> io::Result<()> {
    write!(out, ", \"{name}\": [")?;
    for (index, value) in values.enumerate() {
        let joint = if index == 0 { "" } else { ", " };
        write!(out, "{joint}{value}")?;
    }
    out.write_all(b"]")
}

/// An array with an element for every measured request that was sent, from its record.
fn of_records(
    run: &ExportedRun<'_>,
    out: &mut dyn Write,
    name: &str,
    each: &dyn Fn(&RequestRecord, &mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    write!(out, ", \"{name}\": [")?;
    let mut joint = "";
    run.records.each(&mut |record| {
        if record.phase != Phase::Measure || record.send_start.is_none() {
            return Ok(());
        }
        out.write_all(joint.as_bytes())?;
        joint = ", ";
        each(record, out)
    })?;
    out.write_all(b"]")
}

/// Whether the instant of every chunk is known: of some imports only the first and the last are.
fn has_chunks(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> bool {
    let alone = |r: &&RequestFacts| r.oddities.contains(Oddity::EndsAlone);
    run.collected.streaming && !foreign.requests.iter().any(alone)
}

fn gaps(run: &ExportedRun<'_>, out: &mut dyn Write) -> io::Result<()> {
    of_records(run, out, "itls", &|record, out| {
        out.write_all(b"[")?;
        // A failed request has none there, whatever came of its answer.
        let chunks = match record.outcome {
            Outcome::Completed => record.chunks.as_slice(),
            _ => &[],
        };
        for (index, pair) in chunks.windows(2).enumerate() {
            let joint = if index == 0 { "" } else { ", " };
            let gap = pair[1].at.since(pair[0].at) as f64 / 1e9;
            write!(out, "{joint}{}", json!(gap))?;
        }
        out.write_all(b"]")
    })
}

fn errors(run: &ExportedRun<'_>, out: &mut dyn Write) -> io::Result<()> {
    of_records(run, out, "errors", &|record, out| {
        let said = match &record.error {
            Some(error) => format!("{}: {}", error.reason.as_str(), error.text),
            None => String::new(),
        };
        write!(out, "{}", json!(inert(&said, MOST_TEXT)))
    })
}

/// Seconds since the first send of a completed request, by which theirs counts.
struct Seconds {
    first: Offset,
}

impl Seconds {
    /// `None` where no request completed, or nobody knows when.
    fn of(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> Option<Self> {
        let completed = foreign.requests.iter().filter(|r| is_completed(r));
        let first = completed.filter_map(|r| r.send_start).min();
        let first = first.filter(|_| run.is_timed())?;
        Some(Self { first })
    }

    fn at(&self, at: Offset) -> i64 {
        at.since(self.first).max(0) / 1_000_000_000
    }
}

/// The most completed requests that were in flight at any time within one second: theirs counts a request in each
/// second that it touches.
fn most_concurrent(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> Option<u64> {
    let seconds = Seconds::of(run, foreign)?;
    // What changes with a second: a request may last longer than it would be wise to count by the second.
    let mut changes: BTreeMap<i64, i64> = BTreeMap::new();
    for request in foreign.requests.iter().filter(|r| is_completed(r)) {
        let end = super::foreign::end(request);
        if let Some((start, end)) = request.send_start.zip(end) {
            *changes.entry(seconds.at(start)).or_default() += 1;
            *changes.entry(seconds.at(end) + 1).or_default() -= 1;
        }
    }
    let running = changes.into_values().scan(0, |now, change| {
        *now += change;
        Some(*now)
    });
    running.max().map(|most: i64| most.max(0) as u64)
}

/// The most chunks of completed requests within one second: theirs counts each as a token.
fn most_chunks_per_s(run: &ExportedRun<'_>, foreign: &Foreign<'_>) -> io::Result<Option<u64>> {
    let seconds = Seconds::of(run, foreign).filter(|_| has_chunks(run, foreign));
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    let mut chunks: BTreeMap<i64, u64> = BTreeMap::new();
    run.records.each(&mut |record| {
        if record.phase == Phase::Measure && record.outcome == Outcome::Completed {
            for chunk in &record.chunks {
                *chunks.entry(seconds.at(chunk.at)).or_default() += 1;
            }
        }
        Ok(())
    })?;
    Ok(chunks.into_values().max())
}
