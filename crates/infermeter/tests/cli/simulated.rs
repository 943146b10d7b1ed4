//! The client against what the simulator can say and do wrong: every form of content, every legal
//! and illegal shape of a stream.

use crate::process::{LIGHT, Mock, Run, Scratch, UNPROBED, infermeter, mock, run, run_with, words};
use infermeter_core::record::{ChunkKind, Reason, RequestRecord, TokenSource};

fn with_fault(fault: &str) -> Run {
    run(mock(), &format!("--header 'x-mock-fault: {fault}'"))
}

#[test]
fn legal_streams_of_any_shape_complete() {
    for fault in [
        "line-ends=crlf",
        "line-ends=cr",
        "comments",
        "pings",
        "byte-wise",
    ] {
        for record in with_fault(fault).completes() {
            assert_eq!(record.chunks.len(), 4, "{fault}");
            assert_eq!(record.output_tokens, Some(4), "{fault}");
        }
    }
}

#[test]
fn malformed_events_fail_with_what_was_wrong() {
    for fault in ["malformed=bad-json", "malformed=no-blank-line"] {
        for record in with_fault(fault).all_fail(Reason::MalformedEvent) {
            assert_eq!(record.chunks.len(), 1, "{fault}");
            let text = record.error.expect("an error").text;
            assert!(text.contains("chat.completion.chunk"), "{fault}: {text}");
        }
    }
    // A line that names no field is to be ignored: its token is missing from the chunks.
    let run = with_fault("malformed=no-data-prefix");
    for record in run.completes() {
        assert_eq!((record.chunks.len(), record.output_tokens), (3, Some(4)));
    }
    run.finding("token-counts-unknown");
}

#[test]
fn repeated_chunks_are_found_by_their_count() {
    let run = with_fault("duplicate-chunks");
    for record in run.completes() {
        assert_eq!((record.chunks.len(), record.output_tokens), (8, Some(4)));
        assert_eq!(record.token_source, Some(TokenSource::Unknown));
    }
    run.finding("token-counts-unknown");
}

#[test]
fn streams_that_end_otherwise_say_how() {
    for record in with_fault("truncate-after=2").all_fail(Reason::Truncated) {
        assert_eq!((record.chunks.len(), record.output_tokens), (2, None));
    }
    with_fault("disconnect-at=0").all_fail(Reason::Truncated);
    for (fault, reason, tokens) in [
        ("content-filter=2", "content_filter", 2),
        ("early-stop=2", "stop", 3),
        ("extra-tokens=3", "length", 7),
    ] {
        for record in with_fault(fault).completes() {
            assert_eq!(record.finish_reason.as_deref(), Some(reason), "{fault}");
            assert_eq!(record.output_tokens, Some(tokens), "{fault}");
        }
    }
}

#[test]
fn a_stall_is_seen_where_it_was() {
    let run = with_fault("stall=2:200ms");
    for record in run.completes() {
        assert_eq!(record.chunks.len(), 4);
        // The pause lies behind the second token; half of it allows for a late stamp.
        let gap = record.chunks[2].at.since(record.chunks[1].at);
        assert!(gap >= 100_000_000, "{gap}");
    }
    for record in with_fault("slow-head=100ms").completes() {
        let first = record.chunks[0].at.since(record.send_start.expect("sent"));
        assert!(first >= 50_000_000, "{first}");
    }
}

fn kinds(record: &RequestRecord) -> Vec<ChunkKind> {
    record.chunks.iter().map(|chunk| chunk.kind).collect()
}

#[test]
fn reasoning_puts_the_output_behind_the_first_token() {
    for field in ["reasoning_content", "reasoning"] {
        let mock = Mock::start(&format!(
            "--preset fixed --ttft 2ms --step 20ms --reasoning-tokens 3 --reasoning-field {field}"
        ));
        let run = run(&mock.url, "");
        for record in run.completes() {
            use ChunkKind::{Reasoning as R, Text};
            assert_eq!(kinds(&record), [R, R, R, Text]);
            assert_eq!(record.reasoning_tokens, Some(3));
            assert!(record.chunks[3].at > record.chunks[0].at);
        }
        let lines: Vec<&str> = run.ran.out.lines().collect();
        let has = |name: &str| lines.iter().any(|line| line.trim_start().starts_with(name));
        assert!(has("TTFT") && has("TTFO"), "{}", run.ran.out);
    }
}

