//! An answer that is a list of numbers: embeddings, or scores of documents. It is read as it comes, and
//! nothing of it is kept but counts: a batch of embeddings in JSON takes megabytes.
//!
//! It computes nothing of the numbers. Invariant: an answer that says fewer, more or other results than
//! were asked for is none, whatever its status.

use super::facts::Usage;
use super::{Answer, error_message, failure, malformed, unexpected};
use crate::dialect::Dialect;
use crate::json::pieces::{Bit, Ended, Pieces};
use crate::json::{JsonError, whole_number};
use crate::lists::{ListShape, Numbers};
use infermeter_core::record::{Reason, RequestError};
use infermeter_core::text::inert_bytes;

/// Bytes of a 32-bit float.
const FLOAT_BYTES: u64 = 4;

/// What is wrong with a list, the first that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Problem {
    OutOfRange(u32),
    Twice(u32),
    NoValue,
    Base64,
    Floats,
    /// Base64 that does not hold 32-bit floats.
    Uneven,
    /// Of two lengths.
    Lengths(u32, u32),
}

/// A member of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Section {
    List,
    Usage,
    Meta,
    Error,
    Object,
    #[default]
    Other,
}

/// A member of a result, of usage or of the like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Field {
    Index,
    Value,
    Prompt,
    Total,
    #[default]
    Other,
}

/// One result while it is read.
#[derive(Debug, Clone, Copy, Default)]
struct Row {
    index: Option<u32>,
    /// Numbers of its value; `None`: it has none that counts.
    numbers: Option<u32>,
}

/// What was counted.
#[derive(Debug, Default)]
struct Counts {
    shape: Option<&'static ListShape>,
    asked: Numbers,
    depth: u16,
    section: Section,
    field: Field,
    result: Row,
    /// One bit for each index that came.
    seen: Vec<u64>,
    /// The list's member is there, and is a list.
    has_list: bool,
    results: u32,
    dimensions: Option<u32>,
    problem: Option<Problem>,
    prompt: Option<u32>,
    total: Option<u32>,
    error: bool,
}

/// Reads one answer.
#[derive(Debug, Default)]
pub(crate) struct ListReader {
    pieces: Pieces,
    counts: Counts,
    broken: Option<JsonError>,
}

impl ListReader {
    /// Ready for the next answer; buffers are kept.
    pub(crate) fn reset(&mut self, shape: Option<&'static ListShape>, asked: Numbers) {
        self.pieces.reset();
        let mut seen = std::mem::take(&mut self.counts.seen);
        seen.clear();
        if shape.is_some() {
            seen.resize(asked.items.div_ceil(64) as usize, 0);
        }
        self.counts = Counts {
            shape,
            asked,
            seen,
            ..Counts::default()
        };
        self.broken = None;
    }

    /// Takes the next bytes of the body.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            let counts = &mut self.counts;
            let taken = self.pieces.take(bytes, &mut |bit| counts.on(bit));
            self.broken = taken.err();
        }
    }

    /// The body has ended; `begins` are its first bytes.
    fn end(&mut self, dialect: Dialect, begins: &[u8]) -> Result<(), RequestError> {
        if self.broken.is_none() {
            let counts = &mut self.counts;
            self.broken = self.pieces.end(&mut |bit| counts.on(bit)).err();
        }
        if let Some(error) = &self.broken {
            return Err(malformed(&error.to_string(), begins));
        }
        let counts = &self.counts;
        if counts.error {
            return Err(failure(Reason::InBandError, error_message(begins)));
        }
        if !counts.has_list {
            if let Some(api) = dialect.foreign(begins) {
                return Err(unexpected(api, dialect, begins));
            }
            let quoted = inert_bytes(begins, crate::limits::QUOTED_BYTES);
            let text = format!("JSON without `{}`: {quoted}", dialect.sign());
            return Err(failure(Reason::UnexpectedContent, text));
        }
        match counts.wrong() {
            Some(text) => Err(failure(Reason::UnexpectedContent, text)),
            None => Ok(()),
        }
    }

    fn usage(&self) -> Usage {
        Usage {
            prompt: self.counts.prompt.or(self.counts.total),
            ..Usage::default()
        }
    }
}

impl Dialect {
    /// What is wrong with an answer that is a list of numbers, as a whole; `None`: nothing, or it is no list.
    pub fn list_problem(self, body: &[u8], asked: Numbers) -> Option<String> {
        let mut reader = ListReader::default();
        reader.reset(Some(self.list()?), asked);
        reader.take(body);
        reader.end(self, body).err().map(|error| error.text)
    }
}

impl Counts {
    fn on(&mut self, bit: Bit<'_>) {
        match bit {
            Bit::Object | Bit::Array => self.open(bit == Bit::Array),
            Bit::Close => self.close(),
            Bit::Key(name) => self.key(name),
            Bit::Text(ended) => self.text(&ended),
            Bit::Number(digits) => self.number(digits),
            Bit::Word(word) => {
                self.error |= self.depth == 1 && self.section == Section::Error && word == b"true";
            }
        }
    }

