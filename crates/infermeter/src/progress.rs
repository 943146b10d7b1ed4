//! Progress on standard error: a line redrawn on a terminal, or the full screen; a plain line every five
//! seconds elsewhere. Fed with snapshots, never on the measuring path.

mod display;
#[cfg(feature = "live")]
mod full;
mod line;
mod series;
#[cfg(feature = "live")]
mod tabs;

pub(crate) use display::Display;

use crate::output;
use crate::screen::{self, Drawing};
use infermeter_core::plan::Plan;
use infermeter_core::schedule::Phase;
use infermeter_runner::progress::Snapshot;
use series::Series;

#[cfg(feature = "live")]
use full::FullScreen;

/// Time between plain lines.
const PLAIN_NS: i64 = 5_000_000_000;

/// Draws progress.
#[derive(Debug)]
struct Progress {
    drawing: Drawing,
    #[cfg(feature = "live")]
    full: Option<FullScreen>,
    series: Series,
    last: Option<Snapshot>,
    drawn: bool,
    said_stopping: bool,
}

impl Progress {
    /// Chooses the mode by the plan and by what standard error is; `said` is what was told before.
    #[cfg_attr(
        not(feature = "live"),
        expect(
            unused_variables,
            reason = "only the full screen repeats what was said"
        )
    )]
    fn of(plan: &Plan, said: &[String]) -> Self {
        let drawing = Drawing::choose(plan.quiet);
        Self {
            #[cfg(feature = "live")]
            full: (plan.live && drawing == Drawing::Over)
                .then(|| FullScreen::open(plan, said))
                .flatten(),
            drawing,
            series: Series::default(),
            last: None,
            drawn: false,
            said_stopping: false,
        }
    }

    /// Shows a snapshot.
    fn show(&mut self, snapshot: &Snapshot) {
        self.series.add(snapshot);
        #[cfg(feature = "live")]
        if let Some(full) = &mut self.full {
            if full.show(snapshot, &self.series) {
                return;
            }
            self.full = None;
        }
        if !self.is_due(snapshot) {
            return;
        }
        self.said_stopping |= snapshot.stopping;
        let rate = self.series.tokens_per_s();
        match self.drawing {
            Drawing::Over => screen::draw_over(&line::bar(snapshot, rate)),
            Drawing::Lines => output::note(&line::plain(snapshot, rate)),
            Drawing::Off => return,
        }
        self.drawn = true;
        self.last = Some(snapshot.clone());
    }

    fn is_due(&self, snapshot: &Snapshot) -> bool {
        let stopping = snapshot.stopping && !self.said_stopping;
        let later = |last: &Snapshot| {
            last.phase != snapshot.phase || snapshot.elapsed.since(last.elapsed) >= PLAIN_NS
        };
        match self.drawing {
            Drawing::Off => false,
            Drawing::Over => true,
            Drawing::Lines => stopping || self.last.as_ref().is_none_or(later),
        }
    }

    /// Clears what was drawn.
    fn end(&mut self) {
        #[cfg(feature = "live")]
        {
            self.full = None;
        }
        if self.drawing == Drawing::Over && self.drawn {
            screen::draw_over("");
        }
    }
}

/// The phase in a word. After the window requests go on being sent, until the measured ones have ended.
pub(crate) fn phase(snapshot: &Snapshot) -> &'static str {
    match (snapshot.stopping, snapshot.phase) {
        (true, _) => "stopping",
        (false, Phase::Warmup) => "warm-up",
        (false, Phase::Measure) => "measuring",
        (false, Phase::Drain) => "finishing",
    }
}

/// How much of the load is over, where that is known.
pub(crate) fn share(snapshot: &Snapshot) -> Option<f64> {
    let passed = snapshot.elapsed.0.max(0) as f64 / 1e9;
    match snapshot.phase {
        Phase::Drain => Some(1.0),
        Phase::Warmup | Phase::Measure => {
            let all = passed + snapshot.left_s?;
            (all > 0.0).then_some(passed / all)
        }
    }
}
