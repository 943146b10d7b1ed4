//! Single streams that stand still while the others go on.
//!
//! A stream hangs where one of its gaps is far beyond its own and either others got their chunks
//! meanwhile or no other was in flight; or where its first token comes far later than those of its
//! like, behind requests that were sent after it. Gaps that every fifth stream has are how the
//! server works (a parser that holds tool calls back, say), and no hang.

use super::pace::{Pace, Prompts, wait_ns};
use super::{Freeze, LEAST_NS};
use crate::arrivals::{Arrivals, Silence};
use crate::facts::RequestFacts;
use infermeter_core::clock::Offset;
use infermeter_core::record::Outcome;
use infermeter_core::schedule::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Share of the streams that hang, at least and at most: less may be a coincidence, more is another mode or how the
/// server works.
const SHARES: std::ops::RangeInclusive<f64> = 0.01..=0.2;

/// Streams that hang, at least.
const LEAST: u64 = 3;

/// A first token is a hang beyond so many times the median of its like.
const USUAL_WAITS: i64 = 5;

/// Others went on where they got this share of the chunks that the stream alone would have got. First
/// tokens of prompts that are computed one after the other are fewer.
const OTHERS: f64 = 0.5;

/// Streams that hang, of the measured ones that completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hangs {
    /// Streams with at least two chunks.
    pub examined: u64,
    /// Of those, that hang.
    pub requests: u64,
    /// Of those, before their first token.
    pub before_first_token: u64,
    /// The longest, nanoseconds; 0 without one.
    pub longest_ns: i64,
    /// When the longest ended.
    pub longest_to: Offset,
}

impl Hangs {
    /// Share of the streams that hang; absent without a stream.
    pub fn share(&self) -> Option<f64> {
        (self.examined > 0).then(|| self.requests as f64 / self.examined as f64)
    }

    /// More than a coincidence, and not how the server works.
    pub fn are_many(&self) -> bool {
        self.requests >= LEAST && self.share().is_some_and(|share| SHARES.contains(&share))
    }

    fn add(&mut self, gap: Silence, before_first: u64) {
        self.requests += 1;
        self.before_first_token += before_first;
        let length = gap.to.since(gap.from);
        if length > self.longest_ns {
            (self.longest_ns, self.longest_to) = (length, gap.to);
        }
    }
}

/// Counts the measured streams that hang, beside `freezes`; in the silences of `alone` no other
/// request was in flight. `requests` are in the order of their sends but for a few.
pub(super) fn hangs(
    requests: &[RequestFacts],
    freezes: &[Freeze],
    alone: &[Freeze],
    arrivals: &Arrivals,
    pace: &Pace,
) -> Hangs {
    let mut found = Hangs::default();
    for (index, request) in requests.iter().enumerate() {
        let measured = request.phase == Phase::Measure && request.outcome == Outcome::Completed;
        if !measured || request.chunks.count < 2 {
            continue;
        }
        found.examined += 1;
        let apart = |gap: &Silence| !freezes.iter().any(|freeze| covers(freeze, gap));
        let is_alone = |gap: &Silence| alone.iter().any(|freeze| covers(freeze, gap));
        let inner = inner(request, arrivals, is_alone).filter(apart);
        let first = || first(requests, index, pace, is_alone).filter(apart);
        let gap = inner
            .map(|gap| (gap, 0))
            .or_else(|| first().map(|gap| (gap, 1)));
        if let Some((gap, before_first)) = gap {
            found.add(gap, before_first);
        }
    }
    found
}

/// The longest gap inside a stream, where it hangs in it.
fn inner(
    request: &RequestFacts,
    arrivals: &Arrivals,
    is_alone: impl Fn(&Silence) -> bool,
) -> Option<Silence> {
    let stalls = request.chunks.stalls.filter(|s| s.longest_ns >= LEAST_NS)?;
    let to = stalls.longest_to;
    let gap = Silence {
        from: to.plus(-stalls.longest_ns),
        to,
    };
    let own = stalls.longest_ns as f64 / stalls.median_ns.max(1) as f64;
    let others = arrivals.inside(gap.from, gap.to) as f64;
    (others >= OTHERS * own || is_alone(&gap)).then_some(gap)
}

/// The time before the first token, where the request hangs in it.
fn first(
    requests: &[RequestFacts],
    index: usize,
    pace: &Pace,
    is_alone: impl Fn(&Silence) -> bool,
) -> Option<Silence> {
    let request = requests.get(index)?;
    let (sent, first) = (request.send_start?, request.chunks.first?);
    let usual = pace.usual_wait_ns(request)?;
    let limit = (LEAST_NS + usual).max(USUAL_WAITS.saturating_mul(usual));
    if pace.prompts == Prompts::PerhapsCached || wait_ns(request)? < limit {
        return None;
    }
    let gap = Silence {
        from: sent.plus(usual),
        to: first,
    };
    let later = requests.get(index + 1..)?.iter();
    let mut later = later.take_while(|other| other.intended < first);
    let like = |other: &RequestFacts| {
        other.requested_prompt_tokens.saturating_mul(2) >= request.requested_prompt_tokens
    };
    let overtaken = later.any(|other| {
        let after = other.send_start.is_some_and(|at| at > sent);
        after && like(other) && other.chunks.first.is_some_and(|at| at < first)
    });
    (overtaken || is_alone(&gap)).then_some(gap)
}

/// At least half of the gap lies in the freeze.
fn covers(freeze: &Freeze, gap: &Silence) -> bool {
    let common = freeze.to.min(gap.to).since(freeze.from.max(gap.from));
    2 * common >= gap.to.since(gap.from)
}
