//! Runs whose answers were checked: each doubt is said once, an honest run is quiet, canaries are held against those alone.

use super::{found, quiet};
use infermeter_core::answer::{AnswerFacts, Doubt, Doubts, Question, QuestionKind, Writing};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{RunLog, Solo, SoloAnswer, SoloEnd, SoloPass};
use infermeter_core::schedule::Phase;
use infermeter_metrics::fixture::Run;

/// The facts of a sound answer.
pub(super) fn sound(id: u64) -> AnswerFacts {
    AnswerFacts {
        doubts: Doubts::default(),
        chars: 300,
        script: Some(Writing::Latin),
        text_hash: id + 1,
        prompt_hash: id + 1,
        question: None,
        correct: None,
        reference: None,
    }
}

/// A quiet run whose answers were checked, each after a change.
pub(super) fn checked(change: impl Fn(usize, &mut RequestRecord, &mut AnswerFacts)) -> Run {
    let mut run = quiet();
    run.manifest().plan.check_answers = true;
    let measured = run
        .records()
        .iter_mut()
        .filter(|r| r.phase == Phase::Measure);
    for (place, record) in measured.enumerate() {
        let mut facts = sound(record.id);
        change(place, record, &mut facts);
        record.answer = Some(Box::new(facts));
    }
    run
}

/// Findings about answers.
#[track_caller]
fn check(log: &RunLog, expect: &[&str]) {
    let mut codes = found(log);
    codes.retain(|code| code != "note percentile-needs-more");
    assert_eq!(codes, expect);
}

/// Every thirteenth answer has a doubt.
#[track_caller]
fn check_doubt(doubt: Doubt, expect: &[&str]) {
    let run = checked(|place, _, facts| {
        if place % 13 == 0 {
            facts.doubts.insert(doubt);
        }
    });
    check(&run.build(), expect);
}

#[test]
fn honest_answers_raise_nothing() {
    check(&checked(|_, _, _| {}).build(), &[]);
}

#[test]
fn each_doubt_has_its_finding() {
    let corrupted = "error answers-corrupted";
    check_doubt(Doubt::Gibberish, &[corrupted]);
    check_doubt(Doubt::RepetitionLoop, &[corrupted]);
    check_doubt(
        Doubt::ForeignMarker,
        &[corrupted, "warning answers-crossed"],
    );
    check_doubt(
        Doubt::ErrorText,
        &[corrupted, "warning answers-refused-in-text"],
    );
    check_doubt(Doubt::SchemaBroken, &[corrupted, "warning schema-broken"]);
    check_doubt(Doubt::NotJson, &[corrupted, "warning schema-broken"]);
    check_doubt(Doubt::ToolUnknown, &[corrupted, "warning tools-wrong"]);
    check_doubt(
        Doubt::ReasoningLeak,
        &[corrupted, "warning reasoning-leaks"],
    );
    check_doubt(Doubt::NoText, &["note answers-not-checked"]);
    // Facts alone are no finding.
    check_doubt(Doubt::CutAtCap, &[]);
    check_doubt(Doubt::NotJudgedPart, &[]);
    check_doubt(Doubt::BlankStart, &[]);
}

#[test]
fn one_corrupted_answer_in_a_thousand_is_a_note_and_two_a_warning() {
    let with = |many: usize| {
        checked(move |place, _, facts| {
            if place < many {
                facts.doubts.insert(Doubt::Gibberish);
            }
        })
    };
    check(&with(1).build(), &["note answers-corrupted"]);
    check(&with(2).build(), &["warning answers-corrupted"]);
}

#[test]
fn corruption_at_high_load_alone_is_told() {
    let mut run = quiet();
    // A hundred at once are the high load; what else there is comes one by one.
    for place in 0..100 {
        run.stream(30_000 + place, 900_000_000, 10_000_000, 12);
    }
    run.manifest().plan.check_answers = true;
    for record in run
        .records()
        .iter_mut()
        .filter(|r| r.phase == Phase::Measure)
    {
        let mut facts = sound(record.id);
        if record
            .chunks
            .first()
            .is_some_and(|chunk| chunk.at.since(record.intended) > 800_000_000)
        {
            facts.doubts.insert(Doubt::OneCharacter);
        }
        record.answer = Some(Box::new(facts));
    }
    let codes = found(&run.build());
    assert!(
        codes.contains(&"warning answers-corrupted-under-load".to_owned()),
        "{codes:?}"
    );
}

#[test]
fn one_answer_to_many_prompts_is_a_cache() {
    let run = checked(|place, _, facts| {
        if place < 4 {
            (facts.text_hash, facts.prompt_hash) = (7_777, 1_000 + place as u64);
        }
    });
    check(&run.build(), &["warning answers-equal"]);
    // Refusals are in the same words.
    let run = checked(|place, _, facts| {
        if place < 4 {
            facts.text_hash = 7_777;
            facts.doubts.insert(Doubt::Refusal);
        }
    });
    check(&run.build(), &[]);
    // Of one prompt they may be equal.
    let run = checked(|place, _, facts| {
        if place < 4 {
            (facts.text_hash, facts.prompt_hash) = (7_777, 5);
        }
    });
    check(&run.build(), &[]);
}

