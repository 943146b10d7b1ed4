//! What `/metrics` says: vLLM's page, and the simulator's own figures beside it. `/dcgm/metrics` is in `dcgm`.
//!
//! Everything is filled with instants at which something happened, the same as in the truth log,
//! not with those that the engine intended; queue and prefill phases end and begin at the instants
//! of the engine's steps. Per token it costs two searches in a short array.
//!
//! Not here: the gauges and counters that the engine keeps, and reading clocks.

mod buckets;
mod dcgm;
mod own;
mod vllm;

pub(crate) use dcgm::{BoardsView, page as boards_page};
pub(crate) use own::OwnView;
pub(crate) use vllm::{EngineView, ServerView};

use crate::engine::Finish;
use crate::truth::RequestEnd;
use buckets::{
    Buckets, CHOICES, FIRST_TOKEN, INTER_TOKEN, ITERATION, LATENESS, PREEMPTIONS, REQUEST,
    token_bounds,
};
use infermeter_core::exposition::Page;
use infermeter_core::spans::TraceParent;

/// What a request has gone through so far. Instants in `CLOCK_MONOTONIC` nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// When it reached the engine.
    pub arrived_ns: i64,
    /// When it first left the queue.
    pub admitted_ns: Option<i64>,
    /// When its prompt was computed.
    pub prefilled_ns: Option<i64>,
    /// When its first token was there.
    pub first_ns: Option<i64>,
    /// When its last token so far was there.
    pub last_ns: i64,
    /// Which engine of the fleet serves it.
    pub replica: u32,
    pub prompt_tokens: u32,
    /// Prompt tokens found in the prefix cache at the first admission.
    pub cached_tokens: u32,
    pub generated: u32,
    /// Tokens that were allowed to be generated.
    pub max_tokens: u32,
    pub preemptions: u32,
    pub finish: Option<Finish>,
    /// The LoRA adapter it asked for, by its place in the configuration.
    pub adapter: Option<u32>,
    /// The trace that it named.
    pub trace: Option<TraceParent>,
}

/// Counters and histograms of one engine of the fleet.
#[derive(Debug, Clone)]
struct EngineMetrics {
    prompt_tokens: u64,
    generation_tokens: u64,
    stopped: u64,
    cut_by_length: u64,
    aborted: u64,
    first_token: Buckets,
    inter_token: Buckets,
    per_output_token: Buckets,
    e2e: Buckets,
    queue: Buckets,
    prefill: Buckets,
    decode: Buckets,
    inference: Buckets,
    iteration_tokens: Buckets,
    prompt_lengths: Buckets,
    generation_lengths: Buckets,
    max_tokens: Buckets,
    choices: Buckets,
    request_preemptions: Buckets,
    computed_tokens: Buckets,
}

impl EngineMetrics {
    fn new(longest: u32) -> Self {
        let tokens = token_bounds(longest);
        Self {
            prompt_tokens: 0,
            generation_tokens: 0,
            stopped: 0,
            cut_by_length: 0,
            aborted: 0,
            first_token: Buckets::of_times(FIRST_TOKEN),
            inter_token: Buckets::of_times(INTER_TOKEN),
            per_output_token: Buckets::of_times(INTER_TOKEN),
            e2e: Buckets::of_times(REQUEST),
            queue: Buckets::of_times(REQUEST),
            prefill: Buckets::of_times(REQUEST),
            decode: Buckets::of_times(REQUEST),
            inference: Buckets::of_times(REQUEST),
            iteration_tokens: Buckets::of_counts(ITERATION),
            prompt_lengths: Buckets::of_counts(&tokens),
            generation_lengths: Buckets::of_counts(&tokens),
            max_tokens: Buckets::of_counts(&tokens),
            choices: Buckets::of_counts(CHOICES),
            request_preemptions: Buckets::of_counts(PREEMPTIONS),
            computed_tokens: Buckets::of_counts(&tokens),
        }
    }
}

