//! oha: its JSON report.
//!
//! A generator for any HTTP server: it reads an answer whole, knows no tokens, and says neither rate
//! nor connections. Its first byte may be that of a head or of a role chunk, so it is no TTFT.
//! Seconds; latencies are of every answer, whatever its status.

use super::statistics::statistics;
use crate::facts::{Facts, Metric};
use crate::format::Format;
use crate::json::{as_number, at, number};
use serde_json::Value;

/// Requests that the end of the run cut off: no failure of the server's.
const CUT_OFF: &str = "aborted due to deadline";

/// Share by which the answers counted may differ from rate times duration.
const RATE_EXPLAINED: f64 = 0.05;

/// Translates a report.
pub(super) fn facts(value: &Value) -> Facts {
    let mut facts = Facts::of(Format::Oha);
    let mut e2e = at(value, "latencyPercentiles")
        .map(|percentiles| statistics(percentiles, 1.0))
        .unwrap_or_default();
    e2e.mean = number(value, "summary.average");
    e2e.min = number(value, "summary.fastest");
    e2e.max = number(value, "summary.slowest");
    let counts = |name: &str| -> Option<Vec<(&String, f64)>> {
        let map = at(value, name)?.as_object()?;
        map.iter().map(|(k, n)| Some((k, as_number(n)?))).collect()
    };
    let by_status = counts("statusCodeDistribution");
    let errors = counts("errorDistribution");
    facts.load.duration_s = number(value, "summary.total");
    facts.rates.requests = number(value, "summary.requestsPerSec");
    let expected = facts.load.duration_s.zip(facts.rates.requests);
    let expected = expected.map(|(seconds, per_s)| seconds * per_s);
    let of_kind = |ok: bool| -> Option<f64> {
        let counts = by_status.as_ref()?.iter();
        let counts = counts.filter(|(code, _)| code.starts_with('2') == ok);
        Some(counts.map(|(_, n)| n).sum())
    };
    let failed = errors.map(|errors| {
        let counted = errors.iter().filter(|(what, _)| *what != CUT_OFF);
        counted.map(|(_, n)| n).sum::<f64>()
    });
    if let Some((good, bad)) = of_kind(true).zip(of_kind(false)) {
        let all = good + bad;
        // A distribution that does not explain the rate is not the whole of it.
        let off = |n: f64| (all + failed.unwrap_or(0.0) - n).abs() > RATE_EXPLAINED * n;
        if !expected.is_some_and(off) {
            e2e.n = Some(all);
            facts.counts.completed = Some(good);
            facts.counts.failed = failed.map(|failed| failed + bad);
        }
    }
    facts.state(Metric::E2e, e2e.scaled(1e3));
    facts.load.duration_s = number(value, "summary.total");
    facts.rates.requests = number(value, "summary.requestsPerSec");
    facts.translate(
        "latency",
        "E2E",
        "to the end of the answer, whatever its status",
    );
    facts.translate(
        "firstByte",
        "nothing",
        "a head or a role chunk may be the first byte",
    );
    facts
}
