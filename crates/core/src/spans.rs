//! What spans of requests say: facts about single requests by the server's own clock, as they were received.
//!
//! Durations alone are kept of them, so that the clocks of two hosts need not agree. It joins nothing and
//! judges nothing. Invariant: what a span does not say is absent, never 0.

mod trace;

pub use trace::{TraceKey, TraceParent};

use crate::request::RequestId;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Version of `spans.jsonl`.
pub const SPANS_VERSION: u32 = 1;

/// First line of `spans.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpansHeader {
    /// [`SPANS_VERSION`].
    pub format_version: u32,
    /// Where spans were received: an address and a port of this host.
    pub address: String,
}

/// A line behind the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpansLine {
    /// A span of a request of the run.
    Span(RequestSpan),
    /// What came altogether; the last line, missing after a kill.
    Tally(SpanTally),
}

/// The id of a span, 8 bytes; written in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(pub [u8; 8]);

/// Why a text is no id of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a span's id is 16 hexadecimal digits")]
pub struct SpanIdError;

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl FromStr for SpanId {
    type Err = SpanIdError;

    fn from_str(text: &str) -> Result<Self, SpanIdError> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let id = u64::from_str_radix(text, 16).ok().filter(|_| digits);
        id.map(|id| Self(id.to_be_bytes())).ok_or(SpanIdError)
    }
}

impl Serialize for SpanId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SpanId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What one span says of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSpan {
    /// The request, by its trace.
    pub request: RequestId,
    /// The span.
    pub span: SpanId,
    /// Its name, made inert.
    pub name: String,
    /// From its start to its end by the sender's clock, nanoseconds; absent where it does not say both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lasted_ns: Option<i64>,
    /// The times it tells.
    pub times: SpanTimes,
}

/// Times of one request by the server's own clock, nanoseconds each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SpanTimes {
    /// From the request's arrival there to its first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft: Option<i64>,
    /// In the queue, until it was first scheduled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<i64>,
    /// From there until its prompt was computed; where `first_step` is absent, until its first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefill: Option<i64>,
    /// From the computed prompt to the first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_step: Option<i64>,
    /// From the first token to the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode: Option<i64>,
    /// From its arrival to its last token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e2e: Option<i64>,
}

/// A time that a span may tell: the fields of [`SpanTimes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanTime {
    /// `ttft`
    Ttft,
    /// `queue`
    Queue,
    /// `prefill`
    Prefill,
    /// `first_step`
    FirstStep,
    /// `decode`
    Decode,
    /// `e2e`
    E2e,
}

impl SpanTimes {
    /// Sets a time, if it has none yet: of two names for one time the first counts.
    pub fn put(&mut self, time: SpanTime, ns: i64) {
        let field = match time {
            SpanTime::Ttft => &mut self.ttft,
            SpanTime::Queue => &mut self.queue,
            SpanTime::Prefill => &mut self.prefill,
            SpanTime::FirstStep => &mut self.first_step,
            SpanTime::Decode => &mut self.decode,
            SpanTime::E2e => &mut self.e2e,
        };
        field.get_or_insert(ns);
    }

    /// It tells none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// It is an engine's: it tells what happened behind the front end.
    pub fn is_of_engine(&self) -> bool {
        self.queue.is_some() || self.prefill.is_some() || self.first_step.is_some()
    }
}

/// What came, counted: `spans` = `kept` + `foreign` + `silent` + `repeated` + `malformed` + `over_limit`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpanTally {
    /// Messages that were read.
    pub messages: u64,
    /// Messages that are no OTLP traces, or hold more than one message may.
    pub refused: u64,
    /// Spans in the messages that were read.
    pub spans: u64,
    /// Spans of the run's requests that tell a time: those of the file.
    pub kept: u64,
    /// Spans of traces that are not the run's.
    pub foreign: u64,
    /// Spans of the run's requests that tell none of the times known here.
    pub silent: u64,
    /// Spans that had come before.
    pub repeated: u64,
    /// Spans without proper ids.
    pub malformed: u64,
    /// Spans beyond the most that a run keeps.
    pub over_limit: u64,
    /// Times inside spans that are no times: negative, not finite, longer than a week.
    pub bad_times: u64,
}

impl SpanTally {
    /// Every span is in one place.
    pub fn is_conserved(&self) -> bool {
        let placed = self.kept + self.foreign + self.silent + self.repeated;
        self.spans == placed + self.malformed + self.over_limit
    }
}

/// All that `spans.jsonl` holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpansReceived {
    /// In the order in which they came.
    pub spans: Vec<RequestSpan>,
    /// What came altogether; absent where the run was killed.
    pub tally: Option<SpanTally>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hex_and_nothing_else() {
        let id: SpanId = "00f067aa0ba902b7".parse().expect("an id");
        assert_eq!(id.to_string(), "00f067aa0ba902b7");
        for text in [
            "",
            "0f067aa0ba902b7",
            "+0f067aa0ba902b7",
            "00f067aa0ba902bg",
        ] {
            assert_eq!(text.parse::<SpanId>(), Err(SpanIdError), "{text}");
        }
    }

    #[test]
    fn a_line_says_what_it_is_and_nothing_that_is_not_known() {
        let mut times = SpanTimes::default();
        times.put(SpanTime::Queue, 5);
        times.put(SpanTime::Queue, 6);
        let line = SpansLine::Span(RequestSpan {
            request: 7,
            span: SpanId([0, 0, 0, 0, 0, 0, 0, 9]),
            name: "llm_request".to_owned(),
            lasted_ns: None,
            times,
        });
        let text = serde_json::to_string(&line).expect("JSON");
        assert_eq!(
            text,
            r#"{"span":{"request":7,"span":"0000000000000009","name":"llm_request","times":{"queue":5}}}"#
        );
        assert_eq!(
            serde_json::from_str::<SpansLine>(&text).expect("a line"),
            line
        );
    }
}
