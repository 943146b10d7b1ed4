//! What a result states, whoever wrote it: the one form that every importer translates to.
//!
//! Does not judge. Invariant: what a file does not say is absent, never a default; every number
//! is finite. Latencies are milliseconds, lengths tokens, rates per second.

mod setup;
pub(crate) mod statistics;

pub use setup::SetupItem;
pub use statistics::{Metric, Statistics};

use crate::format::Format;
use crate::json::is_not_finite;
use crate::vocabulary::{Quantity, Term};
use infermeter_core::finding::Finding;
use std::collections::BTreeMap;

/// One result: a run at one load.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Where it came from, as people find it again: a path, with a line or level where needed.
    pub source: String,
    /// The format it was written in.
    pub format: Format,
    /// Version of the tool.
    pub tool_version: Option<String>,
    /// When it was measured, as text that sorts by time.
    pub date: Option<String>,
    /// The load.
    pub load: Load,
    /// Requests by how they ended.
    pub counts: Counts,
    /// Tokens, by who counted them.
    pub tokens: Tokens,
    /// Latencies as reported.
    pub latency: BTreeMap<Metric, Statistics>,
    /// Throughputs as reported.
    pub rates: Rates,
    /// The set-up, as stated.
    pub setup: BTreeMap<SetupItem, String>,
    /// Answers came as streams.
    pub streaming: Option<bool>,
    /// Seed of the workload.
    pub seed: Option<String>,
    /// How percentiles were computed.
    pub percentile_rule: Option<PercentileRule>,
    /// A test of significance that the result reports, between two sides.
    pub comparison_test: Option<String>,
    /// The requests, in the order of the file; empty where the file holds none.
    pub requests: Vec<Request>,
    /// The counts are those of the list of requests: nothing else states them.
    pub counted_from_list: bool,
    /// The run was ended before its time.
    pub cut_short: Option<bool>,
    /// Whether the tool itself calls the result valid.
    pub tool_says_valid: Option<bool>,
    /// A lesser export of what another file of the run says in full.
    pub abridged: bool,
    /// Connections opened by measured requests, as a share of them.
    pub new_connections: Option<f64>,
    /// Cores that the client had, stated or bounded by its number of processes.
    pub client_cores: Option<f64>,
    /// Numbers of the file that were infinite or not a number, left out here.
    pub not_finite: u64,
    /// Elements of arrays of numbers that are neither numbers nor null, left out here.
    pub no_numbers: u64,
    /// Arrays that should be of one length and are not, in words.
    pub unequal: Vec<String>,
    /// What was translated how.
    pub translations: Vec<Translation>,
    /// Findings of the run itself, where infermeter measured it.
    pub findings: Option<Vec<Finding>>,
    /// The server was infermeter's simulator: nobody can state its hardware.
    pub simulated: bool,
    /// Checks that such a run left open, with what was missing.
    pub undecided: Vec<Undecided>,
}

/// The load.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    /// Who decides when a request is sent.
    pub model: Option<LoadModel>,
    /// Shape of the gaps in an open loop.
    pub arrivals: Option<Arrivals>,
    /// Requests per second asked for.
    pub rate: Option<f64>,
    /// Requests in flight asked for (closed loop), or their cap (open loop).
    pub concurrency: Option<f64>,
    /// Requests asked for.
    pub asked_requests: Option<f64>,
    /// Length of the measurement, seconds.
    pub duration_s: Option<f64>,
    /// Length of the warm-up, seconds.
    pub warmup_s: Option<f64>,
    /// Requests of the warm-up.
    pub warmup_requests: Option<f64>,
    /// Send lag at its highest reported percentile (or its mean), milliseconds.
    pub send_lag_ms: Option<f64>,
}

/// Who decides when a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadModel {
    /// A schedule.
    Open,
    /// The previous response.
    Closed,
    /// Nobody: all requests at once.
    Burst,
}

/// Shape of the gaps between arrivals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Exponential gaps.
    Poisson,
    /// Equal gaps.
    Constant,
    /// Others: gamma gaps, a trace.
    Other,
}

/// Requests by how they ended.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Completed.
    pub completed: Option<f64>,
    /// Failed, timed out or incomplete.
    pub failed: Option<f64>,
    /// Sent again after a failure.
    pub retries: Option<f64>,
    /// Completed answers by finish reason.
    pub finish_reasons: BTreeMap<String, u64>,
}

