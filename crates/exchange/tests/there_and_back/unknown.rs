//! What nobody knows of a run is in none of its exports: neither as 0 nor as a default.

use super::*;
use infermeter_core::record::ChunkKind;
use infermeter_core::run::RunState;

/// Requests of a file that does not say when they were sent.
fn untimed() -> RunLog {
    import::run(&golden("llmperf-requests.json"), &from()).expect("requests")
}

#[track_caller]
fn has_none(value: &Value, names: &[&str]) {
    let members = value.as_object().expect("an object");
    for name in names {
        assert!(!members.contains_key(*name), "{name}: {}", members[*name]);
    }
}

/// The values of a column of a table.
fn column(csv: &str, name: &str) -> Vec<String> {
    let mut lines = csv.lines();
    let mut header = lines.next().expect("a header").split(',');
    let index = header.position(|of| of == name).expect("the column");
    let field = |line: &str| line.split(',').nth(index).expect("the field").to_owned();
    lines.map(field).collect()
}

#[test]
fn without_instants_nothing_is_timed() {
    let log = untimed();
    for format in ExportFormat::ALL {
        let losses = exported(&log, format).1;
        let said = losses.iter().any(|l| l.contains("when requests were sent"));
        assert!(said, "{}: {losses:?}", format.name());
    }
    let timed = [
        "date",
        "duration",
        "request_throughput",
        "output_throughput",
        "total_token_throughput",
        "start_times",
        "max_concurrent_requests",
        "max_output_tokens_per_s",
    ];
    let value = exported(&log, ExportFormat::Vllm).0.json("vllm.json");
    has_none(&value, &timed);
    assert_eq!(value["completed"], 1, "the rest is there");
    has_none(
        &exported(&log, ExportFormat::VllmSweep)
            .0
            .json("summary.json")[0],
        &timed,
    );
    let aiperf = exported(&log, ExportFormat::Aiperf).0;
    let of_run = [
        "benchmark_duration",
        "request_throughput",
        "output_token_throughput",
        "start_time",
        "end_time",
    ];
    has_none(&aiperf.json("profile_export_aiperf.json"), &of_run);
    for line in aiperf.text("profile_export.jsonl").lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let instants = ["request_start_ns", "request_ack_ns", "request_end_ns"];
        has_none(&line["metadata"], &instants);
    }
    let back = import::run(&aiperf.facts("profile_export.jsonl"), &from()).expect("requests");
    assert_eq!(back.records.len(), 2);
    assert!(back.manifest.window.is_none(), "still nobody knows");
}

#[test]
fn without_instants_no_format_says_a_time() {
    let log = untimed();
    let report = exported(&log, ExportFormat::Llmd)
        .0
        .json("benchmark_report.json");
    assert_eq!(report["run"]["time"], serde_json::json!({}));
    let rates = &report["results"]["request_performance"]["aggregate"]["throughput"];
    assert!(
        rates.as_object().is_none_or(serde_json::Map::is_empty),
        "{rates}"
    );
    let tables = exported(&log, ExportFormat::Csv).0;
    for (name, of) in [
        ("runs.csv", "begun"),
        ("runs.csv", "window_s"),
        ("requests.csv", "sent_s"),
        ("requests.csv", "first_token_s"),
        ("requests.csv", "last_token_s"),
        ("requests.csv", "closed_s"),
    ] {
        let values = column(&tables.text(name), of);
        assert!(values.iter().all(String::is_empty), "{of}: {values:?}");
    }
    let xml = exported(&log, ExportFormat::Junit).0.text("junit.xml");
    let suite = xml.lines().find(|line| line.contains("<testsuite "));
    let suite = suite.expect("a suite");
    assert!(!suite.contains(" time=") && !suite.contains(" timestamp="));
}

#[test]
fn the_greatest_numbers_are_those_of_their_tool() {
    // Both computed by vLLM of the same requests.
    let log = import::run(&golden("vllm.json"), &from()).expect("requests");
    let value = exported(&log, ExportFormat::Vllm).0.json("vllm.json");
    assert_eq!(value["max_concurrent_requests"], 9);
    assert_eq!(value["max_output_tokens_per_s"], 108.0);
}

