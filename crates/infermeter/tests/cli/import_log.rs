//! `workload import`: logs become rows, which are inspected and replayed.

use crate::process::{Scratch, infermeter, mock, run_with, words};
use infermeter_core::request::Turn;

fn fixture(name: &str) -> String {
    format!(
        "{}/../../fuzz/seeds/logs/{name}",
        env!("CARGO_MANIFEST_DIR")
    )
}

/// Imports a fixture; the file of rows and what was said.
fn imported(scratch: &Scratch, log: &str, out: &str, more: &str) -> (String, String) {
    let out = scratch.path(out).display().to_string();
    let ran = infermeter(&format!("workload import {log} --out {out} {more}"));
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    (out, ran.out)
}

#[test]
fn three_logs_are_imported_and_inspected() {
    let scratch = Scratch::new();
    for (name, said, inspected) in [
        (
            "copilot.jsonl",
            &[
                "5 rows of 2 records (copilot, 1 file) over 12 s",
                "2 sessions; waiting for another call: 3 rows, 1 of them for several",
                "cached tokens: 2,418 recorded, 2,240 in blocks of their session, 128 of other sessions",
                "left out: 1 record (line 1): failed when recorded",
                "what sessions share with each other is unknown",
            ][..],
            &[
                "rows, gzip",
                "Prefix sharing, blocks of 64 tokens",
                "Delays",
                "unknown",
            ][..],
        ),
        (
            "litellm.jsonl",
            &[
                "2 rows of 5 records (litellm, 1 file)",
                "answered by a cache before the server",
            ],
            &["model 1", "Conversations"],
        ),
        (
            "envoy.jsonl",
            &["2 rows of 4 records (access-log, 1 file)", "no blocks"],
            &["Arrivals", "2 distinct"],
        ),
    ] {
        let (rows, out) = imported(&scratch, &fixture(name), &format!("{name}.gz"), "");
        for part in said {
            assert!(out.contains(part), "{part}: {out}");
        }
        let ran = infermeter(&format!("workload inspect {rows}"));
        assert_eq!(ran.code, Some(0), "{ran:#?}");
        for part in inspected {
            assert!(ran.out.contains(part), "{part}: {}", ran.out);
        }
    }
}

/// Two sessions within a second: a call, two of sub-agents beside each other, and one that waits for both.
fn agents() -> String {
    let call = |at: u32, length: u32, prompt: u32, cached: u32| {
        format!(
            "{{\"timestamp\":\"2026-03-01T10:00:00.{at:03}Z\",\"duration_ms\":{length},\
             \"initiator_type\":\"agent\",\"status_code\":200,\
             \"tokens\":{{\"prompt\":{prompt},\"completion\":4,\"cached\":{cached}}}}}"
        )
    };
    let calls = [
        call(0, 50, 200, 0),
        call(100, 50, 260, 192),
        call(110, 90, 80, 0),
        call(300, 40, 300, 256),
    ];
    let line = |name: &str| {
        format!(
            "{{\"session_id\":\"{name}\",\"turns\":[{{\"llm_calls\":[{}]}}]}}\n",
            calls.join(",")
        )
    };
    line("one") + &line("two")
}

#[test]
fn agents_are_replayed_as_a_tree_that_joins() {
    let scratch = Scratch::new();
    let log = scratch.file("agents.jsonl", &agents());
    let (rows, _) = imported(&scratch, &log, "rows.jsonl.gz", "");
    for (pacing, wait) in [("timestamps", None), ("idle-gaps", Some(100_000_000))] {
        let line = format!(
            "run {} --trace {rows} --pacing {pacing} --warmup 0 --threads 1 --no-probe --model mock/fixed \
             --slo session.e2e.max<30s",
            mock()
        );
        let run = run_with(words(&line), |_| {});
        let records = run.records();
        assert_eq!(records.len(), 8);
        let of_first: Vec<_> = records
            .iter()
            .filter(|r| r.turn.map(|t| t.session) == Some(0))
            .collect();
        assert_eq!(of_first.len(), 4);
        let (root, one, other, join) = (of_first[0], of_first[1], of_first[2], of_first[3]);
        assert_eq!((one.parent, other.parent), (Some(root.id), Some(root.id)));
        assert_eq!(
            join.turn,
            Some(Turn {
                session: 0,
                number: 2
            })
        );
        let ended = one.closed.max(other.closed).expect("answered");
        assert!(join.intended >= ended);
        if let Some(wait) = wait {
            assert_eq!(join.intended.since(ended), wait);
        }
    }
}

#[test]
fn what_cannot_be_imported_says_why() {
    let scratch = Scratch::new();
    let log = scratch.file("a.jsonl", "{\"a\":1}\n");
    let out = scratch.path("rows.jsonl").display().to_string();
    let import = |more: &str| infermeter(&format!("workload import {more}"));
    import(&format!("{log} --out {out}")).fails(2, &["no known log has the members a", "--map"]);
    assert!(!std::path::Path::new(&out).exists());
    import(&format!("{log} --out {log}")).fails(2, &["exists"]);
    import(&format!("{log} --out {out} --format otl")).fails(2, &["--format", "otel-spans"]);
    import(&format!("{log} --out {out}.gz --texts plain")).fails(2, &["leave .gz out"]);
    import(&format!("{} --out {out}", scratch.path("none").display())).fails(2, &["none"]);
}

#[test]
fn a_mapping_reads_what_no_reader_knows() {
    let scratch = Scratch::new();
    let log = scratch.file(
        "calls.csv",
        "when,who,in,out,hit\n1772359200.5,anna,300,3,0\n1772359201,anna,400,4,256\n",
    );
    let map = scratch.file(
        "map.toml",
        "rows = \"requests\"\n[values]\nstart-s = \"when\"\nsession = \"who\"\ninput-tokens = \"in\"\n\
         output-tokens = \"out\"\ncached-tokens = \"hit\"\n",
    );
    let (rows, out) = imported(&scratch, &log, "rows.jsonl", &format!("--map {map}"));
    assert!(
        out.contains("2 rows of 2 records (mapped, 1 file)"),
        "{out}"
    );
    let text = std::fs::read_to_string(rows).expect("rows");
    assert!(
        text.contains("\"hash_ids\":[[0,6]]") && !text.contains("anna"),
        "{text}"
    );
}
