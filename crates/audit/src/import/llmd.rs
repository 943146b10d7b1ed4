//! llm-d Benchmark Report, 0.1 and 0.2, as JSON or YAML.
//!
//! Units are named in the file and read from there; NTPOT and TPOT have their own names.

use super::statistics::statistics;
use crate::facts::{Facts, LoadModel, SetupItem, Statistics};
use crate::format::Format;
use crate::json::{at, list, number, text, unit_in_ms};
use crate::vocabulary::LLMD;
use serde_json::Value;

/// Translates a report.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::Llmd);
    facts.date = text(value, "run.time.start").or_else(|| text(value, "run.time"));
    let newer = at(value, "results.request_performance.aggregate");
    let root = newer.or_else(|| at(value, "metrics"));
    if let Some(root) = root {
        performance(&mut facts, root);
    }
    if newer.is_none() {
        facts.load.duration_s = number(value, "metrics.time.duration");
    }
    load(&mut facts, value);
    stack(&mut facts, value);
    facts.translate_all(LLMD);
    facts
}

fn performance(facts: &mut Facts, root: &Value) {
    let family = |name: &str| {
        let object = at(root, &format!("latency.{name}"));
        let object = object.and_then(|o| Some((o, unit_in_ms(o, "units")?)));
        object.map_or_else(Statistics::default, |(object, factor)| {
            statistics(object, factor)
        })
    };
    let single = |name: &str| rate(root, &[name, &older(name)]);
    facts.take(LLMD, family, single);
    let total = number(root, "requests.total");
    let failures = number(root, "requests.failures");
    let cut = number(root, "requests.incomplete").unwrap_or(0.0);
    facts.counts.failed = failures;
    facts.counts.completed = total.zip(failures).map(|(all, bad)| all - bad - cut);
    facts.load.asked_requests = total.map(|all| all - cut);
    let lengths = |name: &str| {
        at(root, &format!("requests.{name}"))
            .map(|object| statistics(object, 1.0))
            .filter(|s: &Statistics| !s.is_empty())
    };
    facts.tokens.input_lengths = lengths("input_length");
    facts.tokens.output_lengths = lengths("output_length");
    let times = |s: &Option<Statistics>| Some(s.as_ref()?.mean? * facts.counts.completed?);
    let (input, output) = (
        times(&facts.tokens.input_lengths),
        times(&facts.tokens.output_lengths),
    );
    facts.tokens.input = input;
    facts.tokens.output = output;
}

/// The name of a rate in 0.1: `output_tokens_per_sec` for `output_token_rate`.
fn older(name: &str) -> String {
    name.replace("_rate", "s_per_sec")
}

/// A throughput: a number, or statistics with a mean.
fn rate(root: &Value, names: &[&str]) -> Option<f64> {
    names.iter().find_map(|name| {
        let path = format!("throughput.{name}");
        number(root, &path).or_else(|| number(root, &format!("{path}.mean")))
    })
}

fn load(facts: &mut Facts, value: &Value) {
    let standard = |name: &str| number(value, &format!("scenario.load.standardized.{name}"));
    facts.load.rate = standard("rate_qps").filter(|r| *r > 0.0);
    facts.load.concurrency = standard("concurrency").filter(|c| *c > 0.0);
    facts.load.model = match (facts.load.rate, facts.load.concurrency) {
        (Some(_), _) => Some(LoadModel::Open),
        (None, Some(_)) => Some(LoadModel::Closed),
        (None, None) => None,
    };
    facts.declare(
        SetupItem::Client,
        text(value, "scenario.load.standardized.tool")
            .or_else(|| text(value, "scenario.load.name")),
    );
    facts.tool_version = text(value, "scenario.load.metadata.tool_version")
        .or_else(|| text(value, "scenario.load.standardized.tool_version"));
}

fn stack(facts: &mut Facts, value: &Value) {
    let components = list(value, "scenario.stack").unwrap_or(&[]);
    let engine = components
        .iter()
        .find(|c| at(c, "standardized.model").is_some());
    if let Some(part) = engine {
        let standard = |name: &str| text(part, &format!("standardized.{name}"));
        facts.declare(SetupItem::Model, standard("model.name"));
        facts.declare(SetupItem::Precision, standard("model.quantization"));
        facts.declare(SetupItem::Engine, standard("tool"));
        facts.declare(SetupItem::EngineVersion, standard("tool_version"));
        facts.declare(SetupItem::GpuModel, standard("accelerator.model"));
        facts.declare(SetupItem::GpuCount, standard("accelerator.count"));
        facts.declare(SetupItem::GpuMemory, standard("accelerator.memory"));
        facts.declare(
            SetupItem::TensorParallel,
            standard("accelerator.parallelism.tp"),
        );
        facts.declare(
            SetupItem::PipelineParallel,
            standard("accelerator.parallelism.pp"),
        );
        facts.declare(
            SetupItem::DataParallel,
            standard("accelerator.parallelism.dp"),
        );
    }
    // 0.1 has one host and platform.
    let first = |path: &str| list(value, path).and_then(<[Value]>::first);
    let accelerator = first("scenario.host.accelerator");
    let of = |name: &str| accelerator.and_then(|a| text(a, name));
    facts.declare(SetupItem::GpuModel, of("model"));
    facts.declare(SetupItem::GpuCount, of("count"));
    facts.declare(SetupItem::GpuMemory, of("memory"));
    facts.declare(SetupItem::TensorParallel, of("parallelism.tp"));
    facts.declare(SetupItem::PipelineParallel, of("parallelism.pp"));
    facts.declare(SetupItem::DataParallel, of("parallelism.dp"));
    facts.declare(SetupItem::Model, text(value, "scenario.model.name"));
    let engine = first("scenario.platform.engine");
    facts.declare(SetupItem::Engine, engine.and_then(|e| text(e, "name")));
    facts.declare(
        SetupItem::EngineVersion,
        engine.and_then(|e| text(e, "version")),
    );
}
