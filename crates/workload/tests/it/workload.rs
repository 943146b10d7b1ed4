//! What a workload promises: determinism, random access, salts, lengths.

use infermeter_core::plan::{WorkloadClass, WorkloadKind};
use infermeter_core::request::length_band;
use infermeter_workload::{Tokenizer, Trace, TraceRow, Workload};
use std::collections::{BTreeSet, HashSet};

fn chat(seed: u64) -> Workload {
    let tokenizer = Tokenizer::open("o200k").expect("a built-in tokenizer");
    Workload::from_plan(&WorkloadKind::One(WorkloadClass::Chat), seed, tokenizer)
        .expect("a workload")
}

fn prompt(workload: &Workload, id: u64) -> String {
    workload.prompt(&workload.spec(id)).expect("a prompt")
}

/// The first 16 tokens: words, commas and full stops.
fn first_block(text: &str) -> String {
    let spaced = text.replace(',', " ,").replace('.', " .");
    spaced.split(' ').take(16).collect::<Vec<_>>().join(" ")
}

#[test]
fn lengths_and_text_are_pinned() {
    let workload = chat(1);
    let lengths: Vec<(u32, u32)> = (0..4)
        .map(|id| workload.spec(id))
        .map(|s| (s.prompt_tokens, s.output_tokens))
        .collect();
    assert_eq!(lengths, [(554, 113), (238, 225), (168, 302), (353, 212)]);
    let plain = "Alter trial fresh track right suite speak alert start. Priva";
    assert_eq!(prompt(&workload, 3).get(..60), Some(plain));
    let salted = "Works looks sweet doing ideal hands alert alert start. Priva";
    assert_eq!(prompt(&workload.with_salt(9), 3).get(..60), Some(salted));
}

#[test]
fn any_thread_makes_the_same_request() {
    let workload = chat(5);
    let forwards: Vec<String> = (0..200).map(|id| prompt(&workload, id)).collect();
    let backwards = std::thread::scope(|scope| {
        let other = workload.clone();
        scope
            .spawn(move || {
                (0..200)
                    .rev()
                    .map(|id| prompt(&other, id))
                    .collect::<Vec<_>>()
            })
            .join()
            .expect("no panic")
    });
    assert!(forwards.iter().eq(backwards.iter().rev()));
}

#[test]
fn first_blocks_differ_between_requests_seeds_and_salts() {
    let mut blocks = HashSet::new();
    let mut made = 0;
    for workload in [chat(1), chat(2), chat(1).with_salt(0), chat(1).with_salt(1)] {
        for id in 0..2_000 {
            blocks.insert(first_block(&prompt(&workload, id)));
            made += 1;
        }
    }
    assert_eq!(blocks.len(), made);
}

#[test]
fn the_salt_changes_text_and_no_length() {
    let (plain, salted) = (chat(1), chat(1).with_salt(77));
    assert!((0..100).all(|id| plain.spec(id) == salted.spec(id)));
    assert_ne!(prompt(&plain, 0), prompt(&salted, 0));
}

#[test]
fn fixed_lengths_are_fixed() {
    let tokenizer = Tokenizer::open("cl100k").expect("a built-in tokenizer");
    let kind: WorkloadKind = "fixed:128,32".parse().expect("a workload");
    let workload = Workload::from_plan(&kind, 1, tokenizer).expect("a workload");
    let spec = workload.spec(1_000_000);
    assert_eq!(
        (spec.id, spec.prompt_tokens, spec.output_tokens),
        (1_000_000, 128, 32)
    );
    assert_eq!(workload.classes(), ["fixed"]);
    assert_eq!(workload.len(), None);
    let expected = workload.expected_tokens();
    assert_eq!((expected.input, expected.output), (128.0, 32.0));
}

#[test]
fn a_trace_brings_its_own_lengths() {
    let row = |input_tokens, output_tokens| TraceRow {
        offset_ns: 0,
        input_tokens,
        output_tokens,
    };
    let tokenizer = Tokenizer::open("o200k").expect("a built-in tokenizer");
    let workload = Workload::from_trace(Trace::of_rows(vec![row(1, 5), row(7, 9)]), 1, tokenizer);
    assert_eq!(workload.len(), Some(2));
    assert_eq!(workload.classes(), ["trace"]);
    let spec = workload.spec(1);
    assert_eq!((spec.prompt_tokens, spec.output_tokens), (7, 9));
    let expected = workload.expected_tokens();
    assert_eq!((expected.input, expected.output), (4.0, 7.0));
    assert_eq!(prompt(&workload, 0).split(' ').count(), 1);
}

#[test]
fn the_warm_up_meets_every_band_of_the_measured_lengths() {
    let kind: WorkloadKind = "mix:fixed:20,5=60,fixed:100,7=1,fixed:900,9=1"
        .parse()
        .expect("a workload");
    let tokenizer = Tokenizer::open("o200k").expect("a built-in tokenizer");
    let plain = Workload::from_plan(&kind, 3, tokenizer).expect("a workload");
    let (warmup, measured) = (0..20, 20..600);
    let bands = |workload: &Workload, ids: std::ops::Range<u64>| -> BTreeSet<u32> {
        ids.map(|id| length_band(workload.spec(id).prompt_tokens))
            .collect()
    };
    assert_ne!(
        bands(&plain, warmup.clone()),
        bands(&plain, measured.clone())
    );
    let warm = plain
        .clone()
        .with_warm_bands(warmup.clone(), measured.clone());
    assert_eq!(
        bands(&warm, warmup.clone()),
        bands(&plain, measured.clone())
    );
    // Measured requests are what they were; stand-ins have a class's own lengths and their own text.
    assert!(measured.clone().all(|id| warm.spec(id) == plain.spec(id)));
    let changed: Vec<u64> = warmup
        .filter(|id| warm.spec(*id) != plain.spec(*id))
        .collect();
    assert!((1..=2).contains(&changed.len()), "{changed:?}");
    let texts: BTreeSet<String> = changed
        .iter()
        .copied()
        .chain(measured)
        .map(|id| warm.prompt(&warm.spec(id)).expect("a prompt"))
        .collect();
    assert_eq!(texts.len(), changed.len() + 580);
    for id in changed {
        let spec = warm.spec(id);
        let pair = (spec.prompt_tokens, spec.output_tokens);
        assert_eq!(pair, [(20, 5), (100, 7), (900, 9)][usize::from(spec.class)]);
    }
}
