//! The answers of a family of changes: which are shown, which are shown to be small, and which are open.
//!
//! Invariant: the exact signed-rank test decides, adjusted over the whole family as it was declared; the
//! family does not shrink because one of its figures is missing.

use super::change::{COMPARE_ALPHA, PairedChange};
use infermeter_stats::{
    SIGNED_RANK_LIMIT, holm, least_pairs, pairs_to_detect, pairs_to_show_equivalence,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The power that further rounds are planned for.
pub(crate) const POWER: f64 = 0.8;

/// What is known of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The other side is better.
    Better,
    /// The other side is worse.
    Worse,
    /// Better, by less than the margin.
    BetterWithinMargin,
    /// Worse, by less than the margin.
    WorseWithinMargin,
    /// No difference was shown, and none as large as the margin is plausible.
    Equivalent,
    /// None of these.
    Undecided,
    /// Too few rounds have the figure on both sides for any answer.
    NotTested,
}

impl Answer {
    /// A difference was shown.
    pub fn is_difference(self) -> bool {
        match self {
            Self::Better | Self::Worse | Self::BetterWithinMargin | Self::WorseWithinMargin => true,
            Self::Equivalent | Self::Undecided | Self::NotTested => false,
        }
    }

    /// The other side was shown to be worse, by how much or little ever.
    pub fn is_worse(self) -> bool {
        matches!(self, Self::Worse | Self::WorseWithinMargin)
    }
}

/// A change of the primary family, with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The answer.
    pub answer: Answer,
    /// p-value of the signed-rank test, adjusted over the family (Holm); absent where it could not be
    /// made.
    pub adjusted_p: Option<f64>,
}

/// The answers of a family, in its order; a change that is absent could not be tested.
pub fn decide(family: &[Option<PairedChange>], margin: f64) -> Vec<Decision> {
    let least = least_rounds(1);
    let tested = |change: &&PairedChange| change.pairs >= least;
    let changes: Vec<Option<&PairedChange>> = family
        .iter()
        .map(|change| change.as_ref().filter(tested))
        .collect();
    let p_values: Vec<Option<f64>> = changes
        .iter()
        .map(|change| change.map(|change| change.signed_rank_p))
        .collect();
    let adjusted = holm(&p_values);
    changes
        .iter()
        .zip(adjusted)
        .map(|(change, adjusted_p)| Decision {
            answer: match (change, adjusted_p) {
                (Some(change), Some(p)) => answer(change, p, margin),
                _ => Answer::NotTested,
            },
            adjusted_p,
        })
        .collect()
}

fn answer(change: &PairedChange, adjusted_p: f64, margin: f64) -> Answer {
    let differs = adjusted_p <= COMPARE_ALPHA;
    match (differs, change.is_within(margin), change.is_improvement()) {
        (true, false, true) => Answer::Better,
        (true, false, false) => Answer::Worse,
        (true, true, true) => Answer::BetterWithinMargin,
        (true, true, false) => Answer::WorseWithinMargin,
        (false, true, _) => Answer::Equivalent,
        (false, false, _) => Answer::Undecided,
    }
}

/// The fewest rounds with which a rank test of a family of so many changes can show anything.
pub fn least_rounds(family: usize) -> usize {
    least_pairs(COMPARE_ALPHA / family.max(1) as f64)
}

/// Rounds beyond those at hand after which a change would be decided, if it and its spread are as they
/// look, with a chance of `POWER`; absent where more than 200 rounds would be needed.
pub fn more_rounds(change: &PairedChange, family: usize, margin: f64) -> Option<usize> {
    let (effect, std) = (change.tested(), change.std?);
    let alpha = COMPARE_ALPHA / family.max(1) as f64;
    let by_difference = match std > 0.0 {
        true => pairs_to_detect(effect / std, alpha, POWER, SIGNED_RANK_LIMIT).ok()?,
        false => Some(least_rounds(family)),
    };
    let margin = change.margin(margin);
    let (effect, most) = (effect.abs(), SIGNED_RANK_LIMIT);
    let by_equivalence = pairs_to_show_equivalence(effect, margin, std, COMPARE_ALPHA, POWER, most);
    let both = [by_difference, by_equivalence.ok()?];
    let needed = both.into_iter().flatten().min()?;
    Some(needed.saturating_sub(change.pairs).max(1))
}

#[cfg(test)]
mod tests {
    use super::super::axis::{Better, Scale};
    use super::super::change::Pair;
    use super::*;

    fn change(changes: &[f64]) -> Option<PairedChange> {
        let pairs: Vec<Pair> = changes
            .iter()
            .map(|change| Pair {
                first: 10.0,
                other: 10.0 * change,
            })
            .collect();
        PairedChange::of(&pairs, Better::Lower, Scale::Ratio)
    }

    const SLOWER: [f64; 8] = [1.05, 1.06, 1.04, 1.055, 1.045, 1.052, 1.048, 1.05];
    const BARELY: [f64; 8] = [1.011, 1.012, 1.008, 1.01, 1.009, 1.013, 1.007, 1.01];
    const SAME: [f64; 8] = [1.01, 0.99, 1.005, 0.996, 1.002, 0.998, 1.004, 0.995];
    const WILD: [f64; 8] = [1.2, 0.8, 1.1, 0.9, 1.15, 0.99, 1.02, 0.85];

    fn check(family: &[Option<PairedChange>], expect: &[Answer]) {
        let answers: Vec<Answer> = decide(family, 0.03).iter().map(|d| d.answer).collect();
        assert_eq!(answers, expect);
    }

    #[test]
    fn every_answer_has_its_case() {
        check(
            &[
                change(&SLOWER),
                change(&BARELY),
                change(&SAME),
                change(&WILD),
            ],
            &[
                Answer::Worse,
                Answer::WorseWithinMargin,
                Answer::Equivalent,
                Answer::Undecided,
            ],
        );
        let faster = SLOWER.map(|change| 1.0 / change);
        let barely = BARELY.map(|change| 1.0 / change);
        check(
            &[change(&faster), change(&barely), None, change(&SLOWER[..5])],
            &[
                Answer::Better,
                Answer::BetterWithinMargin,
                Answer::NotTested,
                Answer::NotTested,
            ],
        );
    }

    #[test]
    fn a_family_of_seven_needs_a_ninth_round() {
        assert_eq!([1, 3, 6, 7, 12].map(least_rounds), [6, 7, 8, 9, 9]);
        let family = vec![change(&SLOWER); 7];
        let found = decide(&family, 0.03);
        assert!(
            found.iter().all(|d| d.answer == Answer::Undecided),
            "{found:?}"
        );
        assert_eq!(found[0].adjusted_p, Some(7.0 * 2.0 / 256.0));
    }

    #[test]
    fn more_rounds_are_named_where_they_would_help() {
        let more = |changes: &[f64]| more_rounds(&change(changes).expect("pairs"), 4, 0.03);
        assert_eq!(more(&WILD), None, "more than 200");
        let loose = [1.04, 0.97, 1.02, 0.98, 1.03, 0.99, 1.01, 0.96];
        let found = more(&loose).expect("some");
        assert!((1..12).contains(&found), "{found}");
        assert_eq!(more(&SLOWER[..6]), Some(2));
    }
}
