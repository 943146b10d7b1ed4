//! Formats of JSON: one object per record, timed rows (Mooncake, vLLM, Qwen) or texts.
//!
//! Members are found by name; others are passed over. Invariant: a row has the time as it stands
//! in the file; the reader makes it relative.

use super::error::TraceError;
use super::format::TraceFormat;
use super::options::TraceOptions;
use super::records::Raw;
use super::row::{Row, TextRef};
use super::rows::{RowLine, RowsHeader};
use super::value::{Field, scalar};
use crate::conversation::{AgentLine, Conversation};
use crate::file::IndexLine;
use infermeter_core::environment::SkipReason;
use infermeter_core::text::{inert, inert_bytes};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a record gives.
#[derive(Debug)]
pub(super) enum Decoded {
    One(Row),
    /// Requests of one record, and why some of it are left out.
    Many(Vec<Row>, Vec<SkipReason>),
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
    unit_declared: bool,
    /// First request of the conversation that a chat belongs to.
    roots: HashMap<i64, i64>,
    /// Lines whose parent was not found.
    pub orphans: Vec<u64>,
    /// Members that the last record brings beside its texts.
    pub members: Vec<String>,
    /// Line of the last row of each session of a trace.
    sessions: HashMap<String, u64>,
    agent: Agent,
    /// The header of rows, once it was read.
    header: Option<RowsHeader>,
    /// What the header says of the rows, to be told once.
    pub notes: Vec<String>,
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
    text_input: Option<IgnoredAny>,
    messages: Option<IgnoredAny>,
    delay: Option<Value>,
    #[serde(rename = "type")]
    class: Option<String>,
}

/// Lengths as a row has them.
#[derive(Clone, Copy)]
struct Lengths<'a> {
    input: Option<&'a Value>,
    output: Option<&'a Value>,
}

impl Objects {
    pub fn new(format: TraceFormat, options: &TraceOptions) -> Self {
        let block = match format {
            TraceFormat::Qwen => Some(16),
            TraceFormat::Mooncake => Some(512),
            _ => None,
        };
        Self {
            format,
            guessed: options.format.is_none(),
            block_tokens: options.block_tokens.or(block),
            unit_ns: options.time_unit.unwrap_or(format.unit()).ns(),
            unit_declared: options.time_unit.is_some(),
            roots: HashMap::new(),
            orphans: Vec::new(),
            members: Vec::new(),
            sessions: HashMap::new(),
            agent: Agent::default(),
            header: None,
            notes: Vec::new(),
        }
    }

    /// Tokens of a block, where the format has blocks.
    pub fn block_tokens(&self) -> Option<u32> {
        self.block_tokens.filter(|_| self.format.is_timed())
    }

    /// Reads the record in `raw`.
    pub fn decode(&mut self, raw: &Raw) -> Result<Decoded, TraceError> {
        match self.format {
            TraceFormat::Rows => self.row_line(raw),
            TraceFormat::Agentic => self.agent_line(raw),
            TraceFormat::Workload => workload_line(raw),
            format if format.is_timed() => self.timed(raw),
            _ => self.texts(raw),
        }
    }

    /// The header of rows, or one of them.
    fn row_line(&mut self, raw: &Raw) -> Result<Decoded, TraceError> {
        if self.header.is_none() {
            let mut header: RowsHeader = parse(raw)?;
            if header.trace_rows != 1 {
                let message = format!(
                    "rows of version {}: this version of infermeter reads version 1",
                    header.trace_rows
                );
                return Err(TraceError::Json {
                    line: raw.line,
                    message,
                });
            }
            self.block_tokens = header.block_tokens.filter(|tokens| *tokens > 0);
            let notes = header.notes.drain(..);
            self.notes = notes.map(|note| inert(&note, 400)).collect();
            self.header = Some(header);
            return Ok(Decoded::Nothing);
        }
        let found: RowLine<'_> = parse(raw)?;
        let text = found.has_texts().then(|| text_ref(raw, 0));
        Ok(match found.row(raw.line, self.block_tokens)? {
            Ok(row) => Decoded::One(Row { text, ..row }),
            Err(reason) => Decoded::Skip(reason),
        })
    }

    fn timed(&mut self, raw: &Raw) -> Result<Decoded, TraceError> {
        let line = raw.line;
        let found: Timed = parse(raw)?;
        let mut row = Row {
            line,
            class: found.class,
            session: found.session_id.as_ref().map(|id| scalar(id).into_owned()),
            ..Row::default()
        };
        if let Some(text) = found.turn.as_ref().map(scalar) {
            row.turn = Some(field(line, "turn", &text).count()?);
        }
        let lengths = Lengths {
            input: found.input_length.as_ref(),
            output: found.output_length.as_ref(),
        };
        let text = found.text_input.is_some() || found.messages.is_some();
        let with_text = self.format == TraceFormat::Mooncake && text;
        if let Some(reason) = self.lengths(raw, &mut row, lengths, with_text)? {
            return Ok(Decoded::Skip(reason));
        }
        self.instant(
            raw,
            &mut row,
            found.timestamp.as_ref(),
            found.delay.as_ref(),
        )?;
        row.hash_ids = match (found.hash_ids, self.format, row.input_tokens) {
            (_, _, None) => Vec::new(),
            (Some(ids), _, Some(input)) => self.check_blocks(line, ids, input)?,
            (None, TraceFormat::Mooncake, _) if found.session_id.is_none() => {
                return Err(self.missing(raw, "hash_ids"));
            }
            (None, ..) => Vec::new(),
        };
        if self.format == TraceFormat::Qwen {
            let chat = self.member(raw, "chat_id", found.chat_id.as_ref())?;
            let parent = self.member(raw, "parent_chat_id", found.parent_chat_id.as_ref())?;
            self.chain(
                &mut row,
                field(line, "chat_id", &chat),
                field(line, "parent_chat_id", &parent),
            )?;
        }
        Ok(Decoded::One(row))
    }

