//! The summary: every figure of a run, as `--json` prints it.

use crate::CONFIDENCE;
use crate::answers::AnswersSummary;
use crate::breakdown::{Breakdown, breakdowns};
use crate::class_summary::{ClassSummary, class_summaries};
use crate::client::ClientSummary;
use crate::context::Context;
use crate::cost::CostSummary;
use crate::delivery::BurstyDelivery;
use crate::energy::{EnergySummary, Output};
use crate::fairness::{Fairness, fairness};
use crate::latency::{LatencySummary, latencies};
use crate::load::LoadSummary;
use crate::objective::{Goodput, Judge, SloLine};
use crate::percentile::Percentile;
use crate::positions::PositionGaps;
use crate::prefill::PrefillSummary;
use crate::prefix_cache::PrefixCacheSummary;
use crate::requests::RequestSummary;
use crate::response_cache::ResponseCacheSummary;
use crate::run::Run;
use crate::server::ServerSummary;
use crate::server_times::ServerTimesSummary;
use crate::sessions::SessionSummary;
use crate::silence::SilenceSummary;
use crate::slow_down::SlowDown;
use crate::spans::SpansSummary;
use crate::speculation::SpeculationSummary;
use crate::steady::SteadySummary;
use crate::steps::StepsSummary;
use crate::throughput::ThroughputSummary;
use crate::token_figures::TokenFigures;
use crate::usage::UsageSummary;
use infermeter_core::run::{LoadModel, RunLog, RunManifest, Window};
use infermeter_core::schedule::Phase;
use infermeter_core::source::RecordSource;
use infermeter_metrics::attainment::Objectives;
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::Population;
use infermeter_metrics::token_counts::{TokenCounts, token_counts};
use infermeter_metrics::token_series::Group;
use infermeter_metrics::window::measured_window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every figure of a run. Latencies are milliseconds, throughputs per second; names with a unit
/// carry it. What does not exist is null or absent, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Whether the window was steady; absent without one, and where the load changes by plan.
    pub steady: Option<SteadySummary>,
    /// The response to steps of the rate; absent where the rate has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<StepsSummary>,
    /// The server became slower under a constant load; absent where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_down: Option<SlowDown>,
    /// Streams that stood still; absent where none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence: Option<SilenceSummary>,
    /// Latencies of the completed measured requests.
    pub latency: LatencySummary,
    /// Throughputs of the window; absent without one.
    pub throughput: Option<ThroughputSummary>,
    /// Token counts: asked, by usage, by chunks.
    pub tokens: TokenCounts,
    /// What speaks against usage or chunks; absent where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageSummary>,
    /// What was found of the answers; absent where they were not checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswersSummary>,
    /// Chunks that come in bursts by a clock of their own; absent where they do not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bursty_delivery: Option<BurstyDelivery>,
    /// What the server said of itself; absent where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerSummary>,
    /// What it said of its own time for each request; absent where it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_times: Option<ServerTimesSummary>,
    /// Where the time to the first token went, by spans of the requests; absent where none were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spans: Option<SpansSummary>,
    /// Speculative decoding; absent where nothing looks like it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speculation: Option<SpeculationSummary>,
    /// Uncached prompt tokens over TTFT; absent without streams, and from summaries of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefill: Option<PrefillSummary>,
    /// What the server's prefix cache held of the prompts; absent where nothing is known of it.
    pub prefix_cache: Option<PrefixCacheSummary>,
    /// What a repeated prompt gains; absent unless `--probe-response-cache` asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_cache: Option<ResponseCacheSummary>,
    /// The objectives, judged.
    pub slo: Vec<SloLine>,
    /// The requests that met them all; absent without objectives, and where one of them has no sample.
    pub goodput: Option<Goodput>,
    /// What tokens and requests cost; absent where the price of the accelerators was not declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostSummary>,
    /// What the GPUs drew; absent where nobody told of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<EnergySummary>,
    /// The generator itself.
    pub client: ClientSummary,
    /// What is known of the server.
    pub context: Context,
    /// By workload class, where there is more than one.
    pub classes: Vec<ClassSummary>,
    /// By class, turn, prompt length and output length, where they differ.
    pub breakdown: Vec<Breakdown>,
    /// Sessions; absent where requests stand alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sessions: Option<SessionSummary>,
    /// Whether sessions and classes were served alike; empty below two of them.
    pub fairness: Vec<Fairness>,
    /// The gap by token position; empty where no chunk's tokens are known.
    pub token_positions: Vec<PositionGaps>,
}

/// The warm-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WarmupSummary {
    /// Asked for: `30s`, `10s+50req`, `0`.
    pub asked: String,
    /// From the first request to the window's start, seconds.
    pub seconds: Option<f64>,
    /// Requests of the phase.
    pub requests: u64,
}

