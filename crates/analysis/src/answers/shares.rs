//! Which requests a share of answers is of, and which of them count: one definition for the summary, for objectives and for
//! gates.
//!
//! Invariant: an answer that was not checked, or cannot be judged, is in no share.

use infermeter_core::answer::AnswerFacts;
use infermeter_core::run::RunManifest;
use infermeter_core::slo::AnswerShare;
use infermeter_metrics::facts::RequestFacts;

/// Somebody asked for what the share rests on.
pub(crate) fn is_asked_for(share: AnswerShare, manifest: &RunManifest) -> bool {
    let plan = &manifest.plan;
    match share {
        AnswerShare::Corrupted => plan.checks_answers(),
        AnswerShare::Canaries => plan.canaries.is_some(),
        AnswerShare::Evals => !plan.eval.is_empty(),
        AnswerShare::Equal => plan.reference.is_some(),
    }
}

/// 1 for each answer that counts, 0 for each other one that is looked at; in the order of the requests.
pub(crate) fn flags<'a>(
    share: AnswerShare,
    requests: impl Iterator<Item = &'a RequestFacts>,
) -> Vec<f64> {
    let answers = requests.filter_map(|request| request.answer.as_deref());
    let counts = answers.filter_map(|answer| counts(share, answer));
    counts.map(|counts| f64::from(u8::from(counts))).collect()
}

/// Whether an answer counts; `None` where the share is not about it.
pub(super) fn counts(share: AnswerShare, answer: &AnswerFacts) -> Option<bool> {
    let question = || answer.question.map(|question| question.kind);
    match share {
        AnswerShare::Corrupted => Some(answer.doubts.are_corrupt()),
        AnswerShare::Canaries => answer
            .correct
            .filter(|_| question().is_some_and(|k| k.is_canary())),
        AnswerShare::Evals => answer
            .correct
            .filter(|_| question().is_some_and(|k| !k.is_canary())),
        AnswerShare::Equal => answer
            .reference
            .map(|reference| reference.diverged_at.is_none()),
    }
}
