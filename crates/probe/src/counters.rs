//! What a server counts of its prefix cache: two counters of its metrics page, read before and after
//! the load.
//!
//! It divides nothing; which series they are is known to `series`. Invariant: what a server does not
//! count is absent.

use infermeter_core::server::ServerFigures;
use serde::Serialize;

/// Tokens looked up and found in the prefix cache since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PrefixCounters {
    /// Prompt tokens looked up.
    pub queries: f64,
    /// Of those, found.
    pub hits: f64,
}

impl PrefixCounters {
    /// Those of a page; `None` unless it has both.
    pub fn of(figures: &ServerFigures) -> Option<Self> {
        Some(Self {
            queries: figures.prefix_queries?,
            hits: figures.prefix_hits?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::figures;

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

    fn counters_of(page: &str) -> Option<PrefixCounters> {
        PrefixCounters::of(&figures(page)?.1)
    }

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
            "vllm:prefix_cache_queries_total 5\n",
            "vllm:prefix_cache_queries NaN\nvllm:prefix_cache_hits NaN\n",
        ] {
            assert_eq!(counters_of(page), None, "{page}");
        }
    }
}
