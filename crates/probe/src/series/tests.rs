//! Figures from pages of each engine, and from pages that are broken.

mod engines;
mod exporters;

use super::*;
use crate::fuzzing;
use Quantity as Q;
use ServerEngine::{Dynamo, LlamaCpp, Sglang, TensorrtLlm, Tgi, Triton, Vllm};
use infermeter_core::environment::PrefixCounters;

/// A page as vLLM 0.32 wrote it under load, cut down to a part of its series.
const VLLM: &str = include_str!("../../../../fuzz/seeds/metrics/vllm.prom");
/// Lines of every other engine.
const ENGINES: &str = include_str!("../../../../fuzz/seeds/metrics/engines.prom");

/// The lines of `ENGINES` that begin with one of `names`.
fn of(names: &[&str]) -> String {
    let lines = ENGINES.lines();
    let own = lines.filter(|line| names.iter().any(|name| line.starts_with(name)));
    own.map(|line| format!("{line}\n")).collect()
}

/// The one engine of a page.
fn only(page: &str) -> Option<PageFigures> {
    let mut found = figures(page);
    assert!(found.len() < 2, "{found:?}");
    found.pop()
}

/// Of the figures, these; whatever else the page has.
#[track_caller]
fn has(page: &str, engine: ServerEngine, expect: &[(Quantity, f64)]) -> PageFigures {
    let found = only(page).expect("a known engine");
    assert_eq!(found.engine, engine);
    for (quantity, value) in expect {
        assert_eq!(found.figures.get(*quantity), Some(*value), "{quantity:?}");
    }
    found
}

/// These figures and no others.
#[track_caller]
fn check(page: &str, engine: ServerEngine, expect: ServerFigures) {
    let found = only(page).expect("a known engine");
    assert_eq!((found.engine, found.figures), (engine, expect));
}

#[test]
fn a_page_of_vllm() {
    let found = has(
        VLLM,
        Vllm,
        &[
            (Q::Running, 8.0),
            (Q::Waiting, 0.0),
            (Q::KvUsage, 0.003_908_158_280_410_356_5),
            (Q::Preemptions, 0.0),
            (Q::PrefixQueries, 749.0),
            (Q::PrefixHits, 0.0),
            (Q::Finished, 2.0),
        ],
    );
    assert_eq!(found.detail.bytes, Some(VLLM.len() as u64));
    assert_eq!((found.detail.malformed, found.detail.cut), (0, false));
    assert_eq!(found.detail.engines, [], "it has one");
    let ttft = found.detail.histograms.get(Q::Ttft).expect("a histogram");
    assert_eq!(ttft.bounds(), [0.1, 1.0, 10.0, 160.0]);
    assert_eq!(ttft.counts(), [1.0, 10.0, 10.0, 10.0, 10.0]);
    assert_eq!(ttft.sum(), Some(3.190_382_719_039_917));
}

