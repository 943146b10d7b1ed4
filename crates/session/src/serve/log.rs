//! What a served process writes: streamed to a file as it came, and kept as lines with the instant of each.
//!
//! A thread of its own reads, so that a server never waits for us. It understands nothing. Invariants: the file holds
//! what was written, byte for byte, up to its limit; everything that is not kept is counted; a log without a line feed
//! takes no more memory than one line.

use infermeter_core::clock::monotonic_ns;
use infermeter_core::text::inert_bytes;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, PipeReader, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Lines kept from the beginning: an engine's start takes hundreds, a chatty one thousands.
const FIRST_LINES: usize = 20_000;
/// Lines kept from the end: what a server says before it dies.
const LAST_LINES: usize = 12;
/// Bytes kept of a line.
const LINE_BYTES: usize = 2_000;
/// Bytes of the file.
const FILE_BYTES: u64 = 256 << 20;
/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;

/// A line of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogLine {
    /// When its end came, monotonic nanoseconds.
    pub at_ns: i64,
    /// What it says, inert; its beginning, where it is long.
    pub text: String,
}

/// A log that is being written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Kept>>);

/// What is kept of it.
#[derive(Debug, Default)]
struct Kept {
    first: Vec<LogLine>,
    last: VecDeque<LogLine>,
    lines: u64,
    splitter: Splitter,
    written: u64,
    lost: u64,
    problem: Option<String>,
}

/// How much of a log there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSize {
    /// Lines that have ended.
    pub lines: u64,
    /// Those that are not looked at for phases.
    pub lines_beyond: u64,
    /// Bytes that are not in the file.
    pub bytes_lost: u64,
    /// Why the file could not be written.
    pub problem: Option<String>,
}

impl Log {
    /// Reads `from` to its end, into a new file, on a thread of its own.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn follow(mut from: PipeReader, path: &Path) -> std::io::Result<Self> {
        let mut file = File::create(path)?;
        let log = Self::default();
        let kept = log.clone();
        // Nobody waits for it: a grandchild that left the group may hold the pipe open for ever.
        std::thread::Builder::new()
            .name("server-log".to_owned())
            .spawn(move || {
                let mut buffer = vec![0; READ_BYTES];
                loop {
                    match from.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(n) => kept.take(monotonic_ns(), &buffer[..n], &mut file),
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(_) => break,
                    }
                }
                kept.kept().end(monotonic_ns());
            })?;
        Ok(log)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, at_ns: i64, bytes: &[u8], file: &mut impl Write) {
        let mut kept = self.kept();
        let room = FILE_BYTES.saturating_sub(kept.written);
        let fits = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        match file.write_all(&bytes[..fits]) {
            Ok(()) => {
                kept.written += fits as u64;
                kept.lost += (bytes.len() - fits) as u64;
            }
            Err(error) => {
                kept.lost += bytes.len() as u64;
                kept.problem.get_or_insert_with(|| error.to_string());
            }
        }
        kept.split(at_ns, bytes);
    }

    /// The lines from the beginning.
    pub fn lines(&self) -> Vec<LogLine> {
        self.kept().first.clone()
    }

    /// The last lines, and what has come of the next one.
    pub fn tail(&self) -> Vec<String> {
        let kept = self.kept();
        let open = Some(kept.splitter.shown()).filter(|text| !text.is_empty());
        let ended = kept.last.iter().map(|line| line.text.clone());
        ended.chain(open).collect()
    }

    /// How much there is.
    pub fn size(&self) -> LogSize {
        let kept = self.kept();
        LogSize {
            lines: kept.lines,
            lines_beyond: kept.lines - kept.first.len() as u64,
            bytes_lost: kept.lost,
            problem: kept.problem.clone(),
        }
    }
}

impl Kept {
    fn split(&mut self, at_ns: i64, bytes: &[u8]) {
        for byte in bytes {
            if let Some(text) = self.splitter.push(*byte) {
                self.add(LogLine { at_ns, text });
            }
        }
    }

