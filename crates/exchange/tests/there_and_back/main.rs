//! What is exported is read back by the importer of its format, and the other way round: imported requests give the
//! figures that their own tool computed.

mod agreement;
mod unknown;

use infermeter_analysis::{judge, summarize};
use infermeter_audit::facts::{Facts, Metric};
use infermeter_audit::import::read;
use infermeter_core::clock::Offset;
use infermeter_core::finding::Verdict;
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::run::RunLog;
use infermeter_exchange::export::{Asked, Export, ExportFormat, ExportedRun, Out};
use infermeter_exchange::import::{self, NoRun, Origin as From};
use infermeter_metrics::facts::RequestFacts;
use infermeter_metrics::fixture::{Run, facts as collected, ms};
use infermeter_metrics::origin::Origin;
use infermeter_metrics::request_metric::RequestMetric;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};

/// Files in memory.
#[derive(Default)]
struct Files(BTreeMap<&'static str, Vec<u8>>);

impl Out for Files {
    fn file(&mut self, name: &'static str) -> io::Result<&mut dyn Write> {
        Ok(self.0.entry(name).or_default())
    }
}

impl Files {
    fn text(&self, name: &str) -> String {
        String::from_utf8(self.0[name].clone()).expect("text")
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.0[name]).expect("JSON")
    }

    fn facts(&self, name: &str) -> Facts {
        read(&self.0[name]).expect("it is read back").remove(0)
    }
}

/// 120 answers of 12 tokens, two failures, two GPUs.
fn some() -> RunLog {
    let mut run = Run::open(10.0, 20);
    for i in 0..120 {
        run.stream(i * 150, ms(40 + i % 9), ms(8 + i % 5), 12)
            .late(ms(2));
    }
    run.failed(9_000, Reason::HttpStatus);
    run.timed_out(10_000);
    let plan = &mut run.manifest().plan;
    plan.gpus = Some(2);
    plan.hardware = Some("gpu=H100".to_owned());
    plan.engine_info = Some("engine=vllm, version=0.33.0, tp=2".to_owned());
    run.build()
}

fn exported(log: &RunLog, format: ExportFormat) -> (Files, Vec<String>) {
    let mut run = infermeter_analysis::Run::of(log);
    let Ok(summary) = summarize(&run, log);
    run.manifest.findings = judge(&run, &summary);
    let collected = collected(log);
    let of = ExportedRun {
        name: "one".to_owned(),
        directory: "runs/one".to_owned(),
        variant: None,
        real_time: &|at: Offset| {
            run.manifest.begun_ns()?;
            Some(format!(
                "2026-11-30T09:30:{:02}Z",
                at.0 / 1_000_000_000 % 60
            ))
        },
        manifest: &run.manifest,
        summary: &summary,
        verdict: Verdict::of(&run.manifest.findings),
        collected: &collected,
        records: log,
    };
    let mut files = Files::default();
    let mut export = Export::begin(format, Asked::default());
    export.run(&of, &mut files).expect("in memory");
    let losses = export.end(&mut files).expect("in memory");
    for name in format.files() {
        assert!(files.0.contains_key(name), "{name}");
    }
    (files, losses)
}

fn mean(log: &RunLog, metric: RequestMetric) -> f64 {
    let collected = collected(log);
    let completed = collected
        .requests
        .iter()
        .filter(|r| r.outcome == Outcome::Completed);
    let values: Vec<f64> = completed
        .filter_map(|r| metric.value_ms(r, Origin::Send))
        .collect();
    values.iter().sum::<f64>() / values.len() as f64
}

#[track_caller]
fn near(a: f64, b: f64) {
    assert!((a - b).abs() <= 1e-6 * b.abs().max(1e-3), "{a} is not {b}");
}

/// What every importer reads of the run above: latencies from the send, by definition.
#[track_caller]
fn is_some(facts: &Facts) {
    let log = some();
    let stated = |metric| facts.latency[&metric].mean.expect("a mean");
    near(stated(Metric::Ttft), mean(&log, RequestMetric::Ttft));
    near(stated(Metric::Tpot), mean(&log, RequestMetric::Tpot));
    near(stated(Metric::E2e), mean(&log, RequestMetric::E2e));
    let p50 = facts.percentile(Metric::Ttft, 50.0).expect("120 carry it");
    near(p50, 44.0);
    assert_eq!(
        facts.percentile(Metric::Ttft, 99.0),
        None,
        "120 do not carry it"
    );
    assert_eq!(facts.counts.completed, Some(120.0));
    assert_eq!(facts.counts.failed, Some(2.0));
}

