//! Round trips of the journal, torn and damaged files, sinks that fail.

use super::reader::JournalReader;
use super::writer::{JournalTotals, JournalWriter, Sink};
use super::{FRAME_HEADER_BYTES, HEADER_BYTES, JOURNAL_FILE, Tail};
use crate::error::RecordError;
use crate::testing::{arbitrary_record, record};
use infermeter_core::clock::Offset;
use infermeter_core::record::{ChunkTexts, RequestRecord};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// A disk with so much room: takes what fits of a write, then fails.
#[derive(Debug, Clone)]
struct SmallDisk(Rc<RefCell<Disk>>);

#[derive(Debug)]
struct Disk {
    bytes: Vec<u8>,
    room: usize,
    cuts_work: bool,
}

impl SmallDisk {
    fn with_room(room: usize) -> Self {
        Self(Rc::new(RefCell::new(Disk {
            bytes: Vec::new(),
            room,
            cuts_work: true,
        })))
    }

    fn bytes(&self) -> Vec<u8> {
        self.0.borrow().bytes.clone()
    }
}

impl Sink for SmallDisk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        let fits = disk.room.saturating_sub(disk.bytes.len()).min(bytes.len());
        disk.bytes.extend_from_slice(&bytes[..fits]);
        if fits == bytes.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::StorageFull.into())
        }
    }

    fn cut_to(&mut self, len: u64) -> io::Result<()> {
        let mut disk = self.0.borrow_mut();
        if !disk.cuts_work {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        disk.bytes.truncate(len as usize);
        Ok(())
    }
}

const NAME: &str = "requests.journal";

fn writer_on(disk: &SmallDisk) -> JournalWriter<SmallDisk> {
    JournalWriter::over(disk.clone(), Path::new(NAME)).expect("room for the header")
}

/// A journal of these batches.
fn journal_of(batches: &[Vec<RequestRecord>]) -> Vec<u8> {
    let disk = SmallDisk::with_room(usize::MAX);
    let mut writer = writer_on(&disk);
    for batch in batches {
        for record in batch {
            writer.append(record).expect("room");
        }
        writer.flush().expect("room");
    }
    disk.bytes()
}

fn read(bytes: &[u8]) -> Result<(Vec<RequestRecord>, Tail), RecordError> {
    let mut reader = JournalReader::over(bytes, bytes.len() as u64, Path::new(NAME))?;
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        assert!(!batch.is_empty());
        records.extend(batch);
    }
    Ok((records, reader.tail().expect("reading has ended")))
}

proptest! {
    #[test]
    fn records_round_trip(
        batches in proptest::collection::vec(
            proptest::collection::vec(arbitrary_record(), 1..4), 0..4),
    ) {
        let (records, tail) = read(&journal_of(&batches)).expect("readable");
        prop_assert_eq!(records, batches.concat());
        prop_assert_eq!(tail, Tail::Clean);
    }

    #[test]
    fn arbitrary_bytes_are_a_torn_tail(bytes in any::<Vec<u8>>(), crc_right in any::<bool>()) {
        let mut journal = journal_of(&[vec![record(0, 3)]]);
        let whole = journal.len() as u64;
        if crc_right {
            journal.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            journal.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        }
        journal.extend_from_slice(&bytes);
        let (records, tail) = read(&journal).expect("readable");
        prop_assert!(records.starts_with(&[record(0, 3)]));
        if records.len() == 1 && journal.len() as u64 > whole {
            let lost_bytes = journal.len() as u64 - whole;
            prop_assert_eq!(tail, Tail::Torn { at_byte: whole, lost_bytes });
        }
    }
}

fn three_frames() -> (Vec<Vec<RequestRecord>>, Vec<usize>, Vec<u8>) {
    let batches = vec![
        vec![record(0, 3), record(2, 0)],
        vec![record(1, 5)],
        vec![record(3, 2), record(4, 1)],
    ];
    let borders = (0..=batches.len())
        .map(|n| journal_of(&batches[..n]).len())
        .collect();
    let bytes = journal_of(&batches);
    (batches, borders, bytes)
}

#[test]
fn a_journal_cut_anywhere_gives_its_whole_frames() {
    let (batches, borders, bytes) = three_frames();
    for cut in 0..=bytes.len() {
        let (records, tail) = read(&bytes[..cut]).expect("readable");
        let whole = borders.iter().filter(|end| **end <= cut).count();
        let at = whole.checked_sub(1).map_or(0, |i| borders[i]);
        assert_eq!(
            records,
            batches[..whole.saturating_sub(1)].concat(),
            "{cut}"
        );
        let expected = if whole > 0 && at == cut {
            Tail::Clean
        } else {
            Tail::Torn {
                at_byte: at as u64,
                lost_bytes: (cut - at) as u64,
            }
        };
        assert_eq!(tail, expected, "{cut}");
    }
}

