//! Starts of a server: when it could be used, what the start was spent on, when it was as fast as it gets.
//!
//! Does no IO: it gets what was seen of each start. Invariants: an instant that was not reached is absent; an instant
//! that was looked for again and again has the last look before it as its lower bound; the unit is the start, never a
//! request.

mod steady;
mod whole;

pub use steady::{LEAST_ANSWERS, Steadied, SteadyLevel, steadied};
pub use whole::{AfterIdleFigures, ColdFigure, ColdStart, InstantFigure, PhaseFigure};

use infermeter_core::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the format of a start, and of all of them together.
pub const COLD_START_VERSION: u32 = 1;

/// Something that a start gets to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ColdInstant {
    /// The port accepts a connection.
    PortOpen,
    /// The health page answers with success.
    Healthy,
    /// The first byte of the first answer.
    FirstByte,
    /// The first token of the first answer.
    FirstToken,
    /// The first answer is complete.
    FirstAnswer,
    /// The first answer at steady speed is complete.
    SteadySpeed,
}

impl ColdInstant {
    /// In order.
    pub const ALL: [Self; 6] = [
        Self::PortOpen,
        Self::Healthy,
        Self::FirstByte,
        Self::FirstToken,
        Self::FirstAnswer,
        Self::SteadySpeed,
    ];

    /// The name printed.
    pub fn label(self) -> &'static str {
        match self {
            Self::PortOpen => "port open",
            Self::Healthy => "healthy",
            Self::FirstByte => "first byte",
            Self::FirstToken => "first token",
            Self::FirstAnswer => "first answer",
            Self::SteadySpeed => "steady speed",
        }
    }
}

/// An instant that was reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReachedAt {
    /// Which.
    pub instant: ColdInstant,
    /// When it was seen, milliseconds since the origin.
    pub at_ms: f64,
    /// It was not so then, milliseconds since the origin: the look before; of steady speed, the earliest end of its
    /// interval, which covers with 90 % at least. Absent where nothing says.
    pub earliest_ms: Option<f64>,
    /// Of steady speed, the latest end of that interval, milliseconds since the origin; absent of the others.
    pub latest_ms: Option<f64>,
}

/// Where the time of a phase is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseSource {
    /// A line of the log says how long it took.
    OwnFigure,
    /// The distance of two lines of the log.
    Lines,
    /// One line tells of it, and not of how long it took.
    OneLine,
}

/// A phase of a start, as the server's log tells of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColdPhase {
    /// What it is: `weights`, `model`, `compile`, `kv_cache`, `graphs`, or a user's own.
    pub phase: String,
    /// Whose log has lines of that form; `--phase` of a user's own.
    pub engine: String,
    /// The line at its beginning, milliseconds since the origin; absent where there is none.
    pub began_ms: Option<f64>,
    /// The line at its end, milliseconds since the origin.
    pub ended_ms: f64,
    /// How long it took, milliseconds; absent where nothing says.
    pub took_ms: Option<f64>,
    /// Where that is from.
    pub source: PhaseSource,
}

/// An answer under the light load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColdAnswer {
    /// When its request was sent, milliseconds since the origin.
    pub sent_ms: f64,
    /// Its first byte, milliseconds since the origin.
    pub first_byte_ms: f64,
    /// Its first token, milliseconds since the origin; absent of an answer that is not streamed.
    pub first_token_ms: Option<f64>,
    /// Its end, milliseconds since the origin.
    pub end_ms: f64,
    /// Tokens, by the server's usage; absent where it tells none.
    pub output_tokens: Option<u64>,
}

impl ColdAnswer {
    /// Time to the first token, milliseconds.
    pub fn ttft_ms(&self) -> Option<f64> {
        Some(self.first_token_ms? - self.sent_ms)
    }

    /// Tokens per second behind the first.
    pub fn tokens_per_s(&self) -> Option<f64> {
        let behind = self.output_tokens?.checked_sub(1).filter(|n| *n > 0)?;
        let seconds = (self.end_ms - self.first_token_ms?) / 1e3;
        (seconds > 0.0).then_some(behind as f64 / seconds)
    }
}

/// What came after a time without requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AfterIdle {
    /// How long nothing was sent.
    pub idle: Span,
    /// Instants since the first request behind it was sent.
    pub reached: Vec<ReachedAt>,
    /// Requests that were refused before the first answer.
    pub refused: u64,
    /// The first TTFT, milliseconds: from its request on where the port was open at the first look and nothing was
    /// refused, else from that look on; absent where answers are not streamed.
    pub first_ttft_ms: Option<f64>,
    /// The median TTFT of the busy server before, milliseconds.
    pub busy_ttft_ms: Option<f64>,
    /// Answers of the busy server that this median is of.
    pub busy_answers: u64,
    /// The first answer took longer to its first token than every one of those.
    pub slower_than_all: Option<bool>,
    /// When speed was steady again.
    pub steadied: Steadied,
    /// The answers, in order; milliseconds since the first of their requests was sent.
    pub answers: Vec<ColdAnswer>,
}

/// One start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColdRepeat {
    /// Version of the format.
    pub format_version: u32,
    /// Its number, from 1 on; 0 is a start that warmed caches up and is not counted.
    pub number: u32,
    /// When it began, nanoseconds of Unix time.
    pub begun_ns: i64,
    /// What was done to caches before it, in words.
    pub caches: Vec<String>,
    /// Whether what was asked of caches was done.
    pub enforced: bool,
    /// The instants that it got to; the origin is the start of the command or, without one, the sending of the first
    /// request.
    pub reached: Vec<ReachedAt>,
    /// Phases from the log, in order of their ends.
    pub phases: Vec<ColdPhase>,
    /// Requests that were refused before the first answer.
    pub refused: u64,
    /// When speed was steady.
    pub steadied: Steadied,
    /// What came after a time without requests; absent where none was asked for.
    pub after_idle: Option<AfterIdle>,
    /// The answers of the light load, in order; the first is that of the instants.
    pub answers: Vec<ColdAnswer>,
    /// The model that was asked.
    pub model: Option<String>,
    /// Why it did not get to its end; absent where it did.
    pub failed: Option<String>,
    /// How the server was stopped; absent of one that was not started here.
    pub stopped: Option<String>,
    /// Lines of the log; absent without one.
    pub log_lines: Option<u64>,
    /// Bytes of the log that are not in its file.
    pub log_bytes_lost: u64,
}

impl ColdRepeat {
    /// When it got to an instant.
    pub fn at(&self, instant: ColdInstant) -> Option<&ReachedAt> {
        self.reached.iter().find(|at| at.instant == instant)
    }

    /// It is one of those that are counted.
    pub fn is_counted(&self) -> bool {
        self.number > 0
    }
}
