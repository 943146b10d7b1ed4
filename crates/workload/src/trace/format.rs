//! The known formats, and how one is recognised by the names of its columns or members.
//!
//! It reads no row. Invariant: a file is taken for a format only if everything that the format
//! needs is there.

use super::time_unit::TimeUnit;
use std::fmt;
use std::str::FromStr;

/// A format of traces or datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceFormat {
    /// infermeter's own rows of recorded load, JSON lines after a header.
    Rows,
    /// Azure LLM inference traces of 2023 to 2025, CSV.
    Azure,
    /// BurstGPT, CSV.
    BurstGpt,
    /// Mooncake, JSON lines, blocks of 512 tokens.
    Mooncake,
    /// Timed traces as vLLM's, JSON lines; block size and unit of time are declared.
    Vllm,
    /// Qwen-Bailian, JSON lines, blocks of 16 tokens.
    Qwen,
    /// ShareGPT, a JSON array or JSON lines.
    ShareGpt,
    /// Chat requests, JSON lines or an array.
    Messages,
    /// Plain prompts, JSON lines, an array or CSV.
    Prompts,
    /// Requests of OpenAI's batch API, JSON lines.
    Batch,
    /// Questions, with answers where known: JSON lines, an array or CSV.
    Questions,
    /// Plain text, one prompt a line.
    Lines,
    /// Conversations of agents with tools and delays, JSON lines.
    Agentic,
    /// infermeter's own workload files, JSON lines after a header.
    Workload,
}

impl TraceFormat {
    /// All of them, the most specific first: this is the order of recognition.
    pub const ALL: [Self; 14] = [
        Self::Rows,
        Self::Azure,
        Self::BurstGpt,
        Self::Qwen,
        Self::Mooncake,
        Self::Vllm,
        Self::Agentic,
        Self::ShareGpt,
        Self::Messages,
        Self::Prompts,
        Self::Batch,
        Self::Questions,
        Self::Workload,
        Self::Lines,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Azure => "azure",
            Self::BurstGpt => "burstgpt",
            Self::Mooncake => "mooncake",
            Self::Vllm => "vllm",
            Self::Qwen => "qwen",
            Self::ShareGpt => "sharegpt",
            Self::Messages => "messages",
            Self::Prompts => "prompts",
            Self::Batch => "batch",
            Self::Questions => "questions",
            Self::Lines => "lines",
            Self::Agentic => "agentic",
            Self::Workload => "workload",
        }
    }

    /// Columns or members without which a file is not of this format.
    pub(crate) fn needs(self) -> &'static [&'static str] {
        match self {
            Self::Rows => &["trace_rows", "blocks"],
            Self::Azure => &["TIMESTAMP", "ContextTokens", "GeneratedTokens"],
            Self::BurstGpt => &["Timestamp", "Request tokens", "Response tokens"],
            Self::Mooncake => &["timestamp", "input_length", "hash_ids"],
            Self::Vllm => &["timestamp", "input_length", "output_length"],
            Self::Qwen => &[
                "chat_id",
                "parent_chat_id",
                "timestamp",
                "input_length",
                "output_length",
            ],
            Self::ShareGpt => &["conversations"],
            Self::Messages => &["messages"],
            Self::Prompts => &["prompt"],
            Self::Batch => &["custom_id", "body"],
            Self::Questions => &["question"],
            Self::Lines => &[],
            Self::Agentic => &["conversation_id", "role"],
            Self::Workload => &["format", "version", "requests", "sha256"],
        }
    }

    /// Its rows have instants and lengths.
    pub fn is_timed(self) -> bool {
        match self {
            Self::Rows
            | Self::Azure
            | Self::BurstGpt
            | Self::Mooncake
            | Self::Vllm
            | Self::Qwen => true,
            Self::ShareGpt
            | Self::Messages
            | Self::Prompts
            | Self::Batch
            | Self::Questions
            | Self::Lines
            | Self::Agentic
            | Self::Workload => false,
        }
    }

    /// Unit of its timestamps, where nothing else is declared.
    pub(super) fn unit(self) -> TimeUnit {
        match self {
            Self::Rows | Self::Mooncake | Self::Vllm => TimeUnit::Milliseconds,
            _ => TimeUnit::Seconds,
        }
    }

    /// Its timestamps are numbers, whose unit a file may have otherwise.
    pub(super) fn has_numeric_times(self) -> bool {
        self.is_timed() && !matches!(self, Self::Azure | Self::Rows)
    }

    /// Its rows may have hash ids.
    pub(super) fn has_blocks(self) -> bool {
        matches!(self, Self::Mooncake | Self::Vllm | Self::Qwen)
    }

    /// It can be a CSV file.
    pub(super) fn as_csv(self) -> bool {
        matches!(
            self,
            Self::Azure | Self::BurstGpt | Self::Prompts | Self::Questions
        )
    }

    /// It can be JSON.
    pub(super) fn as_json(self) -> bool {
        !matches!(self, Self::Azure | Self::BurstGpt | Self::Lines)
    }

    /// The first format whose needs `has` meets, of CSV or of JSON.
    pub(super) fn recognise(csv: Container, has: impl Fn(&str) -> bool) -> Option<Self> {
        Self::ALL.into_iter().find(|format| {
            let fits = match csv {
                Container::Csv => format.as_csv(),
                Container::Json => format.as_json(),
            };
            // A timed trace without hash ids is declared, not guessed: its unit is unknown.
            let declared = matches!(format, Self::Vllm | Self::Lines);
            // Rows of a Mooncake trace may have their text instead of its length and its blocks.
            let timed = has("timestamp") || has("delay");
            let text = has(TEXT_INPUT) || (timed && has("messages"));
            let text = *format == Self::Mooncake && csv == Container::Json && text;
            fits && !declared && (text || format.needs().iter().all(|name| has(name)))
        })
    }

    /// Names and needs of all formats, for messages.
    pub(super) fn described() -> String {
        let one = |format: Self| match format {
            Self::Lines => "lines (one prompt a line, a file named *.txt)".to_owned(),
            format => format!("{} ({})", format, format.needs().join(", ")),
        };
        Self::ALL.map(one).join("; ")
    }
}

