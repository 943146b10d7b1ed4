//! Statistics as most tools write them: an object with a member for each.

use crate::facts::Statistics;
use crate::json::{as_number, percent};
use serde_json::Value;

/// Statistics of an object with members such as `mean`, `avg`, `std`, `stddev`, `p99`, `p99p9`,
/// `p99.9`, `median`; everything times `factor`.
pub(super) fn statistics(value: &Value, factor: f64) -> Statistics {
    let mut out = Statistics::default();
    let Some(map) = value.as_object() else {
        return out;
    };
    for (name, value) in map {
        let Some(number) = as_number(value) else {
            continue;
        };
        match name.as_str() {
            "mean" | "avg" => out.mean = Some(number),
            "std" | "stddev" | "std_dev" => out.std = Some(number),
            "min" => out.min = Some(number),
            "max" => out.max = Some(number),
            "count" => out.n = Some(number),
            "median" => out.insert(50.0, number),
            _ => {
                if let Some(p) = name.strip_prefix('p').and_then(percent) {
                    out.insert(p, number);
                }
            }
        }
    }
    out.scaled(factor)
}

#[cfg(test)]
mod tests {
    use super::statistics;
    use serde_json::json;

    #[test]
    fn statistics_take_every_spelling() {
        let value =
            json!({"avg": 2.0, "stddev": 1.0, "median": 1.5, "p99": 4.0, "p99p9": 5.0, "px": 9.0});
        let s = statistics(&value, 1000.0);
        assert_eq!((s.mean, s.std), (Some(2000.0), Some(1000.0)));
        assert_eq!(
            s.percentiles,
            [(50.0, 1500.0), (99.0, 4000.0), (99.9, 5000.0)]
        );
    }
}
