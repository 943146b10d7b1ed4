//! One request before it is sent.

use crate::clock::Offset;
use crate::plan::Input;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Number of a request, unique in its run. Without sessions it is the place in schedule order over
/// all phases, from 0.
pub type RequestId = u64;

/// Index into the workload's list of class names.
pub type ClassIndex = u16;

/// Band of a prompt's length: lengths of one band differ by a factor below two.
pub fn length_band(prompt_tokens: u32) -> u32 {
    prompt_tokens.max(1).ilog2()
}

/// What one request asks for. A pure function of (plan, workload seed, id).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSpec {
    /// The request's id.
    pub id: RequestId,
    /// Its workload class.
    pub class: ClassIndex,
    /// Tokens of the prompt under the chosen tokenizer: of its texts, and of the chat template
    /// where the plan counts it.
    pub prompt_tokens: u32,
    /// Output tokens asked for.
    pub output_tokens: u32,
    /// Its place in a session; absent where requests stand alone.
    pub turn: Option<Turn>,
    /// Texts to embed, or documents to rank, in it; absent where it holds a prompt.
    #[serde(default)]
    pub items: Option<u32>,
}

impl RequestSpec {
    /// A request of the first class that stands alone.
    pub fn alone(id: RequestId, prompt_tokens: u32, output_tokens: u32) -> Self {
        Self {
            id,
            class: 0,
            prompt_tokens,
            output_tokens,
            turn: None,
            items: None,
        }
    }
}

/// Place in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Number of the session, unique in the run.
    pub session: u64,
    /// Number of the request in it, from 0.
    pub number: u32,
}

/// The request that waits for another one's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowUp {
    /// Its id.
    pub id: RequestId,
    /// Time between the end of the answer (its `closed`) and this request, nanoseconds.
    pub delay_ns: i64,
    /// The instant at which a trace has it: it is not due before.
    pub planned: Option<Offset>,
    /// Requests that it waits for beside this one: it is due after the last of them.
    pub further: u32,
}

impl FollowUp {
    /// When it is due, where the answer that it waits for ended at `closed`.
    pub fn due(&self, closed: Offset) -> Offset {
        let after = closed.plus(self.delay_ns);
        self.planned.map_or(after, |planned| planned.max(after))
    }
}

/// What a request waited for before it was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// The request whose answer had to end first.
    pub parent: RequestId,
    /// The instant at which a trace has the request.
    pub planned: Option<Offset>,
}

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions.
    System,
    /// Instructions, under the name that newer models know.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool's result.
    Tool,
    /// A function's result, under the older name.
    Function,
}

impl Role {
    /// The name in the chat API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
            Self::Function => "function",
        }
    }
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// Its text.
    pub text: String,
    /// Images beside the text, as URLs (`data:` mostly).
    pub images: Vec<Arc<str>>,
    /// What else it has: `tool_calls`, `tool_call_id`, `name`. A message with calls and without a
    /// text has the content null.
    pub members: Vec<BodyMember>,
}

impl Message {
    /// A message of text alone.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self {
            role,
            text: text.into(),
            images: Vec::new(),
            members: Vec::new(),
        }
    }

    /// It calls tools: that says something without a text.
    pub fn has_calls(&self) -> bool {
        let calls = |m: &BodyMember| matches!(&*m.name, "tool_calls" | "function_call");
        self.members.iter().any(calls)
    }
}

/// A member of a request's body beside those that all requests have, or of a message beside role and
/// content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyMember {
    /// Its name.
    pub name: Arc<str>,
    /// Its value, JSON; empty where the request has no such member, although all others have.
    pub json: Arc<str>,
}

impl BodyMember {
    /// The request goes without the member that all others have.
    pub fn left_out(name: &str) -> Self {
        Self {
            name: Arc::from(name),
            json: Arc::from(""),
        }
    }

    /// It stands for a member that is not there.
    pub fn is_left_out(&self) -> bool {
        self.json.is_empty()
    }
}

/// What one request says: one form for each kind of API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestContent {
    /// Something to answer.
    Prompt(Prompt),
    /// Texts to embed.
    Inputs(Inputs),
    /// Documents to rank for a query.
    Query(Query),
}

