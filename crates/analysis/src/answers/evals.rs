//! Evaluations that rode in the load: the score under load, and alone, of each file.
//!
//! The latencies of the same load stand beside the scores in [`super::LoadLevel`]. Invariant: a row that cannot be judged is
//! in no score.

use super::Checked;
use super::canaries::{PairedAccuracy, flags};
use crate::figure::Share;
use crate::requests::share_of;
use crate::run::Run;
use infermeter_core::answer::{Question, QuestionKind};
use infermeter_core::request::RequestId;
use infermeter_core::run::{EvalFile, SoloPass};
use infermeter_core::text::Word;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The scores of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EvalSummary {
    /// Its name, without folders.
    pub name: Word,
    /// Its rows.
    pub rows: u32,
    /// It was made up by this program: its score says nothing about a model beyond this run.
    pub synthetic: bool,
    /// Rows that were answered under load; one that was asked twice counts twice.
    pub answered: u64,
    /// Of these, answers that are right.
    pub right: Option<Share>,
    /// Of the rows asked alone before the load.
    pub right_before: Option<Share>,
    /// Of those asked alone after it.
    pub right_after: Option<Share>,
    /// The same rows under load and alone before it; absent where none were asked alone.
    pub paired: Option<PairedAccuracy>,
    /// Some requests with a wrong answer, by number.
    pub wrong_examples: Vec<RequestId>,
}

/// Of each file in the plan's order.
pub(super) fn evals(run: &Run, checked: &[Checked<'_>]) -> Vec<EvalSummary> {
    let files = run.manifest.evals.iter();
    files
        .map(|file| EvalSummary::of(run, file, checked))
        .collect()
}

impl EvalSummary {
    fn of(run: &Run, file: &EvalFile, checked: &[Checked<'_>]) -> Self {
        let own: Vec<&Checked<'_>> = checked
            .iter()
            .filter(|one| one.answer.question.is_some_and(|q| is_of(file, q)))
            .collect();
        let judged: Vec<(RequestId, bool)> = own
            .iter()
            .filter_map(|one| Some((one.request.id, one.answer.correct?)))
            .collect();
        let solo = run.manifest.solo.as_ref();
        let before = solo.and_then(|solo| solo.before.as_ref());
        let after = solo.and_then(|solo| solo.after.as_ref());
        let wrong = judged.iter().filter(|(_, right)| !right);
        Self {
            name: file.name.clone().into(),
            rows: file.rows,
            synthetic: file.synthetic,
            answered: own.len() as u64,
            right: share_of(&flags(judged.iter().map(|(_, right)| *right))),
            right_before: before.and_then(|pass| score(file, pass)),
            right_after: after.and_then(|pass| score(file, pass)),
            paired: before.and_then(|pass| PairedAccuracy::of(pass, &judged)),
            wrong_examples: wrong.map(|(id, _)| *id).take(super::EXAMPLES).collect(),
        }
    }
}

fn score(file: &EvalFile, pass: &SoloPass) -> Option<Share> {
    let own = pass
        .answers
        .iter()
        .filter(|answer| is_of(file, answer.question));
    share_of(&flags(own.filter_map(|answer| answer.correct)))
}

/// It is a row of this file.
fn is_of(file: &EvalFile, question: Question) -> bool {
    let rows = file.first_row..file.first_row.saturating_add(file.rows);
    question.kind == QuestionKind::Eval && rows.contains(&question.row)
}
