//! infermeter's own form of trace rows: a header, then one JSON object a line, Mooncake's members and a
//! few more.
//!
//! It holds lengths, blocks, instants and waits, and a text only where `record --texts plain` kept it. A row
//! waits for several others where `after` names several. Runs of consecutive block ids are written as `[first, count]`, so that a prompt of 1,000
//! blocks that goes on from the one before takes a few bytes. Invariant: what is written is read back as it
//! was, instants and waits to the microsecond.

mod line;
mod run;

use super::row::Row;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};

pub(super) use line::RowLine;
pub(crate) use run::{Run, runs_of};

/// Version of the form.
const VERSION: u32 = 1;

/// What equal blocks of two rows say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockOrigin {
    /// Rows have no blocks.
    None,
    /// The log's own hashes, or those of its texts: equal text is an equal block, in all sessions.
    Recorded,
    /// Made up for each session so that the recorded number of cached tokens comes out: what sessions
    /// share with each other is unknown.
    PerSession,
}

/// The first line of a file of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowsHeader {
    /// Version of the form, 1.
    pub trace_rows: u32,
    /// Tokens of a block; absent where rows have no blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_tokens: Option<u32>,
    /// What equal blocks say.
    pub blocks: BlockOrigin,
    /// Where the rows come from: names of formats, or `record`.
    pub source: String,
    /// Tokenizer of lengths and blocks; absent where they are the log's own counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Sentences about what is not as it was recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl RowsHeader {
    /// Of rows from `source` without blocks.
    pub fn of(source: &str) -> Self {
        Self {
            trace_rows: VERSION,
            block_tokens: None,
            blocks: BlockOrigin::None,
            source: source.to_owned(),
            tokenizer: None,
            notes: Vec::new(),
        }
    }
}

/// Writes rows in their form.
#[derive(Debug)]
pub struct RowsWriter<W> {
    out: W,
    line: Vec<u8>,
}

/// A row as it is written, its names as numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Written<'a> {
    pub at_ns: Option<i64>,
    pub input_tokens: Option<u32>,
    pub output_tokens: Option<u32>,
    pub session: Option<u64>,
    pub name: Option<u64>,
    pub after: &'a [u64],
    pub delay_ns: Option<i64>,
    pub class: Option<&'a str>,
    pub runs: &'a [Run],
}

impl<W: Write> RowsWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(mut out: W, header: &RowsHeader) -> io::Result<Self> {
        serde_json::to_writer(&mut out, header)?;
        out.write_all(b"\n")?;
        let line = Vec::new();
        Ok(Self { out, line })
    }

    /// Writes a row, whose instant counts from the first; its line, its place of a text and its turn are
    /// left out. `members` are further members of the line, for others to read.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, row: &Row, members: &[(&str, serde_json::Value)]) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        lengths(line, row.at_ns, row.input_tokens, row.output_tokens);
        for (name, value) in [
            ("session_id", &row.session),
            ("id", &row.name),
            ("type", &row.class),
        ] {
            if let Some(value) = value {
                member(line, name);
                serde_json::to_writer(&mut *line, value)?;
            }
        }
        if let Some(parent) = &row.parent {
            let after: Vec<&String> = [parent].into_iter().chain(&row.also_after).collect();
            member(line, "after");
            serde_json::to_writer(&mut *line, &after)?;
        }
        wait(line, row.delay_ns);
        if let Some(images) = row.images {
            member(line, "images");
            number(line, images.into());
        }
        let runs: Vec<Run> = runs_of(&row.hash_ids);
        hash_ids(line, &runs);
        for (name, value) in members {
            member(line, name);
            serde_json::to_writer(&mut *line, value)?;
        }
        self.end()
    }

    /// Writes a row whose names are numbers.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn write_packed(&mut self, row: &Written<'_>) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        lengths(line, row.at_ns, row.input_tokens, row.output_tokens);
        for (name, value) in [("session_id", row.session), ("id", row.name)] {
            if let Some(value) = value {
                member(line, name);
                number(line, value);
            }
        }
        if let Some(class) = row.class {
            member(line, "type");
            serde_json::to_writer(&mut *line, class)?;
        }
        if !row.after.is_empty() {
            member(line, "after");
            list(line, row.after, |line, id| number(line, *id));
        }
        wait(line, row.delay_ns);
        hash_ids(line, row.runs);
        self.end()
    }

    fn end(&mut self) -> io::Result<()> {
        self.line.extend_from_slice(b"}\n");
        self.out.write_all(&self.line)
    }

    /// Gives back what was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

fn lengths(line: &mut Vec<u8>, at_ns: Option<i64>, input: Option<u32>, output: Option<u32>) {
    line.push(b'{');
    if let Some(at) = at_ns {
        member(line, "timestamp");
        milliseconds(line, at);
    }
    for (name, tokens) in [("input_length", input), ("output_length", output)] {
        if let Some(tokens) = tokens {
            member(line, name);
            number(line, tokens.into());
        }
    }
}

