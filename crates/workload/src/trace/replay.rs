//! A trace to replay: instants, lengths, classes and blocks of every row, in little memory.
//!
//! It holds no text. Invariant: row `i` of every column is request `i`; a row takes 16 bytes, 2
//! more where there are classes, 4 for each hash id, and in conversations 8 (16 with delays).

use super::collect::read_rows;
use super::error::TraceError;
use super::facts::TraceFacts;
use super::format::TraceFormat;
use super::links::Links;
use super::options::TraceOptions;
use super::pacing::Pacing;
use super::row::{DrawnLengths, Row, TraceRow};
use super::sharing::Sharing;
use infermeter_core::request::Turn;
use std::collections::HashMap;
use std::path::Path;

/// Most classes of a trace.
const MAX_CLASSES: usize = 1_000;

/// The class of rows that name none.
const NO_CLASS: &str = "trace";

/// A trace to replay.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    rows: Vec<TraceRow>,
    classes: Vec<String>,
    /// Class of each row; empty where there is but one.
    class_of: Vec<u16>,
    blocks: BlockTable,
    links: Links,
    pacing: Pacing,
    facts: Option<TraceFacts>,
}

/// Hash ids of all rows.
#[derive(Debug, Clone, Default)]
struct BlockTable {
    /// Tokens of a block; 0 where no row has ids.
    tokens: u32,
    /// Ids as the file has them, once each.
    distinct: Vec<u64>,
    /// Indices into `distinct`, row after row.
    ids: Vec<u32>,
    /// End of each row in `ids`.
    ends: Vec<usize>,
}

/// The blocks of one row's prompt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowBlocks<'t> {
    /// Tokens of a block.
    pub tokens: u32,
    distinct: &'t [u64],
    ids: &'t [u32],
}

impl RowBlocks<'_> {
    /// The hash ids in order.
    pub fn ids(&self) -> impl Iterator<Item = u64> {
        self.ids.iter().map(|id| self.distinct[*id as usize])
    }
}

impl Trace {
    /// Reads the trace at `path`.
    ///
    /// # Errors
    /// When the file cannot be read, has no row, any row read is wrong, or the rows have no instants
    /// or no lengths.
    pub fn read(path: &Path, options: &TraceOptions) -> Result<Self, TraceError> {
        Self::read_with(path, options, &mut |_| None)
    }

    /// As [`Trace::read`]; `drawn` gives the answer's length of a row, by its number, that the file
    /// gives none for, and both lengths where it gives neither.
    ///
    /// # Errors
    /// As there.
    pub fn read_with(
        path: &Path,
        options: &TraceOptions,
        drawn: &mut dyn FnMut(u64) -> Option<DrawnLengths>,
    ) -> Result<Self, TraceError> {
        let mut builder = Builder::default();
        let mut facts = read_rows(path, options, &mut |row| builder.add(row, drawn))?;
        facts.drawn_outputs = builder.drawn;
        let mut trace = builder.trace;
        trace.pacing = options.pacing.unwrap_or(match facts.format {
            // A row without an instant is due by its wait alone.
            TraceFormat::Rows if builder.untimed.is_empty() => Pacing::Timestamps,
            _ => Pacing::Recorded,
        });
        if trace.rows_waiting() > 0 && trace.pacing != Pacing::Recorded {
            facts.operations.push(format!("pacing: {}", trace.pacing));
        }
        if builder.joins_left_out > 0 {
            let count = builder.joins_left_out;
            facts.operations.push(format!(
                "{count} waits for a request of another tree are left out: one worker sends a tree"
            ));
        }
        if trace.pacing == Pacing::Timestamps {
            trace.links.keep_delays(&builder.untimed);
        }
        trace.links.index();
        trace.blocks.tokens = facts.block_tokens.unwrap_or(0);
        trace.facts = Some(facts);
        Ok(trace)
    }

    /// A trace of given rows, without blocks or classes.
    pub fn of_rows(rows: Vec<TraceRow>) -> Self {
        Self {
            rows,
            classes: vec![NO_CLASS.to_owned()],
            ..Self::default()
        }
    }

    /// A trace of given rows, each of the class with that number; without blocks.
    pub(crate) fn of_classes(
        rows: Vec<TraceRow>,
        classes: Vec<String>,
        class_of: Vec<u16>,
    ) -> Self {
        Self {
            rows,
            classes,
            class_of,
            ..Self::default()
        }
    }