impl Summary {
    /// That of a run that was judged, as its `run.json` has it; `None` before that.
    ///
    /// # Errors
    /// When it is that of a version with other figures: the record itself tells them again.
    pub fn read(manifest: &RunManifest) -> Result<Option<Self>, serde_json::Error> {
        manifest.summary.as_ref().map(Self::deserialize).transpose()
    }

    /// p50 of TTFT from the headline origin as this sample has it, milliseconds.
    pub(crate) fn ttft_p50_ms(&self) -> Option<f64> {
        let ttft = self.latency.ttft.from(self.headline_origin)?;
        ttft.order_statistic(Percentile::DEFAULT[0])
    }
}

/// Computes every figure of a run, whose records are read twice more.
///
/// # Errors
/// Those of the source.
pub fn summarize<S: RecordSource + ?Sized>(run: &Run, source: &S) -> Result<Summary, S::Error> {
    let (manifest, collected) = (&run.manifest, &run.collected);
    let population = Population::of(collected);
    let window = measured_window(manifest, &collected.requests);
    let origin = Origin::headline(manifest.load_model);
    let wanted = Percentile::computed(&manifest.plan);
    let figures = TokenFigures::read(run, source, &wanted, window)?;
    let throughput = figures.throughput.as_ref();
    let throughput = throughput.map(|t| ThroughputSummary::of(t, &manifest.plan));
    let arrivals = figures.arrivals.as_ref().zip(window);
    let tokens = token_counts(&population);
    let latency = latencies(collected, Group::All, origin, &wanted, &figures);
    let classes = class_summaries(run, &wanted, &figures);
    let judge = Judge {
        run,
        figures: &figures,
        throughput: throughput.as_ref(),
        window,
        objectives: Objectives::of(manifest),
    };
    let slo = judge.lines();
    let goodput = judge.goodput(&slo);
    Ok(Summary {
        load_model: manifest.load_model,
        headline_origin: origin,
        streaming: population.streaming(),
        confidence_level: CONFIDENCE,
        window_s: window.map(|w| w.seconds()),
        warmup: warmup(run, window),
        requests: RequestSummary::of(collected, &population),
        load: window.map(|w| LoadSummary::of(run, &population, w)),
        steady: SteadySummary::of(run, origin, window),
        steps: StepsSummary::of(run, origin, window),
        slow_down: window.and_then(|window| SlowDown::of(run, window)),
        silence: arrivals.and_then(|(arrivals, window)| SilenceSummary::of(run, arrivals, window)),
        usage: UsageSummary::of(&manifest.plan, &population),
        answers: AnswersSummary::of(run, &population),
        bursty_delivery: BurstyDelivery::of(&population),
        server: ServerSummary::of(run, window, throughput.as_ref()),
        server_times: ServerTimesSummary::of(&population, &wanted),
        spans: SpansSummary::of(run, &population, origin),
        speculation: SpeculationSummary::of(run, &population, &latency, &classes, window),
        prefill: PrefillSummary::of(&population, &wanted),
        prefix_cache: PrefixCacheSummary::of(run, &tokens, window),
        tokens,
        response_cache: ResponseCacheSummary::of(manifest),
        cost: CostSummary::of(&manifest.plan, throughput.as_ref(), goodput.as_ref()),
        energy: EnergySummary::of(
            run,
            window,
            Output {
                throughput: throughput.as_ref(),
                goodput: goodput.as_ref(),
            },
        ),
        goodput,
        slo,
        throughput,
        client: ClientSummary::of(run, &population, window, &wanted, &figures),
        context: Context::of(manifest),
        classes,
        sessions: SessionSummary::of(run, origin, &wanted),
        fairness: fairness(run, &population, origin),
        latency,
        breakdown: breakdowns(run, &population, origin, &wanted),
        token_positions: figures.positions.iter().map(PositionGaps::from).collect(),
        percentiles: Percentile::of_plan(&manifest.plan),
    })
}

/// Computes every figure of a run that is held in memory.
pub fn summarize_log(log: &RunLog) -> (Run, Summary) {
    let run = Run::of(log);
    let Ok(summary) = summarize(&run, log);
    (run, summary)
}

fn warmup(run: &Run, window: Option<Window>) -> WarmupSummary {
    let requests = &run.collected.requests;
    let warmup = requests.iter().filter(|r| r.phase == Phase::Warmup);
    let first = requests.first().map(|r| r.intended);
    let length = window.and_then(|w| Some(w.start.since(first?) as f64 / 1e9));
    WarmupSummary {
        asked: run.manifest.plan.warmup().to_string(),
        seconds: length.map(|s| s.max(0.0)),
        requests: warmup.count() as u64,
    }
}

#[cfg(test)]
mod tests;
