//! Requests as bytes, ahead of need: a thread of the lowest priority fills queues that workers
//! take from without a lock. An empty queue when a request is due is counted by the worker and
//! becomes a finding; the request's intended time stands.

use crossbeam_queue::ArrayQueue;
use infermeter_client::prepared::Prepared;
use infermeter_core::request::RequestId;
use infermeter_sys::affinity;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// Bytes kept ready: enough for seconds of load, little beside a client's other memory.
const BUDGET_BYTES: i64 = 8 << 20;
/// Requests kept ready in one queue.
const QUEUE: usize = 4096;
/// Pause of the thread while the queues are full.
const PAUSE: Duration = Duration::from_millis(2);

/// Makes the request with an id: a pure function, called from one thread.
pub type MakeRequest<'a> = &'a (dyn Fn(RequestId) -> Prepared + Sync);

/// Queues of prepared requests.
#[derive(Debug)]
pub(crate) struct Bodies {
    /// One queue per worker in open loop, one for all in closed loop.
    queues: Vec<ArrayQueue<Prepared>>,
    bytes: AtomicI64,
    filled: AtomicBool,
    stop: AtomicBool,
}

impl Bodies {
    pub(crate) fn new(queues: usize) -> Self {
        Self {
            queues: (0..queues).map(|_| ArrayQueue::new(QUEUE)).collect(),
            bytes: AtomicI64::new(0),
            filled: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        }
    }

    /// The next request for a worker; `None` when it is not ready yet.
    pub(crate) fn take(&self, worker: usize) -> Option<Prepared> {
        let prepared = self.queues[worker % self.queues.len()].pop()?;
        self.bytes
            .fetch_sub(prepared.bytes.len() as i64, Ordering::Relaxed);
        Some(prepared)
    }

    /// The queues have been filled once: the clock may start.
    pub(crate) fn is_filled(&self) -> bool {
        self.filled.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Fills until `count` requests are made or the run ends.
    pub(crate) fn fill(&self, count: u64, make: MakeRequest<'_>) {
        for id in 0..count {
            let queue = &self.queues[(id % self.queues.len() as u64) as usize];
            let mut prepared = make(id);
            loop {
                if self.stop.load(Ordering::Relaxed) {
                    return;
                }
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
                std::thread::sleep(PAUSE);
            }
        }
        self.mark_filled();
    }

    fn mark_filled(&self) {
        if !self.filled.swap(true, Ordering::Release) {
            affinity::yield_to_others();
        }
    }
}
