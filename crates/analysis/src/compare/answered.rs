//! Whether a side answers as the first one does: prompts of the load, asked of each alone and twice.
//!
//! Were both the same model on engines that compute alike, the side's answer would part from the first's as the first's own
//! second answer does; and the other way round. Each is a sign test over the prompts (see [`crate::answers`]). Every round
//! has prompts of its own, so that all of them count. Invariant: nothing is told apart by a count alone, and prompts are
//! compared with the very same ones only.

use super::{CompareSpec, LoadRounds};
use crate::answers::{
    Divergence, EXAMPLES, LEAST_PAIRS, Likeness, SignTest, by_test, early, is_early,
};
use crate::figure::Share;
use crate::limits::ANSWER_TEST;
use crate::requests::share_on;
use infermeter_core::answer::Fingerprint;
use infermeter_core::request::RequestId;
use infermeter_core::run::ReferenceAnswers;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A side's answers beside the first's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswersBeside {
    /// The side that is held against the first.
    pub side: usize,
    /// Prompts with two answers of each.
    pub prompts: u64,
    /// Requests ask for the same answer each time: greedy, or by a seed.
    pub deterministic_asked: bool,
    /// Second answers of the first side that are equal to its first ones.
    pub first_equal: Option<Share>,
    /// Second answers of the other side that are equal to its first ones.
    pub other_equal: Option<Share>,
    /// First answers of both that are equal.
    pub between_equal: Option<Share>,
    /// Where the first answers of both part, to 16 characters.
    pub between: Option<Divergence>,
    /// First answers of both that part within their first characters.
    pub early: Option<Share>,
    /// Against the first side's own two answers: which part earlier.
    pub against_first: SignTest,
    /// Against the other side's own two answers.
    pub against_other: SignTest,
    /// What that says.
    pub says: Likeness,
    /// Some requests whose answers part, the earliest first.
    pub examples: Vec<AnswerApart>,
}

/// A prompt whose answers part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerApart {
    /// Its round, from 1.
    pub round: usize,
    /// The request, by number.
    pub request: RequestId,
    /// Characters that both answers have in common at least.
    pub chars: u32,
}

/// Where the answers to one prompt part: absent where they are equal.
#[derive(Debug, Clone, Copy)]
struct Parting {
    round: usize,
    request: RequestId,
    first: Option<u32>,
    other: Option<u32>,
    between: Option<u32>,
}

