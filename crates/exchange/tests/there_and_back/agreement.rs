//! Small files in other tools' layouts, with figures worked out by hand: the report of the import has the same.

use super::*;
use infermeter_analysis::{Distribution, Summary};

/// Figures of a file, by the definitions: mean, least and greatest of milliseconds.
struct Figures {
    completed: u64,
    failed: u64,
    ttft: [f64; 3],
    tpot: [f64; 3],
    ntpot: [f64; 3],
    e2e: [f64; 3],
    /// Absent where the file does not have the chunks.
    gap: Option<[f64; 3]>,
    /// Seconds from the first send to the last end, absent where the file does not say when.
    seconds: Option<f64>,
    input_tokens: f64,
    output_tokens: f64,
}

fn imported(file: &str) -> RunLog {
    let facts = read(file.as_bytes()).expect("a known layout").remove(0);
    import::run(&facts, &from()).expect("it has requests")
}

fn summarized(log: &RunLog) -> Summary {
    let run = infermeter_analysis::Run::of(log);
    let Ok(summary) = summarize(&run, log);
    summary
}

/// The report has the least and the greatest, and means from samples of another size: these are of its requests, and
/// of what goes out again.
#[track_caller]
fn is_spread(log: &RunLog, of: RequestMetric, expect: [f64; 3]) {
    let summary = summarized(log);
    let latency = &summary.latency;
    let reported = match of {
        RequestMetric::Ttft => latency.ttft.send.as_ref(),
        RequestMetric::Tpot => latency.tpot.as_ref(),
        RequestMetric::Ntpot => latency.ntpot.send.as_ref(),
        _ => latency.e2e.send.as_ref(),
    };
    near(mean(log, of), expect[0]);
    has_ends(reported, expect);
}

#[track_caller]
fn has_ends(of: Option<&Distribution>, [_, least, greatest]: [f64; 3]) {
    let of = of.expect("a distribution");
    near(of.min, least);
    near(of.max, greatest);
}

/// Gaps between chunks, absent where the file does not have these.
#[track_caller]
fn are_gaps(log: &RunLog, summary: &Summary, expect: Option<[f64; 3]>) {
    let reported = summary.latency.chunk_gap.as_ref();
    let Some(expect) = expect else {
        assert!(reported.is_none());
        return;
    };
    has_ends(reported, expect);
    let out = exported(log, ExportFormat::Vllm).0.facts("vllm.json");
    near(
        out.latency[&Metric::ChunkGap].mean.expect("a mean"),
        expect[0],
    );
}

#[track_caller]
fn check(file: &str, expect: &Figures) {
    let log = imported(file);
    let summary = summarized(&log);
    let counts = &summary.requests.measured;
    assert_eq!(counts.completed, expect.completed);
    assert_eq!(counts.failed, expect.failed);
    is_spread(&log, RequestMetric::Ttft, expect.ttft);
    is_spread(&log, RequestMetric::E2e, expect.e2e);
    is_spread(&log, RequestMetric::Ntpot, expect.ntpot);
    is_spread(&log, RequestMetric::Tpot, expect.tpot);
    are_gaps(&log, &summary, expect.gap);
    // What goes out again has its sums and its rates.
    let out = exported(&log, ExportFormat::Vllm).0.facts("vllm.json");
    assert_eq!(out.tokens.input, Some(expect.input_tokens));
    assert_eq!(out.tokens.output, Some(expect.output_tokens));
    let Some(seconds) = expect.seconds else {
        assert!(summary.throughput.is_none() && summary.window_s.is_none());
        assert!(out.rates.requests.is_none() && out.load.duration_s.is_none());
        return;
    };
    near(summary.window_s.expect("a window"), seconds);
    near(out.load.duration_s.expect("a duration"), seconds);
    let throughput = summary.throughput.expect("throughput");
    let per_s = |amount: f64| amount / seconds;
    near(throughput.requests.per_s, per_s(expect.completed as f64));
    near(
        out.rates.requests.expect("a rate"),
        per_s(expect.completed as f64),
    );
    let output = throughput.output_tokens.expect("tokens are known");
    near(output.per_s, per_s(expect.output_tokens));
    let input = throughput.input_tokens.expect("prompts are known");
    near(input.per_s, per_s(expect.input_tokens));
}

/// A line of AIPerf's: sent so many milliseconds after the first.
fn line(at_ms: u64, phase: &str, metrics: &str, error: &str) -> String {
    let start = 1_800_000_000_000_000_000 + at_ms * 1_000_000;
    format!(
        "{{\"metadata\": {{\"session_num\": 0, \"request_start_ns\": {start}, \"benchmark_phase\": \"{phase}\", \
         \"was_cancelled\": false}}, \"metrics\": {{{metrics}}}, \"error\": {error}}}\n"
    )
}