#[test]
fn unknown_prompts_are_no_zeros() {
    let mut facts = golden("vllm.json");
    facts.requests[3].input_tokens = None;
    let log = import::run(&facts, &from()).expect("requests");
    let run = infermeter_analysis::Run::of(&log);
    let Ok(summary) = summarize(&run, &log);
    let throughput = summary.throughput.expect("it is timed");
    assert!(throughput.input_tokens.is_none() && throughput.total_tokens.is_none());
    assert!(throughput.output_tokens.is_some());
    let (files, losses) = exported(&log, ExportFormat::Vllm);
    let names = ["input_lens", "total_input_tokens", "total_token_throughput"];
    has_none(&files.json("vllm.json"), &names);
    assert!(
        losses.iter().any(|l| l.starts_with("prompt tokens")),
        "{losses:?}"
    );
    let requests = exported(&log, ExportFormat::Csv).0.text("requests.csv");
    let empty = |name: &str| {
        let values = column(&requests, name);
        values.iter().filter(|value| value.is_empty()).count()
    };
    assert_eq!(empty("prompt_tokens"), 1);
    assert_eq!(empty("requested_prompt_tokens"), 20, "nobody asked here");
    let lines = exported(&log, ExportFormat::Aiperf)
        .0
        .text("profile_export.jsonl");
    assert_eq!(lines.matches("\"input_sequence_length\"").count(), 19);
}

#[test]
fn defaults_of_a_plan_are_no_facts_of_an_import() {
    let log = import::run(&golden("vllm.json"), &from()).expect("requests");
    let mut silent = log.clone();
    silent.manifest.plan.rate = None;
    let value = exported(&silent, ExportFormat::Vllm).0.json("vllm.json");
    let names = [
        "endpoint_type",
        "backend",
        "tokenizer_id",
        "burstiness",
        "request_rate",
        "max_concurrency",
    ];
    has_none(&value, &names);
    let aiperf = exported(&log, ExportFormat::Aiperf).0;
    let value = aiperf.json("profile_export_aiperf.json");
    has_none(&value, &["was_cancelled"]);
    let config = &value["input_config"];
    has_none(&config["endpoint"], &["urls", "use_server_token_count"]);
    has_none(&config["phases"][0], &["type"]);
    assert_eq!(config["phases"][0]["rate"], 5.0, "this the file says");
    let report = exported(&log, ExportFormat::Llmd)
        .0
        .json("benchmark_report.json");
    let load = &report["scenario"]["load"]["standardized"];
    has_none(load, &["parallelism"]);
    assert_ne!(load["tool"], "infermeter");
    assert_eq!(load["source"], "unknown");
    let runs = exported(&log, ExportFormat::Csv).0.text("runs.csv");
    assert_eq!(column(&runs, "workload_seed"), [""]);
}

#[test]
fn reasoning_is_no_output_of_aiperf() {
    let tokens = |log: &RunLog, name: &str| {
        let lines = exported(log, ExportFormat::Aiperf)
            .0
            .text("profile_export.jsonl");
        let line: Value = serde_json::from_str(lines.lines().next().expect("one")).expect("JSON");
        line["metrics"][name]["value"].as_u64()
    };
    let mut log = some();
    assert_eq!(tokens(&log, "output_token_count"), Some(12));
    log.records[0].reasoning_tokens = Some(4);
    assert_eq!(tokens(&log, "output_token_count"), Some(8));
    assert_eq!(tokens(&log, "reasoning_token_count"), Some(4));
    assert_eq!(tokens(&log, "output_sequence_length"), Some(12));
    // It came, and nobody counted it.
    log.records[0].reasoning_tokens = None;
    log.records[0].chunks[0].kind = ChunkKind::Reasoning;
    assert_eq!(tokens(&log, "output_token_count"), None);
}

#[test]
fn how_a_run_ended_is_said() {
    let mut run = Run::open(10.0, 20);
    for i in 0..20 {
        run.stream(i * 150, ms(40), ms(8), 12);
    }
    run.failed(9_000, Reason::HttpStatus);
    run.failed(9_500, Reason::HttpStatus);
    run.drained(10_000);
    let mut log = run.build();
    let summary = |log: &RunLog| {
        let files = exported(log, ExportFormat::Aiperf).0;
        files.json("profile_export_aiperf.json")
    };
    assert_eq!(summary(&log)["was_cancelled"], false);
    let errors = summary(&log)["error_summary"].clone();
    let counts: Vec<(&str, u64)> = errors
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|e| Some((e["error_details"]["type"].as_str()?, e["count"].as_u64()?)))
        .collect();
    assert_eq!(
        counts,
        [
            (Reason::DrainEnded.as_str(), 1),
            (Reason::HttpStatus.as_str(), 2)
        ]
    );
    let lines = exported(&log, ExportFormat::Aiperf)
        .0
        .text("profile_export.jsonl");
    assert_eq!(lines.matches("\"was_cancelled\":true").count(), 1);
    log.manifest.state = RunState::Interrupted;
    assert_eq!(summary(&log)["was_cancelled"], true);
}

