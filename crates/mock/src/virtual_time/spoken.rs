//! What a client hears of an answer beside its instants: texts and kinds of its chunks, usage, how it ended.
//!
//! Chunks are those of the engine's bursts, split where a part ends, as the server splits its events; texts are what a
//! client's decoder has of them. Invariant: a record's texts are those that a client would have of the same chunks, and
//! the same body has the same text over a socket.

use crate::api::{Ask, StreamUsage};
use crate::cheat::{Manner, Told};
use crate::content::{ContentParams, Part, Script};
use crate::dialect;
use infermeter_core::clock::Offset;
use infermeter_core::plan::Endpoint;
use infermeter_core::record::{Chunk, ChunkKind, ChunkTexts, RequestRecord, TokenSource};
use std::sync::Arc;

/// What is said of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    script: Script,
    manner: Manner,
    endpoint: Endpoint,
    /// By usage.
    prompt_tokens: u32,
    /// Every chunk tells the tokens so far.
    continuous: bool,
    /// Usage tells the tokens of reasoning.
    tells_reasoning: bool,
    /// The texts are wanted, too.
    with_texts: bool,
    /// While it is held, the answer is in flight for others.
    _held: Option<Arc<Told>>,
}

/// A blank that goes out first is there so long after its request, nanoseconds, or with the first token.
const BLANK_NS: i64 = 1_000_000;

/// A chunk with its text.
struct Event {
    chunk: Chunk,
    text: String,
}

impl Spoken {
    pub(super) fn of(ask: Ask, content: &ContentParams) -> Self {
        Self {
            tells_reasoning: match ask.endpoint {
                Endpoint::Chat => content.reasons(),
                Endpoint::Responses => true,
                _ => false,
            },
            prompt_tokens: ask.prompt_tokens,
            continuous: ask.usage == StreamUsage::Continuous,
            endpoint: ask.endpoint,
            manner: ask.manner,
            script: ask.script,
            with_texts: true,
            _held: ask.held,
        }
    }

    /// The same where nobody asks for the texts.
    pub(super) fn without_texts(self) -> Self {
        Self {
            with_texts: false,
            ..self
        }
    }

    /// Puts what is said into the record of an answer.
    pub fn fill(mut self, record: &mut RequestRecord) {
        record.prompt_tokens = record.prompt_tokens.map(|_| self.prompt_tokens);
        if record.chunks.is_empty() {
            return;
        }
        let mut events = self.events(&record.chunks);
        self.finish(record);
        if self.tells_reasoning && record.output_tokens.is_some() {
            record.reasoning_tokens = Some(self.manner.claimed(self.script.reasoned()));
        }
        if self.manner != Manner::default() {
            self.lie(record, &mut events);
        }
        self.put(record, events);
    }

    /// The events that the server would make of bursts.
    fn events(&mut self, bursts: &[Chunk]) -> Vec<Event> {
        let mut events = Vec::with_capacity(bursts.len());
        let mut open = Open {
            part: self.script.part(),
            text: String::new(),
            tokens: 0,
        };
        for burst in bursts {
            for _ in 0..burst.token_count().unwrap_or(1) {
                let part = self.script.part();
                if part != open.part {
                    events.extend(open.close(burst));
                    open.part = part;
                }
                push_plain(&mut open.text, self.script.next());
                open.tokens += 1;
            }
            events.extend(open.close(burst));
        }
        if let Some(last) = events.last_mut() {
            last.chunk.tokens += open.tokens;
        }
        events
    }

    /// How the answer ended, in the word of its API.
    fn finish(&self, record: &mut RequestRecord) {
        let word = match record.finish_reason.as_deref() {
            Some("stop" | "length") if self.script.has_called() => "tool_calls",
            Some("stop") => "stop",
            Some("length") => "length",
            Some("content_filter") => "content_filter",
            _ => return,
        };
        let word = dialect::of(self.endpoint).finish_word(word);
        record.finish_reason = Some(word.to_owned());
    }

    /// Blanks, what comes twice, and usage as it is claimed.
    fn lie(&self, record: &mut RequestRecord, events: &mut Vec<Event>) {
        let stops = record.output_tokens.is_some_and(|all| {
            let visible: u32 = events.iter().map(|event| event.chunk.tokens).sum();
            all == visible + 1
        });
        if self.manner.blank {
            put_blank(record, events);
        }
        if self.manner.twice {
            *events = std::mem::take(events).into_iter().flat_map(twice).collect();
        }
        let generated = record
            .output_tokens
            .map(|all| all + u32::from(self.manner.blank));
        record.output_tokens = generated.map(|all| self.manner.claimed(all));
        if self.continuous && matches!(self.endpoint, Endpoint::Chat | Endpoint::Completions) {
            self.count(record, events, generated.filter(|_| stops));
            return;
        }
        let (chunks, claimed) = (events.len() as u32, record.output_tokens);
        let agrees = claimed == Some(chunks) || (stops && claimed == Some(chunks + 1));
        let (tokens, source) = match agrees {
            true => (1, TokenSource::OnePerChunk),
            false => (Chunk::TOKENS_UNKNOWN, TokenSource::Unknown),
        };
        for event in events {
            event.chunk.tokens = tokens;
        }
        record.token_source = Some(source);
    }