#[test]
fn another_writing_system_than_that_of_most_is_told() {
    let run = checked(|place, _, facts| {
        if place % 100 == 0 {
            facts.script = Some(Writing::Han);
        }
    });
    check(&run.build(), &["warning answers-language-shift"]);
}

#[test]
fn a_first_chunk_that_shows_nothing_is_told_where_most_have_it() {
    let run = checked(|_, _, facts| facts.doubts.insert(Doubt::BlankStart));
    check(&run.build(), &["warning first-token-blank"]);
}

#[test]
fn reasoning_that_some_answers_lack_is_told() {
    let run = checked(|place, record, _| {
        record.finish_reason = Some("stop".to_owned());
        if place % 20 != 0 {
            record.chunks[0].kind = infermeter_core::record::ChunkKind::Reasoning;
        }
    });
    let codes = found(&run.build());
    assert!(
        codes.contains(&"warning reasoning-missing".to_owned()),
        "{codes:?}"
    );
}

#[test]
fn answers_without_facts_are_counted_as_not_checked() {
    let mut run = checked(|_, _, _| {});
    let measured = run
        .records()
        .iter_mut()
        .filter(|r| r.phase == Phase::Measure);
    measured.take(900).for_each(|record| record.answer = None);
    check(&run.build(), &["warning answers-not-checked"]);
}

/// Which canaries are answered rightly: under load, alone.
type Right = fn(usize, QuestionKind) -> bool;

/// A run with a canary in every third request, of which the first sixty were asked alone.
fn with_canaries(under_load: Right, alone: Right) -> Run {
    let kind = |place: usize| QuestionKind::ALL[place / 3 % 5];
    let mut run = checked(move |place, _, facts| {
        if place % 3 == 0 {
            let kind = kind(place);
            facts.question = Some(Question {
                kind,
                row: place as u32,
            });
            facts.correct = Some(under_load(place, kind));
        }
    });
    run.manifest().plan.canaries = "33%".parse().ok();
    let ids: Vec<u64> = {
        let measured = run.records().iter().filter(|r| r.phase == Phase::Measure);
        measured
            .map(|record| record.id)
            .step_by(3)
            .take(60)
            .collect()
    };
    let answer = |(number, id): (usize, u64)| SoloAnswer {
        id,
        question: Question {
            kind: kind(number * 3),
            row: number as u32 * 3,
        },
        correct: Some(alone(number * 3, kind(number * 3))),
        doubts: Vec::new(),
        chars: 20,
        output_tokens: Some(6),
        finish_reason: Some("stop".to_owned()),
        e2e_ns: 80_000_000,
    };
    let pass = SoloPass {
        wanted: 60,
        answers: ids.into_iter().enumerate().map(answer).collect(),
        ended_by: SoloEnd::AllAsked,
        problem: None,
    };
    run.manifest().solo = Some(Solo {
        before: Some(pass),
        ..Solo::default()
    });
    run
}

#[test]
fn right_canaries_raise_nothing_and_few_of_them_say_so() {
    check(&with_canaries(|_, _| true, |_, _| true).build(), &[]);
    let mut run = with_canaries(|_, _| true, |_, _| true);
    for record in run.records() {
        if record.id % 2 == 0 {
            record
                .answer
                .iter_mut()
                .for_each(|answer| answer.question = None);
        }
    }
    check(&run.build(), &["note canaries-too-few"]);
}

#[test]
fn questions_that_are_lost_under_load_are_a_fall_and_a_weak_model_is_none() {
    let codes = found(&with_canaries(|place, _| place % 2 == 0, |_, _| true).build());
    assert!(
        codes.contains(&"warning canary-accuracy-falls".to_owned()),
        "{codes:?}"
    );
    let weak: Right = |place, _| place % 2 == 0;
    check(
        &with_canaries(weak, weak).build(),
        &["note canary-accuracy-low"],
    );
}

#[test]
fn needles_that_are_missed_alone_among_the_questions_are_cut_prompts() {
    let right: Right = |_, kind| kind != QuestionKind::Needle;
    let codes = found(&with_canaries(right, right).build());
    assert!(
        codes.contains(&"warning prompt-truncated".to_owned()),
        "{codes:?}"
    );
    assert!(
        !codes.contains(&"warning canary-accuracy-falls".to_owned()),
        "{codes:?}"
    );
}

#[test]
fn refusals_and_a_pass_that_was_cut_short_are_notes() {
    let mut run = with_canaries(|_, _| true, |_, _| true);
    for record in run.records() {
        let answer = record
            .answer
            .as_mut()
            .filter(|answer| answer.question.is_some());
        if let Some(answer) = answer
            && record.id % 4 == 0
        {
            answer.correct = None;
            answer.doubts.insert(Doubt::Refusal);
        }
    }
    check(&run.build(), &["note canaries-refused"]);
    let mut run = with_canaries(|_, _| true, |_, _| true);
    if let Some(Solo {
        before: Some(pass), ..
    }) = &mut run.manifest().solo
    {
        (pass.ended_by, pass.wanted) = (SoloEnd::Time, 90);
    }
    check(&run.build(), &["note solo-cut-short"]);
}
