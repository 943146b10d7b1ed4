//! A line of rows, as it is read.
//!
//! Invariant: a row is within the limits of a trace, or an error with its line.

use super::run::Run;
use crate::trace::error::TraceError;
use crate::trace::jsonl::nothing_asked;
use crate::trace::row::{MAX_TOKENS, Row};
use infermeter_core::environment::SkipReason;
use infermeter_core::text::inert;
use serde::de::{self, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::fmt;

/// Most blocks of a row: of the longest prompt, one token each.
const MAX_BLOCKS: u64 = MAX_TOKENS as u64;

/// A line of the form.
#[derive(Debug, Deserialize)]
pub(in crate::trace) struct RowLine<'a> {
    timestamp: Option<f64>,
    input_length: Option<u32>,
    output_length: Option<u32>,
    #[serde(default, borrow)]
    session_id: Option<Name<'a>>,
    #[serde(default, borrow)]
    id: Option<Name<'a>>,
    #[serde(default, borrow)]
    after: Vec<Name<'a>>,
    delay: Option<f64>,
    #[serde(default, borrow, rename = "type")]
    class: Option<Cow<'a, str>>,
    images: Option<u32>,
    #[serde(default)]
    hash_ids: Ids,
    messages: Option<IgnoredAny>,
}

impl RowLine<'_> {
    /// It has its messages, as a capture of plain texts has.
    pub fn has_texts(&self) -> bool {
        self.messages.is_some()
    }

    /// The row of this line, in blocks of `block_tokens`; why it is left out.
    pub fn row(
        self,
        line: u64,
        block_tokens: Option<u32>,
    ) -> Result<Result<Row, SkipReason>, TraceError> {
        let value = |column, found: String, needed| TraceError::Value {
            line,
            column,
            found: inert(&found, 80),
            needed,
        };
        for (column, tokens) in [
            ("input_length", self.input_length),
            ("output_length", self.output_length),
        ] {
            if let Some(tokens) = tokens.filter(|tokens| *tokens > MAX_TOKENS) {
                let needed = "a whole number from 0 to 4,000,000";
                return Err(value(column, tokens.to_string(), needed));
            }
        }
        let time = |column, ms: Option<f64>| {
            let ns = ms.map(|ms| (ms, (ms * 1e6).round()));
            match ns {
                None => Ok(None),
                Some((_, ns)) if (0.0..9.2e18).contains(&ns) => Ok(Some(ns as i64)),
                Some((ms, _)) => Err(value(column, ms.to_string(), "a number, 0 or more,")),
            }
        };
        let (input, output) = (self.input_length, self.output_length);
        if self.timestamp.is_none() && input.is_none() && output.is_none() {
            let message = "neither an instant nor a length: are two files mixed?".to_owned();
            return Err(TraceError::Json { line, message });
        }
        if let Some(reason) = nothing_asked(input.unwrap_or(1), output.unwrap_or(1)) {
            return Ok(Err(reason));
        }
        self.check_blocks(line, block_tokens)?;
        let mut after = self.after.iter().map(ToString::to_string);
        Ok(Ok(Row {
            line,
            at_ns: time("timestamp", self.timestamp)?,
            input_tokens: input,
            output_tokens: output,
            class: self.class.map(Cow::into_owned),
            session: self.session_id.map(|name| name.to_string()),
            name: self.id.map(|name| name.to_string()),
            parent: after.next(),
            also_after: after.collect(),
            delay_ns: time("delay", self.delay)?,
            images: self.images,
            hash_ids: self.hash_ids.0,
            ..Row::default()
        }))
    }

    /// Whole blocks have ids; a last partial one may have one.
    fn check_blocks(&self, line: u64, block_tokens: Option<u32>) -> Result<(), TraceError> {
        let ids = self.hash_ids.0.len();
        let (Some(block_tokens), Some(tokens)) = (block_tokens, self.input_length) else {
            return match ids {
                0 => Ok(()),
                _ => Err(TraceError::Json {
                    line,
                    message: "hash_ids, but no block_tokens in the first line or no input_length \
                              in this one"
                        .to_owned(),
                }),
            };
        };
        let needed = tokens.div_ceil(block_tokens);
        if ids > needed as usize {
            return Err(TraceError::Blocks {
                line,
                ids,
                tokens,
                block_tokens,
                needed,
                hint: String::new(),
            });
        }
        Ok(())
    }
}

/// A name: a text or a number.
#[derive(Debug, Clone)]
enum Name<'a> {
    Text(Cow<'a, str>),
    Number(u64),
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl<'de> Visitor<'de> for Reads {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name: a text or a whole number")
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Name::Number(number))
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name::Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_any(Reads)
    }
}

/// Block ids, their runs spread out.
#[derive(Debug, Default)]
struct Ids(Vec<u64>);

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl<'de> Visitor<'de> for Reads {
            type Value = Ids;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of block ids and of runs [first, count]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Ids, A::Error> {
                let mut ids: Vec<u64> = Vec::new();
                while let Some(Item(run)) = items.next_element()? {
                    let room = MAX_BLOCKS - ids.len() as u64;
                    let end = run.first.checked_add(run.count);
                    let (Some(end), true) = (end, run.count <= room) else {
                        return Err(de::Error::custom("more than 4,000,000 blocks"));
                    };
                    ids.extend(run.first..end);
                }
                Ok(Ids(ids))
            }
        }
        deserializer.deserialize_seq(Reads)
    }
}

/// An id, or a run of them.
struct Item(Run);

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reads;
        impl<'de> Visitor<'de> for Reads {
            type Value = Item;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a block id or a run [first, count]")
            }

            fn visit_u64<E>(self, first: u64) -> Result<Item, E> {
                Ok(Item(Run { first, count: 1 }))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Item, A::Error> {
                let expected = "a run is [first, count]";
                let first = items.next_element()?;
                let count = items.next_element()?;
                let (Some(first), Some(count)) = (first, count) else {
                    return Err(de::Error::custom(expected));
                };
                match items.next_element::<u64>()? {
                    None => Ok(Item(Run { first, count })),
                    Some(_) => Err(de::Error::custom(expected)),
                }
            }
        }
        deserializer.deserialize_any(Reads)
    }
}
