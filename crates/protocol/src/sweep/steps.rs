//! What a curve needs next: the levels, the breaking point, recovery, the sustained test.
//!
//! Each phase gives a step while it needs one; they follow each other. Invariant: a phase that has its answer
//! never gives a step again, whatever the later ones measure.

use super::{BREAKING_DOUBLINGS, Curve, DOUBLINGS_BEYOND_GIVEN, Measured, RECOVERY_RUNS};
use crate::{Coordinates, Intensity, Length, RunPoint};
use infermeter_analysis::{Highest, Level, SloStatus, answers, is_overloaded, knee, run_status};
use infermeter_core::plan::{MAX_RATE, Warmup};

/// A level may lie so far below the first one.
const LOWEST_SHARE: f64 = 1.0 / 64.0;

/// A closed loop is past saturation where doubling its slots brings less than this.
const CLOSED_GAIN: f64 = 1.05;

/// Levels on both sides of the knee that lie further apart are refined.
const KNEE_GAP: f64 = 1.25;

/// Most slots that a sweep finds by itself.
const MOST_SLOTS: f64 = 4_096.0;

impl Curve<'_> {
    /// Where the next run is measured; `None` once the curve has everything.
    pub(super) fn next(&self) -> Option<Coordinates> {
        self.next_level()
            .or_else(|| self.next_recovery())
            .or_else(|| self.next_sustained())
    }

    /// The runs that may still be needed, at worst.
    pub(super) fn ahead(&self) -> Vec<Coordinates> {
        let spec = &self.sweep.spec;
        let mut all: Vec<Coordinates> = match self.next_level() {
            None => Vec::new(),
            Some(_) => self.levels_ahead(),
        };
        if spec.breaking_point && self.next_level().is_some() || self.next_recovery().is_some() {
            let left = RECOVERY_RUNS.saturating_sub(self.recovery.len());
            all.extend(vec![self.recovery_at(self.base()); left]);
        }
        if let Some(time) = spec.sustain {
            let left = (spec.sustain_runs as usize).saturating_sub(self.sustained.len());
            let needed = self.next_level().is_some() || self.next_sustained().is_some();
            let at = Coordinates {
                variant: self.variant,
                load: self.sustained_rate().map(Intensity::Rate),
                length: Some(Length::Time(time)),
                warmup: None,
            };
            all.extend(vec![at; if needed { left } else { 0 }]);
        }
        all
    }

    fn levels_ahead(&self) -> Vec<Coordinates> {
        let sweep = self.sweep;
        let unknown = Coordinates {
            variant: self.variant,
            ..Coordinates::default()
        };
        let breaking = match sweep.spec.breaking_point {
            true => self.doublings_left(),
            false => 0,
        };
        let Some(given) = sweep.given() else {
            let left = (sweep.spec.max_runs as usize).saturating_sub(self.runs);
            // Before saturation the doublings are bounded by the number of runs, these included.
            let left = match (self.curve_level(), sweep.spec.breaking_point) {
                (None, _) => breaking,
                (Some(_), true) => left + BREAKING_DOUBLINGS,
                (Some(_), false) => left,
            };
            return self.found_ahead(left);
        };
        let mut all: Vec<Coordinates> = given.iter().flat_map(|load| self.left_of(*load)).collect();
        all.truncate((sweep.spec.max_runs as usize).saturating_sub(self.runs));
        all.extend(vec![unknown; breaking]);
        all
    }

    /// The runs that a level may still get.
    fn left_of(&self, load: f64) -> Vec<Coordinates> {
        let most = self.sweep.looks().most;
        let known = self.levels.iter().find(|m| m.level.load == load);
        let (runs, left) = known.map_or((0, most), |m| (m.level.runs, m.left));
        let indices = runs..runs + left;
        indices
            .map(|index| self.sweep.at(self.variant, load, index))
            .collect()
    }

    /// So many runs of levels that are found: those that levels may still get, which are the longest, and then
    /// those of one new level after the other.
    fn found_ahead(&self, runs: usize) -> Vec<Coordinates> {
        let sweep = self.sweep;
        let mut all: Vec<Coordinates> = self
            .levels
            .iter()
            .flat_map(|m| self.left_of(m.level.load))
            .collect();
        all.sort_by_key(|at| {
            std::cmp::Reverse(match at.length {
                Some(Length::Times(times)) => times,
                _ => 1,
            })
        });
        let new = (0..sweep.looks().most).cycle().map(|index| Coordinates {
            variant: self.variant,
            length: sweep.length(index),
            ..Coordinates::default()
        });
        all.into_iter().chain(new).take(runs).collect()
    }

    fn next_level(&self) -> Option<Coordinates> {
        let load = self.curve_level().or_else(|| self.breaking_level())?;
        let known = self.levels.iter().find(|m| m.level.load == load);
        let runs = known.map_or(0, |m| m.level.runs);
        Some(self.sweep.at(self.variant, load, runs))
    }

    /// The next level of the curve itself: first every level as often as each one is measured, up to saturation,
    /// then longer runs of those that are undecided, then new ones between.
    fn curve_level(&self) -> Option<f64> {
        if self.runs >= self.sweep.spec.max_runs as usize {
            return None;
        }
        if let Some(begun) = self.own().find(|m| m.is_begun) {
            return Some(begun.level.load);
        }
        match self.sweep.given() {
            Some(given) => {
                let measured = |load: &&f64| self.levels.iter().any(|m| m.level.load == **load);
                let past = self.first_overloaded();
                let worth = |load: &&f64| past.is_none_or(|past| **load < past);
                let mut left = given.iter().filter(worth);
                let next = left.find(|load| !measured(load)).copied();
                next.or_else(|| self.undecided())
            }
            None => self.found_level(),
        }
    }

    /// The levels of the curve itself, without those on the way to the breaking point.
    fn own(&self) -> impl Iterator<Item = &Measured> {
        let given = self.sweep.given();
        let own = move |m: &&Measured| given.is_none_or(|given| given.contains(&m.level.load));
        self.levels.iter().filter(own)
    }

    /// The level to be measured for longer: the middle one of those that are undecided where the answer lies. One
    /// below a level that is met, or above one that is missed, would say nothing of it.
    fn undecided(&self) -> Option<f64> {
        let Highest { met, missed } = self.highest();
        let matters = |m: &&Measured| {
            m.left > 0
                && met.is_none_or(|met| m.level.load > met)
                && missed.is_none_or(|missed| m.level.load < missed)
        };
        let open: Vec<f64> = self.own().filter(matters).map(|m| m.level.load).collect();
        open.get(open.len() / 2).copied()
    }

    fn levels(&self) -> impl DoubleEndedIterator<Item = &Level> {
        self.levels.iter().map(|measured| &measured.level)
    }

    /// The lowest level that the server cannot take.
    pub(super) fn first_overloaded(&self) -> Option<f64> {
        self.levels()
            .find(|level| level.overloaded)
            .map(|level| level.load)
    }

    /// Doubling to beyond saturation, longer runs, halving where nothing meets, then the boundary, then the knee.
    fn found_level(&self) -> Option<f64> {
        let Some(highest) = self.levels().next_back() else {
            return Some(self.sweep.start);
        };
        if !self.is_past_saturation() {
            let most = if self.sweep.spec.is_closed() {
                MOST_SLOTS
            } else {
                MAX_RATE
            };
            let doubled = highest.load * 2.0;
            return (doubled <= most).then_some(doubled);
        }
        self.undecided()
            .or_else(|| self.lower())
            .or_else(|| self.boundary())
            .or_else(|| self.bend())
    }

    fn is_past_saturation(&self) -> bool {
        if self.first_overloaded().is_some() {
            return true;
        }
        let mut from_above = self.levels().rev();
        let (Some(last), Some(before)) = (from_above.next(), from_above.next()) else {
            return false;
        };
        let achieved = |level: &Level| level.achieved.map_or(0.0, |rate| rate.value);
        let flat = achieved(last) < CLOSED_GAIN * achieved(before);
        self.sweep.spec.is_closed() && flat
    }

    /// Half of the lowest level, while none meets the objectives.
    fn lower(&self) -> Option<f64> {
        let met = self.levels().any(|level| level.status == SloStatus::Met);
        let lowest = self.levels().next()?.load;
        let half = self.round(lowest / 2.0);
        let sensible = half >= self.sweep.start * LOWEST_SHARE && half < lowest;
        (!met && sensible).then_some(half)
    }

    /// Between the highest level that meets the objectives and the lowest that does not.
    fn boundary(&self) -> Option<f64> {
        let highest = self.highest();
        let (met, missed) = (highest.met?, highest.missed?);
        let gap = 1.0 + self.sweep.spec.resolution;
        // Levels between them are undecided: the answer lies around them.
        let above = self.levels().find(|level| level.load > met)?.load;
        let below = self.levels().rev().find(|level| level.load < missed)?.load;
        let lower = self.middle(met, above, gap);
        lower.or_else(|| self.middle(below, missed, gap))
    }

    /// Beside the knee, on its longer side.
    fn bend(&self) -> Option<f64> {
        let all: Vec<Level> = self.levels().cloned().collect();
        let knee = knee(&all)?.load;
        let at = all.iter().position(|level| level.load == knee)?;
        let (below, above) = (all[at - 1].load, all.get(at + 1)?.load);
        let gap = (1.0 + 2.0 * self.sweep.spec.resolution).max(KNEE_GAP);
        match knee / below > above / knee {
            true => self.middle(below, knee, gap),
            false => self.middle(knee, above, gap),
        }
    }

    /// The geometric middle of two levels that lie further apart than `gap`.
    fn middle(&self, low: f64, high: f64, gap: f64) -> Option<f64> {
        let middle = self.round((low * high).sqrt());
        (high / low > gap && middle > low && middle < high).then_some(middle)
    }

    /// Three significant digits: the ledger gives them back to the bit. Slots are whole.
    fn round(&self, load: f64) -> f64 {
        if self.sweep.spec.is_closed() {
            return load.round();
        }
        let scale = 10_f64.powi(2 - load.log10().floor() as i32);
        let rounded = (load * scale).round() / scale;
        // Exactly what the text of these digits reads as.
        format!("{rounded:.12}").parse().unwrap_or(rounded)
    }

    pub(super) fn highest(&self) -> Highest {
        let all: Vec<Level> = self.levels().cloned().collect();
        Highest::of(&answers(&all))
    }

    /// Twice the highest level, until a tenth of the requests fails.
    fn breaking_level(&self) -> Option<f64> {
        let wanted = self.sweep.spec.breaking_point && self.broken().is_none();
        if !wanted || self.doublings_left() == 0 {
            return None;
        }
        let doubled = self.levels().next_back()?.load * 2.0;
        (doubled <= MAX_RATE).then_some(doubled)
    }

    fn doublings_left(&self) -> usize {
        let overloaded = self.levels().filter(|level| level.overloaded).count();
        let by_overload = match overloaded {
            0 => usize::MAX,
            some => (1 + BREAKING_DOUBLINGS).saturating_sub(some),
        };
        let by_number = match self.sweep.given() {
            Some(given) => {
                let highest = given.last().copied().unwrap_or(0.0);
                let beyond = self.levels().filter(|level| level.load > highest).count();
                DOUBLINGS_BEYOND_GIVEN.saturating_sub(beyond)
            }
            None => {
                (self.sweep.spec.max_runs as usize + BREAKING_DOUBLINGS).saturating_sub(self.runs)
            }
        };
        by_overload.min(by_number)
    }

    /// The lowest level at which a tenth of the requests fails.
    pub(super) fn broken(&self) -> Option<&Level> {
        let failing = |level: &&Level| {
            level
                .failed
                .is_some_and(|share| share >= infermeter_analysis::limits::FAILED)
        };
        self.levels().find(failing)
    }

    fn base(&self) -> Option<f64> {
        self.highest()
            .met
            .or_else(|| Some(self.levels().next()?.load))
    }

    fn recovery_at(&self, load: Option<f64>) -> Coordinates {
        Coordinates {
            variant: self.variant,
            load: load.map(|load| self.sweep.load(load)),
            length: None,
            warmup: Some(Warmup::NONE),
        }
    }

    /// The highest load that was met, at once after the breaking point and without a warm-up.
    fn next_recovery(&self) -> Option<Coordinates> {
        let recovered = self
            .recovery
            .last()
            .is_some_and(|point| has_recovered(point));
        let wanted = self.sweep.spec.breaking_point && self.first_overloaded().is_some();
        if !wanted || recovered || self.recovery.len() >= RECOVERY_RUNS {
            return None;
        }
        Some(self.recovery_at(Some(self.base()?)))
    }

    fn sustained_rate(&self) -> Option<f64> {
        Some(self.round(self.highest().met? * self.sweep.spec.sustain_share))
    }

    fn next_sustained(&self) -> Option<Coordinates> {
        let spec = &self.sweep.spec;
        let (time, rate) = (spec.sustain?, self.sustained_rate()?);
        let more = self.sustained.len() < spec.sustain_runs as usize;
        more.then_some(Coordinates {
            variant: self.variant,
            load: Some(Intensity::Rate(rate)),
            length: Some(Length::Time(time)),
            warmup: None,
        })
    }
}

/// The server serves as before: the objectives are met, or nothing fails and nothing grows.
pub(super) fn has_recovered(point: &RunPoint) -> bool {
    let seen = &point.seen;
    let status = run_status(&seen.summary, seen.verdict);
    !is_overloaded(&seen.summary) && status == SloStatus::Met
}
