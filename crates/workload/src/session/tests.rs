//! Sessions: what holds for every turn.

use super::*;
use crate::workload::Workload;
use infermeter_core::plan::{Sessions, WorkloadKind};
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

fn sessions(options: &[&str]) -> Sessions {
    let options: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
    let sessions = Sessions::parse(&options).expect("sound options");
    sessions.expect("there are options")
}

fn workload(kind: &str, options: &[&str], salt: u64) -> Workload {
    let kind: WorkloadKind = kind.parse().expect("a workload");
    let tokenizer = Tokenizer::open("o200k").expect("built in");
    let workload = Workload::from_plan(&kind, 7, tokenizer).expect("no file");
    workload.with_sessions(sessions(options)).with_salt(salt)
}

/// All turns of a session.
fn turns(workload: &Workload, session: u64) -> Vec<RequestSpec> {
    let mut specs = vec![workload.spec(session * workload.stride())];
    while let Some(next) = workload.next_turns(&specs[specs.len() - 1]).first() {
        specs.push(workload.spec(next.id));
    }
    specs
}

fn content(workload: &Workload, spec: &RequestSpec) -> Vec<Message> {
    let content = workload.content(spec, &[]).expect("built in");
    content.messages().to_vec()
}

/// Words and punctuation, each of which is a token.
fn pieces(text: &str) -> u32 {
    let words = text.split(' ').filter(|w| !w.is_empty()).count();
    (words + text.matches([',', '.']).count()) as u32
}

#[test]
fn a_session_grows_by_what_was_said() {
    let workload = workload("uniform:20..60,5..30", &["turns=4", "system=30"], 1);
    let specs = turns(&workload, 3);
    assert_eq!(
        specs.iter().map(|s| s.id).collect::<Vec<_>>(),
        [12, 13, 14, 15]
    );
    for (number, spec) in specs.iter().enumerate() {
        let turn = Turn {
            session: 3,
            number: number as u32,
        };
        assert_eq!(spec.turn, Some(turn));
        let messages = content(&workload, spec);
        assert_eq!(messages.len(), 2 * number + 2);
        let whole: u32 = messages.iter().map(|m| pieces(&m.text)).sum();
        assert_eq!(whole, spec.prompt_tokens);
        if number > 0 {
            let before = content(&workload, &specs[number - 1]);
            assert_eq!(messages[..before.len()], before);
            let answer = &messages[before.len()];
            assert_eq!(answer.role, Role::Assistant);
            assert_eq!(pieces(&answer.text), specs[number - 1].output_tokens);
        }
        let awaited = workload.awaited(spec).map(|a| a.parent);
        assert_eq!(awaited, (number > 0).then(|| spec.id - 1));
    }
}

#[test]
fn sessions_share_the_system_prompt_alone_and_runs_nothing() {
    let options = ["turns=2", "system=40"];
    let first = |salt, id| {
        let workload = workload("fixed:40,10", &options, salt);
        content(&workload, &workload.spec(id))
    };
    let (one, other, another_run) = (first(1, 0), first(1, 2), first(2, 0));
    assert_eq!(one[0], other[0]);
    assert_ne!(begin(&one[1].text), begin(&other[1].text));
    assert_ne!(begin(&one[0].text), begin(&another_run[0].text));
    // The salt changes the slot and nothing behind it.
    assert_eq!(one[1..], another_run[1..]);
    let slot = begin(&one[0].text);
    let other_slot = begin(&another_run[0].text);
    assert_eq!(
        one[0].text[slot.len()..],
        another_run[0].text[other_slot.len()..]
    );
}

#[test]
fn without_a_system_prompt_each_session_has_a_slot_of_its_own() {
    let options = ["turns=2"];
    let texts = |salt, id| {
        let workload = workload("fixed:40,10", &options, salt);
        let spec = workload.spec(id);
        let messages = content(&workload, &spec);
        assert!(messages[0].text.starts_with(&workload.slot(&spec)));
        messages
    };
    let (first, second, other) = (texts(1, 0), texts(1, 1), texts(1, 2));
    assert_eq!(first[0], second[0]);
    assert_ne!(begin(&first[0].text), begin(&other[0].text));
    let another_run = texts(2, 1);
    assert_ne!(begin(&first[0].text), begin(&another_run[0].text));
    assert_eq!(second[1..], another_run[1..]);
}

