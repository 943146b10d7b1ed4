//! Reads a journal batch by batch, as long as frames are whole.
//!
//! Does not search for frames behind a bad one, and holds one batch at a time.
//!
//! Invariant: whatever the bytes are, reading ends without a panic, memory is bounded by the
//! largest frame, and `tail` accounts for every byte that was not part of a whole frame.

use super::{
    AS_OF, BEGUN, ENDED, FRAME_HEADER_BYTES, FRAME_TARGET_BYTES, HEADER_BYTES, JOURNAL_FILE,
    JOURNAL_VERSION, MAGIC, MAX_PAYLOAD_BYTES, Tail,
};
use crate::codec;
use crate::error::RecordError;
use crate::varint::{Cursor, Malformed};
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// One entry of the journal.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Entry {
    /// A request has ended.
    Ended(RequestRecord),
    /// A request has begun.
    Begun(RequestRecord),
    /// All that was known at this instant stands before it.
    AsOf(Offset),
}

/// Where a record lies in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// First byte of the encoded record.
    pub(crate) offset: u64,
    /// Its length.
    pub(crate) bytes: u32,
}

/// Reads the records of a journal.
#[derive(Debug)]
pub struct JournalReader<R: Read = BufReader<File>> {
    source: R,
    path: PathBuf,
    version: u32,
    /// End of the last whole frame.
    position: u64,
    length: u64,
    tail: Option<Tail>,
    payload: Vec<u8>,
}

impl JournalReader<BufReader<File>> {
    /// Opens `requests.journal` in `dir`. A journal that is being written can be read too: what is
    /// in it at this moment.
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(JOURNAL_FILE);
        let file = File::open(&path).map_err(RecordError::io("open", &path))?;
        Self::of_file(file, &path)
    }

    pub(crate) fn of_file(file: File, path: &Path) -> Result<Self, RecordError> {
        let length = file
            .metadata()
            .map_err(RecordError::io("read", path))?
            .len();
        Self::over(BufReader::with_capacity(1 << 16, file), length, path)
    }
}

impl<R: Read> JournalReader<R> {
    /// Reads a journal of `length` bytes from any source; `path` is its name in messages.
    pub fn over(source: R, length: u64, path: &Path) -> Result<Self, RecordError> {
        let mut reader = Self {
            source,
            path: path.to_owned(),
            version: JOURNAL_VERSION,
            position: 0,
            length,
            tail: None,
            payload: Vec::new(),
        };
        reader.read_header()?;
        Ok(reader)
    }

    /// The next batch of requests that have ended, or `None` after the last whole frame. Never fails
    /// because of what the file holds, only when it cannot be read.
    pub fn next_batch(&mut self) -> Result<Option<Vec<RequestRecord>>, RecordError> {
        while let Some(batch) = self.next_placed()? {
            let ended = |(_, entry)| match entry {
                Entry::Ended(record) => Some(record),
                Entry::Begun(_) | Entry::AsOf(_) => None,
            };
            let records: Vec<RequestRecord> = batch.into_iter().filter_map(ended).collect();
            if !records.is_empty() {
                return Ok(Some(records));
            }
        }
        Ok(None)
    }

    /// How the journal ends; `None` until [`Self::next_batch`] has given `None`.
    pub fn tail(&self) -> Option<Tail> {
        self.tail
    }

    /// The next batch of entries, each with its place in the file.
    pub(crate) fn next_placed(&mut self) -> Result<Option<Vec<(Place, Entry)>>, RecordError> {
        if self.tail.is_some() {
            return Ok(None);
        }
        if self.position == self.length {
            self.tail = Some(Tail::Clean);
            return Ok(None);
        }
        if self.read_frame()? {
            let payload_at = self.position + FRAME_HEADER_BYTES as u64;
            if let Ok(batch) = decode_payload(&self.payload, payload_at, self.version) {
                self.position = payload_at + self.payload.len() as u64;
                return Ok(Some(batch));
            }
        }
        self.tear();
        Ok(None)
    }

    fn tear(&mut self) {
        self.tail = Some(Tail::Torn {
            at_byte: self.position,
            lost_bytes: self.length.saturating_sub(self.position),
        });
    }

