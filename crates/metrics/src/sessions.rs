//! Sessions: how long they took, how they ended, their first turns against their later ones.
//!
//! Does not estimate. Invariant: a session counts where its first turn is measured, a turn where it
//! is measured itself; a session with turns that the run ended before has no duration, only one that it
//! exceeds.

use crate::facts::RequestFacts;
use crate::milliseconds::to_ms;
use crate::origin::Origin;
use crate::request_metric::RequestMetric;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::request::RequestId;
use infermeter_core::schedule::Phase;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// Sessions that began inside the window, by how they ended. Conservation: `begun` is the sum of the
/// others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionCounts {
    /// Their first turn is measured and was sent.
    pub begun: u64,
    /// Every turn completed.
    pub completed: u64,
    /// Some turn did not.
    pub failed: u64,
    /// The run ended before some turn.
    pub unfinished: u64,
}

/// Requests at one kind of place in their sessions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TurnSamples {
    /// Measured requests, whatever their outcome.
    pub measured: u64,
    /// TTFT of the completed ones from the headline origin, milliseconds, in order of intended time.
    pub ttft_ms: Vec<f64>,
    /// E2E of the same.
    pub e2e_ms: Vec<f64>,
    /// Prompt tokens by usage, of the completed ones.
    pub prompt_tokens: u64,
    /// Of those, from the server's cache; absent where it does not say.
    pub cached_tokens: Option<u64>,
}

/// Everything about the sessions of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SessionSamples {
    /// How they ended.
    pub counts: SessionCounts,
    /// Completed sessions: from the first intended instant to the last `closed`, milliseconds, in
    /// order of their first turns.
    pub duration_ms: Vec<f64>,
    /// The same of all sessions, in order of their first turns.
    pub e2e: Vec<SessionTime>,
    /// Turns of the same.
    pub turns: Vec<u32>,
    /// First turns.
    pub first: TurnSamples,
    /// All others.
    pub later: TurnSamples,
    /// Turns of a trace: intended - the trace's own instant, milliseconds, measured ones that waited
    /// for an answer, in order of intended time.
    pub slip_ms: Vec<f64>,
}

/// What a session took, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SessionTime {
    /// It ended so long after its first intended instant; +infinity where it failed.
    Took(f64),
    /// The run ended before it did: it takes at least as long.
    AtLeast(f64),
}

#[derive(Debug, Clone, Copy)]
struct Session {
    first: Offset,
    last: Offset,
    counts: bool,
    turns: u32,
    failed: bool,
    cut: bool,
}

/// Takes the requests of a run one by one, in id order.
#[derive(Debug, Clone)]
pub struct SessionCollector {
    origin: Origin,
    sessions: BTreeMap<u64, Session>,
    /// Measured turns with their intended instants.
    turns: Vec<(Offset, RequestId, Turn)>,
    samples: SessionSamples,
}

#[derive(Debug, Clone, Copy)]
struct Turn {
    is_first: bool,
    ttft_ms: Option<f64>,
    e2e_ms: Option<f64>,
    slip_ms: Option<f64>,
}

impl SessionCollector {
    /// Latencies are from `origin`.
    pub fn new(origin: Origin) -> Self {
        Self {
            origin,
            sessions: BTreeMap::new(),
            turns: Vec::new(),
            samples: SessionSamples::default(),
        }
    }

    /// Takes a request; those that stand alone are passed over.
    pub fn add(&mut self, record: &RequestFacts) {
        let Some(turn) = record.turn else { return };
        let is_first = record.parent.is_none();
        let completed = record.outcome == Outcome::Completed;
        let closed = record.closed.unwrap_or(record.intended);
        let session = self.sessions.entry(turn.session).or_insert(Session {
            first: record.intended,
            last: closed,
            counts: false,
            turns: 0,
            failed: false,
            cut: false,
        });
        session.counts |= is_first && record.phase == Phase::Measure && record.send_start.is_some();
        session.first = session.first.min(record.intended);
        // The instant of a turn that was not sent may be one after the run.
        session.last = session.last.max(record.closed.unwrap_or(session.last));
        session.turns += 1;
        let cut = is_cut(record);
        session.failed |= !completed && !cut;
        session.cut |= cut;
        if record.phase == Phase::Measure {
            self.add_turn(record, is_first);
        }
    }

