//! `server-metrics.jsonl`: what the server's metrics page said while the run went on, one JSON object
//! a line, and what its GPUs said. The first line says what was read, each other one is a reading of one page. Version 1
//! had one page, version 2 no GPUs.
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
    use infermeter_core::server::{
        PageDetail, Quantity, ReadingCause, ServerEngine, ServerFigures, ServerHistogram,
        WatchedPage,
    };

    fn watch() -> ServerWatch {
        ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            pages: vec![
                WatchedPage {
                    engine: ServerEngine::LlamaCpp,
                    url: "http://host:8080/metrics".to_owned(),
                },
                WatchedPage {
                    engine: ServerEngine::Vllm,
                    url: "http://other/metrics".to_owned(),
                },
            ],
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
            page: 0,
            error: None,
            detail: PageDetail::default(),
            figures: ServerFigures::from([(Quantity::Running, 4.0), (Quantity::KvUsage, 0.25)]),
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
        let mut full = ServerReading {
            page: 1,
            ..reading(3_000)
        };
        let histogram = ServerHistogram::new(vec![0.1, 1.0], vec![1.0, 4.0, 5.0], Some(2.5));
        let histogram = histogram.expect("a histogram");
        full.detail.histograms.0.insert(Quantity::Ttft, histogram);
        let reasons = [("stop".to_owned(), 3.0)].into();
        full.detail.parts.0.insert(Quantity::Finished, reasons);
        full.detail.malformed = 2;
        for reading in [reading(1_000), failed.clone(), full.clone()] {
            writer.append(&reading).expect("written");
        }
        let path = dir.path().join(SERVER_METRICS_FILE);
        let text = fs::read_to_string(&path).expect("there");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..2],
            [
                r#"{"format_version":3,"pages":[{"engine":"llama-cpp","url":"http://host:8080/metrics"},{"engine":"vllm","url":"http://other/metrics"}],"interval_ns":1000000000}"#,
                r#"{"asked_ns":1000,"answered_ns":1500,"phase":"measure","cause":"interval","skipped":0,"figures":{"running":4.0,"kv_usage":0.25}}"#
            ]
        );
        let expect = ServerReadings {
            watch: watch(),
            readings: vec![reading(1_000), failed, full],
        };
        // Killed in the middle of a line.
        fs::write(&path, format!("{text}{}", &lines[1][..40])).expect("torn");
        let found = read_server_metrics(dir.path()).expect("readable");
        assert_eq!(found, Some(expect));
    }

    /// As the first version wrote it, with a name that nobody knows.
    const VERSION_1: &str = r#"{"format_version":1,"engine":"vllm","url":"http://host/metrics","interval_ns":1000000000}
{"asked_ns":1000,"answered_ns":1500,"phase":"measure","cause":"interval","skipped":0,"figures":{"running":4.0,"drafts":2.0,"other":1.0}}
{"asked_ns":2000,"answered_ns":2500,"phase":"measure","cause":"end","skipped":1,"error":"timed out","figures":{}}
"#;

    #[test]
    fn files_of_version_1() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(SERVER_METRICS_FILE), VERSION_1).expect("written");
        let found = read_server_metrics(dir.path())
            .expect("read")
            .expect("there");
        assert_eq!(found.watch.format_version, 1);
        assert_eq!(found.engine(), Some(ServerEngine::Vllm));
        let [page] = &found.watch.pages[..] else {
            panic!("one page");
        };
        assert_eq!(page.url, "http://host/metrics");
        let [first, last] = &found.readings[..] else {
            panic!("two readings");
        };
        let expect = [(Quantity::Running, 4.0), (Quantity::Drafts, 2.0)];
        assert_eq!(first.figures, ServerFigures::from(expect));
        assert_eq!((first.page, &first.detail), (0, &PageDetail::default()));
        assert_eq!(
            (last.error.as_deref(), last.skipped),
            (Some("timed out"), 1)
        );
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
        fs::write(&path, "{\"format_version\":4}\n").expect("written");
        let error = read_server_metrics(dir.path()).expect_err("newer");
        assert!(error.to_string().contains("format version 4"), "{error}");
    }
}
