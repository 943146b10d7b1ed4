//! Conversations of datasets: which requests a record holds, what each says, what it carries.
//!
//! It reads no file and counts no tokens. Invariant: a text that is null is never taken for an empty
//! one, and every member of a record that is not part of its form is kept by name.

use crate::members::OF_MESSAGE;
use crate::text_request::TextRequest;
use crate::trace::{MAX_TOKENS, TextFields, TraceFormat};
use infermeter_core::environment::SkipReason;
use infermeter_core::request::{BodyMember, Message, Role};
use infermeter_core::text::inert;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Members that say how long the answer is.
const LENGTHS: [&str; 3] = ["output_tokens", "max_tokens", "max_completion_tokens"];

/// A conversation with the requests that it holds.
#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub id: Option<String>,
    /// Tokens asked for; 0 where the record says so.
    pub output_tokens: Option<u32>,
    pub images: u32,
    /// Parts that are neither text nor image.
    pub other_parts: u32,
    messages: Vec<Message>,
    /// Places of messages whose text is null.
    nulls: Vec<usize>,
    /// The answer, where it is no message of its own.
    answer: Option<String>,
    /// What a request carries beside its messages.
    members: Vec<BodyMember>,
    /// Every answer is a request; otherwise the last one alone, or the open end.
    every_answer: bool,
}

/// The members of a JSON object, to be taken one by one.
#[derive(Debug)]
struct Object(BTreeMap<String, Box<RawValue>>);

impl Object {
    fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes)
            .map(Self)
            .map_err(|e| said(&e))
    }

    /// The member `name`; `None` where it is missing or null.
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(raw) = self.0.remove(name) else {
            return Ok(None);
        };
        serde_json::from_str(raw.get()).map_err(|e| said(&e))
    }

    /// The member `name`, which has to be there; `None` where it is null.
    fn need<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, String> {
        match self.0.contains_key(name) {
            true => self.take(name),
            false => Err(format!("no member {name}")),
        }
    }

    /// Tokens of the answer, by any of the names for them.
    fn length(&mut self) -> Result<Option<u32>, String> {
        let mut found = None;
        for name in LENGTHS {
            let length: Option<Value> = self.take(name)?;
            let Some(length) = length else { continue };
            let tokens = length.as_u64().filter(|n| *n <= u64::from(MAX_TOKENS));
            let tokens = tokens.ok_or_else(|| {
                let length = inert(&length.to_string(), 40);
                format!("{name} is `{length}`: a whole number from 0 to 4,000,000 is needed")
            })?;
            found = found.or(Some(tokens as u32));
        }
        Ok(found)
    }

    /// What is left.
    fn members(self) -> Vec<BodyMember> {
        let member = |(name, json): (String, Box<RawValue>)| BodyMember {
            name: name.into(),
            json: json.get().into(),
        };
        self.0
            .into_iter()
            .filter(|(_, v)| v.get() != "null")
            .map(member)
            .collect()
    }
}