/// The text of a row of a Mooncake trace.
pub(super) const TEXT_INPUT: &str = "text_input";

/// What a file is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    Csv,
    Json,
}

impl fmt::Display for TraceFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a text names no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format: one of {}", TraceFormat::ALL.map(TraceFormat::name).join(", "))]
pub struct TraceFormatError;

impl FromStr for TraceFormat {
    type Err = TraceFormatError;

    fn from_str(text: &str) -> Result<Self, TraceFormatError> {
        let named = |format: &Self| format.name().eq_ignore_ascii_case(text.trim());
        Self::ALL.into_iter().find(named).ok_or(TraceFormatError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for format in TraceFormat::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert_eq!("Moon".parse::<TraceFormat>(), Err(TraceFormatError));
    }

    #[test]
    fn needs_decide() {
        let of = |container, names: &[&str]| {
            TraceFormat::recognise(container, |name| names.contains(&name))
        };
        let timed = ["timestamp", "input_length", "output_length"];
        assert_eq!(of(Container::Json, &timed), None);
        let hashed = [&timed[..], &["hash_ids"]].concat();
        assert_eq!(of(Container::Json, &hashed), Some(TraceFormat::Mooncake));
        let chained = [&hashed[..], &["chat_id", "parent_chat_id"]].concat();
        assert_eq!(of(Container::Json, &chained), Some(TraceFormat::Qwen));
        assert_eq!(of(Container::Csv, &["prompt"]), Some(TraceFormat::Prompts));
        assert_eq!(of(Container::Csv, &["messages"]), None);
    }
}
