//! Formats of JSON: one object per record, timed rows (Mooncake, vLLM, Qwen) or texts.
//!
//! Members are found by name; others are passed over. Invariant: a row has the time as it stands
//! in the file; the reader makes it relative.

use super::error::TraceError;
use super::facts::SkipReason;
use super::format::TraceFormat;
use super::options::{TimeUnit, TraceOptions};
use super::records::Raw;
use super::row::{Row, TextRef};
use super::value::{Field, scalar};
use crate::dataset::{AgentLine, Conversation};
use crate::file::IndexLine;
use infermeter_core::text::{inert, inert_bytes};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a record gives.
#[derive(Debug)]
pub(super) enum Decoded {
    One(Row),
    Many(Vec<Row>),
    Skip(SkipReason),
    /// A part of something greater.
    Nothing,
}

/// Decoder of one JSON file.
#[derive(Debug)]
pub(super) struct Objects {
    format: TraceFormat,
    /// The format was recognised, not asked for.
    guessed: bool,
    block_tokens: Option<u32>,
    unit_ns: i64,
    /// First request of the conversation that a chat belongs to.
    roots: HashMap<i64, i64>,
    /// Lines whose parent was not found.
    pub orphans: Vec<u64>,
    agent: Agent,
}

/// Where the reader stands in conversations of one message per line.
#[derive(Debug, Default)]
struct Agent {
    conversation: Option<String>,
    ended: HashSet<String>,
    offset: u64,
    answers: u32,
    delay_ns: Option<i64>,
}

/// A timed row as it stands in the file.
#[derive(Debug, Deserialize)]
struct Timed {
    timestamp: Option<Value>,
    input_length: Option<Value>,
    output_length: Option<Value>,
    hash_ids: Option<Vec<u64>>,
    chat_id: Option<Value>,
    parent_chat_id: Option<Value>,
    turn: Option<Value>,
    session_id: Option<Value>,
    #[serde(rename = "type")]
    class: Option<String>,
}

impl Objects {
    pub fn new(format: TraceFormat, options: &TraceOptions) -> Self {
        let (block, unit) = match format {
            TraceFormat::Qwen => (Some(16), TimeUnit::Seconds),
            TraceFormat::Vllm => (None, TimeUnit::Milliseconds),
            TraceFormat::Mooncake => (Some(512), TimeUnit::Milliseconds),
            TraceFormat::Azure
            | TraceFormat::BurstGpt
            | TraceFormat::ShareGpt
            | TraceFormat::Messages
            | TraceFormat::Prompts
            | TraceFormat::Agentic
            | TraceFormat::Workload => (None, TimeUnit::Seconds),
        };
        Self {
            format,
            guessed: options.format.is_none(),
            block_tokens: options.block_tokens.or(block),
            unit_ns: options.time_unit.unwrap_or(unit).ns(),
            roots: HashMap::new(),
            orphans: Vec::new(),
            agent: Agent::default(),
        }
    }

    /// Tokens of a block, where the format has blocks.
    pub fn block_tokens(&self) -> Option<u32> {
        self.block_tokens.filter(|_| self.format.is_timed())
    }

    /// Reads the record in `raw`.
    pub fn decode(&mut self, raw: &Raw) -> Result<Decoded, TraceError> {
        match self.format {
            TraceFormat::Agentic => self.agent_line(raw),
            TraceFormat::Workload => workload_line(raw),
            format if format.is_timed() => self.timed(raw).map(Decoded::One),
            _ => self.texts(raw),
        }
    }

