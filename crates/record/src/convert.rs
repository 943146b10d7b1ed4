//! The journal becomes `requests.parquet`: rows in id order, each id once.
//!
//! Reads the journal twice: once for the places of all records (24 bytes each are kept), once in
//! id order, record by record. Records come nearly in id order, so the second reading is nearly
//! sequential.
//!
//! Does not know whether requests are missing: the caller compares with what was scheduled.
//!
//! Invariant: the journal is removed only after the Parquet file is whole, on disk, under its name.

use crate::atomic::sync_directory;
use crate::codec;
use crate::error::RecordError;
use crate::journal::reader::{JournalReader, Place};
use crate::journal::writer::lock;
use crate::journal::{JOURNAL_FILE, Tail};
use crate::parquet::writer::RecordsWriter;
use infermeter_core::record::RequestRecord;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
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
    let (places, tail) = places_by_id(&journal, &path)?;
    let mut writer = RecordsWriter::create(dir, classes)?;
    let mut converted = Converted {
        records: 0,
        duplicates: 0,
        tail,
    };
    let mut last_id = None;
    let mut bytes = Vec::new();
    for (id, place) in places {
        if last_id.replace(id) == Some(id) {
            converted.duplicates += 1;
            continue;
        }
        let mut record = read_at(&journal, &path, place, &mut bytes)?;
        settle(&mut record);
        writer.append(record)?;
        converted.records += 1;
    }
    writer.finish()?;
    fs::remove_file(&path).map_err(RecordError::io("remove", &path))?;
    sync_directory(dir)?;
    Ok(converted)
}

/// The place of every record, by id; records of one id in the order in which they were written.
fn places_by_id(journal: &File, path: &Path) -> Result<(Vec<(u64, Place)>, Tail), RecordError> {
    let again = journal.try_clone().map_err(RecordError::io("open", path))?;
    let mut reader = JournalReader::of_file(again, path)?;
    let mut places = Vec::new();
    while let Some(batch) = reader.next_placed()? {
        places.extend(batch.into_iter().map(|(place, record)| (record.id, place)));
    }
    places.sort_by_key(|(id, _)| *id);
    Ok((places, reader.tail().unwrap_or(Tail::Clean)))
}

fn read_at(
    journal: &File,
    path: &Path,
    place: Place,
    bytes: &mut Vec<u8>,
) -> Result<RequestRecord, RecordError> {
    bytes.resize(place.bytes as usize, 0);
    journal
        .read_exact_at(bytes, place.offset)
        .map_err(RecordError::io("read", path))?;
    codec::decode(bytes).map_err(|_| {
        let cause = io::Error::new(ErrorKind::InvalidData, "it changed while it was read");
        RecordError::io("read", path)(cause)
    })
}

#[cfg(test)]
mod tests;
