//! Answers beside others: at high load beside low load, under load beside the same asked alone.
//!
//! All of it is decided by a test at one level, so that a run of a sound server seldom hears a false word. Invariant: without
//! answers to compare there is no finding here.

use super::{Check, NOTE, WARNING, count, counted, percent};
use crate::answers::{
    AnswersSummary, Divergence, EvalSummary, FinishShift, LengthPair, Likeness, PairedAccuracy,
    ReferenceSummary, UnderLoad,
};
use crate::figure::Share;
use crate::limits;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::finish::FinishReason;
use infermeter_core::request::RequestId;
use infermeter_core::run::ReferencePasses;
use infermeter_stats::fisher_greater;

const fn of_answers(code: &'static str, weight: Weight, test: super::Ask) -> Check {
    Check {
        code,
        scope: Scope::Run,
        dimension: Dimension::EvaluationSetup,
        weight,
        limit: None,
        test,
    }
}

fn answers(summary: &Summary) -> Option<&AnswersSummary> {
    summary.answers.as_ref()
}

/// Answers are shorter at high load.
pub const ANSWERS_SHORTER_UNDER_LOAD: Check =
    of_answers("answers-shorter-under-load", WARNING, shorter);

fn shorter(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = answers(summary)?.length_shift.as_ref()?;
    if found.p_shorter() >= limits::ANSWER_TEST {
        return None;
    }
    let pair = |pair: &LengthPair, of: &str| {
        format!(
            "median {:.0} {of} of {} with more than {} in flight, {:.0} of {} others (shift {:.1})",
            pair.high_median,
            counted(pair.high, "answer"),
            count(u64::from(found.above)),
            pair.low_median,
            count(pair.low),
            pair.shift
        )
    };
    let tokens = found.by_tokens.as_ref();
    let tokens = tokens.map_or_else(String::new, |tokens| {
        format!("; {}", pair(tokens, "output tokens"))
    });
    Some(ANSWERS_SHORTER_UNDER_LOAD.found(
        "Answers are shorter at high load: the server does less work there, and its figures say nothing of the same work.",
        format!(
            "Characters: {}{tokens}; rank-sum test within classes: p = {:.2e}.",
            pair(&found.chars, "characters"),
            found.p_shorter()
        ),
        "Look for a limit on output that depends on load, and for answers that end early; compare servers by tokens, or force \
         the length (ignore_eos).",
    ))
}

/// Answers end otherwise at high load.
pub const FINISH_REASONS_SHIFT: Check = of_answers("finish-reasons-shift", WARNING, finish_shift);

fn finish_shift(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = answers(summary)?.finish_shift.as_ref()?;
    (found.p_value < limits::ANSWER_TEST).then(|| {
        FINISH_REASONS_SHIFT.found(
            "Answers end in another way at high load than at low load.",
            format!(
                "`{}`: {} of {} with more than {} in flight, {} of {} others; Fisher's exact test: p = {:.2e}.",
                reason_word(found),
                count(found.high_so),
                count(found.high),
                count(u64::from(found.above)),
                count(found.low_so),
                count(found.low),
                found.p_value
            ),
            "Look what cuts or ends answers there: a limit on tokens, a filter, an engine that gives up sequences.",
        )
    })
}

fn reason_word(found: &FinishShift) -> &'static str {
    found.reason.map_or("none", FinishReason::as_str)
}

/// What came of questions under load, and alone.
pub(super) struct Scores<'a> {
    pub(super) right: &'a Share,
    pub(super) alone: Option<&'a Share>,
    pub(super) paired: Option<&'a PairedAccuracy>,
    pub(super) under_load: Option<&'a UnderLoad>,
}

impl Scores<'_> {
    /// The evidence of those comparisons that say that it falls; `None` where none does.
    pub(super) fn falls(&self) -> Option<String> {
        let told: Vec<String> = [self.against_alone(), self.by_pairs(), self.by_load()]
            .into_iter()
            .flatten()
            .collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    fn against_alone(&self) -> Option<String> {
        let alone = self.alone?;
        let p_value = fisher_greater(
            wrong(self.right),
            self.right.n as u64,
            wrong(alone),
            alone.n as u64,
        );
        (p_value < limits::ANSWER_TEST).then(|| {
            format!(
                "right alone {} of {} ({}), under load {} of {} ({}; Fisher's exact test: p = {p_value:.2e})",
                count(alone.count as u64),
                count(alone.n as u64),
                percent(alone.value),
                count(self.right.count as u64),
                count(self.right.n as u64),
                percent(self.right.value)
            )
        })
    }

    fn by_pairs(&self) -> Option<String> {
        let paired = self.paired?;
        (paired.lost > paired.gained && paired.p_value < limits::ANSWER_TEST).then(|| {
            format!(
                "of {} asked both ways {} are lost under load, {} gained (McNemar's exact test: p = {:.2e})",
                counted(paired.pairs, "question"),
                count(paired.lost),
                count(paired.gained),
                paired.p_value
            )
        })
    }

    fn by_load(&self) -> Option<String> {
        let found = self.under_load?;
        (found.p_value < limits::ANSWER_TEST).then(|| {
            format!(
                "{} of {} wrong with more than {} in flight, {} of {} others (Fisher's exact test: p = {:.2e})",
                count(found.high_corrupted),
                count(found.high),
                count(u64::from(found.above)),
                count(found.low_corrupted),
                count(found.low),
                found.p_value
            )
        })
    }
}

fn wrong(share: &Share) -> u64 {
    (share.n as u64).saturating_sub(share.count as u64)
}

/// A score that falls under load.
pub(super) const EVAL_ACCURACY_FALLS: Check =
    of_answers("eval-accuracy-falls", WARNING, eval_falls);

