//! The checks of one answer that need no reference.
//!
//! Each kind of check has a file, and reads the text once. Invariant: what an answer says behind its natural end, where its
//! length was forced, is not judged.

mod broken;
mod errors;
mod forms;
mod leaks;
mod loops;
mod noise;
mod refusals;
mod words;

use crate::marker;
use crate::said::{Asked, Said};
use crate::writing;
use infermeter_core::answer::{Doubt, Doubts};

/// Of an answer whose length was forced, so many characters are judged: hardly a model ends before them, and one that is
/// broken is so from its start.
const JUDGED_CHARS: usize = 200;

/// What is found in an answer.
pub(crate) fn check(asked: &Asked<'_>, said: &Said<'_>) -> Doubts {
    let mut doubts = Doubts::default();
    let mut note = |doubt: Doubt, found: bool| {
        if found {
            doubts.insert(doubt);
        }
    };
    if said.is_silent() {
        note(Doubt::NoText, said.output_tokens.is_some_and(|n| n > 1));
        let ended = said.finish.is_some() && !said.is_cut();
        note(
            Doubt::Empty,
            ended && said.output_tokens.is_none_or(|n| n <= 1),
        );
        return doubts;
    }
    let cut = said.is_cut();
    note(Doubt::CutAtCap, cut && !asked.forced_length);
    note(Doubt::NotJudgedPart, asked.forced_length);
    let mute = said.content.trim().is_empty() && said.calls.is_empty() && said.refusal.is_empty();
    note(Doubt::Empty, mute && !cut && said.finish.is_some());
    note(
        Doubt::BlankStart,
        said.first_chunk.is_some_and(leaks::is_blank),
    );
    note(
        Doubt::ReasoningMissing,
        asked.reasons && said.reasoning.trim().is_empty(),
    );
    note(Doubt::ErrorText, errors::is_error(said.content));
    note(
        Doubt::Refusal,
        !said.refusal.is_empty() || refusals::is_refusal(said.content),
    );
    let foreign = |found: &str| Some(found) != asked.own_marker;
    note(
        Doubt::ForeignMarker,
        marker::find_all(said.content).any(foreign),
    );
    doubts = doubts.union(text(asked, judged(asked, said.content), cut));
    match asked.form {
        // A refusal is an answer of another kind.
        Some(form) if !doubts.contains(Doubt::Refusal) => {
            doubts.union(forms::check(form, asked, said))
        }
        _ => doubts,
    }
}

/// What is found in a text alone.
fn text(asked: &Asked<'_>, text: &str, cut: bool) -> Doubts {
    let is_flip = asked
        .writings
        .is_some_and(|known| writing::flips(text, known));
    let found = [
        (Doubt::OneCharacter, loops::is_one_character(text)),
        (Doubt::RepetitionLoop, loops::is_loop(text)),
        (Doubt::ReplacementCharacter, broken::has_broken(text, cut)),
        (
            Doubt::Gibberish,
            words::is_gibberish(text) || noise::is_noise(text),
        ),
        (Doubt::ScriptFlip, is_flip),
        (Doubt::ReasoningLeak, leaks::leaks(text)),
    ];
    let found = found.into_iter().filter(|(_, found)| *found);
    found.map(|(doubt, _)| doubt).collect()
}

/// The part of a text that its model wanted to say.
fn judged<'a>(asked: &Asked<'_>, text: &'a str) -> &'a str {
    if !asked.forced_length {
        return text;
    }
    let end = text.char_indices().nth(JUDGED_CHARS);
    end.map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests;
