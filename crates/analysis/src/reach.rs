//! When the server could not be reached: gaps in time, from the requests' records alone.
//!
//! A gap begins with its first sign: a connect that failed or took so long that the network must have
//! lost its first packet, or connections that broke all at once. It ends with the next byte of any
//! answer. It says nothing of a server that is connected and silent, and of one that refuses connections while
//! it serves those that it has.
//!
//! Invariant: no byte of an answer arrives inside a gap.

use crate::run::Run;
use infermeter_core::clock::Offset;
use infermeter_core::record::Reason;
use infermeter_core::run::Window;
use infermeter_metrics::facts::RequestFacts;

/// Linux sends a lost SYN again after 1 s; a connect that took nearly that had no answer to its first.
const LOST_SYN_NS: i64 = 900_000_000;
/// Connections that broke within this time broke at once.
const AT_ONCE_NS: i64 = 100_000_000;
/// Fewer broken connections may have reasons of their own.
const BROKEN_AT_ONCE: usize = 3;
/// Requests sent up to this long after a gap open the connections anew that it cost.
const REOPENING_NS: i64 = 1_000_000_000;

/// A stretch of time in which the server could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) from: Offset,
    /// The next byte of an answer; absent where none came.
    pub(crate) until: Option<Offset>,
    /// Requests that failed for it.
    pub(crate) failed: u64,
}

impl Gap {
    /// Nanoseconds of it inside a window.
    pub(crate) fn inside(&self, window: Window) -> i64 {
        let until = self.until.unwrap_or(window.end).min(window.end);
        until.since(self.from.max(window.start)).max(0)
    }

    /// Whether a request that was sent at `at` had to open a connection because of it.
    pub(crate) fn explains_connect_at(&self, at: Offset) -> bool {
        let until = self.until.map(|until| until.plus(REOPENING_NS));
        at >= self.from && until.is_none_or(|until| at <= until)
    }
}

/// What a record shows of the server, at one instant. In the order in which they count at the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sign {
    /// A byte of an answer.
    Alive,
    /// A connection broke under a request.
    Broken,
    /// A connect was refused, or was not tried because others had been.
    Refused,
    /// A connect that began at this instant had no answer.
    Unanswered(Offset),
    /// A connect that began at this instant came up late.
    Late(Offset),
}

/// The gaps of a run, in order.
pub(crate) fn gaps(run: &Run) -> Vec<Gap> {
    let requests = &run.collected.requests;
    let breaks = requests.iter().filter(|r| is_broken(r)).count();
    if breaks < BROKEN_AT_ONCE && !requests.iter().any(|r| connect(r).is_some()) {
        return Vec::new();
    }
    let mut signs: Vec<(Offset, Sign)> = requests.iter().flat_map(signs).collect();
    signs.sort_unstable();
    let survivors = Survivors::of(requests);
    let mut walk = Walk::default();
    for (at, sign) in signs {
        walk.step(at, sign, &survivors);
    }
    walk.gaps.extend(walk.open);
    walk.gaps
}

/// A connect that says something, and when that was known.
fn connect(r: &RequestFacts) -> Option<(Offset, Sign)> {
    let late = r.connected.zip(r.send_start);
    let late = late.filter(|(up, begun)| up.since(*begun) >= LOST_SYN_NS);
    match r.reason {
        Some(Reason::ConnectFailed | Reason::ConnectBackoff) => Some((r.closed?, Sign::Refused)),
        Some(Reason::ConnectTimeout) => Some((r.closed?, Sign::Unanswered(r.send_start?))),
        _ => late.map(|(up, begun)| (up, Sign::Late(begun))),
    }
}

fn is_broken(r: &RequestFacts) -> bool {
    matches!(
        r.reason,
        Some(Reason::Disconnected | Reason::StaleConnection | Reason::Truncated)
    )
}

