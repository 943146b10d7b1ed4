//! The figures of one run while it goes on: counts and times, by phase.
//!
//! Ended requests come from the recorder's thread, the rest from the thread that watches the run; whoever makes
//! the page reads. What a figure of a request is says `metrics`. Invariant: relaxed atomics and no lock, so that
//! a page that is slow to make holds nobody up.

use super::names::Names;
use super::times::{Bounds, Times};
use infermeter_core::clock::{Clock, Offset, realtime_ns};
use infermeter_core::origin::Origin;
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_core::run::{LoadModel, RunManifest};
use infermeter_core::schedule::{Phase, Schedule};
use infermeter_metrics::facts::{ChunkQuestions, RequestFacts};
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_metrics::token_series::{TokenMetric, completed_values_of_any_phase};
use infermeter_runner::progress::Snapshot;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Stage {
    /// Connections are opened, first bodies are made.
    Preparing = 0,
    /// The load's phases.
    Warmup = 1,
    /// See [`Phase::Measure`].
    Measure = 2,
    /// See [`Phase::Drain`].
    Drain = 3,
    /// Every request has ended.
    Ended = 4,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Preparing,
        Self::Warmup,
        Self::Measure,
        Self::Drain,
        Self::Ended,
    ];

    /// As a label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Warmup => Phase::Warmup.as_str(),
            Self::Measure => Phase::Measure.as_str(),
            Self::Drain => Phase::Drain.as_str(),
            Self::Ended => "ended",
        }
    }
}

impl From<Phase> for Stage {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Warmup => Self::Warmup,
            Phase::Measure => Self::Measure,
            Phase::Drain => Self::Drain,
        }
    }
}

/// The phases, in the order of [`RunFigures::phases`].
pub(super) const PHASES: [Phase; 3] = [Phase::Warmup, Phase::Measure, Phase::Drain];

/// Nothing is known.
const UNKNOWN: u64 = u64::MAX;

/// What a run is called.
#[derive(Debug)]
pub(super) struct About {
    /// Its id.
    pub run_id: String,
    /// Of infermeter.
    pub version: String,
    /// The model asked for, inert.
    pub model: String,
    /// The API, as `--endpoint` names it.
    pub api: String,
    /// Open or closed loop.
    pub load_model: LoadModel,
    /// The engine that the server says it is; empty where it does not say.
    pub engine: String,
    /// Requests per second over the window, in an open loop.
    pub rate: Option<f64>,
    /// Slots of a closed loop.
    pub concurrency: Option<u32>,
}

/// Answers that say a number of tokens, and those tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    answers: AtomicU64,
    tokens: AtomicU64,
}

