//! Live metrics: what is measured, as a Prometheus page served while it is measured.
//!
//! Figures come from the thread that records and the one that watches; the threads that send know nothing of it. The
//! page holds the run that goes on and the one before it, so that whoever reads it now and then sees how that one
//! ended. Invariant: nobody who measures waits for a reader of the page.

mod figures;
mod names;
mod page;
mod sink;
mod times;

pub(crate) use figures::RunFigures;
pub(crate) use sink::Told;

use anyhow::{Result, anyhow};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::exposition::CONTENT_TYPE;
use infermeter_core::plan::Expose;
use infermeter_core::run::RunManifest;
use infermeter_core::units::Span;
use infermeter_probe::listen::{Asked, Heard, Limits, Listening, Reply, listen};
use infermeter_sys::signals;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Runs on the page: the present one, and the one before it.
const RUNS: usize = 2;
/// From one look for a last reader to the next.
const LOOK: Duration = Duration::from_millis(20);

/// Time for a page that was made to reach the socket: nothing is measured any more, so it takes microseconds.
const LAST_WRITE: Duration = Duration::from_millis(200);

/// Where the page is.
const PATH: &str = "/metrics";

/// The page, served until this is dropped.
#[derive(Debug)]
pub struct Exposing {
    listening: Listening,
    exposed: Arc<Exposed>,
}

impl Exposing {
    /// Serves the page.
    ///
    /// # Errors
    /// When nothing can listen at that address.
    pub fn start(at: Expose) -> Result<Self> {
        let exposed = Arc::new(Exposed::default());
        let limits = Limits {
            // Nobody has anything to tell a page.
            body_bytes: 0,
            ..Limits::default()
        };
        let answering = Arc::clone(&exposed);
        let listening = listen(at.0, limits, move |asked| answering.answer(asked));
        let listening = listening.map_err(|error| refused(at, &error))?;
        Ok(Self { listening, exposed })
    }

    /// Where it listens: with the port that it has, where any was asked for.
    pub fn address(&self) -> SocketAddr {
        self.listening.address()
    }

    /// The page's URL.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address())
    }

    /// What fills the page.
    pub fn exposed(&self) -> Arc<Exposed> {
        Arc::clone(&self.exposed)
    }

    /// What its readers sent so far.
    pub fn heard(&self) -> Heard {
        self.listening.heard()
    }

    /// Waits until the page was read once more: for so long at most, and until a signal comes.
    pub fn linger(&self, most: Span) {
        let reads = || self.exposed.served.load(Ordering::Acquire);
        let (before, signals) = (reads(), signals::count());
        let until = monotonic_ns().saturating_add(most.ns());
        while reads() == before {
            if signals::count() > signals || monotonic_ns() >= until {
                return;
            }
            std::thread::sleep(LOOK);
        }
        std::thread::sleep(LAST_WRITE);
    }
}

fn refused(at: Expose, error: &io::Error) -> anyhow::Error {
    let what = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "something listens there already: name another port, or 0 for any free one"
        }
        io::ErrorKind::PermissionDenied => "ports below 1024 are the system's: name a greater one",
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: name one of its own, or a port alone"
        }
        _ => "name another address",
    };
    anyhow!("--expose={at}: cannot listen: {error}\n  {what}, as in --expose=127.0.0.1:0")
}

/// What is on the page.
#[derive(Debug, Default)]
pub struct Exposed {
    /// Held while a run is added or the list is copied, by no thread that measures.
    runs: Mutex<Vec<Arc<RunFigures>>>,
    /// Readings that began.
    reads: AtomicU64,
    /// Readings whose page was made.
    served: AtomicU64,
}

impl Exposed {
    /// A run is about to begin.
    pub(crate) fn begin(&self, manifest: &RunManifest) -> Arc<RunFigures> {
        let run = Arc::new(RunFigures::of(manifest));
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.push(Arc::clone(&run));
        let old = runs.len().saturating_sub(RUNS);
        runs.drain(..old);
        run
    }

    fn answer(&self, asked: &Asked<'_>) -> Reply {
        match (asked.method, asked.path()) {
            ("GET", PATH) => Reply {
                status: 200,
                content_type: CONTENT_TYPE,
                body: self.page(),
            },
            ("GET", "/") => Reply::text(200, "infermeter: the page is at /metrics"),
            ("GET", _) => Reply::text(404, "the page is at /metrics"),
            _ => Reply::text(405, "a page is read with GET"),
        }
    }

    fn page(&self) -> Vec<u8> {
        let reads = self.reads.fetch_add(1, Ordering::Relaxed) + 1;
        let runs = {
            let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            runs.clone()
        };
        let page = page::page(&runs, reads);
        self.served.fetch_add(1, Ordering::Release);
        page
    }
}

#[cfg(test)]
mod tests;
