//! `infermeter record`: what went through a proxy, as rows that can be replayed, and without a word of it.
//!
//! Rows are appended as answers end, so a capture that was cut off is readable; when it ends by itself they are put in
//! order of time. Invariants: unless plain texts were asked for, no file holds a text, a part of one, or a hash that
//! can be computed without the key, and the key is in memory alone; what went through and is in no row is counted.

mod file;
mod told;

pub use file::TRACE_FILE;
pub use told::Captured;

use super::answer::Answers;
use super::blocks::{Part, PromptBlocks};
use super::conversation::{Conversations, Ended, Linked, SESSION_HEADERS, Turn};
use super::lengths::Lengths;
use super::question::{NoQuestion, Question};
use crate::run_id::random;
use anyhow::Result;
use file::RowFile;
use infermeter_core::finish::FinishReason;
use infermeter_core::key::ValueKind;
use infermeter_core::key_values;
use infermeter_core::record::{RequestRecord, TokenSource};
use infermeter_proxy::{Counts, Seen};
use infermeter_workload::{HashKey, Row};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::path::Path;
use told::Told;

/// What is kept of texts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum KeptTexts {
    /// Nothing: lengths alone.
    None,
    /// Keyed hashes of blocks of tokens: which prompts begin alike.
    #[default]
    Hashed,
    /// The hashes, and the prompts as they are.
    Plain,
}

key_values!(ValueKind::OneOf(&["none", "hashed", "plain"]) => KeptTexts);

/// How a capture is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct CaptureAsk {
    /// What is kept of texts.
    pub texts: KeptTexts,
    /// Tokens of a block.
    pub block_tokens: u32,
    /// The tokenizer of blocks, and of lengths that the server does not tell.
    pub tokenizer: String,
    /// Where the requests went, without secrets.
    pub target: String,
}

/// Writes a capture.
#[derive(Debug)]
pub struct Capture {
    ask: CaptureAsk,
    key: HashKey,
    file: RowFile,
    answers: Answers,
    lengths: Lengths,
    conversations: Conversations,
    told: Told,
    /// Why no further row is written.
    unwritten: Option<String>,
}

/// A capture that has ended.
#[derive(Debug)]
pub struct EndedCapture {
    /// What it holds.
    pub captured: Captured,
    /// Why it is not whole: what could not be written.
    pub unwritten: Option<String>,
}

impl Capture {
    /// Begins one in a new directory.
    ///
    /// # Errors
    /// When the directory exists or cannot be written, or there is no such tokenizer, or it does not load.
    pub fn create(directory: &Path, ask: CaptureAsk) -> Result<Self> {
        let mut lengths = Lengths::by(&ask.tokenizer)?;
        if ask.texts == KeptTexts::Hashed {
            lengths.load()?;
        }
        let file = RowFile::create(directory, &ask, lengths.identity())?;
        Ok(Self {
            key: HashKey::new(random()?),
            file,
            answers: Answers::default(),
            lengths,
            conversations: Conversations::default(),
            told: Told::default(),
            unwritten: None,
            ask,
        })
    }

    /// Takes one exchange. After a row that could not be written none is: they are counted.
    pub fn take(&mut self, seen: &Seen) {
        let question = match Question::of(seen) {
            Ok(question) => question,
            Err(why) => return self.told.passed(why),
        };
        match self.answers.record(seen, &seen.primary, &question) {
            Ok(_) if self.unwritten.is_some() => self.told.not_written += 1,
            Ok(record) => self.row(seen, &question, record),
            Err(why) => self.told.unread(why),
        }
    }

    fn row(&mut self, seen: &Seen, question: &Question, mut record: RequestRecord) {
        let texts = self.lengths.complete(&mut record, question);
        let named = SESSION_HEADERS.iter().find_map(|name| {
            let found = seen.headers.iter().find(|header| header.name == *name);
            found.map(|header| header.value.as_str())
        });
        let turn = Turn {
            said: &question.said,
            named,
            at: record.intended,
        };
        let own = Ended {
            number: seen.number,
            closed: record.closed.unwrap_or(record.intended),
        };
        let linked = self.conversations.place(&self.key, turn, &texts.0, own);
        let blocks = self.blocks(question, &record);
        let row = row(seen, question, &record, linked, blocks);
        let mut members = members(question, &record);
        if self.ask.texts == KeptTexts::Plain {
            members.push(("messages", messages(question)));
        }
        match self.file.write(&row, &members) {
            Ok(()) => self.told.row(&record, &row),
            Err(error) => {
                self.told.not_written += 1;
                self.unwritten = Some(format!("{error:#}"));
            }
        }
    }