/// Who counted output tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSource {
    /// The server.
    Usage,
    /// The client's tokenizer, after the fact.
    Tokenizer,
    /// Nobody: chunks were taken for tokens.
    Chunks,
    /// The server where it says so, else the client's tokenizer.
    UsageOrTokenizer,
}

/// Token counts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tokens {
    /// Who counted the output tokens of the reported figures.
    pub source: Option<TokenSource>,
    /// Prompt tokens in total.
    pub input: Option<f64>,
    /// Output tokens in total.
    pub output: Option<f64>,
    /// Output tokens in total by the other count, where a file has two.
    pub output_recount: Option<f64>,
    /// Prompt tokens in total by the other count, where a file has two.
    pub input_recount: Option<f64>,
    /// Prompt tokens taken from the server's prefix cache.
    pub cached: Option<f64>,
    /// Output tokens asked of every request, where it is one number.
    pub asked_output: Option<f64>,
    /// Tokens per chunk on average.
    pub per_chunk: Option<f64>,
    /// Chunks per request on average.
    pub chunks: Option<f64>,
    /// Prompt lengths.
    pub input_lengths: Option<Statistics>,
    /// Who counted the prompt lengths, of the requests, too; absent where the file's are the only ones.
    pub input_counted_by: Option<TokenSource>,
    /// Output lengths.
    pub output_lengths: Option<Statistics>,
}

/// Throughputs as reported.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    /// Requests per second.
    pub requests: Option<f64>,
    /// Output tokens per second.
    pub output: Option<f64>,
    /// Prompt tokens per second.
    pub input: Option<f64>,
    /// Input and output tokens per second.
    pub total: Option<f64>,
    /// Output tokens per second and accelerator.
    pub per_gpu: Option<f64>,
    /// Share of the requests that met the objectives.
    pub attainment: Option<f64>,
    /// Whether the objectives were met, by the tool's own rule.
    pub objectives_met: Option<bool>,
}

/// How percentiles were computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PercentileRule {
    /// An order statistic.
    Exact,
    /// Linear interpolation between two order statistics.
    Linear,
    /// From a histogram.
    Histogram,
}

/// One request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request {
    /// When it was sent, seconds on any clock.
    pub start_s: Option<f64>,
    /// TTFT.
    pub ttft_ms: Option<f64>,
    /// TPOT.
    pub tpot_ms: Option<f64>,
    /// E2E.
    pub e2e_ms: Option<f64>,
    /// Gaps between chunks.
    pub gaps_ms: Option<Vec<f64>>,
    /// Prompt tokens.
    pub input_tokens: Option<f64>,
    /// Output tokens.
    pub output_tokens: Option<f64>,
    /// It failed.
    pub failed: bool,
    /// What tells its prompt from others.
    pub prompt_key: Option<u64>,
    /// What tells its answer from others.
    pub answer_key: Option<u64>,
}

impl Request {
    /// End to end: as stated, else the first token and all gaps.
    pub(crate) fn end_to_end_ms(&self) -> Option<f64> {
        let gaps = || Some(self.ttft_ms? + self.gaps_ms.as_ref()?.iter().sum::<f64>());
        self.e2e_ms.or_else(gaps)
    }
}

/// What one name of a file was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The name in the file.
    pub from: &'static str,
    /// What it is here.
    pub to: &'static str,
    /// Why, where the names differ in meaning.
    pub remark: &'static str,
}

/// What a run could not decide: no finding says so, and none that it passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecided {
    /// The check.
    pub code: &'static str,
    /// What it lacks.
    pub lacking: &'static str,
}

/// Whether a text states that nobody knows.
pub(crate) fn is_unknown(text: &str) -> bool {
    text.trim().eq_ignore_ascii_case("unknown")
}

impl Facts {
    /// A result that states nothing but its format.
    pub fn of(format: Format) -> Self {
        Self {
            source: String::new(),
            format,
            tool_version: None,
            date: None,
            load: Load::default(),
            counts: Counts::default(),
            tokens: Tokens::default(),
            latency: BTreeMap::new(),
            rates: Rates::default(),
            setup: BTreeMap::new(),
            streaming: None,
            seed: None,
            percentile_rule: None,
            comparison_test: None,
            requests: Vec::new(),
            counted_from_list: false,
            cut_short: None,
            tool_says_valid: None,
            abridged: false,
            new_connections: None,
            client_cores: None,
            not_finite: 0,
            no_numbers: 0,
            unequal: Vec::new(),
            translations: Vec::new(),
            findings: None,
            simulated: false,
            undecided: Vec::new(),
        }
    }

