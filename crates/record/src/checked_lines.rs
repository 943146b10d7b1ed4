//! A file of JSON objects, one a line, each with a checksum of its own: what is added stays, and a line that was
//! damaged is named while the others are read.
//!
//! Unlike a ledger, whose lines only mean something in their order. Invariants: a line is whole or was never
//! acknowledged; one process writes at a time.

use crate::error::RecordError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// Longest file that is read, bytes: a hundred thousand runs.
const LONGEST: u64 = 1 << 30;

/// A line. The sum is over the bytes of `entry` as they stand.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    crc32: String,
    #[serde(borrow)]
    entry: &'a RawValue,
}

/// A file that is written, by this process alone.
#[derive(Debug)]
pub struct CheckedLines {
    file: File,
    path: PathBuf,
    end: u64,
}

/// What a file says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LinesRead {
    /// The entries, each as JSON with the number of its line.
    pub entries: Vec<(usize, String)>,
    /// Lines that cannot be believed.
    pub damaged: Vec<DamagedLine>,
}

/// A line that cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DamagedLine {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

impl LinesRead {
    fn of(text: &[u8]) -> Self {
        let mut read = Self::default();
        for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            match entry_of(line) {
                Ok(entry) => read.entries.push((at + 1, entry)),
                Err(why) => read.damaged.push(DamagedLine {
                    line: at + 1,
                    why: why.to_owned(),
                }),
            }
        }
        read
    }
}

fn entry_of(line: &[u8]) -> Result<String, &'static str> {
    let line = line.strip_suffix(b"\n").ok_or("it was cut short")?;
    let line: Line<'_> =
        serde_json::from_slice(line).map_err(|_| "it is not a line of this file")?;
    let entry = line.entry.get();
    match sum_of(entry) == line.crc32 {
        true => Ok(entry.to_owned()),
        false => Err("it was changed: its sum is that of another text"),
    }
}

fn sum_of(entry: &str) -> String {
    format!("{:08x}", crc32fast::hash(entry.as_bytes()))
}

impl CheckedLines {
    /// Opens `path` to add to it, and what it says so far; waits while another process adds. What a process left of
    /// a line when it was killed is cut off.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(path: &Path) -> Result<(Self, LinesRead), RecordError> {
        let mut options = OpenOptions::new();
        let options = options.append(true).read(true).create(true);
        let file = options.open(path).map_err(RecordError::io("open", path))?;
        file.lock().map_err(RecordError::io("lock", path))?;
        let text = text_of(&file, path)?;
        let whole = text
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        file.set_len(whole as u64)
            .map_err(RecordError::io("cut", path))?;
        let lines = Self {
            file,
            path: path.to_owned(),
            end: whole as u64,
        };
        Ok((lines, LinesRead::of(&text[..whole])))
    }

    /// What `path` says; absent where there is no such file. Another process may add to it meanwhile.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Option<LinesRead>, RecordError> {
        match File::open(path) {
            Ok(file) => Ok(Some(LinesRead::of(&text_of(&file, path)?))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(RecordError::io("open", path)(error)),
        }
    }

    /// Adds an entry; it is on disk afterwards.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is left then.
    pub fn add(&mut self, entry: &impl Serialize) -> Result<(), RecordError> {
        let line = line_of(entry).map_err(|cause| RecordError::NotJson {
            path: self.path.clone(),
            cause,
        })?;
        let written = self.file.write_all(line.as_bytes());
        if let Err(cause) = written.and_then(|()| self.file.sync_data()) {
            // Half a line would be taken for a damaged one.
            let _ = self.file.set_len(self.end);
            return Err(RecordError::io("write", &self.path)(cause));
        }
        self.end += line.len() as u64;
        Ok(())
    }
}

fn line_of(entry: &impl Serialize) -> serde_json::Result<String> {
    let entry = serde_json::value::to_raw_value(entry)?;
    let line = Line {
        crc32: sum_of(entry.get()),
        entry: &entry,
    };
    Ok(serde_json::to_string(&line)? + "\n")
}

fn text_of(mut file: &File, path: &Path) -> Result<Vec<u8>, RecordError> {
    let length = file.metadata().map_err(RecordError::io("read", path))?;
    if length.len() > LONGEST {
        let cause = std::io::Error::other("it is longer than any such file");
        return Err(RecordError::io("read", path)(cause));
    }
    let mut text = Vec::new();
    file.read_to_end(&mut text)
        .map_err(RecordError::io("read", path))?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::fs;

    fn written(path: &Path) -> String {
        let (mut lines, _) = CheckedLines::open(path).expect("opened");
        for number in 1..=3 {
            lines.add(&json!({ "number": number })).expect("added");
        }
        fs::read_to_string(path).expect("there")
    }

    fn numbers(read: &LinesRead) -> Vec<u64> {
        let number = |(_, entry): &(usize, String)| {
            let entry: Value = serde_json::from_str(entry).expect("JSON");
            entry["number"].as_u64().expect("a number")
        };
        read.entries.iter().map(number).collect()
    }

    #[test]
    fn a_damaged_line_is_named_and_the_others_are_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        let text = written(&path);
        let check = |text: &str, expect: &[u64], damaged: &[usize]| {
            fs::write(&path, text).expect("written");
            let read = CheckedLines::read(&path).expect("read").expect("there");
            assert_eq!(numbers(&read), expect, "{text}");
            let lines: Vec<usize> = read.damaged.iter().map(|d| d.line).collect();
            assert_eq!(lines, damaged, "{text}");
        };
        check(&text, &[1, 2, 3], &[]);
        check(&text.replace("\"number\":2", "\"number\":7"), &[1, 3], &[2]);
        check(&text.replacen('\n', "\nrubbish\n", 1), &[1, 2, 3], &[2]);
        check(&text[..text.len() - 4], &[1, 2], &[3]);
    }

    #[test]
    fn a_line_that_was_cut_short_is_in_nobodys_way() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        let text = written(&path);
        let last = text[..text.len() - 1].rfind('\n').expect("a line") + 1;
        for cut in last..text.len() {
            fs::write(&path, &text[..cut]).expect("written");
            let (mut lines, read) = CheckedLines::open(&path).expect("opened");
            assert_eq!((numbers(&read), read.damaged.len()), (vec![1, 2], 0));
            lines.add(&json!({"number": 9})).expect("added");
            let again = CheckedLines::read(&path).expect("read").expect("there");
            assert_eq!((numbers(&again), again.damaged.len()), (vec![1, 2, 9], 0));
        }
    }

    #[test]
    fn two_that_add_wait_for_each_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        std::thread::scope(|scope| {
            for adder in 0..4 {
                let path = &path;
                scope.spawn(move || {
                    for _ in 0..5 {
                        let (mut lines, _) = CheckedLines::open(path).expect("opened");
                        lines.add(&json!({ "number": adder })).expect("added");
                    }
                });
            }
        });
        let read = CheckedLines::read(&path).expect("read").expect("there");
        assert_eq!((read.entries.len(), read.damaged.len()), (20, 0));
        assert_eq!(
            CheckedLines::read(&dir.path().join("none")).expect("read"),
            None
        );
    }
}
