//! Round trips of the Parquet file, and files that are none of ours.

use super::PARQUET_FILE;
use super::columns::ColumnsWriter;
use super::reader::{for_each_record, read_records};
use super::writer::{RecordsWriter, write_rows};
use crate::error::RecordError;
use crate::schema::{COLUMNS, Column};
use crate::testing::{arbitrary_answer, arbitrary_record, classes, record, unsent};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use infermeter_core::record::RequestRecord;
use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use std::fs::{self, File};
use std::path::Path;

fn write(dir: &Path, records: &[RequestRecord]) {
    let mut writer = RecordsWriter::create(dir, &classes()).expect("created");
    for record in records {
        writer.append(record.clone()).expect("written");
    }
    writer.finish().expect("finished");
}

fn read_error(dir: &Path, expected: &str) {
    let error = read_records(dir).expect_err("not readable").to_string();
    assert!(error.contains(expected), "{error}");
    assert!(error.contains(PARQUET_FILE), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn records_round_trip(mut records in proptest::collection::vec(arbitrary_record(), 0..6)) {
        records.sort_by_key(|r| r.id);
        records.dedup_by_key(|r| r.id);
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), &records);
        for record in &mut records {
            record.texts = None;
        }
        prop_assert_eq!(read_records(dir.path()).expect("readable"), records);
    }

    #[test]
    fn what_was_found_of_answers_comes_back(
        answers in proptest::collection::vec(proptest::option::of(arbitrary_answer()), 0..6)
    ) {
        let mut records: Vec<RequestRecord> = (0..answers.len() as u64).map(unsent).collect();
        for (record, answer) in records.iter_mut().zip(answers) {
            record.answer = answer;
        }
        let dir = tempfile::tempdir().expect("a directory");
        write(dir.path(), &records);
        prop_assert_eq!(read_records(dir.path()).expect("readable"), records);
    }
}

#[test]
fn an_empty_run_is_a_file_without_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    write(dir.path(), &[]);
    assert_eq!(read_records(dir.path()).expect("readable"), []);
}

#[test]
fn row_groups_are_bounded_by_rows_and_by_chunks() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(PARQUET_FILE);
    let groups = |records: &[RequestRecord]| {
        write(dir.path(), records);
        let reader = SerializedFileReader::new(File::open(&path).expect("there")).expect("whole");
        let rows: Vec<i64> = reader
            .metadata()
            .row_groups()
            .iter()
            .map(|g| g.num_rows())
            .collect();
        rows
    };
    let many_rows: Vec<_> = (0..9_000).map(unsent).collect();
    assert_eq!(groups(&many_rows), [8_192, 808]);
    let many_chunks: Vec<_> = (0..40).map(|id| record(id, 30_000)).collect();
    assert_eq!(groups(&many_chunks), [36, 4]);
    assert_eq!(read_records(dir.path()).expect("readable"), many_chunks);
}

#[test]
fn what_cannot_be_a_row_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut writer = RecordsWriter::create(dir.path(), &classes()).expect("created");
    writer.append(unsent(5)).expect("in order");
    for id in [5, 4] {
        let error = writer.append(unsent(id)).expect_err("out of order");
        assert!(matches!(error, RecordError::OutOfOrder { after: 5, .. }));
    }
    let mut of_no_class = unsent(6);
    of_no_class.class = 3;
    let error = writer.append(of_no_class).expect_err("no such class");
    assert!(matches!(error, RecordError::UnknownClass { class: 3, .. }));
    assert!(matches!(
        writer.append(unsent(u64::MAX)),
        Err(RecordError::IdTooLarge(_))
    ));
    drop(writer);
    assert!(!dir.path().join(PARQUET_FILE).exists());
}

#[test]
fn a_missing_or_damaged_file_says_what_to_do() {
    let dir = tempfile::tempdir().expect("a directory");
    read_error(dir.path(), "holds no record");
    write(dir.path(), &[record(0, 3), record(1, 4)]);
    let path = dir.path().join(PARQUET_FILE);
    let whole = fs::read(&path).expect("there");
    fs::write(&path, &whole[..whole.len() - 10]).expect("cut");
    read_error(dir.path(), "cut short");
    fs::write(&path, b"").expect("emptied");
    read_error(dir.path(), "cut short");
}

/// A file with these metadata and columns, and rows of these records.
fn foreign(dir: &Path, metadata: &[(&str, &str)], columns: &[&Column], records: &[RequestRecord]) {
    let shapes: Vec<_> = columns.iter().map(|column| column.shape()).collect();
    let entries = metadata.iter().map(|(key, value)| KeyValue {
        key: (*key).to_owned(),
        value: Some((*value).to_owned()),
    });
    let properties = WriterProperties::builder()
        .set_key_value_metadata(Some(entries.collect()))
        .build();
    let file = File::create(dir.join(PARQUET_FILE)).expect("created");
    let mut writer = ColumnsWriter::new(file, &shapes, properties).expect("started");
    if !records.is_empty() {
        let columns = columns.iter().copied();
        write_rows(&mut writer, columns, records, &classes()).expect("written");
    }
    writer.into_inner().expect("finished");
}

#[test]
fn other_versions_and_other_schemas_are_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let all: Vec<&Column> = COLUMNS.iter().collect();
    let ours = [("format_version", "1"), ("classes", "[]")];
    foreign(dir.path(), &[], &all, &[]);
    read_error(dir.path(), "no valid `format_version`");
    let newer = [("format_version", "2"), ("classes", "[]")];
    foreign(dir.path(), &newer, &all, &[]);
    read_error(dir.path(), "newer infermeter");
    foreign(dir.path(), &ours[..1], &all, &[]);
    read_error(dir.path(), "no valid `classes`");
    foreign(dir.path(), &ours, &all[..all.len() - 1], &[]);
    read_error(dir.path(), "column chunk_read is missing");
    foreign(dir.path(), &ours, &all, &[]);
    assert_eq!(read_records(dir.path()).expect("readable"), []);
}

#[test]
fn a_file_from_before_departures_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut records: Vec<_> = (0..3).map(|id| record(id, 2)).collect();
    let older: Vec<&Column> = COLUMNS.iter().filter(|c| c.name != "left_ns").collect();
    assert_eq!(older.len(), COLUMNS.len() - 1);
    let names = serde_json::to_string(&classes()).expect("JSON");
    let metadata = [("format_version", "1"), ("classes", names.as_str())];
    foreign(dir.path(), &metadata, &older, &records);
    for record in &mut records {
        record.left = None;
    }
    assert_eq!(read_records(dir.path()).expect("readable"), records);
}

#[test]
fn streaming_gives_the_rows_in_order() {
    let dir = tempfile::tempdir().expect("a directory");
    let records: Vec<_> = (0..700).map(|id| record(id, id as usize % 5)).collect();
    write(dir.path(), &records);
    let mut streamed = Vec::new();
    for_each_record(dir.path(), &mut |r| streamed.push(r)).expect("readable");
    assert_eq!(streamed, records);
}
