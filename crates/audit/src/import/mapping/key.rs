//! The facts that a mapping can name, what their values are, and the units these may have.
//!
//! Reads no file. Invariant: a value that a quantity refuses is never taken for another one.

use crate::facts::{Metric, SetupItem};
use crate::json::percent;

/// A fact that a mapping can name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Key {
    Tool,
    Date,
    Seed,
    LoadModel,
    Arrivals,
    Rate,
    Concurrency,
    Duration,
    WarmupSeconds,
    WarmupRequests,
    Completed,
    Failed,
    Retries,
    InputTokens,
    OutputTokens,
    TokenSource,
    AskedOutput,
    CachedTokens,
    RequestRate,
    OutputRate,
    TotalRate,
    PerGpuRate,
    Attainment,
    InputRate,
    PerChunk,
    SendLag,
    NewConnections,
    CutShort,
    Streaming,
    Percentiles,
    Test,
    Start,
    Error,
    Prompt,
    Answer,
    Session,
    InputLength(Statistic),
    OutputLength(Statistic),
    Latency(Metric, Statistic),
    Setup(SetupItem),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Statistic {
    Value,
    Mean,
    Std,
    Min,
    Max,
    Count,
    Percentile(f64),
}

/// Names of the facts without a metric.
const KEYS: [(&str, Key); 36] = [
    ("tool", Key::Tool),
    ("date", Key::Date),
    ("seed", Key::Seed),
    ("load-model", Key::LoadModel),
    ("arrivals", Key::Arrivals),
    ("rate", Key::Rate),
    ("concurrency", Key::Concurrency),
    ("duration-s", Key::Duration),
    ("warmup-s", Key::WarmupSeconds),
    ("warmup-requests", Key::WarmupRequests),
    ("completed", Key::Completed),
    ("failed", Key::Failed),
    ("retries", Key::Retries),
    ("input-tokens", Key::InputTokens),
    ("output-tokens", Key::OutputTokens),
    ("token-source", Key::TokenSource),
    ("asked-output-tokens", Key::AskedOutput),
    ("cached-tokens", Key::CachedTokens),
    ("request-throughput", Key::RequestRate),
    ("output-throughput", Key::OutputRate),
    ("total-throughput", Key::TotalRate),
    ("per-gpu-throughput", Key::PerGpuRate),
    ("attainment", Key::Attainment),
    ("input-throughput", Key::InputRate),
    ("tokens-per-chunk", Key::PerChunk),
    ("send-lag", Key::SendLag),
    ("new-connections", Key::NewConnections),
    ("interrupted", Key::CutShort),
    ("streaming", Key::Streaming),
    ("percentiles", Key::Percentiles),
    ("test", Key::Test),
    ("start-s", Key::Start),
    ("error", Key::Error),
    ("prompt", Key::Prompt),
    ("answer", Key::Answer),
    ("session", Key::Session),
];

/// Names of the metrics.
const METRICS: [(&str, Metric); 6] = [
    ("ttft", Metric::Ttft),
    ("tpot", Metric::Tpot),
    ("chunk-gap", Metric::ChunkGap),
    ("itl", Metric::Itl),
    ("ntpot", Metric::Ntpot),
    ("e2e", Metric::E2e),
];

impl Key {
    pub(super) fn parse(name: &str) -> Option<Self> {
        if let Some((_, key)) = KEYS.iter().find(|(known, _)| *known == name) {
            return Some(*key);
        }
        if let Some(item) = SetupItem::parse(name) {
            return Some(Self::Setup(item));
        }
        let (of, statistic) = name.split_once('.').unwrap_or((name, ""));
        let statistic = Statistic::parse(statistic)?;
        match of {
            // Their bare names are totals, above.
            "input-tokens" => return Some(Self::InputLength(statistic)),
            "output-tokens" => return Some(Self::OutputLength(statistic)),
            _ => {}
        }
        let (_, metric) = METRICS.iter().find(|(known, _)| *known == of)?;
        Some(Self::Latency(*metric, statistic))
    }

