//! A judged run on a terminal or as JSON, and progress meanwhile.

use crate::exit;
use crate::output;
use crate::progress::Progress;
use infermeter_report::{Style, View};
use infermeter_runner::progress::Snapshot;
use infermeter_session::judged::Judged;
use infermeter_session::observer::Observer;
use serde_json::Value;
use std::cell::RefCell;
use std::io::IsTerminal;

/// Standard output's style.
pub fn style(view: View) -> Style {
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    Style {
        color,
        view,
        ..Style::default()
    }
}

/// The summary for a terminal.
pub fn text(judged: &Judged, view: View) -> String {
    let manifest = &judged.manifest;
    let findings = &manifest.findings;
    infermeter_report::terminal(
        &judged.summary,
        judged.verdict,
        findings,
        manifest,
        style(view),
    )
}

/// The same as JSON.
pub fn json(judged: &Judged) -> Value {
    let manifest = &judged.manifest;
    infermeter_report::json(
        &judged.summary,
        judged.verdict,
        &manifest.findings,
        manifest,
    )
}

/// The exit code.
pub fn exit_code(judged: &Judged, strict: bool) -> u8 {
    exit::of_run(
        judged.manifest.state,
        &judged.summary,
        judged.verdict,
        strict,
    )
}

/// What `--full` shows.
pub fn view(full: bool) -> View {
    match full {
        true => View::Full,
        false => View::Summary,
    }
}

/// Shows on standard error how a measurement goes.
#[derive(Debug)]
pub struct Terminal {
    quiet: bool,
    progress: RefCell<Progress>,
}

impl Terminal {
    /// Shows nothing where `quiet`.
    pub fn new(quiet: bool) -> Self {
        Self {
            quiet,
            progress: RefCell::new(Progress::new(quiet)),
        }
    }
}

impl Observer for Terminal {
    fn note(&self, line: &str) {
        if !self.quiet {
            output::note(line);
        }
    }

    fn progress(&self, snapshot: &Snapshot) {
        self.progress.borrow_mut().show(snapshot);
    }

    fn progress_ended(&self) {
        // The next run's progress begins anew.
        self.progress.replace(Progress::new(self.quiet)).end();
    }
}
