//! Every format, read by content; names translated by definition; a fact that is deleted gives
//! "cannot tell"; damaged files give an answer and never a panic.

mod deletion;
mod hostile;
mod samples;

use infermeter_audit::evidence::sides;
use infermeter_audit::facts::{Facts, LoadModel, Metric, SetupItem, TokenSource};
use infermeter_audit::import::{ImportError, Mapping, read};
use infermeter_audit::{Format, Kind, Outcome, Side, audit};
use samples::{
    AIPERF, AIPERF_CSV, AIPERF_REQUESTS, EVALSCOPE, EVALSCOPE_OLD, EVALSCOPE_PERCENTILES,
    GENAI_BENCH, GENAI_PERF, GENAI_PERF_CSV, GUIDELLM, GUIDELLM_CSV, GUIDELLM_OLD, INFERENCE_PERF,
    INFERENCEX, INFERENCEX_API, LLM_PERF, LLMD, LLMETER, LLMETER_REQUESTS, LLMPERF,
    LLMPERF_REQUESTS, MLPERF_DETAIL, MLPERF_ENDPOINTS, MLPERF_SUMMARY, OHA, SAMPLES, SGLANG, VLLM,
    VLLM_OLD, VLLM_PLAIN, VLLM_RUST,
};
use serde_json::Value;

fn one(text: &str) -> Facts {
    let mut results = read(text.as_bytes()).expect("readable");
    assert_eq!(results.len(), 1);
    results.remove(0)
}

fn checks(results: Vec<Facts>) -> Vec<Outcome> {
    let side = Side {
        name: "side".to_owned(),
        results,
    };
    audit(&[side]).checks
}

fn answer(results: Vec<Facts>, code: &str) -> Outcome {
    let found = checks(results).into_iter().find(|c| c.code == code);
    found.expect("a check of this code")
}

#[test]
fn formats_are_told_by_content() {
    for (text, format) in SAMPLES {
        assert_eq!(one(text).format, format);
    }
}

#[test]
fn appended_results_are_several() {
    let twice = format!("{}\n{}\n", VLLM_PLAIN.trim(), VLLM_OLD.trim());
    let results = read(twice.as_bytes()).expect("readable");
    let sources: Vec<&str> = results.iter().map(|f| f.source.as_str()).collect();
    assert_eq!(sources, ["line 1", "line 2"]);
    let list = format!("[{}, {}]", VLLM_PLAIN.trim(), VLLM_OLD.trim());
    let results = read(list.as_bytes()).expect("readable");
    let sources: Vec<&str> = results.iter().map(|f| f.source.as_str()).collect();
    assert_eq!(sources, ["element 1", "element 2"]);
}

#[track_caller]
fn mean_is(text: &str, metric: Metric, ms: f64) {
    let mean = one(text).latency[&metric].mean.expect("a mean");
    assert!((mean - ms).abs() < 1e-6 * ms.abs(), "{mean} is not {ms}");
}

#[test]
fn names_are_translated_by_definition() {
    // "itl" is the gap between chunks.
    mean_is(VLLM, Metric::ChunkGap, 11.72977571874867);
    mean_is(SGLANG, Metric::ChunkGap, 12.878471991111114);
    // "inter_token_latency" is TPOT, in two tools.
    mean_is(AIPERF, Metric::Tpot, 10.640006592982457);
    mean_is(AIPERF, Metric::ChunkGap, 13.477341684444443);
    mean_is(GUIDELLM, Metric::Tpot, 18.900233109792076);
    // "time_per_output_token" has TTFT inside in one tool, and not in the other.
    mean_is(GUIDELLM, Metric::Ntpot, 27.557507902383804);
    mean_is(INFERENCE_PERF, Metric::Tpot, 9.2);
    // An "inter-token latency" with TTFT inside; seconds.
    mean_is(LLMPERF, Metric::Ntpot, 18.185180154130596);
    assert!(!one(LLMPERF).latency.contains_key(&Metric::Itl));
    // Units are the file's own.
    mean_is(LLMD, Metric::Ttft, 80.0);
    mean_is(LLMD, Metric::Tpot, 11.0);
    mean_is(GENAI_BENCH, Metric::E2e, 1051.9);
}

#[test]
fn a_csv_says_what_the_json_of_its_tool_says() {
    let close = |a: f64, b: f64| assert!((a - b).abs() <= 0.005 + 1e-9, "{a} is not {b}");
    for (csv, json) in [(AIPERF_CSV, AIPERF), (GUIDELLM_CSV, GUIDELLM)] {
        let (csv, json) = (one(csv), one(json));
        assert!(csv.abridged && !json.abridged);
        assert_eq!(
            csv.latency.keys().collect::<Vec<_>>(),
            json.latency.keys().collect::<Vec<_>>()
        );
        for (metric, statistics) in &csv.latency {
            let whole = &json.latency[metric];
            close(statistics.mean.expect("mean"), whole.mean.expect("mean"));
            for p in [50.0, 90.0, 99.0] {
                let pair = statistics.percentile(p).zip(whole.percentile(p));
                let (one, other) = pair.expect("a percentile");
                close(one, other);
            }
        }
        assert_eq!(csv.counts.completed, json.counts.completed);
        close(
            csv.rates.output.expect("a rate"),
            json.rates.output.expect("a rate"),
        );
    }
    assert_eq!(
        one(AIPERF_CSV).setup[&SetupItem::GpuModel],
        "NVIDIA H100 80GB HBM3"
    );
    assert!(!one(AIPERF_CSV).setup.contains_key(&SetupItem::GpuCount));
    let older = one(GENAI_PERF_CSV);
    assert_eq!(older.percentile(Metric::Ttft, 99.0), Some(1210.0));
    assert_eq!(older.counts.completed, Some(600.0));
    assert!(older.latency.contains_key(&Metric::Tpot) && !older.latency.contains_key(&Metric::Itl));
}

