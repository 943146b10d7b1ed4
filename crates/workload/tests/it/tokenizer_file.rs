//! Tokenizers from a `tokenizer.json`. The vocabularies are made here from the built-in words, in
//! shapes that go beyond those of the built-in ones: pieces that merge with their neighbours, and
//! whole words with all others unknown.

use crate::files::file_of;
use infermeter_core::plan::{WorkloadClass, WorkloadKind};
use infermeter_core::request::RequestSpec;
use infermeter_workload::{TokenCounter, Tokenizer, TokenizerError, Trace, TraceOptions, Workload};
use serde_json::{Value, json};
use std::path::PathBuf;

fn words() -> impl Iterator<Item = &'static str> {
    include_str!("../../src/words.txt").lines()
}

fn capital(word: &str) -> String {
    format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..])
}

/// A sentence-piece-like tokenizer: every `keep`-th word is one piece, with its full stop too.
fn unigram(keep: usize) -> Value {
    let mut vocab = vec![
        json!(["<unk>", 0.0]),
        json!([",", -3.0]),
        json!([".", -3.0]),
    ];
    for letter in ('a'..='z').chain('A'..='Z').chain(['\u{2581}']) {
        vocab.push(json!([letter.to_string(), -20.0]));
    }
    for word in words().step_by(keep) {
        vocab.push(json!([format!("\u{2581}{word}"), -8.0]));
        vocab.push(json!([format!("\u{2581}{}", capital(word)), -8.0]));
        vocab.push(json!([format!("\u{2581}{word}."), -9.0]));
    }
    json!({
        "version": "1.0",
        "truncation": {
            "direction": "Right",
            "max_length": 8,
            "strategy": "LongestFirst",
            "stride": 0
        },
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "\u{2581}",
            "prepend_scheme": "always",
            "split": false
        },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "Unigram", "unk_id": 0, "vocab": vocab, "byte_fallback": false }
    })
}

/// Whole words, lower case, all others the unknown token.
fn word_level(known: usize) -> Value {
    let mut vocab = serde_json::Map::new();
    for token in ["[UNK]", ",", "."].into_iter().chain(words().take(known)) {
        vocab.insert(token.to_owned(), json!(vocab.len()));
    }
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": { "type": "Lowercase" },
        "pre_tokenizer": { "type": "Whitespace" },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocab, "unk_token": "[UNK]" }
    })
}

struct Written {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn write(value: &Value) -> Written {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, value.to_string()).expect("written");
    Written {
        _folder: folder,
        path,
    }
}

fn open(file: &Written) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::open(file.path.to_str().expect("a path of text"))
}

/// A tokenizer whose pieces merge with their neighbours, from a file: a word and its full stop are
/// one token.
pub fn merging() -> Tokenizer {
    open(&write(&unigram(4))).expect("a tokenizer")
}

/// Every length under `tokenizer` is met exactly.
fn check_exact(tokenizer: Tokenizer) -> Vec<String> {
    let counter = TokenCounter::load(&tokenizer).expect("a counter");
    let workload = Workload::from_plan(&WorkloadKind::One(WorkloadClass::Chat), 3, tokenizer)
        .expect("a workload");
    let lengths = (1..=40).chain([100, 257, 1_000, 5_000]);
    let prompts = lengths.enumerate().map(|(id, prompt_tokens)| {
        let spec = RequestSpec::alone(id as u64, prompt_tokens, 1);
        let text = workload.prompt(&spec).expect("a prompt");
        assert_eq!(counter.count(&text), prompt_tokens as usize, "{text}");
        text
    });
    prompts.collect()
}

#[test]
fn prompts_are_exact_where_pieces_depend_on_their_neighbours() {
    // A word and its full stop are one token, so that each sentence takes one less than pieces.
    let file = write(&unigram(4));
    let prompts = check_exact(open(&file).expect("a tokenizer"));
    assert!(prompts.iter().any(|text| text.matches('.').count() > 100));
}

