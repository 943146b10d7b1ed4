//! What a client saw of a level, as far as an engine model needs it: when requests came and tokens left.
//!
//! Invariant: only what was measured is kept; what keeps a model from being fitted is named, not worked around.

use crate::judged::Judged;
use infermeter_analysis::Summary;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::request::ClassIndex;
use infermeter_core::run::RunManifest;
use infermeter_core::schedule::Phase;
use infermeter_core::source::{ChunkFields, RecordSource};
use std::ops::ControlFlow;

/// Most tokens of a run that are held: about 16 MB.
const MAX_CHUNKS: usize = 2_000_000;

/// Failed requests above this share: an engine model says nothing of failures.
const MOST_FAILED: f64 = 0.01;

/// Prompt tokens from the server's cache above this share: a fleet divides a cache, and no client knows how.
const MOST_CACHED: f64 = 0.05;

/// A run at one rate.
#[derive(Debug)]
pub struct SeenRun {
    /// Requests per second asked for.
    pub rate: f64,
    /// What it says of itself, with the objectives that are judged.
    pub(super) manifest: RunManifest,
    /// Its figures.
    pub(super) summary: Summary,
    /// Its requests that were sent, by arrival.
    pub(super) requests: Vec<SeenRequest>,
    whole: bool,
    sessions: bool,
}

/// A request as an engine had it.
#[derive(Debug)]
pub(super) struct SeenRequest {
    pub id: u64,
    pub class: ClassIndex,
    pub phase: Phase,
    pub intended_ns: i64,
    /// When it was sent.
    pub arrived_ns: i64,
    pub prompt_tokens: u32,
    /// Tokens that came, or were asked for where it did not complete.
    pub output_tokens: u32,
    pub completed: bool,
    /// Instants of its tokens.
    pub tokens_ns: Vec<i64>,
}

impl SeenRequest {
    fn of(record: &RequestRecord) -> Option<Self> {
        let arrived = record.send_start?;
        let tokens_ns: Vec<i64> = record.chunks.iter().map(|chunk| chunk.at.0).collect();
        let completed = record.outcome == Outcome::Completed;
        let asked = record.requested_output_tokens;
        Some(Self {
            id: record.id,
            class: record.class,
            phase: record.phase,
            intended_ns: record.intended.0,
            arrived_ns: arrived.0,
            prompt_tokens: record
                .prompt_tokens
                .unwrap_or(record.requested_prompt_tokens)
                .max(1),
            output_tokens: match completed {
                true => (tokens_ns.len() as u32).max(1),
                false => asked.max(1),
            },
            completed,
            tokens_ns,
        })
    }
}

impl SeenRun {
    /// What there is to see of a run.
    ///
    /// # Errors
    /// When its records cannot be read.
    pub fn read<S: RecordSource>(rate: f64, judged: Judged, records: &S) -> Result<Self, S::Error> {
        let mut run = Self {
            rate,
            manifest: judged.manifest,
            summary: judged.summary,
            requests: Vec::new(),
            whole: true,
            sessions: false,
        };
        let mut chunks = 0;
        records.in_order(ChunkFields::default(), &mut |record| {
            chunks += record.chunks.len();
            run.sessions |= record.turn.is_some();
            if chunks > MAX_CHUNKS {
                run.whole = false;
                return ControlFlow::Break(());
            }
            run.requests.extend(SeenRequest::of(record));
            ControlFlow::Continue(())
        })?;
        run.requests.sort_by_key(|request| request.arrived_ns);
        Ok(run)
    }

    /// Its figures.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// What is said where its tokens are too many to be held.
    pub(super) fn too_long(&self) -> Option<String> {
        (!self.whole).then(|| {
            format!(
                "a run at {} requests/s has more than {MAX_CHUNKS} tokens: the engine model is fitted without it",
                self.rate
            )
        })
    }

    /// Why no engine model can be fitted to it.
    pub(super) fn unfit(&self) -> Option<String> {
        let at = format!("at {} requests/s", self.rate);
        let measured = &self.summary.requests.measured;
        let failed = 1.0 - measured.completed as f64 / (measured.total as f64).max(1.0);
        let tokens = &self.summary.tokens;
        let cached =
            tokens.cached_tokens.unwrap_or(0) as f64 / (tokens.prompt_tokens as f64).max(1.0);
        if !self.summary.streaming {
            Some("answers that come whole do not show the engine's steps".to_owned())
        } else if self.sessions {
            Some("turns of sessions wait for each other, which no fleet here does".to_owned())
        } else if failed > MOST_FAILED {
            Some(format!(
                "{at} {:.1} % of the requests failed, and an engine model says nothing of failures",
                failed * 100.0
            ))
        } else if self.summary.latency.multi_token_chunks {
            Some(format!(
                "{at} chunks carry several tokens, so gaps are not steps"
            ))
        } else if cached > MOST_CACHED {
            Some(format!(
                "{at} {:.0} % of the prompt tokens came from the server's cache, which a fleet divides",
                cached * 100.0
            ))
        } else {
            None
        }
    }

    /// Seconds from a request to its last token, mean.
    pub(super) fn residence_s(&self) -> f64 {
        let times = self
            .requests
            .iter()
            .filter_map(|r| Some(r.tokens_ns.last()? - r.arrived_ns));
        let (sum, n) = times.fold((0.0, 0.0), |(sum, n), ns| (sum + ns as f64 / 1e9, n + 1.0));
        if n > 0.0 { sum / n } else { 0.0 }
    }
}

/// The rates of runs, ascending, each once.
pub(super) fn rates(runs: &[&SeenRun]) -> Vec<f64> {
    let mut rates: Vec<f64> = runs.iter().map(|run| run.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates
}
