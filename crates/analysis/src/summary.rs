//! The summary: every figure of a run, as `--json` prints it.

use crate::CONFIDENCE;
use crate::client::ClientSummary;
use crate::latency::{LatencySummary, latencies};
use crate::load::LoadSummary;
use crate::objective::{Goodput, SloLine, goodput, slo_lines};
use crate::percentile::Percentile;
use crate::requests::RequestSummary;
use crate::throughput::ThroughputSummary;
use infermeter_core::request::ClassIndex;
use infermeter_core::run::{LoadModel, RunLog, Window};
use infermeter_core::schedule::Phase;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::outcomes::{OutcomeCounts, outcome_counts};
use infermeter_metrics::population::Population;
use infermeter_metrics::stalls::itl_limit_ns;
use infermeter_metrics::token_counts::{TokenCounts, token_counts};
use infermeter_metrics::window::measured_window;
use serde::Serialize;

/// Every figure of a run. Latencies are milliseconds, throughputs per second; names with a unit
/// carry it. What does not exist is null or absent, never 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The load model.
    pub load_model: LoadModel,
    /// Origin of the headline latencies: intended in an open loop, send in a closed loop.
    pub headline_origin: Origin,
    /// Answers came as streams.
    pub streaming: bool,
    /// Nominal coverage of every interval.
    pub confidence_level: f64,
    /// The percentiles of every table.
    pub percentiles: Vec<Percentile>,
    /// Length of the measured window, seconds; absent where the run ended before it was known.
    pub window_s: Option<f64>,
    /// What came before the window.
    pub warmup: WarmupSummary,
    /// How requests ended.
    pub requests: RequestSummary,
    /// The load asked and delivered; absent without a window.
    pub load: Option<LoadSummary>,
    /// Latencies of the completed measured requests.
    pub latency: LatencySummary,
    /// Throughputs of the window; absent without one.
    pub throughput: Option<ThroughputSummary>,
    /// Token counts: asked, by usage, by chunks.
    pub tokens: TokenCounts,
    /// The objectives, judged.
    pub slo: Vec<SloLine>,
    /// The requests that met them all; absent without objectives.
    pub goodput: Option<Goodput>,
    /// The generator itself.
    pub client: ClientSummary,
    /// By workload class, where there is more than one.
    pub classes: Vec<ClassSummary>,
}

/// The warm-up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WarmupSummary {
    /// Asked for: `30s`, `10s+50req`, `0`.
    pub asked: String,
    /// From the first request to the window's start, seconds.
    pub seconds: Option<f64>,
    /// Requests of the phase.
    pub requests: u64,
}

/// One workload class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassSummary {
    /// Its name.
    pub class: String,
    /// Outcomes of its measured requests.
    pub measured: OutcomeCounts,
    /// Its latencies.
    pub latency: LatencySummary,
    /// Its token counts.
    pub tokens: TokenCounts,
}

impl Summary {
    /// p50 of TTFT from the headline origin as this sample has it, milliseconds.
    pub(crate) fn ttft_p50_ms(&self) -> Option<f64> {
        let ttft = self.latency.ttft.from(self.headline_origin)?;
        ttft.order_statistic(Percentile::DEFAULT[0])
    }
}

/// Computes every figure of a run.
pub fn summarize(log: &RunLog) -> Summary {
    let manifest = &log.manifest;
    let population = Population::of(log);
    let window = measured_window(log);
    let origin = Origin::headline(manifest.load_model);
    let wanted = Percentile::of_plan(&manifest.plan);
    let itl_limit = itl_limit_ns(log);
    let latency = latencies(&population, &wanted, itl_limit);
    let gap = latency.chunk_gap.as_ref();
    let median_gap = gap.and_then(|g| g.order_statistic(Percentile::DEFAULT[0]));
    let throughput = |w| ThroughputSummary::of(&log.records, w, manifest.plan.gpus);
    Summary {
        load_model: manifest.load_model,
        headline_origin: origin,
        streaming: population.streaming(),
        confidence_level: CONFIDENCE,
        window_s: window.map(|w| w.seconds()),
        warmup: warmup(log, window),
        requests: RequestSummary::of(log, &population),
        load: window.map(|w| LoadSummary::of(log, &population, w)),
        throughput: window.map(throughput),
        tokens: token_counts(&population),
        slo: slo_lines(log, &population, origin),
        goodput: goodput(log, &population, origin, window),
        client: ClientSummary::of(log, &population, &wanted, median_gap),
        classes: class_summaries(log, &population, &wanted, itl_limit),
        latency,
        percentiles: wanted,
    }
}

fn warmup(log: &RunLog, window: Option<Window>) -> WarmupSummary {
    let records = log.records.iter();
    let warmup = records.filter(|r| r.phase == Phase::Warmup);
    let first = log.records.first().map(|r| r.intended);
    let length = window.and_then(|w| Some(w.start.since(first?) as f64 / 1e9));
    WarmupSummary {
        asked: log.manifest.plan.warmup().to_string(),
        seconds: length.map(|s| s.max(0.0)),
        requests: warmup.count() as u64,
    }
}

fn class_summaries(
    log: &RunLog,
    population: &Population<'_>,
    wanted: &[Percentile],
    itl_limit: Option<i64>,
) -> Vec<ClassSummary> {
    let names = &log.manifest.classes;
    if names.len() < 2 {
        return Vec::new();
    }
    let summary = |(index, name): (usize, &String)| {
        let of_class = population.class(ClassIndex::try_from(index).ok()?);
        Some(ClassSummary {
            class: name.clone(),
            measured: outcome_counts(of_class.records()),
            latency: latencies(&of_class, wanted, itl_limit),
            tokens: token_counts(&of_class),
        })
    };
    names.iter().enumerate().filter_map(summary).collect()
}
