//! Entry points of the fuzz targets `trace` and `logs`, also run over their seeds as ordinary tests.
//!
//! It is for tests alone: it panics where a property is broken.

use crate::blocks::{Segment, SegmentedPrompt, Style, TextKey};
use crate::counter::TokenCounter;
use crate::logs::{self, TextsKept};
use crate::tokenizer::Tokenizer;
use crate::trace::{Row, TraceOptions, TraceReader};
use crate::words::WordTable;
use std::sync::LazyLock;

static TABLE: LazyLock<WordTable> = LazyLock::new(WordTable::built_in);

static COUNTER: LazyLock<TokenCounter> = LazyLock::new(|| {
    let tokenizer = Tokenizer::open("o200k").expect("built in");
    TokenCounter::load(&tokenizer).expect("a vocabulary")
});

/// Longest prompt that is written for a row.
const WRITTEN: u32 = 2_048;

/// Reads a trace or a dataset twice: as what it says that it is, and as a timed trace of another
/// block size with rows clipped. Every row must be within its limits and in order of time.
pub fn trace(data: &[u8]) {
    let mut declared = TraceOptions::default();
    let options = [
        "format=vllm",
        "block-size=16",
        "time-unit=ms",
        "max-context=4096",
        "clip",
    ];
    for option in options {
        declared.set(option).expect("an option");
    }
    read(data, TraceOptions::default());
    read(data, declared);
}

fn read(data: &[u8], options: TraceOptions) {
    let most = options.max_context.unwrap_or(u32::MAX);
    let Ok(mut reader) = TraceReader::new(data, options) else {
        return;
    };
    let (mut last, mut rows) = (0, 0);
    for row in reader.by_ref() {
        let Ok(row) = row else { return };
        rows += 1;
        if let Some(at) = row.at_ns {
            assert!(at >= last, "time goes backwards");
            last = at;
        }
        let tokens = [row.input_tokens, row.output_tokens];
        assert!(tokens.iter().flatten().all(|n| (1..=most).contains(n)));
        if let Some(text) = row.text {
            assert!(text.offset + u64::from(text.bytes) <= data.len() as u64);
        }
        write(&row);
    }
    assert_eq!(reader.facts().rows, rows);
}

/// The prompt of a row with blocks begins with the prompt of its first half.
fn write(row: &Row) {
    let (Some(tokens), Some(block_tokens)) = (row.input_tokens, row.block_tokens) else {
        return;
    };
    let text = |key, number| TextKey { key, number };
    let prompt = SegmentedPrompt {
        salt: 2,
        rest: text(3, row.line),
    };
    let tokens = tokens.min(WRITTEN);
    let compose = |pieces| {
        let segments = row.hash_ids.iter().map(|id| Segment {
            text: text(1, *id),
            pieces: block_tokens,
        });
        prompt.compose(&TABLE, Style::Sentences, segments, pieces)
    };
    assert!(compose(tokens).starts_with(&compose(tokens / 2)));
}

/// Imports a log with hashed texts and without any. Every row written must be read back, in order of time.
pub fn logs(data: &[u8]) {
    for texts in [TextsKept::Hashed, TextsKept::None] {
        let Some((rows, written)) = logs::of_bytes(data, texts, &COUNTER) else {
            continue;
        };
        let reader = TraceReader::new(written.as_slice(), TraceOptions::default());
        let mut reader = reader.expect("a header");
        let mut last = 0;
        for row in reader.by_ref() {
            let row = row.expect("a row that was written");
            let at = row.at_ns.unwrap_or(last);
            assert!(at >= last, "time goes backwards");
            last = at;
            write(&row);
        }
        assert_eq!(reader.facts().rows, rows);
    }
}
