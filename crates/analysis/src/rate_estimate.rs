//! The highest rate of a curve of levels: by the law of margins where the levels support it, else their bracket.
//!
//! The law is that of [`highest_rate`](crate::highest_rate), over every run of every level. It needs margins to
//! fit: levels on both sides of the answer, and at least two near it. What it says must lie between levels that were
//! measured, and not contradict one that is decided. Invariant: an interval of the law is never shown for levels that do not support it.

use crate::CONFIDENCE;
use crate::highest_rate::{FAR, FoundRate, Probe, together};
use crate::objective::SloStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Levels that the law needs, and how many of them within twice and half of the limit: a line needs two points,
/// and one beyond them that says on which side it goes on.
const LEVELS: usize = 3;
const NEAR_LEVELS: usize = 2;
/// How long a run near the limit has to be, in seconds: the longest of a search, which the law was tried on. Of 200
/// simulated sweeps with runs of a minute to four, its interval held the truth in a third.
const LONG_S: f64 = 600.0;

/// The highest load that meets an objective lies between two levels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Highest {
    /// The highest level (requests per second, or slots) that meets it, below the lowest that misses it; absent where none does.
    pub met: Option<f64>,
    /// The lowest level (requests per second, or slots) that misses it; absent where none does.
    pub missed: Option<f64>,
}

impl Highest {
    /// Of the levels' answers, by ascending load.
    pub fn of(answers: &[LoadAnswer]) -> Self {
        let missed = answers.iter().find(|a| a.status == SloStatus::Missed);
        let missed = missed.map(|answer| answer.load);
        let below = |answer: &&LoadAnswer| {
            answer.status == SloStatus::Met && missed.is_none_or(|missed| answer.load < missed)
        };
        Self {
            met: answers.iter().rev().find(below).map(|answer| answer.load),
            missed,
        }
    }
}

/// An answer at a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadAnswer {
    /// The load.
    pub load: f64,
    /// The answer there.
    pub status: SloStatus,
}

/// Loads that miss below loads that meet, where the answers ascend.
pub(crate) fn missed_below_met(answers: &[LoadAnswer]) -> Vec<f64> {
    let met = |answer: &&LoadAnswer| answer.status == SloStatus::Met;
    let highest = answers.iter().rfind(met).map(|answer| answer.load);
    let missed = answers.iter().filter(|answer| {
        answer.status == SloStatus::Missed && highest.is_some_and(|met| answer.load < met)
    });
    missed.map(|answer| answer.load).collect()
}

/// How the highest rate is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum RateEstimate {
    /// The law of margins over all runs.
    Law {
        /// With its 95 % interval.
        rate: FoundRate,
        /// Runs it rests on.
        runs: usize,
    },
    /// The levels alone: they bracket it.
    Bracket {
        /// Why there is no law.
        why: NoLaw,
    },
}

/// Why the law of margins is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoLaw {
    /// The levels are no rates.
    ClosedLoop,
    /// There are no objectives, so there is nothing to be near to.
    NoObjectives,
    /// No run is beyond a limit, or every one is.
    OneSide,
    /// Fewer than three levels, or fewer than two within half and twice the limits; or the law's interval reaches
    /// beyond all of them.
    FewLevels,
    /// Fewer than two of the levels near the limits have a run of ten minutes: shorter ones near saturation are too
    /// kind, and the law does not make up for that.
    ShortRuns,
    /// A lower level is missed and a higher one met.
    NotMonotone,
    /// Its interval contradicts a level that is decided.
    Contradicted,
}

impl RateEstimate {
    /// Of the runs of levels (none in a closed loop), and of the levels' own answers.
    pub fn of(probes: Option<&[Probe]>, answers: &[LoadAnswer]) -> Self {
        match probes
            .ok_or(NoLaw::ClosedLoop)
            .and_then(|probes| law(probes, answers))
        {
            Ok((rate, runs)) => Self::Law { rate, runs },
            Err(why) => Self::Bracket { why },
        }
    }

    /// The law's rate, where it is used.
    pub fn law(&self) -> Option<FoundRate> {
        match self {
            Self::Law { rate, .. } => Some(*rate),
            Self::Bracket { .. } => None,
        }
    }
}

impl NoLaw {
    /// In words, behind "the levels alone: ".
    pub fn told(self) -> &'static str {
        match self {
            Self::ClosedLoop => "a closed loop has no rate to fit a law to",
            Self::NoObjectives => "without objectives there is no margin to fit a law to",
            Self::OneSide => "no run was measured on the other side of the limit",
            Self::FewLevels => "too few levels near the limit to fit a law",
            Self::ShortRuns => {
                "the runs near the limit are shorter than ten minutes, which is too short to fit a law"
            }
            Self::NotMonotone => "a lower level is missed and a higher one met, so no law fits",
            Self::Contradicted => "a law fitted to the margins contradicts a level that is decided",
        }
    }
}