    /// The tokens of each chunk as usage claims them. `all`: the tokens of an answer with an end token, whose claim may
    /// make a chunk of its own.
    fn count(&self, record: &mut RequestRecord, events: &mut Vec<Event>, all: Option<u32>) {
        let (mut generated, mut claimed) = (0, 0);
        for event in &mut *events {
            generated += event.chunk.tokens;
            let now = self.manner.claimed(generated);
            event.chunk.tokens = now - claimed;
            claimed = now;
        }
        record.token_source = Some(TokenSource::ContinuousUsage);
        let Some((all, last)) = all.zip(events.last()) else {
            return;
        };
        let rise = self.manner.claimed(all) - claimed;
        if rise > 1 {
            let at = record.closed.unwrap_or(last.chunk.at);
            let chunk = Chunk {
                tokens: rise,
                read: last.chunk.read + 1,
                ..at_instant(&last.chunk, at)
            };
            let text = String::new();
            events.push(Event { chunk, text });
        }
    }

    fn put(&self, record: &mut RequestRecord, events: Vec<Event>) {
        let mut texts = ChunkTexts::default();
        record.chunks.clear();
        for Event { chunk, text } in events {
            record.chunks.push(chunk);
            texts.bytes.extend_from_slice(text.as_bytes());
            texts.ends.push(texts.bytes.len() as u32);
        }
        record.finished = record
            .finished
            .and(record.chunks.last().map(|last| last.at));
        if self.manner == Manner::default() {
            let one_each = record.output_tokens == Some(record.chunks.len() as u32);
            record.token_source = Some(match one_each {
                true => TokenSource::OnePerChunk,
                false => TokenSource::ContinuousUsage,
            });
        }
        record.texts = self.with_texts.then_some(texts);
    }
}

/// An event being filled.
struct Open {
    part: Part,
    text: String,
    tokens: u32,
}

impl Open {
    /// The event, unless it has no text yet.
    fn close(&mut self, burst: &Chunk) -> Option<Event> {
        if self.text.is_empty() {
            return None;
        }
        let kind = match self.part {
            Part::Reasoning => ChunkKind::Reasoning,
            Part::Content => ChunkKind::Text,
            Part::CallName | Part::CallArguments => ChunkKind::ToolCall,
        };
        let chunk = Chunk {
            tokens: std::mem::take(&mut self.tokens),
            kind,
            ..*burst
        };
        let text = std::mem::take(&mut self.text);
        Some(Event { chunk, text })
    }
}

/// Adds a piece of JSON text as the text that it stands for.
fn push_plain(text: &mut String, piece: &str) {
    match piece.contains('\\') {
        false => text.push_str(piece),
        true => {
            let plain = serde_json::from_str::<String>(&format!("\"{piece}\""));
            text.push_str(&plain.unwrap_or_default());
        }
    }
}

fn at_instant(chunk: &Chunk, at: Offset) -> Chunk {
    Chunk {
        at,
        seen: at,
        lower: at,
        ..*chunk
    }
}

/// A blank before everything.
fn put_blank(record: &mut RequestRecord, events: &mut Vec<Event>) {
    let Some((first, sent)) = events.first().zip(record.sent) else {
        return;
    };
    let at = first.chunk.at.min(Offset(sent.0 + BLANK_NS));
    let blank = Chunk {
        tokens: 1,
        kind: ChunkKind::Text,
        ..at_instant(&first.chunk, at)
    };
    for event in &mut *events {
        event.chunk.read += 1;
    }
    let text = " ".to_owned();
    events.insert(0, Event { chunk: blank, text });
    (record.first_byte, record.first_byte_seen) = (Some(at), Some(at));
}

/// An event of text once more, behind itself, where usage counts it once.
fn twice(event: Event) -> Vec<Event> {
    if event.chunk.kind == ChunkKind::ToolCall {
        return vec![event];
    }
    let again = Event {
        chunk: Chunk {
            tokens: 0,
            ..event.chunk
        },
        text: event.text.clone(),
    };
    vec![event, again]
}
