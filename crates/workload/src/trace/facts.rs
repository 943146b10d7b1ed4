//! What was read from a trace: counts, what was left out and why, what was changed.
//!
//! It holds no statistics of the rows. Invariant: rows + skipped + unselected is the number of
//! requests in the part of the file that was read.

use super::format::TraceFormat;
use super::time_unit::TimeUnit;
use crate::members::MemberRule;
use infermeter_core::environment::{
    Fate, MemberUse, OtherMembers, SkipReason, Skipped, Touched, TraceRead,
};
use infermeter_core::text::inert;
use schemars::JsonSchema;
use serde::Serialize;

/// Members told apart by name.
const MEMBERS_NAMED: usize = 100;

/// What was read. As JSON it is what the record has of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(into = "TraceRead")]
#[schemars(with = "TraceRead")]
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
    pub time_unit: Option<TimeUnit>,
    /// What requests of texts bring beside them, and what becomes of it.
    pub members: Vec<MemberUse>,
    /// Names of members beyond the first 100, which are not told apart.
    pub members_beyond: u64,
    /// Rows of a trace whose answer's length is drawn: the file has none.
    pub drawn_outputs: u64,
    /// What was done to the rows, in order.
    pub operations: Vec<String>,
}

impl From<TraceFacts> for TraceRead {
    fn from(facts: TraceFacts) -> Self {
        Self {
            format: facts.format.name().to_owned(),
            compressed: facts.compressed,
            rows: facts.rows,
            skipped: facts.skipped,
            unselected: facts.unselected,
            clipped: facts.clipped,
            orphans: facts.orphans,
            block_tokens: facts.block_tokens,
            time_unit: facts.time_unit.map(|unit| unit.name().to_owned()),
            members: facts.members,
            members_beyond: facts.members_beyond,
            drawn_outputs: facts.drawn_outputs,
            operations: facts.operations,
            other: OtherMembers::new(),
        }
    }
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
