//! A metric's statistics as a file reports them.

use crate::limits::TAIL_SAMPLES;
use infermeter_stats::{Quantile, SampleSeries};
use schemars::JsonSchema;
use serde::Serialize;

/// Percentiles computed where a file has only its requests.
const COMPUTED: [f64; 6] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9];

/// What was measured, by definition rather than by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Time to the first token.
    Ttft,
    /// (last - first token) / (tokens - 1), one value per request.
    Tpot,
    /// Gaps between chunks.
    ChunkGap,
    /// Gaps between tokens, 0 inside a chunk.
    Itl,
    /// E2E / output tokens, one value per request.
    Ntpot,
    /// End to end.
    E2e,
}

impl Metric {
    /// All metrics, in the order of printing.
    pub const ALL: [Self; 6] = [
        Self::Ttft,
        Self::Tpot,
        Self::ChunkGap,
        Self::Itl,
        Self::Ntpot,
        Self::E2e,
    ];

    /// The name printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ttft => "TTFT",
            Self::Tpot => "TPOT",
            Self::ChunkGap => "chunk gap",
            Self::Itl => "ITL",
            Self::Ntpot => "NTPOT",
            Self::E2e => "E2E",
        }
    }

    /// One value per request, so that the sample is the completed requests.
    pub(crate) fn is_per_request(self) -> bool {
        !matches!(self, Self::ChunkGap | Self::Itl)
    }
}

/// Statistics of one series.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statistics {
    /// Observations.
    pub n: Option<f64>,
    /// Arithmetic mean.
    pub mean: Option<f64>,
    /// Standard deviation.
    pub std: Option<f64>,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Percentiles (in percent) with their values, ascending.
    pub percentiles: Vec<(f64, f64)>,
}

impl Statistics {
    /// Whether nothing is stated.
    pub fn is_empty(&self) -> bool {
        self.mean.is_none()
            && self.min.is_none()
            && self.max.is_none()
            && self.percentiles.is_empty()
    }

    /// A percentile as stated.
    pub fn percentile(&self, p: f64) -> Option<f64> {
        let found = self.percentiles.iter().find(|(q, _)| (q - p).abs() < 1e-9);
        found.map(|(_, value)| *value)
    }

    /// The highest percentile stated, with its value.
    pub(crate) fn highest(&self) -> Option<(f64, f64)> {
        self.percentiles.last().copied()
    }

    /// Keeps a percentile, in order.
    pub(crate) fn insert(&mut self, p: f64, value: f64) {
        let at = self.percentiles.partition_point(|(q, _)| *q < p);
        if self
            .percentiles
            .get(at)
            .is_none_or(|(q, _)| (q - p).abs() > 1e-9)
        {
            self.percentiles.insert(at, (p, value));
        }
    }

    /// Every value times `factor`: a change of unit.
    pub(crate) fn scaled(mut self, factor: f64) -> Self {
        for value in [&mut self.mean, &mut self.std, &mut self.min, &mut self.max] {
            *value = value.map(|v| v * factor).filter(|v| v.is_finite());
        }
        for (_, value) in &mut self.percentiles {
            *value *= factor;
        }
        self.percentiles.retain(|(_, value)| value.is_finite());
        self
    }

    /// All values are known to be one number.
    pub(crate) fn is_constant(&self) -> Option<bool> {
        match (self.std, self.min, self.max) {
            (Some(std), _, _) => Some(std == 0.0),
            (None, Some(min), Some(max)) => Some(min == max),
            _ => None,
        }
    }

    /// Of values, with the exact percentiles that so many can carry (ten beyond each).
    pub(crate) fn computed(values: &[f64]) -> Self {
        let mut out = Self::of_values(values);
        let Ok(series) = SampleSeries::new(values) else {
            return out;
        };
        for p in COMPUTED {
            let enough = values.len() as f64 * (1.0 - p / 100.0) >= TAIL_SAMPLES - 1e-9;
            if let (true, Ok(q)) = (enough, Quantile::new(p / 100.0)) {
                out.insert(p, series.value(q));
            }
        }
        out
    }

    /// Of values, computed here: the mean, deviation and extremes.
    pub(crate) fn of_values(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len() as f64;
        let mean = sorted.iter().sum::<f64>() / n;
        let square = sorted.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
        if sorted.is_empty() || !mean.is_finite() {
            return Self::default();
        }
        Self {
            n: Some(n),
            mean: Some(mean),
            std: Some(square.sqrt()).filter(|s| s.is_finite()),
            min: sorted.first().copied(),
            max: sorted.last().copied(),
            percentiles: Vec::new(),
        }
    }
}