#[test]
fn guidellm_before_its_change_of_layout() {
    let facts = one(GUIDELLM_OLD);
    // Neither TPOT nor NTPOT there.
    assert!(!facts.latency.contains_key(&Metric::Ntpot));
    mean_is(GUIDELLM_OLD, Metric::Tpot, 40.0);
    mean_is(GUIDELLM_OLD, Metric::E2e, 1000.0);
    assert_eq!(facts.load.model, Some(LoadModel::Open));
    assert_eq!(facts.load.rate, Some(5.0));
    assert_eq!(facts.load.warmup_requests, Some(60.0));
    assert_eq!(facts.load.send_lag_ms, Some(0.4));
    assert_eq!(
        (facts.counts.completed, facts.counts.failed),
        (Some(600.0), Some(1.0))
    );
    assert_eq!(facts.percentile_rule, None);
    assert_eq!(facts.requests.len(), 2);
    assert!(!facts.has_all_requests());
    let tpot = facts.requests[0].tpot_ms.expect("two instants");
    assert!((tpot - 40.0).abs() < 1e-6, "{tpot}");
}

#[test]
fn the_logs_of_mlperf() {
    for text in [MLPERF_SUMMARY, MLPERF_DETAIL] {
        let facts = one(text);
        assert_eq!(facts.load.model, Some(LoadModel::Open));
        assert_eq!(
            (facts.load.rate, facts.rates.requests),
            (Some(10.0), Some(9.87))
        );
        assert_eq!(facts.rates.output, Some(1974.5));
        assert_eq!(facts.percentile(Metric::Ttft, 99.0), Some(410.0));
        assert_eq!(facts.percentile(Metric::Tpot, 99.0), Some(32.0));
        assert_eq!(facts.percentile(Metric::E2e, 50.0), Some(4000.0));
        mean_is(text, Metric::E2e, 4100.0);
        mean_is(text, Metric::Ttft, 120.0);
        mean_is(text, Metric::Tpot, 20.0);
        assert_eq!(facts.seed.as_deref(), Some("1/2/3"));
        assert_eq!(facts.counts.failed, None);
    }
    let (summary, detail) = (one(MLPERF_SUMMARY), one(MLPERF_DETAIL));
    assert_eq!(
        (summary.counts.completed, detail.counts.completed),
        (None, Some(6010.0))
    );
    assert_eq!(
        (summary.tool_says_valid, detail.tool_says_valid),
        (Some(true), Some(false))
    );
    assert_eq!(detail.rates.objectives_met, Some(false));
    let offline = MLPERF_SUMMARY.replace("Scenario : Server", "Scenario : Offline");
    assert_eq!(one(&offline).load.model, Some(LoadModel::Burst));
    let several = MLPERF_SUMMARY.replace("Scenario : Server", "Scenario : Multi Stream");
    assert!(!one(&several).latency.contains_key(&Metric::E2e));
    let endpoints = one(MLPERF_ENDPOINTS);
    assert_eq!(endpoints.load.model, Some(LoadModel::Closed));
    assert_eq!(endpoints.load.concurrency, Some(42.0));
    assert_eq!(endpoints.load.duration_s, Some(1200.0));
    assert_eq!(endpoints.tokens.source, Some(TokenSource::Tokenizer));
    assert_eq!(endpoints.counts.finish_reasons["stop"], 11_000);
    mean_is(MLPERF_ENDPOINTS, Metric::Ttft, 200.0);
    mean_is(MLPERF_ENDPOINTS, Metric::E2e, 4180.0);
}

#[test]
fn facts_of_the_load_and_the_set_up() {
    let vllm = one(VLLM);
    assert_eq!(vllm.load.model, Some(LoadModel::Open));
    assert_eq!(
        (vllm.load.rate, vllm.load.asked_requests),
        (Some(5.0), Some(20.0))
    );
    assert_eq!((vllm.requests.len(), vllm.counts.failed), (20, Some(0.0)));
    assert_eq!(
        vllm.percentile(Metric::Ttft, 99.0),
        Some(116.67912292009984)
    );
    assert_eq!(one(VLLM_OLD).counts.failed, None);
    assert_eq!(one(VLLM_RUST).counts.failed, Some(0.0));
    let sglang = one(SGLANG);
    assert_eq!(sglang.tokens.asked_output, Some(16.0));
    assert_eq!(sglang.tokens.output_recount, Some(600.0));
    let aiperf = one(AIPERF);
    assert_eq!(aiperf.tokens.source, Some(TokenSource::Tokenizer));
    assert_eq!(aiperf.load.warmup_requests, Some(0.0));
    assert_eq!(aiperf.setup[&SetupItem::ClientPlacement], "same host");
    let guidellm = one(GUIDELLM);
    assert_eq!(
        guidellm.percentile(Metric::E2e, 99.9),
        Some(560.5087280273438)
    );
    assert_eq!(guidellm.client_cores, Some(10.0));
    let llmd = one(LLMD);
    assert_eq!(llmd.setup[&SetupItem::GpuModel], "H100");
    assert_eq!(llmd.setup[&SetupItem::TensorParallel], "8");
    assert_eq!(llmd.counts.completed, Some(1200.0));
    assert_eq!(one(LLMPERF).load.model, Some(LoadModel::Closed));
    assert!(one(LLMPERF_REQUESTS).requests[1].failed);
}

