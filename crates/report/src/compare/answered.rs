//! Whether a side answers as the first one does, in words.

use crate::answers::{parting, share};
use crate::document::{Entries, Mark};
use crate::number::p_value;
use infermeter_analysis::AnswersBeside;
use infermeter_analysis::answers::Likeness;
use infermeter_core::number::count;

/// Adds what came of the prompts that both were asked alone; the names are those of the first side and of the other.
pub(super) fn add(entries: &mut Entries, found: &AnswersBeside, names: [&str; 2]) {
    let [first, other] = names;
    let (mark, said) = said(found, names);
    entries.marked(mark, &format!("Answers of {other}"), said);
    let pairs = [
        (format!("between {first} and {other}"), &found.between_equal),
        (format!("of {first} with itself"), &found.first_equal),
        (format!("of {other} with itself"), &found.other_equal),
    ];
    for (whose, equal) in pairs {
        if let Some(equal) = equal {
            entries.more(format!("equal {whose} {}", share(equal)));
        }
    }
    if let Some(places) = &found.between {
        entries.more(format!(
            "those of both part {}, each to 16",
            parting(places)
        ));
        let signs = &found.against_first;
        entries.more(format!(
            "of {} prompts {} part earlier between the sides than between two answers of {first}, {} later (sign test: \
             p {})",
            count(signs.pairs),
            count(signs.earlier),
            count(signs.later),
            p_value(signs.p_value)
        ));
    }
}

fn said(found: &AnswersBeside, names: [&str; 2]) -> (Mark, String) {
    let [first, other] = names;
    match found.says {
        Likeness::Unknown => (
            Mark::Undecided,
            "too few prompts to say anything".to_owned(),
        ),
        Likeness::Equal => (Mark::Met, format!("those of {first}, to the letter")),
        Likeness::NotToldApart if found.deterministic_asked => (
            Mark::Met,
            format!("{other} and {first} differ no more than each from itself"),
        ),
        Likeness::NotToldApart => (
            Mark::Undecided,
            "cannot be told: requests do not ask for the same answer twice".to_owned(),
        ),
        Likeness::NearTies => (
            Mark::Met,
            format!(
                "they part from those of {first} late, as those of another engine for the same model do"
            ),
        ),
        Likeness::Different => (
            Mark::Missed,
            format!(
                "not those of {first}: another model, another precision, or other prompts reach it"
            ),
        ),
    }
}