    /// The rows with these numbers alone, in the order given, each with its instant, its lengths,
    /// its class and its blocks; a number beyond the last row is passed over. `how` they were
    /// chosen becomes one of the operations in the facts.
    #[must_use]
    pub fn select(mut self, numbers: &[usize], how: &str) -> Self {
        let all = self.rows.len();
        let numbers: Vec<usize> = numbers.iter().copied().filter(|n| *n < all).collect();
        self.blocks.select(&numbers);
        self.links.select(&numbers);
        if !self.class_of.is_empty() {
            self.class_of = numbers.iter().map(|n| self.class_of[*n]).collect();
        }
        self.rows = numbers.iter().map(|n| self.rows[*n]).collect();
        if let Some(facts) = &mut self.facts {
            facts.select(self.rows.len() as u64, how);
        }
        self
    }

    /// Its rows in order of time.
    pub fn rows(&self) -> &[TraceRow] {
        &self.rows
    }

    /// What was read, where it comes from a file.
    pub fn facts(&self) -> Option<&TraceFacts> {
        self.facts.as_ref()
    }

    /// Names of the classes.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Class of a row, as an index into [`Trace::classes`].
    pub fn class(&self, row: usize) -> u16 {
        self.class_of.get(row).copied().unwrap_or(0)
    }

    /// The row whose answer a row waits for.
    pub fn parent(&self, row: usize) -> Option<usize> {
        self.links.parent(row)
    }

    /// The rows that wait for a row's answer, ascending.
    pub fn children(&self, row: usize) -> &[u32] {
        self.links.children(row)
    }

    /// Nanoseconds between the parent's answer and a row, where the trace says and the pacing keeps it.
    pub fn delay_ns(&self, row: usize) -> Option<i64> {
        self.links.delay_ns(row)
    }

    /// The instant before which a row that waits is not due, nanoseconds after the first row; absent where
    /// its wait alone decides.
    pub fn planned_ns(&self, row: usize) -> Option<i64> {
        let gaps = self.pacing == Pacing::IdleGaps && self.links.delay_ns(row).is_some();
        (!gaps).then(|| self.rows[row].offset_ns)
    }

    /// The rows that wait for a row's answer beside that of their parent, ascending.
    pub fn joining(&self, row: usize) -> impl Iterator<Item = u32> {
        self.links.joining(row)
    }

    /// Number of answers that a row waits for beside its parent's.
    pub fn further(&self, row: usize) -> u32 {
        // A row has few of them.
        self.links.further(row).count() as u32
    }

    /// Place of a row in its conversation; absent where no row waits for another.
    pub fn turn(&self, row: usize) -> Option<Turn> {
        self.links.turn(row)
    }

    /// Number of rows that wait for another one.
    pub fn rows_waiting(&self) -> u64 {
        self.links.rows_waiting()
    }

    /// Share of the prompt tokens that a prefix cache without limit would hold, all rows in order;
    /// `None` where no row has hash ids.
    pub fn shared_prefix_share(&self) -> Option<f64> {
        let mut sharing = Sharing::default();
        for (number, row) in self.rows().iter().enumerate() {
            if let Some(blocks) = self.blocks(number) {
                let ids: Vec<u64> = blocks.ids().collect();
                sharing.add(&ids, row.input_tokens, blocks.tokens);
            }
        }
        let counts = sharing.counts();
        let prompts: u64 = self.rows().iter().map(|r| u64::from(r.input_tokens)).sum();
        (counts.blocks > 0).then(|| counts.prefix_hit_tokens as f64 / prompts as f64)
    }

    /// Some rows have hash ids.
    pub(crate) fn has_blocks(&self) -> bool {
        !self.blocks.distinct.is_empty()
    }

    /// Blocks of a row's prompt, where it has hash ids.
    pub(crate) fn blocks(&self, row: usize) -> Option<RowBlocks<'_>> {
        let ids = self.blocks.of_row(row)?;
        (!ids.is_empty()).then_some(RowBlocks {
            tokens: self.blocks.tokens,
            distinct: &self.blocks.distinct,
            ids,
        })
    }
}

impl BlockTable {
    /// The ids of a row, where any row has some.
    fn of_row(&self, row: usize) -> Option<&[u32]> {
        let end = *self.ends.get(row)?;
        let start = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.ids[start..end])
    }

    /// Keeps the ids of the rows with these numbers, in their order.
    fn select(&mut self, numbers: &[usize]) {
        let (mut ids, mut ends) = (Vec::new(), Vec::new());
        for row in numbers.iter().filter_map(|number| self.of_row(*number)) {
            ids.extend_from_slice(row);
            ends.push(ids.len());
        }
        (self.ids, self.ends) = (ids, ends);
    }
}

