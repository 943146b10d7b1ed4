//! Runs whose answers are held against others: those at low load, and those to the same prompts asked alone.

use super::said::{checked, sound};
use super::{found, quiet};
use infermeter_core::answer::{AnswerFacts, Question, QuestionKind, Reference, Repeat};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{EvalFile, ReferencePasses, Solo, SoloAnswer, SoloEnd, SoloPass};
use infermeter_core::schedule::Phase;
use infermeter_metrics::fixture::Run;

/// A hundred requests at once are the high load; what else there is comes one by one. Those at high load are changed.
fn crowded(change: impl Fn(&mut RequestRecord, &mut AnswerFacts)) -> Run {
    let mut run = quiet();
    for place in 0..100 {
        run.stream(30_000 + place, 900_000_000, 10_000_000, 12);
    }
    run.manifest().plan.check_answers = true;
    let measured = run
        .records()
        .iter_mut()
        .filter(|r| r.phase == Phase::Measure);
    for (place, record) in measured.enumerate() {
        let mut facts = sound(place as u64);
        facts.chars = 250 + place as u32 * 37 % 100;
        let is_high = record
            .chunks
            .first()
            .is_some_and(|c| c.at.since(record.intended) > 800_000_000);
        if is_high {
            change(record, &mut facts);
        }
        record.answer = Some(Box::new(facts));
    }
    run
}

/// Findings about answers alone: the crowd has others.
#[track_caller]
fn check_answers(run: Run, expect: &[&str]) {
    let mut codes = found(&run.build());
    codes.retain(|code| {
        ["answers-", "finish-", "eval-", "reference-", "canar"]
            .iter()
            .any(|of| code.contains(of))
    });
    assert_eq!(codes, expect);
}

#[test]
fn shorter_answers_at_high_load_are_told_and_honest_ones_are_not() {
    check_answers(crowded(|_, _| {}), &[]);
    check_answers(
        crowded(|_, facts| facts.chars /= 2),
        &["warning answers-shorter-under-load"],
    );
    // By tokens too, where the text says nothing.
    check_answers(
        crowded(|record, _| record.output_tokens = Some(4)),
        &["warning answers-shorter-under-load"],
    );
    check_answers(crowded(|_, facts| facts.chars *= 2), &[]);
    // Questions end by themselves.
    let canary = |_: &mut RequestRecord, facts: &mut AnswerFacts| {
        facts.chars = 5;
        facts.question = Some(Question {
            kind: QuestionKind::Copy,
            row: 0,
        });
    };
    check_answers(crowded(canary), &[]);
}

#[test]
fn another_way_of_ending_at_high_load_is_told() {
    check_answers(
        crowded(|record, _| record.finish_reason = Some("content_filter".to_owned())),
        &["warning finish-reasons-shift"],
    );
}

/// A run with a row of an evaluation in every third request, the first sixty asked alone.
fn with_eval(under_load: fn(usize) -> bool, alone: fn(usize) -> bool) -> Run {
    let mut run = checked(move |place, _, facts| {
        if place % 3 == 0 {
            facts.question = Some(Question {
                kind: QuestionKind::Eval,
                row: place as u32 / 3 % 50,
            });
            facts.correct = Some(under_load(place / 3));
        }
    });
    // Numbers are given in the order of time, and the warm-up is before.
    let warmup = run
        .records()
        .iter()
        .filter(|r| r.phase == Phase::Warmup)
        .count();
    let answer = |number: usize| SoloAnswer {
        id: (warmup + number * 3) as u64,
        question: Question {
            kind: QuestionKind::Eval,
            row: number as u32 % 50,
        },
        correct: Some(alone(number)),
        doubts: Vec::new(),
        chars: 20,
        output_tokens: Some(6),
        finish_reason: Some("stop".to_owned()),
        e2e_ns: 80_000_000,
    };
    run.manifest().evals = vec![EvalFile {
        name: "sums.jsonl".to_owned(),
        sha256: "00".repeat(32),
        rows: 50,
        first_row: 0,
        share: 0.33,
        synthetic: true,
    }];
    run.manifest().solo = Some(Solo {
        before: Some(SoloPass {
            wanted: 60,
            answers: (0..60).map(answer).collect(),
            ended_by: SoloEnd::AllAsked,
            problem: None,
        }),
        ..Solo::default()
    });
    run
}

