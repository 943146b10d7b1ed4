//! What lies beside the rows of several records: answers in id order, spans one after the other, and files that one of
//! them has.
//!
//! Judges nothing. Invariant: a file of the result is whole whenever it is there.

use crate::atomic::AtomicFile;
use crate::error::RecordError;
use crate::responses::RESPONSES_FILE;
use crate::spans::{SPANS_FILE, SpansWriter, read_spans};
use infermeter_core::request::RequestId;
use infermeter_core::spans::{SpanTally, SpansHeader};
use serde::Deserialize;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Read at once, bytes.
const BUFFER: usize = 64 << 10;

/// Merges the answers' texts of these directories into that of `out`, in place of the one there, in id order; false where
/// none has any. A line is taken as it stands.
///
/// # Errors
/// When a file cannot be read or written, and for a line that is no answer.
pub fn merge_responses(directories: &[&Path], out: &Path) -> Result<bool, RecordError> {
    let mut answers = Vec::new();
    for directory in directories {
        answers.extend(Answers::open(directory.join(RESPONSES_FILE))?);
    }
    if answers.is_empty() {
        take_away(out, RESPONSES_FILE)?;
        return Ok(false);
    }
    let mut file = AtomicFile::create(out, RESPONSES_FILE)?;
    let path = file.target().to_owned();
    loop {
        let waiting = answers.iter_mut().filter(|answers| answers.next.is_some());
        // Of those with one id, those of the first directory.
        let Some(lowest) = waiting.min_by_key(|answers| answers.next) else {
            break;
        };
        file.write_all(&lowest.line)
            .map_err(RecordError::io("write", &path))?;
        lowest.advance()?;
    }
    file.commit()?;
    Ok(true)
}

/// The answers of one directory, line by line.
struct Answers {
    path: PathBuf,
    file: BufReader<File>,
    /// The line at hand, and whose answer it is; `None` at the end.
    line: Vec<u8>,
    next: Option<RequestId>,
    number: u64,
}

#[derive(Deserialize)]
struct Identified {
    id: RequestId,
}

impl Answers {
    fn open(path: PathBuf) -> Result<Option<Self>, RecordError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(RecordError::io("open", &path)(error)),
        };
        let mut answers = Self {
            file: BufReader::with_capacity(BUFFER, file),
            path,
            line: Vec::new(),
            next: None,
            number: 0,
        };
        answers.advance()?;
        Ok(Some(answers))
    }

    fn advance(&mut self) -> Result<(), RecordError> {
        self.line.clear();
        self.number += 1;
        let read = self.file.read_until(b'\n', &mut self.line);
        let bytes = read.map_err(RecordError::io("read", &self.path))?;
        if bytes == 0 {
            self.next = None;
            return Ok(());
        }
        if !self.line.ends_with(b"\n") {
            self.line.push(b'\n');
        }
        let identified: Identified =
            serde_json::from_slice(&self.line).map_err(|_| RecordError::NotARecord {
                path: self.path.clone(),
                problem: format!("line {} is not the answer to a request", self.number),
            })?;
        self.next = Some(identified.id);
        Ok(())
    }
}

/// Puts the spans of these directories one behind the other into that of `out`, in place of the one there; false where none
/// has any.
///
/// # Errors
/// When a file cannot be read or written.
pub fn merge_spans(directories: &[&Path], out: &Path) -> Result<bool, RecordError> {
    let mut received = Vec::new();
    for directory in directories {
        received.extend(read_spans(directory)?.map(|spans| (*directory, spans)));
    }
    take_away(out, SPANS_FILE)?;
    let Some((first, _)) = received.first() else {
        return Ok(false);
    };
    let mut writer = SpansWriter::create(out, &address_of(first)?)?;
    // Where one was killed, nobody knows what came altogether.
    let mut tally = Some(SpanTally::default());
    for (_, spans) in received {
        tally = tally
            .zip(spans.tally)
            .map(|(all, own)| together(&all, &own));
        writer.append(spans.spans)?;
    }
    match tally {
        Some(tally) => writer.finish(tally)?,
        None => drop(writer),
    }
    Ok(true)
}

/// Where spans were received, as the first line says.
fn address_of(directory: &Path) -> Result<String, RecordError> {
    let path = directory.join(SPANS_FILE);
    let file = File::open(&path).map_err(RecordError::io("open", &path))?;
    let mut line = Vec::new();
    BufReader::new(file)
        .read_until(b'\n', &mut line)
        .map_err(RecordError::io("read", &path))?;
    let header = serde_json::from_slice::<SpansHeader>(&line);
    Ok(header.map_or_else(|_| String::new(), |header| header.address))
}

fn together(all: &SpanTally, own: &SpanTally) -> SpanTally {
    SpanTally {
        messages: all.messages + own.messages,
        refused: all.refused + own.refused,
        spans: all.spans + own.spans,
        kept: all.kept + own.kept,
        foreign: all.foreign + own.foreign,
        silent: all.silent + own.silent,
        repeated: all.repeated + own.repeated,
        malformed: all.malformed + own.malformed,
        over_limit: all.over_limit + own.over_limit,
        bad_times: all.bad_times + own.bad_times,
    }
}

