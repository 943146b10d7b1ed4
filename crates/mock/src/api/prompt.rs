//! Prompts measured while they are parsed: their text is never stored.
//!
//! A chat's messages stand in a template of special tokens as Llama 3's: a prologue, a header of
//! [`HEAD_TOKENS`] and an end of turn around each message, a header for the answer.

use crate::text::Meter;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Tokens of a message's header: start, role, end, line break.
const HEAD_TOKENS: u32 = 4;

/// Tokens behind a message: end of turn.
const TAIL_TOKENS: u32 = 1;

// What sets template tokens apart from each other and from text.
const PROLOGUE: u64 = 0x7072_6f6c_6f67_7565;
const TOOLS: u64 = 0x746f_6f6c_7300_0000;
const HEAD: u64 = 0x6865_6164_0000_0000;
const TAIL: u64 = 0x7461_696c_0000_0000;

/// The special tokens around messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Template {
    prologue: u32,
    head: u32,
    tail: u32,
}

impl Template {
    /// The template that adds `tokens` to a single message. With too few for headers of their
    /// own, messages add none.
    pub fn adding(tokens: u32) -> Self {
        let by_messages = 2 * HEAD_TOKENS + TAIL_TOKENS;
        match tokens.checked_sub(by_messages) {
            Some(prologue) => Self {
                prologue,
                head: HEAD_TOKENS,
                tail: TAIL_TOKENS,
            },
            None => Self {
                prologue: tokens,
                head: 0,
                tail: 0,
            },
        }
    }

    /// The beginning of a prompt, with the tools' definitions as they came.
    pub fn begin(self, meter: &mut Meter, tools: Option<&RawValue>) {
        meter.template(self.prologue, PROLOGUE);
        if let Some(tools) = tools {
            meter.template(0, TOOLS);
            meter.text(tools.get());
        }
    }

    fn head(self, meter: &mut Meter, role: &str) {
        let role = role
            .bytes()
            .fold(HEAD, |label, byte| label.rotate_left(7) ^ u64::from(byte));
        meter.template(self.head, role);
    }

    /// The end of a message, or of an answer.
    pub fn tail(self, meter: &mut Meter) {
        meter.template(self.tail, TAIL);
    }

    /// The header that an answer begins behind.
    pub fn answer(self, meter: &mut Meter) {
        self.head(meter, "assistant");
    }
}

/// A list with at least one message. Gives whether the last one is a tool's.
pub(super) struct MessagesSeed<'m> {
    pub meter: &'m mut Meter,
    pub template: Template,
}

impl<'de> DeserializeSeed<'de> for MessagesSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for MessagesSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of messages")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        let mut last = None;
        while let Some(is_tool) = list.next_element_seed(MessageSeed {
            meter: self.meter,
            template: self.template,
        })? {
            last = Some(is_tool);
        }
        last.ok_or_else(|| A::Error::custom("messages: an empty list"))
    }
}

/// One message: its role, the texts of its content, its tool calls. Gives whether it is a tool's.
struct MessageSeed<'m> {
    meter: &'m mut Meter,
    template: Template,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message with a role and a content")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        let Self { meter, template } = self;
        let mut role = None;
        let mut early_content: Option<&'de RawValue> = None;
        let mut calls: Option<&'de RawValue> = None;
        while let Some(key) = fields.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "role" if role.is_none() => {
                    let name: Cow<'de, str> = fields.next_value()?;
                    template.head(meter, &name);
                    role = Some(name == "tool");
                }
                "content" if role.is_some() => fields.next_value_seed(ContentSeed(meter))?,
                // The header with the role comes first in the prompt.
                "content" => early_content = Some(fields.next_value()?),
                "tool_calls" => calls = fields.next_value()?,
                _ => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        let Some(is_tool) = role else {
            return Err(A::Error::missing_field("role"));
        };
        if let Some(raw) = early_content {
            let mut content = serde_json::Deserializer::from_str(raw.get());
            ContentSeed(meter)
                .deserialize(&mut content)
                .map_err(A::Error::custom)?;
        }
        if let Some(calls) = calls {
            meter.text(calls.get());
        }
        template.tail(meter);
        Ok(is_tool)
    }
}

/// A content: nothing, a text, or a list of parts, of which those with a `text` count.
struct ContentSeed<'m>(&'m mut Meter);

impl<'de> DeserializeSeed<'de> for ContentSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ContentSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of content parts")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(part) = list.next_element::<ContentPart<'de>>()? {
            if let Some(text) = part.text {
                self.0.text(&text);
            }
        }
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct ContentPart<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
}

/// `prompt`: a text, a list with one text, or token ids.
pub(super) struct PromptSeed<'m>(pub &'m mut Meter);

impl<'de> DeserializeSeed<'de> for PromptSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PromptSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prompt (a text, a list of one text, or token ids)")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.0.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut texts = 0;
        let mut ids = 0;
        while let Some(part) = list.next_element_seed(PartSeed(self.0))? {
            match part {
                PromptPart::Id => ids += 1,
                PromptPart::Text => texts += 1,
            }
        }
        match (texts, ids) {
            (1, 0) | (0, 1..) => Ok(()),
            (0, 0) => Err(A::Error::custom("prompt: an empty list")),
            _ => Err(A::Error::custom("prompt: one prompt per request")),
        }
    }
}

/// `input`: a text, token ids, or a list of several of them. Gives how many texts there are.
pub(super) struct TextsSeed<'m> {
    pub meter: &'m mut Meter,
    /// Tokens that stand before each text.
    pub begin_tokens: u32,
}

impl<'de> DeserializeSeed<'de> for TextsSeed<'_> {
    type Value = u32;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u32, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl TextsSeed<'_> {
    fn begin(&mut self) {
        for _ in 0..self.begin_tokens {
            self.meter.id(0);
        }
    }
}

impl<'de> Visitor<'de> for TextsSeed<'_> {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an input (a text, a list of texts, token ids, or a list of lists of them)")
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<u32, E> {
        self.begin();
        self.meter.text(text);
        Ok(1)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<u32, A::Error> {
        let (mut texts, mut ids) = (0_u32, false);
        self.begin();
        while let Some(part) = list.next_element_seed(PartSeed(self.meter))? {
            match part {
                PromptPart::Id => ids = true,
                PromptPart::Text => {
                    texts = texts.saturating_add(1);
                    // As many as there are texts, the first one's put before the list.
                    if texts > 1 {
                        self.begin();
                    }
                }
            }
        }
        match (texts, ids) {
            (0, true) => Ok(1),
            (_, true) => Err(A::Error::custom("input: texts and token ids in one list")),
            (texts, false) => Ok(texts),
        }
    }
}

enum PromptPart {
    Text,
    Id,
}

struct PartSeed<'m>(&'m mut Meter);

impl<'de> DeserializeSeed<'de> for PartSeed<'_> {
    type Value = PromptPart;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PromptPart, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for PartSeed<'_> {
    type Value = PromptPart;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a token id or a list of token ids")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<PromptPart, E> {
        self.0.text(text);
        Ok(PromptPart::Text)
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<PromptPart, E> {
        self.0.id(id);
        Ok(PromptPart::Id)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PromptPart, A::Error> {
        while let Some(id) = list.next_element::<u64>()? {
            self.0.id(id);
        }
        Ok(PromptPart::Text)
    }
}

/// Measures a value of a body.
pub(super) fn measure<'de, S>(raw: &'de RawValue, seed: S) -> Result<S::Value, serde_json::Error>
where
    S: DeserializeSeed<'de>,
{
    seed.deserialize(&mut serde_json::Deserializer::from_str(raw.get()))
}
