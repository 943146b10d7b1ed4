//! Questions with known answers: how many were answered rightly under load, and how many of the same alone.
//!
//! What a model cannot do alone is its own affair: the finding is about the difference, by pairs of one question. Invariant:
//! an answer that cannot be judged counts on neither side.

use super::parts::Parts;
use super::shares::counts;
use super::{Checked, UnderLoad, read_doubts};
use crate::CONFIDENCE;
use crate::figure::Share;
use crate::requests::share_of;
use crate::run::Run;
use infermeter_core::answer::{Doubt, QuestionKind};
use infermeter_core::request::RequestId;
use infermeter_core::run::SoloPass;
use infermeter_core::slo::AnswerShare;
use infermeter_stats::mcnemar;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A share of corrupted answers that is worth being found.
const WORTH_FINDING: f64 = 0.01;

/// What came of the questions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CanarySummary {
    /// Questions that were answered under load.
    pub answered: u64,
    /// Of these, answers that are right; those that cannot be judged left out.
    pub right: Option<Share>,
    /// Of the questions asked alone before the load.
    pub right_before: Option<Share>,
    /// Of those asked alone after it.
    pub right_after: Option<Share>,
    /// The same questions under load and alone before it; absent where none were asked alone.
    pub paired: Option<PairedAccuracy>,
    /// Answers under load that refuse.
    pub refused: u64,
    /// Answers under load with the marker of another request.
    pub crossed: u64,
    /// Answers under load that are wrong.
    pub wrong: u64,
    /// Chance that these questions show that one answer in a hundred is wrong.
    pub power: f64,
    /// Questions that show it with the confidence of the intervals.
    pub needed: u64,
    /// Wrong answers at high load against low load; absent with too few of either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub under_load: Option<UnderLoad>,
    /// By kind of question.
    pub kinds: Vec<KindAccuracy>,
    /// Some requests with a wrong answer, by number.
    pub wrong_examples: Vec<RequestId>,
}

/// The questions of one kind, under load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KindAccuracy {
    /// The kind.
    pub kind: QuestionKind,
    /// Questions whose answers could be judged.
    pub judged: u64,
    /// Those that were answered rightly.
    pub right: u64,
}

/// Pairs of one question, under load and alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairedAccuracy {
    /// Questions that were judged on both sides.
    pub pairs: u64,
    /// Right alone and wrong under load.
    pub lost: u64,
    /// Wrong alone and right under load.
    pub gained: u64,
    /// p-value of McNemar's exact test, two-sided.
    pub p_value: f64,
}

impl CanarySummary {
    pub(super) fn of(run: &Run, checked: &[Checked<'_>]) -> Option<Self> {
        run.manifest.plan.canaries?;
        let own: Vec<&Checked<'_>> = checked
            .iter()
            .filter(|one| one.answer.question.is_some_and(|q| q.kind.is_canary()))
            .collect();
        let judged: Vec<(RequestId, bool)> = own
            .iter()
            .filter_map(|one| Some((one.request.id, one.answer.correct?)))
            .collect();
        let solo = run.manifest.solo.as_ref();
        let before = solo.and_then(|solo| solo.before.as_ref());
        let after = solo.and_then(|solo| solo.after.as_ref());
        let with = |doubt| {
            own.iter()
                .filter(|one| one.answer.doubts.contains(doubt))
                .count() as u64
        };
        let wrong = judged.iter().filter(|(_, right)| !right);
        let refused_alone = before.map_or(0, refused);
        Some(Self {
            answered: own.len() as u64,
            right: share_of(&flags(judged.iter().map(|(_, right)| *right))),
            right_before: before.and_then(accuracy),
            right_after: after.and_then(accuracy),
            paired: before.and_then(|pass| PairedAccuracy::of(pass, &judged)),
            refused: with(Doubt::Refusal).max(refused_alone),
            crossed: with(Doubt::ForeignMarker),
            wrong: wrong.clone().count() as u64,
            power: 1.0 - (1.0 - WORTH_FINDING).powf(judged.len() as f64),
            needed: ((1.0 - CONFIDENCE).ln() / (1.0 - WORTH_FINDING).ln()).ceil() as u64,
            under_load: wrong_under_load(checked),
            kinds: kinds(&own),
            wrong_examples: wrong.map(|(id, _)| *id).take(super::EXAMPLES).collect(),
        })
    }
}

impl PairedAccuracy {
    /// Pairs of a pass and answers under load, by the requests that carry the questions.
    pub(super) fn of(pass: &SoloPass, judged: &[(RequestId, bool)]) -> Option<Self> {
        let under_load: HashMap<RequestId, bool> = judged.iter().copied().collect();
        let pair = |answer: &infermeter_core::run::SoloAnswer| {
            Some((answer.correct?, *under_load.get(&answer.id)?))
        };
        let pairs: Vec<(bool, bool)> = pass.answers.iter().filter_map(pair).collect();
        let count =
            |wanted: (bool, bool)| pairs.iter().filter(|pair| **pair == wanted).count() as u64;
        let (lost, gained) = (count((true, false)), count((false, true)));
        (!pairs.is_empty()).then(|| Self {
            pairs: pairs.len() as u64,
            lost,
            gained,
            p_value: mcnemar(lost, gained),
        })
    }
}

/// The answers that are wrong, in place of those that are corrupted.
fn wrong_under_load(checked: &[Checked<'_>]) -> Option<UnderLoad> {
    let right = |one: &Checked<'_>| counts(AnswerShare::Canaries, one.answer);
    let judged = checked.iter().filter(|one| right(one).is_some());
    Some(UnderLoad::of_parts(&Parts::of(judged)?, |one| {
        right(one) == Some(false)
    }))
}

fn kinds(own: &[&Checked<'_>]) -> Vec<KindAccuracy> {
    let of = |kind: QuestionKind| {
        let all = own
            .iter()
            .filter(|one| one.answer.question.is_some_and(|q| q.kind == kind));
        let judged: Vec<bool> = all.filter_map(|one| one.answer.correct).collect();
        (!judged.is_empty()).then(|| KindAccuracy {
            kind,
            judged: judged.len() as u64,
            right: judged.iter().filter(|right| **right).count() as u64,
        })
    };
    QuestionKind::ALL.into_iter().filter_map(of).collect()
}

fn accuracy(pass: &SoloPass) -> Option<Share> {
    let canaries = pass
        .answers
        .iter()
        .filter(|answer| answer.question.kind.is_canary());
    share_of(&flags(canaries.filter_map(|answer| answer.correct)))
}

fn refused(pass: &SoloPass) -> u64 {
    let refusing = |doubts: &[String]| read_doubts(doubts).contains(Doubt::Refusal);
    let canaries = pass
        .answers
        .iter()
        .filter(|answer| answer.question.kind.is_canary());
    canaries.filter(|answer| refusing(&answer.doubts)).count() as u64
}

pub(super) fn flags(all: impl Iterator<Item = bool>) -> Vec<f64> {
    all.map(|one| f64::from(u8::from(one))).collect()
}