/// Every other side beside the first; those for which no prompt was asked of both are absent.
pub(super) fn beside(asked: &CompareSpec, loads: &[LoadRounds<'_>]) -> Vec<AnswersBeside> {
    let of_side = |side| AnswersBeside::of(side, loads);
    asked.others().filter_map(of_side).collect()
}

impl AnswersBeside {
    fn of(side: usize, loads: &[LoadRounds<'_>]) -> Option<Self> {
        let (mut all, mut asked_alone, mut deterministic_asked) = (Vec::new(), false, true);
        for round in loads.iter().flat_map(|load| &load.rounds) {
            let setup = |side: usize| round.runs.get(side)?.as_ref()?.setup;
            let both = setup(0).zip(setup(side));
            let Some([first, other]) = both.and_then(|(first, other)| first.alone_with(other))
            else {
                continue;
            };
            asked_alone = true;
            deterministic_asked &= first.deterministic_asked && other.deterministic_asked;
            let pairs = paired(&first.answers, &other.answers);
            all.extend(pairs.filter_map(|(a, b)| Parting::of(round.number, a, b)));
        }
        asked_alone.then(|| Self::of_partings(side, &all, deterministic_asked))
    }

    fn of_partings(side: usize, all: &[Parting], deterministic_asked: bool) -> Self {
        let against = |own: fn(&Parting) -> Option<u32>| {
            SignTest::of(all.iter().map(|one| (one.between, own(one))))
        };
        // What parts at a mark's beginning may part at its end.
        let at_most = |one: &Parting| one.between.map(|chars| chars + Fingerprint::EVERY - 1);
        let mut found = Self {
            side,
            prompts: all.len() as u64,
            deterministic_asked,
            first_equal: equal(all, |one| one.first),
            other_equal: equal(all, |one| one.other),
            between_equal: equal(all, |one| one.between),
            between: Divergence::of(all.iter().filter_map(|one| one.between)),
            early: early(all.iter().map(at_most)),
            against_first: against(|one| one.first),
            against_other: against(|one| one.other),
            says: Likeness::Unknown,
            examples: examples(all),
        };
        found.says = found.likeness();
        found
    }

    fn likeness(&self) -> Likeness {
        if self.prompts < LEAST_PAIRS {
            return Likeness::Unknown;
        }
        if self.between.is_none() {
            return Likeness::Equal;
        }
        // A side whose own answers differ explains differences between the two: both are asked.
        match self.against_other.is_earlier(ANSWER_TEST) {
            true => by_test(&self.against_first, is_early(self.early.as_ref())),
            false => Likeness::NotToldApart,
        }
    }
}

impl Parting {
    /// Absent where one of the four answers is.
    fn of(round: usize, first: &ReferenceAnswers, other: &ReferenceAnswers) -> Option<Self> {
        Some(Self {
            round,
            request: first.id,
            first: first.first.parts_from(first.second.as_ref()?),
            other: other.first.parts_from(other.second.as_ref()?),
            between: first.first.parts_from(&other.first),
        })
    }
}

/// The answers of both to the same requests; each side's are in order.
fn paired<'a>(
    first: &'a [ReferenceAnswers],
    other: &'a [ReferenceAnswers],
) -> impl Iterator<Item = (&'a ReferenceAnswers, &'a ReferenceAnswers)> {
    first.iter().filter_map(|own| {
        let place = other.binary_search_by_key(&own.id, |answers| answers.id);
        Some((own, &other[place.ok()?]))
    })
}

/// Of independent prompts.
fn equal(all: &[Parting], place: impl Fn(&Parting) -> Option<u32>) -> Option<Share> {
    let flags = all
        .iter()
        .map(|one| f64::from(u8::from(place(one).is_none())));
    let flags: Vec<f64> = flags.collect();
    share_on(&flags, flags.len() as f64)
}

fn examples(all: &[Parting]) -> Vec<AnswerApart> {
    let apart = all.iter().filter_map(|one| {
        Some(AnswerApart {
            round: one.round,
            request: one.request,
            chars: one.between?,
        })
    });
    let mut apart: Vec<AnswerApart> = apart.collect();
    apart.sort_unstable_by_key(|one| (one.chars, one.round, one.request));
    apart.truncate(EXAMPLES);
    apart
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(n: u64, of: impl Fn(u64) -> [Option<u32>; 3]) -> AnswersBeside {
        let parting = |request| {
            let [first, other, between] = of(request);
            Parting {
                round: 1,
                request,
                first,
                other,
                between,
            }
        };
        let all: Vec<Parting> = (0..n).map(parting).collect();
        AnswersBeside::of_partings(1, &all, true)
    }

    #[test]
    fn equal_answers_are_equal_and_a_few_say_nothing() {
        assert_eq!(prompts(60, |_| [None; 3]).says, Likeness::Equal);
        assert_eq!(prompts(5, |_| [None; 3]).says, Likeness::Unknown);
    }

    #[test]
    fn another_model_parts_early_and_another_engine_late() {
        let other = prompts(60, |id| [None, None, Some(id as u32 % 2 * 16)]);
        assert_eq!(other.says, Likeness::Different);
        assert_eq!(
            (other.against_first.earlier, other.against_first.later),
            (60, 0)
        );
        assert_eq!(other.examples.len(), EXAMPLES);
        let engine = prompts(60, |id| [None, None, (id % 2 == 0).then_some(208)]);
        assert_eq!(engine.says, Likeness::NearTies);
        let few = prompts(60, |id| [None, None, (id < 5).then_some(0)]);
        assert_eq!(
            few.says,
            Likeness::NotToldApart,
            "five of sixty are not beyond chance"
        );
    }

    /// Sampling without a seed: all three pairs differ alike.
    #[test]
    fn answers_that_never_repeat_are_not_told_apart() {
        let found = prompts(60, |id| {
            let place = |late: bool| Some(if late { 80 } else { 32 });
            [place(id % 2 == 0), place(id % 3 == 0), place(id % 2 == 1)]
        });
        assert_eq!(found.says, Likeness::NotToldApart);
    }

    #[test]
    fn answers_are_paired_by_request() {
        let answers = |ids: &[u64], text: &str| -> Vec<ReferenceAnswers> {
            let of_id = |id: &u64| ReferenceAnswers {
                id: *id,
                first: Fingerprint::of(text),
                second: (*id != 4).then(|| Fingerprint::of(text)),
            };
            ids.iter().map(of_id).collect()
        };
        let (first, other) = (answers(&[1, 3, 4, 9], "a"), answers(&[2, 3, 4, 8, 9], "b"));
        let pairs = paired(&first, &other);
        let found: Vec<Parting> = pairs.filter_map(|(a, b)| Parting::of(2, a, b)).collect();
        let ids: Vec<u64> = found.iter().map(|one| one.request).collect();
        assert_eq!(ids, [3, 9], "4 has one answer only");
        assert!(
            found
                .iter()
                .all(|one| one.between == Some(0) && one.first.is_none())
        );
    }
}
