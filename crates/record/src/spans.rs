//! `spans.jsonl`: what spans of the run's requests said, one JSON object a line, written while the run goes on.
//! The first line says where they were received, the last one what came altogether.
//!
//! Invariant: what comes at once is written in one piece; a last line that a killed run left unfinished is no span, and the
//! tally is missing then.

use crate::error::RecordError;
use infermeter_core::spans::{
    RequestSpan, SPANS_VERSION, SpanTally, SpansHeader, SpansLine, SpansReceived,
};
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file's name in a run directory.
pub const SPANS_FILE: &str = "spans.jsonl";

/// Read at once, bytes.
const BUFFER: usize = 64 << 10;

/// Writes spans.
#[derive(Debug)]
pub struct SpansWriter {
    file: File,
    path: PathBuf,
    /// Length up to the last whole line.
    len: u64,
}

impl SpansWriter {
    /// Starts the file in `dir`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(dir: &Path, address: &str) -> Result<Self, RecordError> {
        let path = dir.join(SPANS_FILE);
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.map_err(RecordError::io("create", &path))?;
        let mut writer = Self { file, path, len: 0 };
        writer.lines(&[SpansHeader {
            format_version: SPANS_VERSION,
            address: address.to_owned(),
        }])?;
        Ok(writer)
    }

    /// Adds spans, all in one write.
    ///
    /// # Errors
    /// When they cannot be written: the file is left as it was.
    pub fn append(&mut self, spans: Vec<RequestSpan>) -> Result<(), RecordError> {
        let lines: Vec<SpansLine> = spans.into_iter().map(SpansLine::Span).collect();
        self.lines(&lines)
    }

    /// Writes what came altogether.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, tally: SpanTally) -> Result<(), RecordError> {
        self.lines(&[SpansLine::Tally(tally)])
    }

    fn lines(&mut self, values: &[impl Serialize]) -> Result<(), RecordError> {
        let mut lines = Vec::new();
        for value in values {
            let written = serde_json::to_writer(&mut lines, value);
            written.map_err(|cause| RecordError::NotJson {
                path: self.path.clone(),
                cause,
            })?;
            lines.push(b'\n');
        }
        if let Err(cause) = self.file.write_all(&lines) {
            // The file is as good without what was written of them, and with it: see the reader.
            let _ = self.file.set_len(self.len);
            return Err(RecordError::io("write", &self.path)(cause));
        }
        self.len += lines.len() as u64;
        Ok(())
    }
}

/// The spans in `dir`; `None` where no file is there, or not even its first line is whole. Lines that are none
/// are left out.
///
/// # Errors
/// When the file cannot be read, or a newer infermeter wrote it.
pub fn read_spans(dir: &Path) -> Result<Option<SpansReceived>, RecordError> {
    let path = dir.join(SPANS_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RecordError::io("read", &path)(error)),
    };
    let mut file = BufReader::with_capacity(BUFFER, file);
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| {
        line.clear();
        let read = file.read_until(b'\n', line);
        read.map_err(RecordError::io("read", &path))?;
        Ok::<bool, RecordError>(line.ends_with(b"\n"))
    };
    if !next(&mut line)? {
        return Ok(None);
    }
    let Ok(header) = serde_json::from_slice::<SpansHeader>(&line) else {
        return Ok(None);
    };
    if header.format_version > SPANS_VERSION {
        return Err(RecordError::NewerVersion {
            path: path.clone(),
            found: u64::from(header.format_version),
            newest: u64::from(SPANS_VERSION),
        });
    }
    let mut received = SpansReceived::default();
    while next(&mut line)? {
        match serde_json::from_slice(&line) {
            Ok(SpansLine::Span(span)) => received.spans.push(span),
            Ok(SpansLine::Tally(tally)) => received.tally = Some(tally),
            Err(_) => {}
        }
    }
    Ok(Some(received))
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::spans::{SpanId, SpanTimes};
    use std::fs;

    fn span(request: u64) -> RequestSpan {
        RequestSpan {
            request,
            span: SpanId([1; 8]),
            name: "llm_request".to_owned(),
            lasted_ns: Some(9),
            times: SpanTimes {
                queue: Some(3),
                ..SpanTimes::default()
            },
        }
    }

    #[test]
    fn spans_come_back_and_a_torn_line_does_not() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(read_spans(dir.path()).expect("none"), None);
        let mut writer = SpansWriter::create(dir.path(), "127.0.0.1:4318").expect("created");
        writer.append(vec![span(1), span(2)]).expect("written");
        let path = dir.path().join(SPANS_FILE);
        let text = fs::read_to_string(&path).expect("there");
        let found = read_spans(dir.path()).expect("read").expect("a file");
        assert_eq!((found.spans, found.tally), (vec![span(1), span(2)], None));
        let tally = SpanTally {
            messages: 1,
            spans: 2,
            kept: 2,
            ..SpanTally::default()
        };
        writer.finish(tally).expect("written");
        let found = read_spans(dir.path()).expect("read").expect("a file");
        assert_eq!(found.tally, Some(tally));
        // Killed in the middle of a line.
        fs::write(&path, &text[..text.len() - 10]).expect("torn");
        let found = read_spans(dir.path()).expect("read").expect("a file");
        assert_eq!((found.spans, found.tally), (vec![span(1)], None));
        for text in ["", "{}\n", "{\"format_version\":1"] {
            fs::write(&path, text).expect("written");
            assert_eq!(read_spans(dir.path()).expect("read"), None, "{text}");
        }
        fs::write(&path, "{\"format_version\":2,\"address\":\"\"}\n").expect("written");
        let error = read_spans(dir.path()).expect_err("newer");
        assert!(error.to_string().contains("format version 2"), "{error}");
    }
}
