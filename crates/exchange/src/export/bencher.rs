//! Bencher Metric Format: benchmarks by name, each with measures by slug, each with a value and its bounds.
//!
//! A benchmark is named by what was measured (model, load), not by the run's directory, so that tomorrow's run
//! continues today's line. Invariant: a measure without a finite value is left out.

use super::figures::{self, Figure};
use super::loss;
use super::out::Out;
use super::run::ExportedRun;
use super::setup::rate;
use super::{Losses, Writer};
use infermeter_core::text::inert;
use infermeter_metrics::origin::Origin;
use serde_json::{Map, Value, json};
use std::io;

/// Longest name of a benchmark that Bencher takes, bytes.
const MOST_NAME: usize = 1_024;

/// Benchmarks in the making.
#[derive(Default)]
pub(crate) struct Metrics {
    benchmarks: Map<String, Value>,
}

impl Writer for Metrics {
    fn run(&mut self, run: &ExportedRun<'_>, _out: &mut dyn Out) -> io::Result<Losses> {
        let origin = run.summary.headline_origin;
        let mut measures = Map::new();
        for figure in figures::of(run.summary) {
            let headline = figure.origin.is_none_or(|of| of == origin);
            let followed = !["std", "min", "max"].contains(&figure.statistic.as_str());
            let kept = headline && followed && !figure.with_failures;
            if let Some(measure) = measure(&figure).filter(|_| kept) {
                measures.insert(slug(&figure), measure);
            }
        }
        let name = self.unused(&name(run));
        self.benchmarks.insert(name, Value::Object(measures));
        let other = match origin {
            Origin::Intended => "latencies from the send",
            Origin::Send => "latencies from the intended send",
        };
        let mut losses = vec![other.to_owned()];
        losses.extend(loss::untimed(run));
        Ok(losses)
    }

    fn end(&mut self, out: &mut dyn Out) -> io::Result<()> {
        let out = out.file("bencher.json")?;
        serde_json::to_writer_pretty(&mut *out, &self.benchmarks)?;
        out.write_all(b"\n")
    }
}

impl Metrics {
    /// A name that no other run has: repeats are numbered.
    fn unused(&self, name: &str) -> String {
        let numbered = |n: usize| match n {
            1 => name.to_owned(),
            n => format!("{name} #{n}"),
        };
        let mut names = (1..).map(numbered);
        let free = names.find(|name| !self.benchmarks.contains_key(name));
        free.unwrap_or_default()
    }
}

/// What was measured.
fn name(run: &ExportedRun<'_>) -> String {
    let plan = &run.manifest.plan;
    let load = match (rate(run.manifest), plan.concurrency) {
        (Some(rate), _) => format!("{rate} requests/s"),
        (None, Some(slots)) => format!("concurrency {slots}"),
        (None, None) => "its own load".to_owned(),
    };
    let label = plan.label.clone().unwrap_or_default();
    let side = run.variant.map(|n| format!("variant {n}"));
    let parts = [
        Some(run.manifest.model.clone()),
        Some(label),
        side,
        Some(load),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .filter(|p| !p.is_empty())
        .collect();
    inert(&parts.join(" / "), MOST_NAME - 16)
}

/// `ttft-p99`, `output-throughput`: letters, digits and hyphens.
fn slug(figure: &Figure) -> String {
    let metric = figure.metric.replace('_', "-");
    match figure.statistic.as_str() {
        "rate" | "share" => metric,
        statistic => format!("{metric}-{}", statistic.replace('.', "-")),
    }
}

fn measure(figure: &Figure) -> Option<Value> {
    let value = figure.value.filter(|v| v.is_finite())?;
    let mut measure = Map::new();
    measure.insert("value".to_owned(), json!(value));
    for (name, bound) in [("lower_value", figure.low), ("upper_value", figure.high)] {
        if let Some(bound) = bound.filter(|b| b.is_finite()) {
            measure.insert(name.to_owned(), json!(bound));
        }
    }
    Some(Value::Object(measure))
}