impl Tokens {
    fn add(&self, tokens: Option<u64>) {
        if let Some(tokens) = tokens {
            self.tokens.fetch_add(tokens, Ordering::Relaxed);
            self.answers.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Answers that said so.
    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// All tokens; absent where no answer said so.
    pub fn tokens(&self) -> Option<u64> {
        (self.answers() > 0).then(|| self.tokens.load(Ordering::Relaxed))
    }
}

/// The figures of one phase.
#[derive(Debug)]
pub(super) struct PhaseFigures {
    /// Ended requests, by class and then by outcome.
    outcomes: Vec<[AtomicU64; Outcome::ALL.len()]>,
    /// Prompt tokens by usage.
    pub prompt: Tokens,
    /// Cached prompt tokens by usage.
    pub cached: Tokens,
    /// Output tokens by usage, or by chunks that say their number.
    pub output: Tokens,
    /// Chunks received.
    pub chunks: AtomicU64,
    /// Completed answers whose tokens per chunk are not known when they end.
    pub without_itl: AtomicU64,
    /// Of completed requests.
    pub ttft: Times,
    /// Of completed requests.
    pub e2e: Times,
    /// Of completed requests whose tokens per chunk are known.
    pub itl: Times,
    /// Of completed requests.
    pub chunk_gap: Times,
    /// Of requests that were sent.
    pub send_lag: Times,
    /// Of all reads with a kernel stamp.
    pub client_lag: Times,
}

impl PhaseFigures {
    fn new(classes: usize, bounds: &[Arc<Bounds>; 3]) -> Self {
        let [requests, gaps, lags] = bounds;
        let counters = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            outcomes: (0..classes).map(|_| counters()).collect(),
            prompt: Tokens::default(),
            cached: Tokens::default(),
            output: Tokens::default(),
            chunks: AtomicU64::new(0),
            without_itl: AtomicU64::new(0),
            ttft: Times::new(requests),
            e2e: Times::new(requests),
            itl: Times::new(gaps),
            chunk_gap: Times::new(gaps),
            send_lag: Times::new(lags),
            client_lag: Times::new(lags),
        }
    }

    /// Requests of a class that ended so.
    pub fn ended(&self, class: usize, outcome: Outcome) -> u64 {
        self.outcomes[class][outcome as usize].load(Ordering::Relaxed)
    }

    fn has_requests(&self) -> bool {
        let mut all = self.outcomes.iter().flatten();
        all.any(|ended| ended.load(Ordering::Relaxed) > 0)
    }

    fn count(&self, class: usize, record: &RequestRecord, origin: Origin) {
        self.outcomes[class][record.outcome as usize].fetch_add(1, Ordering::Relaxed);
        self.chunks
            .fetch_add(record.chunks.len() as u64, Ordering::Relaxed);
        self.prompt.add(record.prompt_tokens.map(u64::from));
        self.cached.add(record.cached_tokens.map(u64::from));
        self.output.add(record.output_token_count());
        let facts = RequestFacts::of(record, &ChunkQuestions::default());
        let of_request = |metric: RequestMetric, times: &Times| {
            if let Some(ms) = metric.value_ms(&facts, origin) {
                times.add(to_ns(ms), 1);
            }
        };
        of_request(RequestMetric::SendLag, &self.send_lag);
        if record.outcome == Outcome::Completed {
            of_request(RequestMetric::Ttft, &self.ttft);
            of_request(RequestMetric::E2e, &self.e2e);
            let unknown = record.chunk_token_sum().is_none() && !record.chunks.is_empty();
            self.without_itl
                .fetch_add(u64::from(unknown), Ordering::Relaxed);
        }
        for (metric, times) in [
            (TokenMetric::Itl, &self.itl),
            (TokenMetric::ChunkGap, &self.chunk_gap),
            (TokenMetric::ClientLag, &self.client_lag),
        ] {
            completed_values_of_any_phase(record, metric, |ms, count| {
                times.add(to_ns(ms), count);
            });
        }
    }
}

/// The figures of one run.
#[derive(Debug)]
pub(crate) struct RunFigures {
    /// What it is called.
    pub(super) about: About,
    /// Its workload classes.
    pub(super) classes: Names,
    /// The addresses that it sends to.
    pub(super) targets: Names,
    /// What its latencies are counted from.
    pub(super) origin: Origin,
    phases: [PhaseFigures; PHASES.len()],
    errors: [AtomicU64; Reason::ALL.len()],
    of_target: Vec<AtomicU64>,
    due: AtomicU64,
    in_flight: AtomicU64,
    stage: AtomicU8,
    /// Unix, nanoseconds; 0 until then.
    started_ns: AtomicI64,
    /// The same of each phase.
    begun_ns: [AtomicI64; PHASES.len()],
    ended_ns: AtomicI64,
}

impl RunFigures {
    /// Of a run that is about to begin.
    pub fn of(manifest: &RunManifest) -> Self {
        let classes = Names::of(&manifest.classes);
        let targets = Names::of(&manifest.addresses);
        // A millisecond to 8.5 minutes, 61 us to 32 s, a microsecond to 4 s: what lies outside is counted in
        // the first and the last bucket.
        let bounds = [
            Bounds::powers(-10, 9, 4),
            Bounds::powers(-14, 5, 4),
            Bounds::powers(-20, 2, 2),
        ];
        Self {
            about: about(manifest),
            origin: Origin::headline(manifest.load_model),
            phases: std::array::from_fn(|_| PhaseFigures::new(classes.len(), &bounds)),
            errors: std::array::from_fn(|_| AtomicU64::new(0)),
            of_target: (0..targets.len()).map(|_| AtomicU64::new(0)).collect(),
            classes,
            targets,
            due: AtomicU64::new(UNKNOWN),
            in_flight: AtomicU64::new(0),
            stage: AtomicU8::new(Stage::Preparing as u8),
            started_ns: AtomicI64::new(0),
            begun_ns: std::array::from_fn(|_| AtomicI64::new(0)),
            ended_ns: AtomicI64::new(0),
        }
    }