    fn add(&mut self, line: LogLine) {
        self.lines += 1;
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.clone());
        if self.first.len() < FIRST_LINES {
            self.first.push(line);
        }
    }

    /// What was written without a line feed is a line, too.
    fn end(&mut self, at_ns: i64) {
        if let Some(text) = self.splitter.push(b'\n') {
            self.add(LogLine { at_ns, text });
        }
    }
}

/// Bytes into lines, without terminal controls. A carriage return ends a line as well: progress bars write no other.
#[derive(Debug, Default)]
struct Splitter {
    line: Vec<u8>,
    escape: Escape,
}

/// Where a terminal's control sequence stands (ECMA-48).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Escape {
    #[default]
    None,
    /// The escape came.
    Begun,
    /// A sequence with parameters goes on.
    Parameters,
}

impl Splitter {
    /// The line that this byte ends; empty lines are none.
    fn push(&mut self, byte: u8) -> Option<String> {
        match (self.escape, byte) {
            (_, b'\n' | b'\r') => {
                self.escape = Escape::None;
                let text = self.shown();
                self.line.clear();
                return Some(text).filter(|text| !text.is_empty());
            }
            (Escape::None, 0x1b) => self.escape = Escape::Begun,
            (Escape::Begun, b'[') => self.escape = Escape::Parameters,
            (Escape::Begun, _) => self.escape = Escape::None,
            (Escape::Parameters, 0x40..=0x7e) => self.escape = Escape::None,
            (Escape::Parameters, _) => {}
            (Escape::None, byte) => {
                if self.line.len() < LINE_BYTES {
                    self.line.push(byte);
                }
            }
        }
        None
    }

    fn shown(&self) -> String {
        inert_bytes(&self.line, LINE_BYTES).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logged(parts: &[&[u8]]) -> (Log, Vec<u8>) {
        let (log, mut file) = (Log::default(), Vec::new());
        for (at, part) in (1..).zip(parts) {
            log.take(at, part, &mut file);
        }
        (log, file)
    }

    fn texts(log: &Log) -> Vec<String> {
        log.lines().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_have_the_instant_of_their_end() {
        let (log, file) = logged(&[b"one\ntw", b"o\nthree"]);
        let at: Vec<(i64, String)> = log.lines().into_iter().map(|l| (l.at_ns, l.text)).collect();
        assert_eq!(at, [(1, "one".to_owned()), (2, "two".to_owned())]);
        assert_eq!(log.tail(), ["one", "two", "three"]);
        assert_eq!(file, b"one\ntwo\nthree");
        log.kept().end(9);
        assert_eq!(texts(&log), ["one", "two", "three"]);
    }

    #[test]
    fn colours_and_progress_bars_become_plain_lines() {
        let (log, _) = logged(&[b"\x1b[32mINFO\x1b[0m ready\r\n 10%\r 20%\r\n\n\x07bell\n"]);
        assert_eq!(texts(&log), ["INFO ready", " 10%", " 20%", "\u{fffd}bell"]);
    }

    #[test]
    fn a_line_of_gigabytes_takes_no_more_than_a_line() {
        let log = Log::default();
        let part = vec![b'x'; 1 << 20];
        // As if all but ten bytes of the file were full.
        log.kept().written = FILE_BYTES - 10;
        for _ in 0..2 {
            log.take(1, &part, &mut std::io::sink());
        }
        assert_eq!(log.kept().splitter.line.len(), LINE_BYTES);
        assert_eq!(log.tail()[0].len(), LINE_BYTES);
        assert_eq!(log.size().bytes_lost, (2 << 20) - 10);
        assert_eq!(log.size().lines, 0);
    }

    #[test]
    fn a_full_disk_is_told_and_the_lines_stay() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::Error::from(ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let log = Log::default();
        log.take(1, b"one\n", &mut Full);
        assert_eq!((texts(&log).len(), log.size().bytes_lost), (1, 4));
        assert!(log.size().problem.is_some());
        let (log, _) = logged(&[&b"line\n".repeat(FIRST_LINES + 5)]);
        assert_eq!(log.size().lines_beyond, 5);
    }
}