#[test]
fn evalscope_by_its_old_names_and_its_new_ones() {
    let facts = one(EVALSCOPE);
    assert_eq!(facts.load.model, Some(LoadModel::Closed));
    assert_eq!(facts.load.concurrency, Some(8.0));
    assert_eq!(
        (facts.counts.completed, facts.tokens.output),
        (Some(400.0), Some(80_000.0))
    );
    mean_is(EVALSCOPE, Metric::Ttft, 180.0);
    mean_is(EVALSCOPE, Metric::ChunkGap, 16.9);
    mean_is(EVALSCOPE, Metric::E2e, 3580.0);
    mean_is(EVALSCOPE_OLD, Metric::Ttft, 273.4);
    mean_is(EVALSCOPE_OLD, Metric::ChunkGap, 16.5);
    assert_eq!(one(EVALSCOPE_OLD).load.model, Some(LoadModel::Open));
    assert_eq!(one(EVALSCOPE_OLD).counts.failed, Some(2.0));
    // Percentiles lie in a file beside it, as rows or as columns.
    let in_folder = |text: &str, file: &str| {
        let mut facts = one(text);
        facts.source = format!("runs/parallel_8/{file}");
        facts
    };
    let both = vec![
        in_folder(EVALSCOPE, "benchmark_summary.json"),
        in_folder(EVALSCOPE_PERCENTILES, "benchmark_percentile.json"),
    ];
    let side = sides("runs", both).remove(0);
    assert_eq!(side.results.len(), 1);
    let joined = &side.results[0];
    assert_eq!(joined.percentile(Metric::Ttft, 99.0), Some(410.0));
    assert_eq!(joined.percentile(Metric::E2e, 50.0), Some(3500.0));
    assert_eq!(joined.latency[&Metric::E2e].mean, Some(3580.0));
    let columns =
        r#"{"Percentiles": ["50%", "99%"], "Latency (s)": [1.5, 2.5], "TTFT (s)": [0.1, null]}"#;
    assert_eq!(one(columns).percentile(Metric::E2e, 99.0), Some(2500.0));
    assert_eq!(one(columns).percentile(Metric::Ttft, 99.0), None);
}

#[test]
fn time_that_no_request_explains_is_the_clients() {
    let alone = EVALSCOPE.replacen("\"Concurrency\": 8", "\"Concurrency\": 1", 1);
    // 400 requests of 3.58 s, one after the other, are 1,432 s.
    for (seconds, kind) in [("1440.0", Kind::Pass), ("2148.0", Kind::Fail)] {
        let text = alone.replacen("180.4", seconds, 1);
        let found = answer(vec![one(&text)], "time-outside-requests");
        assert_eq!(found.answer, kind, "{found:?}");
        if kind == Kind::Fail {
            let evidence = found.evidence.expect("a failure");
            assert!(
                evidence.starts_with("33.3 % of the 2,148 s lie outside"),
                "{evidence}"
            );
        }
    }
    let without = alone.replacen("Test Duration (s)", "x", 1);
    let found = answer(vec![one(&without)], "time-outside-requests");
    assert_eq!(found.answer, Kind::CannotTell);
    // Slots that wait for the last answer explain as much as the longest one.
    let found = answer(vec![one(EVALSCOPE)], "time-outside-requests");
    assert_eq!(found.missing.as_deref(), Some("longest E2E"));
}

#[test]
fn figures_that_their_own_percentiles_exclude_cannot_be() {
    let wrong = |change: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_str(AIPERF).expect("JSON");
        change(&mut value["time_to_first_token"]);
        answer(vec![one(&value.to_string())], "impossible-values").evidence
    };
    assert_eq!(wrong(&|_| {}), None);
    let cases: [(&str, &str, f64); 5] = [
        ("avg", "TTFT mean outside its range", 1e6),
        ("max", "TTFT percentiles outside its range", 60.0),
        ("std", "TTFT deviation beyond its range", 1e5),
        ("p50", "TTFT percentiles that fall", 1e5),
        ("min", "TTFT minimum above its maximum", 1e5),
    ];
    for (member, words, x) in cases {
        let evidence = wrong(&|ttft| ttft[member] = x.into()).unwrap_or_default();
        assert!(evidence.contains(words), "no `{words}` in {evidence}");
    }
    // Half of the values lie at or below the median: so high no mean of them can be.
    let evidence = wrong(&|ttft| ttft["avg"] = (ttft["max"].as_f64().expect("max") - 0.01).into());
    let evidence = evidence.unwrap_or_default();
    assert!(
        evidence.contains("TTFT mean that its percentiles exclude"),
        "{evidence}"
    );
    // Without a maximum it may be a heavy tail: then it is one or two requests.
    let text = VLLM.replacen("\"mean_ttft_ms\": 71.04", "\"mean_ttft_ms\": 171.04", 1);
    let found = answer(vec![one(&text)], "mean-beyond-tail");
    assert_eq!(found.answer, Kind::Fail, "{found:?}");
}

