//! Traces of production load: rows of (instant, prompt tokens, answer tokens) from a CSV file with
//! the columns of the Azure LLM inference traces of 2023 and 2024, found by name.
//!
//! It does not scale time, skip or repair rows: a row that cannot be replayed as it stands is an
//! error that names its line. Quoted fields are understood, line breaks inside them are not.
//!
//! Invariant: offsets are exact integer nanoseconds from the first row and never decrease.

use crate::timestamp;
use crate::trace_error::TraceError;
use infermeter_core::text::{inert, inert_bytes};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Most rows of a trace (16 bytes each); use a limit to replay a part.
pub const MAX_TRACE_ROWS: usize = 50_000_000;

/// Most tokens that a row may ask for, as for fixed lengths in a plan.
pub const MAX_TOKENS: u32 = 4_000_000;

/// Longest line, bytes.
const MAX_LINE: u64 = 64 * 1024;

const COLUMNS: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

/// One request of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceRow {
    /// Nanoseconds after the first row.
    pub offset_ns: i64,
    /// Tokens of the prompt, at least 1.
    pub input_tokens: u32,
    /// Tokens of the answer, at least 1.
    pub output_tokens: u32,
}

/// Reads the trace at `path`, at most `limit` rows of it; lines after the limit are not looked at.
///
/// # Errors
/// When the file cannot be read, has no row, or any row read is wrong.
pub fn read_trace(path: &Path, limit: Option<u64>) -> Result<Vec<TraceRow>, TraceError> {
    if limit == Some(0) {
        return Err(TraceError::LimitZero);
    }
    let file = File::open(path).map_err(|source| TraceError::Open {
        path: path.to_owned(),
        source,
    })?;
    collect(BufReader::new(file), limit).map_err(|source| TraceError::In {
        path: path.to_owned(),
        source: Box::new(source),
    })
}

fn collect<R: BufRead>(input: R, limit: Option<u64>) -> Result<Vec<TraceRow>, TraceError> {
    let mut reader = TraceReader::new(input)?;
    let limit = limit.map_or(usize::MAX, |n| usize::try_from(n).unwrap_or(usize::MAX));
    let mut rows = Vec::new();
    while rows.len() < limit {
        let Some(row) = reader.next() else { break };
        rows.push(row?);
        if rows.len() > MAX_TRACE_ROWS {
            return Err(TraceError::TooLong { line: reader.line });
        }
    }
    if rows.is_empty() {
        return Err(TraceError::Empty);
    }
    Ok(rows)
}

/// Reads rows one by one. After an error, what follows is not defined.
#[derive(Debug)]
pub struct TraceReader<R> {
    input: R,
    line: u64,
    columns: [usize; 3],
    first_ns: Option<i64>,
    previous_ns: i64,
}

impl<R: BufRead> TraceReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When there is none or a column is missing.
    pub fn new(input: R) -> Result<Self, TraceError> {
        let mut reader = Self {
            input,
            line: 0,
            columns: [0; 3],
            first_ns: None,
            previous_ns: i64::MIN,
        };
        let header = reader.next_line()?.ok_or(TraceError::Empty)?;
        let fields = split(header.trim_start_matches('\u{feff}'));
        for (at, column) in reader.columns.iter_mut().zip(COLUMNS) {
            *at = fields
                .iter()
                .position(|field| field.trim().eq_ignore_ascii_case(column))
                .ok_or_else(|| TraceError::MissingColumn {
                    line: reader.line,
                    column,
                    header: inert(&header, 200),
                })?;
        }
        Ok(reader)
    }

    /// The next line that is not blank, without its line break.
    fn next_line(&mut self) -> Result<Option<String>, TraceError> {
        loop {
            let mut bytes = Vec::new();
            let line = self.line + 1;
            let read = (&mut self.input)
                .take(MAX_LINE + 1)
                .read_until(b'\n', &mut bytes)
                .map_err(|source| TraceError::Read { line, source })?;
            if read == 0 {
                return Ok(None);
            }
            self.line = line;
            if read as u64 > MAX_LINE {
                return Err(TraceError::LongLine { line });
            }
            let text = String::from_utf8(bytes).map_err(|e| TraceError::NotText {
                line,
                found: inert_bytes(e.as_bytes(), 80),
            })?;
            if !text.trim().is_empty() {
                return Ok(Some(text.trim_end_matches(['\n', '\r']).to_owned()));
            }
        }
    }

    fn row(&mut self, text: &str) -> Result<TraceRow, TraceError> {
        let line = self.line;
        let fields = split(text);
        let field = |i: usize| {
            fields
                .get(self.columns[i])
                .map(|field| field.trim())
                .ok_or(TraceError::MissingField {
                    line,
                    column: COLUMNS[i],
                })
        };
        let tokens = |i: usize| {
            let found = field(i)?;
            let count: Option<u32> = found.parse().ok();
            count
                .filter(|n| (1..=MAX_TOKENS).contains(n))
                .ok_or_else(|| TraceError::Tokens {
                    line,
                    column: COLUMNS[i],
                    found: inert(found, 80),
                })
        };
        let stamp = field(0)?;
        let found = || inert(stamp, 80);
        let at = timestamp::parse(stamp).ok_or_else(|| TraceError::Timestamp {
            line,
            found: found(),
        })?;
        if at < self.previous_ns {
            let found = found();
            return Err(TraceError::Backwards { line, found });
        }
        let (input_tokens, output_tokens) = (tokens(1)?, tokens(2)?);
        self.previous_ns = at;
        // Years 1678 to 2262 fit into an i64 of nanoseconds, their differences may not.
        let offset_ns = at.saturating_sub(*self.first_ns.get_or_insert(at));
        Ok(TraceRow {
            offset_ns,
            input_tokens,
            output_tokens,
        })
    }
}

impl<R: BufRead> Iterator for TraceReader<R> {
    type Item = Result<TraceRow, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.next_line() {
            Ok(Some(text)) => Some(self.row(&text)),
            Ok(None) => None,
            Err(e) => Some(Err(e)),
        }
    }
}

/// The fields of one line; a field in double quotes may hold commas, and `""` for a quote.
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut().expect("there is always one field");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => field.push(other),
        }
    }
    fields
}