    /// Lengths of a timed row, or where its text is; why it is left out.
    fn lengths(
        &self,
        raw: &Raw,
        row: &mut Row,
        Lengths { input, output }: Lengths<'_>,
        with_text: bool,
    ) -> Result<Option<SkipReason>, TraceError> {
        let line = raw.line;
        row.output_tokens = match (output, self.format) {
            // Whoever replays it says how long the answer is.
            (None, TraceFormat::Mooncake) => None,
            (output, _) => {
                let output = self.member(raw, "output_length", output)?;
                Some(field(line, "output_length", &output).tokens_or_none()?)
            }
        };
        if with_text {
            let json = |message| TraceError::Json { line, message };
            let text = Conversation::parse(self.format, &raw.bytes).map_err(json)?;
            if let Some(Err(reason)) = text.requests().first() {
                return Ok(Some(*reason));
            }
            row.text = Some(text_ref(raw, 0));
        } else {
            let input = self.member(raw, "input_length", input)?;
            row.input_tokens = Some(field(line, "input_length", &input).tokens_or_none()?);
        }
        Ok(nothing_asked(
            row.input_tokens.unwrap_or(1),
            row.output_tokens.unwrap_or(1),
        ))
    }

    /// When a timed row is due: at its own time, or after the answer to the row before it in its
    /// session, where it has a delay or no time.
    fn instant(
        &mut self,
        raw: &Raw,
        row: &mut Row,
        timestamp: Option<&Value>,
        delay: Option<&Value>,
    ) -> Result<(), TraceError> {
        let line = raw.line;
        let own_chain = self.format == TraceFormat::Mooncake;
        if let Some(delay) = delay.filter(|_| own_chain).map(scalar) {
            row.delay_ns = Some(field(line, "delay", &delay).time(self.unit_ns)?);
        }
        match timestamp.map(scalar) {
            Some(time) => {
                row.at_ns = Some(field(line, "timestamp", &time).time(self.unit_ns)?);
                if own_chain
                    && !self.unit_declared
                    && row.at_ns.is_some_and(|ns| ns % 1_000_000 != 0)
                {
                    return Err(TraceError::Unit {
                        line,
                        message: format!(
                            "timestamp is `{}`: the format mooncake has whole milliseconds",
                            inert(&time, 40)
                        ),
                    });
                }
            }
            None if own_chain && (row.session.is_some() || row.text.is_some()) => {}
            None => return Err(self.missing(raw, "timestamp")),
        }
        if let Some(session) = row.session.as_ref().filter(|_| own_chain) {
            let before = self.sessions.insert(session.clone(), line);
            let waits = row.delay_ns.is_some() || row.at_ns.is_none();
            row.parent = before.filter(|_| waits).map(|line| line.to_string());
            row.name = Some(line.to_string());
        }
        Ok(())
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

    fn texts(&mut self, raw: &Raw) -> Result<Decoded, TraceError> {
        let line = raw.line;
        let needs = self.format.needs();
        let conversation =
            Conversation::parse(self.format, &raw.bytes).map_err(|message| match members(raw) {
                _ if needs.is_empty() => TraceError::Json { line, message },
                Ok(names) => match needs.iter().find(|need| !names.iter().any(|n| n == *need)) {
                    Some(lacking) => self.missing(raw, lacking),
                    None => TraceError::Json { line, message },
                },
                Err(error) => error,
            })?;
        let requests = conversation.requests();
        if requests.is_empty() {
            return Ok(Decoded::Skip(SkipReason::NoAnswer));
        }
        self.members = conversation.member_names();
        let several = self.format == TraceFormat::ShareGpt;
        let session = conversation.id.unwrap_or_else(|| format!("line {line}"));
        let (mut rows, mut left_out) = (Vec::new(), Vec::new());
        for (request, found) in (0..).zip(requests) {
            match found {
                Err(reason) => left_out.push(reason),
                Ok(_) => rows.push(Row {
                    line,
                    output_tokens: conversation.output_tokens,
                    session: several.then(|| session.clone()),
                    turn: several.then_some(request + 1),
                    images: (conversation.images > 0).then_some(conversation.images),
                    text: Some(text_ref(raw, request)),
                    ..Row::default()
                }),
            }
        }
        Ok(Decoded::Many(rows, left_out))
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

/// Why a row is left out that asks for so many tokens; `None` where it asks for some of both.
pub(super) fn nothing_asked(input: u32, output: u32) -> Option<SkipReason> {
    match (input, output) {
        (_, 0) => Some(SkipReason::NoOutput),
        (0, _) => Some(SkipReason::NoPrompt),
        _ => None,
    }
}

fn field<'a>(line: u64, column: &'static str, text: &'a str) -> Field<'a> {
    Field { line, column, text }
}

fn text_ref(raw: &Raw, request: u32) -> TextRef {
    TextRef {
        offset: raw.offset,
        bytes: u32::try_from(raw.span).unwrap_or(u32::MAX),
        request,
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

/// What is wrong with a record that is not a JSON object of its format.
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