#[test]
fn blocks_are_exact_where_pieces_depend_on_their_neighbours() {
    let file = write(&unigram(4));
    let tokenizer = open(&file).expect("a tokenizer");
    let rows = "{\"timestamp\": 0, \"input_length\": 1500, \"output_length\": 1, \"hash_ids\": [1, 2, 3]}\n\
                {\"timestamp\": 0, \"input_length\": 1100, \"output_length\": 1, \"hash_ids\": [1, 2, 9]}\n";
    let trace = file_of(rows.as_bytes());
    let trace = Trace::read(trace.path(), &TraceOptions::default()).expect("a trace");
    let mut reference = tokenizers::Tokenizer::from_file(&file.path).expect("a tokenizer");
    reference.with_truncation(None).expect("no truncation");
    let workload = Workload::from_trace(trace, 1, tokenizer);
    let tokens = |id| {
        let prompt = workload.prompt(&workload.spec(id)).expect("a prompt");
        let encoding = reference.encode_fast(prompt, false).expect("tokens");
        encoding.get_ids().to_vec()
    };
    let (one, other) = (tokens(0), tokens(1));
    assert_eq!((one.len(), other.len()), (1500, 1100));
    let shared = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    assert_eq!(shared, 1024);
}

#[test]
fn unknown_words_are_not_used() {
    let file = write(&word_level(300));
    let known: Vec<&str> = words().take(300).collect();
    for prompt in check_exact(open(&file).expect("a tokenizer")) {
        let lower = prompt.to_ascii_lowercase().replace([',', '.'], "");
        assert!(
            lower.split(' ').all(|word| known.contains(&word)),
            "{prompt}"
        );
    }
}

#[test]
fn a_folder_with_a_tokenizer_is_one() {
    let file = write(&word_level(300));
    let folder = file.path.parent().expect("a folder");
    assert!(Tokenizer::open(folder.to_str().expect("a path of text")).is_ok());
}

#[test]
fn a_vocabulary_with_few_words_is_refused() {
    let error = open(&write(&word_level(30))).expect_err("too few words");
    assert!(
        matches!(error, TokenizerError::TooFewWords { usable: 30, .. }),
        "{error}"
    );
    assert!(error.to_string().contains("--dataset"), "{error}");
    check_exact(open(&write(&word_level(61))).expect("few words are enough"));
}

#[test]
fn a_vocabulary_without_english_is_written_with_its_own_words() {
    // Words of no language: each built-in one backwards, with an umlaut.
    let backwards = |word: &str| word.chars().rev().chain(['ü']).collect::<String>();
    let mut value = word_level(10);
    let vocab = value["model"]["vocab"].as_object_mut().expect("an object");
    for word in words().take(500) {
        let id = json!(vocab.len());
        vocab.insert(backwards(word), id);
    }
    let own: Vec<String> = words().take(500).map(backwards).collect();
    for prompt in check_exact(open(&write(&value)).expect("a tokenizer")) {
        let lower = prompt.to_lowercase().replace([',', '.'], "");
        let mut own_words = lower.split(' ').filter(|w| own.iter().any(|o| o == w));
        assert!(
            lower.split(' ').count() < 8 || own_words.next().is_some(),
            "{prompt}"
        );
    }
}

#[test]
fn what_cannot_be_opened_is_explained() {
    let message = |name: &str| {
        Tokenizer::open(name)
            .expect_err("must be refused")
            .to_string()
    };
    let unknown = message("o200");
    assert!(
        unknown.contains("o200k, cl100k") && unknown.contains("--tokenizer"),
        "{unknown}"
    );
    let missing = message("models/llama/tokenizer.json");
    assert!(
        missing.contains("cannot read") && missing.contains("models/llama"),
        "{missing}"
    );
    let bad = write(&json!({ "model": "nonsense" }));
    let bad = message(bad.path.to_str().expect("a path of text"));
    assert!(
        bad.contains("tokenizer.json") && bad.contains("Hugging Face"),
        "{bad}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.json");
    std::fs::write(&path, "{ not json").expect("written");
    let broken = message(path.to_str().expect("a path of text"));
    assert!(broken.contains("broken.json"), "{broken}");
}

#[test]
fn counting_works_under_the_built_in_ones() {
    let tokenizer = Tokenizer::open("cl100k").expect("a tokenizer");
    let counter = TokenCounter::load(&tokenizer).expect("a vocabulary");
    assert_eq!(counter.count(""), 0);
    // tiktoken's own example: cl100k has six tokens for this.
    assert_eq!(counter.count("tiktoken is great!"), 6);
}