#[test]
fn what_vllm_reads_is_what_was_measured() {
    let (files, losses) = exported(&some(), ExportFormat::Vllm);
    let facts = files.facts("vllm.json");
    is_some(&facts);
    assert_eq!(facts.tokens.output, Some(1_440.0));
    assert_eq!(facts.requests.len(), 122);
    assert!(
        losses.iter().any(|l| l.starts_with("p95, p99, p99.9")),
        "{losses:?}"
    );
    let whole = facts.load.duration_s.expect("a duration");
    near(facts.rates.requests.expect("a rate"), 120.0 / whole);
    // And it becomes a run again, to the nanosecond.
    let back = import::run(&facts, &from()).expect("it is detailed");
    let spans = |log: &RunLog| -> Vec<Vec<i64>> {
        let send = |r: &infermeter_core::record::RequestRecord| r.send_start.expect("sent");
        let span = |r| -> Vec<i64> {
            let r: &infermeter_core::record::RequestRecord = r;
            r.chunks.iter().map(|c| c.at.since(send(r))).collect()
        };
        let mut all: Vec<Vec<i64>> = log.records.iter().map(span).collect();
        // An import is in the order of sending, a schedule in that of being due.
        all.sort();
        all
    };
    assert!(spans(&back) == spans(&some()), "to the nanosecond");
    let failed = back.records.iter().filter(|r| r.outcome == Outcome::Failed);
    assert_eq!(failed.count(), 2);
}

#[test]
fn what_others_read_is_what_was_measured() {
    let log = some();
    let aiperf = exported(&log, ExportFormat::Aiperf).0;
    is_some(&aiperf.facts("profile_export_aiperf.json"));
    let stated = aiperf.json("profile_export_aiperf.json");
    let average = |name: &str| stated[name]["avg"].as_f64().expect("a figure");
    // Gaps of 8 to 12 ms, equally often.
    let speeds = [8.0, 9.0, 10.0, 11.0, 12.0].map(|gap| 1e3 / gap);
    let mean = speeds.iter().sum::<f64>() / 5.0;
    near(average("output_token_throughput_per_user"), mean);
    let all = average("output_token_throughput");
    near(average("output_token_throughput_per_gpu"), all / 2.0);
    let lines = aiperf.facts("profile_export.jsonl");
    assert_eq!(lines.requests.len(), 122);
    assert_eq!(lines.completed().count(), 120);
    is_some(
        &exported(&log, ExportFormat::Llmd)
            .0
            .facts("benchmark_report.json"),
    );
    // A row is of a closed loop.
    let mut closed = some();
    closed.manifest.plan.concurrency = Some(8);
    let row = exported(&closed, ExportFormat::InferenceX)
        .0
        .facts("agg_bmk.json");
    is_some(&row);
    let total = exported(&log, ExportFormat::Vllm)
        .0
        .facts("vllm.json")
        .rates
        .output;
    near(
        row.rates.per_gpu.expect("two GPUs"),
        total.expect("a rate") / 2.0,
    );
}

