//! The recorder: a thread off the measuring path that hands records to a sink and has it flush
//! at least once a second.

use infermeter_client::kept::Budget;
use infermeter_core::clock::{Clock, Offset, monotonic_ns};
use infermeter_core::record::RequestRecord;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Where records go. Implemented by the journal; a fake in tests.
pub trait RecordSink: Send {
    /// Takes a record.
    ///
    /// # Errors
    /// What went wrong, with its place. The record may still be kept in memory.
    fn append(&mut self, record: &RequestRecord) -> Result<(), String>;

    /// Takes what is known of a request that has begun: it was sent, or has no `send_start` and waits
    /// for a connection. Its record comes later, if the run lives to see it.
    ///
    /// # Errors
    /// As for a record.
    fn begin(&mut self, record: &RequestRecord) -> Result<(), String>;

    /// Makes what was taken durable, as what is known at `now`.
    ///
    /// # Errors
    /// What went wrong, with its place. A later call may succeed.
    fn flush(&mut self, now: Offset) -> Result<(), String>;
}

/// What threads tell the recorder.
#[derive(Debug)]
enum Fact {
    Begun(RequestRecord),
    Ended(RequestRecord),
}

/// A thread's way to the recorder, which outlives it. What is handed over is counted here, so that
/// the recorder's own count can be compared with it.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    facts: Sender<Fact>,
    handed_over: Arc<AtomicU64>,
}

/// The two ends of the way.
pub(crate) fn channel() -> (Records, Receipts) {
    let (sender, receiver) = std::sync::mpsc::channel();
    let records = Records {
        facts: sender,
        handed_over: Arc::default(),
    };
    (records, Receipts(receiver))
}

/// The recorder's end.
#[derive(Debug)]
pub(crate) struct Receipts(Receiver<Fact>);

impl Records {
    /// A request has begun.
    pub(crate) fn begun(&self, record: RequestRecord) {
        let _ = self.facts.send(Fact::Begun(record));
    }

    /// A request has ended.
    pub(crate) fn ended(&self, record: RequestRecord) {
        self.handed_over.fetch_add(1, Ordering::Relaxed);
        let _ = self.facts.send(Fact::Ended(record));
    }

    /// How many requests have ended so far, for whoever looks when all threads have.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.handed_over)
    }
}

/// Longest time a record stays unwritten.
const FLUSH_NS: i64 = 500_000_000;

/// What became of the records.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// How many came.
    pub(crate) records: u64,
    /// The first problem.
    pub(crate) problem: Option<String>,
}

/// Records until every worker has hung up, and gives back the memory of what was written.
pub(crate) fn record(
    receipts: &Receipts,
    sink: &mut dyn RecordSink,
    clock: &OnceLock<Clock>,
    budget: &Budget,
) -> Recorded {
    let mut problem = None;
    let mut records = 0;
    let mut flushed = monotonic_ns();
    // Before the run's origin there is nothing to record.
    let now = || {
        clock
            .get()
            .map_or(Offset::ZERO, |clock| clock.now().max(Offset::ZERO))
    };
    loop {
        match receipts
            .0
            .recv_timeout(Duration::from_nanos(FLUSH_NS as u64))
        {
            Ok(Fact::Begun(record)) => note(&mut problem, sink.begin(&record)),
            Ok(Fact::Ended(record)) => {
                records += 1;
                note(&mut problem, sink.append(&record));
                budget.written(&record);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if monotonic_ns() - flushed >= FLUSH_NS {
            note(&mut problem, sink.flush(now()));
            flushed = monotonic_ns();
        }
    }
    note(&mut problem, sink.flush(now()));
    Recorded { records, problem }
}

fn note(problem: &mut Option<String>, result: Result<(), String>) {
    if let Err(error) = result
        && problem.is_none()
    {
        *problem = Some(error);
    }
}