    fn add_turn(&mut self, record: &RequestFacts, is_first: bool) {
        let kind = if is_first {
            &mut self.samples.first
        } else {
            &mut self.samples.later
        };
        kind.measured += 1;
        let completed = record.outcome == Outcome::Completed;
        if completed {
            kind.prompt_tokens += u64::from(record.prompt_tokens.unwrap_or(0));
            if let Some(cached) = record.cached_tokens {
                *kind.cached_tokens.get_or_insert(0) += u64::from(cached);
            }
        }
        let value = |metric: RequestMetric| {
            let value = metric.value_ms(record, self.origin);
            value.filter(|_| completed)
        };
        let planned = record.planned.filter(|_| record.send_start.is_some());
        let turn = Turn {
            is_first,
            ttft_ms: value(RequestMetric::Ttft),
            e2e_ms: value(RequestMetric::E2e),
            slip_ms: planned.map(|at| to_ms(record.intended.since(at))),
        };
        self.turns.push((record.intended, record.id, turn));
    }

    /// The samples; `None` where no request belongs to a session. The run ended before some turns of
    /// the sessions `unfinished`.
    pub fn finish(mut self, unfinished: &[u64]) -> Option<SessionSamples> {
        if self.sessions.is_empty() {
            return None;
        }
        let unfinished: HashSet<u64> = unfinished.iter().copied().collect();
        let samples = &mut self.samples;
        let mut ended: Vec<(Offset, Session)> = Vec::new();
        let mut judged: Vec<(Offset, SessionTime)> = Vec::new();
        for (number, session) in self.sessions.iter().filter(|(_, s)| s.counts) {
            let counts = &mut samples.counts;
            counts.begun += 1;
            let so_far = to_ms(session.last.since(session.first));
            // A turn that failed fails its session, whatever the end of the run cut off beside it.
            let (time, count) = match (session.failed, session.cut || unfinished.contains(number)) {
                (true, _) => (SessionTime::Took(f64::INFINITY), &mut counts.failed),
                (false, true) => (SessionTime::AtLeast(so_far), &mut counts.unfinished),
                (false, false) => {
                    ended.push((session.first, *session));
                    (SessionTime::Took(so_far), &mut counts.completed)
                }
            };
            *count += 1;
            judged.push((session.first, time));
        }
        judged.sort_by_key(|(first, _)| *first);
        samples.e2e = judged.into_iter().map(|(_, time)| time).collect();
        ended.sort_by_key(|(first, _)| *first);
        for (first, session) in ended {
            samples.duration_ms.push(to_ms(session.last.since(first)));
            samples.turns.push(session.turns);
        }
        self.turns.sort_by_key(|(at, id, _)| (*at, *id));
        for (_, _, turn) in &self.turns {
            let kind = if turn.is_first {
                &mut samples.first
            } else {
                &mut samples.later
            };
            kind.ttft_ms.extend(turn.ttft_ms);
            kind.e2e_ms.extend(turn.e2e_ms);
            samples.slip_ms.extend(turn.slip_ms);
        }
        Some(self.samples)
    }
}

