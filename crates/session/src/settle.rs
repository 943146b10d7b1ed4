//! From journal to record: token counts that were left open are settled, texts that usage does not agree
//! with chunk by chunk are counted, answers are checked and saved.

use crate::answers::{Judging, References};
use anyhow::Result;
use infermeter_client::tokens::{needs_tokenizer, settle_with_tokenizer};
use infermeter_core::record::{ChunkTexts, RequestRecord};
use infermeter_core::run::RunManifest;
use infermeter_core::schedule::Phase;
use infermeter_record::{Converted, LeftOpen, RecordError, ResponsesWriter, convert};
use infermeter_workload::{TokenCounter, Tokenizer};
use std::path::Path;

/// Converts the journal of `dir` to `requests.parquet` (and `responses.jsonl`, where asked for). Answers are held against
/// the `references`, where there are any.
///
/// # Errors
/// When a file cannot be read or written; the journal stays until everything is on disk.
pub(crate) fn settle(
    dir: &Path,
    manifest: &RunManifest,
    left_open: LeftOpen,
    references: References,
) -> Result<Converted> {
    // What became part of later prompts is part of the record.
    let plan = &manifest.plan;
    let mut responses = match plan.save_responses || plan.has_live_history() {
        true => Some(ResponsesWriter::create(dir)?),
        false => None,
    };
    let mut counter = LazyCounter::new(&manifest.plan.tokenizer);
    let mut judging = Judging::of(manifest, references);
    let mut failure: Option<RecordError> = None;
    let converted = convert(dir, &manifest.classes, left_open, &mut |record| {
        counter.settle(record);
        record.answer = judging.as_mut().and_then(|judging| judging.judge(record));
        if let Some(writer) = &mut responses
            && failure.is_none()
        {
            failure = writer.append(record).err();
        }
        record.texts = None;
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    if let Some(writer) = responses {
        writer.finish()?;
    }
    Ok(converted)
}

/// Whole texts counted at most: evidence enough, in a second of time.
const MOST_TEXTS: u32 = 1_000;

/// A tokenizer that is loaded when the first row needs it.
struct LazyCounter {
    name: String,
    counter: Option<Option<TokenCounter>>,
    texts: u32,
}

impl LazyCounter {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            counter: None,
            texts: 0,
        }
    }

    fn settle(&mut self, record: &mut RequestRecord) {
        let wanted = needs_tokenizer(record) || is_unlike(record);
        let Some(texts) = record.texts.as_ref().filter(|_| wanted) else {
            return;
        };
        record.repeated_chunks = repeated(texts, record.chunks.len());
        let name = &self.name;
        let counter = self.counter.get_or_insert_with(|| {
            let tokenizer = Tokenizer::open(name).ok()?;
            TokenCounter::load(&tokenizer).ok()
        });
        let Some(counter) = counter else {
            return;
        };
        settle_with_tokenizer(record, &mut |text| counter.count(text));
        let measured = record.phase == Phase::Measure && record.output_tokens.is_some();
        if let Some(texts) = record.texts.as_ref().filter(|_| measured)
            && self.texts < MOST_TEXTS
        {
            self.texts += 1;
            let text = String::from_utf8_lossy(&texts.bytes);
            record.text_tokens = u32::try_from(counter.count(&text)).ok();
        }
    }
}

/// Chunks and usage do not say by themselves that each chunk is one token.
fn is_unlike(record: &RequestRecord) -> bool {
    let chunks = record.chunks.len() as u64;
    let unlike = |usage: u32| u64::from(usage).abs_diff(chunks) > 1;
    record.output_tokens.is_some_and(unlike)
}

/// Chunks with the text of the chunk before; absent for an answer in one piece.
fn repeated(texts: &ChunkTexts, chunks: usize) -> Option<u32> {
    let again = |i: &usize| !texts.get(*i).is_empty() && texts.get(*i) == texts.get(i - 1);
    (chunks > 0).then(|| (1..chunks).filter(again).count() as u32)
}
