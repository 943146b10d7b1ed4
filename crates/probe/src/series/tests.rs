//! Figures from pages of each engine, and from pages that are broken.

use super::*;
use crate::fuzzing;
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

#[track_caller]
fn check(page: &str, engine: ServerEngine, expect: ServerFigures) {
    assert_eq!(figures(page), Some((engine, expect)));
}

#[test]
fn a_page_of_vllm() {
    check(
        VLLM,
        Vllm,
        ServerFigures {
            running: Some(8.0),
            waiting: Some(0.0),
            kv_usage: Some(0.003_908_158_280_410_356_5),
            preemptions: Some(0.0),
            prefix_queries: Some(749.0),
            prefix_hits: Some(0.0),
            ..ServerFigures::default()
        },
    );
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
        ServerFigures {
            drafts: Some(15.0),
            draft_tokens: Some(30.0),
            accepted_tokens: Some(21.0),
            kv_usage: Some(0.5),
            ..ServerFigures::default()
        },
    );
    let old = "vllm:gpu_cache_usage_perc 0.1\n";
    let expect = ServerFigures {
        kv_usage: Some(0.1),
        ..ServerFigures::default()
    };
    check(old, Vllm, expect);
}

#[test]
fn pages_of_other_engines() {
    let inside = |running, waiting| ServerFigures {
        running: Some(running),
        waiting: Some(waiting),
        ..ServerFigures::default()
    };
    // Two ranks of one engine say 12 each: there are 12.
    let sglang = ServerFigures {
        kv_usage: Some(0.28),
        accepted_length: Some(2.75),
        ..inside(12.0, 3.0)
    };
    check(&of(&["sglang:"]), Sglang, sglang);
    check(&of(&["llamacpp:"]), LlamaCpp, inside(4.0, 46.0));
    check(&of(&["tgi_"]), Tgi, inside(8.0, 2.0));
    let triton = ServerFigures {
        kv_usage: Some(0.5),
        ..inside(7.0, 5.0)
    };
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
        let expect = ServerFigures {
            waiting: Some(2.0),
            ..ServerFigures::default()
        };
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
        assert_eq!(figures(page), None, "{page}");
    }
    let late = format!(
        "{}vllm:num_requests_running 3\n",
        "#\n".repeat(PAGE_LIMIT / 2)
    );
    assert_eq!(figures(&late), None);
}

#[test]
fn series_are_bounded() {
    let sets: String = (0..SETS_LIMIT + 5)
        .map(|n| format!("tgi_queue_size{{a=\"{n}\"}} 1\n"))
        .collect();
    let waiting = figures(&sets).and_then(|(_, found)| found.waiting);
    assert_eq!(waiting, Some(SETS_LIMIT as f64));
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
    assert_eq!(count, 4);
}

#[test]
fn a_page_made_to_cost_much_is_looked_at_in_part() {
    // As many labels as a line can hold: that sample does not count, the others do.
    let many = "a=\"\",".repeat(LABELS_LIMIT / 5 + 1);
    let page = format!("vllm:num_requests_running{{{many}}} 7\nvllm:num_requests_waiting 2\n");
    let (_, figures) = figures(&page).expect("an engine");
    assert_eq!((figures.running, figures.waiting), (None, Some(2.0)));
    // What stands behind the limit of samples is not read.
    let noise = "x 1\n".repeat(SAMPLES_LIMIT);
    let behind = format!("vllm:num_requests_waiting 2\n{noise}vllm:num_requests_running 7\n");
    let (_, figures) = super::figures(&behind).expect("an engine");
    assert_eq!((figures.running, figures.waiting), (None, Some(2.0)));
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
    PrefixCounters::of(&figures(page)?.1)
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