#[test]
fn without_streams_there_are_no_chunks_to_count() {
    let mut log = some();
    log.manifest.plan.no_stream = true;
    for record in &mut log.records {
        record.chunks.clear();
    }
    let value = exported(&log, ExportFormat::Vllm).0.json("vllm.json");
    has_none(&value, &["max_output_tokens_per_s", "itls", "ttfts"]);
    assert!(value["max_concurrent_requests"].as_u64() > Some(0));
}

#[test]
fn a_failed_request_has_no_gaps() {
    let mut run = Run::open(10.0, 20);
    run.stream(0, ms(40), ms(8), 12);
    run.stream(100, ms(40), ms(8), 5).fails(Reason::HttpStatus);
    let value = exported(&run.build(), ExportFormat::Vllm)
        .0
        .json("vllm.json");
    let gaps = value["itls"].as_array().expect("a list").iter();
    let gaps: Vec<usize> = gaps.map(|g| g.as_array().expect("gaps").len()).collect();
    assert_eq!(gaps, [11, 0]);
}

#[test]
fn a_split_is_declared_or_unknown() {
    let stack = |engine: &str, gpus: Option<u32>| {
        let mut log = some();
        log.manifest.plan.engine_info = Some(engine.to_owned());
        log.manifest.plan.gpus = gpus;
        let report = exported(&log, ExportFormat::Llmd)
            .0
            .json("benchmark_report.json");
        report["scenario"]["stack"][0]["standardized"].clone()
    };
    let whole = stack("engine=vllm, tp=4, dp=2", Some(8));
    assert_eq!(whole["kind"], "inference_engine");
    assert_eq!(whole["accelerator"]["parallelism"]["dp"], 2);
    let check = |engine: &str, gpus: Option<u32>| {
        let stack = stack(engine, gpus);
        assert_eq!(stack["kind"], "generic", "{engine}: {stack}");
    };
    check("engine=vllm", Some(8));
    // Four replicas, or dp=4: nobody says.
    check("engine=vllm, tp=2", Some(8));
    check("engine=vllm, tp=18446744073709551615, pp=2", None);
}

#[test]
fn what_is_no_number_is_counted() {
    let mut file: Value = serde_json::from_slice(&golden_bytes("vllm.json")).expect("JSON");
    file["ttfts"][2] = "soon".into();
    file["itls"][4][0] = true.into();
    let bytes = serde_json::to_vec(&file).expect("JSON");
    let facts = read(&bytes).expect("it is read").remove(0);
    assert_eq!(facts.no_numbers, 2);
    let log = import::run(&facts, &from()).expect("the E2E are there");
    let remarks = log.manifest.imported.expect("imported").remarks.join("\n");
    assert!(remarks.contains("2 elements"), "{remarks}");
}

#[test]
fn instants_in_another_unit_are_refused() {
    let mut facts = golden("vllm.json");
    for request in &mut facts.requests {
        request.start_s = request.start_s.map(|s| s * 1e3);
    }
    let refused = import::run(&facts, &from()).expect_err("a thousand times too long");
    let refused = refused.to_string();
    assert!(
        refused.contains("4.24") && refused.contains("are they in seconds?"),
        "{refused}"
    );
}

#[test]
fn every_format_says_what_it_leaves_out() {
    for format in ExportFormat::ALL {
        let losses = format.losses().join("\n");
        assert!(losses.contains("censored"), "{}: {losses}", format.name());
    }
    for format in [
        ExportFormat::Csv,
        ExportFormat::Bencher,
        ExportFormat::Junit,
    ] {
        let losses = format.losses().join("\n");
        assert!(losses.contains("classes"), "{}: {losses}", format.name());
    }
}
