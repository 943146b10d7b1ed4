//! The workload: which request has which lengths and which prompt.
//!
//! It does not know when a request is sent, nor what a request body looks like.
//!
//! Invariant: [`Workload::spec`] and [`Workload::prompt`] depend on the constructor's arguments
//! and the id alone. Lengths do not depend on the salt.

mod items;
mod questions;
mod source;
mod text;

use crate::classes::Classes;
use crate::expected_tokens::ExpectedTokens;
use crate::file::WorkloadFile;
use crate::identity::Identity;
use crate::kinds::{Kinds, KindsError};
use crate::pairs::PairsError;
use crate::prefix::{PrefixError, Prefixes, Unlimited};
use crate::session::{SessionMeans, SessionSource};
use crate::texts::Dataset;
use crate::tokenizer::Tokenizer;
use crate::trace::{Trace, TraceFacts};
use crate::warm::stand_ins;
use infermeter_core::plan::{
    Endpoint, ItemCounts, MIN_PROMPT_TOKENS, PrefixMode, Sessions, WorkloadKind,
};
use infermeter_core::request::{RequestId, RequestSpec, Role, length_band};
use infermeter_core::seed::splitmix64;
use questions::Riding;
use source::Source;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Keeps the salt apart from other numbers.
const SALT_TAG: u64 = 0x7361_6c74_7361_6c74;
/// Salt of a workload that was given none.
const NO_SALT: u64 = u64::MAX;

/// A request that waits for the end of another one's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextTurn {
    /// Its id.
    pub id: RequestId,
    /// Who says its new message.
    pub role: Role,
    /// Nanoseconds between the answer and it, where a trace says.
    pub delay_ns: Option<i64>,
    /// When a trace has it, nanoseconds after its first row, not scaled.
    pub offset_ns: Option<i64>,
    /// Answers that it waits for beside this one.
    pub further: u32,
}

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Awaited {
    /// The request whose answer has to end first.
    pub parent: RequestId,
    /// When a trace has the waiting request, nanoseconds after its first row, not scaled.
    pub offset_ns: Option<i64>,
}

/// The class of a dataset's requests.
const DATASET_CLASS: &str = "dataset";