/// Something to answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    /// At least one message.
    pub messages: Vec<Message>,
    /// Members of the body that are this request's own (schema, tools, adapter as `model`, sampling
    /// parameters). They replace members of the same name that all requests have.
    pub members: Vec<BodyMember>,
}

/// Texts to embed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inputs {
    /// At least one.
    pub texts: Vec<String>,
    /// As [`Prompt::members`].
    pub members: Vec<BodyMember>,
}

/// Documents to rank for a query.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// What is looked for.
    pub query: String,
    /// At least one.
    pub documents: Vec<String>,
    /// As [`Prompt::members`].
    pub members: Vec<BodyMember>,
}

impl RequestContent {
    /// One message of the user.
    pub fn of_prompt(text: impl Into<String>) -> Self {
        Self::of_messages(vec![Message::new(Role::User, text)])
    }

    /// Messages without members of their own.
    pub fn of_messages(messages: Vec<Message>) -> Self {
        Self::Prompt(Prompt {
            messages,
            members: Vec::new(),
        })
    }

    /// A request with one text of each kind that it needs.
    pub fn plain(input: Input, text: &str) -> Self {
        Self::repeated(input, text, 1)
    }

    /// A request with so many times the same text to embed or to rank; a prompt is one.
    pub fn repeated(input: Input, text: &str, items: u32) -> Self {
        let texts = || (0..items).map(|_| text.to_owned()).collect();
        match input {
            Input::Messages | Input::Text => Self::of_prompt(text),
            Input::Texts => Self::Inputs(Inputs {
                texts: texts(),
                members: Vec::new(),
            }),
            Input::Query => Self::Query(Query {
                query: text.to_owned(),
                documents: texts(),
                members: Vec::new(),
            }),
        }
    }

    /// Texts to embed, or documents to rank; absent where it holds a prompt.
    pub fn items(&self) -> Option<u32> {
        let count = |texts: &[String]| u32::try_from(texts.len()).ok();
        match self {
            Self::Prompt(_) => None,
            Self::Inputs(inputs) => count(&inputs.texts),
            Self::Query(asked) => count(&asked.documents),
        }
    }

    /// The messages of a prompt; none where there is something else.
    pub fn messages(&self) -> &[Message] {
        match self {
            Self::Prompt(prompt) => &prompt.messages,
            Self::Inputs(_) | Self::Query(_) => &[],
        }
    }

    /// The messages of a prompt.
    pub fn messages_mut(&mut self) -> &mut [Message] {
        match self {
            Self::Prompt(prompt) => &mut prompt.messages,
            Self::Inputs(_) | Self::Query(_) => &mut [],
        }
    }

    /// All its texts, in the order in which they are sent.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::Prompt(prompt) => prompt.messages.iter().map(|m| &*m.text).collect(),
            Self::Inputs(inputs) => inputs.texts.iter().map(String::as_str).collect(),
            Self::Query(asked) => {
                let documents = asked.documents.iter().map(String::as_str);
                [asked.query.as_str()]
                    .into_iter()
                    .chain(documents)
                    .collect()
            }
        }
    }

    /// The text that is sent first.
    pub fn first_text_mut(&mut self) -> Option<&mut String> {
        match self {
            Self::Prompt(prompt) => prompt.messages.first_mut().map(|m| &mut m.text),
            Self::Inputs(inputs) => inputs.texts.first_mut(),
            Self::Query(asked) => Some(&mut asked.query),
        }
    }

    /// Members of the body that are its own.
    pub fn members(&self) -> &[BodyMember] {
        match self {
            Self::Prompt(prompt) => &prompt.members,
            Self::Inputs(inputs) => &inputs.members,
            Self::Query(query) => &query.members,
        }
    }

    /// Members of the body that are its own.
    pub fn members_mut(&mut self) -> &mut Vec<BodyMember> {
        match self {
            Self::Prompt(prompt) => &mut prompt.members,
            Self::Inputs(inputs) => &mut inputs.members,
            Self::Query(query) => &mut query.members,
        }
    }
}
