//! Silences that the server owes an answer for: freezes of all streams together, and single streams
//! that hang while the others go on.
//!
//! Rests on the series of arrivals over all streams ([`crate::arrivals`]) and on what each request in
//! flight would have got meanwhile, at its own pace. A prefill that holds up every other stream is
//! no freeze: it explains the silence as far as prompts of its length usually take. Does not judge.
//! Invariant: time without a request in flight is never part of a silence; nothing is asked of a
//! request before it was sent, so that a client that sends late blames nobody.

mod hangs;
mod pace;

use crate::arrivals::{Arrivals, Silence};
use crate::facts::RequestFacts;
use infermeter_core::clock::Offset;
use infermeter_core::run::Window;
use pace::Pace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use hangs::Hangs;
pub use pace::Prompts;

/// The shortest silence that is a freeze, nanoseconds.
const LEAST_NS: i64 = 250_000_000;

/// A freeze is so many times as long as the usual time between two arrivals, at least.
const USUAL_GAPS: i64 = 5;

/// Chunks that would have arrived in a freeze, at least.
const LEAST_MISSING: f64 = 10.0;

/// A silence is explained where prefills usually take this share of it: two that run one after the
/// other seem to take half of their time each.
const EXPLAINED: f64 = 0.5;

/// What happens within this time of a silence's start belongs to the step before it, nanoseconds: usage
/// and the end of a stream follow its last chunk, and prompts wait for the next step.
const STEP_NS: i64 = 20_000_000;

/// Requests that a freeze touches, at least, where single streams hang as well: with fewer it is a
/// coincidence of these.
const BESIDE_HANGS: u64 = 4;

/// Time in which nothing arrived, though it should have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Freeze {
    /// The last chunk before it, or the first send after that.
    pub from: Offset,
    /// The first chunk after it, or the window's end.
    pub to: Offset,
    /// Chunks that were missing, at the pace of the requests in flight.
    pub missing: f64,
    /// Requests in flight meanwhile.
    pub requests: u64,
}

/// What the silences of a run say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Silences {
    /// Freezes that reach into the window, in time order.
    pub freezes: Vec<Freeze>,
    /// Measured streams that hang.
    pub hangs: Hangs,
}

impl Freeze {
    fn length_ns(self) -> i64 {
        self.to.since(self.from)
    }
}

/// What was in flight during one silence.
#[derive(Debug, Clone, Copy)]
struct Owed {
    silence: Silence,
    /// The first send among those in flight, not before the silence.
    since: Offset,
    requests: u64,
    missing: f64,
    /// What the prefills that ended it usually take, nanoseconds.
    explained_ns: f64,
}

impl Owed {
    fn freeze(&self, least_ns: i64) -> Option<Freeze> {
        let freeze = Freeze {
            from: self.since,
            to: self.silence.to,
            missing: self.missing,
            requests: self.requests,
        };
        let is_long = self.requests > 0 && freeze.length_ns() >= least_ns;
        let is_explained = self.explained_ns >= EXPLAINED * freeze.length_ns() as f64;
        (is_long && self.missing >= LEAST_MISSING && !is_explained).then_some(freeze)
    }
}

/// Finds the silences of a run. `prompts` says whether prompts of one length cost the same.
pub fn silences(
    requests: &[RequestFacts],
    arrivals: &Arrivals,
    window: Window,
    prompts: Prompts,
) -> Silences {
    let pace = Pace::of(requests, prompts);
    let usual = busy_ns(requests, window) / i64::try_from(arrivals.count().max(1)).unwrap_or(1);
    let least_ns = LEAST_NS.max(usual.saturating_mul(USUAL_GAPS));
    let mut owed: Vec<Owed> = arrivals
        .silences(least_ns)
        .into_iter()
        .map(none_owed)
        .collect();
    for request in requests {
        for owed in in_flight_during(request, &mut owed) {
            owe(request, owed, &pace);
        }
    }
    let found: Vec<Freeze> = owed.iter().filter_map(|o| o.freeze(least_ns)).collect();
    let (alone, mut freezes): (Vec<Freeze>, Vec<Freeze>) =
        found.into_iter().partition(|f| f.requests < 2);
    let hangs = hangs::hangs(requests, &freezes, &alone, arrivals, &pace);
    if hangs.are_many() {
        freezes.retain(|freeze| freeze.requests >= BESIDE_HANGS);
    } else {
        freezes.extend(alone);
        freezes.sort_by_key(|freeze| freeze.from);
    }
    Silences { freezes, hangs }
}

fn none_owed(silence: Silence) -> Owed {
    Owed {
        silence,
        since: silence.to,
        requests: 0,
        missing: 0.0,
        explained_ns: 0.0,
    }
}

/// The silences, in time order, that a request was in flight in.
fn in_flight_during<'a>(
    request: &RequestFacts,
    silences: &'a mut [Owed],
) -> impl Iterator<Item = &'a mut Owed> {
    let (sent, closed) = (request.send_start, request.closed);
    let first = sent.map_or(silences.len(), |sent| {
        silences.partition_point(|owed| owed.silence.to <= sent)
    });
    silences[first..].iter_mut().take_while(move |owed| {
        closed.is_none_or(|closed| closed.since(owed.silence.from) > STEP_NS)
    })
}

/// Adds what a request in flight would have got.
fn owe(request: &RequestFacts, owed: &mut Owed, pace: &Pace) {
    let Some(sent) = request.send_start else {
        return;
    };
    let silence = owed.silence;
    owed.requests += 1;
    owed.since = owed.since.min(sent.max(silence.from));
    owed.missing += match request.chunks.first.filter(|first| *first <= silence.from) {
        Some(first) => pace.decoding(request, first, silence),
        None => pace.waiting(request, sent, silence),
    };
    let waited = sent.since(silence.from) <= STEP_NS;
    let soon = silence.to.plus(silence.to.since(silence.from) / 2);
    let first = request.chunks.first;
    if waited && first.is_some_and(|first| first >= silence.to && first <= soon) {
        owed.explained_ns += pace.prefill_ns(request);
    }
}

/// Time of the window with a request in flight, nanoseconds.
fn busy_ns(requests: &[RequestFacts], window: Window) -> i64 {
    let mut stays = crate::seconds::stays(requests);
    stays.sort_unstable_by_key(|stay| stay.start);
    let mut busy = 0;
    let mut until = window.start.0;
    for stay in stays {
        let (start, end) = (stay.start.max(until), stay.end.min(window.end.0));
        if end > start {
            busy += end - start;
            until = end;
        }
    }
    busy
}

#[cfg(test)]
mod tests;
