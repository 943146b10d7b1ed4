//! What both load models share: making an engine ready, waiting for the start, and accounting.

use crate::bodies::{Bodies, NextRequests, unsent};
use crate::dependents::{Dependents, Waiting};
use crate::recorder::Records;
use crate::self_watch::SelfWatch;
use crate::settings::RunSettings;
use crate::shared::{Shared, Stop};
use infermeter_client::engine::{Engine, EngineConfig};
use infermeter_client::live::Live;
use infermeter_client::prepared::Prepared;
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::record::{Reason, RequestError, RequestRecord};
use infermeter_core::request::{RequestId, RequestSpec};
use infermeter_core::run::ThreadHealth;
use infermeter_core::schedule::{Phase, Slice};
use infermeter_sys::affinity;
use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Longest wait inside the engine: signals and the end of the run are noticed this fast.
pub(crate) const TICK_NS: i64 = 10_000_000;
/// Connections are tended only when nothing is due for this long.
const QUIET_NS: i64 = 300_000;
/// Wait between looks at a body queue that was empty.
pub(crate) const BODY_RETRY_NS: i64 = 50_000;
/// Time between the last preparation and the run's origin: every thread must be waiting by then.
pub(crate) const LEAD_NS: i64 = 5_000_000;
/// Where others are waited for, connections that have grown old meanwhile are opened anew this long before the
/// origin: a connect and a handshake over any network, far below what servers close idle connections after.
const RENEW_NS: i64 = 1_000_000_000;
/// From one look for the start to the next.
const START_LOOK_NS: i64 = 1_000_000;

/// One worker thread's context.
pub(crate) struct Worker<'a> {
    pub(crate) index: usize,
    pub(crate) count: usize,
    /// Its part of the run.
    pub(crate) part: Slice,
    pub(crate) shared: &'a Shared,
    pub(crate) bodies: &'a Bodies,
    pub(crate) records: Records,
    pub(crate) engine: Engine,
    pub(crate) bodies_late: u64,
    /// Requests that wait for answers.
    pub(crate) dependents: Dependents,
    /// Its share of the connections that are opened before the clock starts.
    open_ahead: usize,
    watch: SelfWatch,
    begun: Vec<RequestRecord>,
    done: Vec<RequestRecord>,
    /// When the last look at the sockets began.
    polled_at: Option<Offset>,
    settled: bool,
}

/// When a request is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    pub(crate) phase: Phase,
    pub(crate) intended: Offset,
}

/// How a run ends for requests that were not sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunEnd {
    pub(crate) reason: Reason,
    pub(crate) window_end: Offset,
}

/// What a worker leaves behind.
#[derive(Debug, Default)]
pub(crate) struct WorkerEnd {
    pub(crate) health: ThreadHealth,
    /// Arrivals of the drain that the run ended before.
    pub(crate) arrivals_not_reached: u64,
    /// Turns of sessions under way that it ended before.
    pub(crate) turns_not_reached: u64,
    /// Sessions with turns that were not reached.
    pub(crate) unfinished: Vec<u64>,
}

impl WorkerEnd {
    /// Requests without a record, because the run ended before them.
    pub(crate) fn not_reached(&self) -> u64 {
        self.arrivals_not_reached + self.turns_not_reached
    }
}

