//! The recorder: a thread off the measuring path that hands records to a sink and has it flush
//! at least once a second.

use infermeter_client::kept::Budget;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::record::RequestRecord;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Where records go. Implemented by the journal; a fake in tests.
pub trait RecordSink: Send {
    /// Takes a record.
    ///
    /// # Errors
    /// What went wrong, with its place. The record may still be kept in memory.
    fn append(&mut self, record: &RequestRecord) -> Result<(), String>;

    /// Makes what was taken durable.
    ///
    /// # Errors
    /// What went wrong, with its place. A later call may succeed.
    fn flush(&mut self) -> Result<(), String>;
}

/// Longest time a record stays unwritten.
const FLUSH_NS: i64 = 500_000_000;

/// Records until every worker has hung up, and gives back the memory of what was written. Returns the number of records and the first problem.
pub(crate) fn record(
    records: &Receiver<RequestRecord>,
    sink: &mut dyn RecordSink,
    budget: &Budget,
) -> (u64, Option<String>) {
    let mut problem = None;
    let mut count = 0;
    let mut flushed = monotonic_ns();
    loop {
        match records.recv_timeout(Duration::from_nanos(FLUSH_NS as u64)) {
            Ok(record) => {
                count += 1;
                note(&mut problem, sink.append(&record));
                budget.written(&record);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let now = monotonic_ns();
        if now - flushed >= FLUSH_NS {
            note(&mut problem, sink.flush());
            flushed = now;
        }
    }
    note(&mut problem, sink.flush());
    (count, problem)
}

fn note(problem: &mut Option<String>, result: Result<(), String>) {
    if let Err(error) = result
        && problem.is_none()
    {
        *problem = Some(error);
    }
}
