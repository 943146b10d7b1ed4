//! Reads a server's metrics page, or the GPUs of this host, at each whole interval and wherever a phase begins, while the load
//! goes on, on a thread of its own.
//!
//! One request at a time: where the server still owes an answer, an interval is left out and
//! counted, never made up for. It keeps off the workers' cores where there are others, and gives way
//! at once on any core (`SCHED_IDLE`). Invariant: it shares nothing with the threads that measure.

use crate::metrics_page::MetricsPage;
use crate::nvml::NvmlGpus;
use crate::replicas::ReplicaCount;
use crate::series::PageFigures;
use infermeter_core::clock::{Clock, Offset};
use infermeter_core::schedule::Phase;
use infermeter_core::server::{ReadingCause, ServerEngine, ServerReading};
use infermeter_core::text::inert;
use infermeter_sys::affinity;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// What the thread is told.
#[derive(Debug, Clone, Copy)]
pub enum Notice {
    /// The run's clock is set.
    Start(Clock),
    /// A phase began.
    Phase(Phase),
    /// The load has ended: read once more.
    End,
}

/// An engine whose figures a page had before the load, and its place in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    /// Whose.
    pub engine: ServerEngine,
    /// Its place.
    pub page: usize,
}

/// Where figures come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A page.
    Page(MetricsPage),
    /// NVML, on this host.
    Nvml(NvmlGpus),
    /// Whoever knows the number of replicas.
    Replicas(ReplicaCount),
}

impl Source {
    /// Where it is, as the record names it.
    pub fn place(&self) -> String {
        match self {
            Self::Page(page) => page.url(),
            Self::Nvml(gpus) => gpus.place(),
            Self::Replicas(count) => count.place(),
        }
    }

    /// What it says now; a page is asked under this `x-request-id`.
    fn read(&self, request_id: &str) -> Result<Vec<PageFigures>, String> {
        let found = match self {
            Self::Page(page) => page.read(request_id).map_err(|error| error.to_string()),
            Self::Nvml(gpus) => gpus.read().map(|own| vec![own]).map_err(|e| e.to_string()),
            Self::Replicas(count) => count.read(request_id).map(|own| vec![own]),
        };
        found.map_err(|error| inert(&error, 300))
    }
}

/// What is read, and how.
#[derive(Debug, Clone)]
pub struct Watch {
    /// From where.
    pub source: Source,
    /// Whose figures are kept: one reading each.
    pub expected: Vec<Expected>,
    /// From one reading to the next, nanoseconds, above 0.
    pub interval_ns: i64,
    /// The `x-request-id` of its requests.
    pub request_id: String,
    /// Cores that no worker has; empty: there are none.
    pub cores: Vec<usize>,
}

impl Watch {
    /// Reads until told that the load has ended, or until nobody is left to tell.
    pub fn run(&self, notices: &Receiver<Notice>, write: &mut dyn FnMut(&ServerReading)) {
        affinity::run_when_idle();
        if !self.cores.is_empty() {
            // A help, not a need: a sandbox may forbid it.
            let _ = affinity::restrict_to(&self.cores);
        }
        let Ok(Notice::Start(clock)) = notices.recv() else {
            return;
        };
        let mut ticks = Ticks::new(self.interval_ns);
        let mut phase = Phase::Warmup;
        loop {
            let wait = Duration::from_nanos(ticks.due().since(clock.now()).max(0) as u64);
            let cause = match notices.recv_timeout(wait) {
                Ok(Notice::Phase(begun)) => {
                    phase = begun;
                    ReadingCause::PhaseStart
                }
                Ok(Notice::End) => ReadingCause::End,
                Ok(Notice::Start(_)) => continue,
                Err(RecvTimeoutError::Timeout) => {
                    ticks.take();
                    ReadingCause::Interval
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let asked = Asked {
                phase,
                cause,
                skipped: ticks.skipped(),
            };
            self.read(clock, asked, write);
            if cause == ReadingCause::End {
                return;
            }
            ticks.skip_to(clock.now());
        }
    }

    fn read(&self, clock: Clock, asked: Asked, write: &mut dyn FnMut(&ServerReading)) {
        let asked_ns = clock.now();
        let found = self.source.read(&self.request_id);
        let answered_ns = clock.now();
        let error = found.as_ref().err().cloned();
        let found = found.unwrap_or_default();
        for Expected { engine, page } in &self.expected {
            let own = found.iter().find(|own| own.engine == *engine).cloned();
            let gone = || format!("no series of {} stands on the page", engine.name());
            let error = error.clone().or_else(|| own.is_none().then(gone));
            let (figures, detail) = own.map(|own| (own.figures, own.detail)).unwrap_or_default();
            write(&ServerReading {
                asked_ns,
                answered_ns,
                phase: asked.phase,
                cause: asked.cause,
                skipped: asked.skipped,
                page: *page,
                error,
                figures,
                detail,
            });
        }
    }
}

/// Why a page is read, and what was left out before.
#[derive(Debug, Clone, Copy)]
struct Asked {
    phase: Phase,
    cause: ReadingCause,
    skipped: u64,
}

/// The whole intervals since the run's origin.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ticks {
    interval_ns: i64,
    /// Number of the next one.
    next: i64,
    /// Left out since the last reading.
    skipped: u64,
}

impl Ticks {
    fn new(interval_ns: i64) -> Self {
        Self {
            interval_ns: interval_ns.max(1),
            next: 1,
            skipped: 0,
        }
    }

    /// When the next one is due.
    fn due(&self) -> Offset {
        Offset(self.next.saturating_mul(self.interval_ns))
    }

    /// The next one is being read.
    fn take(&mut self) {
        self.next += 1;
    }

    /// Those left out since the last reading; none from now on.
    fn skipped(&mut self) -> u64 {
        std::mem::take(&mut self.skipped)
    }

    /// Leaves out what was due up to `now`.
    fn skip_to(&mut self, now: Offset) {
        let first = now.0.div_euclid(self.interval_ns) + 1;
        if first > self.next {
            self.skipped += (first - self.next) as u64;
            self.next = first;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_that_pass_during_an_answer_are_left_out() {
        let mut ticks = Ticks::new(10);
        assert_eq!(ticks.due(), Offset(10));
        // Before the origin, and a reading of a phase between two of them.
        ticks.skip_to(Offset(-3));
        ticks.skip_to(Offset(4));
        assert_eq!((ticks.due(), ticks.skipped()), (Offset(10), 0));
        ticks.take();
        ticks.skip_to(Offset(19));
        assert_eq!((ticks.due(), ticks.skipped()), (Offset(20), 0));
        // An answer from 20 to 51: 30, 40 and 50 are left out.
        ticks.take();
        ticks.skip_to(Offset(51));
        assert_eq!((ticks.due(), ticks.skipped()), (Offset(60), 3));
        assert_eq!(ticks.skipped(), 0, "told once");
        // A phase's reading over an interval.
        ticks.skip_to(Offset(60));
        assert_eq!((ticks.due(), ticks.skipped()), (Offset(70), 1));
    }
}
