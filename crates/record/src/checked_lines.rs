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

/// What every line begins with.
const BEGINS: &[u8] = b"{\"crc32\":\"";

/// A file that is written, by this process alone.
#[derive(Debug)]
pub struct CheckedLines {
    file: File,
    path: PathBuf,
    /// Where what stays ends.
    end: u64,
    ending: Ending,
}

/// How a file ends before something is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// With a line, or with nothing.
    Clean,
    /// With a whole line that lacks its line feed: an editor may have taken that.
    Unended,
    /// With what a process left of a line when it was killed.
    Torn,
    /// With something else, and no line is one of such a file.
    Foreign,
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

/// The entry of a line. Whole is what its sum fits, with a line feed or without.
fn entry_of(line: &[u8]) -> Result<String, &'static str> {
    match line.strip_suffix(b"\n") {
        Some(line) => believed(line),
        None => believed(line).map_err(|_| "it was cut short"),
    }
}

fn believed(line: &[u8]) -> Result<String, &'static str> {
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
    /// Opens `path` to add to it, and what it says so far; waits while another process adds. A file that is there
    /// is left as it is until something is added: what a process left of a line when it was killed is cut off then.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(path: &Path) -> Result<(Self, LinesRead), RecordError> {
        let mut options = OpenOptions::new();
        let options = options.append(true).read(true).create(true);
        let file = options.open(path).map_err(RecordError::io("open", path))?;
        file.lock().map_err(RecordError::io("lock", path))?;
        let text = text_of(&file, path)?;
        let (end, ending) = ending_of(&text);
        let lines = Self {
            file,
            path: path.to_owned(),
            end: end as u64,
            ending,
        };
        Ok((lines, LinesRead::of(&text[..end])))
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
    /// When it cannot be written; nothing of it is left then. When the file is none of these, and something would
    /// have to be cut off.
    pub fn add(&mut self, entry: &impl Serialize) -> Result<(), RecordError> {
        let line = line_of(entry).map_err(|cause| RecordError::NotJson {
            path: self.path.clone(),
            cause,
        })?;
        let line = match self.ending {
            Ending::Clean => line,
            Ending::Unended => format!("\n{line}"),
            Ending::Torn => {
                let cut = self.file.set_len(self.end);
                cut.map_err(RecordError::io("cut", &self.path))?;
                line
            }
            Ending::Foreign => {
                let cause = std::io::Error::other(
                    "no line of it was written by infermeter; move it away, or name another folder",
                );
                return Err(RecordError::io("add to", &self.path)(cause));
            }
        };
        let written = self.file.write_all(line.as_bytes());
        if let Err(cause) = written.and_then(|()| self.file.sync_data()) {
            // Half a line would be taken for a damaged one.
            let _ = self.file.set_len(self.end);
            return Err(RecordError::io("write", &self.path)(cause));
        }
        self.end += line.len() as u64;
        self.ending = Ending::Clean;
        Ok(())
    }
}

/// Where what stays of a file ends, and what stands there.
fn ending_of(text: &[u8]) -> (usize, Ending) {
    let whole = text.iter().rposition(|byte| *byte == b'\n');
    let (lines, tail) = text.split_at(whole.map_or(0, |at| at + 1));
    if tail.is_empty() {
        return (text.len(), Ending::Clean);
    }
    if believed(tail).is_ok() {
        return (text.len(), Ending::Unended);
    }
    // The first line of all may have been torn, too.
    let begins = tail.starts_with(BEGINS) || BEGINS.starts_with(tail);
    match begins || !LinesRead::of(lines).entries.is_empty() {
        true => (lines.len(), Ending::Torn),
        false => (lines.len(), Ending::Foreign),
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
        check(&text[..text.len() - 1], &[1, 2, 3], &[]);
    }

    #[test]
    fn a_line_that_was_cut_short_is_in_nobodys_way() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        let text = written(&path);
        let last = text[..text.len() - 1].rfind('\n').expect("a line") + 1;
        for cut in last..text.len() {
            // All but its line feed is a whole line.
            let there: &[u64] = match cut == text.len() - 1 {
                true => &[1, 2, 3],
                false => &[1, 2],
            };
            fs::write(&path, &text[..cut]).expect("written");
            let (mut lines, read) = CheckedLines::open(&path).expect("opened");
            assert_eq!((numbers(&read), read.damaged.len()), (there.to_vec(), 0));
            let untouched = fs::read_to_string(&path).expect("there");
            assert_eq!(untouched, text[..cut], "nothing was added");
            lines.add(&json!({"number": 9})).expect("added");
            lines.add(&json!({"number": 10})).expect("added");
            let again = CheckedLines::read(&path).expect("read").expect("there");
            let expect = [there, &[9, 10]].concat();
            assert_eq!((numbers(&again), again.damaged.len()), (expect, 0));
        }
    }

    #[test]
    fn nothing_is_cut_off_a_file_of_something_else() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lines");
        let text = written(&path);
        let check = |text: &str, is_taken: bool| {
            fs::write(&path, text).expect("written");
            let (mut lines, _) = CheckedLines::open(&path).expect("opened");
            let added = lines.add(&json!({"number": 9}));
            assert_eq!(added.is_ok(), is_taken, "{text}: {added:?}");
            if !is_taken {
                assert_eq!(fs::read_to_string(&path).expect("there"), text);
            }
        };
        check("notes of somebody", false);
        check("notes\nof somebody", false);
        check("{\"a\": 1}", false);
        check(&text[..12], true);
        check(&format!("{text}notes"), true);
        check("", true);
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