fn signs(r: &RequestFacts) -> impl Iterator<Item = (Offset, Sign)> {
    let alive = [r.first_byte, r.chunks.last];
    let alive = alive.into_iter().flatten().map(|at| (at, Sign::Alive));
    let broken = r
        .closed
        .filter(|_| is_broken(r))
        .map(|at| (at, Sign::Broken));
    alive.chain(broken).chain(connect(r))
}

/// Requests that lived through an instant.
struct Survivors(Vec<(Offset, Offset)>);

impl Survivors {
    /// By send, each with the latest end of those up to it.
    fn of(requests: &[RequestFacts]) -> Self {
        let served = |r: &&RequestFacts| !is_broken(r) && r.first_byte.is_some();
        let lived = requests.iter().filter(served);
        let mut spans: Vec<(Offset, Offset)> = lived
            .filter_map(|r| Some((r.send_start?, r.closed?)))
            .collect();
        spans.sort_unstable();
        let mut latest = Offset(i64::MIN);
        for (_, end) in &mut spans {
            latest = latest.max(*end);
            *end = latest;
        }
        Self(spans)
    }

    /// Some request was sent before `from` and ended after `to`.
    fn any_through(&self, from: Offset, to: Offset) -> bool {
        let before = self.0.partition_point(|(sent, _)| *sent < from);
        before
            .checked_sub(1)
            .is_some_and(|last| self.0[last].1 > to)
    }
}

#[derive(Debug, Default)]
struct Walk {
    gaps: Vec<Gap>,
    open: Option<Gap>,
    alive: Option<Offset>,
    /// First and last connection that broke since then, and how many.
    broken: Option<(Offset, Offset, usize)>,
    /// A packet to the server was lost since then.
    packets_lost: bool,
}

impl Walk {
    fn step(&mut self, at: Offset, sign: Sign, survivors: &Survivors) {
        match sign {
            Sign::Alive => {
                let gap = self.open.take().or_else(|| self.lost_at_once());
                // A process that went takes its connections along; a network does not.
                let served = |gap: &Gap| !self.packets_lost && survivors.any_through(gap.from, at);
                let gap = gap.filter(|gap| !served(gap));
                self.gaps.extend(gap.map(|gap| Gap {
                    until: Some(at),
                    ..gap
                }));
                (self.alive, self.broken, self.packets_lost) = (Some(at), None, false);
            }
            Sign::Broken => match (&mut self.open, &mut self.broken) {
                (Some(gap), _) => gap.failed += 1,
                (None, Some((_, last, n))) => (*last, *n) = (at, *n + 1),
                (None, none) => *none = Some((at, at, 1)),
            },
            Sign::Refused => self.failed(at),
            Sign::Unanswered(begun) => {
                self.packets_lost = true;
                self.failed(begun);
            }
            Sign::Late(begun) => {
                let silent_since = self.alive.map_or(begun, |alive| alive.max(begun));
                if at.since(silent_since) >= LOST_SYN_NS {
                    self.packets_lost = true;
                    self.open(begun);
                }
            }
        }
    }

    /// A request failed for a connect that began at `begun`.
    fn failed(&mut self, begun: Offset) {
        self.open(begun);
        self.open.iter_mut().for_each(|gap| gap.failed += 1);
    }

    /// Opens a gap where none is: at `begun`, or with the connections that had broken before, but not
    /// before the last byte of an answer.
    fn open(&mut self, begun: Offset) {
        if self.open.is_some() {
            return;
        }
        let broken = self.broken.take();
        let from = broken.map_or(begun, |(first, _, _)| first.min(begun));
        self.open = Some(Gap {
            from: self.alive.map_or(from, |alive| alive.max(from)),
            until: None,
            failed: broken.map_or(0, |(_, _, n)| n as u64),
        });
    }

    /// Every connection in use broke at the same time: the server went, and was back at once.
    fn lost_at_once(&self) -> Option<Gap> {
        let (first, last, n) = self.broken?;
        let at_once = last.since(first) <= AT_ONCE_NS;
        (n >= BROKEN_AT_ONCE && at_once).then_some(Gap {
            from: first,
            until: None,
            failed: n as u64,
        })
    }
}

#[cfg(test)]
mod tests;
