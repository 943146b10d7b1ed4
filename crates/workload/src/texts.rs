//! A dataset as the prompts of a run: where each text stands, how many tokens it has, and in which
//! order the texts are sent.
//!
//! It holds no text: that is read from the file when a request is made, ahead of need. It does not
//! read formats ([`crate::dataset`] does).
//!
//! Invariant: request `id` has row `id` of the order, which begins again when it is exhausted;
//! lengths do not depend on the salt.

use crate::counter::TokenCounter;
use crate::dataset::Texts;
use crate::file::hex;
use crate::members::MemberRule;
use crate::template::{ChatTemplate, TemplateError, tokens_with_template};
use crate::text_request::TextRequest;
use crate::tokenizer::{Tokenizer, TokenizerError};
use crate::trace::{
    Links, MAX_TOKENS, OverContext, Row, Sharing, TextRef, TraceError, TraceFacts, TraceOptions,
    read_rows,
};
use infermeter_core::environment::SkipReason;
use infermeter_core::plan::{DatasetOrder, Endpoint};
use infermeter_core::request::{RequestId, Turn};
use infermeter_core::seed::splitmix64;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Keeps the order apart from other draws.
const ORDER_TAG: u64 = 0x6f72_6465_7220_6f66;

/// Bytes of a text that count as one block when shared beginnings are looked for: some 64 tokens.
const BLOCK_BYTES: usize = 256;

/// Why a dataset cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatasetError {
    /// The file.
    #[error(transparent)]
    File(#[from] TraceError),
    /// The chat template that is counted, too.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The tokenizer that counts it.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

/// How a dataset is read and sent.
#[derive(Debug, Clone)]
pub struct DatasetOptions {
    /// How the file is read; rows beyond its context are left out.
    pub reading: TraceOptions,
    /// The order of the texts.
    pub order: DatasetOrder,
    /// Of a shuffled order.
    pub seed: u64,
    /// Each text begins with a salt.
    pub salted: bool,
    /// Where the texts go: an API without messages gets them as one.
    pub endpoint: Endpoint,
    /// Prompt lengths count what this adds.
    pub template: Option<Arc<ChatTemplate>>,
    /// Which members of the file's requests are sent.
    pub members: MemberRule,
}

/// One text, ready to be asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextRow {
    text: TextRef,
    /// Tokens of the prompt's texts, the salt included.
    pub prompt_tokens: u32,
    /// Tokens of its answer; absent where the dataset does not say.
    pub output_tokens: Option<u32>,
    /// Its conversation, as a number among those of the file, and its place there; both 0 where
    /// texts are sent one by one.
    conversation: u32,
    turn: u32,
    /// Nanoseconds between the answer before it and it.
    delay_ns: i64,
}

/// Prompts of a dataset.
#[derive(Debug)]
pub struct Dataset {
    rows: Vec<TextRow>,
    facts: TraceFacts,
    /// SHA-256 over the texts, their lengths and the order.
    sha256: String,
    /// Share of the texts' bytes whose beginning was seen in a row before.
    shared: f64,
    salted: bool,
    /// First row of each conversation; empty where texts are sent one by one.
    begins: Vec<u32>,
    /// Instants of the rows, where the file has them.
    offsets: Option<Vec<i64>>,
    /// Which rows of a file with instants wait for which.
    links: Links,
    texts: Mutex<Texts>,
}