/// Puts rows together.
#[derive(Debug, Default)]
struct Builder {
    trace: Trace,
    index: HashMap<u64, u32>,
    class_index: HashMap<String, u16>,
    /// Rows by the names that others refer to.
    named: HashMap<String, u32>,
    /// Rows whose answer's length the file does not have.
    drawn: u64,
    /// Waits for a row of another tree.
    joins_left_out: u64,
    /// Rows that wait and have no instant, ascending.
    untimed: Vec<u32>,
}

impl Builder {
    fn add(
        &mut self,
        row: Row,
        drawn: &mut dyn FnMut(u64) -> Option<DrawnLengths>,
    ) -> Result<(), TraceError> {
        let line = row.line;
        let lacks = |what| TraceError::NotReplayable { line, what };
        let number = self.trace.rows.len() as u64;
        let last = self.trace.rows.last().map(|row| row.offset_ns);
        if row.at_ns.is_none() && row.parent.is_some() {
            // At most 50,000,000 rows.
            self.untimed.push(number as u32);
        }
        self.drawn += u64::from(row.output_tokens.is_none());
        // Lengths of a row that has both are not drawn, and a prompt's alone never is.
        let (mut input, mut output) = (row.input_tokens, row.output_tokens);
        if output.is_none()
            && let Some(lengths) = drawn(number)
        {
            output = Some(lengths.output_tokens);
            input = input.or((row.text.is_none()).then_some(lengths.input_tokens));
        }
        self.trace.rows.push(TraceRow {
            // A row that waits for another one's answer may have no time: it is due after that.
            offset_ns: row
                .at_ns
                .or(last.filter(|_| row.parent.is_some()))
                .ok_or_else(|| lacks("a time"))?,
            input_tokens: input.ok_or_else(|| lacks("a prompt length"))?,
            output_tokens: output.ok_or_else(|| lacks("an answer length"))?,
        });
        self.add_class(line, row.class)?;
        self.add_blocks(&row.hash_ids);
        self.add_links(row.name, row.parent.as_deref(), row.delay_ns);
        self.add_joins(&row.also_after);
        Ok(())
    }

    fn add_class(&mut self, line: u64, class: Option<String>) -> Result<(), TraceError> {
        let class = class.unwrap_or_else(|| NO_CLASS.to_owned());
        let trace = &mut self.trace;
        let index = match self.class_index.get(&class) {
            Some(index) => *index,
            None if trace.classes.len() >= MAX_CLASSES => {
                return Err(TraceError::TooManyClasses { line });
            }
            None => {
                let index = trace.classes.len() as u16;
                trace.classes.push(class.clone());
                self.class_index.insert(class, index);
                index
            }
        };
        if index > 0 && trace.class_of.is_empty() {
            trace.class_of = vec![0; trace.rows.len() - 1];
        }
        if index > 0 || !trace.class_of.is_empty() {
            trace.class_of.push(index);
        }
        Ok(())
    }

    fn add_links(&mut self, name: Option<String>, parent: Option<&str>, delay_ns: Option<i64>) {
        let row = self.trace.rows.len() - 1;
        let parent = parent.and_then(|parent| self.named.get(parent).copied());
        self.trace.links.push(row, parent, delay_ns);
        if let Some(name) = name {
            // At most 50,000,000 rows.
            self.named.insert(name, row as u32);
        }
    }

    /// Has the last row wait for further ones.
    fn add_joins(&mut self, names: &[String]) {
        let row = self.trace.rows.len() - 1;
        for name in names {
            let further = self.named.get(name).copied();
            let joined = further.is_some_and(|further| self.trace.links.join(row, further));
            self.joins_left_out += u64::from(!joined);
        }
    }

    fn add_blocks(&mut self, ids: &[u64]) {
        let blocks = &mut self.trace.blocks;
        if ids.is_empty() && blocks.ends.is_empty() {
            return;
        }
        if blocks.ends.is_empty() {
            blocks.ends = vec![0; self.trace.rows.len() - 1];
        }
        for id in ids {
            let index = *self.index.entry(*id).or_insert_with(|| {
                blocks.distinct.push(*id);
                (blocks.distinct.len() - 1) as u32
            });
            blocks.ids.push(index);
        }
        blocks.ends.push(blocks.ids.len());
    }
}
