//! Texts of datasets: conversations (ShareGPT), chat requests, plain prompts, agents' histories.
//!
//! It does not count tokens and keeps no file in memory: [`Texts`] reads what a row points at.
//!
//! Invariant: the request that a row points at is the same one that its reading counted.

use crate::tokenizer::Tokenizer;
use crate::trace::{GZIP, TextRef, TraceError, TraceFormat, csv_field, prompt_column};
use infermeter_core::request::{Message, Role};
use infermeter_core::text::inert;
use serde::Deserialize;
use serde_json::Value;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Longest text that is read back, bytes: a conversation of agents spans several lines.
const MAX_TEXT: u32 = 256 << 20;

/// What one request of a dataset says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRequest {
    /// The messages up to the answer.
    pub messages: Vec<Message>,
    /// The answer of the dataset, where it has one.
    pub answer: Option<String>,
}

impl TextRequest {
    /// All messages as one text, for counting and for APIs without messages.
    pub fn prompt(&self) -> String {
        let texts: Vec<&str> = self.messages.iter().map(|m| &*m.text).collect();
        texts.join("\n")
    }

    /// Puts the slot with a number before the first message, in words of `tokenizer`. With the run's
    /// salt requests of a run go on sharing what they shared, and nothing that another run left in a
    /// cache serves them.
    #[must_use]
    pub fn salted(mut self, tokenizer: &Tokenizer, number: u64) -> Self {
        if let Some(first) = self.messages.first_mut() {
            let slot = tokenizer.slot(number, u32::MAX);
            first.text.insert_str(0, &format!("{slot}. "));
        }
        self
    }
}

/// A conversation with the requests that it holds.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub id: Option<String>,
    pub output_tokens: Option<u32>,
    pub images: u32,
    messages: Vec<Message>,
    /// Every answer is a request; otherwise the last one alone, or the open end.
    every_answer: bool,
}

#[derive(Deserialize)]
struct ShareGpt {
    id: Option<Value>,
    conversations: Vec<Said>,
}

#[derive(Deserialize)]
struct Said {
    from: String,
    value: Value,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<ChatMessage>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct ChatMessage {
    role: String,
    #[serde(default)]
    content: Value,
}

#[derive(Deserialize)]
struct Prompt {
    prompt: String,
    output_tokens: Option<u32>,
}

impl Conversation {
    /// Reads one record of a format of texts.
    pub fn parse(format: TraceFormat, bytes: &[u8]) -> Result<Self, String> {
        match format {
            TraceFormat::ShareGpt => Self::share_gpt(read(bytes)?),
            TraceFormat::Messages => Self::chat(read(bytes)?),
            TraceFormat::Prompts => {
                let found: Prompt = read(bytes)?;
                Ok(Self::of_prompt(found.prompt, found.output_tokens))
            }
            TraceFormat::Azure
            | TraceFormat::BurstGpt
            | TraceFormat::Mooncake
            | TraceFormat::Vllm
            | TraceFormat::Qwen
            | TraceFormat::Agentic
            | TraceFormat::Workload => Err(format!("records of the format {format} are no texts")),
        }
    }

    fn of_prompt(text: String, output_tokens: Option<u32>) -> Self {
        Self {
            messages: vec![Message::new(Role::User, text)],
            output_tokens,
            ..Self::default()
        }
    }

    fn share_gpt(found: ShareGpt) -> Result<Self, String> {
        let mut conversation = Self {
            id: found.id.and_then(|id| id.as_str().map(str::to_owned)),
            every_answer: true,
            ..Self::default()
        };
        for said in found.conversations {
            conversation.push(&said.from, &said.value)?;
        }
        Ok(conversation)
    }

    fn chat(found: Chat) -> Result<Self, String> {
        let mut conversation = Self {
            output_tokens: found.max_tokens.or(found.max_completion_tokens),
            ..Self::default()
        };
        for message in found.messages {
            conversation.push(&message.role, &message.content)?;
        }
        Ok(conversation)
    }

    fn push(&mut self, role: &str, content: &Value) -> Result<(), String> {
        let role = role_of(role)?;
        let (text, images) = content_of(content)?;
        self.images += images;
        self.messages.push(Message::new(role, text));
        Ok(())
    }

    /// Nothing is said in it.
    pub fn is_empty(&self) -> bool {
        self.messages.iter().all(|m| m.text.is_empty()) && self.images == 0
    }

    /// Number of messages before the answer, for each request.
    pub fn requests(&self) -> Vec<usize> {
        let answers = |at: &usize| self.messages[*at].role == Role::Assistant;
        if !self.every_answer {
            let last = self.messages.len() - 1;
            let open = !answers(&last);
            let end = if open { last + 1 } else { last };
            return if end == 0 { Vec::new() } else { vec![end] };
        }
        let asked = |at: &usize| self.messages[..*at].iter().any(|m| m.role == Role::User);
        let all = 0..self.messages.len();
        all.filter(answers).filter(asked).collect()
    }