#[test]
fn the_book_has_every_name() {
    let page = format!("{}/../../docs/src/exports.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(page).expect("a page of the book");
    for format in ExportFormat::ALL {
        assert!(page.contains(&format!("`{}`", format.name())));
        for term in format.terms() {
            assert!(
                page.contains(&format!("`{}`", term.theirs)),
                "{}",
                term.theirs
            );
        }
    }
}

#[test]
fn tables_have_a_row_for_each() {
    let (files, _) = exported(&some(), ExportFormat::Csv);
    let rows = |name: &str| files.text(name).lines().count() - 1;
    assert_eq!(rows("requests.csv"), 122);
    assert_eq!(rows("runs.csv"), 1);
    assert!(rows("figures.csv") > 40);
    let requests = files.text("requests.csv");
    let columns = |line: &str| line.matches(',').count();
    let all: Vec<usize> = requests.lines().map(columns).collect();
    assert!(all.iter().all(|n| *n == all[0]), "{all:?}");
}

#[test]
fn a_missed_objective_fails_and_an_undecided_one_is_no_pass() {
    let mut log = some();
    log.records.retain(|r| r.outcome == Outcome::Completed);
    let slo = |text: &str| text.parse().expect("an objective");
    log.manifest.plan.slo = vec![
        slo("ttft.p50<1ms"),
        slo("ttft.p99.9<10s"),
        slo("ttft.p50<10s"),
    ];
    let xml = exported(&log, ExportFormat::Junit).0.text("junit.xml");
    let case = |name: &str| {
        let start = xml.find(&format!("name=\"{name}\"")).expect("a case");
        xml[start..]
            .split("</testcase>")
            .next()
            .expect("its end")
            .to_owned()
    };
    assert!(case("ttft.p50&lt;1ms").contains("<failure"), "{xml}");
    assert!(case("ttft.p99.9&lt;10s").contains("<error"), "{xml}");
    let met = case("ttft.p50&lt;10s");
    assert!(
        !met.contains("<failure") && !met.contains("<error"),
        "{met}"
    );
}

#[test]
fn hostile_names_stay_text() {
    let mut log = some();
    let hostile = format!(
        "]]></testsuite><x onload='a'>\u{1b}[2J\u{0}{}",
        "n".repeat(10_000)
    );
    log.manifest.model.clone_from(&hostile);
    let xml = exported(&log, ExportFormat::Junit).0.text("junit.xml");
    assert!(!xml.contains("<x ") && !xml.contains('\u{1b}') && !xml.contains('\u{0}'));
    assert_eq!(xml.matches("<testsuite ").count(), 1);
    assert_eq!(xml.matches("</testsuite>").count(), 1);
    // An apostrophe keeps a spreadsheet from calling; quotes keep a field together where `;` ends one.
    let mut log = some();
    log.manifest.model = "=cmd|' /C calc'!A0;=1".to_owned();
    let csv = exported(&log, ExportFormat::Csv).0.text("runs.csv");
    assert!(csv.contains(",\"'=cmd|' /C calc'!A0;=1\","), "{csv}");
    let xml = exported(&log, ExportFormat::Junit).0.text("junit.xml");
    assert!(xml.contains("value=\"=cmd|&apos; /C calc&apos;!A0;=1\""));
    // A label as hostile is the label still, and nothing else.
    let label = "=cmd|' /C calc'!A0\u{1b}[2J\u{0}\"<b>";
    log.manifest.plan.label = Some(label.to_owned());
    for format in ExportFormat::ALL {
        let (files, _) = exported(&log, format);
        for (name, bytes) in files.0 {
            let text = String::from_utf8(bytes).expect("text");
            assert!(!text.contains(['\u{1b}', '\u{0}']), "{name}");
        }
    }
    let value = exported(&log, ExportFormat::Vllm).0.json("vllm.json");
    assert_eq!(value["label"], label, "JSON escapes it");
    let bencher = exported(&log, ExportFormat::Bencher).0.json("bencher.json");
    let names: Vec<&String> = bencher.as_object().expect("benchmarks").keys().collect();
    assert!(
        names.len() == 1 && names[0].contains("!A0\u{fffd}[2J\u{fffd}\"<b>"),
        "{names:?}"
    );
}

fn from() -> From {
    From {
        file: "theirs.json".to_owned(),
        sha256: "00".repeat(32),
        run_id: "ab".repeat(16),
        begun_ns: None,
        infermeter_version: "0.1.0".to_owned(),
    }
}

fn golden_bytes(name: &str) -> Vec<u8> {
    let path = format!(
        "{}/../audit/tests/golden/{name}",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(path).expect("a file of audit's tests")
}

fn golden(name: &str) -> Facts {
    read(&golden_bytes(name)).expect("audit reads it").remove(0)
}

/// The means of an import, beside those that the file's own tool computed of the same requests.
#[track_caller]
fn agrees(name: &str, metrics: &[(Metric, RequestMetric)]) {
    let facts = golden(name);
    let log = import::run(&facts, &from()).expect(name);
    for (theirs, ours) in metrics {
        let stated = facts.latency[theirs].mean.expect("a mean");
        near(mean(&log, *ours), stated);
    }
}

#[test]
fn an_import_gives_the_figures_of_its_tool() {
    let all = [
        (Metric::Ttft, RequestMetric::Ttft),
        (Metric::Tpot, RequestMetric::Tpot),
        (Metric::E2e, RequestMetric::E2e),
    ];
    agrees("vllm.json", &all);
    agrees("sglang.jsonl", &all[..1]);
}

#[test]
fn what_a_file_does_not_say_is_absent() {
    let log = import::run(&golden("llmperf-requests.json"), &from()).expect("requests");
    assert_eq!(
        log.manifest.window, None,
        "nobody knows when they were sent"
    );
    let run = infermeter_analysis::Run::of(&log);
    let Ok(summary) = summarize(&run, &log);
    assert!(summary.throughput.is_none() && summary.load.is_none());
    assert!(summary.latency.ttft.intended.is_none());
    assert!(
        summary.latency.chunk_gap.is_none(),
        "its chunks are not known"
    );
    let aiperf = import::run(&golden("aiperf-requests.jsonl"), &from()).expect("requests");
    assert!(aiperf.manifest.clock.realtime_origin_ns > 1_700_000_000_000_000_000);
    let first: &RequestFacts = &collected(&aiperf).requests[0];
    assert_eq!(first.send_start, Some(Offset::ZERO));
    assert_eq!(
        first.stamp_source,
        Some(infermeter_core::record::StampSource::Imported)
    );
}

#[test]
fn a_file_without_a_date_makes_a_run_without_one() {
    // vLLM's instants count from its own start.
    let facts = golden("vllm.json");
    let log = import::run(&facts, &from()).expect("requests");
    let imported = log.manifest.imported.as_ref().expect("where it is from");
    assert_eq!((imported.has_date, log.manifest.begun_ns()), (false, None));
    assert!(
        imported
            .remarks
            .iter()
            .any(|remark| remark.contains("it has no date")),
        "{imported:?}"
    );
    let (files, losses) = exported(&log, ExportFormat::Aiperf);
    assert!(
        losses.iter().any(|loss| loss.starts_with("the date")),
        "{losses:?}"
    );
    for file in files.0.values() {
        let text = String::from_utf8_lossy(file);
        assert!(!text.contains("2026-11-30T09:30"), "{text}");
    }
    // Read back it has none, either.
    let back = read(&files.0["profile_export.jsonl"])
        .expect("ours")
        .remove(0);
    assert_eq!(
        import::run(&back, &from())
            .expect("requests")
            .manifest
            .begun_ns(),
        None
    );
    let (files, _) = exported(&log, ExportFormat::Llmd);
    let time = &files.json("benchmark_report.json")["run"]["time"];
    assert!(
        time["start"].is_null() && time["duration"].is_string(),
        "{time}"
    );
    // A user may know it.
    let told = From {
        begun_ns: Some(1_796_000_000_000_000_000),
        ..from()
    };
    let dated = import::run(&facts, &told).expect("requests");
    assert_eq!(dated.manifest.begun_ns(), told.begun_ns);
    let (_, losses) = exported(&dated, ExportFormat::Aiperf);
    assert!(
        !losses.iter().any(|loss| loss.starts_with("the date")),
        "{losses:?}"
    );
    let says = import::run(&golden("aiperf-requests.jsonl"), &told).expect_err("it has one");
    assert_eq!(says, NoRun::Dated);
}

#[test]
fn a_summary_and_nonsense_are_refused_with_their_place() {
    let refused = |facts: &Facts| import::run(facts, &from()).expect_err("refused");
    let summary = refused(&golden("vllm-plain.json"));
    assert!(matches!(summary, NoRun::NoRequests(_)), "{summary}");
    assert!(summary.to_string().contains("--save-detailed"));
    let nonsense = |change: fn(&mut infermeter_audit::facts::Request), says: &str| {
        let mut facts = golden("vllm.json");
        change(&mut facts.requests[4]);
        let error = refused(&facts).to_string();
        assert!(
            error.starts_with("request 5: ") && error.contains(says),
            "{error}"
        );
    };
    nonsense(|r| r.ttft_ms = Some(-1.0), "TTFT of -1 ms");
    nonsense(|r| r.ttft_ms = Some(1e30), "TTFT of");
    nonsense(|r| r.output_tokens = Some(1e12), "output tokens");
    nonsense(|r| r.start_s = Some(1e30), "after the first");
    nonsense(|r| r.e2e_ms = Some(0.001), "shorter than its TTFT");
    nonsense(
        |r| {
            r.ttft_ms = None;
            r.e2e_ms = None;
        },
        "neither a TTFT nor an E2E",
    );
}