#[test]
fn one_rule_for_p99_whatever_the_tool_interpolates() {
    for text in [VLLM, GUIDELLM, AIPERF, LLMPERF] {
        let found = answer(vec![one(text)], "p99-is-max");
        assert_eq!(found.answer, Kind::Fail, "{found:?}");
    }
}

#[test]
fn frames_behind_the_last_token_break_no_identity() {
    let rows = |end: f64| {
        let row = format!(
            r#"{{"start_time": 10.0, "end_time": {end}, "request": "x", "error": null, "info":
            {{"input_tokens": 5, "response_metrics": {{"output_tokens": 3, "chunk_times": [10.2, 10.4, 10.9]}}}}}}"#
        );
        answer(vec![one(&format!("[{row}]"))], "identities-broken")
    };
    assert_eq!(rows(10.9).answer, Kind::Pass);
    let trailing = rows(11.1);
    assert_eq!(trailing.answer, Kind::CannotTell);
    assert!(
        trailing
            .missing
            .is_some_and(|m| m.contains("ends with the stream"))
    );
    assert_eq!(rows(10.7).answer, Kind::Fail);
}

#[test]
fn a_slot_that_stays_empty_is_the_clients_doing() {
    let found = answer(vec![one(LLMPERF)], "concurrency-disagrees");
    let evidence = found
        .evidence
        .expect("10 requests of 0.28 s in 70 s at concurrency 2");
    assert!(
        evidence.ends_with("The rest is the client's, between requests."),
        "{evidence}"
    );
    assert!(!found.message.contains("server"), "{}", found.message);
}

#[test]
fn llmeter_by_its_statistics_and_its_responses() {
    let facts = one(LLMETER);
    assert_eq!(facts.load.model, Some(LoadModel::Closed));
    assert_eq!(
        (facts.counts.completed, facts.counts.failed),
        (Some(59.0), Some(1.0))
    );
    assert_eq!(facts.percentile(Metric::Ttft, 99.0), Some(610.0));
    mean_is(LLMETER, Metric::E2e, 3000.0);
    mean_is(LLMETER, Metric::Tpot, 27.3);
    let requests = one(LLMETER_REQUESTS);
    assert_eq!(
        (requests.requests.len(), requests.counts.failed),
        (4, Some(1.0))
    );
    assert_eq!(requests.requests[0].e2e_ms, Some(1250.0));
    assert!(requests.requests[0].prompt_key.is_some());
}

#[test]
fn tools_that_know_no_tokens_or_no_server() {
    let oha = one(OHA);
    assert_eq!(
        (oha.counts.completed, oha.counts.failed),
        (Some(495.0), Some(6.0))
    );
    assert_eq!(oha.latency[&Metric::E2e].n, Some(500.0));
    assert_eq!(oha.percentile(Metric::E2e, 99.9), Some(3400.0));
    assert!(!oha.latency.contains_key(&Metric::Ttft));
    let row = one(INFERENCEX);
    assert_eq!(row.percentile(Metric::Ttft, 99.0), Some(310.0));
    mean_is(INFERENCEX, Metric::E2e, 12_900.0);
    mean_is(INFERENCEX, Metric::ChunkGap, 12.6);
    assert_eq!(row.setup[&SetupItem::GpuCount], "8");
    assert_eq!(
        (row.load.concurrency, row.rates.per_gpu),
        (Some(64.0), Some(617.3))
    );
    let api = one(INFERENCEX_API);
    assert_eq!(api.setup[&SetupItem::GpuCount], "24");
    assert_eq!(api.setup[&SetupItem::Speculation], "mtp");
    mean_is(INFERENCEX_API, Metric::Ttft, 94.0);
    let agentic = r#"{"conc": 8, "framework": "vllm", "hw": "h100", "num_requests_total": 9,
        "num_requests_successful": 8, "request_metrics": {"qps": 0.5, "latency":
        {"ttft": {"mean": 0.5, "p50": 0.4, "p95": 1.5}}}}"#;
    assert_eq!(one(agentic).percentile(Metric::Ttft, 95.0), Some(1500.0));
    assert_eq!(one(agentic).counts.failed, Some(1.0));
    // The second configuration was not measured.
    let llm_perf = one(LLM_PERF);
    assert_eq!(llm_perf.source, "row 1");
    mean_is(LLM_PERF, Metric::Ttft, 360.0);
    mean_is(LLM_PERF, Metric::Tpot, 32.0);
    assert_eq!(llm_perf.rates.output, Some(31.2));
}

#[test]
fn requests_of_aiperf_hold_both_counts_and_their_connections() {
    let facts = one(AIPERF_REQUESTS);
    let (input, recount) = (facts.tokens.input, facts.tokens.input_recount);
    assert!(input.is_some() && recount.is_some(), "{:?}", facts.tokens);
    assert!(facts.new_connections.is_some());
    let told = |code: &str| answer(vec![one(AIPERF_REQUESTS)], code).answer != Kind::CannotTell;
    assert!(told("prompt-tokens-disagree") && told("connections-opened-inside"));
    // The client's tokenizer counts 50 in each prompt, the server's usage ranges.
    assert_eq!(
        answer(vec![one(AIPERF)], "fixed-prompt-length").answer,
        Kind::Pass
    );
}

