//! What is said about a result, before anyone decides how it looks: sections of findings, labelled
//! lines, lists, tables and charts.
//!
//! A document holds words and written figures, no colours, widths or escapes. Invariant: text is kept
//! as it came; every format makes it inert and escapes it for itself.

use crate::chart::Chart;
use crate::number::short_count;
use infermeter_core::finding::{Finding, Severity, Verdict};
use std::cmp::Reverse;

/// A result as it is told to people.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Document {
    /// What it is about. A terminal shows it only where there is neither an answer nor a verdict to begin with.
    pub title: String,
    /// What was asked and is known now, in a sentence each. Nothing stands in front of them.
    pub answers: Vec<String>,
    /// Whether the result can be believed, where that was judged.
    pub verdict: Option<Judgement>,
    /// The parts, in order.
    pub sections: Vec<Section>,
    /// How much is said of the notes among the findings.
    pub notes: Notes,
}

/// How much is said of findings that never change the verdict. Every format puts them behind the
/// figures, and errors and warnings in front of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notes {
    /// Their names, in one line.
    #[default]
    Named,
    /// All of it.
    Told,
}

impl Document {
    /// A document without sections.
    pub fn titled(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Adds a section that says something.
    pub fn push(&mut self, section: Section) {
        if !section.blocks.is_empty() {
            self.sections.push(section);
        }
    }
}

/// The verdict and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, the heaviest first.
    pub findings: Vec<Found>,
}

impl Judgement {
    /// The verdict on `findings`.
    pub(crate) fn of(verdict: Verdict, findings: &[Finding]) -> Self {
        let found = |finding: &Finding| Found {
            severity: finding.severity,
            code: finding.code.clone(),
            message: finding.message.clone(),
            evidence: finding.evidence.clone(),
            advice: finding.advice.clone(),
        };
        let mut findings: Vec<Found> = findings.iter().map(found).collect();
        findings.sort_by_key(|found| Reverse(found.severity));
        Self { verdict, findings }
    }

    /// Errors and warnings: they stand in front of the figures.
    pub(crate) fn weighty(&self) -> &[Found] {
        &self.findings[..self.first_note()]
    }

    /// Notes: they stand behind the figures.
    pub(crate) fn notes(&self) -> &[Found] {
        &self.findings[self.first_note()..]
    }

    fn first_note(&self) -> usize {
        let weighty = |found: &Found| found.severity > Severity::Note;
        self.findings.partition_point(weighty)
    }

    /// `3 notes: short-level, no-calibration, ... (--notes shows them)`; the names are written by `code`.
    pub(crate) fn named_notes(&self, code: fn(&str) -> String) -> String {
        let notes = self.notes();
        let codes: Vec<String> = notes.iter().map(|note| code(&note.code)).collect();
        let (them, n) = match notes.len() {
            0 => return String::new(),
            1 => ("it", 1),
            n => ("them", n as u64),
        };
        let counted = infermeter_core::number::counted(n, "note");
        format!("{counted}: {} (--notes shows {them})", codes.join(", "))
    }

    /// `2 warnings, 3 notes`; empty without findings.
    pub(crate) fn counts(&self) -> String {
        let severities = [Severity::Error, Severity::Warning, Severity::Note];
        let counts = severities.into_iter().filter_map(|severity| {
            let of_it = self.findings.iter().filter(|f| f.severity == severity);
            let n = of_it.count() as u64;
            (n > 0).then(|| infermeter_core::number::counted(n, severity_name(severity)))
        });
        counts.collect::<Vec<_>>().join(", ")
    }
}

/// One thing to know, with evidence and advice; both may be empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its weight.
    pub severity: Severity,
    /// Its code, the name of its section in the docs.
    pub code: String,
    /// What was found.
    pub message: String,
    /// The figures behind it.
    pub evidence: String,
    /// What to do.
    pub advice: String,
}

/// The word for a severity.
pub(crate) fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// A part with a heading.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Section {
    /// Its heading; may be empty.
    pub heading: String,
    /// What stands below it.
    pub blocks: Vec<Block>,
    /// The class of requests that all of it is of, where it is of one. What a reader of a page may filter by.
    pub class: Option<String>,
}

impl Section {
    /// A section with nothing in it yet.
    pub fn new(heading: impl Into<String>) -> Self {
        Self {
            heading: heading.into(),
            ..Self::default()
        }
    }

    /// The same section, said to be of one class of requests.
    #[must_use]
    pub(crate) fn of_class(self, class: &str) -> Self {
        Self {
            class: Some(class.to_owned()),
            ..self
        }
    }