    /// What its value is, and so which units it may have.
    pub(super) fn quantity(self) -> Quantity {
        match self {
            Self::Latency(_, Statistic::Count)
            | Self::Concurrency
            | Self::WarmupRequests
            | Self::Completed
            | Self::Failed
            | Self::Retries
            | Self::InputTokens
            | Self::OutputTokens
            | Self::AskedOutput
            | Self::CachedTokens
            | Self::PerChunk
            | Self::InputLength(_)
            | Self::OutputLength(_) => Quantity::Count,
            Self::Latency(..) | Self::SendLag => Quantity::Latency,
            Self::Duration | Self::WarmupSeconds => Quantity::Duration,
            Self::Start => Quantity::Instant,
            Self::Rate
            | Self::RequestRate
            | Self::OutputRate
            | Self::TotalRate
            | Self::PerGpuRate
            | Self::InputRate => Quantity::Rate,
            Self::Attainment | Self::NewConnections => Quantity::Share,
            Self::LoadModel => Quantity::Word(&["open", "closed", "burst"]),
            Self::TokenSource => Quantity::Word(&["usage", "tokenizer", "chunks"]),
            Self::Percentiles => Quantity::Word(&["exact", "linear", "histogram"]),
            Self::CutShort | Self::Streaming => Quantity::Word(&["true", "false"]),
            Self::Tool
            | Self::Date
            | Self::Seed
            | Self::Arrivals
            | Self::Test
            | Self::Error
            | Self::Prompt
            | Self::Answer
            | Self::Session
            | Self::Setup(_) => Quantity::Text,
        }
    }

    /// Whether a row that is one request can hold it.
    pub(super) fn is_of_request(self) -> bool {
        let latency = match self {
            Self::Latency(metric, statistic) => {
                statistic == Statistic::Value
                    && matches!(metric, Metric::Ttft | Metric::Tpot | Metric::E2e)
            }
            _ => false,
        };
        let tokens = matches!(
            self,
            Self::InputTokens | Self::OutputTokens | Self::CachedTokens
        );
        latency || tokens || self.is_of_request_alone()
    }

    /// Whether only a request can hold it.
    pub(super) fn is_of_request_alone(self) -> bool {
        matches!(
            self,
            Self::Start | Self::Error | Self::Prompt | Self::Answer | Self::Session
        )
    }
}

impl Statistic {
    fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "" => Self::Value,
            "mean" => Self::Mean,
            "std" => Self::Std,
            "min" => Self::Min,
            "max" => Self::Max,
            "count" => Self::Count,
            "median" => Self::Percentile(50.0),
            p => Self::Percentile(percent(p.strip_prefix('p')?)?),
        })
    }
}

/// What the value of a fact is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Quantity {
    /// Milliseconds here; the file's unit where the field names none.
    Latency,
    /// Seconds, not negative.
    Duration,
    /// Seconds on any clock.
    Instant,
    /// Per second.
    Rate,
    /// 0 to 1.
    Share,
    /// A number of something.
    Count,
    /// One of these.
    Word(&'static [&'static str]),
    /// Anything.
    Text,
}

impl Quantity {
    /// What one of the unit is here; `None` for a unit that this is not counted in.
    pub(super) fn factor(self, unit: &str) -> Option<f64> {
        let seconds = || match unit {
            "s" => Some(1.0),
            "ms" => Some(1e-3),
            "us" => Some(1e-6),
            "ns" => Some(1e-9),
            _ => None,
        };
        match (self, unit) {
            (Self::Latency, _) => seconds().map(|s| s * 1e3),
            (Self::Duration | Self::Instant, "min") => Some(60.0),
            (Self::Duration | Self::Instant, _) => seconds(),
            (Self::Rate, "/s") | (Self::Share, "share") => Some(1.0),
            (Self::Rate, "/min") => Some(1.0 / 60.0),
            (Self::Rate, "/h") => Some(1.0 / 3600.0),
            (Self::Share, "%") => Some(0.01),
            _ => None,
        }
    }

    /// Its units, in words.
    pub(super) fn units(self) -> &'static str {
        match self {
            Self::Latency => "\"s\", \"ms\", \"us\" or \"ns\"",
            Self::Duration | Self::Instant => "\"min\", \"s\", \"ms\", \"us\" or \"ns\"",
            Self::Rate => "\"/s\", \"/min\" or \"/h\"",
            Self::Share => "\"share\" or \"%\"",
            Self::Count | Self::Word(_) | Self::Text => "left out: it has none",
        }
    }

    /// What is wrong with a value, if something is: it is to be the words that come back.
    pub(super) fn refuses(self, value: &str) -> Option<&'static str> {
        let number: Option<f64> = value.trim().parse().ok();
        match self {
            Self::Text => None,
            Self::Word(words) => {
                let known = words.contains(&value.trim().to_ascii_lowercase().as_str());
                (!known).then_some(match words {
                    ["open", ..] => "open, closed or burst",
                    ["usage", ..] => "usage, tokenizer or chunks",
                    ["exact", ..] => "exact, linear or histogram",
                    _ => "true or false",
                })
            }
            Self::Latency | Self::Instant => number.is_none().then_some("a number"),
            Self::Duration | Self::Rate | Self::Share | Self::Count => match number {
                None => Some("a number"),
                Some(number) => (number < 0.0).then_some("0 or more"),
            },
        }
    }
}
