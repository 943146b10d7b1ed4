//! A file as records: lines, or the elements of one JSON array, each with its line and its place.
//!
//! It does not know what a record holds. Invariant: no record longer than [`MAX_RECORD`] is ever
//! held, whatever the file is, and line numbers count every line break passed.

use super::error::TraceError;
use std::io::{BufRead, Read};

/// Longest line, and longest element of an array, bytes.
pub(crate) const MAX_RECORD: usize = 16 << 20;

/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What divides the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Line breaks.
    Lines,
    /// Commas of one JSON array around all of them.
    Array,
}

/// One record as it stands in the file.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// Line that it begins in, from 1.
    pub line: u64,
    /// Bytes before it.
    pub offset: u64,
    /// Bytes that it takes in the file, its line break included.
    pub span: u64,
    /// The record, without its line break.
    pub bytes: Vec<u8>,
}

/// The records of a file, one after the other.
#[derive(Debug)]
pub(super) struct Records<R> {
    input: R,
    /// The line being read, from 1.
    line: u64,
    offset: u64,
    shape: Shape,
    /// The first byte that is no space, if there is one.
    first: Option<u8>,
    closed: bool,
}

impl<R: BufRead> Records<R> {
    /// Passes a byte order mark and blank lines, and looks at the first byte after them: it tells an
    /// array from lines.
    pub fn new(input: R) -> Result<Self, TraceError> {
        Self::shaped(input, Shape::Array)
    }

    /// The same of a file of lines, whatever it begins with.
    pub fn lines(input: R) -> Result<Self, TraceError> {
        Self::shaped(input, Shape::Lines)
    }

    /// An array only where `shape` allows it.
    fn shaped(input: R, shape: Shape) -> Result<Self, TraceError> {
        let mut records = Self {
            input,
            line: 1,
            offset: 0,
            shape: Shape::Lines,
            first: None,
            closed: false,
        };
        if records.peek()? == Some(MARK[0]) && records.buffered().starts_with(MARK) {
            MARK.iter().for_each(|byte| records.advance(*byte));
        }
        records.first = records.skip_space()?;
        if shape == Shape::Array && records.first == Some(b'[') {
            records.shape = Shape::Array;
            records.advance(b'[');
        }
        Ok(records)
    }

    /// What divides the records.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The first byte of the first record.
    pub fn first(&self) -> Option<u8> {
        self.first
    }

    /// Reads the next record into `raw`; false at the end.
    pub fn next_into(&mut self, raw: &mut Raw) -> Result<bool, TraceError> {
        let more = match self.shape {
            Shape::Lines => self.next_line(raw)?,
            Shape::Array => self.next_element(raw)?,
        };
        raw.span = self.offset - raw.offset;
        Ok(more)
    }

    /// Appends the line after a record that goes on there: a quoted field with a line break.
    pub(crate) fn append_line(&mut self, raw: &mut Raw) -> Result<bool, TraceError> {
        let start = raw.bytes.len();
        raw.bytes.push(b'\n');
        if self.read_line(&mut raw.bytes)? {
            raw.span = self.offset - raw.offset;
            return Ok(true);
        }
        raw.bytes.truncate(start);
        Ok(false)
    }

    fn next_line(&mut self, raw: &mut Raw) -> Result<bool, TraceError> {
        loop {
            raw.bytes.clear();
            (raw.line, raw.offset) = (self.line, self.offset);
            if !self.read_line(&mut raw.bytes)? {
                return Ok(false);
            }
            if !raw.bytes.trim_ascii().is_empty() {
                return Ok(true);
            }
        }
    }

    /// Appends one line without its break; false at the end of the file.
    fn read_line(&mut self, bytes: &mut Vec<u8>) -> Result<bool, TraceError> {
        let line = self.line;
        let room = (MAX_RECORD + 2).saturating_sub(bytes.len()) as u64;
        let read = (&mut self.input)
            .take(room)
            .read_until(b'\n', bytes)
            .map_err(|source| TraceError::Read { line, source })?;
        if read == 0 {
            return if room == 0 {
                Err(TraceError::LongRecord { line })
            } else {
                Ok(false)
            };
        }
        self.offset += read as u64;
        if bytes.last() == Some(&b'\n') {
            self.line += 1;
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        if bytes.len() > MAX_RECORD {
            return Err(TraceError::LongRecord { line });
        }
        Ok(true)
    }

    /// The next object of the array; false after its closing bracket.
    fn next_element(&mut self, raw: &mut Raw) -> Result<bool, TraceError> {
        raw.bytes.clear();
        if self.closed {
            return match self.skip_space()? {
                None => Ok(false),
                Some(_) => Err(self.broken("something follows the closing bracket of the array")),
            };
        }
        loop {
            match self.skip_space()? {
                Some(b',') => self.advance(b','),
                Some(b']') => {
                    self.advance(b']');
                    self.closed = true;
                    return self.next_element(raw);
                }
                Some(b'{') => break,
                Some(_) => {
                    return Err(self.broken(
                        "the file begins as a JSON array, but an element is not an object",
                    ));
                }
                None => return Err(self.cut_short()),
            }
        }
        (raw.line, raw.offset) = (self.line, self.offset);
        self.object(raw)?;
        Ok(true)
    }

    /// Copies one object, brackets and strings minded, up to its closing brace.
    fn object(&mut self, raw: &mut Raw) -> Result<(), TraceError> {
        let mut depth = 0_u32;
        let (mut quoted, mut escaped) = (false, false);
        loop {
            let Some(byte) = self.peek()? else {
                return Err(self.cut_short());
            };
            self.advance(byte);
            raw.bytes.push(byte);
            if raw.bytes.len() > MAX_RECORD {
                return Err(TraceError::LongRecord { line: raw.line });
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => depth += 1,
                b'}' | b']' if !quoted => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    fn broken(&self, message: &str) -> TraceError {
        TraceError::Json {
            line: self.line,
            message: message.to_owned(),
        }
    }

    fn cut_short(&self) -> TraceError {
        self.broken("the array is not closed: the file seems to be cut short")
    }

    fn skip_space(&mut self) -> Result<Option<u8>, TraceError> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.advance(byte);
        }
        Ok(None)
    }

    fn peek(&mut self) -> Result<Option<u8>, TraceError> {
        let line = self.line;
        match self.input.fill_buf() {
            Ok(bytes) => Ok(bytes.first().copied()),
            Err(source) => Err(TraceError::Read { line, source }),
        }
    }

    /// What the input holds ready.
    fn buffered(&mut self) -> &[u8] {
        self.input.fill_buf().unwrap_or_default()
    }

    /// Passes the byte that was looked at.
    fn advance(&mut self, byte: u8) {
        self.input.consume(1);
        self.offset += 1;
        if byte == b'\n' {
            self.line += 1;
        }
    }
}