    /// A request has ended.
    pub fn ended(&self, record: &RequestRecord) {
        let class = self.classes.place(usize::from(record.class));
        self.phases[place(record.phase)].count(class, record, self.origin);
        if let Some(error) = &record.error {
            self.errors[error.reason as usize].fetch_add(1, Ordering::Relaxed);
        }
        if let Some(address) = record.address {
            let target = self.targets.place(address as usize);
            self.of_target[target].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The clock is set.
    pub fn start(&self, clock: &Clock) {
        self.started_ns
            .store(clock.realtime_origin_ns, Ordering::Relaxed);
    }

    /// A phase has begun.
    pub fn phase(&self, phase: Phase) {
        self.begun_ns[place(phase)].store(realtime_ns(), Ordering::Relaxed);
        self.stage
            .store(Stage::from(phase) as u8, Ordering::Relaxed);
    }

    /// How the load goes.
    pub fn progress(&self, snapshot: &Snapshot) {
        self.due
            .store(snapshot.due.unwrap_or(UNKNOWN), Ordering::Relaxed);
        self.in_flight.store(snapshot.in_flight, Ordering::Relaxed);
    }

    /// Every request has ended.
    pub fn end(&self, schedule: &Schedule, at: Offset) {
        if let Schedule::Open(open) = schedule {
            let due = open.arrivals.partition_point(|due| *due <= at);
            self.due.store(due as u64, Ordering::Relaxed);
        }
        self.in_flight.store(0, Ordering::Relaxed);
        self.ended_ns.store(realtime_ns(), Ordering::Relaxed);
        self.stage.store(Stage::Ended as u8, Ordering::Relaxed);
    }

    /// Where it is.
    pub(super) fn stage(&self) -> Stage {
        let number = self.stage.load(Ordering::Relaxed);
        Stage::ALL
            .into_iter()
            .find(|stage| *stage as u8 == number)
            .unwrap_or(Stage::Preparing)
    }

    /// The phases that have begun, or have a request, with their figures.
    pub(super) fn phases(&self) -> impl Iterator<Item = (Phase, &PhaseFigures)> {
        let stage = self.stage();
        let all = PHASES.into_iter().zip(&self.phases);
        all.filter(move |(phase, figures)| stage >= Stage::from(*phase) || figures.has_requests())
    }

    /// Requests that did not complete for this reason.
    pub(super) fn errors(&self, reason: Reason) -> u64 {
        self.errors[reason as usize].load(Ordering::Relaxed)
    }

    /// Ended requests of a target.
    pub(super) fn of_target(&self, target: usize) -> u64 {
        self.of_target[target].load(Ordering::Relaxed)
    }

    /// Requests due by now; absent where answers decide, and before anything is.
    pub(super) fn due(&self) -> Option<u64> {
        let due = self.due.load(Ordering::Relaxed);
        (due != UNKNOWN).then_some(due)
    }

    /// Requests in flight.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// When the load began, Unix seconds.
    pub(super) fn started_s(&self) -> Option<f64> {
        unix_s(&self.started_ns)
    }

    /// When a phase was seen to have begun, Unix seconds: up to 50 ms late.
    pub(super) fn begun_s(&self, phase: Phase) -> Option<f64> {
        unix_s(&self.begun_ns[place(phase)])
    }

    /// When its last request had ended, Unix seconds.
    pub(super) fn ended_s(&self) -> Option<f64> {
        unix_s(&self.ended_ns)
    }
}

fn unix_s(ns: &AtomicI64) -> Option<f64> {
    let ns = ns.load(Ordering::Relaxed);
    (ns > 0).then(|| ns as f64 / 1e9)
}

fn place(phase: Phase) -> usize {
    match phase {
        Phase::Warmup => 0,
        Phase::Measure => 1,
        Phase::Drain => 2,
    }
}

fn to_ns(ms: f64) -> i64 {
    (ms * 1e6).round() as i64
}

fn about(manifest: &RunManifest) -> About {
    let plan = &manifest.plan;
    let api = serde_json::to_value(plan.endpoint).unwrap_or_default();
    let engine = manifest.environment.target.engine.as_ref();
    let engine = engine.and_then(|engine| engine.names.first());
    About {
        run_id: manifest.run_id.clone(),
        version: manifest.infermeter_version.clone(),
        model: manifest.model.clone(),
        api: api.as_str().unwrap_or_default().to_owned(),
        load_model: manifest.load_model,
        engine: engine.cloned().unwrap_or_default(),
        rate: manifest.rate_asked,
        concurrency: plan.concurrency,
    }
}