impl Dataset {
    /// Reads the dataset at `path` once, and counts the tokens of every row.
    ///
    /// # Errors
    /// When the file cannot be read, holds no texts, is compressed, or has no row that fits.
    pub fn read(
        path: &Path,
        options: &DatasetOptions,
        tokenizer: &Tokenizer,
    ) -> Result<Self, DatasetError> {
        let (found, mut facts) = found_rows(path, options)?;
        facts.judge_members(&options.members);
        let texts = Texts::open(path, facts.format)?;
        let mut texts = texts.under(options.members.clone());
        let counter = TokenCounter::load(tokenizer)?;
        let mut sharing = Sharing::default();
        let mut rows = Vec::with_capacity(found.len());
        let mut hasher = Sha256::new();
        hasher.update([options.order as u8]);
        hasher.update(options.seed.to_le_bytes());
        let most = options.reading.max_context.unwrap_or(MAX_TOKENS);
        let mut chain = Chain::new(options.order);
        let mut timed = Timed::default();
        for found in found {
            let request = texts.get(&found.text)?;
            let (request, answered) = answered(request, &found, &counter);
            hash(&request, answered, &mut hasher);
            share(&request, &mut sharing);
            let prompt_tokens = tokens_of(request, options, tokenizer, &counter)?;
            if found.images > 0 {
                facts.skip(SkipReason::Images, found.line);
            } else if prompt_tokens + answered.unwrap_or(0) > u64::from(most) {
                facts.skip(SkipReason::OverContext, found.line);
            } else {
                timed.add(&found);
                let (conversation, turn) = chain.place(found.session, rows.len() as u32);
                rows.push(TextRow {
                    text: found.text,
                    conversation,
                    turn,
                    delay_ns: found.delay_ns,
                    // Both fit: at most `most`.
                    prompt_tokens: prompt_tokens as u32,
                    output_tokens: answered.map(|n| n as u32),
                });
            }
        }
        facts.rows = rows.len() as u64;
        facts.drawn_outputs = rows.iter().filter(|r| r.output_tokens.is_none()).count() as u64;
        timed.links.index();
        if rows.is_empty() {
            return Err(DatasetError::File(TraceError::AllSkipped {
                skipped: facts.remarks().join("; "),
            }));
        }
        if options.order == DatasetOrder::Shuffled {
            let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(options.seed ^ ORDER_TAG));
            rows.shuffle(&mut rng);
        }
        let counts = sharing.counts();
        Ok(Self {
            rows,
            facts,
            shared: counts.prefix_hit_tokens as f64 / counts.tokens.max(1) as f64,
            sha256: hex(&hasher.finalize()),
            salted: options.salted,
            begins: chain.begins,
            offsets: timed.offsets.into_iter().collect(),
            links: timed.links,
            texts: Mutex::new(texts),
        })
    }

    /// The row of a request.
    pub(crate) fn row(&self, id: RequestId) -> TextRow {
        self.rows[(id % self.rows.len() as u64) as usize]
    }

    /// Place of a request in its conversation.
    pub(crate) fn turn(&self, id: RequestId) -> Option<Turn> {
        if self.links.rows_waiting() > 0 {
            return self.links.turn(usize::try_from(id).ok()?);
        }
        let conversations = self.begins.len() as u64;
        (conversations > 0).then(|| {
            let row = self.row(id);
            let lap = id / self.rows();
            Turn {
                session: lap * conversations + u64::from(row.conversation),
                number: row.turn,
            }
        })
    }

    /// The request after `id` in its conversation, and its delay.
    pub(crate) fn next(&self, id: RequestId) -> Option<(RequestId, i64)> {
        let own = self.turn(id)?;
        let next = self.turn(id + 1)?;
        (next.session == own.session).then(|| (id + 1, self.row(id + 1).delay_ns))
    }

    /// The first requests of so many conversations, again from the first when all were begun; `None`
    /// where texts are sent one by one.
    pub(crate) fn conversations(&self, count: usize) -> Option<Vec<RequestId>> {
        let begins = &self.begins;
        (!begins.is_empty()).then(|| {
            let first = |i: usize| {
                let lap = (i / begins.len()) as u64;
                lap * self.rows() + u64::from(begins[i % begins.len()])
            };
            (0..count).map(first).collect()
        })
    }

    /// Instants of the rows, nanoseconds after the first; `None` where a row has none.
    pub fn offsets(&self) -> Option<&[i64]> {
        self.offsets.as_deref()
    }

    /// Instant of a row, where the file has it.
    pub(crate) fn offset_ns(&self, row: usize) -> Option<i64> {
        self.offsets.as_ref()?.get(row).copied()
    }

    /// Which rows wait for which, in a file with instants.
    pub(crate) fn links(&self) -> &Links {
        &self.links
    }

    /// A row waits for the answer to another one.
    pub fn waits(&self, row: usize) -> bool {
        self.links.parent(row).is_some()
    }

    /// The rows with these numbers alone; `how` they were chosen becomes one of the operations in the
    /// facts.
    #[must_use]
    pub fn select(mut self, numbers: &[usize], how: &str) -> Self {
        self.links.select(numbers);
        if let Some(offsets) = &mut self.offsets {
            *offsets = numbers.iter().map(|n| offsets[*n]).collect();
        }
        self.rows = numbers.iter().map(|n| self.rows[*n]).collect();
        self.facts.select(self.rows.len() as u64, how);
        self
    }

    /// Texts that are sent before they begin again.
    pub fn rows(&self) -> u64 {
        self.rows.len() as u64
    }

    /// SHA-256 over the texts, their lengths and the order; hex.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What was read.
    pub fn facts(&self) -> &TraceFacts {
        &self.facts
    }

    /// Means over the rows: of prompts, and of the answers that the dataset has.
    pub(crate) fn means(&self) -> (f64, Option<f64>) {
        let mean = |sum: u64, count: usize| sum as f64 / count.max(1) as f64;
        let prompts = self.rows.iter().map(|row| u64::from(row.prompt_tokens));
        let answers = self.rows.iter().filter_map(|row| row.output_tokens);
        let count = answers.clone().count();
        let answers = (count > 0).then(|| mean(answers.map(u64::from).sum(), count));
        (mean(prompts.sum(), self.rows.len()), answers)
    }

    /// The messages of a request, the slot with `number` before the first unless they go as they are.
    ///
    /// # Errors
    /// When the file has changed since it was read.
    pub(crate) fn request(
        &self,
        id: RequestId,
        tokenizer: &Tokenizer,
        number: u64,
    ) -> Result<TextRequest, TraceError> {
        let row = self.row(id);
        // One thread makes requests; a panic inside the lock leaves nothing half done.
        let mut texts = self.texts.lock().unwrap_or_else(|e| e.into_inner());
        let request = texts.get(&row.text)?;
        Ok(match self.salted {
            true => request.salted(tokenizer, number),
            false => request,
        })
    }

    /// Share of the measured prompts that a prefix cache without limit would hold, by bytes in
    /// blocks of 256: what rows share with rows before them, and all of a row that was sent before.
    /// `None` where nothing is shared.
    pub(crate) fn shared_prefix_share(&self, measured: Range<RequestId>) -> Option<f64> {
        let all = measured.end.saturating_sub(measured.start);
        let again = measured
            .end
            .saturating_sub(measured.start.max(self.rows()))
            .min(all);
        let share = (again as f64 + (all - again) as f64 * self.shared) / all.max(1) as f64;
        (share > 0.0).then_some(share)
    }
}