    fn read_header(&mut self) -> Result<(), RecordError> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        let whole = self.read_up_to(HEADER_BYTES, &mut bytes)?;
        let magic = &bytes[..bytes.len().min(MAGIC.len())];
        if !MAGIC.starts_with(magic) {
            return Err(RecordError::NotAJournal(self.path.clone()));
        }
        if !whole {
            self.tear();
            return Ok(());
        }
        let found = little_endian(&bytes[MAGIC.len()..]);
        if found == 0 {
            return Err(RecordError::NotAJournal(self.path.clone()));
        }
        if found > JOURNAL_VERSION {
            return Err(RecordError::NewerVersion {
                path: self.path.clone(),
                found: u64::from(found),
                newest: u64::from(JOURNAL_VERSION),
            });
        }
        self.version = found;
        self.position = HEADER_BYTES as u64;
        Ok(())
    }

    /// Reads the next frame's payload; false when there is no whole, checksummed frame.
    fn read_frame(&mut self) -> Result<bool, RecordError> {
        let mut header = Vec::with_capacity(FRAME_HEADER_BYTES);
        if !self.read_up_to(FRAME_HEADER_BYTES, &mut header)? {
            return Ok(false);
        }
        let (payload_bytes, crc) = (little_endian(&header[..4]), little_endian(&header[4..]));
        let left = self
            .length
            .saturating_sub(self.position + FRAME_HEADER_BYTES as u64);
        if payload_bytes == 0
            || u64::from(payload_bytes) > left
            || payload_bytes as usize > MAX_PAYLOAD_BYTES
        {
            return Ok(false);
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        let whole = self.read_up_to(payload_bytes as usize, &mut payload);
        self.payload = payload;
        Ok(whole? && crc32fast::hash(&self.payload) == crc)
    }

    /// Reads `count` bytes, or fewer at the end of the source (then false). The buffer grows with
    /// what is really there.
    fn read_up_to(&mut self, count: usize, into: &mut Vec<u8>) -> Result<bool, RecordError> {
        let read: io::Result<usize> = (&mut self.source).take(count as u64).read_to_end(into);
        match read {
            Ok(n) => Ok(n == count),
            Err(cause) => Err(RecordError::io("read", &self.path)(cause)),
        }
    }
}

fn little_endian(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .rev()
        .fold(0, |n, byte| (n << 8) | u32::from(*byte))
}

fn decode_payload(
    payload: &[u8],
    payload_at: u64,
    version: u32,
) -> Result<Vec<(Place, Entry)>, Malformed> {
    let mut batch = Vec::new();
    let mut cursor = Cursor::new(payload);
    while cursor.remaining() > 0 {
        // Whole entries up to the target, then one more: what the writer does. It bounds the
        // number of entries, and so the memory, of a forged frame.
        if payload.len() - cursor.remaining() >= FRAME_TARGET_BYTES {
            return Err(Malformed);
        }
        let mut bytes = cursor.bytes()?;
        let what = match version {
            1 => ENDED,
            _ => take_first(&mut bytes)?,
        };
        let start = payload.len() - cursor.remaining() - bytes.len();
        let place = Place {
            offset: payload_at + start as u64,
            bytes: u32::try_from(bytes.len()).map_err(|_| Malformed)?,
        };
        batch.push((place, entry(what, bytes)?));
    }
    Ok(batch)
}

fn take_first(bytes: &mut &[u8]) -> Result<u8, Malformed> {
    let (first, rest) = bytes.split_first().ok_or(Malformed)?;
    *bytes = rest;
    Ok(*first)
}

fn entry(what: u8, bytes: &[u8]) -> Result<Entry, Malformed> {
    match what {
        ENDED => Ok(Entry::Ended(codec::decode(bytes)?)),
        BEGUN => Ok(Entry::Begun(codec::decode(bytes)?)),
        AS_OF => {
            let mut cursor = Cursor::new(bytes);
            let at = Offset(cursor.signed()?);
            match cursor.remaining() {
                0 => Ok(Entry::AsOf(at)),
                _ => Err(Malformed),
            }
        }
        _ => Err(Malformed),
    }
}
