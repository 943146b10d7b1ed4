//! The built-in vocabulary keeps its promise: one token per piece, under the real tokenizers.

use infermeter_core::plan::{WorkloadClass, WorkloadKind};
use infermeter_core::request::RequestSpec;
use infermeter_workload::{TokenCounter, Tokenizer, Workload};

fn spec(id: u64, prompt_tokens: u32) -> RequestSpec {
    RequestSpec::alone(id, prompt_tokens, 1)
}

fn check(name: &str) {
    let tokenizer = Tokenizer::open(name).expect("a built-in tokenizer");
    let counter = TokenCounter::load(&tokenizer).expect("its vocabulary");
    for seed in 0..4 {
        let workload = Workload::from_plan(
            &WorkloadKind::One(WorkloadClass::Chat),
            seed,
            tokenizer.clone(),
        )
        .expect("a workload");
        for id in 0..150 {
            // Every short length, where the salt does not fit, then longer ones.
            let tokens = if id < 40 {
                id as u32 + 1
            } else {
                25 * id as u32
            };
            let text = workload.prompt(&spec(id, tokens)).expect("a prompt");
            assert_eq!(
                counter.count(&text),
                tokens as usize,
                "{name} {seed} {id}: {text}"
            );
        }
    }
    let long = Workload::from_plan(
        &WorkloadKind::One(WorkloadClass::LongContextQa),
        1,
        tokenizer,
    )
    .expect("a workload");
    let text = long.prompt(&spec(0, 128_000)).expect("a prompt");
    assert_eq!(counter.count(&text), 128_000);
}

#[test]
fn prompts_are_exact_under_o200k() {
    check("o200k");
}

#[test]
fn prompts_are_exact_under_cl100k() {
    check("cl100k");
}

/// Every word in every place, not only those that random prompts happen to use. The older
/// vocabularies know at least the form inside a sentence.
#[test]
fn every_word_is_one_token_in_every_place() {
    let o200k = tiktoken_rs::o200k_base().expect("a vocabulary");
    let cl100k = tiktoken_rs::cl100k_base().expect("a vocabulary");
    let p50k = tiktoken_rs::p50k_base().expect("a vocabulary");
    let r50k = tiktoken_rs::r50k_base().expect("a vocabulary");
    for word in include_str!("../../src/words.txt").lines() {
        let capital = format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]);
        let text = format!("{capital} {word}, {word}. {capital} {word}.");
        assert_eq!(o200k.encode_ordinary(&text).len(), 8, "{word}");
        assert_eq!(cl100k.encode_ordinary(&text).len(), 8, "{word}");
        for older in [&p50k, &r50k] {
            assert_eq!(
                older.encode_ordinary(&format!(" {word},")).len(),
                2,
                "{word}"
            );
        }
    }
}
