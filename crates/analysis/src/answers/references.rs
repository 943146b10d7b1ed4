//! Answers under load beside the answers to the very same prompts asked alone: how many are equal, where the others part,
//! and how the two solo answers part from each other.
//!
//! An answer under load that is sound differs from the first solo answer as the second solo answer does: which of the two
//! parts earlier is then a toss of a coin for each prompt, and a sign test over the prompts is exact, whatever the lengths
//! and however alike neighbours are. What a significant difference means is another matter: engines whose arithmetic
//! depends on the batch part at near-ties, late and where the margin is small; corruption and another model part early.
//! Invariant: a prompt without a second solo answer is counted, and decides nothing.

use super::{Checked, EXAMPLES};
use crate::figure::Share;
use crate::limits::{EARLY_CHARS, EARLY_SHARE, NEAR_TIE_MNAT, PLAIN_SHARE};
use crate::requests::{share_of, share_on};
use crate::run::Run;
use infermeter_core::answer::{Reference, Repeat};
use infermeter_core::request::RequestId;
use infermeter_core::run::ReferencePasses;
use infermeter_stats::mcnemar;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Prompts below which no sign test reaches the level of these tests: 2 / 2^15 does, 2 / 2^14 does not.
pub(crate) const LEAST_PAIRS: u64 = 15;

/// Answers beside their references.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceSummary {
    /// Prompts that were to be asked alone.
    pub wanted: u32,
    /// Answers under load that have a reference.
    pub compared: u64,
    /// Requests ask for the same answer each time: greedy, or by a seed.
    pub deterministic_asked: bool,
    /// The server says how likely its tokens are.
    pub logprobs: bool,
    /// Answers under load that are equal to their reference.
    pub equal: Option<Share>,
    /// Second answers asked alone that are equal to the first.
    pub equal_alone: Option<Share>,
    /// Answers that part where the server's own choice was close: their margin is less than half a nat.
    pub near_ties: u64,
    /// Answers that part where it was not close.
    pub plain: Option<Share>,
    /// Answers that part where the margin is not known.
    pub margin_unknown: u64,
    /// Answers that part within their first characters.
    pub early: Option<Share>,
    /// Where answers under load part from their reference.
    pub diverged: Option<Divergence>,
    /// Where the second answer asked alone parts from the first.
    pub diverged_alone: Option<Divergence>,
    /// Which of the two parts earlier, by prompt.
    pub signs: SignTest,
    /// What that says.
    pub says: Likeness,
    /// Some requests whose answers part, by number, the earliest first.
    pub examples: Vec<RequestId>,
}

/// Where answers part from each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Divergence {
    /// Answers that part.
    pub answers: u64,
    /// Characters in common, of the earliest.
    pub least: u32,
    /// Characters in common, the median.
    pub median: u32,
    /// Characters in common, of the latest.
    pub most: u32,
}

/// For each pair which side parts earlier; equal answers part last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignTest {
    /// Prompts with both.
    pub pairs: u64,
    /// Those where the answer in question parts earlier.
    pub earlier: u64,
    /// Those where it parts later.
    pub later: u64,
    /// p-value of the exact sign test, two-sided.
    pub p_value: f64,
}

/// What is said of two sets of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// There is too little to say anything.
    Unknown,
    /// Every answer is equal to the other.
    Equal,
    /// They differ no more than answers of one side do.
    NotToldApart,
    /// They differ by more than chance, as arithmetic that depends on the batch or on the engine does: late, or at near-ties.
    NearTies,
    /// They differ by more than chance, early or where the choice was clear: another model, or corruption.
    Different,
}

impl SignTest {
    /// Of pairs of characters in common: those of the answer in question, and those to hold them against; absent: equal.
    pub(crate) fn of(pairs: impl Iterator<Item = (Option<u32>, Option<u32>)>) -> Self {
        let place = |diverged: Option<u32>| diverged.map_or(u64::MAX, u64::from);
        let mut test = Self::default();
        for (own, other) in pairs {
            test.pairs += 1;
            test.earlier += u64::from(place(own) < place(other));
            test.later += u64::from(place(own) > place(other));
        }
        test.p_value = mcnemar(test.earlier, test.later);
        test
    }

    /// It parts earlier by more than chance.
    pub(crate) fn is_earlier(&self, level: f64) -> bool {
        self.earlier > self.later && self.p_value < level
    }
}

impl Divergence {
    pub(crate) fn of(places: impl Iterator<Item = u32>) -> Option<Self> {
        let mut all: Vec<u32> = places.collect();
        all.sort_unstable();
        Some(Self {
            answers: all.len() as u64,
            least: *all.first()?,
            median: all[(all.len() - 1) / 2],
            most: *all.last()?,
        })
    }
}

