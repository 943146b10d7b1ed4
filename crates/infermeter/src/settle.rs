//! From journal to record: token counts that were left open are settled, answers are saved.

use anyhow::Result;
use infermeter_client::tokens::{needs_tokenizer, settle_with_tokenizer};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::RunManifest;
use infermeter_record::{Converted, RecordError, ResponsesWriter, convert};
use infermeter_workload::{TokenCounter, Tokenizer};
use std::path::Path;

/// Converts the journal of `dir` to `requests.parquet` (and `responses.jsonl`, where asked for).
///
/// # Errors
/// When a file cannot be read or written; the journal stays until everything is on disk.
pub fn settle(dir: &Path, manifest: &RunManifest) -> Result<Converted> {
    // What became part of later prompts is part of the record.
    let plan = &manifest.plan;
    let mut responses = match plan.save_responses || plan.has_live_history() {
        true => Some(ResponsesWriter::create(dir)?),
        false => None,
    };
    let mut counter = LazyCounter::new(&manifest.plan.tokenizer);
    let mut failure: Option<RecordError> = None;
    let converted = convert(dir, &manifest.classes, &mut |record| {
        counter.settle(record);
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

/// A tokenizer that is loaded when the first row needs it.
struct LazyCounter {
    name: String,
    counter: Option<Option<TokenCounter>>,
}

impl LazyCounter {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            counter: None,
        }
    }

    fn settle(&mut self, record: &mut RequestRecord) {
        if !needs_tokenizer(record) {
            return;
        }
        let name = &self.name;
        let counter = self.counter.get_or_insert_with(|| {
            let tokenizer = Tokenizer::open(name).ok()?;
            TokenCounter::load(&tokenizer).ok()
        });
        if let Some(counter) = counter {
            settle_with_tokenizer(record, &mut |text| counter.count(text));
        }
    }
}