#[test]
fn an_infinite_rate_is_a_burst_or_a_closed_loop() {
    let infinite = SGLANG.replacen("\"request_rate\":5.0", "\"request_rate\":Infinity", 1);
    let burst = one(&infinite);
    assert_eq!(
        (burst.load.model, burst.not_finite),
        (Some(LoadModel::Burst), 0)
    );
    let capped = infinite.replacen("\"max_concurrency\":null", "\"max_concurrency\":8", 1);
    assert_eq!(one(&capped).load.model, Some(LoadModel::Closed));
    let as_text = VLLM.replacen("\"request_rate\": 5.0", "\"request_rate\": \"inf\"", 1);
    assert_eq!(one(&as_text).load.model, Some(LoadModel::Burst));
}

/// Removes the members that a path names; `*` is every member, and every element of lists.
fn delete(value: &mut Value, path: &[&str]) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    match value {
        Value::Array(list) => {
            let whole = if *first == "*" { rest } else { path };
            list.iter_mut().for_each(|v| delete(v, whole));
        }
        Value::Object(map) if rest.is_empty() => {
            map.shift_remove(*first);
        }
        Value::Object(map) => {
            if let Some(inner) = map.get_mut(*first) {
                delete(inner, rest);
            }
        }
        _ => {}
    }
}

/// A sample, the members to delete, and the check that then cannot tell.
const DELETED: &[(&str, &[&str], &str)] = &[
    (VLLM, &["request_rate"], "load-not-delivered"),
    (VLLM, &["request_rate"], "closed-loop"),
    (VLLM, &["burstiness"], "constant-arrivals"),
    (VLLM, &["failed"], "conservation"),
    (VLLM, &["output_lens"], "empty-answers"),
    (
        VLLM,
        &["itls", "latencies", "mean_e2el_ms"],
        "identities-broken",
    ),
    (VLLM, &["input_lens"], "fixed-prompt-length"),
    (VLLM, &["ttfts", "itls"], "cold-start-samples"),
    (VLLM, &["output_throughput", "itls"], "client-bound-likely"),
    (VLLM, &["num_prompts"], "conservation"),
    (VLLM_PLAIN, &["total_output_tokens"], "prefill-only"),
    (
        VLLM_OLD,
        &["p99_ttft_ms", "p99_tpot_ms", "p99_e2el_ms"],
        "tail-ratio",
    ),
    (SGLANG, &["dataset_name"], "single-dataset"),
    (SGLANG, &["errors"], "failures"),
    (SGLANG, &["random_output_len"], "length-not-obeyed"),
    (
        SGLANG,
        &["total_output_tokens", "output_lens"],
        "token-counts-disagree",
    ),
    (AIPERF, &["benchmark_duration"], "short-level"),
    (AIPERF, &["credit_to_start_latency"], "send-lag"),
    (
        AIPERF,
        &["http_req_connection_reused"],
        "connections-opened-inside",
    ),
    (
        AIPERF,
        &["total_usage_completion_tokens"],
        "token-counts-disagree",
    ),
    (
        AIPERF,
        &["total_usage_prompt_tokens"],
        "prompt-tokens-disagree",
    ),
    (AIPERF, &["input_config.phases"], "no-warmup"),
    (
        AIPERF,
        &["input_config.endpoint.urls"],
        "host-shared-with-server",
    ),
    (AIPERF, &["is_complete", "was_cancelled"], "interrupted"),
    (AIPERF, &["request_error_rate"], "failures"),
    (AIPERF, &["usage_prompt_tokens"], "fixed-prompt-length"),
    (
        EVALSCOPE,
        &["Request Rate (req/s)", "Concurrency"],
        "closed-loop",
    ),
    (LLMETER, &["failed_requests"], "failures"),
    (LLMETER, &["total_test_time"], "short-level"),
    (OHA, &["errorDistribution"], "failures"),
    (GENAI_PERF, &["input_config.perf_analyzer"], "closed-loop"),
    (GENAI_PERF, &["request_throughput"], "concurrency-disagrees"),
    (GUIDELLM, &["benchmarks.*.warmup_duration"], "no-warmup"),
    (GUIDELLM, &["benchmarks.*.duration"], "short-level"),
    (
        GUIDELLM,
        &["benchmarks.*.metrics.request_totals.errored"],
        "failures",
    ),
    (
        GUIDELLM,
        &["benchmarks.*.config.backend.target"],
        "host-shared-with-server",
    ),
    (
        GUIDELLM,
        &["benchmarks.*.requests.successful.*.request_args"],
        "repeated-prompts",
    ),
    (
        GUIDELLM,
        &["benchmarks.*.requests.successful.*.output"],
        "repeated-answers",
    ),
    (
        INFERENCE_PERF,
        &["load_summary.requested_rate"],
        "closed-loop",
    ),
    (INFERENCE_PERF, &["load_summary.schedule_delay"], "send-lag"),
    (INFERENCE_PERF, &["failures"], "failures"),
    (INFERENCE_PERF, &["benchmark_time_seconds"], "short-level"),
    (
        INFERENCE_PERF,
        &["successes.prompt_len"],
        "fixed-prompt-length",
    ),
    (LLMPERF, &["results_number_errors"], "failures"),
    (
        LLMPERF,
        &["results_num_completed_requests_per_min"],
        "concurrency-disagrees",
    ),
    (
        LLMPERF,
        &["results_num_completed_requests"],
        "nothing-measured",
    ),
    (
        GENAI_BENCH,
        &["aggregated_metrics.num_concurrency"],
        "closed-loop",
    ),
    (
        GENAI_BENCH,
        &["aggregated_metrics.num_error_requests"],
        "failures",
    ),
    (
        GENAI_BENCH,
        &["aggregated_metrics.run_duration"],
        "short-level",
    ),
    (
        LLMD,
        &["results.request_performance.aggregate.requests.failures"],
        "failures",
    ),
    (LLMD, &["scenario.load"], "closed-loop"),
    (
        LLMD,
        &["results.request_performance.aggregate.requests.input_length"],
        "fixed-prompt-length",
    ),
    (LLMD, &["scenario.stack"], "engine-unstated"),
    (LLMD, &["scenario.stack"], "per-gpu-missing"),
    (
        GUIDELLM_OLD,
        &["benchmarks.*.args.warmup_number"],
        "no-warmup",
    ),
    (
        GUIDELLM_OLD,
        &["benchmarks.*.args.strategy.type_"],
        "closed-loop",
    ),
    (GUIDELLM_OLD, &["benchmarks.*.run_stats"], "send-lag"),
    (GUIDELLM_OLD, &["benchmarks.*.duration"], "short-level"),
    (
        GUIDELLM_OLD,
        &["benchmarks.*.request_totals.errored"],
        "failures",
    ),
    (
        MLPERF_ENDPOINTS,
        &["run_config.load_pattern.type"],
        "closed-loop",
    ),
    (MLPERF_ENDPOINTS, &["n_samples_failed"], "failures"),
    (MLPERF_ENDPOINTS, &["complete"], "interrupted"),
    (MLPERF_ENDPOINTS, &["complete"], "histogram-percentile"),
    (
        MLPERF_ENDPOINTS,
        &["finish_reason_counts"],
        "truncated-answers",
    ),
    (
        MLPERF_ENDPOINTS,
        &["output_sequence_lengths", "tps"],
        "client-token-counts",
    ),
    (MLPERF_ENDPOINTS, &["qps"], "concurrency-disagrees"),
];

