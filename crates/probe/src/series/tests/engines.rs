//! One page of each engine: every quantity that its table has, beside what only some pages have.

use super::*;
use infermeter_core::server::ServerHistogram;
use std::collections::BTreeMap;

const VLLM_PARTS: &str = include_str!("../../../../../fuzz/seeds/metrics/vllm_parts.prom");
const SGLANG: &str = include_str!("../../../../../fuzz/seeds/metrics/sglang.prom");
const TENSORRT_LLM: &str = include_str!("../../../../../fuzz/seeds/metrics/tensorrt_llm.prom");
const TRITON: &str = include_str!("../../../../../fuzz/seeds/metrics/triton.prom");
const LLAMA_CPP: &str = include_str!("../../../../../fuzz/seeds/metrics/llama_cpp.prom");
const TGI: &str = include_str!("../../../../../fuzz/seeds/metrics/tgi.prom");
const DYNAMO: &str = include_str!("../../../../../fuzz/seeds/metrics/dynamo.prom");

fn histogram(le: &[f64], counts: &[f64], sum: f64) -> Option<ServerHistogram> {
    ServerHistogram::new(le.to_vec(), counts.to_vec(), Some(sum))
}

#[track_caller]
fn has_histogram(found: &PageFigures, quantity: Q, expect: Option<ServerHistogram>) {
    assert_eq!(found.detail.histograms.get(quantity), expect.as_ref());
}

fn parts(of: &[(&str, f64)]) -> BTreeMap<String, f64> {
    of.iter()
        .map(|(name, n)| ((*name).to_owned(), *n))
        .collect()
}

#[test]
fn two_engines_of_vllm() {
    let found = has(
        VLLM_PARTS,
        Vllm,
        &[
            (Q::Running, 8.0),
            (Q::PromptTokens, 800.0),
            (Q::CachedTokens, 50.0),
            (Q::GenerationTokens, 120.0),
            (Q::Finished, 12.0),
            (Q::Drafts, 10.0),
            (Q::AcceptedByPosition, 13.0),
            // Per GPU: two engines do not have twice as many each.
            (Q::Flops, 3e15),
        ],
    );
    let detail = &found.detail;
    let reasons = parts(&[("stop", 3.0), ("length", 9.0)]);
    assert_eq!(detail.parts.get(Q::Finished), Some(&reasons));
    let positions = parts(&[("0", 9.0), ("1", 4.0)]);
    assert_eq!(detail.parts.get(Q::AcceptedByPosition), Some(&positions));
    has_histogram(&found, Q::QueueTime, histogram(&[0.3], &[3.0, 8.0], 4.1));
    has_histogram(
        &found,
        Q::IterationTokens,
        histogram(&[8.0], &[3.0, 4.0], 40.0),
    );
    let running: Vec<(&str, Option<f64>)> = detail
        .engines
        .iter()
        .map(|engine| (&*engine.labels["engine"], engine.figures.get(Q::Running)))
        .collect();
    assert_eq!(running, [("0", Some(6.0)), ("1", Some(2.0))]);
    assert_eq!(
        detail.engines[0].figures.get(Q::Drafts),
        None,
        "one engine has it"
    );
}

#[test]
fn a_decode_pool_of_sglang() {
    let found = has(
        SGLANG,
        Sglang,
        &[
            (Q::Running, 16.0),
            (Q::Waiting, 3.0),
            (Q::KvUsage, 0.5),
            (Q::Preemptions, 7.0),
            (Q::Paused, 1.0),
            (Q::PrefixHitRate, 0.5),
            (Q::AcceptedLength, 2.75),
            (Q::AcceptanceRate, 0.5),
            (Q::PromptTokens, 8_000.0),
            (Q::CachedTokens, 4_000.0),
            (Q::GenerationTokens, 900.0),
            (Q::Finished, 40.0),
            (Q::Aborted, 2.0),
            (Q::PrefillBootstrap, 0.0),
            (Q::DecodePrealloc, 5.0),
            (Q::DecodeTransfer, 6.0),
            (Q::TransfersFailed, 1.0),
            (Q::TransferRate, 12.5e9),
            (Q::TransferLatency, 0.04),
            (Q::Balancedness, 0.875),
            (Q::TokenImbalance, 1.5),
            (Q::Flops, 2e15),
            (Q::BytesRead, 3e12),
        ],
    );
    has_histogram(
        &found,
        Q::Ttft,
        histogram(&[0.1, 1.0], &[10.0, 38.0, 40.0], 12.0),
    );
    has_histogram(&found, Q::TransferTime, None);
    let ranks = found.detail.engines.iter();
    let usage: Vec<_> = ranks.filter_map(|e| e.figures.get(Q::KvUsage)).collect();
    assert_eq!(
        usage,
        [0.75, 0.25],
        "data-parallel ranks are engines of their own"
    );
}

#[test]
fn a_histogram_where_older_versions_have_a_gauge() {
    let page = "sglang:kv_transfer_latency_ms_bucket{le=\"50\"} 2\n\
                sglang:kv_transfer_latency_ms_bucket{le=\"+Inf\"} 3\n\
                sglang:kv_transfer_latency_ms_sum 120\n";
    let found = has(page, Sglang, &[]);
    assert_eq!(found.figures.get(Q::TransferLatency), None);
    has_histogram(
        &found,
        Q::TransferTime,
        histogram(&[0.05], &[2.0, 3.0], 0.12),
    );
}

