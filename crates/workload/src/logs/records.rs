//! Files as records: opened and unpacked one after the other on a thread of its own, cut into lines, or into
//! the objects of a JSON array, and handed over in batches.
//!
//! It does not know what a record says. Invariant: no more than a few batches and one record of
//! [`MAX_RECORD`] are held, whatever the files are; a longer record is passed over and said so.

use super::left_out::Place;
use flate2::bufread::MultiGzDecoder;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Longest record, bytes: a session of agents with thousands of calls has a few megabytes.
pub(super) const MAX_RECORD: usize = 64 << 20;
/// Bytes of a batch, but for its last record.
const BATCH: usize = 1 << 20;
/// Batches that wait to be read.
const WAITING: usize = 4;
/// Bytes read at once.
const BUFFER: usize = 256 << 10;
/// The first bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What divides the records of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Lines,
    /// Objects of one array, or written over several lines each.
    Objects,
}

/// How a record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    Whole,
    /// With the file, without a line break.
    WithFile,
    /// It was too long: no byte of it is here.
    TooLong,
}

/// A record within a batch.
#[derive(Debug, Clone, Copy)]
struct Cut {
    end: usize,
    line: u64,
    how: End,
}

/// Records of one file that stand together.
#[derive(Debug, Default)]
pub(super) struct Batch {
    file: u32,
    bytes: Vec<u8>,
    cuts: Vec<Cut>,
}

/// A record.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'b> {
    pub place: Place,
    pub bytes: &'b [u8],
    pub end: End,
}

impl Batch {
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut start = 0;
        self.cuts.iter().map(move |cut| {
            let bytes = &self.bytes[start..cut.end];
            start = cut.end;
            Record {
                place: Place {
                    file: self.file,
                    line: cut.line,
                },
                bytes,
                end: cut.how,
            }
        })
    }
}

/// What the thread says.
#[derive(Debug)]
pub(super) enum Told {
    /// A file begins.
    Begins,
    Records(Batch),
    /// A file cannot be opened or read on.
    Broken(u32, io::Error),
}

/// Opens a file, unpacked where that is needed.
pub(super) type OpenLog = fn(&Path) -> io::Result<Box<dyn Read + Send>>;

/// Where records come from.
pub(super) enum Source {
    File(PathBuf, OpenLog),
    /// Bytes of a test.
    Input(Box<dyn Read + Send>),
}

/// Reads files on a thread. Dropping the receiver ends it.
pub(super) fn read(sources: Vec<Source>) -> (Receiver<Told>, JoinHandle<()>) {
    let (tell, told) = sync_channel(WAITING);
    let thread = thread::spawn(move || {
        for (file, source) in (0..).zip(sources) {
            // Before it is opened: what cannot be is said of it, not of the file before.
            if tell.send(Told::Begins).is_err() {
                return;
            }
            let opened: io::Result<Box<dyn Read + Send>> = match source {
                Source::File(path, open) => open(&path),
                Source::Input(input) => Ok(input),
            };
            let read = opened.and_then(|opened| {
                let input = BufReader::with_capacity(BUFFER, opened);
                unpacked(input, file, &tell)
            });
            match read {
                Ok(true) => {}
                // Nobody listens any more.
                Ok(false) => return,
                Err(error) => {
                    if tell.send(Told::Broken(file, error)).is_err() {
                        return;
                    }
                }
            }
        }
    });
    (told, thread)
}

fn unpacked(mut input: impl BufRead, file: u32, tell: &SyncSender<Told>) -> io::Result<bool> {
    if input.fill_buf()?.starts_with(&GZIP) {
        let unpacked = BufReader::with_capacity(BUFFER, MultiGzDecoder::new(input));
        return cut(unpacked, file, tell);
    }
    cut(input, file, tell)
}

