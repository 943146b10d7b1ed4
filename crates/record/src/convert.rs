//! The journal becomes `requests.parquet`: rows in id order, each id once.
//!
//! Reads the journal twice: once for the places of all records, once in id order, record by record.
//!
//! Does not know whether requests are missing: the caller compares with what was scheduled.
//!
//! Invariant: the journal is removed only after the Parquet file is whole, on disk, under its name.

use crate::atomic::sync_directory;
use crate::error::RecordError;
use crate::journal::places::JournalRecords;
use crate::journal::writer::lock;
use crate::journal::{JOURNAL_FILE, Tail};
use crate::parquet::writer::RecordsWriter;
use infermeter_core::record::RequestRecord;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

/// What a conversion found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted {
    /// Rows written.
    pub records: u64,
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
    settle: &mut dyn FnMut(&mut RequestRecord),
) -> Result<Converted, RecordError> {
    let path = dir.join(JOURNAL_FILE);
    let journal = File::open(&path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => RecordError::NoRecord(dir.to_owned()),
        _ => RecordError::io("open", &path)(cause),
    })?;
    lock(&journal, &path)?;
    let journal = JournalRecords::of_file(journal, path.clone())?;
    let mut writer = RecordsWriter::create(dir, classes)?;
    journal.for_each(|mut record| {
        settle(&mut record);
        writer.append(record)
    })?;
    writer.finish()?;
    fs::remove_file(&path).map_err(RecordError::io("remove", &path))?;
    sync_directory(dir)?;
    Ok(Converted {
        records: journal.len() as u64,
        duplicates: journal.duplicates(),
        tail: journal.tail(),
    })
}

#[cfg(test)]
mod tests;
