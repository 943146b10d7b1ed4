//! The journal as the runner's sink: secrets leave the records, and what could not be written is
//! counted.
//!
//! Does not read it back. Invariant: the run goes on whatever the disk does.

use crate::secrets::Secrets;
use crate::sent;
use anyhow::{Context, Result};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::request::RequestId;
use infermeter_core::run::Unwritten;
use infermeter_core::schedule::Phase;
use infermeter_record::{JOURNAL_FILE, JournalWriter, RecordError};
use infermeter_runner::RecordSink;
use std::fs::File;
use std::path::Path;

/// The journal of a run.
#[derive(Debug)]
pub(crate) struct Journal<'a> {
    writer: JournalWriter,
    secrets: &'a Secrets,
    /// Requests of warm-up and window that were sent.
    pub sent: Vec<RequestId>,
    /// Requests that completed, of all phases.
    pub completed: u64,
    measured: u64,
    /// The last instant at which everything was written.
    written_at: Option<Offset>,
    /// The same when writing failed first.
    failed_since: Option<Offset>,
}

impl<'a> Journal<'a> {
    /// Creates it in `directory`; the file is for reading it, by whatever name, once nothing is written.
    ///
    /// # Errors
    /// When there is no room for its header.
    pub fn create(directory: &Path, secrets: &'a Secrets) -> Result<(Self, File)> {
        let writer = JournalWriter::create(directory)?;
        let file = File::open(directory.join(JOURNAL_FILE)).context(JOURNAL_FILE)?;
        let journal = Self {
            writer,
            secrets,
            sent: Vec::new(),
            completed: 0,
            measured: 0,
            written_at: None,
            failed_since: None,
        };
        Ok((journal, file))
    }

    /// What could not be written, once nothing more is.
    pub fn unwritten(&self) -> Option<Unwritten> {
        let totals = self.writer.totals();
        let records = totals.waiting + totals.lost;
        (records > 0).then_some(Unwritten {
            records,
            measured: self.measured,
            since: self.failed_since,
        })
    }

    fn note(&mut self, written: Result<(), RecordError>) -> Result<(), String> {
        written.map_err(|error| {
            self.failed_since = self.failed_since.or(self.written_at);
            error.to_string()
        })
    }
}

impl RecordSink for Journal<'_> {
    fn append(&mut self, record: &RequestRecord) -> Result<(), String> {
        if sent::counts(record) {
            self.sent.push(record.id);
        }
        self.completed += u64::from(record.outcome == Outcome::Completed);
        self.measured += u64::from(record.phase == Phase::Measure);
        let clean = self.secrets.scrubbed_record(record);
        let written = self.writer.append(clean.as_ref().unwrap_or(record));
        self.note(written)
    }

    fn begin(&mut self, record: &RequestRecord) -> Result<(), String> {
        let written = self.writer.begin(record);
        self.note(written)
    }

    fn flush(&mut self, now: Offset) -> Result<(), String> {
        let written = self.writer.flush_as_of(now);
        if written.is_ok() {
            self.written_at = Some(now);
        }
        self.note(written)
    }
}
