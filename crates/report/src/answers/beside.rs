//! Answers beside others: those at low load, and those to the same prompts asked alone.
//!
//! Invariant: a difference stands with its test.

use super::share;
use crate::document::Entries;
use crate::number::{p_value, significant};
use infermeter_analysis::answers::{
    AnswersSummary, Divergence, FinishShift, LengthShift, Likeness, ReferenceSummary,
};
use infermeter_core::finish::FinishReason;
use infermeter_core::number::count;

/// Adds lengths and ends at high load beside those at low load.
pub(super) fn add_shifts(entries: &mut Entries, answers: &AnswersSummary) {
    entries.maybe("Lengths", answers.length_shift.as_ref().map(lengths));
    entries.maybe("Ends", answers.finish_shift.as_ref().map(ends));
}

fn lengths(shift: &LengthShift) -> String {
    let chars = &shift.chars;
    format!(
        "{} characters at the median with up to {} in flight, {} with more (rank sums, shorter: p {})",
        significant(chars.low_median),
        count(u64::from(shift.above)),
        significant(chars.high_median),
        p_value(chars.p_shorter)
    )
}

fn ends(shift: &FinishShift) -> String {
    let reason = shift
        .reason
        .map_or("without a word of how", FinishReason::as_str);
    format!(
        "{reason}: {} of {} with up to {} in flight, {} of {} with more (Fisher's exact test: p {})",
        count(shift.low_so),
        count(shift.low),
        count(u64::from(shift.above)),
        count(shift.high_so),
        count(shift.high),
        p_value(shift.p_value)
    )
}

/// Adds what came of the references.
pub(super) fn add_references(entries: &mut Entries, references: &ReferenceSummary) {
    entries.add("Solo answers", said(references.says));
    let equal = references.equal.as_ref();
    if let Some(equal) = equal {
        entries.more(format!("equal to those under load {}", share(equal)));
    }
    if let Some(equal) = &references.equal_alone {
        entries.more(format!("equal to those asked alone again {}", share(equal)));
    }
    for (name, places) in [
        ("under load they part", &references.diverged),
        ("alone they part", &references.diverged_alone),
    ] {
        if let Some(places) = places {
            entries.more(format!("{name} {}", parting(places)));
        }
    }
    if let Some(plain) = references.plain.as_ref().filter(|_| references.logprobs) {
        entries.more(format!(
            "{} part at near-ties of the server's own choice; where it was clear {}",
            count(references.near_ties),
            share(plain)
        ));
    }
    let signs = &references.signs;
    if signs.pairs > 0 {
        entries.more(format!(
            "of {} prompts {} part earlier under load than alone, {} later (sign test: p {})",
            count(signs.pairs),
            count(signs.earlier),
            count(signs.later),
            p_value(signs.p_value)
        ));
    }
}

pub(crate) fn parting(places: &Divergence) -> String {
    format!(
        "after {} characters at the median ({} to {})",
        count(u64::from(places.median)),
        count(u64::from(places.least)),
        count(u64::from(places.most))
    )
}

fn said(says: Likeness) -> &'static str {
    match says {
        Likeness::Unknown => "too few to say anything",
        Likeness::Equal => "every answer under load is equal to the one asked alone",
        Likeness::NotToldApart => {
            "answers under load differ from them no more than they do from each other"
        }
        Likeness::NearTies => {
            "answers under load differ by more than chance, late or at near-ties: arithmetic that depends on the batch"
        }
        Likeness::Different => {
            "answers under load differ by more than chance, and where the choice was clear"
        }
    }
}