/// Counters and histograms of a simulator.
#[derive(Debug)]
pub(crate) struct Metrics {
    engines: Vec<EngineMetrics>,
    /// First write of a step minus its planned end.
    lateness: Buckets,
    /// First write of a step to the end of its last one.
    burst: Buckets,
    /// Tokens of the longest request.
    longest: u32,
}

impl Metrics {
    /// For so many engines, whose longest request has `longest` tokens.
    pub fn new(engines: usize, longest: u32) -> Self {
        Self {
            engines: vec![EngineMetrics::new(longest); engines.max(1)],
            lateness: Buckets::of_times(LATENESS),
            burst: Buckets::of_times(LATENESS),
            longest,
        }
    }

    /// There are so many engines by now, or were.
    pub fn grow(&mut self, engines: usize) {
        let engines = engines.max(self.engines.len());
        self.engines
            .resize_with(engines, || EngineMetrics::new(self.longest));
    }

    fn engine(&mut self, replica: u32) -> &mut EngineMetrics {
        let last = self.engines.len() - 1;
        &mut self.engines[(replica as usize).min(last)]
    }

    /// Tokens of a request were there at `at_ns`.
    pub fn tokens(&mut self, progress: &mut Progress, at_ns: i64, tokens: u32) {
        let engine = self.engine(progress.replica);
        engine.generation_tokens += u64::from(tokens);
        match progress.first_ns {
            None => {
                progress.first_ns = Some(at_ns);
                engine.first_token.add(at_ns - progress.arrived_ns);
                let computed = progress
                    .prompt_tokens
                    .saturating_sub(progress.cached_tokens);
                engine.prompt_tokens += u64::from(progress.prompt_tokens);
                engine.computed_tokens.add(i64::from(computed));
            }
            Some(_) => engine.inter_token.add(at_ns - progress.last_ns),
        }
        progress.last_ns = at_ns;
        progress.generated += tokens;
    }

    /// A step ended: tokens computed and generated.
    pub fn step(&mut self, replica: u32, prompt_tokens: u32, tokens: u32) {
        let sum = i64::from(prompt_tokens) + i64::from(tokens);
        self.engine(replica).iteration_tokens.add(sum);
    }

    /// The writes of a step: lateness of the first, time to the end of the last, nanoseconds.
    pub fn burst(&mut self, lateness_ns: i64, burst_ns: i64) {
        self.lateness.add(lateness_ns);
        self.burst.add(burst_ns);
    }

    /// A request that had reached the engine ended.
    pub fn ended(&mut self, progress: &Progress, end: RequestEnd) {
        let engine = self.engine(progress.replica);
        match (end, progress.finish) {
            (RequestEnd::Finished, Some(Finish::Stop)) => engine.stopped += 1,
            (RequestEnd::Finished, Some(Finish::Length)) => engine.cut_by_length += 1,
            _ => {
                engine.aborted += 1;
                return;
            }
        }
        engine.finished(progress);
    }

    /// The page.
    pub fn page(&self, server: &ServerView<'_>, own: &OwnView<'_>) -> Vec<u8> {
        let mut page = Page::default();
        vllm::write(&mut page, &self.engines, server);
        own::write(&mut page, &self.lateness, &self.burst, own);
        page.into_bytes()
    }
}

impl EngineMetrics {
    fn finished(&mut self, progress: &Progress) {
        let (last, arrived) = (progress.last_ns, progress.arrived_ns);
        self.e2e.add(last - arrived);
        self.prompt_lengths.add(i64::from(progress.prompt_tokens));
        self.generation_lengths.add(i64::from(progress.generated));
        self.max_tokens.add(i64::from(progress.max_tokens));
        self.choices.add(1);
        self.request_preemptions
            .add(i64::from(progress.preemptions));
        let Some(first) = progress.first_ns else {
            return;
        };
        self.decode.add(last - first);
        if progress.generated > 1 {
            self.per_output_token
                .add((last - first) / i64::from(progress.generated - 1));
        }
        if let Some(admitted) = progress.admitted_ns {
            self.queue.add(admitted - arrived);
            self.prefill.add(first - admitted);
            self.inference.add(last - admitted);
        }
    }
}
