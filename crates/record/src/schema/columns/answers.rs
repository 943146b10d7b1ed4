//! The columns that say what was found of an answer, after the run. All of them are null where it was not checked.
//!
//! A row without `answer_doubts` was not checked: what its other columns say of an answer is refused as damage. Hashes keep
//! their 64 bits as those of a signed number.

use super::{Column, column};
use crate::schema::{Kind, Null};
use infermeter_core::answer::{
    AnswerFacts, Doubts, Question, QuestionKind, Reference, Repeat, Writing,
};
use infermeter_core::record::RequestRecord;
use std::borrow::Cow;

/// How equal answers are written where a number of common characters would stand.
const EQUAL: i64 = -1;

fn found(record: &RequestRecord) -> Option<&AnswerFacts> {
    record.answer.as_deref()
}

fn reference(record: &RequestRecord) -> Option<&Reference> {
    found(record)?.reference.as_ref()
}

fn reference_mut(record: &mut RequestRecord) -> Option<&mut Reference> {
    record.answer.as_mut()?.reference.as_mut()
}

/// A hash as a signed number; 0 stands for none.
fn known(hash: u64) -> Option<i64> {
    (hash != 0).then_some(hash.cast_signed())
}

const fn number(
    name: &'static str,
    give: fn(&RequestRecord) -> Option<i64>,
    take: fn(&mut RequestRecord, i64) -> Option<()>,
) -> Column {
    column(name, Null::Absent, Kind::Number { give, take })
}

/// Comes first: a row with it was checked.
pub(super) const DOUBTS: Column = column(
    "answer_doubts",
    Null::Absent,
    Kind::Text {
        give: |r| found(r).map(|answer| answer.doubts.text().into()),
        take: |r, v| {
            r.answer = Some(Box::new(AnswerFacts {
                doubts: Doubts::parse(v)?,
                chars: 0,
                script: None,
                text_hash: 0,
                prompt_hash: 0,
                question: None,
                correct: None,
                reference: None,
            }));
            Some(())
        },
    },
);

pub(super) const CHARS: Column = number(
    "answer_chars",
    |r| found(r).map(|answer| i64::from(answer.chars)),
    |r, v| {
        r.answer.as_mut()?.chars = v.try_into().ok()?;
        Some(())
    },
);

pub(super) const SCRIPT: Column = column(
    "answer_script",
    Null::Absent,
    Kind::Text {
        give: |r| Some(Cow::from(found(r)?.script?.as_str())),
        take: |r, v| {
            r.answer.as_mut()?.script = Some(Writing::parse(v)?);
            Some(())
        },
    },
);

pub(super) const TEXT_HASH: Column = number(
    "answer_hash",
    |r| known(found(r)?.text_hash),
    |r, v| {
        r.answer.as_mut()?.text_hash = v.cast_unsigned();
        Some(())
    },
);

pub(super) const PROMPT_HASH: Column = number(
    "prompt_hash",
    |r| known(found(r)?.prompt_hash),
    |r, v| {
        r.answer.as_mut()?.prompt_hash = v.cast_unsigned();
        Some(())
    },
);

pub(super) const QUESTION: Column = column(
    "question",
    Null::Absent,
    Kind::Text {
        give: |r| Some(Cow::from(found(r)?.question?.kind.as_str())),
        take: |r, v| {
            r.answer.as_mut()?.question = Some(Question {
                kind: QuestionKind::parse(v)?,
                row: 0,
            });
            Some(())
        },
    },
);

/// Comes after `question`, whose row it is.
pub(super) const QUESTION_ROW: Column = number(
    "question_row",
    |r| Some(i64::from(found(r)?.question?.row)),
    |r, v| {
        r.answer.as_mut()?.question.as_mut()?.row = v.try_into().ok()?;
        Some(())
    },
);

pub(super) const CORRECT: Column = column(
    "answer_correct",
    Null::Absent,
    Kind::Flag {
        give: |r| found(r)?.correct,
        take: |r, v| {
            r.answer.as_mut()?.correct = Some(v);
            Some(())
        },
    },
);

pub(super) const REFERENCE_CHARS: Column = number(
    "reference_chars",
    |r| reference(r).map(|reference| i64::from(reference.chars)),
    |r, v| {
        r.answer.as_mut()?.reference = Some(Reference {
            chars: v.try_into().ok()?,
            diverged_at: None,
            margin_mnat: None,
            repeat: None,
        });
        Some(())
    },
);

/// Comes after `reference_chars`, as those below.
pub(super) const DIVERGED_AT: Column = number(
    "reference_diverged_at",
    |r| reference(r)?.diverged_at.map(i64::from),
    |r, v| {
        reference_mut(r)?.diverged_at = Some(v.try_into().ok()?);
        Some(())
    },
);

pub(super) const MARGIN: Column = number(
    "reference_margin_mnat",
    |r| reference(r)?.margin_mnat.map(i64::from),
    |r, v| {
        reference_mut(r)?.margin_mnat = Some(v.try_into().ok()?);
        Some(())
    },
);

pub(super) const REPEAT_DIVERGED_AT: Column = number(
    "reference_repeat_diverged_at",
    |r| {
        Some(match reference(r)?.repeat? {
            Repeat::Equal => EQUAL,
            Repeat::DivergedAt(chars) => i64::from(chars),
        })
    },
    |r, v| {
        reference_mut(r)?.repeat = Some(match v {
            EQUAL => Repeat::Equal,
            other => Repeat::DivergedAt(other.try_into().ok()?),
        });
        Some(())
    },
);