    /// One of the requests.
    fn request(mut self, which: u32) -> Option<TextRequest> {
        let end = *self.requests().get(which as usize)?;
        let mut rest = self.messages.split_off(end).into_iter();
        Some(TextRequest {
            messages: self.messages,
            answer: rest.next().map(|message| message.text),
        })
    }
}

/// One line of a conversation of an agent.
#[derive(Debug, Deserialize)]
pub(crate) struct AgentLine {
    #[serde(rename = "conversation_id")]
    id: Value,
    role: String,
    system: Option<String>,
    #[serde(default)]
    content: Value,
    #[serde(default)]
    tool_results: Value,
    pub delay_seconds: Option<Value>,
    #[serde(skip)]
    pub conversation: String,
}

impl AgentLine {
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut line: Self = read(bytes)?;
        line.conversation = match &line.id {
            Value::String(id) => id.clone(),
            other => other.to_string(),
        };
        role_of(&line.role)?;
        Ok(line)
    }

    /// It is an answer, and so the request for it.
    pub fn is_answer(&self) -> bool {
        role_of(&self.role) == Ok(Role::Assistant)
    }

    fn add_to(&self, conversation: &mut Conversation) -> Result<(), String> {
        if let Some(system) = &self.system
            && conversation.messages.is_empty()
        {
            conversation.push("system", &Value::from(system.as_str()))?;
        }
        let content = if self.content.is_null() {
            &self.tool_results
        } else {
            &self.content
        };
        let text = match content {
            Value::Null | Value::String(_) | Value::Array(_) => content.clone(),
            other => Value::from(other.to_string()),
        };
        conversation.push(&self.role, &text)
    }
}

/// The roles of all formats, under the names of the chat API.
fn role_of(name: &str) -> Result<Role, String> {
    Ok(match name {
        "human" | "user" => Role::User,
        "gpt" | "assistant" | "chatgpt" | "bard" | "bing" | "model" => Role::Assistant,
        "system" | "developer" => Role::System,
        "tool" | "function" | "function_call" | "observation" => Role::Tool,
        other => {
            let other = inert(other, 40);
            return Err(format!(
                "unknown role `{other}`: one of user (human), assistant (gpt), system, tool"
            ));
        }
    })
}

/// Text and number of images of a message's content.
fn content_of(content: &Value) -> Result<(String, u32), String> {
    let parts = match content {
        Value::Null => return Ok((String::new(), 0)),
        Value::String(text) => return Ok((text.clone(), 0)),
        Value::Array(parts) => parts,
        _ => return Err("the content of a message is neither text nor a list of parts".to_owned()),
    };
    let (mut text, mut images) = (String::new(), 0);
    for part in parts {
        match (part, part["text"].as_str()) {
            (Value::String(part), _) => text.push_str(part),
            (_, Some(part)) => text.push_str(part),
            (part, None) if part["type"] == "image_url" => images += 1,
            (part, None) => text.push_str(&part.to_string()),
        }
    }
    Ok((text, images))
}

fn read<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        inert(text.split(" at line ").next().unwrap_or(&text), 200)
    })
}

/// The texts of a dataset, read from the file when they are asked for.
#[derive(Debug)]
pub struct Texts {
    file: File,
    format: TraceFormat,
    /// The column of the prompt, in a CSV file.
    column: Option<usize>,
}

impl Texts {
    /// Opens the dataset that was read as `format`.
    ///
    /// # Errors
    /// When the file cannot be opened, or is compressed: what a row points at cannot be found then.
    pub fn open(path: &Path, format: TraceFormat) -> Result<Self, TraceError> {
        let open = |source| TraceError::Open {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(open)?;
        let mut head = [0; 2];
        let read = file.read(&mut head).map_err(open)?;
        if head[..read] == GZIP {
            return Err(TraceError::NoText {
                offset: 0,
                message: "texts cannot be read from a compressed file: unpack it".to_owned(),
            });
        }
        file.rewind().map_err(open)?;
        let column = prompt_column(&mut file)?;
        Ok(Self {
            file,
            format,
            column,
        })
    }

    /// The request that a row points at.
    ///
    /// # Errors
    /// When it is not there any more, or is longer than 256 MiB.
    pub fn get(&mut self, text: &TextRef) -> Result<TextRequest, TraceError> {
        self.find(text).map_err(|message| TraceError::NoText {
            offset: text.offset,
            message,
        })
    }

    fn find(&mut self, text: &TextRef) -> Result<TextRequest, String> {
        if text.bytes > MAX_TEXT {
            return Err("longer than 256 MiB".to_owned());
        }
        let mut bytes = vec![0; text.bytes as usize];
        let whole = self.file.seek(SeekFrom::Start(text.offset));
        let whole = whole.and_then(|_| self.file.read_exact(&mut bytes));
        whole.map_err(|e| format!("{e}: the file has changed"))?;
        let (conversation, which) = match (self.format, self.column) {
            (TraceFormat::Agentic, _) => (agent_history(&bytes)?, 0),
            (TraceFormat::Prompts, Some(column)) => {
                let prompt = csv_field(&bytes, column).ok_or("no such field")?;
                (Conversation::of_prompt(prompt, None), 0)
            }
            (format, _) => (Conversation::parse(format, &bytes)?, text.request),
        };
        let request = conversation.request(which);
        request.ok_or_else(|| "the file has changed".to_owned())
    }
}

/// A conversation from its lines; the last of them is the answer.
fn agent_history(bytes: &[u8]) -> Result<Conversation, String> {
    let mut conversation = Conversation::default();
    for line in bytes.split(|b| *b == b'\n') {
        if !line.trim_ascii().is_empty() {
            AgentLine::parse(line)?.add_to(&mut conversation)?;
        }
    }
    Ok(conversation)
}