#[test]
fn a_score_that_falls_is_told_and_a_low_one_is_not() {
    check_answers(with_eval(|_| true, |_| true), &[]);
    check_answers(with_eval(|i| i % 2 == 0, |i| i % 2 == 0), &[]);
    check_answers(
        with_eval(|i| i % 2 == 0, |_| true),
        &["warning eval-accuracy-falls"],
    );
    let summary = super::summary_of(&with_eval(|i| i % 2 == 0, |_| true).build());
    let eval = &summary.answers.as_ref().expect("answers").evals[0];
    let right = eval.right.as_ref().expect("a score");
    assert_eq!((right.count, right.n, eval.answered), (217, 434, 434));
    let paired = eval.paired.as_ref().expect("pairs");
    assert_eq!((paired.pairs, paired.lost, paired.gained), (60, 30, 0));
}

/// A run in which sixty prompts were asked alone.
fn with_references(asked: bool, of: impl Fn(usize) -> Reference) -> Run {
    let mut run = checked(move |place, _, facts| {
        facts.reference = (place < 60).then(|| of(place));
    });
    run.manifest().plan.reference = "solo".parse().ok();
    run.manifest().solo = Some(Solo {
        reference: Some(ReferencePasses {
            answers: Vec::new(),
            wanted: 60,
            asked: 60,
            repeated: 60,
            logprobs: true,
            deterministic_asked: asked,
            problem: None,
        }),
        ..Solo::default()
    });
    run
}

fn parts(at: Option<u32>, margin_mnat: Option<u32>, repeat: Repeat) -> Reference {
    Reference {
        chars: 300,
        diverged_at: at,
        margin_mnat,
        repeat: Some(repeat),
    }
}

#[test]
fn equal_answers_and_those_that_differ_as_solo_ones_do_raise_nothing() {
    check_answers(
        with_references(true, |_| parts(None, None, Repeat::Equal)),
        &[],
    );
    let noisy = |place: usize| {
        let at = |late: bool| if late { 90 } else { 20 };
        parts(
            Some(at(place.is_multiple_of(2))),
            None,
            Repeat::DivergedAt(at(place % 2 == 1)),
        )
    };
    check_answers(with_references(true, noisy), &[]);
    check_answers(
        with_references(false, noisy),
        &["note reference-meaningless"],
    );
    // Five of sixty are not beyond chance at this level.
    let few = |place: usize| parts((place < 5).then_some(3), Some(2_000), Repeat::Equal);
    check_answers(with_references(true, few), &[]);
}

#[test]
fn near_ties_are_a_note_and_clear_differences_a_warning() {
    let near = |place: usize| {
        parts(
            place.is_multiple_of(2).then_some(120),
            Some(80),
            Repeat::Equal,
        )
    };
    check_answers(with_references(true, near), &["note reference-diverges"]);
    let clear = |place: usize| {
        parts(
            place.is_multiple_of(2).then_some(120),
            Some(2_000),
            Repeat::Equal,
        )
    };
    check_answers(
        with_references(true, clear),
        &["warning reference-diverges"],
    );
}

#[test]
fn without_margins_the_place_tells() {
    let early = |place: usize| parts(Some(place as u32 % 20), None, Repeat::Equal);
    check_answers(
        with_references(true, early),
        &["warning reference-diverges"],
    );
    let late = |place: usize| parts(Some(100 + place as u32), None, Repeat::Equal);
    check_answers(with_references(true, late), &["note reference-diverges"]);
}

#[test]
fn without_a_second_solo_answer_nothing_is_said() {
    let once = |_| Reference {
        repeat: None,
        ..parts(Some(3), None, Repeat::Equal)
    };
    check_answers(with_references(true, once), &["warning reference-unknown"]);
    let mut never = with_references(true, once);
    never.manifest().solo = None;
    check_answers(never, &["warning reference-unknown"]);
}
