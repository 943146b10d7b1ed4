//! Progress of a ladder on standard error: one line redrawn on a terminal, one line per rung
//! elsewhere.

use super::render::micros;
use crate::output;
use infermeter_core::certificate::Rung;
use infermeter_core::record::StampSource;
use infermeter_session::calibrate::spec::Spec;
use std::io::{IsTerminal, Write};

/// Draws the progress.
#[derive(Debug)]
pub struct LadderProgress {
    mode: Mode,
    rungs: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Plain,
    Terminal,
}

impl LadderProgress {
    /// For a ladder of so many rungs.
    pub fn new(quiet: bool, rungs: usize) -> Self {
        let mode = match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Mode::Off,
            (false, true) => Mode::Terminal,
            (false, false) => Mode::Plain,
        };
        Self { mode, rungs }
    }

    /// A rung begins; the one before it, where there is one, is shown with its result.
    pub fn begin(&self, number: usize, spec: Spec, before: Option<&Rung>) {
        if self.mode == Mode::Terminal {
            let before = before.map(|rung| format!("   (before: {})", result(rung)));
            let line = format!(
                "{} {spec}{}",
                self.place(number),
                before.unwrap_or_default()
            );
            let mut err = std::io::stderr().lock();
            // A closed standard error is no reason to stop measuring.
            let _ = write!(err, "\r\x1b[2K{line}").and_then(|()| err.flush());
        }
    }

    /// A rung has ended.
    pub fn end(&self, number: usize, rung: &Rung) {
        if self.mode == Mode::Plain {
            output::note(&format!("{} {}", self.place(number), result(rung)));
        }
    }

    /// The ladder has ended.
    pub fn clear(&self) {
        if self.mode == Mode::Terminal {
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K");
        }
    }

    fn place(&self, number: usize) -> String {
        format!("[{:2}/{}]", number + 1, self.rungs)
    }
}

fn result(rung: &Rung) -> String {
    let name = &rung.name;
    match (&rung.spoilt, rung.worst_p99_us(StampSource::Kernel)) {
        (Some(spoilt), _) if !rung.kind.is_ceiling() => {
            format!("{name}: not usable, {}", spoilt.evidence)
        }
        (_, Some(worst)) => format!("{name}: error p99 {}", micros(worst)),
        (_, None) => format!("{name}: {:.0} {}", rung.per_s(), rung.kind.unit()),
    }
}
