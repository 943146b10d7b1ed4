//! What a comparison finds about itself, before any speed.

use super::SideRounds;
use super::answered::AnswersBeside;
use super::setup::Difference;
use super::treatment::{Checked, Seen};
use crate::answers::{LEAST_PAIRS, Likeness};
use crate::figure::Share;
use infermeter_core::finding::{Check, Dimension, Finding, Scope, Severity, Verdict, Weight};
use infermeter_core::text::listed;

/// A treatment that was not there.
const TREATMENT_INACTIVE: Check = Check {
    code: "treatment-inactive",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: (),
};

/// A treatment that no counter shows.
const TREATMENT_UNPROVEN: Check = Check {
    code: "treatment-unproven",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// Sides that were sent different loads.
const LOADS_DIFFER: Check = Check {
    code: "loads-differ",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Error),
    limit: None,
    test: (),
};

/// Answers that are unlike.
const ANSWERS_DIFFER: Check = Check {
    code: "answers-differ",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Answers of another model.
const SAME_MODEL_UNLIKELY: Check = Check {
    code: "same-model-unlikely",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Answers of which nobody knows whether one model gave them.
const SAME_MODEL_UNPROVEN: Check = Check {
    code: "same-model-unproven",
    scope: Scope::Comparison,
    dimension: Dimension::BaselineFairness,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: (),
};

/// Rounds too few for any test.
const FEW_ROUNDS: Check = Check {
    code: "few-rounds",
    scope: Scope::Comparison,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// Runs whose own verdict is not Valid.
const SIDES_NOT_VALID: Check = Check {
    code: "sides-not-valid",
    scope: Scope::Comparison,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Error),
    limit: None,
    test: (),
};

/// Sides that were measured one after the other.
const SIDES_APART: Check = Check {
    code: "sides-apart",
    scope: Scope::Comparison,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: (),
};

/// All of these.
pub(crate) const COMPARED: &[&Check] = &[
    &TREATMENT_INACTIVE,
    &TREATMENT_UNPROVEN,
    &LOADS_DIFFER,
    &ANSWERS_DIFFER,
    &SAME_MODEL_UNLIKELY,
    &SAME_MODEL_UNPROVEN,
    &FEW_ROUNDS,
    &SIDES_NOT_VALID,
    &SIDES_APART,
];

/// What the counters say of a treatment.
pub(super) fn treatment(checked: &Checked) -> Option<Finding> {
    let named = checked.treatment.to_string();
    let evidence = format!("{named}: {}.", checked.evidence);
    match checked.answer {
        Seen::Active => None,
        Seen::Inactive => Some(TREATMENT_INACTIVE.found(
            format!(
                "The server's own counters do not show the treatment ({named}) on its side: this compares \
                 something else."
            ),
            evidence,
            "See that the feature is configured on that side, and that the requests can use it.",
        )),
        Seen::OnBothSides => Some(TREATMENT_INACTIVE.found(
            format!(
                "The server's own counters show the treatment ({named}) on both sides: there is no \
                 control."
            ),
            evidence,
            "Turn it off on the other side, or give each side a server of its own.",
        )),
        Seen::CannotTell => Some(TREATMENT_UNPROVEN.found(
            format!(
                "Cannot tell whether the treatment ({named}) was active: no counter of the server shows \
                 it."
            ),
            evidence,
            "Look at the server's log or configuration, and keep what it says with --label.",
        )),
    }
}

/// Sides that were sent different loads.
pub(super) fn loads_differ(rounds: &[usize]) -> Option<Finding> {
    (!rounds.is_empty()).then(|| {
        let named: Vec<String> = rounds.iter().map(usize::to_string).collect();
        LOADS_DIFFER.found(
            "The sides were sent different requests, or at different instants: a difference between \
             them may be the load's.",
            format!("Round {}.", named.join(", ")),
            "Measure both with `infermeter compare`, which sends both the same.",
        )
    })
}

/// Answers that are unlike.
pub(super) fn answers_differ(differences: &[Difference], names: [&str; 2]) -> Option<Finding> {
    let [first, other] = names;
    let told =
        |d: &Difference| format!("{}: {} in {first}, {} in {other}", d.name, d.first, d.other);
    (!differences.is_empty()).then(|| {
        let told: Vec<String> = differences.iter().map(told).collect();
        ANSWERS_DIFFER.found(
            "The sides answered differently, so their speeds do not mean the same.",
            format!("{}.", told.join("; ")),
            "Make lengths and endings equal (see output lengths in the docs), and look at failures first.",
        )
    })
}

/// Answers to the same prompts that are not those of one model.
pub(super) fn same_model_unlikely(found: &AnswersBeside, names: [&str; 2]) -> Option<Finding> {
    let [first, other] = names;
    let signs = &found.against_first;
    (found.says == Likeness::Different).then(|| {
        SAME_MODEL_UNLIKELY.found(
            format!(
                "{other} does not answer as {first} does: it is another model, another precision, or prompts reach it \
                 otherwise. Their speeds are not those of one model."
            ),
            format!(
                "{} {} of {} prompts part earlier between the sides than between two answers of {first}, {} later (sign \
                 test: p = {:.2e}).",
                equal_answers(found, names),
                signs.earlier,
                signs.pairs,
                signs.later,
                signs.p_value,
            ),
            "See that both serve the same weights, precision, chat template and sampling defaults.",
        )
    })
}

/// Answers that cannot say whether they are those of one model.
pub(super) fn same_model_unproven(found: &AnswersBeside, names: [&str; 2]) -> Option<Finding> {
    let [first, other] = names;
    match (found.says, found.deterministic_asked) {
        (Likeness::Unknown, _) => Some(SAME_MODEL_UNPROVEN.found(
            format!("Whether {other} answers as {first} does is not known: too few prompts were answered twice by both."),
            format!("{} of at least {LEAST_PAIRS}.", found.prompts),
            "Raise --reference solo:N or --solo-time, and see what the runs say of prompts asked alone.",
        )),
        (Likeness::NotToldApart, false) => Some(SAME_MODEL_UNPROVEN.found(
            format!("Whether {other} answers as {first} does cannot be told: requests do not ask for the same answer twice."),
            equal_answers(found, names),
            "Ask for the likeliest token (--sampling temperature=0), or with a seed.",
        )),
        _ => None,
    }
}

/// How many answers are equal: of each side to itself, and between them.
fn equal_answers(found: &AnswersBeside, names: [&str; 2]) -> String {
    let [first, other] = names;
    let equal = |share: &Option<Share>| share.as_ref().map_or(0, |share| share.count);
    format!(
        "Equal answers: {} of {} between {first} and {other}, {} of {first} with itself, {} of {other} with itself.",
        equal(&found.between_equal),
        found.prompts,
        equal(&found.first_equal),
        equal(&found.other_equal),
    )
}

/// Too few rounds, of all sides or of those that are named.
pub(super) fn few_rounds(sides: &[SideRounds<'_>], needed: usize) -> Option<Finding> {
    let few = sides.iter().filter(|side| side.rounds < needed);
    let few: Vec<&SideRounds<'_>> = few.collect();
    let least = few.iter().map(|side| side.rounds).min()?;
    let evidence = match few.len() == sides.len() && few.iter().all(|side| side.rounds == least) {
        true => format!("{least} of at least {needed}."),
        false => {
            let each = |side: &&SideRounds<'_>| format!("{} has {}", side.side, side.rounds);
            let named: Vec<String> = few.iter().map(each).collect();
            format!("{} of at least {needed}.", listed(&named))
        }
    };
    Some(FEW_ROUNDS.found(
        "There are too few rounds: no rank or permutation test of this family can reach 0.05.",
        evidence,
        "Raise --rounds, or declare fewer figures with --primary.",
    ))
}

/// Runs that are not valid.
pub(super) fn not_valid(verdicts: &[Verdict]) -> Option<Finding> {
    let of = |verdict| verdicts.iter().filter(|v| **v == verdict).count();
    let (questionable, invalid) = (of(Verdict::Questionable), of(Verdict::Invalid));
    let severity = match (questionable, invalid) {
        (0, 0) => return None,
        (_, 0) => Severity::Warning,
        _ => Severity::Error,
    };
    Some(SIDES_NOT_VALID.weighing(
        severity,
        "Not every run is Valid: a comparison is no better than the worst of its runs.",
        format!(
            "{questionable} Questionable and {invalid} Invalid of {}.",
            verdicts.len()
        ),
        "Read the findings of those runs (`infermeter report` on each) and repeat the comparison.",
    ))
}

/// Sides that were not measured in turn.
pub(super) fn apart() -> Finding {
    SIDES_APART.found(
        "The sides were not measured in turn: whatever changed between them looks like a difference.",
        "They are saved runs.",
        "Measure both in one experiment: `infermeter compare A B`.",
    )
}

/// Rounds whose sides were not measured in turn.
pub(super) fn late(rounds: &[usize]) -> Option<Finding> {
    (!rounds.is_empty()).then(|| {
        let named: Vec<String> = rounds.iter().map(usize::to_string).collect();
        SIDES_APART.found(
            "A side of some rounds was measured later than the others: whatever changed in between looks like a \
             difference.",
            format!("Other rounds lie between the runs of round {}.", listed(&named)),
            "Repeat the comparison where it matters.",
        )
    })
}
