//! Equal answers to different prompts: what a cache gives that takes one prompt for another.
//!
//! Short answers are equal by chance, or because there is one right one: they are not looked at. Invariant: two requests with
//! one prompt may be answered equally.

use super::{Checked, EXAMPLES};
use infermeter_core::answer::Doubt;
use infermeter_core::request::RequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Characters of an answer that is not equal to another by chance.
const LEAST_CHARS: u32 = 60;

/// Answers that another prompt had before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EqualAnswers {
    /// Answers that were compared.
    pub compared: u64,
    /// Those that are word for word the answer to another prompt.
    pub answers: u64,
    /// Different texts among them.
    pub texts: u64,
    /// Some of their requests, by number.
    pub examples: Vec<RequestId>,
}

impl EqualAnswers {
    pub(super) fn of(checked: &[Checked<'_>]) -> Self {
        let long = |one: &&Checked<'_>| {
            let answer = one.answer;
            // Loops, errors and refusals are alike without a cache, and have findings of their own.
            let sound = !answer.doubts.are_corrupt() && !answer.doubts.contains(Doubt::Refusal);
            let known = answer.prompt_hash != 0 && answer.question.is_none();
            sound && known && answer.chars >= LEAST_CHARS
        };
        let mut by_text: HashMap<u64, Vec<(u64, RequestId)>> = HashMap::new();
        let mut found = Self::default();
        for one in checked.iter().filter(long) {
            found.compared += 1;
            let known = by_text.entry(one.answer.text_hash).or_default();
            known.push((one.answer.prompt_hash, one.request.id));
        }
        let mut equal: Vec<RequestId> = Vec::new();
        for answers in by_text.values().filter(|answers| answers.len() > 1) {
            let first = answers[0].0;
            if answers.iter().all(|(prompt, _)| *prompt == first) {
                continue;
            }
            found.texts += 1;
            equal.extend(answers.iter().map(|(_, id)| *id));
        }
        equal.sort_unstable();
        found.answers = equal.len() as u64;
        equal.truncate(EXAMPLES);
        found.examples = equal;
        found
    }
}