impl ReferenceSummary {
    pub(crate) fn of(run: &Run, checked: &[Checked<'_>]) -> Option<Self> {
        let passes = run.manifest.solo.as_ref()?.reference.as_ref()?;
        let with: Vec<(RequestId, Reference)> = checked
            .iter()
            .filter_map(|one| Some((one.request.id, one.answer.reference?)))
            .collect();
        Some(Self::of_references(passes, &with))
    }

    fn of_references(passes: &ReferencePasses, with: &[(RequestId, Reference)]) -> Self {
        let all = || with.iter().map(|(_, reference)| reference);
        let apart = || all().filter(|reference| reference.diverged_at.is_some());
        let is_near =
            |reference: &&Reference| reference.margin_mnat.is_some_and(|m| m < NEAR_TIE_MNAT);
        let signs = SignTest::of(all().filter_map(|r| Some((r.diverged_at, alone(r.repeat?)))));
        let mut found = Self {
            wanted: passes.wanted,
            compared: with.len() as u64,
            deterministic_asked: passes.deterministic_asked,
            logprobs: passes.logprobs,
            equal: share_of(&flags(all().map(|r| r.diverged_at.is_none()))),
            equal_alone: share_of(&flags(
                all().filter_map(|r| Some(r.repeat? == Repeat::Equal)),
            )),
            near_ties: apart().filter(is_near).count() as u64,
            plain: plain(with),
            margin_unknown: apart().filter(|r| r.margin_mnat.is_none()).count() as u64,
            early: early(all().map(|r| r.diverged_at)),
            diverged: Divergence::of(all().filter_map(|r| r.diverged_at)),
            diverged_alone: Divergence::of(all().filter_map(|r| alone(r.repeat?))),
            signs,
            says: Likeness::Unknown,
            examples: examples(with),
        };
        found.says = found.likeness();
        found
    }

    fn likeness(&self) -> Likeness {
        let all_equal = self
            .equal
            .as_ref()
            .is_some_and(|share| share.count == share.n);
        if self.signs.pairs < LEAST_PAIRS {
            return Likeness::Unknown;
        }
        if all_equal {
            return Likeness::Equal;
        }
        // Where the margins are known they decide: a late difference may be plain, and an early one a near-tie.
        let weighty = match &self.plain {
            Some(plain) => plain.low.is_some_and(|low| low > PLAIN_SHARE),
            None => is_early(self.early.as_ref()),
        };
        by_test(&self.signs, weighty)
    }
}

/// What a sign test says, and the weight of the differences.
pub(crate) fn by_test(signs: &SignTest, weighty: bool) -> Likeness {
    match (signs.is_earlier(crate::limits::ANSWER_TEST), weighty) {
        (false, _) => Likeness::NotToldApart,
        (true, false) => Likeness::NearTies,
        (true, true) => Likeness::Different,
    }
}

pub(crate) fn is_early(early: Option<&Share>) -> bool {
    early
        .and_then(|early| early.low)
        .is_some_and(|low| low > EARLY_SHARE)
}

/// The share of answers that part within their first characters; on independent prompts.
pub(crate) fn early(places: impl Iterator<Item = Option<u32>>) -> Option<Share> {
    let early = flags(places.map(|place| place.is_some_and(|chars| chars < EARLY_CHARS)));
    share_on(&early, early.len() as f64)
}

/// The share of answers that part where the choice was clear; absent where no margin is known of those that part.
fn plain(with: &[(RequestId, Reference)]) -> Option<Share> {
    let apart = with.iter().filter(|(_, r)| r.diverged_at.is_some());
    if apart.clone().count() > 0 && apart.clone().all(|(_, r)| r.margin_mnat.is_none()) {
        return None;
    }
    let known = with
        .iter()
        .filter(|(_, r)| r.diverged_at.is_none() || r.margin_mnat.is_some());
    let is_plain = |r: &Reference| {
        r.diverged_at.is_some() && r.margin_mnat.is_some_and(|margin| margin >= NEAR_TIE_MNAT)
    };
    let plain = flags(known.map(|(_, reference)| is_plain(reference)));
    share_on(&plain, plain.len() as f64)
}

/// Characters that two solo answers have in common; absent where they are equal.
fn alone(repeat: Repeat) -> Option<u32> {
    match repeat {
        Repeat::Equal => None,
        Repeat::DivergedAt(chars) => Some(chars),
    }
}

fn examples(with: &[(RequestId, Reference)]) -> Vec<RequestId> {
    let apart = with
        .iter()
        .filter_map(|(id, reference)| Some((reference.diverged_at?, *id)));
    let mut apart: Vec<(u32, RequestId)> = apart.collect();
    apart.sort_unstable();
    apart.into_iter().map(|(_, id)| id).take(EXAMPLES).collect()
}

fn flags(all: impl Iterator<Item = bool>) -> Vec<f64> {
    all.map(|one| f64::from(u8::from(one))).collect()
}