    fn blocks(&mut self, question: &Question, record: &RequestRecord) -> Vec<u64> {
        if self.ask.texts == KeptTexts::None {
            return Vec::new();
        }
        let parts: Vec<Part> = question
            .said
            .iter()
            .map(|said| Part {
                role: said.role.clone(),
                ids: self.lengths.ids(&said.text),
            })
            .collect();
        let blocks = PromptBlocks::of(&self.key, &parts, self.ask.block_tokens);
        blocks.within(record.requested_prompt_tokens, self.ask.block_tokens)
    }

    /// Rows so far.
    pub fn rows(&self) -> u64 {
        self.told.rows()
    }

    /// What was captured so far.
    fn captured(&self, counts: &Counts) -> Captured {
        Captured::of(&self.ask, &self.told, &self.conversations, counts)
    }

    /// Ends it: rows in order of time, and what they are in a file of its own. Where a file cannot be written, the rows
    /// stay as they came.
    pub fn finish(mut self, counts: &Counts) -> EndedCapture {
        let captured = self.captured(counts);
        let finished = self.file.finish(&captured).err();
        let unfinished = finished.map(|error| format!("{error:#}"));
        EndedCapture {
            captured,
            unwritten: self.unwritten.or(unfinished),
        }
    }
}

/// The row of an exchange.
fn row(
    seen: &Seen,
    question: &Question,
    record: &RequestRecord,
    linked: Linked,
    hash_ids: Vec<u64>,
) -> Row {
    let api = serde_json::to_value(question.endpoint).unwrap_or_default();
    let api = api.as_str().unwrap_or_default();
    let came = record
        .output_token_count()
        .and_then(|n| u32::try_from(n).ok());
    // Of a request that failed it is known what was asked for, if anything.
    let output = came.filter(|n| *n > 0).or(question.output_tokens);
    Row {
        at_ns: Some(record.intended.0),
        input_tokens: Some(record.requested_prompt_tokens),
        output_tokens: output,
        class: Some(match question.is_after_tool() {
            true => format!("{api}-after-tool"),
            false => api.to_owned(),
        }),
        session: Some(linked.session.to_string()),
        name: Some(seen.number.to_string()),
        parent: linked.parent.map(|parent| parent.number.to_string()),
        delay_ns: linked
            .parent
            .map(|parent| record.intended.since(parent.closed)),
        hash_ids,
        ..Row::default()
    }
}

/// What else a row says: for people and programs; a replay does not read it.
fn members(question: &Question, record: &RequestRecord) -> Vec<(&'static str, Value)> {
    let input = match record.prompt_tokens {
        Some(_) => "usage",
        None => "tokenizer",
    };
    let output = match (record.output_tokens, record.token_source) {
        (Some(_), _) => Some("usage"),
        (None, Some(TokenSource::Estimated)) => Some("tokenizer"),
        (None, _) => record.output_token_count().map(|_| "chunks"),
    };
    let finish = record.finish_reason.as_deref().map(FinishReason::of);
    let reason = record.error.as_ref().map(|error| error.reason.as_str());
    let mut members = vec![
        ("input_from", json!(input)),
        ("outcome", json!(record.outcome.as_str())),
        ("stream", json!(question.streaming)),
    ];
    let mut maybe = |name: &'static str, value: Option<Value>| {
        members.extend(value.map(|value| (name, value)));
    };
    maybe("output_from", output.map(Value::from));
    maybe("reason", reason.map(Value::from));
    maybe("status", record.status.map(Value::from));
    maybe("finish_reason", finish.map(|of| json!(of.as_str())));
    maybe("asked", question.output_tokens.map(Value::from));
    maybe("cached_tokens", record.cached_tokens.map(Value::from));
    maybe("tools", (question.tools > 0).then(|| json!(question.tools)));
    let sampling = &question.sampling;
    maybe(
        "sampling",
        (!sampling.is_empty()).then(|| Value::Object(sampling.clone())),
    );
    members
}

/// The prompt as messages of the chat API.
fn messages(question: &Question) -> Value {
    let message = |said: &super::question::Said| {
        let known = ["system", "developer", "assistant", "tool", "function"];
        let role = known.into_iter().find(|role| *role == said.role);
        let role = match said.role.as_str() {
            "tools" => "system",
            _ => role.unwrap_or("user"),
        };
        let mut message = Map::new();
        message.insert("role".to_owned(), role.into());
        message.insert("content".to_owned(), said.text.as_str().into());
        Value::Object(message)
    };
    question.said.iter().map(message).collect()
}

impl Told {
    fn passed(&mut self, why: NoQuestion) {
        match why {
            NoQuestion::OtherPath => self.other_paths += 1,
            NoQuestion::NotKept => self.not_kept += 1,
            NoQuestion::CutOff => self.cut_off += 1,
            NoQuestion::NotUnderstood => self.not_understood += 1,
        }
    }
}

#[cfg(test)]
mod tests;