fn wait(line: &mut Vec<u8>, delay_ns: Option<i64>) {
    if let Some(delay) = delay_ns {
        member(line, "delay");
        milliseconds(line, delay);
    }
}

fn hash_ids(line: &mut Vec<u8>, runs: &[Run]) {
    if runs.is_empty() {
        return;
    }
    member(line, "hash_ids");
    list(line, runs, |line, run| match run.count {
        1 => number(line, run.first),
        count => {
            line.push(b'[');
            number(line, run.first);
            line.push(b',');
            number(line, count);
            line.push(b']');
        }
    });
}

fn list<T>(line: &mut Vec<u8>, items: &[T], one: impl Fn(&mut Vec<u8>, &T)) {
    line.push(b'[');
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            line.push(b',');
        }
        one(line, item);
    }
    line.push(b']');
}

fn member(line: &mut Vec<u8>, name: &str) {
    if line.len() > 1 {
        line.push(b',');
    }
    line.push(b'"');
    line.extend_from_slice(name.as_bytes());
    line.extend_from_slice(b"\":");
}

/// Digits of a number; the standard library's formatting is several times as slow.
fn number(line: &mut Vec<u8>, mut value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (value % 10) as u8;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    line.extend_from_slice(&digits[at..]);
}

/// Milliseconds with up to three decimals; what lies before the first row is at the first.
fn milliseconds(line: &mut Vec<u8>, ns: i64) {
    let us = ns.max(0).unsigned_abs() / 1_000;
    number(line, us / 1_000);
    let rest = us % 1_000;
    if rest > 0 {
        let digits = [rest / 100, rest / 10 % 10, rest % 10].map(|digit| b'0' + digit as u8);
        line.push(b'.');
        line.extend_from_slice(&digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{TraceError, TraceFormat, TraceOptions, TraceReader};
    use proptest::collection::vec;
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn written(header: &RowsHeader, rows: &[Row]) -> String {
        let mut writer = RowsWriter::new(Vec::new(), header).expect("a header");
        for row in rows {
            writer.write(row, &[]).expect("a row");
        }
        String::from_utf8(writer.into_inner()).expect("JSON is UTF-8")
    }

    fn blocks(tokens: u32) -> RowsHeader {
        RowsHeader {
            block_tokens: Some(tokens),
            blocks: BlockOrigin::Recorded,
            ..RowsHeader::of("test")
        }
    }

    fn read(text: &str) -> Result<Vec<Row>, TraceError> {
        let reader = TraceReader::new(text.as_bytes(), TraceOptions::default())?;
        assert_eq!(reader.facts().format, TraceFormat::Rows);
        reader.collect()
    }

    #[test]
    fn rows_come_back() {
        let row = Row {
            line: 2,
            at_ns: Some(0),
            input_tokens: Some(40),
            output_tokens: Some(3),
            session: Some("7".to_owned()),
            name: Some("1".to_owned()),
            block_tokens: Some(16),
            hash_ids: vec![5, 6, 9],
            ..Row::default()
        };
        let next = Row {
            line: 3,
            at_ns: Some(1_500_250_000),
            parent: Some("1".to_owned()),
            also_after: vec!["0".to_owned()],
            delay_ns: Some(250_000_000),
            class: Some("agent".to_owned()),
            name: None,
            hash_ids: vec![5, 6],
            ..row.clone()
        };
        let text = written(&blocks(16), &[row.clone(), next.clone()]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[2],
            r#"{"timestamp":1500.250,"input_length":40,"output_length":3,"session_id":"7","type":"agent","after":["1","0"],"delay":250,"hash_ids":[[5,2]]}"#
        );
        assert_eq!(read(&text).expect("rows"), [row, next]);
    }

    #[test]
    fn wrong_rows_name_their_line() {
        for (line, expect) in [
            (
                r#"{"timestamp":-1,"input_length":3}"#,
                "line 2: timestamp is `-1`",
            ),
            (
                r#"{"timestamp":0,"input_length":9000000}"#,
                "0 to 4,000,000",
            ),
            (r#"{"timestamp":0,"input_length":16,"hash_ids":[1,2]}"#, "2"),
            (
                r#"{"timestamp":0,"input_length":16,"hash_ids":[[0,99999999]]}"#,
                "4,000,000 blocks",
            ),
            (
                r#"{"timestamp":0,"input_length":16,"hash_ids":[[1]]}"#,
                "[first, count]",
            ),
            (r#"{"timestamp":"x"}"#, "line 2"),
        ] {
            let text = format!("{}{line}\n", written(&blocks(16), &[]));
            let said = read(&text).expect_err(line).to_string();
            assert!(said.contains(expect), "{said}");
        }
    }

    proptest! {
        #[test]
        fn runs_are_their_ids(ids in vec(any::<u8>(), 0..40)) {
            let ids: Vec<u64> = ids.into_iter().map(u64::from).collect();
            let spread: Vec<u64> = runs_of(&ids)
                .iter()
                .flat_map(|run| run.first..run.first + run.count)
                .collect();
            prop_assert_eq!(spread, ids);
        }
    }
}
