//! What prompts share at their beginnings: exact lengths, sharing inside a run, none across salts.

use crate::tokenizer_file::merging;
use infermeter_core::plan::{Endpoint, WorkloadKind};
use infermeter_core::request::{RequestId, Role};
use infermeter_workload::{TokenCounter, Tokenizer, Workload};

const MODES: [&str; 5] = [
    "bust",
    "none",
    "shared:3/uniform:60..200/1",
    "tiling:4/300/uniform:20..80",
    "hit:0.5",
];

fn workload(mode: &str, endpoint: Endpoint, tokenizer: Tokenizer) -> Workload {
    let kind: WorkloadKind = "uniform:16..600,1..9".parse().expect("a workload");
    let workload = Workload::from_plan(&kind, 5, tokenizer).expect("no file is needed");
    let mode = mode.parse().expect("a mode");
    workload
        .with_prefix(Some(mode), endpoint)
        .expect("within reach")
}

fn texts(workload: &Workload, id: RequestId) -> Vec<(Role, String)> {
    let content = workload
        .content(&workload.spec(id), &[])
        .expect("a content");
    let messages = content.messages().iter();
    messages.map(|m| (m.role, m.text.clone())).collect()
}

fn check_exact(tokenizer: &Tokenizer) {
    let counter = TokenCounter::load(tokenizer).expect("its vocabulary");
    for mode in MODES {
        for endpoint in [Endpoint::Chat, Endpoint::Completions] {
            let workload = workload(mode, endpoint, tokenizer.clone()).with_salt(9);
            for id in 0..60 {
                let texts = texts(&workload, id);
                let counted: usize = texts.iter().map(|(_, text)| counter.count(text)).sum();
                let asked = workload.spec(id).prompt_tokens as usize;
                assert_eq!(counted, asked, "{mode} {endpoint:?} {id}: {texts:?}");
                let system = mode.starts_with("shared") && endpoint == Endpoint::Chat;
                assert_eq!(texts.len(), 1 + usize::from(system));
                assert_eq!(texts[0].0 == Role::System, system);
            }
        }
    }
}

#[test]
fn prompts_of_every_mode_are_exact() {
    for name in Tokenizer::NAMES {
        check_exact(&Tokenizer::open(name).expect("built in"));
    }
    check_exact(&merging());
}

/// Bytes that two texts begin with alike.
fn alike(one: &str, other: &str) -> usize {
    let pairs = one.bytes().zip(other.bytes());
    pairs.take_while(|(a, b)| a == b).count()
}

#[test]
fn sharing_stays_inside_a_salt() {
    let open = || Tokenizer::open("o200k").expect("built in");
    for mode in &MODES[2..] {
        let of = |salt| workload(mode, Endpoint::Completions, open()).with_salt(salt);
        let (one, other) = (of(1), of(2));
        let prompt = |w: &Workload, id| texts(w, id).remove(0).1;
        // Requests that begin with one text: context 0 comes again, the others are looked for.
        let first = prompt(&one, 0);
        let again = (1..60).map(|id| alike(&first, &prompt(&one, id))).max();
        assert!(again > Some(300), "{mode}: {again:?}");
        for id in 0..60 {
            assert_eq!(one.spec(id), other.spec(id));
            // The salt has eight words, of which the first may be the same by chance.
            let same = alike(&prompt(&one, id), &prompt(&other, id));
            assert!(same < 30, "{mode} {id}: {same}");
        }
    }
    let none = |salt| workload("none", Endpoint::Chat, open()).with_salt(salt);
    assert_eq!(texts(&none(1), 3), texts(&none(2), 3));
    assert_ne!(texts(&none(1), 3), texts(&none(1), 4));
}

#[test]
fn the_share_of_a_cache_without_limit_is_that_of_the_measured_requests() {
    let open = || Tokenizer::open("o200k").expect("built in");
    let share = |mode: &str, from, to| {
        let workload = workload(mode, Endpoint::Chat, open());
        workload.shared_prefix_share(from..to)
    };
    assert_eq!((share("bust", 0, 100), share("none", 0, 100)), (None, None));
    // The first rotation finds nothing, later ones the 300 tokens of each context.
    assert_eq!(share("tiling:4/300/100", 0, 4), Some(0.0));
    assert_eq!(share("tiling:4/300/100", 4, 12), Some(0.75));
    assert_eq!(share("tiling:4/300/100", 0, 8), Some(0.375));
    let hit = share("hit:0.5", 64, 4_096).expect("shared");
    assert!((hit - 0.5).abs() < 0.001, "{hit}");
}

#[test]
fn lengths_may_count_the_chat_template() {
    let tokenizer = Tokenizer::open("o200k").expect("built in");
    let counter = TokenCounter::load(&tokenizer).expect("its vocabulary");
    let kind: WorkloadKind = "uniform:16..100,1..9".parse().expect("a workload");
    let plain = Workload::from_plan(&kind, 5, tokenizer).expect("no file is needed");
    let counting = plain.clone().with_template_tokens(12);
    for id in 0..60 {
        let (drawn, spec) = (plain.spec(id).prompt_tokens, counting.spec(id));
        // A prompt keeps 16 tokens of its own.
        assert_eq!(spec.prompt_tokens, drawn.max(28));
        let text = counting.prompt(&spec).expect("a prompt");
        assert_eq!(counter.count(&text) as u32 + 12, spec.prompt_tokens);
    }
}