    /// With one more block, if that says something.
    #[must_use]
    pub fn with(mut self, block: impl Into<Block>) -> Self {
        self.push(block);
        self
    }

    /// Adds a block that says something.
    pub fn push(&mut self, block: impl Into<Block>) {
        let block = block.into();
        if !block.is_empty() {
            self.blocks.push(block);
        }
    }
}

/// A piece of a section.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "a document has some dozens of blocks, and a chart's marks are on the heap"
)]
pub enum Block {
    /// A heading inside the section.
    Heading(String),
    /// Labelled lines.
    Entries(Vec<Entry>),
    /// A list.
    Items(Vec<Item>),
    /// Findings.
    Findings(Vec<Found>),
    /// Rows and columns.
    Table(Table),
    /// Counts as one line of columns.
    Spark(Spark),
    /// A chart, shown where there is room for it.
    Chart(Chart),
    /// A paragraph.
    Text(Tone, String),
}

impl Block {
    fn is_empty(&self) -> bool {
        match self {
            Self::Heading(text) | Self::Text(_, text) => text.is_empty(),
            Self::Entries(entries) => entries.is_empty(),
            Self::Items(items) => items.is_empty(),
            Self::Findings(findings) => findings.is_empty(),
            Self::Table(table) => table.rows.is_empty(),
            Self::Chart(chart) => chart.is_empty(),
            Self::Spark(spark) => spark.counts.is_empty(),
        }
    }
}

impl From<Chart> for Block {
    fn from(chart: Chart) -> Self {
        Self::Chart(chart)
    }
}

/// How loud a paragraph is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it is.
    Plain,
    /// Good news.
    Good,
    /// In the background.
    Aside,
}

/// `Label  text`, with further texts below the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Whether something asked for was met, where that is the question.
    pub mark: Option<Mark>,
    /// What it is about.
    pub label: String,
    /// What is said of it.
    pub texts: Vec<String>,
}

/// Whether what was asked for is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It is.
    Met,
    /// It is not.
    Missed,
    /// The data do not tell.
    Undecided,
    /// It is, but not well.
    Doubtful,
    /// It was not asked for here.
    Void,
}

impl Mark {
    /// `✓`, `✗`, `?`, `!` or `·`.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Met => "✓",
            Self::Missed => "✗",
            Self::Undecided => "?",
            Self::Doubtful => "!",
            Self::Void => "·",
        }
    }
}

/// Entries in the making.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entries(Vec<Entry>);

impl Entries {
    /// Adds a labelled line.
    pub fn add(&mut self, label: impl Into<String>, text: impl Into<String>) {
        self.0.push(Entry {
            mark: None,
            label: label.into(),
            texts: vec![text.into()],
        });
    }

    /// Adds a line with a mark.
    pub(crate) fn marked(&mut self, mark: Mark, label: &str, text: String) {
        self.add(label, text);
        if let Some(last) = self.0.last_mut() {
            last.mark = Some(mark);
        }
    }

    /// Adds an entry of several lines with a mark.
    pub(crate) fn told(&mut self, mark: Mark, label: &str, texts: Vec<String>) {
        self.0.push(Entry {
            mark: Some(mark),
            label: label.to_owned(),
            texts,
        });
    }

    /// Adds a line where there is something to say.
    pub fn maybe(&mut self, label: impl Into<String>, text: Option<String>) {
        if let Some(text) = text {
            self.add(label, text);
        }
    }

    /// Adds a label with everything there is to say under it, if there is anything.
    pub fn all(&mut self, label: impl Into<String>, texts: impl Iterator<Item = String>) {
        let texts: Vec<String> = texts.collect();
        if !texts.is_empty() {
            self.0.push(Entry {
                mark: None,
                label: label.into(),
                texts,
            });
        }
    }

    /// Says more under the last label.
    pub fn more(&mut self, text: impl Into<String>) {
        if let Some(last) = self.0.last_mut() {
            last.texts.push(text.into());
        }
    }
}

impl From<Entries> for Block {
    fn from(entries: Entries) -> Self {
        Self::Entries(entries.0)
    }
}

/// One point of a list.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Item {
    /// What it says; may be empty where there are codes.
    pub text: String,
    /// Names that belong to it, as of checks.
    pub codes: Vec<String>,
}

/// Rows and columns of short cells. Longer text belongs into entries.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// Heading over the rows' labels; may be empty.
    pub corner: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows; each has a cell for each column.
    pub rows: Vec<Row>,
}

impl Table {
    /// A table without rows.
    pub fn new(corner: impl Into<String>, columns: Vec<Column>) -> Self {
        Self {
            corner: corner.into(),
            columns,
            rows: Vec::new(),
        }
    }