#[test]
fn several_tokens_per_chunk_are_counted_by_usage() {
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms --stream-interval 3");
    let line = format!("run {} {LIGHT}", mock.url);
    for record in run_with(words(&line), |_| {}).completes() {
        let tokens: Vec<u32> = record.chunks.iter().map(|chunk| chunk.tokens).collect();
        assert_eq!(tokens, [1, 3]);
    }
}

#[test]
fn usage_styles_and_adapters_are_served() {
    for (style, tokens) in [("last-chunk", Some(4)), ("never", None)] {
        let mock = Mock::start(&format!(
            "--preset fixed --ttft 2ms --step 1ms --usage {style}"
        ));
        for record in run(&mock.url, "").completes() {
            assert_eq!(record.output_tokens, tokens, "{style}");
        }
    }
    let mock = Mock::start("--preset fixed --ttft 2ms --step 1ms --adapter sql --adapter law");
    let line = format!("run {} {LIGHT} --model law", mock.url);
    assert_eq!(run_with(words(&line), |_| {}).completes().len(), 6);
}

/// One request at a time, so that each finds what those before it left.
#[test]
fn a_traces_blocks_are_found_in_the_prefix_cache_as_usage_tells() {
    let scratch = Scratch::new();
    let row = |ids: &str| {
        format!(
            "{{\"timestamp\": 0, \"input_length\": 64, \"output_length\": 2, \"hash_ids\": {ids}}}\n"
        )
    };
    let rows = [
        "[1, 2, 3, 4]",
        "[1, 2, 9, 8]",
        "[1, 2, 3, 4]",
        "[5, 2, 3, 4]",
    ]
    .map(row);
    let trace = scratch.file("trace.jsonl", &rows.concat());
    let mock =
        Mock::start("--preset llama-8b-h100 --set max-num-seqs=1 --set prompt-tokens-details=true");
    let line = format!(
        "run {} --trace {trace} --trace-option format=vllm --trace-option block-size=16 \
         --trace-option time-unit=ms --warmup 0 --threads 1 --no-probe --model mock/llama-8b-h100",
        mock.url
    );
    let records = run_with(words(&line), |_| {}).records();
    let mut cached: Vec<Option<u32>> = records.iter().map(|r| r.cached_tokens).collect();
    // All are due at once: whichever of the first three comes first finds nothing.
    cached[..3].sort_unstable();
    assert_eq!(cached, [Some(0), Some(32), Some(64), Some(0)]);
}

#[test]
fn fault_rules_strike_by_number() {
    let mock = Mock::start(
        "--preset fixed --ttft 2ms --step 1ms --fault status=503@nth:2 --fault no-done@every:3",
    );
    let line = format!("run {} {LIGHT} {UNPROBED}", mock.url);
    let run = run_with(words(&line), |_| {});
    let failed: Vec<u16> = run
        .measured()
        .iter()
        .filter(|record| record.error.is_some())
        .filter_map(|record| record.status)
        .collect();
    assert_eq!(failed, [503]);
}

#[test]
fn wrong_contents_and_faults_name_the_flag() {
    for (flags, words) in [
        (
            "--fault disconect-after=3",
            ["--fault", "did you mean `disconnect-after`?"],
        ),
        ("--fault no-done@often", ["--fault", "every:N"]),
        ("--usage sometimes", ["--usage", "last-chunk"]),
        (
            "--reasoning-field thoughts",
            ["--reasoning-field", "reasoning_content"],
        ),
        ("--stream-interval 0", ["stream-interval", "at least 1"]),
        (
            "--tool-call-share 2",
            ["tool-call-share", "between 0 and 1"],
        ),
        ("--adapter mock/fixed", ["adapters", "taken"]),
    ] {
        let ran = infermeter(&format!("mock --preset fixed --port 0 {flags}"));
        ran.fails(2, &words);
    }
}
