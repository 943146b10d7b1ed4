//! What was read from a trace: counts, what was left out and why, what was changed.
//!
//! It holds no statistics of the rows. Invariant: rows + skipped + unselected is the number of
//! requests in the part of the file that was read.

use super::format::TraceFormat;
use serde::Serialize;
use std::fmt;

/// Lines named for each reason.
const LINES_NAMED: usize = 5;

/// Why a row is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// It failed when it was recorded: it has no response tokens.
    Failed,
    /// Prompt and answer exceed the context.
    OverContext,
    /// Its conversation has no answer to ask for.
    NoAnswer,
    /// Its prompt is empty.
    NoPrompt,
    /// It has images, which are not sent.
    Images,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed when recorded (0 response tokens)",
            Self::OverContext => "longer than the context",
            Self::NoAnswer => "a conversation without an answer",
            Self::NoPrompt => "an empty prompt",
            Self::Images => "with images, which are not sent",
        })
    }
}

/// Rows left out or changed for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Touched {
    /// How many.
    pub rows: u64,
    /// Lines of the first few.
    pub first_lines: Vec<u64>,
}

impl Touched {
    pub(super) fn add(&mut self, line: u64) {
        self.rows += 1;
        if self.first_lines.len() < LINES_NAMED {
            self.first_lines.push(line);
        }
    }

    /// `12 rows (lines 3, 8, 9, 14, 20, ...)`.
    fn described(&self) -> String {
        let mut lines: Vec<String> = self.first_lines.iter().map(u64::to_string).collect();
        if self.rows as usize > lines.len() {
            lines.push("...".to_owned());
        }
        let s = if self.rows == 1 { "" } else { "s" };
        format!("{} row{s} (line{s} {})", self.rows, lines.join(", "))
    }
}

/// Rows left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Why.
    pub reason: SkipReason,
    /// Which.
    pub touched: Touched,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.touched.described(), self.reason)
    }
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceFacts {
    /// The format.
    pub format: TraceFormat,
    /// The file is compressed with gzip.
    pub compressed: bool,
    /// Rows kept.
    pub rows: u64,
    /// Rows left out, by reason.
    pub skipped: Vec<Skipped>,
    /// Rows read, but not among those selected afterwards (by thinning).
    pub unselected: u64,
    /// Rows whose prompt was cut to the context.
    pub clipped: Touched,
    /// Rows whose parent in the conversation is not in the file above them.
    pub orphans: Touched,
    /// Tokens of a block, where rows have hash ids.
    pub block_tokens: Option<u32>,
    /// What was done to the rows, in order.
    pub operations: Vec<String>,
}

impl TraceFacts {
    pub(super) fn new(format: TraceFormat) -> Self {
        Self {
            format,
            compressed: false,
            rows: 0,
            skipped: Vec::new(),
            unselected: 0,
            clipped: Touched::default(),
            orphans: Touched::default(),
            block_tokens: None,
            operations: Vec::new(),
        }
    }

    pub(crate) fn skip(&mut self, reason: SkipReason, line: u64) {
        let known = self.skipped.iter().position(|s| s.reason == reason);
        let at = known.unwrap_or_else(|| {
            let touched = Touched::default();
            self.skipped.push(Skipped { reason, touched });
            self.skipped.len() - 1
        });
        self.skipped[at].touched.add(line);
    }

    /// Only `rows` of the rows are left, selected as `how` says.
    pub(super) fn select(&mut self, rows: u64, how: &str) {
        let before = self.rows;
        self.operations
            .push(format!("{how}: {rows} of {before} rows are left"));
        self.unselected += before.saturating_sub(rows);
        self.rows = rows;
    }

    /// Rows left out while reading, for any reason.
    pub fn rows_skipped(&self) -> u64 {
        self.skipped.iter().map(|s| s.touched.rows).sum()
    }

    /// Sentences about everything that is not as it stands in the file.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self
            .skipped
            .iter()
            .map(|skipped| format!("left out {skipped}"))
            .collect();
        if self.clipped.rows > 0 {
            remarks.push(format!(
                "prompts cut to the context: {}",
                self.clipped.described()
            ));
        }
        if self.orphans.rows > 0 {
            let rows = self.orphans.described();
            remarks.push(format!("parents not in the file above their child: {rows}"));
        }
        remarks.extend(self.operations.iter().cloned());
        remarks
    }
}