    fn timed(&mut self, raw: &Raw) -> Result<Row, TraceError> {
        let line = raw.line;
        let found: Timed = parse(raw)?;
        let (time, input, output) = (
            self.member(raw, "timestamp", found.timestamp.as_ref())?,
            self.member(raw, "input_length", found.input_length.as_ref())?,
            self.member(raw, "output_length", found.output_length.as_ref())?,
        );
        let field = |column, text| Field { line, column, text };
        let input = field("input_length", &input).tokens()?;
        let hash_ids = match (found.hash_ids, self.format) {
            (Some(ids), _) => self.check_blocks(line, ids, input)?,
            (None, TraceFormat::Mooncake) => return Err(self.missing(raw, "hash_ids")),
            (None, _) => Vec::new(),
        };
        let turn = match found.turn.as_ref().map(scalar) {
            Some(text) => Some(
                Field {
                    line,
                    column: "turn",
                    text: &text,
                }
                .count()?,
            ),
            None => None,
        };
        let mut row = Row {
            line,
            at_ns: Some(field("timestamp", &time).time(self.unit_ns)?),
            input_tokens: Some(input),
            output_tokens: Some(field("output_length", &output).tokens()?),
            class: found.class,
            session: found.session_id.as_ref().map(|id| scalar(id).into_owned()),
            turn,
            hash_ids,
            ..Row::default()
        };
        if self.format == TraceFormat::Qwen {
            let chat = self.member(raw, "chat_id", found.chat_id.as_ref())?;
            let parent = self.member(raw, "parent_chat_id", found.parent_chat_id.as_ref())?;
            self.chain(
                &mut row,
                field("chat_id", &chat),
                field("parent_chat_id", &parent),
            )?;
        }
        Ok(row)
    }

    /// Puts a chat into the conversation of its parent.
    fn chain(
        &mut self,
        row: &mut Row,
        chat: Field<'_>,
        parent: Field<'_>,
    ) -> Result<(), TraceError> {
        let number = |field: Field<'_>| {
            let number = field.text.parse::<i64>();
            number.map_err(|_| field.not("a whole number"))
        };
        let (chat, parent) = (number(chat)?, number(parent)?);
        let mut root = chat;
        if parent != -1 {
            row.parent = Some(parent.to_string());
            match self.roots.get(&parent) {
                Some(known) => root = *known,
                None => {
                    root = parent;
                    self.roots.insert(parent, parent);
                    self.orphans.push(row.line);
                }
            }
        }
        self.roots.insert(chat, root);
        row.name = Some(chat.to_string());
        row.session = Some(root.to_string());
        Ok(())
    }

    fn member(
        &self,
        raw: &Raw,
        name: &'static str,
        value: Option<&Value>,
    ) -> Result<String, TraceError> {
        let value = value.ok_or_else(|| self.missing(raw, name))?;
        Ok(scalar(value).into_owned())
    }

    fn missing(&self, raw: &Raw, column: &'static str) -> TraceError {
        let found = match members(raw) {
            Ok(names) => listed(&names),
            Err(error) => return error,
        };
        TraceError::MissingColumn {
            line: raw.line,
            format: self.format,
            column,
            found,
        }
    }

    /// Each block needs its id; Qwen's may leave out the one of a last partial block.
    fn check_blocks(&self, line: u64, ids: Vec<u64>, tokens: u32) -> Result<Vec<u64>, TraceError> {
        let Some(block_tokens) = self.block_tokens else {
            let message = "the format vllm needs block-size=TOKENS where rows have hash_ids";
            let message = message.to_owned();
            return Err(TraceError::Json { line, message });
        };
        let needed = tokens.div_ceil(block_tokens);
        let whole_only = self.format == TraceFormat::Qwen;
        let fits = |n: u32| ids.len() == n as usize;
        if fits(needed) || (whole_only && fits(tokens / block_tokens)) {
            return Ok(ids);
        }
        let mut sizes = [16, 32, 64, 128, 256, 512].into_iter();
        let other = sizes.find(|size| fits(tokens.div_ceil(*size)));
        let hint = match other {
            Some(size) if self.guessed => format!(
                "; blocks of {size} would fit: read it with the options format=vllm, \
                 block-size={size} and time-unit=ms (or s)"
            ),
            _ => String::new(),
        };
        Err(TraceError::Blocks {
            line,
            ids: ids.len(),
            tokens,
            block_tokens,
            needed,
            hint,
        })
    }

    fn texts(&self, raw: &Raw) -> Result<Decoded, TraceError> {
        let line = raw.line;
        let needs = self.format.needs();
        let conversation =
            Conversation::parse(self.format, &raw.bytes).map_err(|message| match members(raw) {
                Ok(names) if !names.iter().any(|name| name == needs[0]) => {
                    self.missing(raw, needs[0])
                }
                Ok(_) => TraceError::Json { line, message },
                Err(error) => error,
            })?;
        if conversation.is_empty() {
            return Ok(Decoded::Skip(SkipReason::NoPrompt));
        }
        let requests = conversation.requests();
        if requests.is_empty() {
            return Ok(Decoded::Skip(SkipReason::NoAnswer));
        }
        let several = self.format == TraceFormat::ShareGpt;
        let session = conversation.id.unwrap_or_else(|| format!("line {line}"));
        let rows = (0..requests.len() as u32).map(|request| Row {
            line,
            output_tokens: conversation.output_tokens,
            session: several.then(|| session.clone()),
            turn: several.then_some(request + 1),
            images: (conversation.images > 0).then_some(conversation.images),
            text: Some(TextRef {
                offset: raw.offset,
                bytes: u32::try_from(raw.span).unwrap_or(u32::MAX),
                request,
            }),
            ..Row::default()
        });
        Ok(Decoded::Many(rows.collect()))
    }

    /// One message of a conversation: an answer is a request, with all before it as its prompt.
    fn agent_line(&mut self, raw: &Raw) -> Result<Decoded, TraceError> {
        let line = raw.line;
        let json = |message| TraceError::Json { line, message };
        let found = AgentLine::parse(&raw.bytes).map_err(json)?;
        let agent = &mut self.agent;
        if agent.conversation.as_ref() != Some(&found.conversation) {
            if let Some(before) = agent.conversation.take() {
                agent.ended.insert(before);
            }
            if agent.ended.contains(&found.conversation) {
                let found = inert(&found.conversation, 80);
                return Err(TraceError::Scattered { line, found });
            }
            agent.conversation = Some(found.conversation.clone());
            (agent.offset, agent.answers, agent.delay_ns) = (raw.offset, 0, None);
        }
        if let Some(delay) = &found.delay_seconds {
            let (column, text) = ("delay_seconds", &*scalar(delay));
            let delay = Field { line, column, text }.time(1_000_000_000)?;
            agent.delay_ns = Some(agent.delay_ns.unwrap_or(0).saturating_add(delay));
        }
        if !found.is_answer() {
            return Ok(Decoded::Nothing);
        }
        let end = raw.offset + raw.span;
        let request = agent.answers;
        agent.answers += 1;
        Ok(Decoded::One(Row {
            line,
            session: Some(found.conversation),
            turn: Some(request + 1),
            delay_ns: agent.delay_ns.take(),
            text: Some(TextRef {
                offset: agent.offset,
                bytes: u32::try_from(end - agent.offset).unwrap_or(u32::MAX),
                request,
            }),
            ..Row::default()
        }))
    }
}

