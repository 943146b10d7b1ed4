//! Gates over pairs of runs that were sent the same load: the rounds of a comparison, or the levels of two sweeps.
//!
//! The pair is the unit, and the exact signed-rank test decides. Invariant: a pair counts where both runs have the
//! figure; where one has not, the criterion is inconclusive, since what is missing may be what got worse.

use super::{
    GATE_ERROR, Gate, GateAnswer, GateDoubt, GateFigures, GateForm, GateLine, Scale, Sides,
    is_level, threshold,
};
use crate::compare::{Better, Pair, PairedChange, Scale as PairScale};
use crate::objective::SloFigure;
use infermeter_core::gate::FailIf;
use infermeter_core::text::Word;
use infermeter_stats::{SIGNED_RANK_LIMIT, SignedRankPower, holm, least_pairs};

/// Two runs of one load.
#[derive(Debug, Clone, PartialEq)]
pub struct GatePair {
    /// Of the baseline.
    pub baseline: GateFigures,
    /// Of the candidate.
    pub candidate: GateFigures,
}

/// Pairs that are judged together.
#[derive(Debug, Clone, PartialEq)]
pub struct GatePairs {
    /// Which of several these are, in words: a side, a load; empty where there is one group.
    pub of: Word,
    /// What a pair is: rounds, or levels.
    pub form: GateForm,
    /// They.
    pub pairs: Vec<GatePair>,
    /// Levels that the baseline's server held and the candidate's did not.
    pub lost: usize,
}

impl Gate {
    /// Judges criteria on each group of pairs. The p-values of all changes are adjusted together.
    pub fn of_pairs(criteria: &[FailIf], groups: &[GatePairs]) -> Self {
        let changes = criteria.iter().filter(|c| !is_level(c)).count() * groups.len();
        let of_group = |group: &GatePairs| -> Vec<GateLine> {
            let each = criteria.iter().enumerate();
            each.map(|(index, criterion)| group.line(index, criterion, changes))
                .collect()
        };
        let mut lines: Vec<GateLine> = groups.iter().flat_map(of_group).collect();
        let p_values: Vec<Option<f64>> = changed(&mut lines).map(|line| line.p_value).collect();
        for (line, adjusted) in changed(&mut lines).zip(holm(&p_values)) {
            line.decide(adjusted);
        }
        for (line, lost) in lines.iter_mut().zip(lost_of(criteria.len(), groups)) {
            line.without(lost);
        }
        Self::of_lines(lines)
    }
}

fn changed(lines: &mut [GateLine]) -> impl Iterator<Item = &mut GateLine> {
    lines.iter_mut().filter(|line| line.form != GateForm::Level)
}

/// The levels that were lost, of the group of each line.
fn lost_of(criteria: usize, groups: &[GatePairs]) -> impl Iterator<Item = usize> + '_ {
    groups
        .iter()
        .flat_map(move |group| std::iter::repeat_n(group.lost, criteria))
}

impl GateLine {
    /// What is known of levels that both hold is no pass where others were lost.
    fn without(&mut self, lost: usize) {
        if lost > 0 && self.answer == GateAnswer::Pass {
            self.answer = GateAnswer::Inconclusive;
            self.doubt = Some(GateDoubt::LevelsLost { levels: lost });
        }
    }
}

impl GatePairs {
    fn sides(&self, index: usize) -> Sides {
        let of = |figures: fn(&GatePair) -> &GateFigures| -> Vec<SloFigure> {
            let runs = self.pairs.iter();
            runs.filter_map(|pair| figures(pair).get(index).cloned())
                .collect()
        };
        Sides {
            baseline: of(|pair| &pair.baseline),
            candidate: of(|pair| &pair.candidate),
        }
    }

    fn line(&self, index: usize, criterion: &FailIf, changes: usize) -> GateLine {
        let sides = self.sides(index);
        let line = match is_level(criterion) {
            true => sides.level(criterion, threshold(criterion)),
            false => sides.paired(criterion, self.form, changes),
        };
        GateLine {
            of: self.of.clone(),
            ..line
        }
    }
}

impl Sides {
    /// A change over pairs, judged but for the adjustment over all of them.
    fn paired(&self, criterion: &FailIf, form: GateForm, changes: usize) -> GateLine {
        let scale = Scale::of(criterion);
        let error = GATE_ERROR / changes.max(1) as f64;
        // One side of the test has half of the error of both.
        let least = least_pairs(2.0 * error);
        let missing = |side: &[SloFigure]| side.iter().filter(|f| f.value.is_none()).count();
        let without = GateDoubt::WithoutFigure {
            baseline: missing(&self.baseline),
            candidate: missing(&self.candidate),
        };
        let both = self.baseline.iter().zip(&self.candidate);
        let pairs = both.filter_map(|(first, other)| {
            Some(Pair {
                first: first.value?,
                other: other.value?,
            })
        });
        let pairs: Vec<Pair> = pairs.collect();
        let found = PairedChange::of(&pairs, scale.better(), scale.of_pairs());
        let worse = found.as_ref().map(|found| found.worsening);
        let threshold = threshold(criterion);
        let noise = found.as_ref().and_then(|found| found.std);
        GateLine {
            form,
            doubt: match &found {
                _ if pairs.len() < self.candidate.len() => Some(without),
                Some(_) if pairs.len() < least => Some(GateDoubt::TooFewRuns { needed: least }),
                Some(_) => None,
                None if self.candidate.is_empty() => Some(GateDoubt::TooFewRuns { needed: least }),
                None => Some(without),
            },
            worse: worse.map(|worse| worse.estimate),
            at_least: worse.and_then(|worse| worse.lower),
            at_most: worse.and_then(|worse| worse.upper),
            p_value: worse.map(|worse| worse.p_value),
            baseline_runs: pairs.len(),
            candidate_runs: pairs.len(),
            least_baseline_runs: Some(least),
            power: noise.and_then(|noise| power(pairs.len(), scale.shift(threshold), noise, error)),
            noise: noise.map(|noise| match scale.relative {
                true => noise.exp_m1(),
                false => noise,
            }),
            ..self.line(criterion)
        }
    }
}

