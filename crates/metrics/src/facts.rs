//! What a request's record says, without its chunks: what every metric with one value per request
//! is computed from.
//!
//! Does not decide which requests count. Invariant: a fact that the record lacks is absent here.

use crate::fluidity::{Fluidity, FluidityQuestion};
use crate::own_question::OwnQuestion;
use crate::releases::Releases;
use crate::request_stalls::RequestStalls;
use infermeter_core::answer::AnswerFacts;
use infermeter_core::clock::Offset;
use infermeter_core::finish::FinishReason;
use infermeter_core::oddity::Oddities;
use infermeter_core::origin::Origin;
use infermeter_core::record::{
    Chunk, ChunkKind, Outcome, Reason, RequestRecord, ServerTimes, StampSource, TokenSource,
};
use infermeter_core::request::{ClassIndex, RequestId, Turn};
use infermeter_core::schedule::Phase;

/// A record without its chunks; the fields are those of [`RequestRecord`].
#[derive(Debug, Clone, PartialEq)]
pub struct RequestFacts {
    /// Number in schedule order.
    pub id: RequestId,
    /// Workload class.
    pub class: ClassIndex,
    /// Place in a session.
    pub turn: Option<Turn>,
    /// The request whose answer this one waited for.
    pub parent: Option<RequestId>,
    /// The instant that a trace has for a request that waited.
    pub planned: Option<Offset>,
    /// Phase of `intended`.
    pub phase: Phase,
    /// When it was due.
    pub intended: Offset,
    /// Read just before connecting or writing.
    pub send_start: Option<Offset>,
    /// The TCP connection was up.
    pub connected: Option<Offset>,
    /// The TLS session was up.
    pub tls_done: Option<Offset>,
    /// The last write call returned.
    pub sent: Option<Offset>,
    /// The kernel handed over the last byte.
    pub left: Option<Offset>,
    /// The read that held the first response byte.
    pub first_byte: Option<Offset>,
    /// Instant of the last chunk.
    pub finished: Option<Offset>,
    /// Instant of the last byte, or of the failure.
    pub closed: Option<Offset>,
    /// How it ended.
    pub outcome: Outcome,
    /// HTTP status.
    pub status: Option<u16>,
    /// Why it did not complete.
    pub reason: Option<Reason>,
    /// How the server says that the answer ended.
    pub finish: Option<FinishReason>,
    /// Tokens of the prompt's text as generated.
    pub requested_prompt_tokens: u32,
    /// Output tokens asked for.
    pub requested_output_tokens: u32,
    /// `usage.prompt_tokens`.
    pub prompt_tokens: Option<u32>,
    /// `usage.completion_tokens`.
    pub output_tokens: Option<u32>,
    /// Cached prompt tokens by usage.
    pub cached_tokens: Option<u32>,
    /// Reasoning tokens by usage.
    pub reasoning_tokens: Option<u32>,
    /// Tokens of its text, where counted.
    pub text_tokens: Option<u32>,
    /// Chunks with the text of the chunk before, where counted.
    pub repeated_chunks: Option<u32>,
    /// Output tokens by the tokenizer.
    pub estimated_output_tokens: Option<u32>,
    /// What was unusual about the answer.
    pub oddities: Oddities,
    /// Source of the token counts.
    pub token_source: Option<TokenSource>,
    /// Where it was sent, among the run's addresses.
    pub address: Option<u32>,
    /// Which of several clients sent it, by the index of its slice; absent where one has the whole load.
    pub client: Option<u32>,
    /// The connection was opened for this request.
    pub new_connection: Option<bool>,
    /// Times the request was written to a socket.
    pub attempts: u8,
    /// Whose stamps the receive instants are.
    pub stamp_source: Option<StampSource>,
    /// What the server says of its own time; absent where it says nothing.
    pub server_times: Option<Box<ServerTimes>>,
    /// What was found of its answer; absent where it was not checked.
    pub answer: Option<Box<AnswerFacts>>,
    /// What its chunks say.
    pub chunks: ChunkFacts,
}

/// What the chunks of one request say, all together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChunkFacts {
    /// How many there are.
    pub count: usize,
    /// Instant of the first.
    pub first: Option<Offset>,
    /// Instant of the first that is not reasoning.
    pub first_output: Option<Offset>,
    /// Instant of the last.
    pub last: Option<Offset>,
    /// Tokens of the first, where known.
    pub first_tokens: Option<u32>,
    /// Tokens of all of them, where every chunk's are known and there is a chunk.
    pub tokens: Option<u64>,
    /// Chunks that are known to carry a token.
    pub carriers: u32,
    /// Least and most tokens of the chunks between the first and the last, where all are known.
    pub inner_tokens: Option<(u32, u32)>,
    /// Chunks whose instant is that of the chunk before.
    pub shared_instants: u32,
    /// Some chunk is reasoning.
    pub reasoning: bool,
    /// Some chunk is part of a tool call.
    pub tool_call: bool,
    /// Some instant lies before that of the chunk before.
    pub out_of_order: bool,
    /// Some lower bound lies above its instant.
    pub lower_above: bool,
    /// How they come several at a time; absent where they come one by one.
    pub releases: Option<Releases>,
    /// Stalls; absent with fewer gaps than a median needs.
    pub stalls: Option<RequestStalls>,
    /// Deadlines met and missed; absent where no deadlines are asked, or some chunk's tokens are
    /// unknown.
    pub fluidity: Option<Fluidity>,
    /// For each question that the plan's objectives ask of a request's tokens, the answer; absent where it
    /// has none.
    pub own: Box<[Option<f64>]>,
}

