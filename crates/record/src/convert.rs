//! The journal becomes `requests.parquet`: rows in id order, each id once.
//!
//! Reads the journal twice: once for the places of all records, once in id order, record by record.
//!
//! Does not know whether requests are missing: the caller compares with what was scheduled, and says
//! whether requests that have begun and not ended were cut off ([`LeftOpen`]).
//!
//! Invariant: the journal is removed only after the Parquet file is whole, on disk, under its name.

use crate::atomic::sync_directory;
use crate::error::RecordError;
use crate::journal::places::JournalRecords;
use crate::journal::writer::lock;
use crate::journal::{JOURNAL_FILE, Tail};
use crate::parquet::writer::RecordsWriter;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason, RequestError, RequestRecord};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

/// What becomes of requests that have begun and have no record of their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOpen {
    /// The run was killed: they become rows, so that it does not look better than it was.
    Cancelled,
    /// The run ended by itself and knows what is missing.
    LeftOut,
}

/// Requests that a killed run had begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff {
    /// The last instant of which the journal knows.
    pub as_of: Offset,
    /// In flight then.
    pub in_flight: u64,
    /// Waiting for a connection then.
    pub waiting: u64,
    /// Median time that those in flight had taken, nanoseconds.
    pub median_age_ns: i64,
    /// The longest.
    pub longest_age_ns: i64,
}

/// What a conversion found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// Rows of requests that have ended.
    pub records: u64,
    /// Rows of requests that were cut off, where there are such.
    pub cut_off: Option<CutOff>,
    /// Records left out because their id had come before.
    pub duplicates: u64,
    /// How the journal ended.
    pub tail: Tail,
}

/// Converts the journal of `dir`; `classes` are the names by class index. Each record passes
/// through `settle`, in id order and still with its texts, before it is written. Refuses while a
/// run is writing the journal.
pub fn convert(
    dir: &Path,
    classes: &[String],
    left_open: LeftOpen,
    settle: &mut dyn FnMut(&mut RequestRecord),
) -> Result<Converted, RecordError> {
    let path = dir.join(JOURNAL_FILE);
    let journal = File::open(&path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => RecordError::NoRecord(dir.to_owned()),
        _ => RecordError::io("open", &path)(cause),
    })?;
    lock(&journal, &path)?;
    let journal = JournalRecords::of_file(journal, path.clone())?;
    let cut = match left_open {
        LeftOpen::Cancelled => cut_off(&journal),
        LeftOpen::LeftOut => Vec::new(),
    };
    let found = journal.as_of().and_then(|as_of| summary(&cut, as_of));
    let mut cut = cut.into_iter().peekable();
    let mut writer = RecordsWriter::create(dir, classes)?;
    journal.for_each(|mut record| {
        while let Some(earlier) = cut.next_if(|row| row.id < record.id) {
            writer.append(earlier)?;
        }
        settle(&mut record);
        writer.append(record)
    })?;
    cut.try_for_each(|row| writer.append(row))?;
    writer.finish()?;
    fs::remove_file(&path).map_err(RecordError::io("remove", &path))?;
    sync_directory(dir)?;
    Ok(Converted {
        records: journal.len() as u64,
        cut_off: found,
        duplicates: journal.duplicates(),
        tail: journal.tail(),
    })
}

/// Rows of the requests that were under way at the last instant of which the journal knows, in id
/// order. What they had received is not known, only how long they had taken.
fn cut_off(journal: &JournalRecords) -> Vec<RequestRecord> {
    let Some(as_of) = journal.as_of() else {
        return Vec::new();
    };
    let row = |begun: &RequestRecord| {
        let mut row = begun.clone();
        let text = match row.send_start {
            Some(sent) => {
                row.outcome = Outcome::Cancelled;
                row.closed = Some(as_of.max(sent));
                "in flight when the run was killed"
            }
            None => {
                row.outcome = Outcome::NotSent;
                "waited for a connection when the run was killed"
            }
        };
        row.error = Some(RequestError {
            reason: Reason::RunKilled,
            text: text.to_owned(),
        });
        row
    };
    journal.open_requests().iter().map(row).collect()
}

fn summary(rows: &[RequestRecord], as_of: Offset) -> Option<CutOff> {
    let age = |row: &RequestRecord| Some(row.closed?.since(row.send_start?));
    let mut ages: Vec<i64> = rows.iter().filter_map(age).collect();
    ages.sort_unstable();
    (!rows.is_empty()).then(|| CutOff {
        as_of,
        in_flight: ages.len() as u64,
        waiting: (rows.len() - ages.len()) as u64,
        median_age_ns: ages.get(ages.len() / 2).copied().unwrap_or(0),
        longest_age_ns: ages.last().copied().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests;
