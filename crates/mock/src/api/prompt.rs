//! Prompts measured while they are parsed: their text is never stored.

use crate::text::{Measure, measure};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// `prompt`: a text, a list with one text, or token ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prompt(pub Measure);

/// `messages`: a list with at least one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Messages(pub Measure);

struct PromptVisitor;

impl<'de> Visitor<'de> for PromptVisitor {
    type Value = Prompt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prompt (a text, a list of one text, or token ids)")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Prompt, E> {
        Ok(Prompt(measure(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Prompt, A::Error> {
        let mut total = Measure::default();
        let mut texts = 0;
        let mut ids = 0;
        while let Some(part) = list.next_element::<PromptPart>()? {
            match part {
                PromptPart::Id(id) => {
                    ids += 1;
                    total.extend_by_id(id);
                }
                PromptPart::Text(text) => {
                    texts += 1;
                    total.extend(text);
                }
            }
        }
        match (texts, ids) {
            (1, 0) | (0, 1..) => Ok(Prompt(total)),
            (0, 0) => Err(A::Error::custom("prompt: an empty list")),
            _ => Err(A::Error::custom("prompt: one prompt per request")),
        }
    }
}

impl<'de> Deserialize<'de> for Prompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PromptVisitor)
    }
}

enum PromptPart {
    Text(Measure),
    Id(u64),
}

struct PromptPartVisitor;

impl<'de> Visitor<'de> for PromptPartVisitor {
    type Value = PromptPart;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token id or a list of token ids")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PromptPart, E> {
        Ok(PromptPart::Text(measure(text)))
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<PromptPart, E> {
        Ok(PromptPart::Id(id))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PromptPart, A::Error> {
        let mut total = Measure::default();
        while let Some(id) = list.next_element::<u64>()? {
            total.extend_by_id(id);
        }
        Ok(PromptPart::Text(total))
    }
}

impl<'de> Deserialize<'de> for PromptPart {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PromptPartVisitor)
    }
}

struct MessagesVisitor;

impl<'de> Visitor<'de> for MessagesVisitor {
    type Value = Messages;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Messages, A::Error> {
        let mut total = Measure::default();
        let mut messages = 0;
        while let Some(message) = list.next_element::<Message>()? {
            messages += 1;
            total.extend(message.0);
        }
        if messages == 0 {
            return Err(A::Error::custom("messages: an empty list"));
        }
        Ok(Messages(total))
    }
}

impl<'de> Deserialize<'de> for Messages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MessagesVisitor)
    }
}

/// One message, by the texts of its content.
struct Message(Measure);

struct MessageVisitor;

impl<'de> Visitor<'de> for MessageVisitor {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message with a role and a content")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Message, A::Error> {
        let mut role = false;
        let mut content = None;
        while let Some(key) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
            match key.as_ref() {
                "role" => {
                    role = true;
                    fields.next_value::<IgnoredAny>()?;
                }
                "content" => content = fields.next_value::<Option<Content>>()?,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        if !role {
            return Err(A::Error::missing_field("role"));
        }
        Ok(Message(content.map(|c| c.0).unwrap_or_default()))
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MessageVisitor)
    }
}

/// A content: a text or a list of parts, of which those with a `text` count.
struct Content(Measure);

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of content parts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content(measure(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut total = Measure::default();
        while let Some(part) = list.next_element::<ContentPart<'de>>()? {
            if let Some(text) = part.text {
                total.extend(measure(&text));
            }
        }
        Ok(Content(total))
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

#[derive(serde::Deserialize)]
struct ContentPart<'a> {
    #[serde(borrow, default)]
    text: Option<std::borrow::Cow<'a, str>>,
}