/// A request without its answer, and the answer's tokens: counted, or as the row says.
fn answered(
    mut request: TextRequest,
    found: &Found,
    counter: &TokenCounter,
) -> (TextRequest, Option<u64>) {
    let answer = request.answer.take();
    let counted = answer.map(|answer| counter.count(&answer) as u64);
    let counted = counted.filter(|n| *n > 0);
    (request, counted.or(found.output_tokens.map(u64::from)))
}

/// A row as it was read.
struct Found {
    line: u64,
    text: TextRef,
    output_tokens: Option<u32>,
    images: u32,
    session: Option<String>,
    name: Option<String>,
    parent: Option<String>,
    at_ns: Option<i64>,
    delay_ns: i64,
}

/// Instants of rows, and which of them wait for which.
#[derive(Default)]
struct Timed {
    offsets: Vec<Option<i64>>,
    links: Links,
    named: HashMap<String, u32>,
}

impl Timed {
    fn add(&mut self, found: &Found) {
        let row = self.offsets.len();
        // A row that waits for another one's answer may have no time: it is due after that.
        let last = self.offsets.last().copied().flatten();
        let last = last.filter(|_| found.parent.is_some());
        self.offsets.push(found.at_ns.or(last));
        let parent = found.parent.as_ref();
        let parent = parent.and_then(|parent| self.named.get(parent).copied());
        self.links.push(row, parent, Some(found.delay_ns));
        if let Some(name) = &found.name {
            self.named.insert(name.clone(), row as u32);
        }
    }
}

