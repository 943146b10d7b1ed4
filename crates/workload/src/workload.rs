//! The workload: which request has which lengths and which prompt.
//!
//! It does not know when a request is sent, nor what a request body looks like.
//!
//! Invariant: [`Workload::spec`] and [`Workload::prompt`] depend on the constructor's arguments
//! and the id alone. Lengths do not depend on the salt.

use crate::blocks::BlockPrompt;
use crate::classes::Classes;
use crate::file::{FileEntry, FileRequest, WorkloadFile};
use crate::identity::Identity;
use crate::kinds::{Kinds, KindsError};
use crate::pairs::PairsError;
use crate::slot::SlotKey;
use crate::tokenizer::Tokenizer;
use crate::trace::{Trace, TraceFacts, TraceRow};
use crate::warm::stand_ins;
use infermeter_core::plan::WorkloadKind;
use infermeter_core::request::{
    ClassIndex, FollowUp, RequestContent, RequestId, RequestSpec, length_band,
};
use infermeter_core::seed::splitmix64;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Keeps the random streams of lengths and of text apart.
const LENGTHS_TAG: u64 = 0x6c65_6e67_7468_7300;
const TEXT_TAG: u64 = 0x7465_7874_7465_7874;
const BLOCKS_TAG: u64 = 0x626c_6f63_6b73_2e2e;
const SALT_TAG: u64 = 0x7361_6c74_7361_6c74;
/// Salt of a workload that was given none.
const NO_SALT: u64 = u64::MAX;

/// Why a prompt cannot be written: never under a built-in tokenizer, a file that changes aside.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptError {
    /// The workload file cannot be read any more.
    #[error("{0}")]
    File(String),
    /// The length was not met.
    #[error(
        "no text of exactly {wanted} tokens found under {tokenizer} (--tokenizer): the last \
         attempt had {got}"
    )]
    NotExact {
        /// The tokenizer.
        tokenizer: String,
        /// Tokens asked for.
        wanted: u32,
        /// Tokens of the last attempt.
        got: usize,
    },
    /// The tokenizer refused its own words.
    #[error("{tokenizer} (--tokenizer) cannot encode a prompt: {message}")]
    Encode {
        /// The tokenizer.
        tokenizer: String,
        /// What it says.
        message: String,
    },
}

/// Mean lengths of a workload's requests, tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExpectedTokens {
    /// Of the prompt.
    pub input: f64,
    /// Of the answer.
    pub output: f64,
}

#[derive(Debug, Clone)]
enum Source {
    Drawn(Arc<Classes>),
    Rows(Arc<Trace>),
    File(Arc<WorkloadFile>),
}

/// What every request of a run asks for. Cheap to clone, free to share between threads.
#[derive(Debug, Clone)]
pub struct Workload {
    source: Source,
    classes: Arc<[String]>,
    seed: u64,
    /// Salt of the run; that of a request is made from it and the id.
    salt: u64,
    tokenizer: Tokenizer,
    kinds: Option<Arc<Kinds>>,
    /// Warm-up requests with the lengths of another request.
    stand_ins: Arc<HashMap<RequestId, RequestId>>,
}

/// Most classes of a run.
const MAX_CLASSES: usize = 1_000;

impl Workload {
    /// Requests whose lengths are drawn as `kind` says.
    ///
    /// # Errors
    /// When a file of lengths cannot be read.
    pub fn from_plan(
        kind: &WorkloadKind,
        seed: u64,
        tokenizer: Tokenizer,
    ) -> Result<Self, PairsError> {
        let source = Source::Drawn(Arc::new(Classes::new(kind)?));
        Ok(Self::new(source, kind.classes(), seed, tokenizer))
    }

    /// Requests with the lengths, classes and blocks of a trace: request `id` is row `id`.
    pub fn from_trace(trace: Trace, seed: u64, tokenizer: Tokenizer) -> Self {
        let classes = trace.classes().to_vec();
        Self::new(Source::Rows(Arc::new(trace)), classes, seed, tokenizer)
    }