/// Requests whose lengths stand for all, where shared beginnings make a mean without formula.
const SAMPLE: u64 = 4_096;

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
    /// Texts of each request, where it holds several.
    items: Option<ItemCounts>,
    /// Questions that some requests carry.
    riding: Option<Arc<Riding>>,
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

    /// The same lengths in sessions: they are those of each turn's new message and of its answer.
    /// Only drawn lengths can be; a trace brings its own conversations.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Sessions) -> Self {
        if let Source::Drawn(classes) = &self.source {
            let source = SessionSource::new(sessions, Arc::clone(classes), self.seed);
            self.source = Source::Sessions(Arc::new(source));
        }
        self
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
            items: None,
            riding: None,
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
            let drawn = ids.map(|id| self.drawn_texts(&self.by_itself(id)));
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
            // Each turn has a template of its own length.
            Source::Sessions(_) => 0,
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
    /// one, and text of their own. Sessions, texts and the requests of a file stay as they are.
    #[must_use]
    pub fn with_warm_bands(mut self, warmup: Range<RequestId>, measured: Range<RequestId>) -> Self {
        if matches!(
            self.source,
            Source::File(_) | Source::Texts(..) | Source::Sessions(_)
        ) {
            return self;
        }
        let band = |id| length_band(self.by_itself(id).prompt_tokens);
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
        self.asking(RequestSpec {
            class,
            prompt_tokens: texts.saturating_add(self.template_tokens),
            ..drawn
        })
    }

    /// What it asks for where nothing is shared: by itself, or as the request that it stands in for.
    fn lengths(&self, id: RequestId) -> RequestSpec {
        let like = self.stand_ins.get(&id).copied().unwrap_or(id);
        RequestSpec {
            id,
            ..self.by_itself(like)
        }
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
                ..self.source.means()
            };
        }
        let means = self.source.means();
        match self.items {
            None => means,
            Some(counts) => ExpectedTokens {
                input: f64::from(counts.items) * means.input
                    + f64::from(counts.query_tokens.unwrap_or(0)),
                output: 0.0,
            },
        }
    }

    /// Number of requests, where it is bounded: the rows of a trace or of a file.
    #[expect(clippy::len_without_is_empty, reason = "most workloads are endless")]
    pub fn len(&self) -> Option<u64> {
        self.source.len()
    }

    /// Means over sessions; absent where requests stand alone and for a trace.
    pub fn session_means(&self) -> Option<SessionMeans> {
        self.source.session_means()
    }

    /// Rows of a trace, or requests of a file, that wait for another one's answer.
    pub fn waiting(&self) -> u64 {
        self.source.waiting()
    }

    /// Distance between the first ids of two sessions; 1 where there are none.
    pub fn stride(&self) -> u64 {
        self.source.stride()
    }

    /// When a trace or a file has request `id`, nanoseconds after its first; absent where nothing
    /// says.
    pub fn instant_ns(&self, id: RequestId) -> Option<i64> {
        self.source.instant_ns(id)
    }

    /// The requests that wait for the answer to `spec`'s.
    pub fn next_turns(&self, spec: &RequestSpec) -> Vec<NextTurn> {
        self.source.next_turns(spec)
    }

    /// What `spec`'s request waits for itself.
    pub fn awaited(&self, spec: &RequestSpec) -> Option<Awaited> {
        self.source.awaited(spec)
    }

    /// The first requests of so many conversations of a dataset, again from the first when all were
    /// begun; `None` where texts are sent one by one.
    pub fn conversations(&self, count: usize) -> Option<Vec<RequestId>> {
        match &self.source {
            Source::Texts(dataset, _) => dataset.conversations(count),
            _ => None,
        }
    }

    /// Requests that are sent before the texts begin again, where there is a dataset.
    pub fn texts_before_repeating(&self) -> Option<u64> {
        match &self.source {
            Source::Texts(dataset, _) => {
                let each = self.items.map_or(1, |counts| counts.items);
                Some((dataset.rows() / u64::from(each.max(1))).max(1))
            }
            _ => None,
        }
    }

    /// What was read from the trace or the dataset, where there is one.
    pub fn trace_facts(&self) -> Option<&TraceFacts> {
        self.source.trace_facts()
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
            Source::Sessions(sessions) => Some(sessions.means().shared),
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
            let base = Identity::new(kind, self.seed, &self.tokenizer.manner());
            self.beginnings(self.carrying(base))
        };
        match &self.source {
            Source::Drawn(classes) => classes.identity(identity("drawn")).finish(),
            Source::Sessions(sessions) => sessions.identity(identity("sessions")).finish(),
            Source::Rows(trace) => identity("rows").trace(trace).finish(),
            Source::Texts(dataset, classes) => {
                let texts = identity("texts").text(dataset.sha256());
                classes.identity(texts).finish()
            }
            Source::File(file) => file.header().sha256.clone(),
        }
    }

    /// Adds what stands in for another request, and what requests carry.
    fn carrying(&self, mut identity: Identity) -> Identity {
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
            identity = identity.text(self.endpoint.api().path);
        }
        if self.template_tokens > 0 {
            identity = identity.number(self.template_tokens.into());
        }
        if let Some(counts) = self.items {
            let query = counts.query_tokens.map_or(u64::MAX, u64::from);
            identity = identity.number(counts.items.into()).number(query);
        }
        if let Some(questions) = self.questions() {
            let (numbers, sets) = questions.identity();
            identity = identity.text("questions");
            identity = numbers.into_iter().fold(identity, Identity::number);
            identity = sets.into_iter().fold(identity, Identity::text);
        }
        identity
    }

    /// The tokenizer that lengths are meant under.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }
}
