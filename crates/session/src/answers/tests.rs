//! Answers judged beside what was asked.

use super::*;
use infermeter_core::answer::Doubt;
use infermeter_core::plan::Plan;

fn load(change: impl FnOnce(&mut Plan)) -> Load {
    let mut plan = Plan {
        target: "mock:fixed".to_owned(),
        rate: Some(50.0),
        duration: Some(infermeter_core::units::Span::seconds(10)),
        check_answers: true,
        canaries: Some("30%".parse().expect("a share")),
        ..Plan::defaults()
    };
    change(&mut plan);
    Load::from_plan(&plan, 7).expect("a load")
}

fn said(content: &str) -> Said<'_> {
    Said {
        content,
        finish: Some("stop"),
        output_tokens: Some(9),
        ..Said::default()
    }
}

#[test]
fn a_canary_is_judged_by_its_answer_and_others_are_not() {
    let load = load(|_| {});
    let mut forms = Forms::default();
    let (mut asked, mut right) = (0, 0);
    for id in 0..60 {
        let question = Question::of(&load, id).expect("it can be made again");
        let answer = "I can see nothing of that kind.";
        let wrong = judged(&said(answer), Some(&question), true, &mut forms);
        let Some(canary) = question.carried.as_ref().and_then(Carried::canary) else {
            assert_eq!((wrong.question, wrong.correct), (None, None));
            assert!(wrong.doubts.contains(Doubt::NotJudgedPart));
            continue;
        };
        asked += 1;
        assert_eq!(wrong.correct, Some(false));
        assert!(
            !wrong.doubts.contains(Doubt::NotJudgedPart),
            "no length is forced on it"
        );
        if let Some(marker) = canary.marker() {
            let found = judged(&said(marker), Some(&question), true, &mut forms);
            assert_eq!(
                (found.correct, found.doubts.are_corrupt()),
                (Some(true), false)
            );
            right += 1;
        }
    }
    assert!((8..=30).contains(&asked), "{asked}");
    assert!(right > 2, "{right}");
}

#[test]
fn equal_prompts_have_one_hash_whatever_the_salt() {
    let load = load(|_| {});
    let other = load.clone().with_salt(8);
    let hash = |load: &Load, id| Question::of(load, id).expect("it can be made").hash;
    assert_eq!(hash(&load, 3), hash(&other, 3));
    assert_ne!(hash(&load, 3), hash(&load, 4));
}