#[test]
fn aiperf() {
    let metrics = |ttft: &str, e2e: &str, gaps: &str, usage: u32, output: u32| {
        format!(
            "\"time_to_first_token\": {{\"value\": {ttft}, \"unit\": \"ms\"}}, \
             \"request_latency\": {{\"value\": {e2e}, \"unit\": \"ms\"}}, \
             \"inter_chunk_latency\": {{\"value\": {gaps}, \"unit\": \"ms\"}}, \
             \"input_sequence_length\": {{\"value\": 50, \"unit\": \"tokens\"}}, \
             \"usage_prompt_tokens\": {{\"value\": {usage}, \"unit\": \"tokens\"}}, \
             \"output_sequence_length\": {{\"value\": {output}, \"unit\": \"tokens\"}}"
        )
    };
    let file = [
        line(0, "warmup", &metrics("900", "950", "[50]", 50, 2), "null"),
        line(
            1_000,
            "profiling",
            &metrics("100", "200", "[20, 30, 50]", 52, 5),
            "null",
        ),
        line(
            1_500,
            "profiling",
            &metrics("60", "100", "[40]", 50, 2),
            "null",
        ),
        line(
            1_700,
            "profiling",
            "",
            r#"{"code": 503, "message": "busy"}"#,
        ),
        line(
            2_000,
            "profiling",
            &metrics("80", "200", "[60, 60]", 48, 3),
            "null",
        ),
    ];
    check(
        &file.concat(),
        &Figures {
            completed: 3,
            failed: 1,
            ttft: [80.0, 60.0, 100.0],
            // 100 / 4, 40 / 1, 120 / 2.
            tpot: [125.0 / 3.0, 25.0, 60.0],
            // 200 / 5, 100 / 2, 200 / 3.
            ntpot: [(40.0 + 50.0 + 200.0 / 3.0) / 3.0, 40.0, 200.0 / 3.0],
            e2e: [500.0 / 3.0, 100.0, 200.0],
            gap: Some([260.0 / 6.0, 20.0, 60.0]),
            seconds: Some(1.2),
            // The server's count, where there is one.
            input_tokens: 150.0,
            output_tokens: 10.0,
        },
    );
}

#[test]
fn llmperf() {
    let file = r#"[
      {"error_code": null, "error_msg": "", "ttft_s": 0.15, "end_to_end_latency_s": 0.29,
       "inter_token_latency_s": 0.036,
       "number_output_tokens": 8, "number_input_tokens": 551},
      {"error_code": null, "error_msg": "", "ttft_s": 0.1, "end_to_end_latency_s": 0.25,
       "inter_token_latency_s": 0.06,
       "number_output_tokens": 4, "number_input_tokens": 549},
      {"error_code": 429, "error_msg": "busy", "ttft_s": 0, "end_to_end_latency_s": 0,
       "number_output_tokens": 0, "number_input_tokens": 550}]"#;
    check(
        file,
        &Figures {
            completed: 2,
            failed: 1,
            ttft: [125.0, 100.0, 150.0],
            // 140 / 7, 150 / 3.
            tpot: [35.0, 20.0, 50.0],
            // 290 / 8, 250 / 4.
            ntpot: [49.375, 36.25, 62.5],
            e2e: [270.0, 250.0, 290.0],
            gap: None,
            seconds: None,
            input_tokens: 1_100.0,
            output_tokens: 12.0,
        },
    );
}

#[test]
fn guidellm() {
    // Its requests end a while after the last token; here E2E is to that token, as its NTPOT.
    let request = |start: f64, [first, last, end]: [f64; 3], input: u32, output: u32| {
        let [first, last, end] = [first, last, end].map(|since| start + since);
        format!(
            "{{\"info\": {{\"timings\": {{\"request_start\": {start}, \"first_token_iteration\": {first}, \
             \"last_token_iteration\": {last}, \"request_end\": {end}}}}}, \
             \"input_metrics\": {{\"text_tokens\": {input}}}, \"output_metrics\": {{\"text_tokens\": {output}}}}}"
        )
    };
    let successful = [
        request(1000.0, [0.1, 0.4, 0.404], 40, 4),
        request(1000.5, [0.2, 0.3, 0.3], 60, 2),
    ];
    let file = format!(
        "{{\"metadata\": {{\"guidellm_version\": \"0.8.1\"}}, \"benchmarks\": [{{\"config\": {{}}, \
         \"metrics\": {{\"request_totals\": {{\"successful\": 2, \"errored\": 1}}}}, \
         \"requests\": {{\"successful\": [{}], \"incomplete\": [{}], \"errored\": [{}]}}}}]}}",
        successful.join(", "),
        request(1000.6, [0.9, 0.9, 0.9], 10, 1),
        request(1000.2, [0.1, 0.1, 0.1], 10, 0),
    );
    check(
        &file,
        &Figures {
            completed: 2,
            // The incomplete one is neither.
            failed: 1,
            ttft: [150.0, 100.0, 200.0],
            // 300 / 3, 100 / 1.
            tpot: [100.0, 100.0, 100.0],
            // 400 / 4, 300 / 2.
            ntpot: [125.0, 100.0, 150.0],
            e2e: [350.0, 300.0, 400.0],
            gap: None,
            seconds: Some(0.8),
            input_tokens: 100.0,
            output_tokens: 6.0,
        },
    );
}

#[test]
fn inference_perf() {
    let file = r#"[
      {"start_time": 100.0, "end_time": 100.5, "request": "a", "response": "", "error": null,
       "info": {"input_tokens": 12,
       "response_metrics": {"output_tokens": 4, "chunk_times": [100.1, 100.2, 100.3, 100.5]}}},
      {"start_time": 101.0, "end_time": 101.3, "request": "b", "response": "", "error": null,
       "info": {"input_tokens": 8,
       "response_metrics": {"output_tokens": 3, "chunk_times": [101.2, 101.3]}}},
      {"start_time": 102.0, "end_time": 102.5, "request": "c", "response": "", "error": {"error_type": "Timeout"},
       "info": {}}]"#;
    check(
        file,
        &Figures {
            completed: 2,
            failed: 1,
            ttft: [150.0, 100.0, 200.0],
            // 400 / 3, 100 / 2.
            tpot: [275.0 / 3.0, 50.0, 400.0 / 3.0],
            // 500 / 4, 300 / 3.
            ntpot: [112.5, 100.0, 125.0],
            e2e: [400.0, 300.0, 500.0],
            gap: Some([125.0, 100.0, 200.0]),
            seconds: Some(2.5),
            input_tokens: 20.0,
            output_tokens: 7.0,
        },
    );
}