    /// Keeps the statistics of a metric, unless they are empty.
    pub(crate) fn state(&mut self, metric: Metric, statistics: Statistics) {
        if !statistics.is_empty() {
            self.latency.insert(metric, statistics);
        }
    }

    /// Takes what the terms of a format name: distributions by `family`, single figures by `single`.
    pub(crate) fn take(
        &mut self,
        terms: &[Term],
        family: impl Fn(&str) -> Statistics,
        single: impl Fn(&str) -> Option<f64>,
    ) {
        for term in terms {
            let figure = match term.ours {
                Quantity::Latency(metric) => {
                    self.state(metric, family(term.theirs).scaled(term.factor));
                    continue;
                }
                // They come with statistics of their own, or not at all.
                Quantity::OutputLength | Quantity::SendLag => continue,
                Quantity::Completed => &mut self.counts.completed,
                Quantity::Failed => &mut self.counts.failed,
                Quantity::Duration => &mut self.load.duration_s,
                Quantity::InputTokens => &mut self.tokens.input,
                Quantity::OutputTokens => &mut self.tokens.output,
                Quantity::RequestRate => &mut self.rates.requests,
                Quantity::InputRate => &mut self.rates.input,
                Quantity::OutputRate => &mut self.rates.output,
                Quantity::TotalRate => &mut self.rates.total,
                Quantity::OutputRatePerGpu => &mut self.rates.per_gpu,
            };
            *figure = single(term.theirs).map(|n| n * term.factor);
        }
    }

    /// Notes the translation of every term whose meaning its name does not say.
    pub(crate) fn translate_all(&mut self, terms: &[Term]) {
        for term in terms.iter().filter(|term| !term.remark.is_empty()) {
            self.translate(term.theirs, term.ours.as_str(), term.remark);
        }
    }

    /// Keeps an item of the set-up, unless it is absent, blank, or a number that is none.
    pub(crate) fn declare(&mut self, item: SetupItem, value: Option<String>) {
        let says = |v: &String| !v.trim().is_empty() && !is_not_finite(v);
        if let Some(value) = value.filter(says) {
            self.setup.insert(item, value);
        }
    }

    /// An item of the set-up as stated; `None` where it is not, or stated as unknown.
    pub fn stated(&self, item: SetupItem) -> Option<&String> {
        self.setup.get(&item).filter(|text| !is_unknown(text))
    }

    /// Notes a translation.
    pub(crate) fn translate(&mut self, from: &'static str, to: &'static str, remark: &'static str) {
        let translation = Translation { from, to, remark };
        if !self.translations.contains(&translation) {
            self.translations.push(translation);
        }
    }

    /// Keeps a list of requests as the whole of what is known: their counts, too. Where a row may
    /// have failed without a sign (`outcomes_known` false), nobody knows how many did.
    pub(crate) fn list(&mut self, requests: Vec<Request>, outcomes_known: bool) {
        self.requests = requests;
        self.counted_from_list = true;
        let failed = self.requests.iter().filter(|r| r.failed).count();
        let completed = self.requests.len() - failed;
        self.counts.failed = outcomes_known.then_some(failed as f64);
        self.counts.completed = outcomes_known.then_some(completed as f64);
    }

    /// The requests that completed.
    pub fn completed(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(|r| !r.failed)
    }

    /// Whether the list of requests holds all that completed, and not a sample of them.
    pub fn has_all_requests(&self) -> bool {
        let listed = self.requests.len() as f64;
        let whole = self.counted_from_list;
        let enough = |n: f64| listed + 0.5 > n;
        listed > 0.0 && (whole || self.counts.completed.is_some_and(enough))
    }

    /// Samples behind the reported percentiles: completed requests.
    pub fn samples(&self) -> Option<f64> {
        let counted = self.latency.values().filter(|s| s.n.is_some());
        let of_requests = || {
            let metrics = [Metric::Ttft, Metric::E2e];
            metrics.iter().find_map(|m| self.latency.get(m)?.n)
        };
        self.counts
            .completed
            .or_else(of_requests)
            .or_else(|| counted.filter_map(|s| s.n).reduce(f64::min))
            .or_else(|| (!self.requests.is_empty()).then(|| self.completed().count() as f64))
    }

    /// A percentile of a metric as reported.
    pub fn percentile(&self, metric: Metric, p: f64) -> Option<f64> {
        self.latency.get(&metric)?.percentile(p)
    }
}