impl<'a> Worker<'a> {
    /// Makes an engine on the calling thread and opens its connections.
    pub(crate) fn prepare(
        index: usize,
        settings: &RunSettings,
        shared: &'a Shared,
        bodies: &'a Bodies,
        records: Records,
        live: Arc<Live>,
    ) -> io::Result<Self> {
        let count = settings.threads;
        if let Some(core) = settings.cores.get(index) {
            // Pinning is a help, not a need: a sandbox may forbid it.
            let _ = affinity::restrict_to(&[*core]);
        }
        let part = Slice::new(index as u32, count as u32).map_err(io::Error::other)?;
        let (first, stride) = (
            settings.engine.first_connection,
            settings.engine.connection_stride,
        );
        let config = EngineConfig {
            clock: Clock::starting_in(0),
            first_connection: first + stride * index as u32,
            connection_stride: stride * count as u32,
            max_connections: part.share(settings.engine.max_connections as u64).max(1) as usize,
            ..settings.engine.clone()
        };
        let mut engine = Engine::new(config, live)?;
        let open_ahead = part.share(settings.open_ahead as u64);
        open_connections(&mut engine, open_ahead)?;
        Ok(Self {
            index,
            count,
            part,
            shared,
            bodies,
            records,
            engine,
            bodies_late: 0,
            dependents: Dependents::new(index, settings.sessions),
            open_ahead: open_ahead as usize,
            watch: SelfWatch::start(Offset::ZERO),
            begun: Vec::new(),
            done: Vec::new(),
            polled_at: None,
            settled: false,
        })
    }

    /// Waits until the run's clock is set and its origin is near, moves to it, and returns with the origin still
    /// ahead.
    ///
    /// # Errors
    /// When the run does not begin at all.
    pub(crate) fn wait_for_start(&mut self) -> io::Result<()> {
        self.shared.ready.fetch_add(1, Ordering::AcqRel);
        let mut renewed = false;
        loop {
            let stop = self.shared.stop();
            if stop == Stop::Unbegun {
                return Err(io::Error::other("the run did not begin"));
            }
            if let Some(clock) = self.shared.clock.get() {
                let ahead_ns = Offset::ZERO.since(clock.now());
                if ahead_ns <= LEAD_NS || stop != Stop::No {
                    self.engine.start_clock(*clock);
                    self.watch = SelfWatch::start(clock.now());
                    return Ok(());
                }
                if ahead_ns <= RENEW_NS && !renewed {
                    renewed = true;
                    // They come up while the origin is waited for.
                    let origin = self.engine.now().plus(ahead_ns);
                    self.engine.renew_connections(self.open_ahead, origin)?;
                }
            }
            let soon = self.engine.now().plus(START_LOOK_NS);
            self.engine.poll(soon)?;
        }
    }

    /// Tells the recorder of requests that have begun and of those that have ended; `look` sees each
    /// of the latter first.
    pub(crate) fn hand_over(&mut self, mut look: impl FnMut(&RequestRecord, &mut Dependents)) {
        self.engine.take_begun(&mut self.begun);
        for record in self.begun.drain(..) {
            self.records.begun(record);
        }
        self.engine.take_done(&mut self.done);
        for record in self.done.drain(..) {
            look(&record, &mut self.dependents);
            self.records.ended(record);
        }
    }

    /// Sends a request, and notes what waits for its answer; `answers` are those before it.
    pub(crate) fn send(&mut self, mut prepared: Prepared, due: Due, answers: Vec<Arc<str>>) {
        let now = self.engine.now();
        self.dependents
            .sent(&mut prepared, answers, now, self.bodies);
        self.engine.send(prepared, due.phase, due.intended);
    }

    /// Every worker has read all that arrived before `window_end`, and made due what waited for
    /// it: no measured request can come up any more that is not counted.
    pub(crate) fn is_settled(&mut self, window_end: Offset) -> bool {
        if !self.settled && self.polled_at.is_some_and(|at| at >= window_end) {
            self.settled = true;
            self.shared.settled.fetch_add(1, Ordering::AcqRel);
        }
        self.shared.settled.load(Ordering::Acquire) >= self.count
    }

    /// A turn of the loop begins: the present instant.
    pub(crate) fn turn(&mut self) -> Offset {
        let now = self.engine.now();
        self.watch.turn(now);
        now
    }

    /// Its counters, and what it has seen of itself.
    pub(crate) fn health(&self, bodies_late: u64) -> ThreadHealth {
        self.watch.health(&self.engine.health(), bodies_late)
    }