    fn open(&mut self, is_array: bool) {
        self.depth += 1;
        match (self.depth, self.section) {
            (2, Section::List) => self.has_list = is_array,
            (2, Section::Error) => self.error = true,
            (3, Section::List) => (self.result, self.field) = Default::default(),
            (4, Section::List) if is_array && self.field == Field::Value => {
                self.result.numbers = Some(0);
                if self.asked.base64 {
                    self.found(Problem::Floats);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self) {
        if (self.depth, self.section, self.has_list) == (3, Section::List, true) {
            self.end_result();
        }
        self.depth = self.depth.saturating_sub(1);
    }

    fn key(&mut self, name: &[u8]) {
        if self.depth == 1 {
            let list = self.shape.map_or("", |shape| shape.list);
            self.section = match name {
                _ if name == list.as_bytes() => Section::List,
                b"usage" => Section::Usage,
                b"meta" => Section::Meta,
                b"error" => Section::Error,
                b"object" => Section::Object,
                _ => Section::Other,
            };
            return;
        }
        let value = self.shape.map_or("", |shape| shape.value);
        self.field = match (self.section, name) {
            (Section::List, b"index") if self.depth == 3 => Field::Index,
            (Section::List, _) if self.depth == 3 && name == value.as_bytes() => Field::Value,
            (Section::Usage, b"prompt_tokens") | (Section::Meta, b"input_tokens") => Field::Prompt,
            (Section::Usage, b"total_tokens") => Field::Total,
            _ => Field::Other,
        };
    }

    fn text(&mut self, ended: &Ended<'_>) {
        match (self.depth, self.section, self.field) {
            (1, Section::Error, _) => self.error = true,
            (1, Section::Object, _) => self.error |= ended.begins == b"error",
            (3, Section::List, Field::Value) if self.is_vector() => self.base64(ended),
            _ => {}
        }
    }

    /// An embedding in base64.
    fn base64(&mut self, ended: &Ended<'_>) {
        if !self.asked.base64 {
            self.found(Problem::Base64);
        }
        let padding = ended.tail.iter().filter(|byte| **byte == b'=').count() as u64;
        let bytes = (ended.length * 3 / 4).saturating_sub(padding);
        if !bytes.is_multiple_of(FLOAT_BYTES) {
            self.found(Problem::Uneven);
        }
        self.result.numbers = u32::try_from(bytes / FLOAT_BYTES).ok();
    }

    fn number(&mut self, digits: &[u8]) {
        match (self.depth, self.section, self.field) {
            (4, Section::List, Field::Value) => {
                self.result.numbers = self.result.numbers.map(|n| n.saturating_add(1));
            }
            (3, Section::List, Field::Value) if !self.is_vector() => self.result.numbers = Some(1),
            (3, Section::List, Field::Index) => self.result.index = whole_number(digits),
            (2, Section::Usage, Field::Prompt) | (2 | 3, Section::Meta, Field::Prompt) => {
                self.prompt = whole_number(digits).or(self.prompt);
            }
            (2, Section::Usage, Field::Total) => self.total = whole_number(digits),
            _ => {}
        }
    }

    fn end_result(&mut self) {
        let Row { index, numbers } = self.result;
        let index = index.unwrap_or(self.results);
        self.results = self.results.saturating_add(1);
        let bit = 1 << (index % 64);
        match self.seen.get_mut((index / 64) as usize) {
            Some(word) if index < self.asked.items => {
                let twice = *word & bit != 0;
                *word |= bit;
                if twice {
                    self.found(Problem::Twice(index));
                }
            }
            _ => self.found(Problem::OutOfRange(index)),
        }
        match numbers.filter(|numbers| *numbers > 0) {
            None => self.found(Problem::NoValue),
            Some(numbers) => {
                let all = *self.dimensions.get_or_insert(numbers);
                if all != numbers {
                    self.found(Problem::Lengths(all, numbers));
                }
            }
        }
    }

    fn is_vector(&self) -> bool {
        self.shape.is_some_and(|shape| shape.is_vector)
    }

    fn found(&mut self, problem: Problem) {
        self.problem.get_or_insert(problem);
    }

    /// What is wrong, in words.
    fn wrong(&self) -> Option<String> {
        let shape = self.shape?;
        let [one, several] = shape.called;
        let (items, sent) = (shape.items, self.asked.items);
        if self.results != self.asked.results {
            return Some(format!(
                "{} {several} came back for {sent} {items}, {} were to come",
                self.results, self.asked.results
            ));
        }
        Some(match self.problem? {
            Problem::OutOfRange(index) => {
                format!("a result has the index {index}: {sent} {items} were sent")
            }
            Problem::Twice(index) => format!("two results have the index {index}"),
            Problem::NoValue => format!("a result without its {one} (`{}`)", shape.value),
            Problem::Base64 => "embeddings came in base64, floats were asked for".to_owned(),
            Problem::Floats => "embeddings came as floats, base64 was asked for".to_owned(),
            Problem::Uneven => "an embedding in base64 does not hold 32-bit floats".to_owned(),
            Problem::Lengths(one, other) => {
                format!("embeddings of {one} and of {other} numbers in one answer")
            }
        })
    }
}

impl Answer {
    /// The dialect's answers are lists of numbers.
    pub(crate) fn is_list(&self) -> bool {
        self.list.counts.shape.is_some()
    }

    /// What the answer's list has to hold, where it is one. Behind [`Answer::reset`].
    pub(crate) fn expect_numbers(&mut self, asked: Numbers) {
        self.list.reset(self.dialect.list(), asked);
    }

    /// Takes the next bytes of a list.
    pub(crate) fn list_bytes(&mut self, bytes: &[u8]) {
        self.list.take(bytes);
    }

    /// The list's body has ended; `begins` are its first bytes.
    ///
    /// # Errors
    /// It is an error, no JSON of the dialect, or not what was asked for.
    pub(crate) fn end_list(&mut self, begins: &[u8]) -> Result<(), RequestError> {
        self.list.end(self.dialect, begins)?;
        self.note_usage(self.list.usage());
        self.done = true;
        Ok(())
    }

    /// Numbers of each embedding.
    pub(crate) fn dimensions(&self) -> Option<u32> {
        let counts = &self.list.counts;
        counts.dimensions.filter(|_| counts.is_vector())
    }
}

#[cfg(test)]
mod tests;
