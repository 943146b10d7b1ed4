//! Questions of the load, asked with nothing else in flight: before the load and after it.
//!
//! Their answers say what the model can, so that those under load are judged beside it. Each pass puts another salt in front:
//! the question is the same, and no prefix cache is warm for it. Invariant: a pass ends, by number and by time.

use super::{Question, judged};
use crate::answers::forms::Forms;
use crate::found::Found;
use crate::load::Load;
use infermeter_answers::Said;
use infermeter_core::answer::Doubt;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::request::RequestId;
use infermeter_core::run::{ControlRequest, SoloAnswer, SoloEnd, SoloPass};
use infermeter_core::seed::splitmix64;
use infermeter_core::units::Span;
use infermeter_probe::alone::AloneAnswer;
use infermeter_probe::target::Limits;
use infermeter_sys::signals;
use std::time::Duration;

/// Questions of a pass at most.
const MOST: usize = 60;
/// Requests that are looked through for them: a closed loop does not know how many there will be.
const LOOKED_THROUGH: u64 = 100_000;
/// Failures in a row after which nobody is asked any further.
const FAILURES: u32 = 3;

/// Which of the two passes it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// Before the load.
    Before,
    /// After it.
    After,
}

/// The requests of a load whose questions are asked alone: the first measured ones that carry one.
fn asked_alone(load: &Load) -> Vec<RequestId> {
    if load.workload.questions().is_none() {
        return Vec::new();
    }
    let (_, measured) = load.schedule.ids();
    let looked = measured.start
        ..measured
            .end
            .min(measured.start.saturating_add(LOOKED_THROUGH));
    let carries = |id: &RequestId| load.workload.asked(*id).is_some();
    looked.filter(carries).take(MOST).collect()
}

/// What a pass would say to somebody who waits; absent where nothing is asked.
pub(crate) fn announced(load: &Load, longest: Span, when: When) -> Option<String> {
    let count = asked_alone(load).len();
    let when = match when {
        When::Before => "before",
        When::After => "after",
    };
    (count > 0)
        .then(|| format!("asking {count} questions alone, {when} the load (at most {longest})"))
}

/// Asks them, until that much time is over; absent where there is nothing to ask. What was sent is in the second value.
pub(crate) fn pass(
    found: &Found,
    load: &Load,
    salt: u64,
    longest: Span,
    when: When,
) -> Option<(SoloPass, Vec<ControlRequest>)> {
    let ids = asked_alone(load);
    if ids.is_empty() {
        return None;
    }
    let tag = match when {
        When::Before => 1,
        When::After => 2,
    };
    let own = load.clone().with_salt(splitmix64(salt).wrapping_add(tag));
    let mut control = found.alone();
    let time = Duration::from_nanos(longest.ns().unsigned_abs());
    control.limit(Limits {
        each: time,
        all: time,
    });
    let (begun, logged) = (monotonic_ns(), control.log.len());
    let mut pass = SoloPass {
        wanted: ids.len() as u32,
        answers: Vec::with_capacity(ids.len()),
        ended_by: SoloEnd::AllAsked,
        problem: None,
    };
    let (mut forms, mut failed) = (Forms::default(), 0);
    for id in ids {
        if monotonic_ns() - begun > longest.ns() {
            pass.ended_by = SoloEnd::Time;
            break;
        }
        let Some(question) = Question::of(&own, id) else {
            continue;
        };
        let spec = own.workload.spec(id);
        match control.alone(&found.encoder_alone, &spec, &question.content) {
            Ok(answer) => {
                failed = 0;
                pass.answers
                    .extend(answered(id, &question, &answer, &mut forms));
            }
            Err(problem) => {
                failed += 1;
                let mut problem = problem;
                found.secrets.scrub(&mut problem);
                pass.problem = Some(problem);
            }
        }
        if failed >= FAILURES || signals::count() > 0 {
            pass.ended_by = SoloEnd::Failed;
            break;
        }
    }
    Some((pass, control.log.split_off(logged)))
}

fn answered(
    id: RequestId,
    question: &Question,
    answer: &AloneAnswer,
    forms: &mut Forms,
) -> Option<SoloAnswer> {
    let said = Said {
        content: &answer.content,
        reasoning: &answer.reasoning,
        refusal: "",
        calls: &answer.calls,
        first_chunk: None,
        finish: answer.finish.as_deref(),
        output_tokens: answer.output_tokens,
    };
    let found = judged(&said, Some(question), false, forms);
    Some(SoloAnswer {
        id,
        question: found.question?,
        correct: found.correct,
        doubts: found
            .doubts
            .iter()
            .map(Doubt::as_str)
            .map(str::to_owned)
            .collect(),
        chars: found.chars,
        output_tokens: answer.output_tokens,
        finish_reason: answer
            .finish
            .as_deref()
            .map(|word| infermeter_core::text::inert(word, 40)),
        e2e_ns: answer.e2e_ns,
    })
}
