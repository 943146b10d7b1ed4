//! What a request would have got in a time in which nothing came.
//!
//! Pace is that of the request itself where it has one, else the run's. Invariant: nothing is owed to a
//! request that has waited no longer than its like usually do.

use crate::arrivals::Silence;
use crate::facts::RequestFacts;
use infermeter_core::clock::Offset;
use infermeter_core::record::Outcome;
use infermeter_core::request::length_band;
use std::collections::BTreeMap;

/// A first token is late beyond so many times the median of its like: TTFT of prompts of one length
/// band varies by a factor of two by itself.
const USUAL_WAITS: i64 = 3;

/// Whether prompts of one length take the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prompts {
    /// Nothing of them is in a cache, or it is known how much.
    Alike,
    /// A part may come from a cache that the server says nothing of.
    PerhapsCached,
}

/// Time to the first arrival of requests of one kind, nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Wait {
    median_ns: i64,
    /// The 5th percentile: that of a server with nothing else to do.
    floor_ns: i64,
}

/// The usual pace of a run.
#[derive(Debug, Clone)]
pub(super) struct Pace {
    pub(super) prompts: Prompts,
    waits: BTreeMap<u32, Wait>,
    /// Median over the streams of the mean time between two chunks, nanoseconds.
    gap_ns: i64,
}

impl Pace {
    pub(super) fn of(requests: &[RequestFacts], prompts: Prompts) -> Self {
        let completed = || requests.iter().filter(|r| r.outcome == Outcome::Completed);
        let mut waits: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
        for request in completed() {
            if let Some(wait) = wait_ns(request) {
                waits.entry(kind_of(request)).or_default().push(wait);
            }
        }
        let mut gaps: Vec<i64> = completed().filter_map(own_gap_ns).collect();
        gaps.sort_unstable();
        let of = |mut waits: Vec<i64>| {
            waits.sort_unstable();
            Wait {
                median_ns: waits[waits.len() / 2],
                floor_ns: waits[waits.len() / 20],
            }
        };
        Self {
            prompts,
            waits: waits.into_iter().map(|(kind, w)| (kind, of(w))).collect(),
            gap_ns: gaps.get(gaps.len() / 2).copied().unwrap_or(0),
        }
    }

    /// What requests like this one usually wait for their first arrival, nanoseconds: those of the
    /// nearest length where none of its own is known.
    pub(super) fn usual_wait_ns(&self, request: &RequestFacts) -> Option<i64> {
        self.wait(request).map(|wait| wait.median_ns)
    }

    /// What the prefill of a request usually takes, nanoseconds; not more than this one's did.
    pub(super) fn prefill_ns(&self, request: &RequestFacts) -> f64 {
        let usual = self.wait(request).map_or(0, |wait| match self.prompts {
            Prompts::Alike => wait.floor_ns,
            // The least may be that of a prompt that was in the cache.
            Prompts::PerhapsCached => wait.median_ns,
        });
        usual.min(wait_ns(request).unwrap_or(0)) as f64
    }

    fn wait(&self, request: &RequestFacts) -> Option<Wait> {
        let kind = kind_of(request);
        let below = self.waits.range(..=kind).next_back();
        let above = self.waits.range(kind..).next();
        let found = match (below, above) {
            (Some(below), Some(above)) if kind - below.0 <= above.0 - kind => below,
            (below, above) => above.or(below)?,
        };
        Some(*found.1)
    }

    /// Chunks that a stream in the middle of its answer would have got.
    pub(super) fn decoding(&self, request: &RequestFacts, first: Offset, silence: Silence) -> f64 {
        let chunks = &request.chunks;
        let length = until(request, silence).since(silence.from);
        let last = chunks.last.unwrap_or(first);
        let goes_on = last >= silence.to;
        // Its own pace, but for this silence.
        let (time, gaps) = match goes_on {
            true => (last.since(first) - length, chunks.count.saturating_sub(2)),
            false => (last.since(first), chunks.count.saturating_sub(1)),
        };
        let own = match i64::try_from(gaps) {
            Ok(gaps) if gaps > 0 => time / gaps,
            _ => self.gap_ns,
        };
        let own = own.max(1) as f64;
        let before = silence.from.since(first) as f64 / own;
        let all = match goes_on {
            true => chunks.count as f64 - 1.0,
            false => f64::from(request.requested_output_tokens) - 1.0,
        };
        (length as f64 / own).min((all - before).max(0.0))
    }

    /// Chunks that a request without one would have got, had it waited as long as usual.
    pub(super) fn waiting(&self, request: &RequestFacts, sent: Offset, silence: Silence) -> f64 {
        let Some(usual) = self.usual_wait_ns(request) else {
            return 0.0;
        };
        let over = until(request, silence).since(sent) - USUAL_WAITS.saturating_mul(usual);
        let over = over.min(silence.to.since(silence.from));
        if over <= 0 {
            return 0.0;
        }
        if self.gap_ns == 0 {
            // Answers in one piece: it is the only arrival.
            return 1.0;
        }
        let chunks = 1.0 + over as f64 / self.gap_ns as f64;
        chunks.min(f64::from(request.requested_output_tokens.max(1)))
    }
}

/// The silence's end, or the request's, where it gave up before.
fn until(request: &RequestFacts, silence: Silence) -> Offset {
    request
        .closed
        .map_or(silence.to, |closed| closed.min(silence.to))
}

/// From the send to the first chunk, or to the end of an answer in one piece, nanoseconds.
pub(super) fn wait_ns(request: &RequestFacts) -> Option<i64> {
    let first = match request.chunks.first {
        Some(first) => first,
        None => request.closed?,
    };
    Some(first.since(request.send_start?))
}

/// Requests of one kind wait alike: by the length of what has to be computed of the prompt, or of the
/// answer where it comes in one piece.
fn kind_of(request: &RequestFacts) -> u32 {
    let cached = request.cached_tokens.unwrap_or(0);
    match request.chunks.count {
        0 => length_band(request.requested_output_tokens),
        _ => length_band(request.requested_prompt_tokens.saturating_sub(cached)),
    }
}

/// Mean time between the chunks of a stream, nanoseconds.
fn own_gap_ns(request: &RequestFacts) -> Option<i64> {
    let chunks = &request.chunks;
    let gaps = i64::try_from(chunks.count).ok()?.checked_sub(1)?;
    let time = chunks.last?.since(chunks.first?);
    (gaps > 0).then(|| (time / gaps).max(1))
}
