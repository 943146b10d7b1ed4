//! Writes the journal. Runs on the recorder's thread, off the measuring path.
//!
//! Does not sync and starts no thread: the caller flushes at least once a second.
//!
//! Invariant: appended = written + waiting + lost. After a failed write the file is cut back to its
//! last whole frame before anything else is written, so a full disk that gets room again continues
//! with a readable journal.

use super::{
    AS_OF, BEGUN, ENDED, FRAME_HEADER_BYTES, FRAME_TARGET_BYTES, HEADER_BYTES, JOURNAL_FILE,
    MAX_RECORD_BYTES, header,
};
use crate::codec;
use crate::error::RecordError;
use crate::varint::{put, put_signed};
use infermeter_core::clock::Offset;
use infermeter_core::record::{ChunkTexts, RequestRecord};
use std::collections::VecDeque;
use std::fs::{File, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes kept in memory while they cannot be written; records beyond are lost and counted.
const MAX_WAITING_BYTES: usize = 64 << 20;

/// Where a journal's bytes go: a file, or a fake that fails on demand.
pub trait Sink {
    /// Appends all of `bytes`; after an error any part of them may have been written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts back to the first `len` bytes; the next append goes there.
    fn cut_to(&mut self, len: u64) -> io::Result<()>;
}

impl Sink for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn cut_to(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)?;
        self.seek(SeekFrom::Start(len)).map(|_| ())
    }
}

/// What became of the records appended: their number is `written + waiting + lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JournalTotals {
    /// Records in whole frames of the file.
    pub written: u64,
    /// Records in memory, to be written by the next flush.
    pub waiting: u64,
    /// Records given up because the file could not be written and memory for waiting ones was
    /// full.
    pub lost: u64,
    /// Records (among all others) whose texts were left out because they were too long.
    pub without_texts: u64,
}

/// A frame under construction: room for its header, then records.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    records: u64,
}

impl Block {
    fn new() -> Self {
        Self {
            bytes: vec![0; FRAME_HEADER_BYTES],
            records: 0,
        }
    }

    fn payload_bytes(&self) -> usize {
        self.bytes.len() - FRAME_HEADER_BYTES
    }

    /// Fills in the header.
    fn seal(&mut self) {
        let (header, payload) = self.bytes.split_at_mut(FRAME_HEADER_BYTES);
        header[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
        header[4..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    }
}

/// Appends records to a journal. Dropping it discards what is not flushed.
#[derive(Debug)]
pub struct JournalWriter<S: Sink = File> {
    sink: S,
    path: PathBuf,
    /// End of the last whole frame.
    whole_bytes: u64,
    /// A write failed: bytes may lie past `whole_bytes`.
    torn: bool,
    current: Block,
    sealed: VecDeque<Block>,
    sealed_bytes: usize,
    scratch: Vec<u8>,
    totals: JournalTotals,
}

impl JournalWriter<File> {
    /// Creates `requests.journal` in `dir` and locks it as long as the writer lives, so that no
    /// `report` takes it for an abandoned one.
    pub fn create(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(JOURNAL_FILE);
        let file = File::create_new(&path).map_err(RecordError::io("create", &path))?;
        lock(&file, &path)?;
        Self::over(file, &path)
    }
}

/// Takes the lock of a journal that is being written. File systems without locks are let pass.
pub(crate) fn lock(file: &File, path: &Path) -> Result<(), RecordError> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(RecordError::RunInProgress(path.to_owned())),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}

impl<S: Sink> JournalWriter<S> {
    /// Starts a journal on an empty sink; `path` is its name in messages.
    pub fn over(mut sink: S, path: &Path) -> Result<Self, RecordError> {
        sink.append(&header())
            .map_err(RecordError::io("write", path))?;
        Ok(Self {
            sink,
            path: path.to_owned(),
            whole_bytes: HEADER_BYTES as u64,
            torn: false,
            current: Block::new(),
            sealed: VecDeque::new(),
            sealed_bytes: 0,
            scratch: Vec::new(),
            totals: JournalTotals::default(),
        })
    }

