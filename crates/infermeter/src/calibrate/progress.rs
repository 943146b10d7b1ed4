//! Progress of a ladder on standard error: one line redrawn on a terminal, one line per rung
//! elsewhere.

use crate::output;
use crate::screen::{self, Drawing};
use infermeter_core::certificate::Rung;
use infermeter_core::record::StampSource;
use infermeter_report::number;
use infermeter_session::calibrate::spec::Spec;

/// Draws the progress.
#[derive(Debug)]
pub(crate) struct LadderProgress {
    drawing: Drawing,
    rungs: usize,
}

impl LadderProgress {
    /// For a ladder of so many rungs.
    pub fn new(quiet: bool, rungs: usize) -> Self {
        Self {
            drawing: Drawing::choose(quiet),
            rungs,
        }
    }

    /// A rung begins; the one before it, where there is one, is shown with its result.
    pub fn begin(&self, number: usize, spec: Spec, before: Option<&Rung>) {
        if self.drawing == Drawing::Over {
            let before = before.map(|rung| format!("   (before: {})", result(rung)));
            let line = format!(
                "{} {spec}{}",
                self.place(number),
                before.unwrap_or_default()
            );
            screen::draw_over(&line);
        }
    }

    /// A rung has ended.
    pub fn end(&self, number: usize, rung: &Rung) {
        if self.drawing == Drawing::Lines {
            output::note(&format!("{} {}", self.place(number), result(rung)));
        }
    }

    /// The ladder has ended.
    pub fn clear(&self) {
        if self.drawing == Drawing::Over {
            screen::draw_over("");
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
        (_, Some(worst)) => format!("{name}: error p99 {}", number::time(worst / 1e3)),
        (_, None) => {
            let reached = number::significant(rung.per_s());
            format!("{name}: {reached} {}", rung.kind.unit())
        }
    }
}