/// The slot.
fn begin(text: &str) -> String {
    text.split(' ').take(8).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_session_ends_before_its_context_is_full() {
    let options = ["turns=50", "system=16", "max-context=400"];
    let workload = workload("uniform:20..60,5..30", &options, 1);
    for session in 0..50 {
        let specs = turns(&workload, session);
        let whole = |spec: &RequestSpec| spec.prompt_tokens + spec.output_tokens;
        assert!(specs.iter().all(|spec| whole(spec) <= 400));
        assert!((3..=15).contains(&specs.len()), "{}", specs.len());
    }
}

#[test]
fn a_first_turn_is_cut_to_the_context() {
    let workload = workload("fixed:500,900", &["turns=3", "max-context=100"], 1);
    let specs = turns(&workload, 0);
    let lengths = |s: &RequestSpec| (s.prompt_tokens, s.output_tokens);
    assert_eq!(specs.iter().map(lengths).collect::<Vec<_>>(), [(16, 84)]);
}

#[test]
fn the_servers_words_become_the_history() {
    let workload = workload("fixed:20,5", &["turns=3", "history=live"], 1);
    let said: [Arc<str>; 2] = ["Quite so.".into(), "".into()];
    let live = workload
        .content(&workload.spec(2), &said)
        .expect("built in");
    let planned = content(&workload, &workload.spec(2));
    assert_eq!(live.messages()[1].text, "Quite so.");
    // Nothing was said: what was planned stands there.
    assert_eq!(live.messages()[3], planned[3]);
    assert_eq!(live.messages()[4], planned[4]);
}

#[test]
fn tools_answer_their_share_of_the_later_turns() {
    let workload = workload("fixed:20,5", &["turns=11", "tool=2s", "tool-share=0.3"], 1);
    let mut tools = 0;
    for session in 0..200 {
        let last = turns(&workload, session).pop().expect("a turn");
        let messages = content(&workload, &last);
        assert_eq!(messages[0].role, Role::User);
        tools += messages.iter().filter(|m| m.role == Role::Tool).count();
    }
    // 2,000 later turns: 600, with a standard deviation of 20.5.
    assert!((520..680).contains(&tools), "{tools}");
}

#[test]
fn a_session_is_of_one_class() {
    let workload = workload("mix:fixed:20,5=1,fixed:30,5=1", &["turns=4"], 1);
    let mut seen = [0; 2];
    for session in 0..100 {
        let specs = turns(&workload, session);
        assert!(specs.iter().all(|spec| spec.class == specs[0].class));
        seen[usize::from(specs[0].class)] += 1;
    }
    assert!(seen.iter().all(|n| *n > 25), "{seen:?}");
}

#[test]
fn means_are_those_of_the_turns() {
    let workload = workload("fixed:20,5", &["turns=3"], 1);
    let means = workload.session_means().expect("there are sessions");
    let tokens = ExpectedTokens {
        input: f64::from(20 + 45 + 70) / 3.0,
        output: 5.0,
    };
    // Of the second and third prompt all but what the user has just said, and the answer before.
    let shared = f64::from(20 + 45) / f64::from(20 + 45 + 70);
    let expect = SessionMeans {
        turns: 3.0,
        tokens,
        shared,
    };
    assert_eq!(means, expect);
}

proptest! {
    #[test]
    fn turns_do_not_depend_on_who_asks_first(session in 0_u64..1_000_000, salt: u64) {
        let options = ["turns=1..6", "tool=1s", "tool-share=0.5"];
        let workload = workload("lognormal:40/0.8/16..200,20/0.8/1..90", &options, salt);
        let specs = turns(&workload, session);
        prop_assert!((1..=6).contains(&specs.len()));
        for spec in specs.iter().rev() {
            prop_assert_eq!(workload.spec(spec.id), *spec);
            let messages = content(&workload, spec);
            let whole: u32 = messages.iter().map(|m| pieces(&m.text)).sum();
            prop_assert_eq!(whole, spec.prompt_tokens);
        }
        prop_assert!(specs.windows(2).all(|two| two[0].prompt_tokens < two[1].prompt_tokens));
    }
}