    /// The requests of a workload file. Where they have no instants, the file begins again after its
    /// end, each time with other slots.
    pub fn from_file(file: WorkloadFile, tokenizer: Tokenizer) -> Self {
        let classes = file.header().classes.clone();
        Self::new(Source::File(Arc::new(file)), classes, 0, tokenizer)
    }

    fn new(source: Source, classes: Vec<String>, seed: u64, tokenizer: Tokenizer) -> Self {
        Self {
            source,
            classes: classes.into(),
            seed,
            salt: splitmix64(NO_SALT ^ SALT_TAG),
            tokenizer,
            kinds: None,
            stand_ins: Arc::default(),
        }
    }

    /// The same requests, of which each carries what `kinds` draws for it. Classes get the kind's
    /// name behind their own: `chat/schema`. The requests of a file stay as they are.
    ///
    /// # Errors
    /// When there would be more than 1,000 classes.
    pub fn with_kinds(mut self, kinds: Kinds) -> Result<Self, KindsError> {
        let suffixes = kinds.suffixes();
        let count = self.classes.len() * suffixes.len();
        if count > MAX_CLASSES {
            return Err(KindsError::TooManyClasses(count));
        }
        let named = |class: &String| -> Vec<String> {
            suffixes.iter().map(|s| format!("{class}{s}")).collect()
        };
        self.classes = self.classes.iter().flat_map(named).collect();
        self.kinds = Some(Arc::new(kinds));
        Ok(self)
    }

    /// The same requests with another salt in the slot that prompts begin with, so that a run does
    /// not meet what an earlier run with its seed left in a prefix cache. What stands behind the
    /// slot stays as it is. Keep the salt with the record.
    #[must_use]
    pub fn with_salt(mut self, salt: u64) -> Self {
        self.salt = splitmix64(salt ^ SALT_TAG);
        self
    }

    /// The same requests, but for lengths in the warm-up: each band of prompt lengths (a factor of
    /// two) of the requests `measured` occurs among those of `warmup` as well, if there are enough
    /// of them. The warm-up requests that it takes get both lengths and the class of a measured
    /// one, and text of their own. The requests of a file stay as they are.
    #[must_use]
    pub fn with_warm_bands(mut self, warmup: Range<RequestId>, measured: Range<RequestId>) -> Self {
        if matches!(self.source, Source::File(_)) {
            return self;
        }
        let band = |id| length_band(self.drawn(id).1);
        self.stand_ins = Arc::new(stand_ins(warmup, measured, band));
        self
    }

