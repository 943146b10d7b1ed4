//! Prompts from hash ids: what rows share in the trace they share as tokens, and runs share
//! nothing.

use crate::files::{MOONCAKE, options};
use infermeter_workload::{Row, Tokenizer, Trace, TraceOptions, Workload, read_rows};
use std::path::Path;

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    read_rows(Path::new(MOONCAKE), &TraceOptions::default(), &mut |row| {
        rows.push(row);
        Ok(())
    })
    .expect("a trace");
    rows
}

fn workload(salt: u64) -> Workload {
    let trace = Trace::read(Path::new(MOONCAKE), &TraceOptions::default()).expect("a trace");
    let tokenizer = Tokenizer::open("cl100k").expect("built in");
    Workload::from_trace(trace, 1, tokenizer).with_salt(salt)
}

fn tokens(bpe: &tiktoken_rs::CoreBPE, workload: &Workload, id: u64) -> Vec<u32> {
    let prompt = workload.prompt(&workload.spec(id)).expect("a prompt");
    bpe.encode_ordinary(&prompt)
}

#[test]
fn tokens_are_shared_exactly_as_hash_ids_are() {
    let bpe = tiktoken_rs::cl100k_base().expect("a vocabulary");
    let (rows, workload) = (rows(), workload(1));
    let all: Vec<Vec<u32>> = (0..12).map(|id| tokens(&bpe, &workload, id)).collect();
    let mut shared_any = false;
    for (i, row) in rows.iter().take(12).enumerate() {
        assert_eq!(Some(all[i].len() as u32), row.input_tokens, "row {i}");
        for (j, other) in rows.iter().take(i).enumerate() {
            let pairs = row.hash_ids.iter().zip(&other.hash_ids);
            for (at, (a, b)) in pairs.enumerate() {
                let range = at * 512..(at * 512 + 512).min(all[i].len()).min(all[j].len());
                let equal = all[i][range.clone()] == all[j][range];
                assert_eq!(a == b, equal, "block {at} of rows {i} and {j}");
                shared_any |= equal;
            }
        }
    }
    assert!(shared_any);
}

#[test]
fn runs_share_no_first_block() {
    let bpe = tiktoken_rs::cl100k_base().expect("a vocabulary");
    let (one, other) = (workload(1), workload(2));
    for id in 0..4 {
        let (one, other) = (tokens(&bpe, &one, id), tokens(&bpe, &other, id));
        assert_ne!(one[..16], other[..16]);
        assert_eq!(one[16..], other[16..]);
    }
}

#[test]
fn selected_rows_keep_their_instants_lengths_and_blocks() {
    let bpe = tiktoken_rs::cl100k_base().expect("a vocabulary");
    let trace = Trace::read(Path::new(MOONCAKE), &TraceOptions::default()).expect("a trace");
    let (rows, numbers) = (trace.rows().to_vec(), [1, 4, 5, 11]);
    let selected = trace.select(&[1, 4, 5, 11, rows.len()], "every so often");
    let chosen: Vec<_> = numbers.iter().map(|number| rows[*number]).collect();
    assert_eq!(selected.rows(), chosen);
    let facts = selected.facts().expect("read from a file");
    assert_eq!((facts.rows, facts.unselected), (4, rows.len() as u64 - 4));
    let remark = format!("every so often: 4 of {} rows are left", rows.len());
    assert_eq!(facts.remarks(), [remark]);
    let tokenizer = Tokenizer::open("cl100k").expect("built in");
    let (all, selected) = (workload(1), Workload::from_trace(selected, 1, tokenizer));
    let selected = selected.with_salt(1);
    assert_eq!(selected.len(), Some(4));
    for (id, number) in numbers.into_iter().enumerate() {
        let one = tokens(&bpe, &selected, id as u64);
        assert_eq!(one, tokens(&bpe, &all, number as u64), "row {number}");
    }
}

#[test]
fn spreading_changes_no_prompt() {
    let trace = Trace::read(Path::new(MOONCAKE), &options(&["spread"])).expect("a trace");
    let tokenizer = Tokenizer::open("cl100k").expect("built in");
    let spread = Workload::from_trace(trace, 1, tokenizer).with_salt(1);
    let plain = workload(1);
    for id in [0, 7, 44] {
        let spec = plain.spec(id);
        assert_eq!(spread.prompt(&spec), plain.prompt(&spec));
    }
}
