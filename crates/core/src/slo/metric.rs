//! What a figure of an objective is about: latencies, rates, statistics.
//!
//! Computes none of them. Invariant: each has one name, the one that is read and printed.

/// A metric that an objective can be set on. Latencies from the headline origin of the load model,
/// where the objective names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SloMetric {
    /// Time to first token.
    Ttft,
    /// Time to first visible output token.
    Ttfo,
    /// Time per output token.
    Tpot,
    /// Inter-token latency.
    Itl,
    /// Gap between chunks.
    ChunkGap,
    /// Normalised time per output token.
    Ntpot,
    /// End to end latency.
    E2e,
    /// From the first request of a session to the end of its last answer.
    SessionE2e,
}

impl SloMetric {
    /// Every metric of requests with its name in an objective.
    pub const NAMES: [(&'static str, Self); 7] = [
        ("ttft", Self::Ttft),
        ("ttfo", Self::Ttfo),
        ("tpot", Self::Tpot),
        ("itl", Self::Itl),
        ("chunk_gap", Self::ChunkGap),
        ("ntpot", Self::Ntpot),
        ("e2e", Self::E2e),
    ];

    /// Its name in an objective.
    pub fn name(self) -> &'static str {
        if self == Self::SessionE2e {
            return "session.e2e";
        }
        Self::NAMES
            .iter()
            .find(|(_, m)| *m == self)
            .map_or("", |(name, _)| name)
    }

    /// The metric of requests with a name.
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, metric)| *metric)
    }

    /// Only an answer that has tokens has it.
    pub fn needs_tokens(self) -> bool {
        !matches!(self, Self::E2e | Self::SessionE2e)
    }

    /// Only an answer that comes as a stream has it.
    pub fn needs_stream(self) -> bool {
        match self {
            Self::Ttft | Self::Ttfo | Self::Tpot | Self::Itl | Self::ChunkGap => true,
            Self::Ntpot | Self::E2e | Self::SessionE2e => false,
        }
    }

    /// A request has many values of it.
    pub(crate) fn is_of_tokens(self) -> bool {
        matches!(self, Self::Itl | Self::ChunkGap)
    }

    /// It is counted from an origin, of which there are two.
    pub(crate) fn has_origin(self) -> bool {
        matches!(self, Self::Ttft | Self::Ttfo | Self::Ntpot | Self::E2e)
    }

    /// It holds the work on the prompt, so that a limit may grow with the prompt's length.
    pub(crate) fn grows_with_prompt(self) -> bool {
        matches!(self, Self::Ttft | Self::Ttfo | Self::E2e)
    }
}

/// A rate of the measured window, per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RateName {
    /// Completed requests.
    Throughput,
    /// Output tokens.
    OutputThroughput,
    /// Requests that meet every objective that one request can meet.
    Goodput,
}

impl RateName {
    /// Every rate with its name.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("throughput", Self::Throughput),
        ("output_throughput", Self::OutputThroughput),
        ("goodput", Self::Goodput),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::OutputThroughput => "output_throughput",
            Self::Goodput => "goodput",
        }
    }
}

/// A share of answers, by what the checks of their texts say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AnswerShare {
    /// Of the checked answers, those that no sound server gives.
    Corrupted,
    /// Of the judged canaries, those that were answered rightly.
    Canaries,
    /// Of the judged rows of evaluations, those that were answered rightly.
    Evals,
    /// Of the answers with a reference, those that are equal to it.
    Equal,
}

impl AnswerShare {
    /// Every share with its name.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("answers.corrupted", Self::Corrupted),
        ("canary.accuracy", Self::Canaries),
        ("eval.accuracy", Self::Evals),
        ("reference.equal", Self::Equal),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Corrupted => "answers.corrupted",
            Self::Canaries => "canary.accuracy",
            Self::Evals => "eval.accuracy",
            Self::Equal => "reference.equal",
        }
    }

    /// Less of it is better.
    pub fn has_most(self) -> bool {
        self == Self::Corrupted
    }
}

/// What is taken of many values.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// A percentile, in percent: 99 for p99.
    Percentile(f64),
    /// The arithmetic mean.
    Mean,
    /// The greatest (of shares: the least).
    Max,
}

/// Reads `p99.9` as 99.9.
pub fn parse_percentile(text: &str) -> Option<f64> {
    let value: f64 = text.trim().strip_prefix('p')?.parse().ok()?;
    (value > 0.0 && value < 100.0).then_some(value)
}