    /// Class, prompt and answer length of request `id` by itself.
    fn drawn(&self, id: RequestId) -> (ClassIndex, u32, u32) {
        match &self.source {
            Source::File(file) => {
                let spec = entry(file, id).spec;
                (spec.class, spec.prompt_tokens, spec.output_tokens)
            }
            Source::Rows(trace) => {
                let row = trace.rows().get(id as usize);
                let row = row.expect("the schedule of a trace has no more arrivals than rows");
                let class = trace.class(id as usize);
                (class, row.input_tokens, row.output_tokens)
            }
            Source::Drawn(classes) => {
                let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(self.seed ^ LENGTHS_TAG));
                rng.set_stream(id);
                let draw = classes.draw(&mut rng);
                (draw.class, draw.lengths.input, draw.lengths.output)
            }
        }
    }

    /// What request `id` asks for.
    ///
    /// # Panics
    /// When a trace or a file has no request `id`: schedules are made from the same rows.
    pub fn spec(&self, id: RequestId) -> RequestSpec {
        if let Source::File(file) = &self.source {
            return RequestSpec {
                id,
                ..entry(file, id).spec
            };
        }
        let like = self.stand_ins.get(&id).copied().unwrap_or(id);
        let (class, prompt_tokens, output_tokens) = self.drawn(like);
        let class = match &self.kinds {
            // At most 1,000 classes in all.
            Some(kinds) => class * kinds.len() as u16 + kinds.draw(self.seed, id) as u16,
            None => class,
        };
        RequestSpec {
            id,
            class,
            prompt_tokens,
            output_tokens,
            turn: None,
        }
    }

    /// The request that waits for the answer of `spec`'s.
    pub fn follow_up(&self, spec: &RequestSpec) -> Option<FollowUp> {
        match &self.source {
            Source::File(file) => entry(file, spec.id).next,
            Source::Drawn(_) | Source::Rows(_) => None,
        }
    }

    /// Where the number in a request's slot comes from.
    pub fn slot_key(&self, spec: &RequestSpec) -> Option<SlotKey> {
        match &self.source {
            Source::Rows(trace) if trace.blocks(spec.id as usize).is_some() => Some(SlotKey::Run),
            Source::Drawn(_) | Source::Rows(_) => Some(SlotKey::Own(spec.id)),
            Source::File(file) => match entry(file, spec.id) {
                entry if entry.spec.id == spec.id => entry.slot,
                again => again.slot.map(|_| SlotKey::Own(spec.id)),
            },
        }
    }

    /// The words that a request's first message begins with; empty where it has no slot.
    pub fn slot(&self, spec: &RequestSpec) -> String {
        self.slot_key(spec).map_or_else(String::new, |key| {
            let number = key.number(self.salt);
            self.tokenizer.slot(number, spec.prompt_tokens)
        })
    }

    /// What a request says, its slot at the beginning of the first message.
    ///
    /// # Errors
    /// Under a `tokenizer.json` that cannot meet the length, and when a workload file cannot be read
    /// any more.
    pub fn content(&self, spec: &RequestSpec) -> Result<RequestContent, PromptError> {
        let Source::File(file) = &self.source else {
            let mut content = RequestContent::of_prompt(self.prompt(spec)?);
            if let Some(kinds) = &self.kinds {
                let way = usize::from(spec.class) % kinds.len();
                kinds.add_to(&mut content, way, self.seed, spec.id);
            }
            return Ok(content);
        };
        let mut content = file
            .content(entry(file, spec.id))
            .map_err(|e| PromptError::File(e.to_string()))?;
        if let Some(first) = content.messages.first_mut() {
            first.text.insert_str(0, &self.slot(spec));
        }
        Ok(content)
    }

    /// The request as a workload file has it, due at `at_ns`.
    ///
    /// # Errors
    /// As [`Workload::content`].
    pub fn file_request(
        &self,
        id: RequestId,
        at_ns: Option<i64>,
    ) -> Result<FileRequest, PromptError> {
        let spec = self.spec(id);
        let mut content = self.content(&spec)?;
        let slot = self.slot(&spec);
        if let Some(first) = content.messages.first_mut()
            && first.text.starts_with(&slot)
        {
            first.text.drain(..slot.len());
        }
        Ok(FileRequest {
            spec,
            at_ns,
            next: self.follow_up(&spec),
            slot: self.slot_key(&spec),
            content,
        })
    }

    /// The prompt of a request: text of exactly `spec.prompt_tokens` tokens. It begins with the
    /// request's own salt; where a trace says which blocks prompts share, it begins with the
    /// run's salt, and equal blocks have equal text.
    ///
    /// # Errors
    /// Only under a `tokenizer.json` that cannot meet the length.
    pub fn prompt(&self, spec: &RequestSpec) -> Result<String, PromptError> {
        if let Source::File(_) = &self.source {
            let content = self.content(spec)?;
            let texts: Vec<String> = content.messages.into_iter().map(|m| m.text).collect();
            return Ok(texts.join("\n"));
        }
        if let Source::Rows(trace) = &self.source
            && let Some(blocks) = trace.blocks(spec.id as usize)
        {
            let prompt = BlockPrompt {
                block_tokens: blocks.tokens,
                key: splitmix64(self.seed ^ BLOCKS_TAG),
                salt: SlotKey::Run.number(self.salt),
                row: spec.id,
            };
            return self
                .tokenizer
                .write_blocks(&prompt, || blocks.ids(), spec.prompt_tokens);
        }
        let slot = SlotKey::Own(spec.id).number(self.salt);
        let key = splitmix64(self.seed ^ TEXT_TAG);
        self.tokenizer.write(slot, key, spec.id, spec.prompt_tokens)
    }

    /// Names of the classes, indexed by [`RequestSpec::class`].
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Mean lengths: of the distributions, or of the trace's rows.
    pub fn expected_tokens(&self) -> ExpectedTokens {
        match &self.source {
            Source::Drawn(classes) => classes.expected(),
            Source::File(file) => {
                let specs = || file.entries().iter().map(|entry| entry.spec);
                let mean = |tokens: fn(RequestSpec) -> u32| {
                    let sum: u64 = specs().map(|spec| u64::from(tokens(spec))).sum();
                    sum as f64 / specs().len().max(1) as f64
                };
                ExpectedTokens {
                    input: mean(|spec| spec.prompt_tokens),
                    output: mean(|spec| spec.output_tokens),
                }
            }
            Source::Rows(trace) => {
                let rows = trace.rows();
                let mean = |tokens: fn(&TraceRow) -> u32| {
                    let sum: u64 = rows.iter().map(|row| u64::from(tokens(row))).sum();
                    sum as f64 / rows.len().max(1) as f64
                };
                ExpectedTokens {
                    input: mean(|row| row.input_tokens),
                    output: mean(|row| row.output_tokens),
                }
            }
        }
    }

    /// Number of requests, where it is bounded: the rows of a trace or of a file.
    #[expect(clippy::len_without_is_empty, reason = "most workloads are endless")]
    pub fn len(&self) -> Option<u64> {
        match &self.source {
            Source::Drawn(_) => None,
            Source::Rows(trace) => Some(trace.rows().len() as u64),
            Source::File(file) => Some(file.entries().len() as u64),
        }
    }

    /// What was read from the trace, where there is one.
    pub fn trace_facts(&self) -> Option<&TraceFacts> {
        match &self.source {
            Source::Drawn(_) | Source::File(_) => None,
            Source::Rows(trace) => trace.facts(),
        }
    }

    /// Share of the prompt tokens that a prefix cache without limit would hold, where prompts are
    /// meant to share their beginnings.
    pub fn shared_prefix_share(&self) -> Option<f64> {
        match &self.source {
            Source::Drawn(_) | Source::File(_) => None,
            Source::Rows(trace) => trace.shared_prefix_share(),
        }
    }

    /// SHA-256 over everything that decides about the requests, the salt aside; hex. Two workloads
    /// with one hash send the same requests.
    pub fn hash(&self) -> String {
        let identity = |kind| {
            let mut identity = Identity::new(kind, self.seed, self.tokenizer.identity());
            let mut stand_ins: Vec<_> = self.stand_ins.iter().collect();
            stand_ins.sort_unstable();
            for (id, like) in stand_ins {
                identity = identity.number(*id).number(*like);
            }
            match &self.kinds {
                Some(kinds) => kinds.identity(identity),
                None => identity,
            }
        };
        match &self.source {
            Source::Drawn(classes) => classes.identity(identity("drawn")).finish(),
            Source::Rows(trace) => identity("rows").trace(trace).finish(),
            Source::File(file) => file.header().sha256.clone(),
        }
    }

    /// The tokenizer that lengths are meant under.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}

/// The entry of request `id`; a file of requests without instants goes round.
fn entry(file: &WorkloadFile, id: RequestId) -> &FileEntry {
    let entries = file.entries();
    let again = || entries.get((id % entries.len() as u64) as usize);
    let found = file.entry(id).or_else(again);
    found.expect("a workload file has a request at least")
}