/// The rows of a file, and what was read.
fn found_rows(
    path: &Path,
    options: &DatasetOptions,
) -> Result<(Vec<Found>, TraceFacts), DatasetError> {
    if options.reading.over_context == OverContext::Clip {
        return Err(DatasetError::File(TraceError::Option {
            message: "the option clip is for traces: texts too long are left out".to_owned(),
        }));
    }
    let mut found = Vec::new();
    let facts = read_rows(path, &options.reading, &mut |row: Row| {
        let line = row.line;
        let text = row.text.ok_or(TraceError::NoTexts { line })?;
        found.push(Found {
            line,
            text,
            output_tokens: row.output_tokens,
            images: row.images.unwrap_or(0),
            session: row.session,
            name: row.name,
            parent: row.parent,
            at_ns: row.at_ns,
            delay_ns: row.delay_ns.unwrap_or(0),
        });
        Ok(())
    })?;
    Ok((found, facts))
}

/// Puts rows that follow each other into conversations.
struct Chain {
    wanted: bool,
    begins: Vec<u32>,
    session: Option<String>,
    turn: u32,
}

impl Chain {
    fn new(order: DatasetOrder) -> Self {
        Self {
            wanted: order == DatasetOrder::Conversations,
            begins: Vec::new(),
            session: None,
            turn: 0,
        }
    }

    /// Conversation and place of row `row`, which belongs to `session`.
    fn place(&mut self, session: Option<String>, row: u32) -> (u32, u32) {
        if !self.wanted {
            return (0, 0);
        }
        if session.is_some() && session == self.session && row > 0 {
            self.turn += 1;
        } else {
            self.begins.push(row);
            self.turn = 0;
        }
        self.session = session;
        (self.begins.len() as u32 - 1, self.turn)
    }
}

/// Tokens of the prompt as it is sent: with the template, or of the texts, as many as are sent apart.
fn tokens_of(
    request: TextRequest,
    options: &DatasetOptions,
    tokenizer: &Tokenizer,
    counter: &TokenCounter,
) -> Result<u64, TemplateError> {
    let request = match options.salted {
        true => request.salted(tokenizer, 0),
        false => request,
    };
    Ok(match &options.template {
        Some(template) => tokens_with_template(&request.messages, template, counter)?,
        None if options.endpoint.has_messages() => {
            let each = request.messages.iter().map(|m| counter.count(&m.text));
            each.sum::<usize>() as u64
        }
        None => counter.count(&request.prompt()) as u64,
    })
}

/// Adds what a request says, role, length and text of each message, and the length of its answer.
fn hash(request: &TextRequest, answer: Option<u64>, hasher: &mut Sha256) {
    for message in &request.messages {
        hasher.update(message.role.as_str());
        hasher.update((message.text.len() as u64).to_le_bytes());
        hasher.update(&message.text);
    }
    let of_messages = request.messages.iter().flat_map(|m| &m.members);
    for member in request.members.iter().chain(of_messages) {
        hasher.update(member.name.as_bytes());
        hasher.update((member.json.len() as u64).to_le_bytes());
        hasher.update(member.json.as_bytes());
    }
    hasher.update(answer.unwrap_or(0).to_le_bytes());
}

/// Counts which of the text's beginning was seen before, by numbers that stand for all bytes up to
/// the end of each block.
fn share(request: &TextRequest, sharing: &mut Sharing) {
    let text = request.prompt();
    let mut chained = 0_u64;
    let ids = text.as_bytes().chunks(BLOCK_BYTES).map(|block| {
        for bytes in block.chunks(8) {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            chained = splitmix64(chained ^ u64::from_le_bytes(word));
        }
        chained ^ block.len() as u64
    });
    let ids: Vec<u64> = ids.collect();
    let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
    sharing.add(&ids, bytes, BLOCK_BYTES as u32);
}
