//! The records of a whole journal in id order: 24 bytes each are kept, the rest is read again.
//!
//! Records come nearly in id order, so reading by id is nearly sequential. Invariant: of several
//! records with one id only the first counts; a request that has begun counts as open as long as there
//! is no record of its end.

use super::reader::{Entry, JournalReader, Place};
use super::{JOURNAL_FILE, Tail};
use crate::codec;
use crate::error::RecordError;
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_core::request::RequestId;
use infermeter_core::source::{ChunkFields, RecordSource};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A journal whose records can be gone through in id order as often as needed.
#[derive(Debug)]
pub struct JournalRecords {
    file: File,
    path: PathBuf,
    /// By id, each once.
    places: Vec<Place>,
    duplicates: u64,
    /// Requests that have begun and not ended, in id order.
    open: Vec<RequestRecord>,
    as_of: Option<Offset>,
    tail: Tail,
}

impl JournalRecords {
    /// Opens the journal of `dir` and finds its records: what is in it at this moment.
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(JOURNAL_FILE);
        let file = File::open(&path).map_err(|cause| match cause.kind() {
            ErrorKind::NotFound => RecordError::NoRecord(dir.to_owned()),
            _ => RecordError::io("open", &path)(cause),
        })?;
        Self::of_file(file, path)
    }

    /// The same of a journal that was opened before: it may have no name any more.
    pub fn of_file(file: File, path: PathBuf) -> Result<Self, RecordError> {
        let again = file.try_clone().map_err(RecordError::io("open", &path))?;
        let mut reader = JournalReader::of_file(again, &path)?;
        let mut places: Vec<(RequestId, Place)> = Vec::new();
        let mut open = BTreeMap::new();
        let mut as_of = None;
        while let Some(batch) = reader.next_placed()? {
            for (place, entry) in batch {
                match entry {
                    Entry::Ended(record) => {
                        open.remove(&record.id);
                        places.push((record.id, place));
                    }
                    Entry::Begun(record) => {
                        open.insert(record.id, record);
                    }
                    Entry::AsOf(at) => as_of = as_of.max(Some(at)),
                }
            }
        }
        places.sort_by_key(|(id, _)| *id);
        // A forged journal may begin what has ended.
        let has_ended = |id: &RequestId| places.binary_search_by_key(id, |(id, _)| *id).is_ok();
        open.retain(|id, _| !has_ended(id));
        let all = places.len();
        places.dedup_by_key(|(id, _)| *id);
        Ok(Self {
            duplicates: (all - places.len()) as u64,
            places: places.into_iter().map(|(_, place)| place).collect(),
            open: open.into_values().collect(),
            as_of,
            tail: reader.tail().unwrap_or(Tail::Clean),
            file,
            path,
        })
    }

    /// Records, each id once.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// There is no record.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Records left out because their id had come before.
    pub(crate) fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Requests that have begun and not ended, in id order, as known when they began.
    pub(crate) fn open_requests(&self) -> &[RequestRecord] {
        &self.open
    }

    /// The last instant of which the journal knows.
    pub(crate) fn as_of(&self) -> Option<Offset> {
        self.as_of
    }

    /// How the journal ends.
    pub fn tail(&self) -> Tail {
        self.tail
    }

    /// Gives each record, in id order and with its texts, to `each`, until one is refused.
    pub(crate) fn for_each(
        &self,
        mut each: impl FnMut(RequestRecord) -> Result<(), RecordError>,
    ) -> Result<(), RecordError> {
        let mut bytes = Vec::new();
        for place in &self.places {
            each(self.read_at(*place, &mut bytes)?)?;
        }
        Ok(())
    }

    fn read_at(&self, place: Place, bytes: &mut Vec<u8>) -> Result<RequestRecord, RecordError> {
        bytes.resize(place.bytes as usize, 0);
        self.file
            .read_exact_at(bytes, place.offset)
            .map_err(RecordError::io("read", &self.path))?;
        codec::decode(bytes).map_err(|_| {
            let cause = io::Error::new(ErrorKind::InvalidData, "it changed while it was read");
            RecordError::io("read", &self.path)(cause)
        })
    }
}

impl RecordSource for JournalRecords {
    type Error = RecordError;

    fn in_order(
        &self,
        _: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), RecordError> {
        let mut bytes = Vec::new();
        for place in &self.places {
            if each(&self.read_at(*place, &mut bytes)?).is_break() {
                break;
            }
        }
        Ok(())
    }
}