#[test]
fn a_flipped_bit_ends_the_journal_before_its_frame() {
    let (batches, borders, bytes) = three_frames();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if bit / 8 < HEADER_BYTES {
            // A flipped header is another file, or a version (0 or newer) that is not this one.
            if let Ok((records, _)) = read(&flipped) {
                assert_eq!(records, batches.concat());
            }
            continue;
        }
        let frame = borders.iter().filter(|end| **end <= bit / 8).count() - 1;
        let (records, tail) = read(&flipped).expect("readable");
        assert_eq!(records, batches[..frame].concat(), "bit {bit}");
        let at = borders[frame];
        let torn = Tail::Torn {
            at_byte: at as u64,
            lost_bytes: (bytes.len() - at) as u64,
        };
        assert_eq!(tail, torn, "bit {bit}");
    }
}

#[test]
fn a_tail_of_zeros_is_torn() {
    let (batches, borders, mut bytes) = three_frames();
    bytes.extend_from_slice(&[0; 4096]);
    let (records, tail) = read(&bytes).expect("readable");
    assert_eq!(records, batches.concat());
    let torn = Tail::Torn {
        at_byte: borders[3] as u64,
        lost_bytes: 4096,
    };
    assert_eq!(tail, torn);
}

#[test]
fn other_files_and_newer_journals_are_refused() {
    let error = read(b"PAR1 something else").expect_err("no journal");
    assert!(error.to_string().contains("is not a journal"), "{error}");
    let mut newer = journal_of(&[]);
    newer[8] = 3;
    let error = read(&newer).expect_err("newer");
    assert!(error.to_string().contains("newer infermeter"), "{error}");
}

/// A journal of version 1: entries without the byte that says what they are.
fn first_version(records: &[RequestRecord]) -> Vec<u8> {
    let mut payload = Vec::new();
    for record in records {
        let mut bytes = Vec::new();
        crate::codec::encode(record, record.texts.as_ref(), &mut bytes);
        crate::varint::put_bytes(&mut payload, &bytes);
    }
    let mut journal = b"imjourn\n\x01\0\0\0".to_vec();
    journal.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    journal.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
    journal.extend(payload);
    journal
}

#[test]
fn journals_of_the_first_version_stay_readable() {
    let records = [record(0, 3), record(1, 0)];
    let (read, tail) = read(&first_version(&records)).expect("readable");
    assert_eq!((&read[..], tail), (&records[..], Tail::Clean));
}

#[test]
fn what_has_begun_is_no_record_of_its_own() {
    let disk = SmallDisk::with_room(usize::MAX);
    let mut writer = writer_on(&disk);
    writer.begin(&record(0, 0)).expect("room");
    writer.flush_as_of(Offset(5)).expect("room");
    writer.append(&record(0, 3)).expect("room");
    writer.flush_as_of(Offset(-7)).expect("room");
    assert_eq!(writer.totals().written, 1);
    let (records, tail) = read(&disk.bytes()).expect("readable");
    assert_eq!((records, tail), (vec![record(0, 3)], Tail::Clean));
}

#[test]
fn a_full_disk_is_cut_back_and_goes_on_when_there_is_room() {
    let disk = SmallDisk::with_room(400);
    let mut writer = writer_on(&disk);
    writer.append(&record(0, 10)).expect("waits in memory");
    writer.flush().expect("fits");
    let whole = disk.bytes();
    for id in 1..4 {
        writer.append(&record(id, 30)).expect("waits in memory");
        let error = writer.flush().expect_err("does not fit");
        assert!(error.to_string().contains(NAME), "{error}");
        assert!(matches!(
            error,
            RecordError::Io {
                action: "write",
                ..
            }
        ));
        assert_eq!(disk.bytes(), whole, "cut back to the last whole frame");
    }
    let waiting = JournalTotals {
        written: 1,
        waiting: 3,
        ..JournalTotals::default()
    };
    assert_eq!(writer.totals(), waiting);
    disk.0.borrow_mut().room = usize::MAX;
    writer.append(&record(4, 1)).expect("waits in memory");
    writer.flush().expect("fits now");
    assert_eq!(writer.totals().written, 5);
    let (records, tail) = read(&disk.bytes()).expect("readable");
    let expected: Vec<_> = [(0, 10), (1, 30), (2, 30), (3, 30), (4, 1)]
        .map(|(id, chunks)| record(id, chunks))
        .to_vec();
    assert_eq!((records, tail), (expected, Tail::Clean));
}

