//! What was found of each answer, once the load has ended: its text is read, and facts of it go into the record.
//!
//! The prompts are made again, since a record does not hold them. Where they cannot be (the dataset of a run that was
//! killed is gone), the text alone is judged. Nothing of this runs while anything is measured. Invariant: no text leaves
//! this module.

mod forms;
pub(crate) mod reference;
pub(crate) mod solo;

pub(crate) use reference::References;

use crate::load::Load;
use forms::Forms;
use infermeter_answers::questions::Carried;
use infermeter_answers::{Asked, Said, Writings, facts, hash_of};
use infermeter_core::answer::AnswerFacts;
use infermeter_core::record::{ChunkKind, ChunkTexts, Outcome, RequestRecord};
use infermeter_core::request::{RequestContent, RequestId};
use infermeter_core::run::RunManifest;

/// Judges the answers of a run.
pub(crate) struct Judging {
    load: Option<Load>,
    forced: bool,
    forms: Forms,
    references: References,
}

impl Judging {
    /// That of a run whose answers are to be checked.
    pub(crate) fn of(manifest: &RunManifest, references: References) -> Option<Self> {
        let plan = &manifest.plan;
        if !plan.checks_answers() {
            return None;
        }
        let fields = manifest.environment.target.fields.as_ref();
        // Later prompts hold what the server said: they cannot be made again without it.
        let again = !plan.has_live_history();
        let salt = manifest.environment.workload.salt.or(plan.salt);
        let load = salt
            .filter(|_| again)
            .and_then(|salt| Load::from_plan(plan, salt).ok());
        Some(Self {
            load,
            forced: fields.is_some_and(|fields| fields.ignore_eos == Some(true)),
            forms: Forms::default(),
            references,
        })
    }

    /// What is found of the answer to a request.
    pub(crate) fn judge(&mut self, record: &RequestRecord) -> Option<Box<AnswerFacts>> {
        if record.outcome != Outcome::Completed {
            return None;
        }
        let texts = record.texts.as_ref()?;
        let parts = Parts::of(record, texts);
        let said = parts.said(record, texts);
        let asked = self
            .load
            .as_ref()
            .and_then(|load| Question::of(load, record.id));
        let mut found = judged(&said, asked.as_ref(), self.forced, &mut self.forms);
        found.reference = self.references.of(record.id, said.content);
        Some(Box::new(found))
    }
}

/// What is found of an answer to what was asked.
fn judged(
    said: &Said<'_>,
    question: Option<&Question>,
    forced: bool,
    forms: &mut Forms,
) -> AnswerFacts {
    let carried = question.and_then(|question| question.carried.as_ref());
    let form = question.and_then(|question| forms.of(&question.content));
    let asked = Asked {
        form,
        forced_length: forced && carried.is_none(),
        own_marker: carried.and_then(Carried::marker),
        writings: question.map(Question::writings),
        reasons: false,
        prompt_hash: question.map_or(0, |question| question.hash),
    };
    let mut found = facts(&asked, said);
    if let Some(carried) = carried {
        found.question = Some(carried.question);
        found.correct = carried.is_right(said);
    }
    found
}

/// What a request asked.
struct Question {
    content: RequestContent,
    /// Over its texts without the slot that they begin with.
    hash: u64,
    /// What a program can check of its answer.
    carried: Option<Carried>,
}

impl Question {
    /// That of a request of a load; `None` where it cannot be made again.
    fn of(load: &Load, id: RequestId) -> Option<Self> {
        let workload = &load.workload;
        if workload.len().is_some_and(|len| id >= len) {
            return None;
        }
        let spec = workload.spec(id);
        let content = workload.content(&spec, &[]).ok()?;
        let slot = workload.slot(&spec);
        let texts = content.texts();
        let bare = texts
            .iter()
            .map(|text| text.strip_prefix(slot.as_str()).unwrap_or(text));
        Some(Self {
            hash: hash_of(bare),
            carried: workload.asked(id),
            content,
        })
    }

    fn writings(&self) -> Writings {
        let texts = self.content.texts().into_iter();
        texts.fold(Writings::default(), |all, text| {
            all.union(Writings::of(text))
        })
    }
}

/// The parts of an answer, each put together.
#[derive(Default)]
struct Parts {
    content: String,
    reasoning: String,
    refusal: String,
    calls: String,
}

impl Parts {
    fn of(record: &RequestRecord, texts: &ChunkTexts) -> Self {
        let mut parts = Self::default();
        if record.chunks.is_empty() {
            // An answer in one piece.
            parts.content = String::from_utf8_lossy(&texts.bytes).into_owned();
            return parts;
        }
        for (place, chunk) in record.chunks.iter().enumerate() {
            let part = match chunk.kind {
                ChunkKind::Text => &mut parts.content,
                ChunkKind::Reasoning => &mut parts.reasoning,
                ChunkKind::Refusal => &mut parts.refusal,
                ChunkKind::ToolCall => &mut parts.calls,
            };
            part.push_str(texts.get(place));
        }
        parts
    }

    fn said<'a>(&'a self, record: &'a RequestRecord, texts: &'a ChunkTexts) -> Said<'a> {
        let first = record.chunks.first().filter(|_| record.chunks.len() > 1);
        Said {
            content: &self.content,
            reasoning: &self.reasoning,
            refusal: &self.refusal,
            calls: &self.calls,
            first_chunk: first.map(|_| texts.get(0)),
            finish: record.finish_reason.as_deref(),
            output_tokens: record.output_tokens,
        }
    }
}

#[cfg(test)]
mod tests;
