//! One call as a log has it: when, how long, whose, and how much.
//!
//! It knows no format. Invariant: what a log does not say is absent.

use super::left_out::Reason;
use crate::trace::{MAX_TOKENS, decimal_ns, parse_timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Earliest and latest instants that are believed, nanoseconds since the Unix epoch: the years 2000 to 2100.
const YEARS_NS: std::ops::Range<i64> = 946_684_800_000_000_000..4_102_444_800_000_000_000;
/// Longest call that is believed, nanoseconds: a week.
const LONGEST_NS: i64 = 604_800_000_000_000;

/// A call of a log.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Call<'a> {
    /// When it was sent, nanoseconds since the Unix epoch, or since the trace's own beginning.
    pub at_ns: Option<i64>,
    /// From sending to the end of the answer.
    pub duration_ns: Option<i64>,
    /// Conversation, trace or agent run that it belongs to.
    pub session: Option<Cow<'a, str>>,
    /// Tokens of the prompt, cached ones among them.
    pub input_tokens: Option<u32>,
    /// Tokens of the answer.
    pub output_tokens: Option<u32>,
    /// Tokens of the prompt that the server had.
    pub cached_tokens: Option<u32>,
    /// What kind of request it is: a model, an initiator.
    pub class: Option<Cow<'a, str>>,
    /// Blocks of the prompt, as the log has them or by a hash of the text.
    pub blocks: Vec<u64>,
    /// The messages or the prompt as JSON, where texts are kept or have to be counted.
    pub said: Option<Said<'a>>,
}

/// What a call says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said<'a> {
    /// Messages of the chat API, a JSON array.
    Messages(Cow<'a, str>),
    /// One text.
    Text(Cow<'a, str>),
}

/// An instant since the epoch that is possible.
pub(super) fn instant(ns: Option<i64>) -> Result<Option<i64>, Reason> {
    match ns {
        None => Ok(None),
        Some(ns) if YEARS_NS.contains(&ns) => Ok(Some(ns)),
        Some(_) => Err(Reason::WrongTime),
    }
}

/// From one instant to another, where that is a duration.
pub(super) fn between(from: Option<i64>, to: Option<i64>) -> Option<i64> {
    let ns = to?.checked_sub(from?)?;
    (0..=LONGEST_NS).contains(&ns).then_some(ns)
}

/// A value of JSON that may be a number, a text or something else.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct Any<'a> {
    #[serde(borrow)]
    raw: &'a RawValue,
}

impl<'a> Any<'a> {
    /// The text of a number or of a string without escapes; `None` for null and everything else.
    fn plain(self) -> Option<&'a str> {
        let raw = self.raw.get();
        match raw.as_bytes().first()? {
            b'"' => Some(raw[1..raw.len() - 1].trim()).filter(|text| !text.contains('\\')),
            b'-' | b'0'..=b'9' => Some(raw),
            _ => None,
        }
    }

    /// It is null, or an empty text.
    pub fn is_absent(self) -> bool {
        matches!(self.raw.get(), "null" | "\"\"")
    }

    /// Its JSON.
    pub fn json(self) -> &'a str {
        self.raw.get()
    }

    /// A string, its escapes resolved, or a number as text.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self.plain() {
            Some(text) => Some(Cow::Borrowed(text)),
            None => serde_json::from_str(self.raw.get()).ok().map(Cow::Owned),
        }
    }

    /// Truth, as JSON or as a text.
    pub fn truth(self) -> bool {
        let raw = self.raw.get().trim_matches('"');
        raw.eq_ignore_ascii_case("true")
    }
}

/// A number of tokens.
pub(super) fn tokens(value: Option<Any<'_>>) -> Result<Option<u32>, Reason> {
    let Some(value) = value.filter(|value| !value.is_absent()) else {
        return Ok(None);
    };
    let text = value.plain().ok_or(Reason::WrongValue)?;
    tokens_of(text).map(Some)
}

/// The sum of several numbers of tokens; absent where all are.
pub(super) fn sum<'a>(
    values: impl IntoIterator<Item = Option<Any<'a>>>,
) -> Result<Option<u32>, Reason> {
    let mut sum: Option<u32> = None;
    for value in values {
        if let Some(more) = tokens(value)? {
            sum = Some(sum.unwrap_or(0).saturating_add(more));
        }
    }
    match sum {
        Some(sum) if sum > MAX_TOKENS => Err(Reason::WrongValue),
        sum => Ok(sum),
    }
}

/// A number of tokens as text; some tools write whole numbers with a decimal point.
pub(super) fn tokens_of(text: &str) -> Result<u32, Reason> {
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let tokens = whole.parse().map_err(|_| Reason::WrongValue)?;
    (tokens <= MAX_TOKENS)
        .then_some(tokens)
        .ok_or(Reason::WrongValue)
}

/// A number in units of `unit_ns`, or a date: an instant since the epoch.
pub(super) fn instant_of(value: Option<Any<'_>>, unit_ns: i64) -> Result<Option<i64>, Reason> {
    let Some(value) = value.filter(|value| !value.is_absent()) else {
        return Ok(None);
    };
    let text = value.plain().ok_or(Reason::WrongTime)?;
    instant_text(text, unit_ns).map(Some)
}

/// The same of a text.
pub(super) fn instant_text(text: &str, unit_ns: i64) -> Result<i64, Reason> {
    let ns = decimal_ns(text, unit_ns).or_else(|| parse_timestamp(text));
    instant(ns)?.ok_or(Reason::WrongTime)
}

/// A number in units of `unit_ns` as a duration; absent where it is none.
pub(super) fn duration_of(value: Option<Any<'_>>, unit_ns: i64) -> Option<i64> {
    let ns = decimal_ns(value?.plain()?, unit_ns)?;
    (0..=LONGEST_NS).contains(&ns).then_some(ns)
}
