//! `server-metrics.jsonl`: what the server's metrics page said while the run went on, one JSON object
//! a line. The first line says what was read, each other one is a reading.
//!
//! Invariant: a line is written as soon as it is known, in one piece; a last line that a killed run
//! left unfinished is no reading.

use crate::error::RecordError;
use infermeter_core::server::{SERVER_METRICS_VERSION, ServerReading, ServerReadings, ServerWatch};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The file's name in a run directory.
pub const SERVER_METRICS_FILE: &str = "server-metrics.jsonl";

/// Writes the readings.
#[derive(Debug)]
pub struct ServerMetricsWriter {
    file: File,
    path: PathBuf,
    /// Length up to the last whole line.
    len: u64,
}

impl ServerMetricsWriter {
    /// Starts the file in `dir` with its first line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(dir: &Path, watch: &ServerWatch) -> Result<Self, RecordError> {
        let path = dir.join(SERVER_METRICS_FILE);
        let file = OpenOptions::new().append(true).create_new(true).open(&path);
        let file = file.map_err(RecordError::io("create", &path))?;
        let mut writer = Self { file, path, len: 0 };
        writer.line(watch)?;
        Ok(writer)
    }

    /// Adds a reading.
    ///
    /// # Errors
    /// When it cannot be written: the file is left as it was.
    pub fn append(&mut self, reading: &ServerReading) -> Result<(), RecordError> {
        self.line(reading)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), RecordError> {
        let mut line = serde_json::to_vec(value).map_err(|cause| RecordError::NotJson {
            path: self.path.clone(),
            cause,
        })?;
        line.push(b'\n');
        if let Err(cause) = self.file.write_all(&line) {
            // The file is as good without what was written of the line, and with it: see the reader.
            let _ = self.file.set_len(self.len);
            return Err(RecordError::io("write", &self.path)(cause));
        }
        self.len += line.len() as u64;
        Ok(())
    }
}

/// What every version of the file begins with.
#[derive(Deserialize)]
struct Versioned {
    format_version: u64,
}

/// The readings in `dir`; `None` where no file is there, or no line of it is whole. Lines that are
/// no readings are left out.
///
/// # Errors
/// When the file cannot be read, or a newer infermeter wrote it.
pub fn read_server_metrics(dir: &Path) -> Result<Option<ServerReadings>, RecordError> {
    let path = dir.join(SERVER_METRICS_FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(RecordError::io("read", &path)(error)),
    };
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').unwrap_or(0);
    let mut lines = bytes[..whole].split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    if let Ok(Versioned { format_version }) = serde_json::from_slice(first)
        && format_version > u64::from(SERVER_METRICS_VERSION)
    {
        return Err(RecordError::NewerVersion {
            path,
            found: format_version,
            newest: u64::from(SERVER_METRICS_VERSION),
        });
    }
    let Ok(watch) = serde_json::from_slice::<ServerWatch>(first) else {
        return Ok(None);
    };
    let readings = lines.filter_map(|line| serde_json::from_slice(line).ok());
    Ok(Some(ServerReadings {
        watch,
        readings: readings.collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::clock::Offset;
    use infermeter_core::schedule::Phase;
    use infermeter_core::server::{ReadingCause, ServerEngine, ServerFigures};

    fn watch() -> ServerWatch {
        ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            engine: ServerEngine::LlamaCpp,
            url: "http://host:8080/metrics".to_owned(),
            interval_ns: 1_000_000_000,
        }
    }

    fn reading(at: i64) -> ServerReading {
        ServerReading {
            asked_ns: Offset(at),
            answered_ns: Offset(at + 500),
            phase: Phase::Measure,
            cause: ReadingCause::Interval,
            skipped: 0,
            error: None,
            figures: ServerFigures {
                running: Some(4.0),
                kv_usage: Some(0.25),
                ..ServerFigures::default()
            },
        }
    }

    #[test]
    fn readings_come_back_and_a_torn_line_does_not() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(read_server_metrics(dir.path()).expect("none"), None);
        let mut writer = ServerMetricsWriter::create(dir.path(), &watch()).expect("created");
        let failed = ServerReading {
            error: Some("status 503".to_owned()),
            skipped: 2,
            figures: ServerFigures::default(),
            ..reading(2_000)
        };
        for reading in [reading(1_000), failed.clone()] {
            writer.append(&reading).expect("written");
        }
        let path = dir.path().join(SERVER_METRICS_FILE);
        let text = fs::read_to_string(&path).expect("there");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..2],
            [
                r#"{"format_version":1,"engine":"llama-cpp","url":"http://host:8080/metrics","interval_ns":1000000000}"#,
                r#"{"asked_ns":1000,"answered_ns":1500,"phase":"measure","cause":"interval","skipped":0,"figures":{"running":4.0,"kv_usage":0.25}}"#
            ]
        );
        let expect = ServerReadings {
            watch: watch(),
            readings: vec![reading(1_000), failed],
        };
        // Killed in the middle of a line.
        fs::write(&path, format!("{text}{}", &lines[1][..40])).expect("torn");
        let found = read_server_metrics(dir.path()).expect("readable");
        assert_eq!(found, Some(expect));
    }

    #[test]
    fn files_that_hold_nothing_and_files_of_the_future() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(SERVER_METRICS_FILE);
        for text in ["", "\n", "{}\n", "{\"format_version\":1", "garbage\n{}\n"] {
            fs::write(&path, text).expect("written");
            assert_eq!(
                read_server_metrics(dir.path()).expect("read"),
                None,
                "{text}"
            );
        }
        fs::write(&path, "{\"format_version\":2}\n").expect("written");
        let error = read_server_metrics(dir.path()).expect_err("newer");
        assert!(error.to_string().contains("format version 2"), "{error}");
    }
}
