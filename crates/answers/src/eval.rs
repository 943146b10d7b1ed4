//! Evaluations: rows of a question and its answer, as a user has them.
//!
//! It reads no files: bytes go in. Rows come from JSON lines or are made here, and are all checked before anything is
//! sent. Invariant: a row that was read can be asked and judged; the time to judge an answer grows with its length alone.

mod builtin;
mod choice;
mod error;
mod exact;
mod read;

pub use error::EvalError;

use crate::form::Form;
use crate::marker::find_all;
use crate::numbers;
use crate::right::{judged, object_in};
use crate::said::Said;
use infermeter_core::request::{Message, Role};
use infermeter_core::run::EvalFile;
use regex::{Regex, RegexBuilder};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The name of the set that is made here, where a file is expected.
const BUILTIN: &str = "builtin";

/// Output tokens that an answer may take where its row does not say.
const ANSWER_TOKENS: u32 = 256;

/// Of an answer so many bytes are read: the last ones, where answers stand.
const MOST_READ: usize = 256 << 10;

/// Compiled size of a regular expression, bytes: enough for any that a person writes.
const REGEX_SIZE: usize = 1 << 20;

/// Rows of one file, or of the set that is made here.
#[derive(Debug)]
pub struct Eval {
    name: String,
    sha256: String,
    rows: Vec<Row>,
    synthetic: bool,
}

/// A question with its answer.
#[derive(Debug)]
pub struct Row {
    /// Its own name, where it has one.
    pub id: Option<String>,
    /// Output tokens that its answer may take.
    pub max_tokens: u32,
    messages: Vec<Message>,
    expected: Expected,
}

/// What a right answer is, by kind.
#[derive(Debug)]
enum Expected {
    /// One of these texts.
    Exact(Vec<String>),
    /// This number, give or take.
    Number { value: f64, tolerance: f64 },
    /// This letter.
    Choice(char),
    /// It is found in the answer.
    Regex(Regex),
    /// It allows the JSON of the answer.
    Schema(Form),
}

impl Eval {
    /// The rows of a file of JSON lines, called `name` in results.
    ///
    /// # Errors
    /// The first row that cannot be asked or judged, with its line.
    pub fn read(bytes: &[u8], name: &str) -> Result<Self, EvalError> {
        Ok(Self {
            name: infermeter_core::text::inert(name, 200),
            sha256: sha256(bytes),
            rows: read::rows(bytes)?,
            synthetic: false,
        })
    }

    /// 200 rows that are made here, always the same: small arithmetic, and finding one thing in a text. They are no
    /// measure of a model.
    pub fn builtin() -> Self {
        let rows = builtin::rows();
        let texts: Vec<u8> = rows
            .iter()
            .flat_map(|row| row.text().into_bytes())
            .collect();
        Self {
            name: BUILTIN.to_owned(),
            sha256: sha256(&texts),
            rows,
            synthetic: true,
        }
    }

    /// Its rows.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// What tells it from others, hex.
    pub(crate) fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What a result says of it, where its rows count from `first_row` and ride in this share of the requests.
    pub(crate) fn listed(&self, first_row: u32, share: f64) -> EvalFile {
        EvalFile {
            name: self.name.clone(),
            sha256: self.sha256.clone(),
            rows: self.rows.len() as u32,
            first_row,
            share,
            synthetic: self.synthetic,
        }
    }
}

impl Row {
    /// What is asked: at least one message, the last one of the user.
    pub fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// What is asked as one text, for an API without messages.
    pub fn text(&self) -> String {
        let texts: Vec<&str> = self
            .messages
            .iter()
            .map(|message| message.text.as_str())
            .collect();
        texts.join("\n\n")
    }

    /// The marker that its answer may say: one that it says itself.
    pub fn marker(&self) -> Option<&str> {
        self.messages
            .iter()
            .find_map(|message| find_all(&message.text).next())
    }

    /// Whether an answer is right; `None` for one that cannot be judged: it was cut before it could be right, it refuses,
    /// or nothing of it can be read. Of a very long answer the end is read.
    pub fn is_right(&self, said: &Said<'_>) -> Option<bool> {
        let text = end(said.content);
        let right = match &self.expected {
            Expected::Exact(texts) => texts.iter().any(|expected| exact::is_said(text, expected)),
            Expected::Number { value, tolerance } => numbers::says(text, *value, *tolerance),
            Expected::Choice(letter) => choice::chosen(text) == Some(*letter),
            Expected::Regex(regex) => regex.is_match(text),
            Expected::Schema(form) => json_of(text).is_some_and(|value| allows(form, &value)),
        };
        judged(right, said)
    }

    fn of_user(text: String, expected: Expected) -> Self {
        Self {
            id: None,
            max_tokens: ANSWER_TOKENS,
            messages: vec![Message::new(Role::User, text)],
            expected,
        }
    }
}

/// A regular expression, with a limit on what it may take.
fn regex(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).size_limit(REGEX_SIZE).build();
    built.map_err(|error| error.to_string())
}

fn allows(form: &Form, value: &Value) -> bool {
    form.text.as_ref().is_some_and(|shape| shape.allows(value))
}

/// The JSON of an answer: all of it, or what stands in it.
fn json_of(text: &str) -> Option<Value> {
    serde_json::from_str(text.trim())
        .ok()
        .or_else(|| object_in(text))
}

fn end(text: &str) -> &str {
    let mut start = text.len().saturating_sub(MOST_READ);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
