//! Formats of logs, and how each is recognised by the names of its members.
//!
//! It reads no record. Invariant: a record is taken for a format by its members' names alone.

use std::fmt;
use std::str::FromStr;

/// A format of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Sessions of coding agents, one a line.
    Copilot,
    /// OpenTelemetry spans as OTLP JSON.
    Spans,
    /// LiteLLM's `StandardLoggingPayload`.
    LiteLlm,
    /// Langfuse's observations.
    Langfuse,
    /// Dynamo's `request.trace.v1`.
    Dynamo,
    /// GoReplay's traffic.
    GoReplay,
    /// OpenAI's batch API.
    Batch,
    /// Access logs of Envoy or nginx.
    Access,
    /// Whatever a mapping file describes.
    Mapped,
}

impl LogFormat {
    /// All that are recognised, the most specific first.
    pub const ALL: [Self; 8] = [
        Self::Copilot,
        Self::Dynamo,
        Self::Spans,
        Self::LiteLlm,
        Self::Langfuse,
        Self::Batch,
        Self::Access,
        Self::GoReplay,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Copilot => "copilot",
            Self::Spans => "otel-spans",
            Self::LiteLlm => "litellm",
            Self::Langfuse => "langfuse",
            Self::Dynamo => "dynamo",
            Self::GoReplay => "goreplay",
            Self::Batch => "batch",
            Self::Access => "access-log",
            Self::Mapped => "mapped",
        }
    }

    /// Sets of member names, one of which tells it.
    fn marks(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Copilot => &[&["session_id", "turns"]],
            Self::Dynamo => &[&["event_type", "event_time_unix_ms"]],
            Self::Spans => &[
                &["resourceSpans"],
                &["traceId", "spanId"],
                &["trace_id", "span_id"],
                &["context", "attributes", "start_time"],
                &["session_id", "spans"],
            ],
            Self::LiteLlm => &[&["call_type", "startTime"]],
            Self::Langfuse => &[
                &["provided_model_name", "start_time"],
                &["usage_details", "start_time"],
                &["usageDetails", "startTime"],
                &["parent_observation_id", "trace_id"],
            ],
            Self::Batch => &[&["custom_id", "body"], &["custom_id", "response"]],
            Self::Access => &[
                &["start_time", "response_code"],
                &["time_iso8601", "status"],
                &["msec", "status"],
                &["time", "status", "request"],
            ],
            Self::GoReplay | Self::Mapped => &[],
        }
    }

    /// The format of an object with these members.
    pub(super) fn of(has: impl Fn(&str) -> bool) -> Option<Self> {
        let marked = |format: &Self| {
            format
                .marks()
                .iter()
                .any(|set| set.iter().all(|name| has(name)))
        };
        Self::ALL.into_iter().find(marked)
    }

    /// Its records come in order of time, more or less.
    pub(super) fn is_ordered(self) -> bool {
        match self {
            Self::Dynamo | Self::LiteLlm | Self::GoReplay | Self::Access => true,
            Self::Copilot | Self::Spans | Self::Langfuse | Self::Batch | Self::Mapped => false,
        }
    }

    /// Its calls have instants; of what a mapping describes its first call tells.
    pub(super) fn has_instants(self) -> bool {
        !matches!(self, Self::Batch | Self::Mapped)
    }

    /// Its classes say what kind of request it is, not whose model.
    pub(super) fn has_kinds(self) -> bool {
        self == Self::Copilot
    }

    /// Names of all formats, for messages.
    pub fn described() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |format: &Self| format.name() == text;
        let known = || format!("unknown format: one of {}", Self::described());
        Self::ALL.into_iter().find(named).ok_or_else(known)
    }
}
