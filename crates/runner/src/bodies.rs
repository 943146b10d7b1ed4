//! Requests as bytes, ahead of need: a thread of the lowest priority fills queues that workers
//! take from without a lock. An empty queue when a request is due is counted by the worker and
//! becomes a finding; the request's intended time stands.
//!
//! Requests that begin something are made in their order. Those that wait for an answer are made
//! when a worker asks for them. The same thread writes the records of turns that will not be sent.

use crate::recorder::Records;
use crossbeam_queue::{ArrayQueue, SegQueue};
use infermeter_client::prepared::Prepared;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Reason, RequestError, RequestRecord};
use infermeter_core::request::{FollowUp, RequestId, RequestSpec};
use infermeter_core::schedule::Phase;
use infermeter_sys::affinity;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

/// Bytes kept ready: enough for seconds of load, little beside a client's other memory.
const BUDGET_BYTES: i64 = 8 << 20;
/// Requests kept ready in one queue.
const QUEUE: usize = 4096;
/// Pause of the thread while the queues are full.
const PAUSE: Duration = Duration::from_millis(2);

/// Makes the request with an id, after these answers of its session (empty where the history is
/// planned): a pure function, called from one thread.
pub type MakeRequest<'a> = &'a (dyn Fn(RequestId, &[Arc<str>]) -> Prepared + Sync);

/// The requests that wait for the answer to one.
pub type NextRequests<'a> = &'a (dyn Fn(&RequestSpec) -> Vec<FollowUp> + Sync);

/// What a worker wants done.
#[derive(Debug)]
pub(crate) enum Demand {
    /// The body of a request that waits for an answer.
    Make {
        worker: usize,
        id: RequestId,
        answers: Vec<Arc<str>>,
    },
    /// Records of a request that will not be sent, and of all that would have waited for it.
    Abandon(Abandoned),
}

/// A request that will not be sent, because the one that it waits for has failed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Abandoned {
    pub(crate) id: RequestId,
    pub(crate) parent: RequestId,
    pub(crate) phase: Phase,
    pub(crate) intended: Offset,
}

/// What the thread works with.
pub(crate) struct Maker<'a> {
    pub(crate) make: MakeRequest<'a>,
    pub(crate) spec: &'a (dyn Fn(RequestId) -> RequestSpec + Sync),
    pub(crate) next: NextRequests<'a>,
    /// The id of a request that begins something, by its number.
    pub(crate) id: &'a (dyn Fn(u64) -> RequestId + Sync),
    /// How many of those may be needed.
    pub(crate) count: u64,
    /// Requests may wait for others.
    pub(crate) sessions: bool,
    pub(crate) records: Records,
}

/// Queues of prepared requests.
#[derive(Debug)]
pub(crate) struct Bodies {
    /// One queue per worker in open loop, one for all in closed loop.
    queues: Vec<ArrayQueue<Prepared>>,
    demands: SegQueue<Demand>,
    /// What each worker asked for.
    ready: Vec<SegQueue<Prepared>>,
    bytes: AtomicI64,
    filled: AtomicBool,
    stop: AtomicBool,
    /// The thread, once it works.
    thread: OnceLock<Thread>,
}

impl Bodies {
    pub(crate) fn new(queues: usize, workers: usize) -> Self {
        Self {
            queues: (0..queues).map(|_| ArrayQueue::new(QUEUE)).collect(),
            demands: SegQueue::new(),
            ready: (0..workers).map(|_| SegQueue::new()).collect(),
            bytes: AtomicI64::new(0),
            filled: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    /// The next request for a worker; `None` when it is not ready yet.
    pub(crate) fn take(&self, worker: usize) -> Option<Prepared> {
        let prepared = self.queues[worker % self.queues.len()].pop()?;
        self.bytes
            .fetch_sub(prepared.bytes.len() as i64, Ordering::Relaxed);
        Some(prepared)
    }

    /// Asks the thread for something, and wakes it.
    pub(crate) fn demand(&self, demand: Demand) {
        self.demands.push(demand);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    /// One of the requests that a worker asked for.
    pub(crate) fn take_asked(&self, worker: usize) -> Option<Prepared> {
        self.ready[worker].pop()
    }

    /// The queues have been filled once: the clock may start.
    pub(crate) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Makes what is needed until the run ends.
    pub(crate) fn fill(&self, maker: &Maker<'_>) {
        // Set once: there is one such thread.
        let _ = self.thread.set(std::thread::current());
        let mut abandoned = HashSet::new();
        let all_made = self.fill_queues(maker, &mut abandoned);
        if all_made {
            self.mark_filled();
        }
        while maker.sessions && !self.stopped() {
            self.serve(maker, &mut abandoned);
            std::thread::park_timeout(PAUSE);
        }
        // The workers have ended: what they left still gets its records.
        self.serve(maker, &mut abandoned);
    }

    /// Fills the queues until every request is made (true) or the run ends.
    fn fill_queues(&self, maker: &Maker<'_>, abandoned: &mut HashSet<RequestId>) -> bool {
        for number in 0..maker.count {
            let queue = &self.queues[(number % self.queues.len() as u64) as usize];
            let mut prepared = (maker.make)((maker.id)(number), &[]);
            loop {
                if self.stopped() {
                    return false;
                }
                self.serve(maker, abandoned);
                let room = self.bytes.load(Ordering::Relaxed) < BUDGET_BYTES;
                if room {
                    let len = prepared.bytes.len() as i64;
                    match queue.push(prepared) {
                        Ok(()) => {
                            self.bytes.fetch_add(len, Ordering::Relaxed);
                            break;
                        }
                        Err(back) => prepared = back,
                    }
                }
                self.mark_filled();
                std::thread::park_timeout(PAUSE);
            }
        }
        true
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Does what workers have asked for.
    fn serve(&self, maker: &Maker<'_>, abandoned: &mut HashSet<RequestId>) {
        while let Some(demand) = self.demands.pop() {
            match demand {
                Demand::Make { .. } if self.stopped() => {}
                Demand::Make {
                    worker,
                    id,
                    answers,
                } => self.ready[worker].push((maker.make)(id, &answers)),
                Demand::Abandon(first) => maker.abandon(first, abandoned),
            }
        }
    }

    fn mark_filled(&self) {
        if !self.filled.swap(true, Ordering::Release) {
            affinity::yield_to_others();
        }
    }
}

impl Maker<'_> {
    /// Writes the records of a request and of those that wait for it, but for those `before` that have
    /// theirs: what waits for several is reached from each of them.
    fn abandon(&self, first: Abandoned, before: &mut HashSet<RequestId>) {
        let mut left = vec![first];
        while let Some(abandoned) = left.pop() {
            let Abandoned { id, .. } = abandoned;
            if !before.insert(id) {
                continue;
            }
            let spec = (self.spec)(id);
            let mut record = unsent(&spec, abandoned.phase, abandoned.intended);
            record.parent = Some(abandoned.parent);
            record.error = Some(RequestError {
                reason: Reason::SessionEnded,
                text: "an earlier turn of the session failed".to_owned(),
            });
            self.records.ended(record);
            left.extend((self.next)(&spec).iter().map(|next| Abandoned {
                id: next.id,
                parent: id,
                ..first
            }));
        }
    }
}

/// The record of a request that was not sent.
pub(crate) fn unsent(spec: &RequestSpec, phase: Phase, intended: Offset) -> RequestRecord {
    let mut record = RequestRecord::unsent(
        spec.id,
        spec.class,
        phase,
        intended,
        spec.prompt_tokens,
        spec.output_tokens,
    );
    record.turn = spec.turn;
    record.items = spec.items;
    record
}
