//! A run of infermeter itself: its manifest, findings and records as facts.
//!
//! The run has judged much of this already: its findings come along, and checks of the same code
//! answer with them.

use crate::facts::{
    Arrivals, Facts, LoadModel, Metric, PercentileRule, Request, SetupItem, Statistics, TokenSource,
};
use crate::format::Format;
use crate::json::number;
use infermeter_core::plan::ArrivalKind;
use infermeter_core::record::{Outcome, RequestRecord, TokenSource as RecordSource};
use infermeter_core::run::{LoadModel as RunLoad, RunLog, RunManifest, RunState};
use infermeter_core::schedule::Phase;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use serde_json::Value;

/// The facts of a run, read back and judged.
pub fn of_run(log: &RunLog) -> Facts {
    let manifest = &log.manifest;
    let mut facts = Facts::of(Format::Infermeter);
    facts.tool_version = Some(manifest.infermeter_version.clone());
    facts.date = Some(format!("{:020}", manifest.clock.realtime_origin_ns));
    facts.percentile_rule = Some(PercentileRule::Exact);
    facts.seed = Some(manifest.seeds.workload.to_string());
    facts.streaming = Some(!manifest.plan.no_stream);
    facts.cut_short = Some(manifest.state == RunState::Interrupted);
    facts.findings = Some(manifest.findings.clone());
    let measured: Vec<&RequestRecord> = log
        .records
        .iter()
        .filter(|r| r.phase == Phase::Measure)
        .collect();
    load(&mut facts, log);
    counts(&mut facts, &measured, manifest.plan.trace.is_some());
    latencies(&mut facts, manifest, &measured);
    let summary = manifest.summary.as_ref().unwrap_or(&Value::Null);
    let per_s = |name: &str| number(summary, &format!("throughput.{name}.per_s"));
    facts.rates.requests = per_s("requests");
    facts.rates.output = per_s("output_tokens");
    facts.rates.input = per_s("input_tokens");
    facts.rates.total = per_s("total_tokens");
    facts.rates.per_gpu = per_s("output_tokens_per_gpu");
    facts.rates.attainment = number(summary, "goodput.attainment.value");
    facts.client_cores = manifest.client_health.as_ref().map(|h| f64::from(h.cores));
    set_up(&mut facts, manifest);
    facts
}

fn load(facts: &mut Facts, log: &RunLog) {
    let manifest = &log.manifest;
    facts.load.rate = manifest.rate_asked;
    facts.load.model = Some(match manifest.load_model {
        RunLoad::OpenLoop => LoadModel::Open,
        RunLoad::ClosedLoop => LoadModel::Closed,
    });
    facts.load.arrivals =
        (manifest.load_model == RunLoad::OpenLoop).then(|| match manifest.plan.arrival {
            _ if manifest.plan.trace.is_some() => Arrivals::Other,
            ArrivalKind::Poisson => Arrivals::Poisson,
            ArrivalKind::Constant => Arrivals::Constant,
            ArrivalKind::Gamma | ArrivalKind::Weibull => Arrivals::Other,
        });
    facts.load.concurrency = manifest.plan.concurrency.map(f64::from);
    facts.load.duration_s = manifest.window.map(|w| w.seconds());
    let warmup = log.records.iter().filter(|r| r.phase == Phase::Warmup);
    facts.load.warmup_requests = Some(warmup.count() as f64);
    let summary = manifest.summary.as_ref().unwrap_or(&Value::Null);
    facts.load.warmup_s = number(summary, "warmup.seconds");
}