impl Conversation {
    /// Reads one record of a format of texts.
    pub fn parse(format: TraceFormat, bytes: &[u8]) -> Result<Self, String> {
        match format {
            TraceFormat::ShareGpt => Self::share_gpt(Object::read(bytes)?),
            TraceFormat::Messages => Self::chat(Object::read(bytes)?),
            TraceFormat::Prompts => Self::prompt(Object::read(bytes)?, "prompt"),
            TraceFormat::Batch => Self::batch(Object::read(bytes)?),
            TraceFormat::Questions => Self::question(Object::read(bytes)?),
            TraceFormat::Mooncake => Self::timed(Object::read(bytes)?),
            TraceFormat::Lines => {
                let line = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_owned())?;
                Ok(Self::of_prompt(line.trim_end_matches(['\r', '\n']), None))
            }
            TraceFormat::Rows => Self::of_row(Object::read(bytes)?),
            TraceFormat::Azure
            | TraceFormat::BurstGpt
            | TraceFormat::Vllm
            | TraceFormat::Qwen
            | TraceFormat::Agentic
            | TraceFormat::Workload => Err(format!("records of the format {format} are not texts")),
        }
    }

    /// One text of the user, and the answer that is known.
    pub fn of_prompt(text: impl Into<String>, answer: Option<String>) -> Self {
        Self {
            messages: vec![Message::new(Role::User, text)],
            answer,
            ..Self::default()
        }
    }

    /// A record of a CSV file.
    pub fn of_fields(fields: TextFields) -> Self {
        Self {
            members: fields.members,
            ..Self::of_prompt(fields.prompt, fields.answer)
        }
    }

    fn prompt(mut found: Object, name: &str) -> Result<Self, String> {
        let prompt: Option<String> = found.need(name)?;
        Ok(Self {
            output_tokens: found.length()?,
            members: found.members(),
            ..Self::of_prompt(prompt.unwrap_or_default(), None)
        })
    }

    /// A row of a timed trace with its text: the times and lengths are the row's.
    fn timed(mut found: Object) -> Result<Self, String> {
        if !found.0.contains_key("text_input") && found.0.contains_key("messages") {
            let mut conversation = Self::chat(found)?;
            // The rest is the row's.
            conversation
                .members
                .retain(|member| &*member.name == "tools");
            return Ok(conversation);
        }
        let text: Option<String> = found.need("text_input")?;
        Ok(Self::of_prompt(text.unwrap_or_default(), None))
    }

    /// A row of recorded load with its messages: what else a row says is about it, but for how tokens were drawn.
    fn of_row(mut found: Object) -> Result<Self, String> {
        let messages = found.0.remove("messages").ok_or("no member messages")?;
        let sampling: Option<BTreeMap<String, Box<RawValue>>> = found.take("sampling")?;
        let mut request = sampling.unwrap_or_default();
        request.insert("messages".to_owned(), messages);
        Self::chat(Object(request))
    }

    fn question(mut found: Object) -> Result<Self, String> {
        let question: Option<String> = found.need("question")?;
        let answer = match found.take("answer")? {
            None => None,
            Some(Value::String(answer)) => Some(answer),
            Some(other) => Some(other.to_string()),
        };
        Ok(Self {
            output_tokens: found.length()?,
            members: found.members(),
            ..Self::of_prompt(question.unwrap_or_default(), answer)
        })
    }

    /// A request of a batch: its body is one of the chat or of the completions API.
    fn batch(mut found: Object) -> Result<Self, String> {
        let body: Option<BTreeMap<String, Box<RawValue>>> = found.need("body")?;
        let body = Object(body.unwrap_or_default());
        let mut conversation = if body.0.contains_key("messages") {
            Self::chat(body)?
        } else if body.0.contains_key("prompt") {
            Self::prompt(body, "prompt")?
        } else {
            return Err(
                "body has neither messages nor prompt: requests of other APIs cannot be sent"
                    .to_owned(),
            );
        };
        conversation.id = found.take("custom_id")?;
        for own in ["method", "url"] {
            found.0.remove(own);
        }
        conversation.members.extend(found.members());
        Ok(conversation)
    }

    fn share_gpt(mut found: Object) -> Result<Self, String> {
        let said: Option<Vec<BTreeMap<String, Box<RawValue>>>> = found.need("conversations")?;
        let id: Option<Value> = found.take("id")?;
        let mut conversation = Self {
            id: id.and_then(|id| id.as_str().map(str::to_owned)),
            every_answer: true,
            ..Self::default()
        };
        if let Some(system) = found.take::<String>("system")?.filter(|s| !s.is_empty()) {
            conversation.push("system", &Value::from(system), Vec::new())?;
        }
        for said in said.unwrap_or_default() {
            let mut said = Object(said);
            let from: Option<String> = said.need("from")?;
            let value: Option<Value> = said.need("value")?;
            let value = value.unwrap_or(Value::Null);
            conversation.push(&from.unwrap_or_default(), &value, said.members())?;
        }
        conversation.members = found.members();
        conversation.members.retain_mut(unfold);
        Ok(conversation)
    }

    fn chat(mut found: Object) -> Result<Self, String> {
        let messages: Option<Vec<BTreeMap<String, Box<RawValue>>>> = found.need("messages")?;
        let mut conversation = Self {
            output_tokens: found.length()?,
            members: found.members(),
            ..Self::default()
        };
        for message in messages.unwrap_or_default() {
            let mut message = Object(message);
            let role: Option<String> = message.need("role")?;
            let content: Option<Value> = message.take("content")?;
            let content = content.unwrap_or(Value::Null);
            conversation.push(&role.unwrap_or_default(), &content, message.members())?;
        }
        Ok(conversation)
    }

    fn push(
        &mut self,
        role: &str,
        content: &Value,
        members: Vec<BodyMember>,
    ) -> Result<(), String> {
        let role = role_of(role)?;
        let content_found = content_of(content)?;
        self.images += content_found.images;
        self.other_parts += content_found.others.len() as u32;
        let message = Message {
            members,
            ..Message::new(role, content_found.text)
        };
        if content.is_null() && !message.has_calls() {
            self.nulls.push(self.messages.len());
        }
        self.messages.push(message);
        Ok(())
    }

    /// Number of messages before the answer, for each request, or why it cannot be sent.
    pub fn requests(&self) -> Vec<Result<usize, SkipReason>> {
        let answers = |at: &usize| self.messages[*at].role == Role::Assistant;
        if !self.every_answer {
            let end = match self.messages.len().checked_sub(1) {
                Some(last) if answers(&last) => last,
                _ => self.messages.len(),
            };
            return match (end, self.messages.is_empty()) {
                (0, false) => Vec::new(),
                _ => vec![self.checked(end)],
            };
        }
        if self.messages.is_empty() {
            return vec![Err(SkipReason::NoPrompt)];
        }
        let asked = |at: &usize| self.messages[..*at].iter().any(|m| m.role == Role::User);
        let all = 0..self.messages.len();
        let asked = all.filter(answers).filter(asked);
        asked.map(|end| self.checked(end)).collect()
    }

    /// The request with so many messages, if it can be sent.
    fn checked(&self, end: usize) -> Result<usize, SkipReason> {
        let answer = self.messages.get(end);
        let says = |m: &Message| !m.text.is_empty() || !m.members.is_empty();
        if self.nulls.iter().any(|at| *at <= end) {
            Err(SkipReason::NullText)
        } else if !self.messages[..end].iter().any(says) && self.images == 0 {
            Err(SkipReason::NoPrompt)
        } else if self.output_tokens == Some(0)
            || (self.every_answer && answer.is_some_and(|answer| answer.text.is_empty()))
        {
            Err(SkipReason::NoOutput)
        } else if self.other_parts > 0 {
            Err(SkipReason::OtherParts)
        } else {
            Ok(end)
        }
    }

    /// Names of the members that its requests bring, once each; those of messages have
    /// `messages[].` before them.
    pub fn member_names(&self) -> Vec<String> {
        let of_messages = self.messages.iter().flat_map(|m| &m.members);
        let of_messages = of_messages.map(|m| format!("{OF_MESSAGE}{}", m.name));
        let own = self.members.iter().map(|m| m.name.to_string());
        let mut names: Vec<String> = own.chain(of_messages).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// One of the requests.
    pub fn request(mut self, which: u32) -> Option<TextRequest> {
        let end = (*self.requests().get(which as usize)?).ok()?;
        let mut rest = self.messages.split_off(end).into_iter();
        Some(TextRequest {
            messages: self.messages,
            answer: rest.next().map(|message| message.text).or(self.answer),
            members: self.members,
        })
    }
}