#[test]
fn a_tail_that_cannot_be_cut_is_cut_before_the_next_write() {
    let disk = SmallDisk::with_room(300);
    disk.0.borrow_mut().cuts_work = false;
    let mut writer = writer_on(&disk);
    writer.append(&record(0, 50)).expect("waits in memory");
    writer.flush().expect_err("does not fit");
    assert_eq!(disk.bytes().len(), 300);
    let (records, tail) = read(&disk.bytes()).expect("readable");
    assert_eq!(records, []);
    assert!(matches!(tail, Tail::Torn { at_byte: 12, .. }));
    disk.0.borrow_mut().room = usize::MAX;
    writer.flush().expect_err("cannot be cut");
    disk.0.borrow_mut().cuts_work = true;
    writer.flush().expect("cut and written");
    let (records, tail) = read(&disk.bytes()).expect("readable");
    assert_eq!((records, tail), (vec![record(0, 50)], Tail::Clean));
}

#[test]
fn memory_for_waiting_records_is_bounded_and_the_rest_is_counted() {
    let disk = SmallDisk::with_room(HEADER_BYTES);
    let mut writer = writer_on(&disk);
    let mut large = record(0, 1);
    large.texts = Some(ChunkTexts {
        bytes: vec![b'x'; 3 << 20],
        ends: vec![3 << 20],
    });
    for id in 0..30 {
        large.id = id;
        writer.append(&large).expect_err("no room at all");
    }
    let full = writer.totals();
    assert_eq!((full.waiting, full.lost), (21, 9));
    disk.0.borrow_mut().room = usize::MAX;
    writer.flush().expect("room now");
    assert_eq!((writer.totals().written, writer.totals().lost), (21, 9));
    let (records, tail) = read(&disk.bytes()).expect("readable");
    assert_eq!((records.len(), tail), (21, Tail::Clean));
}

#[test]
fn texts_too_long_for_a_frame_are_left_out_and_counted() {
    let disk = SmallDisk::with_room(usize::MAX);
    let mut writer = writer_on(&disk);
    let mut large = record(0, 1);
    large.texts = Some(ChunkTexts {
        bytes: vec![b'x'; 33 << 20],
        ends: vec![33 << 20],
    });
    writer.append(&large).expect("room");
    writer.flush().expect("room");
    assert_eq!(writer.totals().without_texts, 1);
    let (records, _) = read(&disk.bytes()).expect("readable");
    assert_eq!(records, [record(0, 1)]);
}

#[test]
fn batches_become_frames_without_a_flush_and_chunks_stay_small() {
    let disk = SmallDisk::with_room(usize::MAX);
    let mut writer = writer_on(&disk);
    let records: Vec<_> = (0..2_000).map(|id| record(id, 128)).collect();
    records.iter().for_each(|r| writer.append(r).expect("room"));
    assert!(writer.totals().written > 0);
    writer.flush().expect("room");
    let bytes = disk.bytes();
    let per_chunk = bytes.len() as f64 / (2_000.0 * 128.0);
    assert!(per_chunk < 9.0, "{per_chunk} bytes per chunk");
    assert_eq!(read(&bytes).expect("readable"), (records, Tail::Clean));
}

#[test]
fn a_forged_length_allocates_nothing() {
    let mut bytes = journal_of(&[]);
    bytes.extend_from_slice(&[0xff; FRAME_HEADER_BYTES]);
    let claimed = u64::MAX;
    let mut reader = JournalReader::over(&bytes[..], claimed, Path::new(NAME)).expect("a header");
    assert!(reader.next_batch().expect("readable").is_none());
    assert!(matches!(reader.tail(), Some(Tail::Torn { .. })));
}

#[test]
fn the_device_that_is_always_full_gives_an_error_with_its_name() {
    let path = Path::new("/dev/full");
    if let Ok(file) = std::fs::File::options().write(true).open(path) {
        let error = JournalWriter::over(file, path).expect_err("no room");
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }
}

#[test]
fn a_journal_is_created_once_and_read_from_its_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = JournalWriter::create(dir.path()).expect("created");
    assert!(JournalWriter::create(dir.path()).is_err());
    writer.append(&record(7, 2)).expect("room");
    writer.flush().expect("room");
    let mut reader = JournalReader::open(dir.path()).expect("opened while it is written");
    assert_eq!(reader.next_batch().expect("read"), Some(vec![record(7, 2)]));
    assert_eq!(reader.tail(), None);
    assert_eq!(reader.next_batch().expect("read"), None);
    assert_eq!(reader.tail(), Some(Tail::Clean));
    assert!(dir.path().join(JOURNAL_FILE).exists());
}