/// Cuts one file; false where nobody listens.
fn cut(mut input: impl BufRead, file: u32, tell: &SyncSender<Told>) -> io::Result<bool> {
    if input.fill_buf()?.starts_with(MARK) {
        input.consume(MARK.len());
    }
    let mut cutter = Cutter {
        input,
        line: 1,
        batch: Batch {
            file,
            ..Batch::default()
        },
    };
    let shape = cutter.shape()?;
    loop {
        let more = match shape {
            Shape::Lines => cutter.line(),
            Shape::Objects => cutter.object(),
        };
        let full = cutter.batch.bytes.len() >= BATCH || cutter.batch.cuts.len() >= BATCH / 16;
        let ended = !matches!(more, Ok(true));
        if full || ended {
            let next = Batch {
                file,
                ..Batch::default()
            };
            let batch = std::mem::replace(&mut cutter.batch, next);
            if !batch.cuts.is_empty() && tell.send(Told::Records(batch)).is_err() {
                return Ok(false);
            }
        }
        if !more? {
            return Ok(true);
        }
    }
}

struct Cutter<R> {
    input: R,
    /// The line to be read, from 1.
    line: u64,
    batch: Batch,
}

impl<R: BufRead> Cutter<R> {
    /// Objects where the first line opens something that it does not close.
    fn shape(&mut self) -> io::Result<Shape> {
        let head = self.input.fill_buf()?;
        let first = head
            .split(|byte| *byte == b'\n')
            .find(|line| !line.trim_ascii().is_empty());
        let first = first.unwrap_or_default().trim_ascii();
        let within = head.contains(&b'\n');
        Ok(match first {
            [b'[', ..] => Shape::Objects,
            [b'{', .., b'}'] => Shape::Lines,
            [b'{', ..] if within && first.len() < 200 => Shape::Objects,
            _ => Shape::Lines,
        })
    }

    fn push(&mut self, line: u64, how: End) {
        let end = self.batch.bytes.len();
        self.batch.cuts.push(Cut { end, line, how });
    }

    /// Appends the next line, its break left out; false at the end of the file.
    fn line(&mut self) -> io::Result<bool> {
        let start = self.batch.bytes.len();
        let bytes = &mut self.batch.bytes;
        let mut limited = (&mut self.input).take(MAX_RECORD as u64 + 2);
        let read = match limited.read_until(b'\n', bytes) {
            Ok(read) => read,
            Err(error) => {
                // What came before is a line that was cut off.
                if bytes.len() > start {
                    self.push(self.line, End::WithFile);
                }
                return Err(error);
            }
        };
        if read == 0 {
            return Ok(false);
        }
        let line = self.line;
        self.line += 1;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
            self.push(line, End::Whole);
        } else if read > MAX_RECORD {
            bytes.truncate(start);
            self.push(line, End::TooLong);
            // The rest of it is passed without being held.
            self.input.skip_until(b'\n')?;
        } else {
            self.push(line, End::WithFile);
        }
        Ok(true)
    }

    /// Appends the next object, brackets around objects and commas between them passed over.
    fn object(&mut self) -> io::Result<bool> {
        let start = self.batch.bytes.len();
        let mut at = None;
        let (mut depth, mut quoted, mut escaped, mut long) = (0_u32, false, false, false);
        loop {
            let held = self.input.fill_buf()?;
            if held.is_empty() {
                if let Some(line) = at {
                    self.push(line, End::WithFile);
                }
                return Ok(at.is_some());
            }
            let mut used = 0;
            for byte in held {
                used += 1;
                self.line += u64::from(*byte == b'\n');
                let begins = depth == 0 && *byte == b'{';
                if begins {
                    at = Some(self.line);
                }
                if depth == 0 && !begins {
                    continue;
                }
                long |= self.batch.bytes.len() - start >= MAX_RECORD;
                if !long {
                    self.batch.bytes.push(*byte);
                }
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' if quoted => escaped = true,
                    b'"' => quoted = !quoted,
                    b'{' | b'[' if !quoted => depth += 1,
                    b'}' | b']' if !quoted => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            self.input.consume(used);
            if let (Some(line), 0) = (at, depth) {
                if long {
                    self.batch.bytes.truncate(start);
                }
                self.push(line, if long { End::TooLong } else { End::Whole });
                return Ok(true);
            }
        }
    }
}