fn eval_falls(_: &Run, summary: &Summary) -> Option<Finding> {
    let told = |eval: &EvalSummary| {
        let scores = Scores {
            right: eval.right.as_ref()?,
            alone: eval.right_before.as_ref(),
            paired: eval.paired.as_ref(),
            under_load: None,
        };
        let told = scores.falls()?;
        Some(format!(
            "{}: {told}; requests {}",
            eval.name,
            ids(&eval.wrong_examples)
        ))
    };
    let told: Vec<String> = answers(summary)?.evals.iter().filter_map(told).collect();
    (!told.is_empty()).then(|| {
        EVAL_ACCURACY_FALLS.found(
            "An evaluation scores lower under load than alone: the server is fast where it is wrong.",
            told.join(". ") + ".",
            "Look at these answers (--save-responses keeps them), and find out from which load on it happens: the table by \
             requests in flight shows scores beside latencies.",
        )
    })
}

fn references(summary: &Summary) -> Option<&ReferenceSummary> {
    answers(summary)?.references.as_ref()
}

/// Answers under load are not those given alone.
pub(super) const REFERENCE_DIVERGES: Check = of_answers(
    "reference-diverges",
    Weight::UpTo(Severity::Warning),
    diverges,
);

fn diverges(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = references(summary)?;
    let (severity, message, advice) = match found.says {
        Likeness::Different => (
            Severity::Warning,
            "Answers under load part from those to the same prompts asked alone, early or where the choice was clear: that is \
             corruption or another model, and no rounding.",
            "Look at these answers (--save-responses keeps them) and ask the same alone; try fewer requests at once, and an \
             engine without its newest options (quantised caches, speculation, transfers of the KV cache).",
        ),
        Likeness::NearTies => (
            Severity::Note,
            "Answers under load part from those asked alone more than these part from each other: they depend on what runs \
             beside them, as arithmetic that depends on the batch makes them.",
            "Nothing to do where the engine does not promise equal answers; where it does (batch-invariant), this breaks the \
             promise. Canaries and --eval say whether it costs right answers.",
        ),
        Likeness::Unknown | Likeness::Equal | Likeness::NotToldApart => return None,
    };
    Some(REFERENCE_DIVERGES.weighing(severity, message, divergence(found), advice))
}

fn divergence(found: &ReferenceSummary) -> String {
    let equal = |share: Option<&Share>| {
        share.map_or_else(
            || "unknown".to_owned(),
            |share| format!("{} of {}", count(share.count as u64), count(share.n as u64)),
        )
    };
    let median = |part: Option<&Divergence>| {
        part.map_or_else(String::new, |part| {
            format!(
                ", the others part after {} characters (median)",
                count(u64::from(part.median))
            )
        })
    };
    let margins = match &found.plain {
        Some(plain) => format!(
            "; {} part at near-ties, {} where the margin was half a nat or more",
            count(found.near_ties),
            count(plain.count as u64)
        ),
        None => "; the server does not say how close its choices were".to_owned(),
    };
    format!(
        "Equal to the first answer alone: under load {}{}; the second one alone {}{}{margins}. Sooner than the second one \
         {}, later {} of {} prompts (sign test: p = {:.2e}); requests {}.",
        equal(found.equal.as_ref()),
        median(found.diverged.as_ref()),
        equal(found.equal_alone.as_ref()),
        median(found.diverged_alone.as_ref()),
        count(found.signs.earlier),
        count(found.signs.later),
        count(found.signs.pairs),
        found.signs.p_value,
        ids(&found.examples)
    )
}

/// Equal prompts do not ask for equal answers.
pub(super) const REFERENCE_MEANINGLESS: Check =
    of_answers("reference-meaningless", NOTE, meaningless);

fn meaningless(_: &Run, summary: &Summary) -> Option<Finding> {
    let found = references(summary)?;
    (!found.deterministic_asked).then(|| {
        REFERENCE_MEANINGLESS.found(
            "Answers are sampled without a seed: two to one prompt differ anyway, and only gross changes show beside that.",
            format!("{} compared.", counted(found.compared, "answer")),
            "Ask for greedy answers (--sampling temperature=0), or for a seed of sampling.",
        )
    })
}

/// Nothing to hold the answers against.
pub(super) const REFERENCE_UNKNOWN: Check = of_answers("reference-unknown", WARNING, unknown);

fn unknown(run: &Run, summary: &Summary) -> Option<Finding> {
    let answers = answers(summary)?;
    run.manifest.plan.reference?;
    let Some((found, passes)) = answers.references.as_ref().zip(passes(run)) else {
        return Some(REFERENCE_UNKNOWN.found(
            "Answers were to be held against those to the same prompts asked alone, and nothing was asked alone.",
            "The record has no solo passes: the run was cut short, or was measured in virtual time.",
            "Measure again, over sockets and to its end.",
        ));
    };
    if found.says != Likeness::Unknown {
        return None;
    }
    let why = passes
        .problem
        .as_ref()
        .map_or_else(String::new, |problem| format!(": {problem}"));
    Some(REFERENCE_UNKNOWN.found(
        "Answers were to be held against those to the same prompts asked alone, and there are too few of these.",
        format!(
            "Of {} prompts {} were asked alone, {} of them twice, and {} have an answer under load{why}.",
            count(u64::from(passes.wanted)),
            count(u64::from(passes.asked)),
            count(u64::from(passes.repeated)),
            count(found.compared)
        ),
        "Give the solo passes more time (--solo-time), or look why the server did not answer them.",
    ))
}

fn passes(run: &Run) -> Option<&ReferencePasses> {
    run.manifest.solo.as_ref()?.reference.as_ref()
}

fn ids(all: &[RequestId]) -> String {
    let words: Vec<String> = all.iter().map(ToString::to_string).collect();
    words.join(", ")
}