#[test]
fn drafts_of_vllm_are_counted_over_its_engines() {
    let page = "\
vllm:spec_decode_num_drafts_total{engine=\"0\"} 10
vllm:spec_decode_num_drafts_total{engine=\"1\"} 5
vllm:spec_decode_num_draft_tokens_total{engine=\"0\"} 30
vllm:spec_decode_num_accepted_tokens_total{engine=\"0\"} 21
vllm:spec_decode_num_accepted_tokens_per_pos_total{engine=\"0\",position=\"0\"} 9
vllm:spec_decode_num_drafts_created{engine=\"0\"} 1.7e9
vllm:kv_cache_usage_perc{engine=\"0\"} 0.25
vllm:kv_cache_usage_perc{engine=\"1\"} 0.75
vllm:gpu_cache_usage_perc{engine=\"0\"} 0.1
";
    check(
        page,
        Vllm,
        ServerFigures::from([
            (Q::Drafts, 15.0),
            (Q::DraftTokens, 30.0),
            (Q::AcceptedTokens, 21.0),
            (Q::AcceptedByPosition, 9.0),
            (Q::KvUsage, 0.5),
        ]),
    );
    let old = "vllm:gpu_cache_usage_perc 0.1\n";
    let expect = ServerFigures::from([(Q::KvUsage, 0.1)]);
    check(old, Vllm, expect);
}

#[test]
fn pages_of_other_engines() {
    let inside =
        |running, waiting| ServerFigures::from([(Q::Running, running), (Q::Waiting, waiting)]);
    // Two ranks of one engine say 12 each: there are 12.
    let mut sglang = inside(12.0, 3.0);
    sglang.extend([(Q::KvUsage, 0.28), (Q::AcceptedLength, 2.75)]);
    check(&of(&["sglang:"]), Sglang, sglang);
    check(&of(&["llamacpp:"]), LlamaCpp, inside(4.0, 46.0));
    check(&of(&["tgi_"]), Tgi, inside(8.0, 2.0));
    let mut triton = inside(7.0, 5.0);
    triton.extend([(Q::KvUsage, 0.5)]);
    check(&of(&["nv_trt_llm"]), TensorrtLlm, triton);
    let own = "trtllm_num_requests_running 3\ntrtllm_num_requests_waiting 1\n";
    check(own, TensorrtLlm, inside(3.0, 1.0));
}

#[test]
fn a_figure_that_is_no_count_is_absent() {
    for value in ["NaN", "-1", "+Inf", "1e400"] {
        let page = format!(
            "vllm:num_requests_running{{engine=\"0\"}} 3\n\
             vllm:num_requests_running{{engine=\"1\"}} {value}\nvllm:num_requests_waiting 2\n"
        );
        let expect = ServerFigures::from([(Q::Waiting, 2.0)]);
        check(&page, Vllm, expect);
    }
}

#[test]
fn pages_without_a_known_series() {
    let page = "vllm:num_requests_running 3";
    for page in [
        "",
        "<html></html>",
        "up 1\nvllm:num_requests_runing 3\n",
        page,
    ] {
        assert_eq!(figures(page), [], "{page}");
    }
    let late = format!(
        "{}vllm:num_requests_running 3\n",
        "#\n".repeat(PAGE_LIMIT / 2)
    );
    assert_eq!(figures(&late), []);
}

#[test]
fn series_are_bounded() {
    let sets: String = (0..SETS_LIMIT + 5)
        .map(|n| format!("tgi_queue_size{{a=\"{n}\"}} 1\n"))
        .collect();
    let found = only(&sets).expect("an engine");
    assert_eq!(found.figures.get(Q::Waiting), Some(SETS_LIMIT as f64));
    assert!(found.detail.cut && found.detail.engines.is_empty());
}

#[test]
fn seeds_of_the_fuzz_target() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/metrics");
    let mut count = 0;
    for entry in std::fs::read_dir(dir).expect("seeds") {
        let seed = std::fs::read(entry.expect("an entry").path()).expect("a seed");
        fuzzing::metrics(&seed);
        for end in (0..seed.len()).step_by(1 + seed.len() / 64) {
            fuzzing::metrics(&seed[..end]);
            let mut altered = seed.clone();
            altered[end] ^= 0x20;
            fuzzing::metrics(&altered);
        }
        count += 1;
    }
    assert_eq!(count, 17);
}

#[test]
fn a_page_made_to_cost_much_is_looked_at_in_part() {
    // As many labels as a line can hold: that sample does not count, the others do.
    let many = "a=\"\",".repeat(LABELS_LIMIT / 5 + 1);
    let page = format!("vllm:num_requests_running{{{many}}} 7\nvllm:num_requests_waiting 2\n");
    check(&page, Vllm, ServerFigures::from([(Q::Waiting, 2.0)]));
    assert!(figures(&page)[0].detail.cut);
    // What stands behind the limit of samples is not read.
    let noise = "x 1\n".repeat(SAMPLES_LIMIT);
    let behind = format!("vllm:num_requests_waiting 2\n{noise}vllm:num_requests_running 7\n");
    check(&behind, Vllm, ServerFigures::from([(Q::Waiting, 2.0)]));
    assert!(figures(&behind)[0].detail.cut);
}

/// Lines as vLLM 0.32 writes them, of two engines.
const CACHE_PAGE: &str = "\
# HELP vllm:prefix_cache_queries_total Prefix cache queries, in terms of number of queried tokens.
# TYPE vllm:prefix_cache_queries_total counter
vllm:prefix_cache_queries_total{engine=\"0\",model_name=\"tiny} llama\"} 5175.0
vllm:prefix_cache_queries_total{engine=\"1\",model_name=\"tiny} llama\"} 25.0
vllm:prefix_cache_queries_created{engine=\"0\",model_name=\"tiny-llama\"} 1.7953473408093855e+09
vllm:prefix_cache_hits_total{engine=\"0\",model_name=\"tiny-llama\"} 12.0
vllm:external_prefix_cache_hits_total{engine=\"0\",model_name=\"tiny-llama\"} 9.0
";

fn counters_of(page: &str) -> Option<PrefixCounters> {
    PrefixCounters::of(&only(page)?.figures)
}

#[test]
fn counters_are_summed_over_engines() {
    let expect = PrefixCounters {
        queries: 5200.0,
        hits: 12.0,
    };
    assert_eq!(counters_of(CACHE_PAGE), Some(expect));
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
