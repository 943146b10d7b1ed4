//! Which requests carry which questions.

use super::*;
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn a_share_of_the_requests_carries_them_and_all_kinds_occur() {
    let questions = Questions::new(4, 0.05);
    let mut kinds = BTreeMap::new();
    for id in 0..20_000 {
        if let Some(question) = question(&questions, id) {
            *kinds.entry(question.kind).or_insert(0) += 1;
        }
    }
    let all: u64 = kinds.values().sum();
    // 1,000 expected, with a standard deviation of 31.
    assert!((860..=1_140).contains(&all), "{all}");
    assert_eq!(kinds.len(), 6);
    assert!(kinds.values().all(|n| *n > 100), "{kinds:?}");
    assert!((0..1_000).all(|id| Questions::new(4, 0.0).of(id).is_none()));
    assert!((0..1_000).all(|id| Questions::new(4, 1.0).of(id).is_some()));
    let tools = Questions::new(4, 0.2).with_abilities(Abilities::Tools);
    let kinds: BTreeSet<QuestionKind> = (0..2_000)
        .filter_map(|id| Some(question(&tools, id)?.kind))
        .collect();
    assert!(kinds.contains(&QuestionKind::Tool));
}

fn question(questions: &Questions, id: RequestId) -> Option<Question> {
    questions.of(id).map(|carried| carried.question)
}

fn with_evals(seed: u64) -> Questions {
    let other = r#"{"prompt": "1?", "answer": 1, "kind": "number", "max_tokens": 7}"#;
    let other = Eval::read(other.as_bytes(), "one.jsonl").expect("a row");
    Questions::new(seed, 0.02)
        .with_eval(Arc::new(Eval::builtin()), 0.1)
        .with_eval(Arc::new(other), 0.01)
}

#[test]
fn evaluations_ride_beside_canaries_and_count_their_rows_on() {
    let questions = with_evals(8);
    let files = questions.evals();
    assert_eq!([files[0].first_row, files[1].first_row], [0, 200]);
    let mut rows = BTreeMap::new();
    let mut canaries = 0;
    for id in 0..10_000 {
        let Some(carried) = questions.of(id) else {
            continue;
        };
        match carried.question.kind {
            QuestionKind::Eval => *rows.entry(carried.question.row).or_insert(0) += 1,
            _ => canaries += 1,
        }
        assert_eq!(
            carried.canary().is_some(),
            carried.question.kind.is_canary()
        );
        assert_eq!(
            carried.row().is_some(),
            carried.question.kind == QuestionKind::Eval
        );
        if carried.question.row == 200 && carried.row().is_some() {
            assert_eq!(carried.answer_tokens(), 7);
        }
    }
    // 200 expected, with a standard deviation of 14.
    assert!((140..=260).contains(&canaries), "{canaries}");
    let own: Vec<u32> = rows.range(..200).map(|(_, times)| *times).collect();
    // 1,000 places for 200 rows: five rounds, of which canaries take one place in fifty.
    assert_eq!(own.len(), 200);
    assert!(own.iter().all(|times| (2..=5).contains(times)), "{own:?}");
    assert!((80..=100).contains(&rows[&200]), "{}", rows[&200]);
}

#[test]
fn questions_are_a_function_of_the_seed_and_the_number() {
    let asked = |seed, ids: &mut dyn Iterator<Item = u64>| -> BTreeMap<u64, Question> {
        let questions = with_evals(seed);
        ids.filter_map(|id| Some((id, question(&questions, id)?)))
            .collect()
    };
    let all = asked(1, &mut (0..3_000));
    // Three ranks, the last one from behind.
    let mut parts = asked(1, &mut (0..3_000).filter(|id| id % 3 == 0));
    parts.extend(asked(1, &mut (0..3_000).filter(|id| id % 3 == 1)));
    parts.extend(asked(1, &mut (0..3_000).rev().filter(|id| id % 3 == 2)));
    assert_eq!(all, parts);
    assert_ne!(all, asked(2, &mut (0..3_000)));
    assert_ne!(with_evals(1).identity(), with_evals(2).identity());
    assert_ne!(with_evals(1).identity(), Questions::new(1, 0.02).identity());
}