/// Copies the file `name` of the first of these directories that has it into `out`, in place of the one there; says which
/// has it. Where none has, `out` has none afterwards.
///
/// # Errors
/// When it cannot be read or written.
pub fn take_over(
    directories: &[&Path],
    out: &Path,
    name: &str,
) -> Result<Option<usize>, RecordError> {
    for (number, directory) in directories.iter().enumerate() {
        let path = directory.join(name);
        let mut from = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(RecordError::io("open", &path)(error)),
        };
        let mut to = AtomicFile::create(out, name)?;
        io::copy(&mut from, &mut to).map_err(RecordError::io("copy", &path))?;
        to.commit()?;
        return Ok(Some(number));
    }
    take_away(out, name)?;
    Ok(None)
}

/// Removes the file `name` of `out`, where it is there.
///
/// # Errors
/// When it cannot be removed.
pub fn take_away(out: &Path, name: &str) -> Result<(), RecordError> {
    let path = out.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(RecordError::io("remove", &path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server_metrics::SERVER_METRICS_FILE;
    use infermeter_core::spans::{RequestSpan, SpanId, SpanTimes};

    fn directories() -> (tempfile::TempDir, [PathBuf; 3]) {
        let scratch = tempfile::tempdir().expect("a directory");
        let directories = ["a", "b", "out"].map(|name| scratch.path().join(name));
        for directory in &directories {
            fs::create_dir(directory).expect("made");
        }
        (scratch, directories)
    }

    #[test]
    fn answers_come_in_id_order_as_they_stand() {
        let (_scratch, [a, b, out]) = directories();
        let parts = [a.as_path(), b.as_path()];
        assert!(!merge_responses(&parts, &out).expect("none"));
        fs::write(a.join(RESPONSES_FILE), "{\"id\":0, \"x\":1}\n{\"id\":5}\n").expect("written");
        fs::write(b.join(RESPONSES_FILE), "{\"id\":2}\n{\"id\":5,\"b\":0}").expect("written");
        assert!(merge_responses(&parts, &out).expect("merged"));
        let merged = fs::read_to_string(out.join(RESPONSES_FILE)).expect("there");
        let expect = "{\"id\":0, \"x\":1}\n{\"id\":2}\n{\"id\":5}\n{\"id\":5,\"b\":0}\n";
        assert_eq!(merged, expect);
        fs::write(b.join(RESPONSES_FILE), "{\"id\":2}\nno answer\n").expect("written");
        let error = merge_responses(&parts, &out).expect_err("a line is none");
        assert!(error.to_string().contains("line 2"), "{error}");
    }

    #[test]
    fn spans_of_all_are_counted_together() {
        let (_scratch, [a, b, out]) = directories();
        let parts = [a.as_path(), b.as_path()];
        assert!(!merge_spans(&parts, &out).expect("none"));
        let span = |request| RequestSpan {
            request,
            span: SpanId([1; 8]),
            name: "llm_request".to_owned(),
            lasted_ns: None,
            times: SpanTimes::default(),
        };
        for (directory, request) in [(&a, 4), (&b, 1)] {
            let mut writer = SpansWriter::create(directory, "127.0.0.1:4318").expect("created");
            writer.append(vec![span(request)]).expect("written");
            let tally = SpanTally {
                kept: 1,
                ..SpanTally::default()
            };
            writer.finish(tally).expect("written");
        }
        // Whatever was merged before goes.
        for _ in 0..2 {
            assert!(merge_spans(&parts, &out).expect("merged"));
        }
        let found = read_spans(&out).expect("read").expect("there");
        assert_eq!(found.spans, [span(4), span(1)]);
        assert_eq!(found.tally.expect("both ended").kept, 2);
        assert_eq!(address_of(&out).expect("read"), "127.0.0.1:4318");
    }

    #[test]
    fn a_file_is_that_of_the_first_that_has_it() {
        let (_scratch, [a, b, out]) = directories();
        let parts = [a.as_path(), b.as_path()];
        let take = || take_over(&parts, &out, SERVER_METRICS_FILE).expect("readable");
        assert_eq!(take(), None);
        fs::write(b.join(SERVER_METRICS_FILE), "b").expect("written");
        assert_eq!(take(), Some(1));
        fs::write(a.join(SERVER_METRICS_FILE), "a").expect("written");
        assert_eq!(take(), Some(0));
        let taken = fs::read_to_string(out.join(SERVER_METRICS_FILE));
        assert_eq!(taken.expect("there"), "a");
    }

    #[test]
    fn what_none_has_any_more_is_taken_away() {
        let (_scratch, [a, b, out]) = directories();
        let parts = [a.as_path(), b.as_path()];
        for name in [RESPONSES_FILE, SPANS_FILE, SERVER_METRICS_FILE] {
            fs::write(out.join(name), "of an earlier merge").expect("written");
        }
        assert!(!merge_responses(&parts, &out).expect("none"));
        assert!(!merge_spans(&parts, &out).expect("none"));
        assert_eq!(
            take_over(&parts, &out, SERVER_METRICS_FILE).expect("none"),
            None
        );
        assert_eq!(fs::read_dir(&out).expect("there").count(), 0);
    }
}
