//! The workload: which request has which lengths and which prompt.
//!
//! It does not know when a request is sent, nor what a request body looks like.
//!
//! Invariant: [`Workload::spec`] and [`Workload::prompt`] depend on the constructor's arguments
//! and the id alone. Lengths do not depend on the salt.

use crate::blocks::{Segment, SegmentedPrompt, TextKey};
use crate::classes::{Classes, Draw};
use crate::dataset::TextRequest;
use crate::file::{FileEntry, FileRequest, WorkloadFile};
use crate::identity::Identity;
use crate::kinds::{Kinds, KindsError};
use crate::pairs::PairsError;
use crate::prefix::{Layout, PrefixError, Prefixes, Unlimited};
use crate::slot::SlotKey;
use crate::texts::Dataset;
use crate::tokenizer::Tokenizer;
use crate::trace::{Trace, TraceFacts, TraceRow};
use crate::warm::stand_ins;
use infermeter_core::plan::{Endpoint, MIN_PROMPT_TOKENS, PrefixMode, WorkloadKind};
use infermeter_core::request::{
    FollowUp, Message, RequestContent, RequestId, RequestSpec, Role, length_band,
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
const BLOCKS_REST_TAG: u64 = 0x7461_696c_7461_696c;
const PREFIX_TAG: u64 = 0x7072_6566_6978_2d74;
const OWN_TAG: u64 = 0x6f77_6e2d_7465_7874;
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
    /// A dataset does not give its text.
    #[error("--dataset: {message}")]
    Text {
        /// What is wrong.
        message: String,
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

/// The class of a dataset's requests.
const DATASET_CLASS: &str = "dataset";

/// Requests whose lengths stand for all, where shared beginnings make a mean without formula.
const SAMPLE: u64 = 4_096;

#[derive(Debug, Clone)]
enum Source {
    Drawn(Arc<Classes>),
    Rows(Arc<Trace>),
    File(Arc<WorkloadFile>),
    /// Texts of a dataset; answers whose length it does not say are drawn.
    Texts(Arc<Dataset>, Arc<Classes>),
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
    prefix: Option<PrefixMode>,
    prefixes: Option<Arc<Prefixes>>,
    endpoint: Endpoint,
    /// Tokens of each prompt that are the chat template's, where lengths count it.
    template_tokens: u32,
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

    /// Requests with the texts of a dataset, again from the first when all were sent. Answers have
    /// the dataset's lengths, or those of `kind` where it has none.
    ///
    /// # Errors
    /// When a file of lengths cannot be read.
    pub fn from_dataset(
        dataset: Dataset,
        kind: &WorkloadKind,
        seed: u64,
        tokenizer: Tokenizer,
    ) -> Result<Self, PairsError> {
        let source = Source::Texts(Arc::new(dataset), Arc::new(Classes::new(kind)?));
        let classes = vec![DATASET_CLASS.to_owned()];
        Ok(Self::new(source, classes, seed, tokenizer))
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
            prefix: None,
            prefixes: None,
            endpoint: Endpoint::Chat,
            template_tokens: 0,
        }
    }

    /// The same requests with prompts that begin as `prefix` says, for the API of `endpoint`:
    /// system prompts are messages where it has messages. Absent: prompts begin alike where a
    /// trace says so, and each with its own salt elsewhere.
    ///
    /// # Errors
    /// When a target hit rate is out of reach.
    pub fn with_prefix(
        mut self,
        prefix: Option<PrefixMode>,
        endpoint: Endpoint,
    ) -> Result<Self, PrefixError> {
        self.endpoint = endpoint;
        self.prefix = prefix;
        self.prefixes = None;
        if let Some(mode) = &prefix {
            let ids = 0..self.len().unwrap_or(RequestId::MAX);
            let drawn = ids.map(|id| self.drawn_texts(&self.drawn(id)));
            let made = Prefixes::new(mode, self.seed, drawn)?;
            self.prefixes = made.map(Arc::new);
        }
        Ok(self)
    }

    /// The same lengths, of which `tokens` are the chat template's: the texts are as much shorter,
    /// but for the least that a prompt has. Call it before [`Self::with_prefix`]. The lengths of a
    /// dataset are not touched.
    #[must_use]
    pub fn with_template_tokens(mut self, tokens: u32) -> Self {
        self.template_tokens = match self.source {
            Source::Texts(..) | Source::File(_) => 0,
            Source::Drawn(_) | Source::Rows(_) => tokens,
        };
        self
    }

    /// Tokens of a drawn prompt's texts.
    fn drawn_texts(&self, drawn: &RequestSpec) -> u32 {
        let least = drawn.prompt_tokens.min(MIN_PROMPT_TOKENS);
        let texts = drawn.prompt_tokens.saturating_sub(self.template_tokens);
        texts.max(least)
    }

    /// Tokens of a request's texts.
    fn text_tokens(&self, spec: &RequestSpec) -> u32 {
        spec.prompt_tokens.saturating_sub(self.template_tokens)
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
    /// slot stays as it is. Keep the salt with the record. With the prefix `none` the slot stays as
    /// it is, too.
    #[must_use]
    pub fn with_salt(mut self, salt: u64) -> Self {
        if self.prefix == Some(PrefixMode::None) {
            return self;
        }
        self.salt = splitmix64(salt ^ SALT_TAG);
        self
    }

    /// The same requests, but for lengths in the warm-up: each band of prompt lengths (a factor of
    /// two) of the requests `measured` occurs among those of `warmup` as well, if there are enough
    /// of them. The warm-up requests that it takes get both lengths and the class of a measured
    /// one, and text of their own. The requests of a file and texts stay as they are.
    #[must_use]
    pub fn with_warm_bands(mut self, warmup: Range<RequestId>, measured: Range<RequestId>) -> Self {
        if matches!(self.source, Source::File(_) | Source::Texts(..)) {
            return self;
        }
        let band = |id| length_band(self.drawn(id).prompt_tokens);
        self.stand_ins = Arc::new(stand_ins(warmup, measured, band));
        self
    }

    /// What request `id` asks for.
    ///
    /// # Panics
    /// When a trace or a file has no request `id`: schedules are made from the same rows.
    pub fn spec(&self, id: RequestId) -> RequestSpec {
        let drawn = self.lengths(id);
        if let Source::File(_) = &self.source {
            return drawn;
        }
        let drawn_texts = self.drawn_texts(&drawn);
        let texts = match &self.prefixes {
            None => drawn_texts,
            Some(prefixes) => prefixes.layout(id, drawn_texts).tokens(),
        };
        let class = match &self.kinds {
            // At most 1,000 classes in all.
            Some(kinds) => drawn.class * kinds.len() as u16 + kinds.draw(self.seed, id) as u16,
            None => drawn.class,
        };
        RequestSpec {
            class,
            prompt_tokens: texts.saturating_add(self.template_tokens),
            ..drawn
        }
    }

    /// What it asks for where nothing is shared: by itself, or as the request that it stands in for.
    fn lengths(&self, id: RequestId) -> RequestSpec {
        let like = self.stand_ins.get(&id).copied().unwrap_or(id);
        RequestSpec {
            id,
            ..self.drawn(like)
        }
    }

    /// Class and lengths of request `id` by itself.
    fn drawn(&self, id: RequestId) -> RequestSpec {
        let (class, prompt_tokens, output_tokens) = match &self.source {
            Source::File(file) => {
                return RequestSpec {
                    id,
                    ..entry(file, id).spec
                };
            }
            Source::Rows(trace) => {
                let row = trace.rows().get(id as usize);
                let row = row.expect("the schedule of a trace has no more arrivals than rows");
                let class = trace.class(id as usize);
                (class, row.input_tokens, row.output_tokens)
            }
            Source::Drawn(classes) => {
                let draw = self.draw(classes, id);
                (draw.class, draw.lengths.input, draw.lengths.output)
            }
            Source::Texts(dataset, classes) => {
                let row = dataset.row(id);
                let output = row.output_tokens;
                let output = output.unwrap_or_else(|| self.draw(classes, id).lengths.output);
                (0, row.prompt_tokens, output)
            }
        };
        RequestSpec {
            id,
            class,
            prompt_tokens,
            output_tokens,
            turn: None,
        }
    }

    fn draw(&self, classes: &Classes, id: RequestId) -> Draw {
        let mut rng = ChaCha8Rng::seed_from_u64(splitmix64(self.seed ^ LENGTHS_TAG));
        rng.set_stream(id);
        classes.draw(&mut rng)
    }

    /// The request that waits for the answer of `spec`'s.
    pub fn follow_up(&self, spec: &RequestSpec) -> Option<FollowUp> {
        match &self.source {
            Source::File(file) => entry(file, spec.id).next,
            Source::Drawn(_) | Source::Rows(_) | Source::Texts(..) => None,
        }
    }

    /// Where the number in a request's slot comes from; `None` where it has no slot, or the same one
    /// in every run.
    pub fn slot_key(&self, spec: &RequestSpec) -> Option<SlotKey> {
        match &self.source {
            Source::File(file) => match entry(file, spec.id) {
                entry if entry.spec.id == spec.id => entry.slot,
                again => again.slot.map(|_| SlotKey::Own(spec.id)),
            },
            Source::Drawn(_) | Source::Rows(_) | Source::Texts(..) => {
                let salted = self.prefix != Some(PrefixMode::None);
                salted.then(|| self.own_key(spec.id))
            }
        }
    }

    /// The run's where prompts share their beginnings, else the request's own.
    fn own_key(&self, id: RequestId) -> SlotKey {
        let shares = match &self.source {
            _ if self.prefixes.is_some() => true,
            _ if self.prefix == Some(PrefixMode::Bust) => false,
            Source::Rows(trace) => trace.blocks(id as usize).is_some(),
            Source::Texts(..) => true,
            Source::Drawn(_) | Source::File(_) => false,
        };
        if shares {
            SlotKey::Run
        } else {
            SlotKey::Own(id)
        }
    }

    /// The words that a request's first message begins with; empty where it has no slot.
    pub fn slot(&self, spec: &RequestSpec) -> String {
        self.slot_key(spec).map_or_else(String::new, |key| {
            let number = key.number(self.salt);
            self.tokenizer.slot(number, self.text_tokens(spec))
        })
    }

    /// What a request says, its slot at the beginning of the first message: a system prompt and the
    /// user's message where prompts share system prompts and the API has messages.
    ///
    /// # Errors
    /// Under a `tokenizer.json` that cannot meet the length, and when a workload file cannot be read
    /// any more.
    pub fn content(&self, spec: &RequestSpec) -> Result<RequestContent, PromptError> {
        if let Source::File(file) = &self.source {
            let mut content = file
                .content(entry(file, spec.id))
                .map_err(|e| PromptError::File(e.to_string()))?;
            if let Some(first) = content.messages.first_mut() {
                first.text.insert_str(0, &self.slot(spec));
            }
            return Ok(content);
        }
        let mut content = self.messages(spec)?;
        if let Some(kinds) = &self.kinds {
            let way = usize::from(spec.class) % kinds.len();
            kinds.add_to(&mut content, way, self.seed, spec.id);
        }
        Ok(content)
    }

    /// What it says beside what its kind adds.
    fn messages(&self, spec: &RequestSpec) -> Result<RequestContent, PromptError> {
        if let Source::Texts(dataset, _) = &self.source {
            return Ok(RequestContent {
                messages: self.texts(dataset, spec.id)?.messages,
                members: Vec::new(),
            });
        }
        if let Some(prefixes) = &self.prefixes
            && prefixes.is_system()
            && self.endpoint == Endpoint::Chat
        {
            let layout = prefixes.layout(spec.id, self.text_tokens(spec));
            return self.with_system_prompt(spec, &layout);
        }
        self.prompt(spec).map(RequestContent::of_prompt)
    }

    /// The shared beginning as a system message, and the rest as the user's, which begins with a
    /// number of its own and no salt.
    fn with_system_prompt(
        &self,
        spec: &RequestSpec,
        layout: &Layout,
    ) -> Result<RequestContent, PromptError> {
        let key = splitmix64(self.seed ^ OWN_TAG);
        let number = splitmix64(spec.id ^ key);
        let own = self
            .tokenizer
            .write(number, key, spec.id, layout.own_tokens)?;
        Ok(RequestContent {
            messages: vec![
                Message::new(Role::System, self.shared_text(layout)?),
                Message::new(Role::User, own),
            ],
            members: Vec::new(),
        })
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

    /// The prompt of a request as one text of exactly `spec.prompt_tokens` tokens, the chat
    /// template's not among them where lengths count it. It begins with
    /// the request's own salt; where prompts share beginnings, it begins with the run's salt and
    /// what is shared.
    ///
    /// # Errors
    /// Under a `tokenizer.json` that cannot meet the length, and when a dataset's file has changed.
    pub fn prompt(&self, spec: &RequestSpec) -> Result<String, PromptError> {
        if let Source::File(_) = &self.source {
            let content = self.content(spec)?;
            let texts: Vec<String> = content.messages.into_iter().map(|m| m.text).collect();
            return Ok(texts.join("\n"));
        }
        if let Source::Texts(dataset, _) = &self.source {
            return Ok(self.texts(dataset, spec.id)?.prompt());
        }
        let salt = self.own_key(spec.id).number(self.salt);
        if let Some(prefixes) = &self.prefixes {
            let layout = prefixes.layout(spec.id, self.text_tokens(spec));
            let prompt = SegmentedPrompt {
                salt,
                rest: TextKey {
                    key: splitmix64(self.seed ^ OWN_TAG),
                    number: spec.id,
                },
            };
            let shared = [self.shared_segment(&layout)];
            return self
                .tokenizer
                .write_segments(&prompt, || shared.into_iter(), layout.tokens());
        }
        if let Source::Rows(trace) = &self.source
            && self.prefix != Some(PrefixMode::Bust)
            && let Some(blocks) = trace.blocks(spec.id as usize)
        {
            let key = splitmix64(self.seed ^ BLOCKS_TAG);
            let prompt = SegmentedPrompt {
                salt,
                rest: TextKey {
                    key: splitmix64(key ^ BLOCKS_REST_TAG),
                    number: spec.id,
                },
            };
            let segments = || {
                blocks.ids().map(move |number| Segment {
                    text: TextKey { key, number },
                    pieces: blocks.tokens,
                })
            };
            return self
                .tokenizer
                .write_segments(&prompt, segments, self.text_tokens(spec));
        }
        let key = splitmix64(self.seed ^ TEXT_TAG);
        self.tokenizer
            .write(salt, key, spec.id, self.text_tokens(spec))
    }

    /// What a dataset says in request `id`: with the run's salt, so that requests go on sharing what
    /// they share in the file, or with one of its own.
    fn texts(&self, dataset: &Dataset, id: RequestId) -> Result<TextRequest, PromptError> {
        let number = self.own_key(id).number(self.salt);
        dataset
            .request(id, &self.tokenizer, number)
            .map_err(|error| PromptError::Text {
                message: error.to_string(),
            })
    }

    fn shared_segment(&self, layout: &Layout) -> Segment {
        Segment {
            text: TextKey {
                key: splitmix64(self.seed ^ PREFIX_TAG),
                number: layout.shared.number,
            },
            pieces: layout.shared.tokens,
        }
    }

    /// The shared beginning alone.
    fn shared_text(&self, layout: &Layout) -> Result<String, PromptError> {
        let segment = self.shared_segment(layout);
        let prompt = SegmentedPrompt {
            salt: SlotKey::Run.number(self.salt),
            rest: segment.text,
        };
        self.tokenizer
            .write_segments(&prompt, || [segment].into_iter(), layout.shared.tokens)
    }

    /// Names of the classes, indexed by [`RequestSpec::class`].
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Mean lengths: of the distributions, or of the trace's rows; where prompts share beginnings,
    /// of the first requests.
    pub fn expected_tokens(&self) -> ExpectedTokens {
        if self.prefixes.is_some() {
            let count = self.len().unwrap_or(SAMPLE).min(SAMPLE);
            let sum = (0..count).map(|id| f64::from(self.spec(id).prompt_tokens));
            let input = sum.sum::<f64>() / count.max(1) as f64;
            return ExpectedTokens {
                input,
                ..self.drawn_tokens()
            };
        }
        self.drawn_tokens()
    }

    fn drawn_tokens(&self) -> ExpectedTokens {
        match &self.source {
            Source::Drawn(classes) => classes.expected(),
            Source::Texts(dataset, classes) => {
                let (input, output) = dataset.means();
                ExpectedTokens {
                    input,
                    output: output.unwrap_or_else(|| classes.expected().output),
                }
            }
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
            Source::Drawn(_) | Source::Texts(..) => None,
            Source::Rows(trace) => Some(trace.rows().len() as u64),
            Source::File(file) => Some(file.entries().len() as u64),
        }
    }

    /// Texts that are sent before they begin again, where there is a dataset.
    pub fn texts_before_repeating(&self) -> Option<u64> {
        match &self.source {
            Source::Texts(dataset, _) => Some(dataset.rows()),
            Source::Drawn(_) | Source::Rows(_) | Source::File(_) => None,
        }
    }

    /// What was read from the trace or the dataset, where there is one.
    pub fn trace_facts(&self) -> Option<&TraceFacts> {
        match &self.source {
            Source::Drawn(_) | Source::File(_) => None,
            Source::Rows(trace) => trace.facts(),
            Source::Texts(dataset, _) => Some(dataset.facts()),
        }
    }

    /// Share of the prompt tokens of the requests `measured` that a prefix cache without limit
    /// would hold, those before them sent in order; of a trace, that of all its rows. `None` where
    /// prompts are not meant to share their beginnings.
    pub fn shared_prefix_share(&self, measured: Range<RequestId>) -> Option<f64> {
        if let Some(prefixes) = &self.prefixes {
            let end = self.len().map_or(measured.end, |len| measured.end.min(len));
            let mut cache = Unlimited::default();
            for id in 0..end {
                let layout = prefixes.layout(id, self.drawn_texts(&self.lengths(id)));
                cache.add(prefixes, &layout, id >= measured.start);
            }
            return cache.share();
        }
        if self.prefix == Some(PrefixMode::Bust) {
            return None;
        }
        match &self.source {
            Source::Rows(trace) => trace.shared_prefix_share(),
            Source::Texts(dataset, _) => dataset.shared_prefix_share(measured),
            Source::Drawn(_) | Source::File(_) => None,
        }
    }

    /// Requests bring blocks that a trace says they share.
    pub fn has_blocks(&self) -> bool {
        matches!(&self.source, Source::Rows(trace) if trace.has_blocks())
    }

    /// SHA-256 over everything that decides about the requests, the salt aside; hex. Two workloads
    /// with one hash send the same requests.
    pub fn hash(&self) -> String {
        let identity = |kind| {
            let base = Identity::new(kind, self.seed, self.tokenizer.identity());
            self.beginnings(self.carried(base))
        };
        match &self.source {
            Source::Drawn(classes) => classes.identity(identity("drawn")).finish(),
            Source::Rows(trace) => identity("rows").trace(trace).finish(),
            Source::Texts(dataset, classes) => {
                let texts = identity("texts").text(dataset.sha256());
                classes.identity(texts).finish()
            }
            Source::File(file) => file.header().sha256.clone(),
        }
    }

    /// Adds what stands in for another request, and what requests carry.
    fn carried(&self, mut identity: Identity) -> Identity {
        let mut stand_ins: Vec<_> = self.stand_ins.iter().collect();
        stand_ins.sort_unstable();
        for (id, like) in stand_ins {
            identity = identity.number(*id).number(*like);
        }
        match &self.kinds {
            Some(kinds) => kinds.identity(identity),
            None => identity,
        }
    }

    /// Adds what prompts share, and what their lengths count.
    fn beginnings(&self, mut identity: Identity) -> Identity {
        if let Some(prefix) = &self.prefix {
            identity = identity.text(&prefix.to_string());
            identity = identity.text(self.endpoint.path());
        }
        if self.template_tokens > 0 {
            identity = identity.number(self.template_tokens.into());
        }
        identity
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
