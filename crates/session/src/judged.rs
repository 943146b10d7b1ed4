//! A run with its summary, findings and verdict: what `run` ends with and `report` begins with.

use crate::exit;
use infermeter_analysis::{
    PrecisionRun, Run, SloStatus, Summary, all_failed, judge, objectives, summarize,
};
use infermeter_core::finding::Verdict;
use infermeter_core::plan::Until;
use infermeter_core::run::{RunManifest, RunState};
use infermeter_core::source::RecordSource;
use infermeter_report::{Style, View};
use serde_json::Value;
use std::io::IsTerminal;

/// A judged run.
#[derive(Debug)]
pub struct Judged {
    /// The manifest with verdict, findings and summary.
    pub manifest: RunManifest,
    /// Every figure.
    pub summary: Summary,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// The run as far as a precision that was asked for goes.
    pub precision: Option<PrecisionRun>,
}

impl Judged {
    /// Computes everything from the record and writes it into the manifest. `run` comes from the
    /// same records.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn of<S: RecordSource>(
        mut run: Run,
        records: &S,
        until: Option<&Until>,
    ) -> Result<Self, S::Error> {
        let summary = summarize(&run, records)?;
        let precision = until.map(|until| PrecisionRun::of(&run, &summary, until));
        let findings = judge(&run, &summary);
        let verdict = Verdict::of(&findings);
        run.manifest.findings = findings;
        run.manifest.verdict = Some(verdict);
        run.manifest.summary = serde_json::to_value(&summary).ok();
        Ok(Self {
            manifest: run.manifest,
            summary,
            verdict,
            precision,
        })
    }

    /// The summary for a terminal.
    pub fn text(&self, view: View) -> String {
        let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let style = Style {
            color,
            view,
            ..Style::default()
        };
        let manifest = &self.manifest;
        infermeter_report::terminal(
            &self.summary,
            self.verdict,
            &manifest.findings,
            manifest,
            style,
        )
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let manifest = &self.manifest;
        infermeter_report::json(&self.summary, self.verdict, &manifest.findings, manifest)
    }

    /// The exit code.
    pub fn exit_code(&self, strict: bool) -> u8 {
        let worst_accepted = if strict {
            Verdict::Valid
        } else {
            Verdict::Questionable
        };
        if self.manifest.state == RunState::Interrupted {
            exit::INTERRUPTED
        } else if all_failed(&self.summary) {
            exit::TARGET
        } else if self.verdict > worst_accepted {
            exit::INVALID
        } else {
            match objectives(&self.summary) {
                Some(SloStatus::Missed) => exit::MISSED,
                Some(SloStatus::Undecided) => exit::UNDECIDED,
                Some(SloStatus::Met) | None => exit::OK,
            }
        }
    }
}
