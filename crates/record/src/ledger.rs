//! The ledger of an experiment: what it is, then one line for each thing that has ended.
//!
//! A line is a CRC-32 in eight hexadecimal digits, a blank, a JSON value and a line feed. The sum covers the
//! sum of the line before and the value, so that a line that was changed, lost or moved ends what is
//! believed. Lines are appended with one write each and synced before the next thing begins; the first one
//! says what the experiment is.
//!
//! Does not know what the values mean. Invariant: a reader gives whole lines in the order in which they were
//! written and never fails on what follows them; whatever a kill leaves behind the last of them is cut off
//! before the next is written.

use crate::atomic::sync_directory;
use crate::error::RecordError;
use crate::journal::Tail;
use serde::Serialize;
use serde_json::Value;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The ledger's name in the directory of an experiment.
pub const LEDGER_FILE: &str = "experiment.ledger";

/// Longest ledger that is read, bytes: a hundred thousand runs.
const LONGEST: u64 = 256 << 20;

/// Digits of a line's sum, and the blank behind them.
const SUM: usize = 9;

/// A ledger that is written. While it lives no other process can write it.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    path: PathBuf,
    /// The sum of the last line.
    last: u32,
    /// Where it ends.
    end: u64,
}

/// What a ledger says.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerContents {
    /// What the experiment is.
    pub header: Value,
    /// What has ended, in order.
    pub entries: Vec<Value>,
    /// How the file ends.
    pub tail: Tail,
}

impl Ledger {
    /// Begins one in `dir`.
    ///
    /// # Errors
    /// Where there is one already, and where it cannot be written.
    pub fn create(dir: &Path, header: &impl Serialize) -> Result<Self, RecordError> {
        let path = dir.join(LEDGER_FILE);
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(RecordError::io("create", &path))?;
        let mut ledger = Self {
            file,
            path,
            last: 0,
            end: 0,
        };
        ledger.lock()?;
        ledger.append(header)?;
        sync_directory(dir)?;
        Ok(ledger)
    }

    /// Goes on with the one in `dir`; what is no whole line at its end is cut off.
    ///
    /// # Errors
    /// Where there is none, where another process writes it, and where it does not say what it is.
    pub fn reopen(dir: &Path) -> Result<(Self, LedgerContents), RecordError> {
        let path = dir.join(LEDGER_FILE);
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(|cause| missing(dir, &path, cause))?;
        let mut ledger = Self {
            file,
            path,
            last: 0,
            end: 0,
        };
        ledger.lock()?;
        let (contents, whole) = read(dir)?;
        (ledger.last, ledger.end) = (whole.sum, whole.end as u64);
        ledger
            .file
            .set_len(ledger.end)
            .map_err(RecordError::io("cut", &ledger.path))?;
        Ok((ledger, contents))
    }

    /// What the one in `dir` says.
    ///
    /// # Errors
    /// As [`Self::reopen`], but that another process may write it.
    pub fn read(dir: &Path) -> Result<LedgerContents, RecordError> {
        Ok(read(dir)?.0)
    }

    /// A process writes the one in `dir` at this moment.
    pub fn is_written(dir: &Path) -> bool {
        let file = File::open(dir.join(LEDGER_FILE));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Enters a line; it is on disk afterwards.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn append(&mut self, entry: &impl Serialize) -> Result<(), RecordError> {
        let json = serde_json::to_string(entry).map_err(|cause| RecordError::NotJson {
            path: self.path.clone(),
            cause,
        })?;
        let sum = sum_of(self.last, json.as_bytes());
        let line = format!("{sum:08x} {json}\n");
        let written = self.file.write_all(line.as_bytes());
        if let Err(cause) = written.and_then(|()| self.file.sync_data()) {
            // Half a line would hide whatever is entered behind it; the disk may have room for that.
            let _ = self.file.set_len(self.end);
            return Err(RecordError::io("write", &self.path)(cause));
        }
        self.last = sum;
        self.end += line.len() as u64;
        Ok(())
    }

    fn lock(&self) -> Result<(), RecordError> {
        match self.file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => Err(RecordError::LedgerInUse(self.path.clone())),
            Err(TryLockError::Error(cause)) => Err(RecordError::io("lock", &self.path)(cause)),
        }
    }
}

fn missing(dir: &Path, path: &Path, cause: std::io::Error) -> RecordError {
    match cause.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => RecordError::NoLedger(dir.to_owned()),
        _ => RecordError::io("read", path)(cause),
    }
}

fn sum_of(before: u32, json: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&before.to_le_bytes());
    hasher.update(json);
    hasher.finalize()
}

/// The whole lines at the beginning of a ledger.
#[derive(Debug, Default)]
struct Whole {
    values: Vec<Value>,
    /// Where they end.
    end: usize,
    /// The sum of the last.
    sum: u32,
}