/// The chance that pairs with this spread show a shift, at this one-sided error.
fn power(pairs: usize, shift: f64, noise: f64, error: f64) -> Option<f64> {
    let power = SignedRankPower::new(pairs.min(SIGNED_RANK_LIMIT), 2.0 * error).ok()?;
    // Pairs that do not differ at all show any change.
    Some(power.at(if noise > 0.0 { shift / noise } else { 1e3 }))
}

impl Scale {
    fn better(self) -> Better {
        match self.less_is_better {
            true => Better::Lower,
            false => Better::Higher,
        }
    }

    fn of_pairs(self) -> PairScale {
        match self.relative {
            true => PairScale::Ratio,
            false => PairScale::Difference,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(values: &[Option<f64>]) -> GateFigures {
        let figure = |value: &Option<f64>| SloFigure {
            unit: "ms".into(),
            value: *value,
            ..SloFigure::default()
        };
        values.iter().map(figure).collect()
    }

    /// Pairs whose candidates are worse by these factors.
    fn pairs(changes: &[f64]) -> GatePairs {
        let pair = |(number, change): (usize, &f64)| {
            let first = 100.0 + number as f64;
            GatePair {
                baseline: figures(&[Some(first)]),
                candidate: figures(&[Some(first * change)]),
            }
        };
        GatePairs {
            of: "B".into(),
            form: GateForm::PairedRounds,
            pairs: changes.iter().enumerate().map(pair).collect(),
            lost: 0,
        }
    }

    fn gate(criterion: &str, groups: &[GatePairs]) -> Gate {
        Gate::of_pairs(&[criterion.parse().expect("a gate")], groups)
    }

    const SAME: [f64; 8] = [1.001, 0.999, 1.002, 0.998, 1.003, 0.997, 1.0005, 0.9995];
    const SLOWER: [f64; 8] = [1.06, 1.061, 1.062, 1.063, 1.064, 1.065, 1.066, 1.067];

    #[test]
    fn rounds_pass_fail_and_tell_nothing() {
        let same = gate("ttft.p99>+5%", &[pairs(&SAME)]);
        assert_eq!(same.answer, GateAnswer::Pass, "{same:#?}");
        let slower = gate("ttft.p99>+5%", &[pairs(&SLOWER)]);
        let line = &slower.lines[0];
        assert_eq!((line.answer, line.of.as_ref()), (GateAnswer::Fail, "B"));
        assert_eq!(
            (line.form, line.p_value),
            (GateForm::PairedRounds, Some(1.0 / 256.0))
        );
        assert!(line.power > Some(0.99), "{line:?}");
        let few = gate("ttft.p99>+5%", &[pairs(&SLOWER[..4])]);
        let needed = Some(GateDoubt::TooFewRuns { needed: 5 });
        assert_eq!(
            (few.answer, few.lines[0].doubt),
            (GateAnswer::Inconclusive, needed)
        );
    }

    /// Two sides are two tests.
    #[test]
    fn groups_are_adjusted_together() {
        let five = gate("ttft.p99>+5%", &[pairs(&SLOWER[..5])]);
        assert_eq!(five.answer, GateAnswer::Fail);
        let two = gate("ttft.p99>+5%", &[pairs(&SLOWER[..5]), pairs(&SAME[..5])]);
        assert_eq!(two.lines[0].answer, GateAnswer::Inconclusive, "{two:#?}");
        assert_eq!(two.lines[0].least_baseline_runs, Some(6));
    }

    #[test]
    fn a_figure_that_is_missing_is_no_pass() {
        let mut group = pairs(&SAME);
        group.pairs[3].candidate = figures(&[None]);
        let found = gate("ttft.p99>+5%", &[group]);
        let doubt = Some(GateDoubt::WithoutFigure {
            baseline: 0,
            candidate: 1,
        });
        assert_eq!(
            (found.answer, found.lines[0].doubt),
            (GateAnswer::Inconclusive, doubt)
        );
        let none = gate("ttft.p99>+5%", &[pairs(&[])]);
        assert_eq!(none.answer, GateAnswer::Inconclusive);
    }

    #[test]
    fn a_level_that_was_lost_is_no_pass() {
        let lost = GatePairs {
            lost: 1,
            ..pairs(&SAME)
        };
        let found = gate("ttft.p99>+5%", &[lost]);
        assert_eq!(
            found.lines[0].doubt,
            Some(GateDoubt::LevelsLost { levels: 1 })
        );
        assert_eq!(found.answer, GateAnswer::Inconclusive);
    }
}