/// Some tools write lists as a text of JSON: what is in it, or nothing of an empty one.
fn unfold(member: &mut BodyMember) -> bool {
    if let Ok(text) = serde_json::from_str::<String>(&member.json) {
        if text.trim().is_empty() {
            return false;
        }
        if serde_json::from_str::<Vec<Value>>(&text).is_ok() {
            member.json = text.into();
        }
    }
    true
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
        let mut line: Self = serde_json::from_slice(bytes).map_err(|e| said(&e))?;
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
            let system = Message::new(Role::System, system.as_str());
            conversation.messages.push(system);
        }
        let content = if self.content.is_null() {
            &self.tool_results
        } else {
            &self.content
        };
        // Calls and results of these histories are parts of their text.
        let (mut text, images) = match content {
            Value::Null | Value::String(_) | Value::Array(_) => {
                let found = content_of(content)?;
                conversation.images += found.images;
                (found.text, found.others)
            }
            other => (other.to_string(), Vec::new()),
        };
        images
            .iter()
            .for_each(|part| text.push_str(&part.to_string()));
        conversation
            .messages
            .push(Message::new(role_of(&self.role)?, text));
        Ok(())
    }
}

/// A conversation of an agent from its lines; the last of them is the answer.
pub(crate) fn agent_history(bytes: &[u8]) -> Result<Conversation, String> {
    let mut conversation = Conversation::default();
    for line in bytes.split(|b| *b == b'\n') {
        if !line.trim_ascii().is_empty() {
            AgentLine::parse(line)?.add_to(&mut conversation)?;
        }
    }
    Ok(conversation)
}

/// The roles of all formats, under the names of the chat API.
fn role_of(name: &str) -> Result<Role, String> {
    Ok(match name {
        "human" | "user" => Role::User,
        "gpt" | "assistant" | "chatgpt" | "bard" | "bing" | "model" | "function_call" => {
            Role::Assistant
        }
        "system" => Role::System,
        "developer" => Role::Developer,
        "tool" | "observation" => Role::Tool,
        "function" => Role::Function,
        other => {
            let other = inert(other, 40);
            return Err(format!(
                "unknown role `{other}`: one of user (human), assistant (gpt), system, developer, \
                 tool, function"
            ));
        }
    })
}

/// A message's content: its texts as one, and what else is in it.
#[derive(Debug, Default)]
struct Content {
    text: String,
    images: u32,
    others: Vec<Value>,
}

fn content_of(content: &Value) -> Result<Content, String> {
    let mut found = Content::default();
    match content {
        Value::Null => {}
        Value::String(text) => found.text.clone_from(text),
        Value::Array(parts) => {
            for part in parts {
                match (part, part["text"].as_str()) {
                    (Value::String(part), _) => found.text.push_str(part),
                    (_, Some(part)) => found.text.push_str(part),
                    (part, None) if part["type"] == "image_url" => found.images += 1,
                    (part, None) => found.others.push(part.clone()),
                }
            }
        }
        _ => return Err("the content of a message is neither text nor a list of parts".to_owned()),
    }
    Ok(found)
}

fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    inert(text.split(" at line ").next().unwrap_or(&text), 200)
}