fn counts(facts: &mut Facts, measured: &[&RequestRecord], shared: bool) {
    let completed: Vec<&&RequestRecord> = measured
        .iter()
        .filter(|r| r.outcome == Outcome::Completed)
        .collect();
    facts.counts.completed = Some(completed.len() as f64);
    facts.counts.failed = Some((measured.len() - completed.len()) as f64);
    let again = measured.iter().filter(|r| r.attempts > 1).count();
    facts.counts.retries = Some(again as f64);
    facts.load.asked_requests = Some(measured.len() as f64);
    for record in &completed {
        if let Some(reason) = &record.finish_reason {
            *facts
                .counts
                .finish_reasons
                .entry(reason.clone())
                .or_default() += 1;
        }
    }
    let unknown = |r: &RequestRecord| {
        let source = r.token_source.unwrap_or(RecordSource::Unknown);
        source == RecordSource::Unknown && r.output_tokens.is_none()
    };
    let known = !completed.is_empty() && !completed.iter().any(|r| unknown(r));
    facts.tokens.source = known.then_some(TokenSource::Usage);
    let sum = |of: fn(&RequestRecord) -> Option<u64>| -> Option<f64> {
        completed.iter().map(|r| of(r).map(|n| n as f64)).sum()
    };
    facts.tokens.output = sum(RequestRecord::output_token_count);
    facts.tokens.cached = sum(|r| r.cached_tokens.map(u64::from));
    facts.requests = measured.iter().map(|r| request(r)).collect();
    if !shared {
        // Every prompt begins with a salt of its own.
        for (request, record) in facts.requests.iter_mut().zip(measured) {
            request.prompt_key = Some(record.id);
        }
    }
    let lengths = |of: fn(&Request) -> Option<f64>| {
        let values: Vec<f64> = facts.completed().filter_map(of).collect();
        Some(Statistics::of_values(&values)).filter(|s| !s.is_empty())
    };
    let (input, output) = (lengths(|r| r.input_tokens), lengths(|r| r.output_tokens));
    facts.tokens.input = input.as_ref().and_then(|s| Some(s.mean? * s.n?));
    facts.tokens.input_lengths = input;
    facts.tokens.output_lengths = output;
    let chunks: usize = completed.iter().map(|r| r.chunks.len()).sum();
    let n = completed.len() as f64;
    facts.tokens.chunks = (chunks > 0).then(|| chunks as f64 / n);
    let per_chunk = facts.tokens.output.filter(|_| chunks > 0);
    facts.tokens.per_chunk = per_chunk.map(|tokens| tokens / chunks as f64);
}

fn request(record: &RequestRecord) -> Request {
    let value = |metric: RequestMetric| metric.value_ms(record, Origin::Send);
    let gaps = record
        .chunks
        .windows(2)
        .map(|w| w[1].at.since(w[0].at) as f64 / 1e6);
    Request {
        start_s: record.send_start.map(|at| at.0 as f64 / 1e9),
        ttft_ms: value(RequestMetric::Ttft),
        tpot_ms: value(RequestMetric::Tpot),
        e2e_ms: value(RequestMetric::E2e),
        gaps_ms: (!record.chunks.is_empty()).then(|| gaps.collect()),
        input_tokens: record.prompt_tokens.map(f64::from),
        output_tokens: record.output_token_count().map(|n| n as f64),
        failed: record.outcome != Outcome::Completed,
        prompt_key: None,
        answer_key: None,
    }
}

fn latencies(facts: &mut Facts, manifest: &RunManifest, measured: &[&RequestRecord]) {
    let origin = Origin::headline(manifest.load_model);
    let completed = || measured.iter().filter(|r| r.outcome == Outcome::Completed);
    for (metric, of) in [
        (Metric::Ttft, RequestMetric::Ttft),
        (Metric::Tpot, RequestMetric::Tpot),
        (Metric::Ntpot, RequestMetric::Ntpot),
        (Metric::E2e, RequestMetric::E2e),
    ] {
        let values: Vec<f64> = completed().filter_map(|r| of.value_ms(r, origin)).collect();
        facts.state(metric, Statistics::computed(&values));
    }
    let gaps = facts
        .completed()
        .filter_map(|r| r.gaps_ms.as_ref())
        .flatten();
    let gaps: Vec<f64> = gaps.copied().collect();
    facts.state(Metric::ChunkGap, Statistics::computed(&gaps));
}

fn set_up(facts: &mut Facts, manifest: &RunManifest) {
    let plan = &manifest.plan;
    facts.declare(SetupItem::Model, Some(manifest.model.clone()));
    facts.declare(SetupItem::GpuModel, plan.hardware.clone());
    facts.declare(SetupItem::GpuCount, plan.gpus.map(|n| n.to_string()));
    facts.declare(SetupItem::Engine, plan.engine.clone());
    facts.declare(SetupItem::Precision, plan.quantization.clone());
    facts.declare(SetupItem::Tokenizer, Some(plan.tokenizer.to_string()));
    let trace = plan.trace.as_ref().map(|path| path.display().to_string());
    facts.declare(
        SetupItem::Dataset,
        Some(trace.unwrap_or_else(|| plan.workload.to_string())),
    );
    let target = super::placement(&plan.target);
    facts.declare(SetupItem::ClientPlacement, target);
}