/// The contents, and the lines that they are from.
fn read(dir: &Path) -> Result<(LedgerContents, Whole), RecordError> {
    let path = dir.join(LEDGER_FILE);
    let length = fs::metadata(&path).map_err(|cause| missing(dir, &path, cause))?;
    if length.len() > LONGEST {
        let cause = std::io::Error::other("it is longer than any experiment's");
        return Err(RecordError::io("read", &path)(cause));
    }
    let bytes = fs::read(&path).map_err(|cause| missing(dir, &path, cause))?;
    let mut whole = whole_lines(&bytes);
    if whole.values.is_empty() {
        return Err(RecordError::NoLedger(dir.to_owned()));
    }
    let mut values = std::mem::take(&mut whole.values);
    let contents = LedgerContents {
        header: values.remove(0),
        entries: values,
        tail: match bytes.len() - whole.end {
            0 => Tail::Clean,
            lost => Tail::Torn {
                at_byte: whole.end as u64,
                lost_bytes: lost as u64,
            },
        },
    };
    Ok((contents, whole))
}

fn whole_lines(bytes: &[u8]) -> Whole {
    let mut whole = Whole::default();
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some((value, sum)) = whole_line(line, whole.sum) else {
            break;
        };
        whole.values.push(value);
        whole.end += line.len();
        whole.sum = sum;
    }
    whole
}

fn whole_line(line: &[u8], before: u32) -> Option<(Value, u32)> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, json) = line.split_at_checked(SUM)?;
    let digits = std::str::from_utf8(sum.strip_suffix(b" ")?).ok()?;
    let sum = u32::from_str_radix(digits, 16).ok()?;
    if sum != sum_of(before, json) {
        return None;
    }
    Some((serde_json::from_slice(json).ok()?, sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(dir: &Path) -> Vec<u8> {
        let mut ledger = Ledger::create(dir, &json!({"what": "runs"})).expect("created");
        for number in 1..=3 {
            ledger
                .append(&json!({ "number": number }))
                .expect("written");
        }
        fs::read(dir.join(LEDGER_FILE)).expect("there")
    }

    fn numbers(contents: &LedgerContents) -> Vec<u64> {
        let entries = contents.entries.iter();
        entries
            .filter_map(|entry| entry["number"].as_u64())
            .collect()
    }

    #[test]
    fn a_ledger_cut_at_any_byte_has_its_whole_lines_and_goes_on() {
        let dir = tempfile::tempdir().expect("a directory");
        let bytes = written(dir.path());
        let path = dir.path().join(LEDGER_FILE);
        for cut in 0..=bytes.len() {
            fs::write(&path, &bytes[..cut]).expect("written");
            let lines = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            let Some(whole) = lines.checked_sub(1) else {
                assert!(Ledger::read(dir.path()).is_err(), "cut at {cut}");
                continue;
            };
            let (mut ledger, contents) = Ledger::reopen(dir.path()).expect("a ledger");
            assert_eq!(numbers(&contents), [1, 2, 3][..whole], "cut at {cut}");
            ledger.append(&json!({"number": 9})).expect("written");
            let again = Ledger::read(dir.path()).expect("a ledger");
            assert_eq!(numbers(&again), [&[1, 2, 3][..whole], &[9]].concat());
            assert_eq!(again.tail, Tail::Clean);
        }
    }

    #[test]
    fn what_was_changed_or_lost_ends_what_is_believed() {
        let dir = tempfile::tempdir().expect("a directory");
        let text = String::from_utf8(written(dir.path())).expect("UTF-8");
        let path = dir.path().join(LEDGER_FILE);
        let check = |text: &str, expect: &[u64]| {
            fs::write(&path, text).expect("written");
            let contents = Ledger::read(dir.path()).expect("a ledger");
            assert_eq!(numbers(&contents), expect, "{text}");
        };
        check(&text.replace("\"number\":2", "\"number\":7"), &[1]);
        let lines: Vec<&str> = text.split_inclusive('\n').collect();
        check(&[lines[0], lines[1], lines[3]].concat(), &[1]);
        check(&[lines[0], lines[2], lines[1], lines[3]].concat(), &[]);
        check(&format!("{text}\0\0\0\0"), &[1, 2, 3]);
    }

    #[test]
    fn one_process_writes_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let ledger = Ledger::create(dir.path(), &json!({})).expect("created");
        let error = Ledger::reopen(dir.path()).expect_err("it is written");
        assert!(error.to_string().contains("another infermeter"), "{error}");
        assert!(Ledger::is_written(dir.path()));
        drop(ledger);
        assert!(!Ledger::is_written(dir.path()));
        Ledger::reopen(dir.path()).expect("nobody writes it now");
        let other = tempfile::tempdir().expect("a directory");
        let error = Ledger::read(other.path()).expect_err("none there");
        assert!(error.to_string().contains(LEDGER_FILE), "{error}");
    }
}
