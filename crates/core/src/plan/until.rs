//! `until`: how narrow an interval must be before runs are repeated no more.
//!
//! Invariant: what is printed reads back as the same value.

use crate::slo::{SloMetric, parse_percentile};
use std::fmt;
use std::str::FromStr;

/// A precision asked for: `ttft.p99 +-10%`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Until {
    /// The metric.
    pub metric: SloMetric,
    /// The percentile, in percent: 99 for p99.
    pub percentile: f64,
    /// Half the interval's width over the value, 0.1 for 10 %.
    pub relative: f64,
}

/// Why a text is not a precision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a precision: write METRIC.pNN+-X%, as in ttft.p99+-10%; {problem}")]
pub struct UntilError {
    text: String,
    problem: String,
}

impl FromStr for Until {
    type Err = UntilError;

    fn from_str(text: &str) -> Result<Self, UntilError> {
        let wrong = |problem: &str| UntilError {
            text: crate::text::inert(text, 80),
            problem: problem.to_owned(),
        };
        let split = text.split_once("+-").or_else(|| text.split_once('\u{b1}'));
        let (figure, width) = split.ok_or_else(|| wrong("`+-` and a share are missing"))?;
        let (metric, percentile) = figure
            .trim()
            .split_once('.')
            .ok_or_else(|| wrong("a metric and its percentile are needed before `+-`"))?;
        let named = SloMetric::NAMES.iter().find(|(name, _)| *name == metric);
        let (_, metric) = named.ok_or_else(|| {
            let names = SloMetric::NAMES.map(|(name, _)| name).join(", ");
            wrong(&format!("the metrics are {names}"))
        })?;
        let percentile = parse_percentile(percentile)
            .ok_or_else(|| wrong("the percentile is written p50 or p99.9"))?;
        let percent = width.trim().strip_suffix('%').map(str::trim);
        let percent = percent.and_then(|percent| percent.parse::<f64>().ok());
        let percent = percent
            .filter(|percent| *percent > 0.0 && *percent <= 100.0)
            .ok_or_else(|| wrong("the share is a percentage above 0 and at most 100"))?;
        Ok(Self {
            metric: *metric,
            percentile,
            relative: percent / 100.0,
        })
    }
}

impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nine decimals: 0.07 * 100 alone is 7.000000000000001.
        let percent = (self.relative * 1e11).round() / 1e9;
        write!(f, "{}.p{}+-{percent}%", self.metric.name(), self.percentile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_read_and_print() {
        for text in ["ttft.p99+-10%", "e2e.p99.9+-7%", "itl.p50+-0.5%"] {
            assert_eq!(text.parse::<Until>().expect(text).to_string(), text);
        }
        let spaced: Until = "ttft.p99 \u{b1} 10 %".parse().expect("spaces and a sign");
        assert_eq!(spaced.to_string(), "ttft.p99+-10%");
    }

    #[test]
    fn what_is_none_says_what_is_needed() {
        for (text, expect) in [
            ("ttft.p99", "`+-` and a share are missing"),
            ("ttf.p99+-1%", "the metrics are ttft"),
            ("ttft.99+-1%", "written p50"),
            ("ttft.p99+-10", "a percentage"),
            ("ttft.p99+-0%", "a percentage"),
            ("ttft+-1%", "a metric and its percentile"),
        ] {
            let said = text.parse::<Until>().expect_err(text).to_string();
            assert!(said.contains(expect), "{said}");
        }
    }
}