/// The end of the run kept a turn from ending, or from being sent.
fn is_cut(record: &RequestFacts) -> bool {
    match record.outcome {
        Outcome::Completed | Outcome::Failed | Outcome::TimedOut => false,
        Outcome::NotSent => record.reason != Some(Reason::SessionEnded),
        Outcome::Cancelled => {
            let stopped = [Reason::Interrupted, Reason::RunKilled].map(Some);
            record.phase == Phase::Drain || stopped.contains(&record.reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SessionCollector, SessionCounts, SessionSamples, SessionTime};
    use crate::fixture::{Run, facts, ms};
    use crate::origin::Origin;
    use infermeter_core::clock::Offset;
    use infermeter_core::record::Reason;
    use infermeter_core::request::Turn;

    /// Turns of a fixture's records: session, number and whether they wait for the record before.
    fn samples(mut run: Run, turns: &[(u64, u32)], unfinished: &[u64]) -> SessionSamples {
        for (record, (session, number)) in run.records().iter_mut().zip(turns) {
            record.turn = Some(Turn {
                session: *session,
                number: *number,
            });
            if *number > 0 {
                record.parent = Some(0);
                record.planned = Some(Offset(record.intended.0 - ms(3)));
            }
        }
        let mut collector = SessionCollector::new(Origin::Intended);
        let log = run.build();
        facts(&log).requests.iter().for_each(|r| collector.add(r));
        collector.finish(unfinished).expect("sessions")
    }

    #[test]
    fn sessions_by_how_they_ended() {
        let mut run = Run::open(1.0, 10);
        // Session 0: two turns, 1,000 to 2,040 ms (and the end of the answer).
        run.stream(1_000, ms(20), ms(10), 2);
        run.stream(2_000, ms(30), ms(10), 2);
        // Session 1 fails at once; session 2 is cut off.
        run.failed(3_000, Reason::HttpStatus);
        run.stream(4_000, ms(20), ms(10), 2);
        let turns = [(0, 0), (0, 1), (1, 0), (2, 0)];
        let found = samples(run, &turns, &[2]);
        let expect = SessionCounts {
            begun: 3,
            completed: 1,
            failed: 1,
            unfinished: 1,
        };
        assert_eq!(found.counts, expect);
        assert_eq!(found.turns, [2]);
        // What failed takes for ever; what the run cut off as long as it took until then, at least.
        let [took, failed, SessionTime::AtLeast(so_far)] = found.e2e[..] else {
            panic!("{found:?}");
        };
        assert_eq!(took, SessionTime::Took(found.duration_ms[0]));
        assert_eq!(failed, SessionTime::Took(f64::INFINITY));
        assert!((20.0..60.0).contains(&so_far), "{so_far}");
        assert!((found.duration_ms[0] - 1_040.0).abs() < 5.0, "{found:?}");
        assert_eq!(found.first.ttft_ms, [20.0, 20.0]);
        assert_eq!((found.first.measured, found.later.measured), (3, 1));
        assert_eq!(found.later.ttft_ms, [30.0]);
        assert_eq!(found.slip_ms, [3.0]);
    }

    #[test]
    fn a_session_with_a_failed_turn_is_failed_though_the_run_cut_off_others() {
        let mut run = Run::open(1.0, 10);
        run.stream(1_000, ms(20), ms(10), 2);
        run.failed(3_000, Reason::HttpStatus);
        let found = samples(run, &[(0, 0), (0, 1)], &[0]);
        assert_eq!((found.counts.failed, found.counts.unfinished), (1, 0));
        assert_eq!(found.e2e, [SessionTime::Took(f64::INFINITY)]);
    }

    #[test]
    fn a_session_of_the_warm_up_is_not_counted_and_its_measured_turns_are() {
        let mut run = Run::open(1.0, 10);
        run.warmup_stream(-10, ms(20), ms(10), 2);
        run.stream(1_000, ms(25), ms(10), 2);
        let found = samples(run, &[(0, 0), (0, 1)], &[]);
        assert_eq!(found.counts, SessionCounts::default());
        assert!(found.duration_ms.is_empty());
        assert_eq!(found.later.ttft_ms, [25.0]);
    }

    #[test]
    fn requests_that_stand_alone_are_no_sessions() {
        let mut run = Run::open(1.0, 10);
        run.stream(1_000, ms(20), ms(10), 2);
        let mut collector = SessionCollector::new(Origin::Intended);
        let log = run.build();
        facts(&log).requests.iter().for_each(|r| collector.add(r));
        assert_eq!(collector.finish(&[]), None);
    }
}