/// The same of texts: a sample, what the deleted lines hold, and the check.
const DELETED_LINES: &[(&str, &[&str], &str)] = &[
    (MLPERF_SUMMARY, &["Result is"], "invalid-by-its-tool"),
    (
        MLPERF_SUMMARY,
        &["Performance constraints"],
        "throughput-beyond-slo",
    ),
    (MLPERF_SUMMARY, &["target_qps"], "single-load-level"),
    (MLPERF_SUMMARY, &["99.00 percentile"], "tail-ratio"),
    (MLPERF_DETAIL, &["result_validity"], "invalid-by-its-tool"),
    (
        MLPERF_DETAIL,
        &["result_query_count"],
        "percentile-unsupported",
    ),
    (MLPERF_DETAIL, &["result_query_count"], "nothing-measured"),
    (AIPERF_CSV, &["Benchmark Duration"], "short-level"),
    (AIPERF_CSV, &["Request Count"], "percentile-unsupported"),
    (GENAI_PERF_CSV, &["Request Count"], "nothing-measured"),
    (GENAI_PERF_CSV, &["Output Sequence Length"], "prefill-only"),
];

#[test]
fn without_the_field_nobody_can_tell() {
    for (text, paths, code) in DELETED {
        let mut value: Value = serde_json::from_str(text).expect("JSON");
        for path in *paths {
            delete(&mut value, &path.split('.').collect::<Vec<_>>());
        }
        cannot_tell_without(code, text, &value.to_string(), paths);
    }
    for (text, deleted, code) in DELETED_LINES {
        let kept = text
            .lines()
            .filter(|line| !deleted.iter().any(|d| line.contains(d)));
        let less = kept.collect::<Vec<_>>().join("\n");
        cannot_tell_without(code, text, &less, deleted);
    }
}

#[track_caller]
fn cannot_tell_without(code: &str, text: &str, less: &str, what: &[&str]) {
    let of = |text: &str| answer(read(text.as_bytes()).expect("readable"), code);
    let (before, after) = (of(text), of(less));
    assert_eq!(
        after.answer,
        Kind::CannotTell,
        "{code} without {what:?}: {after:?}"
    );
    assert!(after.missing.is_some_and(|missing| !missing.is_empty()));
    let told = matches!(before.answer, Kind::Pass | Kind::Fail);
    assert!(
        told || code == "engine-unstated",
        "{code} was not told before: {before:?}"
    );
}

#[track_caller]
fn refused(bytes: &[u8], words: &[&str]) {
    let error = read(bytes).expect_err("no result").to_string();
    for word in words {
        assert!(error.contains(word), "no `{word}` in {error}");
    }
}

