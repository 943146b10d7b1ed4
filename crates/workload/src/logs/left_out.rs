//! What of a log does not become a row, and why; what is odd about what does.
//!
//! Invariant: every record that gives no call is counted once, under its reason, with its file and line.

use std::fmt;

/// Places named for each reason.
const NAMED: usize = 3;

/// Why a record gives no row, or what is odd about one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Longer than a line may be.
    TooLong,
    /// The file ends in the middle of it.
    CutOff,
    /// It is not JSON, not UTF-8, or not a row of its table.
    Broken,
    /// It is of another format than the file.
    OtherFormat,
    /// A member has a value that it cannot have.
    WrongValue,
    /// Its instant is no instant of this century.
    WrongTime,
    /// It has no instant, and others have.
    NoTime,
    /// It failed when it was recorded.
    Failed,
    /// A cache before the server answered it.
    AnsweredBefore,
    /// Its prompt is empty.
    NoPrompt,
    /// It asks for no output tokens: an embedding, or nothing at all.
    NoOutput,
    /// It has no length, and no instant either.
    NoLength,
    /// It asks for several answers, for images, or for what else is not sent.
    NotSent,
    /// Not a call of a model: another span, a tool, an answer, a health check.
    NoCall,
    /// The client's or the server's span of a call of which the other's is a row.
    OtherSide,
    /// An answer whose request is not in the file, or a request whose line of time is.
    Unpaired,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "longer than 64 MiB: passed over",
            Self::CutOff => "cut off: the file ends in the middle of it",
            Self::Broken => "not whole JSON, not UTF-8, or not a row of its table",
            Self::OtherFormat => "of another format than the file begins with",
            Self::WrongValue => {
                "a value that cannot be (a negative, a fraction, a text for a number)"
            }
            Self::WrongTime => "an instant that cannot be",
            Self::NoTime => "without an instant, which other calls have",
            Self::Failed => "failed when recorded",
            Self::AnsweredBefore => "answered by a cache before the server",
            Self::NoPrompt => "an empty prompt",
            Self::NoOutput => "0 output tokens, which cannot be asked for",
            Self::NoLength => "without an instant and without a length",
            Self::NotSent => "several answers, images or another API, which are not sent",
            Self::NoCall => "not calls of a model",
            Self::OtherSide => "the other side of a call that is a row: its parent or child span",
            Self::Unpaired => "an answer without its request",
        })
    }
}

/// Records of one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub records: u64,
    /// Places of the first few: the file's number among those read, and the line.
    pub first: Vec<Place>,
}

impl LeftOut {
    /// `12 records (lines 3, 8, 9, ...): why`, with the names of several files.
    pub fn described(&self, files: &[String]) -> String {
        let s = if self.records == 1 { "" } else { "s" };
        let places = places(&self.first, self.records, files);
        format!("{} record{s} ({places}): {}", self.records, self.reason)
    }
}

/// Where something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The file's number, from 0.
    pub file: u32,
    /// The line, from 1.
    pub line: u64,
}

/// Counts by reason.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts(Vec<LeftOut>);

impl Counts {
    pub fn add(&mut self, reason: Reason, place: Place) {
        let known = self.0.iter().position(|left| left.reason == reason);
        let at = known.unwrap_or_else(|| {
            self.0.push(LeftOut {
                reason,
                records: 0,
                first: Vec::new(),
            });
            self.0.len() - 1
        });
        let left = &mut self.0[at];
        left.records += 1;
        if left.first.len() < NAMED {
            left.first.push(place);
        }
    }

    /// By reason.
    pub fn into_list(mut self) -> Vec<LeftOut> {
        self.0.sort_by_key(|left| left.reason);
        self.0
    }
}

/// Names the first places: `lines 3, 8, ... of a.jsonl`.
pub fn places(first: &[Place], records: u64, files: &[String]) -> String {
    let several = files.len() > 1;
    let place = |place: &Place| match files.get(place.file as usize) {
        Some(file) if several => format!("{file}:{}", place.line),
        _ => place.line.to_string(),
    };
    let mut all: Vec<String> = first.iter().map(place).collect();
    if records as usize > first.len() {
        all.push("...".to_owned());
    }
    let s = if all.len() == 1 { "" } else { "s" };
    match several {
        true => all.join(", "),
        false => format!("line{s} {}", all.join(", ")),
    }
}