/// The header of a workload file, or one of its requests.
fn workload_line(raw: &Raw) -> Result<Decoded, TraceError> {
    if raw.offset == 0 {
        return Ok(Decoded::Nothing);
    }
    let found: IndexLine<'_> = parse(raw)?;
    Ok(Decoded::One(Row {
        line: raw.line,
        at_ns: found.at_ns,
        input_tokens: Some(found.prompt_tokens),
        output_tokens: Some(found.output_tokens),
        session: found.session.map(|session| session.to_string()),
        turn: found.turn.map(|turn| turn + 1),
        class: Some(found.class.into_owned()),
        ..Row::default()
    }))
}

/// Reads the object of a record.
fn parse<'r, T: Deserialize<'r>>(raw: &'r Raw) -> Result<T, TraceError> {
    serde_json::from_slice(&raw.bytes).map_err(|error| broken(raw, &error))
}

/// What is wrong with a record that is no JSON object of its format.
fn broken(raw: &Raw, error: &serde_json::Error) -> TraceError {
    let line = raw.line;
    if std::str::from_utf8(&raw.bytes).is_err() {
        let found = inert_bytes(&raw.bytes, 80);
        return TraceError::NotText { line, found };
    }
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    let message = if error.is_eof() {
        format!("not a whole JSON object ({what}): the file seems to be cut short")
    } else {
        let found = inert_bytes(&raw.bytes, 60);
        format!("not a row: {} in `{found}`", inert(what, 200))
    };
    TraceError::Json { line, message }
}

/// Names of an object's members.
pub(super) fn members(raw: &Raw) -> Result<Vec<String>, TraceError> {
    let found: BTreeMap<String, IgnoredAny> = parse(raw)?;
    Ok(found.into_keys().collect())
}

/// Names of members, for messages.
pub(super) fn listed(names: &[String]) -> String {
    format!("the members {}", inert(&names.join(", "), 200))
}