#[test]
fn bad_files_are_refused_with_a_reason() {
    refused(b"", &["empty"]);
    refused(b" \n\t\n", &["empty"]);
    refused(b"PAR1\x00\x01", &["Parquet", "run's directory"]);
    refused(&[0xff, 0xfe, 0x00], &["not text"]);
    refused(&VLLM.as_bytes()[..2000], &["cut short or damaged"]);
    refused(b"hello, world", &["--map"]);
    refused(
        br#"{"completed": 1, "duration": 2.0}"#,
        &["no known format", "nearest is", "`total_", "--map"],
    );
    refused(
        br#"{"a": 1}"#,
        &["no known format", "known are GuideLLM", "AIPerf"],
    );
    let deep = format!("benchmarks:\n  a: {}", "[".repeat(5000));
    refused(deep.as_bytes(), &["YAML", "cannot be read"]);
    refused(
        b"version: 1\nresults: {a: [}\n",
        &["YAML", "cannot be read"],
    );
    refused(
        br#"{"format_version": 1, "run_id": "x"}"#,
        &["give its directory"],
    );
    let half = format!("{}\n{}", SGLANG.trim(), &SGLANG[..500]);
    refused(half.as_bytes(), &["line 2"]);
    refused(b"[1, 2]", &["no known format"]);
    refused(b"[]", &["no known format"]);
    let deep = "[".repeat(100_000);
    assert!(matches!(
        read(deep.as_bytes()),
        Err(ImportError::BadJson(_))
    ));
}

#[test]
fn odd_values_are_named_and_never_printed_as_nan() {
    let spoilt = VLLM
        .replacen(
            "\"mean_ttft_ms\": 71.04444679998778",
            "\"mean_ttft_ms\": NaN",
            1,
        )
        .replacen("\"duration\": 4.242581685999994", "\"duration\": 1e999", 1)
        .replacen(
            "\"total_input_tokens\": 780",
            "\"total_input_tokens\": 1e300",
            1,
        );
    let found = answer(vec![one(&spoilt)], "impossible-values");
    assert_eq!(found.answer, Kind::Fail);
    assert_eq!(found.evidence.as_deref(), Some("2 numbers not finite."));
    let unequal = VLLM.replacen("\"output_lens\": [16, ", "\"output_lens\": [", 1);
    let found = answer(vec![one(&unequal)], "impossible-values");
    let evidence = found.evidence.expect("a failure");
    assert!(
        evidence.contains("unequal length (ttfts 20, output_lens 19)"),
        "{evidence}"
    );
    let negative = VLLM.replacen("\"ttfts\": [0.06", "\"ttfts\": [-0.06", 1);
    let found = answer(vec![one(&negative)], "impossible-values");
    let evidence = found.evidence.expect("a failure");
    assert!(
        evidence.contains("negative times in 1 request"),
        "{evidence}"
    );
}

