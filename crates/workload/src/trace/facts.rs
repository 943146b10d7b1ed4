//! What was read from a trace: counts, what was left out and why, what was changed.
//!
//! It holds no statistics of the rows. Invariant: rows + skipped + unselected is the number of
//! requests in the part of the file that was read.

use super::format::TraceFormat;
use super::options::TimeUnit;
use crate::members::{Fate, MemberRule, MemberUse};
use infermeter_core::text::inert;
use serde::Serialize;
use std::fmt;

/// Lines named for each reason.
const LINES_NAMED: usize = 5;

/// Members told apart by name.
const MEMBERS_NAMED: usize = 100;

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
    /// It has audio, files or other parts that are not sent.
    OtherParts,
    /// One of its texts is null.
    NullText,
    /// It asks for no output tokens: there would be nothing to measure.
    NoOutput,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "failed when recorded (0 response tokens)",
            Self::OverContext => "longer than the context",
            Self::NoAnswer => "a conversation without an answer",
            Self::NoPrompt => "an empty prompt",
            Self::Images => "with images, which are not sent",
            Self::OtherParts => "with parts that are neither text nor image, which are not sent",
            Self::NullText => "a text that is null",
            Self::NoOutput => "0 output tokens, which cannot be asked for",
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
    /// Unit of the timestamps, where they are numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_unit: Option<TimeUnit>,
    /// What requests of texts bring beside them, and what becomes of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberUse>,
    /// Names of members beyond the first 100, which are not told apart.
    #[serde(skip_serializing_if = "is_zero")]
    pub members_beyond: u64,
    /// Rows of a trace whose answer's length is drawn: the file has none.
    #[serde(skip_serializing_if = "is_zero")]
    pub drawn_outputs: u64,
    /// What was done to the rows, in order.
    pub operations: Vec<String>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
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
            time_unit: None,
            members: Vec::new(),
            members_beyond: 0,
            drawn_outputs: 0,
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

    /// Counts the members of one row.
    pub(super) fn add_members(&mut self, names: &[String]) {
        let rule = MemberRule::default();
        for name in names {
            let inert = inert(name, 60);
            match self.members.iter().position(|known| known.name == inert) {
                Some(at) => self.members[at].rows += 1,
                None if self.members.len() >= MEMBERS_NAMED => self.members_beyond += 1,
                None => self.members.push(MemberUse {
                    fate: rule.fate(name),
                    name: inert,
                    rows: 1,
                }),
            }
        }
    }

    /// Gives each member the fate that it has under `rule`.
    pub(crate) fn judge_members(&mut self, rule: &MemberRule) {
        for member in &mut self.members {
            member.fate = rule.fate(&member.name);
        }
    }

    /// What of the file is not sent: rows, and members that requests would have had.
    pub fn left_out(&self) -> Vec<String> {
        let rows = self
            .skipped
            .iter()
            .map(|skipped| format!("left out {skipped}"));
        let fates = [Fate::Flag, Fate::Unknown, Fate::OtherApi];
        rows.chain(self.member_remarks(&fates)).collect()
    }

    /// Sentences about the members of these fates, one for each.
    fn member_remarks(&self, wanted: &[Fate]) -> Vec<String> {
        let fates = self.members.iter().map(|m| m.fate);
        let mut fates: Vec<Fate> = fates.filter(|fate| wanted.contains(fate)).collect();
        fates.sort_unstable();
        fates.dedup();
        let mut remarks: Vec<String> = fates
            .iter()
            .map(|fate| {
                let those = self.members.iter().filter(|m| m.fate == *fate);
                let named = those.map(|m| {
                    let s = if m.rows == 1 { "" } else { "s" };
                    format!("{} ({} row{s})", m.name, m.rows)
                });
                let named: Vec<String> = named.collect();
                format!("members {fate}: {}", named.join(", "))
            })
            .collect();
        if self.members_beyond > 0 {
            remarks.push(format!(
                "members beyond the first {MEMBERS_NAMED} names: {} times, not told apart here",
                self.members_beyond
            ));
        }
        remarks
    }

    /// Only `rows` of the rows are left, selected as `how` says.
    pub(crate) fn select(&mut self, rows: u64, how: &str) {
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
        if self.drawn_outputs > 0 {
            let s = if self.drawn_outputs == 1 { "" } else { "s" };
            remarks.push(format!(
                "{} row{s} without an answer's length: drawn from --workload",
                self.drawn_outputs
            ));
        }
        remarks.extend(self.member_remarks(&Fate::ALL));
        remarks.extend(self.operations.iter().cloned());
        remarks
    }
}
