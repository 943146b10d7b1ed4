//! A run that was measured, shown: as a document, as JSON, as a page, held against a baseline, with the exit code.
//!
//! It measures nothing. Invariant: whoever measured the run, one process or several, it is shown in the same way.

use super::gate::{self, Gating};
use crate::show::{self, Shown};
use crate::{exit, output, page};
use anyhow::Result;
use infermeter_analysis::Gated;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunState;
use infermeter_report::{Format, Notes};
use infermeter_session::finish::Ended;
use infermeter_session::judged::Judged;
use infermeter_session::kept::KeptRun;
use std::path::Path;

/// How what was measured is shown, and held against a baseline.
pub(super) struct Showing<'a> {
    /// What was asked for.
    pub plan: &'a Plan,
    /// In which form.
    pub shown: Shown,
    /// Against what it is held.
    pub gating: Option<&'a Gating>,
}

impl Showing<'_> {
    /// Shows a run whose record is in `directory`. The answer is the exit code.
    ///
    /// # Errors
    /// When its record is not complete, and when what is asked for beside the document cannot be had.
    pub fn ended(&self, ended: Ended, directory: &Path) -> Result<u8> {
        let plan = self.plan;
        let gating = self.gating.filter(|_| ended.unwritten.is_none());
        let gated = gating.map(|gating| gating.judge(directory));
        let found = gated.as_ref().and_then(|gated| gated.as_ref().ok());
        let whole = ended.unwritten.is_none();
        let judged = self.with_charts(ended.judged, directory, whole);
        self.show(&judged, found);
        if let Some(error) = ended.unwritten {
            return Err(error);
        }
        let mut codes = vec![show::exit_code(&judged, plan.strict)];
        if let (Some(gating), Some(gated)) = (gating, found) {
            if self.shown != Shown::Json {
                gating.print(gated, self.shown, plan.quiet);
            }
            codes.push(gating.code(gated));
        }
        self.place(judged.manifest.state, directory);
        page::write(plan.html.as_deref(), Some(directory), || {
            let document = show::of_run(&judged, page::PAGE.view(plan.full), Notes::Told);
            gate::in_page(document, found, page::PAGE)
        })?;
        gated.transpose()?;
        Ok(exit::gravest(&codes))
    }

    /// With what its charts show, where they will be seen: for that the record is read once more.
    fn with_charts(&self, judged: Judged, directory: &Path, whole: bool) -> Judged {
        let seen = self.shown == page::PAGE || self.plan.html.is_some();
        if !seen || !whole {
            return judged;
        }
        match KeptRun::open(directory).and_then(KeptRun::pictured) {
            Ok(pictured) => pictured,
            Err(error) => {
                output::note(&format!("note: there are no charts: {error}"));
                judged
            }
        }
    }

    fn show(&self, judged: &Judged, gated: Option<&Gated>) {
        let terminal = self.shown == Shown::Document(Format::Terminal);
        if self.plan.quiet && terminal {
            output::print(&format!("{}\n", judged.verdict.as_str()));
            for line in infermeter_report::not_met(&judged.summary) {
                output::note(&line);
            }
            return;
        }
        let (view, notes) = (
            self.shown.view(self.plan.full),
            show::notes(self.plan.notes),
        );
        let document = || gate::in_page(show::of_run(judged, view, notes), gated, self.shown);
        self.shown.print(document, || {
            let mut output = show::output_of_run(judged);
            output.gate = gated;
            output
        });
        if terminal {
            output::print("\n");
        }
    }

    /// Says where the record of a run in this state is.
    pub fn place(&self, state: RunState, directory: &Path) {
        let quiet = self.plan.quiet;
        let how = match (quiet, state) {
            (true, _) => "",
            (false, RunState::Interrupted) => "Interrupted; record in ",
            (false, RunState::Running | RunState::Finished) => "Record in ",
        };
        let line = format!("{how}{}", directory.display());
        self.shown.print_place(quiet, &line);
    }
}