#[test]
fn a_mapping_reads_what_is_not_known() {
    let mapping = Mapping::parse(
        "unit = \"s\"\n[values]\nrate = \"qps\"\n\"ttft.p99\" = \"TTFT p99\"\n\"ttft.mean\" = \
         \"TTFT mean\"\ncompleted = \"ok\"\n[facts]\nload-model = \"open\"\ngpu-count = 8\n\
         percentiles = \"histogram\"\n",
    )
    .expect("a mapping");
    let csv = "qps,ok,TTFT mean,\"TTFT p99\"\n10,1200,0.080,0.2\n20,2400,0.090,\n";
    let results = mapping.read(csv.as_bytes()).expect("rows");
    assert_eq!(results.len(), 2);
    assert_eq!(results[0].percentile(Metric::Ttft, 99.0), Some(200.0));
    assert_eq!(results[1].percentile(Metric::Ttft, 99.0), None);
    assert_eq!(results[1].load.rate, Some(20.0));
    assert_eq!(answer(results, "histogram-percentile").answer, Kind::Fail);
    let requests = Mapping::parse(
        "rows = \"requests\"\nrows-at = \"data.rows\"\n[values]\nttft = \"first\"\nerror = \"e\"\n",
    );
    let json = br#"{"data": {"rows": [{"first": 5, "e": null}, {"first": 7, "e": "x"}]}}"#;
    let results = requests.expect("a mapping").read(json).expect("rows");
    assert_eq!(results[0].requests.len(), 2);
    assert_eq!(results[0].counts.failed, Some(1.0));
    let more = Mapping::parse(
        "unit = \"s\"\n[values]\nsend-lag = \"lag\"\ntokens-per-chunk = \"tpc\"\ninterrupted = \"cut\"\n",
    );
    let csv = "lag,tpc,cut\n0.004,2.5,True\n";
    let results = more.expect("a mapping").read(csv.as_bytes()).expect("rows");
    assert_eq!(results[0].load.send_lag_ms, Some(4.0));
    assert_eq!(results[0].tokens.per_chunk, Some(2.5));
    assert_eq!(results[0].cut_short, Some(true));
    for (text, word) in [
        ("unit = \"h\"", "`unit`"),
        ("[values]\nttfft = \"x\"", "`ttfft`"),
        ("values = 3", "a table"),
        ("= x", "TOML"),
    ] {
        let error = Mapping::parse(text).expect_err("wrong").to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_mapping_has_a_unit_per_field_and_tells_totals_from_means() {
    let mapping = Mapping::parse(
        "[values]\nrate = { column = \"rpm\", unit = \"/min\" }\ncompleted = \"ok\"\n\"ttft.p99\" = { \
         column = \"ttft us\", unit = \"us\" }\ntpot = \"tpot\"\n\"output-tokens.mean\" = \"out\"\n\
         \"output-tokens.max\" = \"most\"\ninput-tokens = \"in\"\nduration-s = { column = \"t\", unit = \
         \"min\" }\nattainment = { column = \"slo\", unit = \"%\" }\n",
    );
    let csv = "rpm,ok,ttft us,tpot,out,most,in,t,slo\n300,200,250000,12.5,50,80,9000,2,90\n";
    let facts = mapping
        .expect("a mapping")
        .read(csv.as_bytes())
        .expect("rows")
        .remove(0);
    assert_eq!(facts.load.rate, Some(5.0));
    assert_eq!(facts.percentile(Metric::Ttft, 99.0), Some(250.0));
    assert_eq!(facts.latency[&Metric::Tpot].mean, Some(12.5));
    assert_eq!(
        (facts.tokens.input, facts.tokens.output),
        (Some(9000.0), Some(10_000.0))
    );
    let lengths = facts.tokens.output_lengths.expect("lengths");
    assert_eq!((lengths.mean, lengths.max), (Some(50.0), Some(80.0)));
    assert_eq!(
        (facts.load.duration_s, facts.rates.attainment),
        (Some(120.0), Some(0.9))
    );
}

#[test]
fn a_mapping_that_would_lose_something_is_refused() {
    for (text, words) in [
        ("[facts]\nload-model = \"opn\"", "open, closed or burst"),
        ("[facts]\nrate = -5", "0 or more"),
        ("[facts]\nrate = \"fast\"", "a number"),
        ("[facts]\nttft = 5", "in [values]"),
        (
            "rows = \"requests\"\n[values]\nrate = \"qps\"",
            "in [facts]",
        ),
        ("rows = \"requests\"\n[values]\nntpot = \"x\"", "in [facts]"),
        ("[values]\nerror = \"e\"", "rows = \"requests\"?"),
        (
            "[values]\nrate = { column = \"q\", unit = \"ms\" }",
            "`rate.unit` must be \"/s\"",
        ),
        ("[values]\nrate = { unit = \"/s\" }", "{ column"),
        (
            "[values]\nrate = { column = \"q\", per = \"s\" }",
            "`rate.per`",
        ),
        (
            "[values]\ncompleted = { column = \"n\", unit = \"s\" }",
            "it has none",
        ),
    ] {
        let error = Mapping::parse(text).expect_err("wrong").to_string();
        assert!(error.contains(words), "no `{words}` in {error}");
    }
    let mapping = "[values]\nrate = \"qps\"\nstreaming = \"s\"\n\"ttft.mean\" = \"a.b\"\n";
    let mapping = Mapping::parse(mapping).expect("a mapping");
    for (file, words) in [
        (
            "qps,s\n1,true\n",
            "no column or member `a.b`, which the mapping's `ttft.mean` names",
        ),
        (
            "qps,s,a.b\n-1,true,5\n",
            "row 1: `-1` in `qps` must be 0 or more",
        ),
        (
            "qps,s,a.b\n1,true,5\n2,yes,5\n",
            "row 2: `yes` in `s` must be true or false",
        ),
        (
            "qps,s,a.b\n1,true,fast\n",
            "`fast` in `a.b` must be a number",
        ),
        (
            r#"[{"qps": 1, "s": true, "a": {"c": 2}}]"#,
            "no column or member `a.b`",
        ),
    ] {
        let error = mapping
            .read(file.as_bytes())
            .expect_err("wrong")
            .to_string();
        assert!(error.contains(words), "no `{words}` in {error}");
    }
    let blanks = "qps,s,a.b\n1,,n/a\n,True,nan\n";
    let results = mapping.read(blanks.as_bytes()).expect("rows");
    assert_eq!(
        (results[0].load.rate, results[0].streaming),
        (Some(1.0), None)
    );
    assert_eq!(
        (results[1].load.rate, results[1].streaming),
        (None, Some(true))
    );
    assert!(results[1].latency.is_empty());
}

#[test]
fn a_report_in_yaml_is_read() {
    let guidellm = "metadata:\n  guidellm_version: 0.8.1\nbenchmarks:\n- duration: 60.0\n  config:\n    \
                    strategy: {type_: poisson, rate: 5.0}\n  metrics:\n    request_totals: {successful: 3}\n    \
                    request_latency: {successful: {mean: 0.5, count: 3}}\n";
    let facts = one(guidellm);
    assert_eq!(facts.format, Format::Guidellm);
    assert_eq!(facts.load.rate, Some(5.0));
    assert_eq!(facts.latency[&Metric::E2e].mean, Some(500.0));
    let yaml = "version: '0.1'\nscenario:\n  model:\n    name: m\nmetrics:\n  latency:\n    \
                time_to_first_token:\n      units: ms\n      mean: 50.0\n      p99: 90.0\n  requests:\n    \
                total: 100\n    failures: 1\n  throughput:\n    output_tokens_per_sec: 500.0\n";
    let facts = one(yaml);
    assert_eq!(facts.format, Format::Llmd);
    assert_eq!(facts.counts.completed, Some(99.0));
    assert_eq!(facts.rates.output, Some(500.0));
    assert_eq!(facts.percentile(Metric::Ttft, 99.0), Some(90.0));
}
