//! Service level objectives: `ttft.p99<500ms`.

use crate::units::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A metric that an objective can be set on. Latencies from the headline origin of the load model.
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
}

impl SloMetric {
    /// Every metric with its name in an objective.
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
        Self::NAMES
            .iter()
            .find(|(_, m)| *m == self)
            .map_or("", |(name, _)| name)
    }
}

impl SloMetric {
    /// Only an answer that has tokens has it.
    pub fn needs_tokens(self) -> bool {
        self != Self::E2e
    }

    /// Only an answer that comes as a stream has it.
    pub fn needs_stream(self) -> bool {
        match self {
            Self::Ttft | Self::Ttfo | Self::Tpot | Self::Itl | Self::ChunkGap => true,
            Self::Ntpot | Self::E2e => false,
        }
    }
}

/// An upper limit on a percentile of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    /// The metric.
    pub metric: SloMetric,
    /// The percentile, in percent: 99 for p99.
    pub percentile: f64,
    /// The limit.
    pub limit: Span,
}

/// Why a text is no objective.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SloError {
    /// It does not have the shape metric.percentile<limit.
    #[error("`{0}` is not an objective: write metric.percentile<limit, as in ttft.p99<500ms")]
    Shape(String),
    /// The metric is unknown.
    #[error("unknown metric `{0}`: one of ttft, ttfo, tpot, itl, chunk_gap, ntpot, e2e")]
    Metric(String),
    /// The percentile is none.
    #[error("`{0}` is not a percentile: write p50, p99 or p99.9")]
    Percentile(String),
    /// The limit is no span of time.
    #[error(transparent)]
    Limit(#[from] crate::units::SpanError),
}

/// Reads `p99.9` as 99.9.
pub fn parse_percentile(text: &str) -> Option<f64> {
    let value: f64 = text.trim().strip_prefix('p')?.parse().ok()?;
    (value > 0.0 && value < 100.0).then_some(value)
}

impl FromStr for Slo {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let quoted = || crate::text::inert(text, 80);
        let (left, limit) = text
            .split_once('<')
            .ok_or_else(|| SloError::Shape(quoted()))?;
        let limit = limit.strip_prefix('=').unwrap_or(limit);
        let (metric, percentile) = left
            .trim()
            .split_once('.')
            .ok_or_else(|| SloError::Shape(quoted()))?;
        let metric = SloMetric::NAMES
            .iter()
            .find(|(name, _)| *name == metric.trim().to_ascii_lowercase())
            .map(|(_, m)| *m)
            .ok_or_else(|| SloError::Metric(crate::text::inert(metric, 40)))?;
        let percentile = parse_percentile(percentile)
            .ok_or_else(|| SloError::Percentile(crate::text::inert(percentile, 40)))?;
        let limit: Span = limit.parse()?;
        Ok(Self {
            metric,
            percentile,
            limit,
        })
    }
}

impl fmt::Display for Slo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.p{}<{}",
            self.metric.name(),
            self.percentile,
            self.limit
        )
    }
}

impl Serialize for Slo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Slo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        let slo: Slo = "ttft.p99<500ms".parse().expect("an objective");
        assert_eq!(
            slo,
            Slo {
                metric: SloMetric::Ttft,
                percentile: 99.0,
                limit: Span::millis(500)
            }
        );
        assert_eq!(slo.to_string(), "ttft.p99<500ms");
        assert_eq!(
            "itl.p99.9 < 50ms".parse::<Slo>().expect("one").percentile,
            99.9
        );
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(matches!("ttft<1s".parse::<Slo>(), Err(SloError::Shape(_))));
        assert!(matches!(
            "tttf.p99<1s".parse::<Slo>(),
            Err(SloError::Metric(_))
        ));
        assert!(matches!(
            "ttft.99<1s".parse::<Slo>(),
            Err(SloError::Percentile(_))
        ));
        assert!(matches!(
            "ttft.p99<1".parse::<Slo>(),
            Err(SloError::Limit(_))
        ));
    }
}
