//! What a server counts of its prefix cache: two counters of `/metrics`, read before and after the
//! load.
//!
//! It divides nothing and knows no other series. Invariant: what a server does not count is absent.

use crate::target::Control;
use serde::Serialize;

/// Tokens looked up and found in the prefix cache since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrefixCounters {
    /// Prompt tokens looked up.
    pub queries: f64,
    /// Of those, found.
    pub hits: f64,
}

/// Names of the counters, of lookups and of hits: vLLM's, whose counters are in tokens.
const SERIES: [&str; 2] = ["vllm:prefix_cache_queries", "vllm:prefix_cache_hits"];

impl Control {
    /// Reads the counters; `None` where there is no answer, or none of this kind.
    pub fn prefix_counters(&mut self, when: &str) -> Option<PrefixCounters> {
        let purpose = format!("prefix cache counters {when}");
        let answer = self.get("/metrics", &purpose).ok()?;
        if answer.head.status != 200 {
            return None;
        }
        let found = counters_of(&String::from_utf8_lossy(&answer.body));
        self.conclude(if found.is_some() {
            "read"
        } else {
            "none there"
        });
        found
    }
}

/// The counters of a page in the Prometheus text format, summed over engines and models.
fn counters_of(page: &str) -> Option<PrefixCounters> {
    let [queries, hits] = SERIES.map(|name| sum_of(page, name));
    Some(PrefixCounters {
        queries: queries?,
        hits: hits?,
    })
}

/// The sum over all label sets of a counter, with or without `_total` behind its name.
fn sum_of(page: &str, name: &str) -> Option<f64> {
    let mut sum = None;
    for line in page.lines() {
        let Some(rest) = line.strip_prefix(name) else {
            continue;
        };
        let rest = rest.strip_prefix("_total").unwrap_or(rest);
        let value = match rest.strip_prefix('{') {
            Some(labels) => labels.rsplit_once('}').map(|(_, value)| value),
            None => rest.strip_prefix(' '),
        };
        let number = value.and_then(|value| value.split_whitespace().next());
        let number = number.and_then(|number| number.parse::<f64>().ok());
        if let Some(number) = number.filter(|number| *number >= 0.0 && number.is_finite()) {
            *sum.get_or_insert(0.0) += number;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as vLLM 0.32 writes them, of two engines.
    const PAGE: &str = "\
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine=\"0\",model_name=\"tiny} llama\"} 5175.0
vllm:prefix_cache_queries_total{engine=\"1\",model_name=\"tiny} llama\"} 25.0
vllm:prefix_cache_queries_created{engine=\"0\",model_name=\"tiny-llama\"} 1.7953473408093855e+09
vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"tiny-llama\"} 12.0
vllm:external_prefix_cache_hits_total{engine=\"0\",model_name=\"tiny-llama\"} 9.0
";

    #[test]
    fn counters_are_summed_over_engines() {
        let expect = PrefixCounters {
            queries: 5200.0,
            hits: 12.0,
        };
        assert_eq!(counters_of(PAGE), Some(expect));
        let plain = "vllm:prefix_cache_queries 8\nvllm:prefix_cache_hits 3\n";
        let expect = PrefixCounters {
            queries: 8.0,
            hits: 3.0,
        };
        assert_eq!(counters_of(plain), Some(expect));
    }

    #[test]
    fn what_is_not_counted_is_absent() {
        for page in [
            "",
            "<html>",
            "vllm:prefix_cache_queries_total 5",
            "vllm:prefix_cache_queries NaN\nvllm:prefix_cache_hits NaN",
        ] {
            assert_eq!(counters_of(page), None, "{page}");
        }
    }
}