/// What is looked for in the chunks beside what is always noted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChunkQuestions {
    /// The greatest ITL limit among the objectives, nanoseconds.
    pub itl_limit_ns: Option<i64>,
    /// What the objectives ask of a request's tokens.
    pub objectives: Vec<OwnQuestion>,
    /// When tokens are due.
    pub fluidity: Option<FluidityQuestion>,
}

impl RequestFacts {
    /// The facts of one record.
    pub fn of(record: &RequestRecord, questions: &ChunkQuestions) -> Self {
        Self {
            id: record.id,
            class: record.class,
            turn: record.turn,
            parent: record.parent,
            planned: record.planned,
            phase: record.phase,
            intended: record.intended,
            send_start: record.send_start,
            connected: record.connected,
            tls_done: record.tls_done,
            sent: record.sent,
            left: record.left,
            first_byte: record.first_byte,
            finished: record.finished,
            closed: record.closed,
            outcome: record.outcome,
            status: record.status,
            reason: record.error.as_ref().map(|e| e.reason),
            finish: record.finish_reason.as_deref().map(FinishReason::of),
            requested_prompt_tokens: record.requested_prompt_tokens,
            requested_output_tokens: record.requested_output_tokens,
            prompt_tokens: record.prompt_tokens,
            output_tokens: record.output_tokens,
            cached_tokens: record.cached_tokens,
            reasoning_tokens: record.reasoning_tokens,
            text_tokens: record.text_tokens,
            repeated_chunks: record.repeated_chunks,
            estimated_output_tokens: record.estimated_output_tokens,
            oddities: record.oddities,
            token_source: record.token_source,
            address: record.address,
            client: record.client,
            new_connection: record.new_connection,
            attempts: record.attempts,
            stamp_source: record.stamp_source,
            server_times: (record.server_times.is_told()).then(|| Box::new(record.server_times)),
            answer: record.answer.clone(),
            chunks: ChunkFacts::of(record, questions),
        }
    }

    /// Prompt tokens: the server's count where given, else those that were made. Of an import nobody here made
    /// any: absent where its file does not say.
    pub fn input_tokens(&self) -> Option<u32> {
        let imported = self.stamp_source == Some(StampSource::Imported);
        let made = (!imported).then_some(self.requested_prompt_tokens);
        self.prompt_tokens.or(made)
    }

    /// Output tokens: the server's usage where given, else the sum over chunks, else the tokenizer's
    /// estimate.
    pub fn output_token_count(&self) -> Option<u64> {
        let counted = self.output_tokens.map(u64::from).or(self.chunks.tokens);
        counted.or(self.estimated_output_tokens.map(u64::from))
    }

    /// Its answer was checked, and is not one that a sound server gives.
    pub fn is_corrupted(&self) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|answer| answer.doubts.are_corrupt())
    }

    /// It asks what a program can check: its answer ends by itself.
    pub(crate) fn asks_question(&self) -> bool {
        self.answer
            .as_ref()
            .is_some_and(|answer| answer.question.is_some())
    }

    /// An origin of its latencies; absent where it was never sent.
    pub fn instant(&self, origin: Origin) -> Option<Offset> {
        match origin {
            Origin::Intended => Some(self.intended),
            Origin::Send => self.send_start,
        }
    }

    /// Instant of the last token: the last chunk, or the end of an answer without chunks. An empty
    /// answer has no token.
    pub(crate) fn last_token(&self) -> Option<Offset> {
        if self.is_empty_answer() {
            return None;
        }
        self.chunks.last.or(self.finished).or(self.closed)
    }

    /// The server says that the answer has no token, and none came.
    pub fn is_empty_answer(&self) -> bool {
        self.output_tokens == Some(0) && self.chunks.count == 0
    }
}

impl ChunkFacts {
    fn of(record: &RequestRecord, questions: &ChunkQuestions) -> Self {
        let chunks = &record.chunks;
        let objectives = questions.objectives.iter();
        let mut facts = Self {
            count: chunks.len(),
            first: chunks.first().map(|c| c.at),
            last: chunks.last().map(|c| c.at),
            first_tokens: chunks.first().and_then(|c| c.token_count()),
            tokens: record.chunk_token_sum(),
            inner_tokens: inner_tokens(chunks),
            releases: Releases::of(chunks),
            stalls: RequestStalls::of(chunks, questions.itl_limit_ns),
            fluidity: questions.fluidity.and_then(|q| Fluidity::of(record, &q)),
            own: objectives.map(|question| question.answer(record)).collect(),
            ..Self::default()
        };
        let mut before = None;
        for chunk in chunks {
            facts.out_of_order |= before.is_some_and(|b| chunk.at < b);
            facts.shared_instants += u32::from(before == Some(chunk.at));
            facts.lower_above |= chunk.lower > chunk.at;
            facts.carriers += u32::from(chunk.token_count().is_some_and(|n| n > 0));
            facts.tool_call |= chunk.kind == ChunkKind::ToolCall;
            if chunk.kind == ChunkKind::Reasoning {
                facts.reasoning = true;
            } else if facts.first_output.is_none() {
                facts.first_output = Some(chunk.at);
            }
            before = Some(chunk.at);
        }
        facts
    }
}

/// Least and most tokens of the chunks but the first and the last.
fn inner_tokens(chunks: &[Chunk]) -> Option<(u32, u32)> {
    let inner = chunks.get(1..chunks.len().checked_sub(1)?)?;
    let mut range = None;
    for chunk in inner {
        let tokens = chunk.token_count()?;
        let (least, most) = range.unwrap_or((tokens, tokens));
        range = Some((tokens.min(least), tokens.max(most)));
    }
    range
}