    /// One round of the engine until `due`, at most a tick.
    pub(crate) fn poll(&mut self, now: Offset, due: Option<Offset>) -> io::Result<()> {
        self.polled_at = Some(now);
        let tick = now.plus(TICK_NS);
        let until = due.map_or(tick, |at| at.min(tick));
        self.watch.waits_until(until.max(now));
        if until.since(now) > QUIET_NS {
            self.engine.tend_connections();
        }
        self.engine.poll(until)
    }

    /// A record for a request that was not sent because the run had ended for this reason.
    pub(crate) fn record_unsent(&self, mut record: RequestRecord, reason: Reason) {
        let text = match reason {
            Reason::Interrupted => "the run was stopped before this request was due",
            _ => "the drain ended before this request was sent",
        };
        record.error = Some(RequestError {
            reason,
            text: text.to_owned(),
        });
        self.records.ended(record);
    }

    /// At the end of a run: rows for requests that waited for an answer and were due before the
    /// window's end; the number of all others that were not reached, and the sessions of both.
    pub(crate) fn record_waiting(
        &mut self,
        end: RunEnd,
        phase_at: impl Fn(Offset) -> Phase,
        plan: &Lookup<'_>,
    ) -> (u64, Vec<u64>) {
        let index = self.index;
        let none = Dependents::new(index, Default::default());
        let Waiting {
            due: waiting,
            unknown,
            abandoned,
        } = std::mem::replace(&mut self.dependents, none).into_rest();
        let session = |id| Some((plan.spec)(id).turn?.session);
        let ids = waiting.iter().map(|(_, id, _)| id).chain(&unknown);
        let sessions: BTreeSet<u64> = ids.filter_map(|id| session(*id)).collect();
        // What waits for several is reached from each of them, and has its record where one of them failed.
        let mut seen = HashSet::new();
        for id in abandoned {
            if session(id).is_some_and(|session| sessions.contains(&session)) {
                plan.and_later(id, &mut seen);
            }
        }
        let unreached = unknown.iter().map(|id| plan.and_later(*id, &mut seen));
        let mut count: u64 = unreached.sum();
        for (intended, id, pending) in waiting {
            count += plan.and_later(id, &mut seen);
            if intended >= end.window_end {
                continue;
            }
            count -= 1;
            let mut record = unsent(&(plan.spec)(id), phase_at(intended), intended);
            record.parent = Some(pending.parent);
            record.planned = pending.planned;
            record.error = Some(RequestError {
                reason: end.reason,
                text: "the run ended before this turn was sent".to_owned(),
            });
            self.records.ended(record);
        }
        (count, sessions.into_iter().collect())
    }
}

/// What the plan says about requests that were not made.
#[derive(Clone, Copy)]
pub(crate) struct Lookup<'a> {
    pub(crate) spec: &'a (dyn Fn(RequestId) -> RequestSpec + Sync),
    pub(crate) next: NextRequests<'a>,
}

impl Lookup<'_> {
    /// The number of requests that wait for request `id`, and it, but for those `seen` before.
    fn and_later(&self, id: RequestId, seen: &mut HashSet<RequestId>) -> u64 {
        let (mut count, mut left) = (0, vec![id]);
        while let Some(id) = left.pop() {
            if !seen.insert(id) {
                continue;
            }
            count += 1;
            left.extend((self.next)(&(self.spec)(id)).iter().map(|next| next.id));
        }
        count
    }
}

/// Opens connections and waits until they are up or have failed: failures are met again, and
/// recorded, by the requests that need them.
fn open_connections(engine: &mut Engine, wanted: u64) -> io::Result<()> {
    const BATCH: u64 = 64;
    let mut asked = 0;
    while asked < wanted {
        let batch = BATCH.min(wanted - asked);
        engine.open_ahead(batch as usize)?;
        asked += batch;
        while engine.opening_connections() > 0 {
            let soon = engine.now().plus(TICK_NS);
            engine.poll(soon)?;
        }
    }
    Ok(())
}

/// Phase of a measured request's record.
pub(crate) fn is_measured(record: &RequestRecord) -> bool {
    record.phase == Phase::Measure
}
