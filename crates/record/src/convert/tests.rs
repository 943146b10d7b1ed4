//! From journal to Parquet: order, duplicates, torn tails.

use super::{Converted, CutOff, LeftOpen, convert};
use crate::directory::{RecordState, RunDirectory};
use crate::error::RecordError;
use crate::journal::writer::JournalWriter;
use crate::journal::{JOURNAL_FILE, Tail};
use crate::parquet::PARQUET_FILE;
use crate::parquet::reader::read_records;
use crate::testing::{classes, record, unsent};
use infermeter_core::clock::Offset;
use infermeter_core::record::{ChunkTexts, Outcome, Reason, RequestRecord, TokenSource};
use std::fs;
use std::path::Path;

fn write(dir: &Path, records: &[RequestRecord]) {
    let mut writer = JournalWriter::create(dir).expect("created");
    for (i, record) in records.iter().enumerate() {
        writer.append(record).expect("room");
        if i % 3 == 0 {
            writer.flush().expect("room");
        }
    }
    writer.flush().expect("room");
}

fn ids(dir: &Path) -> Vec<u64> {
    let records = read_records(dir).expect("readable");
    records.iter().map(|r| r.id).collect()
}

#[test]
fn rows_come_in_id_order_and_the_first_of_two_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let order = [3, 1, 0, 2, 5, 1, 4, 1];
    let mut records: Vec<_> = order.iter().map(|id| record(*id, 4)).collect();
    records[5].attempts = 9;
    write(dir.path(), &records);
    let converted =
        convert(dir.path(), &classes(), LeftOpen::LeftOut, &mut |_| {}).expect("converted");
    let expected = Converted {
        records: 6,
        cut_off: None,
        duplicates: 2,
        tail: Tail::Clean,
    };
    assert_eq!(converted, expected);
    let back = read_records(dir.path()).expect("readable");
    assert_eq!(back, (0..6).map(|id| record(id, 4)).collect::<Vec<_>>());
    let run = RunDirectory::open(dir.path()).expect("opened");
    assert_eq!(run.state().expect("known"), RecordState::Finished);
    assert!(!dir.path().join(JOURNAL_FILE).exists());
}

#[test]
fn records_are_settled_in_id_order_with_their_texts() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut with_texts = record(1, 2);
    with_texts.texts = Some(ChunkTexts {
        bytes: b"ab".to_vec(),
        ends: vec![1, 2],
    });
    write(dir.path(), &[with_texts, record(0, 1)]);
    let mut seen = Vec::new();
    let mut settle = |r: &mut RequestRecord| {
        seen.push((r.id, r.texts.as_ref().map(|t| t.bytes.clone())));
        r.token_source = Some(TokenSource::Tokenizer);
        r.chunks[0].tokens = 7;
    };
    convert(dir.path(), &classes(), LeftOpen::LeftOut, &mut settle).expect("converted");
    assert_eq!(seen, [(0, None), (1, Some(b"ab".to_vec()))]);
    for settled in read_records(dir.path()).expect("readable") {
        assert_eq!(settled.token_source, Some(TokenSource::Tokenizer));
        assert_eq!(settled.chunks[0].tokens, 7);
        assert_eq!(settled.texts, None);
    }
}

#[test]
fn an_abandoned_journal_is_recovered_to_its_last_whole_frame() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(JOURNAL_FILE);
    write(dir.path(), &[record(0, 2), record(1, 2), record(2, 2)]);
    let bytes = fs::read(&path).expect("there");
    fs::write(&path, &bytes[..bytes.len() - 1]).expect("cut");
    let converted =
        convert(dir.path(), &classes(), LeftOpen::LeftOut, &mut |_| {}).expect("recovered");
    assert_eq!(converted.records, 1);
    assert!(matches!(converted.tail, Tail::Torn { .. }));
    assert_eq!(ids(dir.path()), [0]);
}