    /// Adds a record to the current batch; writes it when the batch passes about a megabyte. After
    /// an error the record still waits in memory, unless [`Self::totals`] counts it as lost.
    pub fn append(&mut self, record: &RequestRecord) -> Result<(), RecordError> {
        self.encode(ENDED, record, record.texts.as_ref());
        let mut without_texts = 0;
        if self.scratch.len() > MAX_RECORD_BYTES {
            self.encode(ENDED, record, None);
            without_texts = 1;
        }
        if self.scratch.len() > MAX_RECORD_BYTES || !self.has_room() {
            self.totals.lost += 1;
            return self.write_sealed();
        }
        self.current.records += 1;
        self.totals.waiting += 1;
        self.totals.without_texts += without_texts;
        self.add_entry()
    }

    /// Adds what is known of a request that has begun. Where there is no room it is left out: it
    /// matters only if the run is killed.
    pub fn begin(&mut self, record: &RequestRecord) -> Result<(), RecordError> {
        self.encode(BEGUN, record, None);
        if self.has_room() {
            self.add_entry()
        } else {
            self.write_sealed()
        }
    }

    /// [`Self::flush`], with the instant until which what was added is all that is known.
    pub fn flush_as_of(&mut self, now: Offset) -> Result<(), RecordError> {
        self.scratch.clear();
        self.scratch.push(AS_OF);
        put_signed(&mut self.scratch, now.0);
        if self.has_room() {
            self.add_entry()?;
        }
        self.flush()
    }

    fn encode(&mut self, what: u8, record: &RequestRecord, texts: Option<&ChunkTexts>) {
        self.scratch.clear();
        self.scratch.push(what);
        codec::encode(record, texts, &mut self.scratch);
    }

    /// The encoded entry fits into the memory for what cannot be written.
    fn has_room(&self) -> bool {
        let waiting_bytes = self.sealed_bytes + self.current.payload_bytes();
        waiting_bytes + self.scratch.len() <= MAX_WAITING_BYTES
    }

    /// Adds the encoded entry to the current batch.
    fn add_entry(&mut self) -> Result<(), RecordError> {
        put(&mut self.current.bytes, self.scratch.len() as u64);
        self.current.bytes.extend_from_slice(&self.scratch);
        if self.current.payload_bytes() >= FRAME_TARGET_BYTES {
            return self.flush();
        }
        Ok(())
    }

    /// Writes the current batch as one frame, after those that an earlier failure left waiting.
    pub fn flush(&mut self) -> Result<(), RecordError> {
        if self.current.payload_bytes() > 0 {
            let mut block = std::mem::replace(&mut self.current, Block::new());
            block.seal();
            self.sealed_bytes += block.payload_bytes();
            self.sealed.push_back(block);
        }
        self.write_sealed()
    }

    /// What became of the records appended so far.
    pub fn totals(&self) -> JournalTotals {
        self.totals
    }

    fn write_sealed(&mut self) -> Result<(), RecordError> {
        while let Some(block) = self.sealed.pop_front() {
            if let Err(error) = self.write_frame(&block.bytes) {
                self.sealed.push_front(block);
                return Err(error);
            }
            self.sealed_bytes -= block.payload_bytes();
            self.totals.written += block.records;
            self.totals.waiting -= block.records;
        }
        Ok(())
    }

    fn write_frame(&mut self, frame: &[u8]) -> Result<(), RecordError> {
        self.cut_torn_tail()?;
        let Err(cause) = self.sink.append(frame) else {
            self.whole_bytes += frame.len() as u64;
            return Ok(());
        };
        self.torn = true;
        // The write's error is the one to report; a cut that fails is tried again before the next
        // write, and a reader stops at the torn frame meanwhile.
        self.cut_torn_tail().ok();
        Err(RecordError::io("write", &self.path)(cause))
    }

    fn cut_torn_tail(&mut self) -> Result<(), RecordError> {
        if self.torn {
            self.sink
                .cut_to(self.whole_bytes)
                .map_err(RecordError::io("cut back", &self.path))?;
            self.torn = false;
        }
        Ok(())
    }
}
