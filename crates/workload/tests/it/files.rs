//! Reading files and texts in tests.

use flate2::Compression;
use flate2::write::GzEncoder;
use infermeter_workload::{Row, TraceError, TraceFacts, TraceOptions, TraceReader};
use std::io::Write;
use tempfile::NamedTempFile;

pub const SLICE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/azure-2023-conv-head.csv"
);

pub const MOONCAKE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/mooncake-conversation-head.jsonl"
);

pub fn options(texts: &[&str]) -> TraceOptions {
    let mut options = TraceOptions::default();
    for text in texts {
        options.set(text).expect("an option");
    }
    options
}

pub fn with(texts: &[&str], bytes: &[u8]) -> Result<(Vec<Row>, TraceFacts), TraceError> {
    let mut reader = TraceReader::new(bytes, options(texts))?;
    let rows = reader.by_ref().collect::<Result<Vec<Row>, TraceError>>()?;
    let facts = reader.into_facts();
    if rows.is_empty() {
        // As reading a file says it.
        let file = file_of(bytes);
        let error = infermeter_workload::read_rows(file.path(), &options(texts), &mut |_| Ok(()));
        return Err(error.expect_err("no rows"));
    }
    Ok((rows, facts))
}

pub fn read(bytes: &[u8]) -> Result<(Vec<Row>, TraceFacts), TraceError> {
    with(&[], bytes)
}

#[track_caller]
pub fn refuse(text: &str, expect: &str) {
    refused(read(text.as_bytes()), expect);
}

#[track_caller]
pub fn refuse_with(option: &str, text: &str, expect: &str) {
    refused(with(&[option], text.as_bytes()), expect);
}

#[track_caller]
fn refused(read: Result<(Vec<Row>, TraceFacts), TraceError>, expect: &str) {
    let error = read.expect_err("must be refused").to_string();
    assert!(error.contains(expect), "{error}");
}

pub fn file_of(bytes: &[u8]) -> NamedTempFile {
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), bytes).expect("written");
    file
}

pub fn packed(bytes: &[u8]) -> NamedTempFile {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("packed");
    file_of(&encoder.finish().expect("packed"))
}