#[test]
fn a_page_of_tensorrt_llm() {
    let found = has(
        TENSORRT_LLM,
        TensorrtLlm,
        &[
            (Q::Running, 3.0),
            (Q::Waiting, 1.0),
            (Q::Paused, 2.0),
            (Q::KvUsage, 0.5),
            (Q::PrefixHitRate, 0.25),
            (Q::ReusedBlocks, 30.0),
            (Q::MissedBlocks, 90.0),
            (Q::DraftTokens, 100.0),
            (Q::AcceptedTokens, 60.0),
            (Q::Finished, 13.0),
            (Q::PromptTokens, 1_300.0),
            (Q::GenerationTokens, 650.0),
        ],
    );
    has_histogram(
        &found,
        Q::E2e,
        histogram(&[0.3, 0.5], &[2.0, 13.0, 13.0], 5.2),
    );
}

#[test]
fn a_front_end_and_what_is_behind_it_are_two_on_one_page() {
    let [backend, triton] = &figures(TRITON)[..] else {
        panic!("two engines");
    };
    assert_eq!((backend.engine, triton.engine), (TensorrtLlm, Triton));
    let expect = [(Q::Running, 7.0), (Q::Waiting, 5.0), (Q::KvUsage, 0.5)];
    assert_eq!(backend.figures, ServerFigures::from(expect));
    let expect = [(Q::Waiting, 4.0), (Q::Finished, 21.0), (Q::Failed, 2.0)];
    assert_eq!(triton.figures, ServerFigures::from(expect));
    has_histogram(triton, Q::Ttft, histogram(&[0.1], &[5.0, 21.0], 4.2));
    let [vllm, dynamo] = &figures(DYNAMO)[..] else {
        panic!("two engines");
    };
    assert_eq!((vllm.engine, dynamo.engine), (Vllm, Dynamo));
    let expect = [(Q::Running, 8.0), (Q::Waiting, 1.0)];
    assert_eq!(vllm.figures, ServerFigures::from(expect));
    for (quantity, value) in [
        (Q::Running, 9.0),
        (Q::AwaitingFirst, 3.0),
        (Q::KvUsage, 0.25),
        (Q::Finished, 51.0),
        (Q::PromptTokens, 5_100.0),
        (Q::GenerationTokens, 2_500.0),
    ] {
        assert_eq!(dynamo.figures.get(quantity), Some(value), "{quantity:?}");
    }
    has_histogram(dynamo, Q::Ttft, histogram(&[0.5], &[50.0, 50.0], 10.0));
    assert!(dynamo.engine.is_front_end() && !vllm.engine.is_front_end());
}

#[test]
fn pages_of_llama_cpp_and_tgi() {
    has(
        LLAMA_CPP,
        LlamaCpp,
        &[
            (Q::Running, 4.0),
            (Q::Waiting, 46.0),
            (Q::KvUsage, 0.125),
            (Q::KvTokens, 512.0),
            (Q::PromptTokens, 1_200.0),
            (Q::GenerationTokens, 800.0),
            (Q::TokenRate, 50.0),
        ],
    );
    let found = has(
        TGI,
        Tgi,
        &[
            (Q::Running, 8.0),
            (Q::Waiting, 2.0),
            (Q::PromptTokens, 3_000.0),
            (Q::GenerationTokens, 1_500.0),
            (Q::Finished, 30.0),
            (Q::Failed, 1.0),
        ],
    );
    has_histogram(
        &found,
        Q::E2e,
        histogram(&[1.0, 2.0], &[20.0, 30.0, 30.0], 27.0),
    );
    has_histogram(&found, Q::QueueTime, histogram(&[0.1], &[30.0, 30.0], 0.6));
}

#[test]
fn malformed_lines_are_counted_and_the_rest_is_read() {
    let page = "<html>\nvllm:num_requests_running 3\nvllm:num_requests_waiting{ 2\n\n# x\n1 2 3\n";
    let found = has(page, Vllm, &[(Q::Running, 3.0)]);
    assert_eq!(found.detail.malformed, 3);
}

#[test]
fn buckets_that_are_no_histogram_are_absent_and_too_many_are_said() {
    for bad in [
        "vllm:e2e_request_latency_seconds_bucket{le=\"1\"} 3\n",
        "vllm:e2e_request_latency_seconds_bucket{le=\"1\"} 3\nvllm:e2e_request_latency_seconds_count 2\n",
        "vllm:e2e_request_latency_seconds_bucket{le=\"+Inf\"} NaN\n",
    ] {
        let page = format!("{bad}vllm:num_requests_running 1\n");
        let found = has(&page, Vllm, &[(Q::Running, 1.0)]);
        has_histogram(&found, Q::E2e, None);
    }
    let many =
        (0..600).map(|n| format!("vllm:e2e_request_latency_seconds_bucket{{le=\"{n}\"}} 1\n"));
    let found = has(&many.collect::<String>(), Vllm, &[]);
    assert!(found.detail.cut);
}