    /// The columns that are not bars alone, whose figures stand beside them.
    pub(crate) fn without_bars(&self) -> Vec<usize> {
        let is_drawn = |i: &usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(*i));
            cells.clone().count() > 0 && cells.into_iter().all(|cell| cell.bar.is_some())
        };
        (0..self.columns.len()).filter(|i| !is_drawn(i)).collect()
    }

    /// Adds a row.
    pub fn row(&mut self, label: impl Into<String>, cells: Vec<Cell>) {
        self.rows.push(Row {
            label: label.into(),
            cells,
        });
    }
}

impl From<Table> for Block {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Column {
    /// What it and its neighbours are about: `TTFT` over `p50`, `p99` and `max`; may be empty.
    pub group: String,
    /// Its name.
    pub name: String,
    /// How its cells stand.
    pub align: Align,
    /// Where there is too little room, columns go in this order, the lowest first; those without stay.
    pub goes: Option<u8>,
}

impl Column {
    /// A column whose cells begin under each other.
    pub fn left(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// A column whose cells end under each other.
    pub fn right(name: impl Into<String>) -> Self {
        Self {
            align: Align::Right,
            ..Self::left(name)
        }
    }

    /// The same as a column that goes before those of a higher number, where there is too little room.
    #[must_use]
    pub fn going(self, order: u8) -> Self {
        Self {
            goes: Some(order),
            ..self
        }
    }

    /// The same in a group of columns.
    #[must_use]
    pub fn of(self, group: &str) -> Self {
        Self {
            group: group.to_owned(),
            ..self
        }
    }
}

/// Where cells stand in their column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// They begin under each other.
    #[default]
    Left,
    /// They end under each other.
    Right,
}

/// A row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Row {
    /// What it is about, with its unit.
    pub label: String,
    /// A cell for each column.
    pub cells: Vec<Cell>,
}

/// What stands in a row under a column.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cell {
    /// The figure, in the row's unit; absent where there is none.
    pub value: Option<String>,
    /// Its interval.
    pub interval: Option<String>,
    /// How far the sample carries it.
    pub grade: Grade,
    /// What is said in place of the figure: `failed`.
    pub note: Option<String>,
    /// Its share of the greatest one, where it is drawn as a bar.
    pub bar: Option<f64>,
}

impl Cell {
    /// A figure without an interval.
    pub fn of(value: impl Into<String>) -> Self {
        Self {
            value: Some(value.into()),
            ..Self::default()
        }
    }

    /// A figure, or a dash where there is none.
    pub fn or_dash(value: Option<String>) -> Self {
        value.map_or_else(|| Self::noted("-"), Self::of)
    }

    /// What is said in place of a figure.
    pub fn noted(note: impl Into<String>) -> Self {
        Self {
            grade: Grade::Unsupported,
            note: Some(note.into()),
            ..Self::default()
        }
    }

    /// A percentile of which too little was observed: what it takes.
    pub(crate) fn needing(observations: usize) -> Self {
        Self::noted(format!("needs {}", short_count(observations)))
    }

    /// A bar of so much of the greatest one.
    pub fn bar(share: f64) -> Self {
        Self {
            bar: Some(share),
            ..Self::default()
        }
    }

    /// What is known of a figure that the sample does not carry.
    pub(crate) fn within(interval: String) -> Self {
        Self {
            grade: Grade::Unsupported,
            interval: Some(interval),
            ..Self::default()
        }
    }

    /// The figure with the mark of its grade, or what is said in its place, or all that is known of it.
    pub(crate) fn shown(&self) -> String {
        let mark = match self.grade {
            Grade::Indicative => "~",
            Grade::Full | Grade::Unsupported => "",
        };
        match (&self.value, &self.note, &self.interval) {
            (Some(value), _, _) => format!("{mark}{value}"),
            (None, Some(note), _) => note.clone(),
            (None, None, interval) => interval.clone().unwrap_or_default(),
        }
    }

    /// The interval of what is shown; absent where it is all that is shown.
    pub(crate) fn around(&self) -> Option<&String> {
        let something_else = self.value.is_some() || self.note.is_some();
        self.interval.as_ref().filter(|_| something_else)
    }
}

/// How far the sample carries a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grade {
    /// In full.
    #[default]
    Full,
    /// As an indication: marked with `~`.
    Indicative,
    /// Not at all.
    Unsupported,
}

/// Counts over time, drawn as one line of columns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spark {
    /// What is counted.
    pub label: String,
    /// One count for each part of the time.
    pub counts: Vec<u64>,
    /// What stands below it.
    pub caption: String,
}
