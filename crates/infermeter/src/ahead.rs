//! What lies ahead of a protocol: how many runs at most, where, for how long, and what they can find; `--dry-run`.
//!
//! It sends nothing. Invariant: an upper bound is called one, and a load that is not decided yet is none.

use crate::dry_run::DryRun;
use infermeter_core::number::counted;
use infermeter_core::plan::Plan;
use infermeter_core::run::FORMAT_VERSION;
use infermeter_protocol::Coordinates;
use infermeter_report::number::span;
use infermeter_report::{Cell, Column, Document, Entries, Section, Table};
use infermeter_session::outlook;
use infermeter_session::redact::redact_url;
use schemars::JsonSchema;
use serde::Serialize;

/// What would be sent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Ahead {
    /// Version of the format.
    format_version: u32,
    /// Nothing was sent.
    dry_run: bool,
    /// The command that would measure.
    command: &'static str,
    /// Runs of an experiment that goes on.
    runs_there: usize,
    /// Runs to come, at most.
    runs_at_most: usize,
    /// Warm-ups and windows, seconds; null where a server decides how long they take.
    seconds_at_most: Option<f64>,
    /// What it can find, in sentences.
    finds: Vec<String>,
    /// The runs to come, those at the same coordinates together.
    runs: Vec<Alike>,
}

/// What `--dry-run` of an experiment prints for programs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct AheadOutput<'a> {
    #[serde(flatten)]
    ahead: &'a Ahead,
    /// One of the runs.
    one_run: &'a DryRun,
}

/// Runs at the same coordinates.
#[derive(Debug, Serialize, JsonSchema)]
struct Alike {
    /// The side, or what is varied; absent where there is one plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<String>,
    /// Where their requests go.
    target: String,
    /// Which load, of which plan.
    at: Coordinates,
    /// Runs, at most.
    runs_at_most: usize,
    /// Warm-up and window of one of them, seconds; null where a server decides how long they take.
    seconds: Option<f64>,
}

/// What is known of a protocol before its next run.
pub(crate) struct Known<'a> {
    /// The command that measures it.
    pub command: &'static str,
    /// The plans, by number.
    pub variants: &'a [Plan],
    /// What they are called; none where there is one.
    pub names: Vec<String>,
    /// What it can find.
    pub finds: Vec<String>,
    /// Runs that are there.
    pub there: usize,
    /// Runs that may be to come.
    pub ahead: &'a [Coordinates],
}

impl Ahead {
    /// What is left to be measured.
    pub fn of(known: Known<'_>) -> Self {
        let seconds = outlook::seconds(known.variants, known.ahead);
        Self {
            format_version: FORMAT_VERSION,
            dry_run: true,
            command: known.command,
            runs_there: known.there,
            runs_at_most: known.ahead.len(),
            seconds_at_most: seconds,
            runs: alike(known.variants, &known.names, known.ahead),
            finds: known.finds,
        }
    }

    /// For programs.
    pub fn output<'b>(&'b self, one: &'b DryRun) -> AheadOutput<'b> {
        AheadOutput {
            ahead: self,
            one_run: one,
        }
    }

    /// For people; `plan` is that of `one`.
    pub fn document(&self, one: &DryRun, plan: &Plan) -> Document {
        let mut document = Document::titled(format!("What this {} would send", self.command));
        let mut entries = Entries::default();
        let most = at_most(self.runs_there, self.runs_at_most, self.seconds_at_most);
        entries.add("Runs", most);
        entries.more(
            "beside that, each takes as long as its last answers, and the target's readiness",
        );
        entries.all("Finds", self.finds.iter().cloned());
        document.push(Section::new("").with(entries));
        document.push(Section::new("Runs").with(self.table()));
        for (index, mut section) in one.document(plan).sections.into_iter().enumerate() {
            if index == 0 {
                "One of them".clone_into(&mut section.heading);
            }
            document.push(section);
        }
        document
    }

    fn table(&self) -> Table {
        let mut columns = vec![Column::right("at most"), Column::right("each")];
        let several = self.runs.iter().any(|alike| alike.of.is_some());
        if several {
            columns.insert(0, Column::left("of"));
        }
        columns.push(Column::left("target"));
        let mut table = Table::new("load", columns);
        for alike in &self.runs {
            let of = several.then(|| Cell::of(alike.of.clone().unwrap_or_default()));
            let each = alike.seconds.map_or_else(|| "as it takes".to_owned(), span);
            let own = [
                Cell::of(counted(alike.runs_at_most as u64, "run")),
                Cell::of(each),
                Cell::of(alike.target.clone()),
            ];
            table.row(load(&alike.at), of.into_iter().chain(own).collect());
        }
        table
    }
}

fn load(at: &Coordinates) -> String {
    match (at.load, at.length) {
        (Some(load), _) => load.to_string(),
        (None, None) => "as the plan says".to_owned(),
        (None, Some(_)) => "not decided yet".to_owned(),
    }
}

/// Runs at the same coordinates in one row, in the order of the first of each.
fn alike(variants: &[Plan], names: &[String], ahead: &[Coordinates]) -> Vec<Alike> {
    let mut all: Vec<Alike> = Vec::new();
    for at in ahead {
        if let Some(known) = all.iter_mut().find(|known| known.at == *at) {
            known.runs_at_most += 1;
            continue;
        }
        let target = variants
            .get(at.variant)
            .map(|plan| redact_url(&plan.target));
        all.push(Alike {
            of: names
                .get(at.variant)
                .cloned()
                .filter(|_| variants.len() > 1),
            target: target.unwrap_or_default(),
            at: *at,
            runs_at_most: 1,
            seconds: outlook::seconds(variants, std::slice::from_ref(at)),
        });
    }
    all
}

/// `At most 3 runs, 90 s of warm-up and measurement`.
pub(crate) fn at_most(there: usize, ahead: usize, seconds: Option<f64>) -> String {
    let runs = to_come(there, ahead);
    match seconds {
        Some(seconds) => format!(
            "At most {runs}, {} of warm-up and measurement",
            span(seconds)
        ),
        None => format!("At most {runs}"),
    }
}

/// `3 runs`, or `3 more runs` where some are there.
pub(crate) fn to_come(there: usize, ahead: usize) -> String {
    let runs = if ahead == 1 { "run" } else { "runs" };
    match there {
        0 => format!("{ahead} {runs}"),
        _ => format!("{ahead} more {runs}"),
    }
}
