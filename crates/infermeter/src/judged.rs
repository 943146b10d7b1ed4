//! A run with its summary, findings and verdict: what `run` ends with and `report` begins with.

use crate::exit;
use infermeter_analysis::{Summary, all_failed, judge, slo_missed, summarize};
use infermeter_core::finding::Verdict;
use infermeter_core::run::{RunLog, RunState};
use infermeter_report::Style;
use serde_json::Value;
use std::io::IsTerminal;

/// A judged run.
#[derive(Debug)]
pub struct Judged {
    /// The run; its manifest has verdict, findings and summary.
    pub log: RunLog,
    /// Every figure.
    pub summary: Summary,
    /// Whether it can be trusted.
    pub verdict: Verdict,
}

impl Judged {
    /// Computes everything from the record and writes it into the manifest.
    pub fn of(mut log: RunLog) -> Self {
        let summary = summarize(&log);
        let findings = judge(&log, &summary);
        let verdict = Verdict::of(&findings);
        log.manifest.findings = findings;
        log.manifest.verdict = Some(verdict);
        log.manifest.summary = serde_json::to_value(&summary).ok();
        Self {
            log,
            summary,
            verdict,
        }
    }

    /// The summary for a terminal.
    pub fn text(&self) -> String {
        let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let style = Style {
            color,
            ..Style::default()
        };
        let manifest = &self.log.manifest;
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
        let manifest = &self.log.manifest;
        infermeter_report::json(&self.summary, self.verdict, &manifest.findings, manifest)
    }

    /// The exit code.
    pub fn exit_code(&self, strict: bool) -> u8 {
        let worst_accepted = if strict {
            Verdict::Valid
        } else {
            Verdict::Questionable
        };
        if self.log.manifest.state == RunState::Interrupted {
            exit::INTERRUPTED
        } else if all_failed(&self.summary) {
            exit::TARGET
        } else if self.verdict > worst_accepted {
            exit::INVALID
        } else if slo_missed(&self.summary) {
            exit::MISSED
        } else {
            exit::OK
        }
    }
}
