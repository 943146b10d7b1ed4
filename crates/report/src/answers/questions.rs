//! What came of questions with known answers: canaries, and evaluations by file.
//!
//! Invariant: what was answered under load stands beside the same alone, where that was asked.

use super::share;
use crate::document::Entries;
use crate::number::{p_value, percent, significant};
use infermeter_analysis::Share;
use infermeter_analysis::answers::{AnswersSummary, CanarySummary, EvalSummary, PairedAccuracy};
use infermeter_core::number::count;

/// Adds canaries and evaluations, where there were any.
pub(super) fn add(entries: &mut Entries, answers: &AnswersSummary) {
    if let Some(canaries) = &answers.canaries {
        add_canaries(entries, canaries);
    }
    for eval in &answers.evals {
        add_eval(entries, eval);
    }
}

fn add_canaries(entries: &mut Entries, canaries: &CanarySummary) {
    let right = canaries.right.as_ref();
    let under_load = right.map(|right| format!("right under load {}", share(right)));
    entries.add(
        "Canaries",
        under_load.unwrap_or_else(|| "none was answered".to_owned()),
    );
    add_alone(
        entries,
        canaries.right_before.as_ref(),
        canaries.right_after.as_ref(),
    );
    entries_of_pairs(entries, canaries.paired.as_ref());
    entries.more(format!(
        "that 1 % of the answers are wrong they show in {} of the runs; {} would in 95 %",
        percent(canaries.power),
        count(canaries.needed)
    ));
}

fn add_eval(entries: &mut Entries, eval: &EvalSummary) {
    let made_up = match eval.synthetic {
        true => " (made up by infermeter)",
        false => "",
    };
    let under_load = match &eval.right {
        Some(right) => format!(
            "{}{made_up}: right under load {}",
            &*eval.name,
            share(right)
        ),
        None => format!("{}{made_up}: none of its rows was judged", &*eval.name),
    };
    entries.add("Evaluation", under_load);
    add_alone(
        entries,
        eval.right_before.as_ref(),
        eval.right_after.as_ref(),
    );
    entries_of_pairs(entries, eval.paired.as_ref());
}

fn add_alone(entries: &mut Entries, before: Option<&Share>, after: Option<&Share>) {
    for (when, right) in [("before", before), ("after", after)] {
        if let Some(right) = right {
            entries.more(format!("alone, {when} the load {}", share(right)));
        }
    }
}

fn entries_of_pairs(entries: &mut Entries, paired: Option<&PairedAccuracy>) {
    let Some(paired) = paired else {
        return;
    };
    let difference = (paired.gained as f64 - paired.lost as f64) / paired.pairs.max(1) as f64;
    entries.more(format!(
        "of {} asked both ways {} lost under load, {} gained: {} points (McNemar's exact test: p {})",
        count(paired.pairs),
        count(paired.lost),
        count(paired.gained),
        significant(100.0 * difference),
        p_value(paired.p_value)
    ));
}
