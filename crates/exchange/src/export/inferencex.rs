//! A row of InferenceX, as its transport has it: a list of one.
//!
//! Latencies are seconds, `intvty` the reciprocal of TPOT; throughputs are per accelerator. A row is of a closed
//! loop. Invariant: what is per accelerator is absent where nobody says how many there are.

use super::foreign::Foreign;
use super::loss;
use super::out::Out;
use super::run::ExportedRun;
use super::setup::SetUp;
use super::spread::Spread;
use super::{Losses, Writer};
use infermeter_audit::facts::Metric;
use infermeter_audit::vocabulary::{INFERENCEX, Quantity};
use infermeter_core::declared::Subject;
use serde_json::{Map, Value, json};
use std::io;

/// A row.
pub(crate) struct Row;

impl Writer for Row {
    fn run(&mut self, run: &ExportedRun<'_>, out: &mut dyn Out) -> io::Result<Losses> {
        let foreign = Foreign::of(run)?;
        let set_up = SetUp::of(run.manifest);
        let mut losses = loss::of_run(run, &foreign);
        if set_up.gpus().is_none() {
            losses.push("throughput per GPU: give their number with --gpus".to_owned());
        }
        if run.manifest.plan.concurrency.is_none() {
            losses.push("the load: a row is of a closed loop, and has no rate".to_owned());
        }
        let out = out.file("agg_bmk.json")?;
        let row = Value::Object(row(run, &foreign, &set_up));
        serde_json::to_writer_pretty(&mut *out, &[row])?;
        out.write_all(b"\n")?;
        Ok(losses)
    }
}

fn row(run: &ExportedRun<'_>, foreign: &Foreign<'_>, set_up: &SetUp<'_>) -> Map<String, Value> {
    let mut row = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            row.insert(name.to_owned(), value);
        }
    };
    let mean = |of: &Option<Spread>| of.as_ref().map(|s| json!(s.mean.round() as u64));
    let said = |subject, name| set_up.text(subject, name).map(|text| json!(text));
    put("hw", said(Subject::Hardware, "gpu"));
    put("conc", run.manifest.plan.concurrency.map(|n| json!(n)));
    put("model", Some(json!(run.manifest.model)));
    put("framework", set_up.engine().map(|engine| json!(engine)));
    put("precision", said(Subject::Model, "quantisation"));
    put("spec_decoding", said(Subject::Engine, "speculation"));
    put("isl", mean(&foreign.input_lengths));
    put("osl", mean(&foreign.output_lengths));
    for name in ["tp", "pp"] {
        put(name, set_up.parallel(name).map(|n| json!(n)));
    }
    let per_gpu = |of: Quantity| {
        let gpus = set_up.gpus().filter(|n| *n > 0)?;
        Some(json!(foreign.figure(of)? / gpus as f64))
    };
    put("tput_per_gpu", per_gpu(Quantity::TotalRate));
    put("input_tput_per_gpu", per_gpu(Quantity::InputRate));
    for term in INFERENCEX {
        match (term.ours, foreign.spread(term.ours)) {
            (Quantity::OutputRatePerGpu, _) => put(term.theirs, per_gpu(Quantity::OutputRate)),
            (_, Some(spread)) => {
                for (name, seconds) in of_spread(term.theirs, spread, term.factor) {
                    put(&name, Some(json!(seconds)));
                }
            }
            (_, None) => {}
        }
    }
    if let Some(tpot) = foreign.spread(Quantity::Latency(Metric::Tpot)) {
        for (name, per_s) in interactivity(tpot) {
            put(&name, Some(json!(per_s)));
        }
    }
    put(
        "num_requests_total",
        Some(json!(foreign.completed + foreign.failed)),
    );
    put("num_requests_successful", Some(json!(foreign.completed)));
    put("infermeter_verdict", Some(json!(run.verdict.as_str())));
    row
}

fn of_spread(name: &str, of: &Spread, factor: f64) -> Vec<(String, f64)> {
    let member = |statistic: &str, value: f64| (format!("{statistic}_{name}"), value / factor);
    let mut members = vec![member("mean", of.mean), member("std", of.std)];
    members.extend(of.percentile(50.0).map(|median| member("median", median)));
    let percentiles = of.percentiles.iter();
    members.extend(percentiles.map(|(p, value)| member(&format!("p{p}"), *value)));
    members
}

/// The reciprocals of TPOT, tokens per second. That of its deviation would mean nothing.
fn interactivity(tpot: &Spread) -> Vec<(String, f64)> {
    let per_s = of_spread("intvty", tpot, 1.0).into_iter();
    per_s
        .filter(|(name, ms)| !name.starts_with("std") && *ms > 0.0)
        .map(|(name, ms)| (name, 1e3 / ms))
        .collect()
}