fn law(probes: &[Probe], answers: &[LoadAnswer]) -> Result<(FoundRate, usize), NoLaw> {
    if !probes.is_empty() && probes.iter().all(|probe| probe.trials.is_empty()) {
        return Err(NoLaw::NoObjectives);
    }
    let told: Vec<Probe> = probes
        .iter()
        .filter(|p| p.worst().is_some())
        .cloned()
        .collect();
    let range = around(&told).ok_or(NoLaw::OneSide)?;
    if !missed_below_met(answers).is_empty() {
        return Err(NoLaw::NotMonotone);
    }
    let is_near = |probe: &&Probe| probe.worst().is_some_and(|margin| margin.abs() < FAR);
    if distinct(told.iter()) < LEVELS || distinct(told.iter().filter(is_near)) < NEAR_LEVELS {
        return Err(NoLaw::FewLevels);
    }
    let is_long = |probe: &&Probe| is_near(probe) && probe.seconds() >= LONG_S;
    if distinct(told.iter().filter(is_long)) < NEAR_LEVELS {
        return Err(NoLaw::ShortRuns);
    }
    let found = together(&told, range)
        .ok_or(NoLaw::OneSide)?
        .found(CONFIDENCE);
    let levels = || told.iter().map(|probe| probe.rate);
    let inside = levels().any(|rate| rate <= found.low) && levels().any(|rate| rate >= found.high);
    if !inside {
        return Err(NoLaw::FewLevels);
    }
    let bracket = Highest::of(answers);
    let above = bracket.met.is_some_and(|met| met > found.high);
    let below = bracket.missed.is_some_and(|missed| missed < found.low);
    match above || below {
        true => Err(NoLaw::Contradicted),
        false => Ok((found, told.len())),
    }
}

/// Where the answer can be: from well below the lowest rate that is beyond a limit to just above the highest that
/// is within.
fn around(probes: &[Probe]) -> Option<Range<f64>> {
    let rates = |beyond: bool| {
        let own = probes
            .iter()
            .filter(move |p| p.worst().is_some_and(|margin| (margin > 0.0) == beyond));
        own.map(|probe| probe.rate)
    };
    let (beyond, within) = (
        rates(true).reduce(f64::min)?,
        rates(false).reduce(f64::max)?,
    );
    Some(beyond.min(within) / 3.0..beyond.max(within) * 1.1)
}

fn distinct<'a>(probes: impl Iterator<Item = &'a Probe>) -> usize {
    let mut rates: Vec<f64> = probes.map(|probe| probe.rate).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    rates.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::highest_rate::Trial;

    fn probe(rate: f64, margin: f64) -> Probe {
        let trial = Trial {
            rate,
            margin,
            requests: 1_000.0 * rate,
            shortness: 0.0,
        };
        Probe {
            rate,
            trials: vec![Some(trial)],
        }
    }

    fn answer(load: f64, status: SloStatus) -> LoadAnswer {
        LoadAnswer { load, status }
    }

    /// A server whose figure is at its limit at 20.
    fn of_law(rates: &[f64]) -> Vec<Probe> {
        let margin = |rate: f64| (6.0 * (rate / 20.0_f64).ln()).clamp(-FAR, FAR);
        rates
            .iter()
            .map(|rate| probe(*rate, margin(*rate)))
            .collect()
    }

    #[test]
    fn levels_on_both_sides_and_near_give_an_interval_inside_their_bracket() {
        let bracket = [
            answer(19.0, SloStatus::Met),
            answer(22.0, SloStatus::Missed),
        ];
        let found = RateEstimate::of(Some(&of_law(&[10.0, 18.0, 19.0, 22.0, 40.0])), &bracket);
        let rate = found.law().expect("a law");
        assert!((rate.rate / 20.0 - 1.0).abs() < 0.02, "{rate:?}");
        assert!(19.0 <= rate.high && rate.low <= 22.0, "{rate:?}");
    }

    #[test]
    fn what_does_not_support_a_law_says_why() {
        let check = |probes: &[Probe], answers: &[LoadAnswer], why: NoLaw| {
            assert_eq!(
                RateEstimate::of(Some(probes), answers),
                RateEstimate::Bracket { why }
            );
        };
        let open: &[LoadAnswer] = &[];
        check(&[], open, NoLaw::OneSide);
        let without = Probe {
            rate: 1.0,
            trials: Vec::new(),
        };
        check(&[without], open, NoLaw::NoObjectives);
        check(&of_law(&[10.0, 15.0, 19.0]), open, NoLaw::OneSide);
        check(&of_law(&[10.0, 19.0, 40.0]), open, NoLaw::FewLevels);
        check(&of_law(&[19.0, 21.0]), open, NoLaw::FewLevels);
        let odd = [
            answer(10.0, SloStatus::Missed),
            answer(19.0, SloStatus::Met),
        ];
        check(&of_law(&[10.0, 19.0, 22.0]), &odd, NoLaw::NotMonotone);
        check(&of_law(&[19.9, 20.1, 20.2]), open, NoLaw::FewLevels);
        let mut short = of_law(&[10.0, 18.0, 19.0, 22.0, 40.0]);
        for trial in short.iter_mut().flat_map(|p| &mut p.trials).flatten() {
            trial.requests /= 10.0;
        }
        check(&short, open, NoLaw::ShortRuns);
        let elsewhere = [answer(30.0, SloStatus::Met)];
        let wide = of_law(&[10.0, 18.0, 19.0, 20.5, 22.0, 40.0]);
        check(&wide, &elsewhere, NoLaw::Contradicted);
    }
}
