//! Percentiles as the keys of a table.

use infermeter_core::plan::Plan;
use infermeter_core::slo::parse_percentile;
use infermeter_core::text::inert;
use infermeter_stats::Quantile;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;

/// A percentile that orders and serialises as `p99.9`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentile(Quantile);

impl Percentile {
    /// Those of every table.
    pub(crate) const DEFAULT: [Self; 5] = [
        Self(Quantile::P50),
        Self(Quantile::P90),
        Self(Quantile::P95),
        Self(Quantile::P99),
        Self(Quantile::P999),
    ];

    /// The percentile at `percent`, in (0, 100).
    pub fn new(percent: f64) -> Option<Self> {
        // Rounded to nine decimals: 99.9 / 100 alone is 0.9990000000000001.
        let probability = (percent * 1e7).round() / 1e9;
        Quantile::new(probability).ok().map(Self)
    }

    /// The quantile behind it.
    pub fn quantile(self) -> Quantile {
        self.0
    }

    /// The default ones and those that the plan asks for, ascending.
    pub(crate) fn of_plan(plan: &Plan) -> Vec<Self> {
        let mut all = Self::DEFAULT.to_vec();
        all.extend(Self::asked(plan));
        all.sort();
        all.dedup();
        all
    }

    /// Those of every distribution: the table's and p75, ascending.
    pub(crate) fn computed(plan: &Plan) -> Vec<Self> {
        let mut all = Self::of_plan(plan);
        all.extend(Self::new(75.0));
        all.sort();
        all.dedup();
        all
    }

    /// Those that the plan asks for.
    pub(crate) fn asked(plan: &Plan) -> Vec<Self> {
        let asked = plan.percentile.iter();
        asked
            .filter_map(|text| Self::new(parse_percentile(text)?))
            .collect()
    }
}

impl Eq for Percentile {}

impl Ord for Percentile {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.probability().total_cmp(&other.0.probability())
    }
}

impl PartialOrd for Percentile {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Percentile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percentile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let found = parse_percentile(&text).and_then(Self::new);
        found.ok_or_else(|| Error::custom(format!("`{}` is not a percentile", inert(&text, 40))))
    }
}

infermeter_core::text_schema!(r"^p[0-9]+(\.[0-9]+)?$" => Percentile);

#[cfg(test)]
mod tests {
    use super::Percentile;
    use infermeter_core::plan::Plan;

    #[test]
    fn asked_ones_join_the_default_ones_in_order() {
        let mut plan = Plan::defaults();
        plan.percentile = ["p75", "p99.9", "p99", "p99.99"]
            .map(str::to_owned)
            .to_vec();
        let names: Vec<String> = Percentile::of_plan(&plan)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            names,
            ["p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99"]
        );
    }
}