/// A run that was killed at 9 s: one request had ended, two were in flight, one waited.
fn killed(dir: &Path) {
    let mut writer = JournalWriter::create(dir).expect("created");
    for (id, sent) in [(0, Some(1)), (1, Some(2)), (3, None), (2, Some(7))] {
        let mut begun = unsent(id);
        begun.send_start = sent.map(|s| Offset(s * 1_000_000_000));
        writer.begin(&begun).expect("room");
    }
    writer.append(&record(1, 4)).expect("room");
    for seconds in [8, 9] {
        let now = Offset(seconds * 1_000_000_000);
        writer.flush_as_of(now).expect("room");
    }
}

#[test]
fn what_a_killed_run_had_in_flight_becomes_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    killed(dir.path());
    let cancelled = LeftOpen::Cancelled;
    let converted = convert(dir.path(), &classes(), cancelled, &mut |_| {}).expect("recovered");
    let expected = CutOff {
        as_of: Offset(9_000_000_000),
        in_flight: 2,
        waiting: 1,
        median_age_ns: 8_000_000_000,
        longest_age_ns: 8_000_000_000,
    };
    assert_eq!((converted.records, converted.cut_off), (1, Some(expected)));
    let rows = read_records(dir.path()).expect("readable");
    assert_eq!(rows[1], record(1, 4));
    let ends = rows.iter().map(|row| {
        let reason = row.error.as_ref().map(|e| e.reason);
        (row.id, row.outcome, reason, row.closed)
    });
    let (killed, last) = (Some(Reason::RunKilled), Some(Offset(9_000_000_000)));
    assert_eq!(
        ends.collect::<Vec<_>>(),
        [
            (0, Outcome::Cancelled, killed, last),
            (1, rows[1].outcome, None, rows[1].closed),
            (2, Outcome::Cancelled, killed, last),
            (3, Outcome::NotSent, killed, None),
        ]
    );
}

#[test]
fn a_run_that_ended_by_itself_had_nothing_in_flight() {
    let dir = tempfile::tempdir().expect("a directory");
    killed(dir.path());
    let left_out = LeftOpen::LeftOut;
    let converted = convert(dir.path(), &classes(), left_out, &mut |_| {}).expect("converted");
    assert_eq!(converted.cut_off, None);
    assert_eq!(ids(dir.path()), [1]);
}

#[test]
fn an_empty_journal_even_without_its_header_is_an_empty_record() {
    for bytes in [&b""[..], b"imjour"] {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(JOURNAL_FILE), bytes).expect("written");
        let converted =
            convert(dir.path(), &classes(), LeftOpen::LeftOut, &mut |_| {}).expect("recovered");
        assert_eq!(converted.records, 0);
        assert_eq!(ids(dir.path()), [0u64; 0]);
    }
}

#[test]
fn a_journal_that_is_being_written_is_left_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = JournalWriter::create(dir.path()).expect("created");
    writer.append(&unsent(0)).expect("room");
    writer.flush().expect("room");
    let error =
        convert(dir.path(), &classes(), LeftOpen::LeftOut, &mut |_| {}).expect_err("in progress");
    assert!(matches!(error, RecordError::RunInProgress(_)), "{error}");
    drop(writer);
    convert(dir.path(), &classes(), LeftOpen::LeftOut, &mut |_| {}).expect("converted");
    let error = convert(dir.path(), &classes(), LeftOpen::LeftOut, &mut |_| {})
        .expect_err("no journal any more");
    assert!(matches!(error, RecordError::NoRecord(_)), "{error}");
}

#[test]
fn a_conversion_that_fails_leaves_the_journal_and_no_parquet_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut of_no_class = unsent(1);
    of_no_class.class = 9;
    write(dir.path(), &[unsent(0), of_no_class]);
    assert!(convert(dir.path(), &classes(), LeftOpen::LeftOut, &mut |_| {}).is_err());
    assert!(dir.path().join(JOURNAL_FILE).exists());
    assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    assert!(!dir.path().join(PARQUET_FILE).exists());
}
