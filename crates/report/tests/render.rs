//! Snapshots of what people and programs read.

use infermeter_analysis::{judge, summarize_log};
use infermeter_core::finding::{Severity, Verdict};
use infermeter_core::record::{ChunkKind, Reason};
use infermeter_core::request::Turn;
use infermeter_core::run::RunLog;
use infermeter_core::schedule::Phase;
use infermeter_metrics::fixture::{Run, ms};
use infermeter_report::{Document, Format, Notes, RunOutput, Screen, View, of_audit, of_run};

fn render(log: &RunLog, width: usize) -> String {
    shown(log, View::Summary, width)
}

fn shown(log: &RunLog, view: View, width: usize) -> String {
    Format::Terminal.render(&told(log, view), screen(width))
}

fn told(log: &RunLog, view: View) -> Document {
    let (run, summary) = summarize_log(log);
    let findings = judge(&run, &summary);
    let verdict = Verdict::of(&findings);
    of_run(&summary, verdict, &findings, &log.manifest, view)
}

fn screen(width: usize) -> Screen {
    Screen {
        width,
        ..Screen::default()
    }
}

fn quiet() -> Run {
    Run::steady(1_300, 20.0, 50)
}

/// Failures, objectives of every kind, two classes, a client that was late.
fn troubled() -> RunLog {
    let mut run = quiet();
    for i in 0..40 {
        run.failed(i * 1_600, Reason::HttpStatus);
    }
    for i in 0..10 {
        run.timed_out(i * 1_700);
    }
    for i in 0..20 {
        run.stream(i * 3_000, ms(60), ms(10), 50).late(ms(4));
    }
    for objective in [
        "ttft.p99<500ms",
        "itl.p99<50ms",
        "e2e.p50<550ms",
        "ttfo.p90<1s",
    ] {
        run.manifest()
            .plan
            .slo
            .push(objective.parse().expect("an objective"));
    }
    run.manifest().plan.gpus = Some(4);
    run.manifest().plan.hardware = Some("4xH100".to_owned());
    run.manifest().classes = vec!["chat".to_owned(), "summarization".to_owned()];
    let mut log = run.build();
    log.records.iter_mut().step_by(3).for_each(|r| r.class = 1);
    log
}

#[test]
fn a_quiet_run() {
    insta::assert_snapshot!(render(&quiet().build(), 120));
}

#[test]
fn a_troubled_run() {
    insta::assert_snapshot!(render(&troubled(), 100));
}

#[test]
fn what_nobody_stated_is_unknown() {
    let mut run = quiet();
    let plan = &mut run.manifest().plan;
    plan.publication = true;
    plan.hardware = Some("gpu=H100, count=8, storage=local NVMe".to_owned());
    plan.engine_info = Some("engine=vllm, flags=--max-num-seqs=256".to_owned());
    let text = render(&run.build(), 110);
    let context = text.split("\nContext\n").nth(1).expect("a block");
    let (context, _) = context.split_once("\n\n").expect("notes behind it");
    insta::assert_snapshot!(context.trim_end(), @r"
Hardware      gpu H100; count 8; memory unknown; interconnect unknown; network unknown; storage local NVMe;
              placement unknown
Model         name llama-8b; version unknown; size unknown; quantisation unknown
Engine        engine vllm; version unknown; flags --max-num-seqs=256; tp unknown; pp unknown; dp unknown;
              attention unknown; scheduling unknown; prefix-cache unknown; chunked-prefill unknown;
              speculation unknown; batch-limits unknown; hit-rate unknown; tuning unknown; logging unknown
    ");
}

#[test]
fn a_closed_loop_with_reasoning_and_bursts() {
    let mut run = Run::closed(32, 60);
    run.manifest().plan.fluidity = "80ms/15ms".parse().ok();
    run.warmup_stream(-9_000, ms(60), ms(20), 40);
    for i in 0..1_200 {
        let ttft = ms(50 + i % 37);
        let stream = run.stream(i * 50, ttft, ms(30), 40).tokens_per_chunk(3);
        if i % 100 == 0 {
            stream.pause_before(20, ms(400));
        }
    }
    let mut log = run.build();
    for record in &mut log.records {
        record
            .chunks
            .iter_mut()
            .take(10)
            .for_each(|c| c.kind = ChunkKind::Reasoning);
    }
    insta::assert_snapshot!(render(&log, 110));
}

#[test]
fn answers_without_a_stream() {
    let mut run = quiet();
    run.manifest().plan.no_stream = true;
    for record in run.records() {
        record.chunks.clear();
        (record.closed, record.finished) = (record.finished, None);
        record.token_source = None;
    }
    insta::assert_snapshot!(render(&run.build(), 110));
}

#[test]
fn nothing_but_failures() {
    let mut run = Run::open(2.0, 30);
    for i in 0..60 {
        run.failed(i * 500, Reason::ConnectFailed);
    }
    insta::assert_snapshot!(render(&run.build(), 90));
}

#[test]
fn what_a_server_says_is_inert() {
    let mut run = quiet();
    run.failed(100, Reason::InBandError);
    let error = run.records().last_mut().and_then(|r| r.error.as_mut());
    error.expect("a failure").text = "\u{1b}[2J\u{202e}gone\r\nVerdict: Valid".to_owned();
    run.manifest().model = "model\u{1b}]0;title\u{7}".to_owned();
    let text = render(&run.build(), 80);
    assert!(!text.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']));
}

#[test]
fn colour_adds_only_escapes() {
    let log = troubled();
    let (run, summary) = summarize_log(&log);
    let findings = judge(&run, &summary);
    let verdict = Verdict::of(&findings);
    let document = of_run(&summary, verdict, &findings, &log.manifest, View::Full);
    let with = |color| {
        let screen = Screen {
            color,
            ..Screen::default()
        };
        Format::Terminal.render(&document, screen)
    };
    let mut plain = with(true);
    assert!(plain.contains('\u{1b}'));
    for code in ["0", "1", "2", "31", "32", "33"] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(plain, with(false));
}

#[test]
fn a_run_as_markdown() {
    let (run, summary) = summarize_log(&troubled());
    let findings = judge(&run, &summary);
    let verdict = Verdict::of(&findings);
    let document = of_run(&summary, verdict, &findings, &run.manifest, View::Summary);
    insta::assert_snapshot!(Format::Markdown.render(&document, Screen::default()));
}

#[test]
fn json_holds_the_same() {
    let mut log = troubled();
    log.records.retain(|r| r.phase == Phase::Measure);
    let (run, summary) = summarize_log(&log);
    let findings = judge(&run, &summary);
    let output = RunOutput::of(&summary, Verdict::of(&findings), &log.manifest);
    let value = serde_json::to_value(output).expect("JSON");
    assert_eq!(value["verdict"], "invalid");
    let ttft = &value["summary"]["latency"]["ttft"]["intended"];
    assert_eq!(ttft["unit"], "ms");
    insta::assert_snapshot!(format!("{:#}", ttft["percentiles"]));
    insta::assert_snapshot!(format!("{:#}", value["summary"]["slo"][0]));
    let keys: Vec<_> = value["summary"]
        .as_object()
        .expect("an object")
        .keys()
        .collect();
    insta::assert_debug_snapshot!(keys);
}

/// An audit with one check of each answer; the file's name tries to steer.
fn small_audit() -> infermeter_audit::Audit {
    use infermeter_audit::{Side, audit, import};
    let text = r#"{"completed": 20, "duration": 4.0, "total_token_throughput": 100.0,
        "request_rate": 5.0, "failed": 0, "mean_itl_ms": 10.0, "p99_itl_ms": 20.0}"#;
    let mut results = import::read(text.as_bytes()).expect("a result");
    results[0].source = "odd\u{1b}[31m|name.json".to_owned();
    let side = Side {
        name: "side".to_owned(),
        results,
    };
    audit(&[side])
}

#[test]
fn an_audit_on_a_terminal() {
    let text = Format::Terminal.render(&of_audit(&small_audit()), screen(80));
    assert!(!text.contains('\u{1b}'), "{text}");
    let order = [
        "Audit of 1 result",
        "Scores",
        "grade  score  coverage  pass  fail  cannot tell",
        "No grade where under half",
        "Failed",
        "  warning  short-level: The measurement is too short for its load.",
        "           4 s of measurement at this load.",
        "           → Measure each load for 60 s at least; longer near capacity.",
        "Cannot tell, because this is missing",
        "  warm-up: no-warmup, short-warmup",
        "Passed",
        "Names in vllm bench serve, and what they are",
    ];
    let mut at = 0;
    for line in order {
        let found = text[at..].find(line);
        at += found.unwrap_or_else(|| panic!("no `{line}` behind byte {at} of\n{text}"));
    }
}

#[test]
fn an_audit_as_markdown() {
    let text = Format::Markdown.render(&of_audit(&small_audit()), Screen::default());
    assert!(
        text.starts_with(
            "# Audit of 1 result\n\n- odd\u{fffd}[31m\\|name.json: vllm bench serve, 20"
        )
    );
    for line in [
        "| Dimension | grade | score | coverage | pass | fail | cannot tell |",
        "- **warning** `short-level`: The measurement is too short for its load. 4 s of \
         measurement at this load. *Measure each load for 60 s at least; longer near capacity.*",
        "- warm-up: `no-warmup`, `short-warmup`",
        "- itl = chunk gap (one gap per chunk, however many tokens it carries)",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn the_full_view_has_every_figure() {
    let log = Run::steady(1_300, 20.0, 12).build();
    let text = shown(&log, View::Full, 200);
    let summary_alone = shown(&log, View::Summary, 200);
    // The notes stand behind both.
    let (summary_alone, _) = summary_alone.rsplit_once("\n\n").expect("notes");
    assert!(text.starts_with(summary_alone), "{text}");
    let ttft = text.split("All figures").nth(1).expect("the full view");
    for part in [
        "Chunk gap by token position",
        "9 to 16",
        "TTFT ms",
        "mean 6",
        "std 11.",
        "min 40.",
        "max 79.",
        "p99/p50 1.3",
        "p75 ",
        "Ended by      length 1,300 (100 %)",
    ] {
        assert!(ttft.contains(part), "{part} in {ttft}");
    }
    assert!(ttft.contains("∞) (needs "), "{ttft}");
}

#[test]
fn the_full_view_breaks_down_by_turn_and_tells_fairness() {
    let mut run = Run::steady(1_300, 20.0, 12);
    for (i, record) in run.records().iter_mut().enumerate() {
        record.turn = Some(Turn {
            session: i as u64 % 400,
            number: i as u32 / 400,
        });
        if i % 400 == 7 {
            record.chunks[9].at = record.chunks[9].at.plus(ms(300));
        }
    }
    let text = shown(&run.build(), View::Full, 200);
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    for start in [
        "By turn",
        "By turn number",
        "first: 340 of 340 completed",
        "later: 960 of 960 completed",
        "3 to 4: 560 of 560 completed",
        "chunks        gap 10.0 [9.9",
        "stalls        3 in 3 of 960 requests, 9",
        "By session    TTFT 0.9",
    ] {
        let found = lines.iter().any(|line| line.starts_with(start));
        assert!(found, "no `{start}` in {text}");
    }
}

#[test]
fn many_classes_have_tables_only_in_the_full_view() {
    let mut run = quiet();
    run.manifest().classes = (0..9).map(|i| format!("client-{i}")).collect();
    let mut log = run.build();
    // Of 1,300 requests class 8 has 580, the others 90 each.
    let measured = log.records.iter_mut().filter(|r| r.phase == Phase::Measure);
    for (at, record) in measured.enumerate() {
        record.class = if at < 720 { (at % 8) as u16 } else { 8 };
    }
    let text = render(&log, 100);
    let headings = |text: &str| {
        let lines = text.lines().filter(|line| line.contains("Class client-"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let headed = headings(&text);
    assert_eq!(headed.len(), 6, "{headed:?}");
    assert!(headed[5].starts_with("Class client-8: 580"), "{headed:?}");
    let rest = "Further classes\n  3, of at most 90 requests each; --full and --json have them.";
    assert!(text.contains(rest), "{text}");
    let text = shown(&log, View::Full, 100);
    assert_eq!(headings(&text).len(), 9);
    assert!(!text.contains("Further classes"), "{text}");
}

#[test]
fn figures_come_before_notes_and_behind_what_weighs() {
    let log = troubled();
    let (run, summary) = summarize_log(&log);
    let findings = judge(&run, &summary);
    let of = |notes| Document {
        notes,
        ..of_run(
            &summary,
            Verdict::of(&findings),
            &findings,
            &log.manifest,
            View::Summary,
        )
    };
    // A page has its notes in a fold above the figures.
    for format in [Format::Terminal, Format::Markdown] {
        let named = format.render(&of(Notes::Named), screen(80));
        let told = format.render(&of(Notes::Told), screen(80));
        let at = |text: &str, part: &str| {
            text.find(part)
                .unwrap_or_else(|| panic!("no `{part}` in\n{text}"))
        };
        let note = findings
            .iter()
            .find(|f| f.severity == Severity::Note)
            .expect("a note");
        for text in [&named, &told] {
            assert!(at(text, "warning") < at(text, "Latency of"), "{text}");
            assert!(at(text, "Latency of") < at(text, &note.code), "{text}");
        }
        assert!(named.contains("(--notes shows "), "{named}");
        let advice = note.advice.split(' ').next().expect("a word");
        assert!(told.contains(advice) && !told.contains("--notes"), "{told}");
    }
}

#[test]
fn fifty_requests_show_what_is_known_of_them() {
    let log = Run::steady(50, 10.0, 12).build();
    let text = render(&log, 80);
    let table: Vec<&str> = text
        .lines()
        .skip_while(|l| !l.starts_with("Latency"))
        .collect();
    let ttft = table
        .iter()
        .find(|line| line.trim_start().starts_with("TTFT"))
        .expect("TTFT");
    assert!(ttft.contains("∞)"), "{text}");
    assert!(!text.contains("needs "), "{text}");
    assert!(text.contains("at 97.5 % confidence"), "{text}");
    assert!(text.contains("No room for min, p95"), "{text}");
    let wide = render(&log, 120);
    let head = "mean  ";
    assert!(
        wide.contains(head) && wide.contains("p99.9") && wide.contains("max"),
        "{wide}"
    );
    assert!(!wide.contains("No room"), "{wide}");
    let page = Format::Html.render(&told(&log, View::Summary), screen(80));
    assert!(page.contains("∞)</td>"), "{page}");
    assert!(
        !page.contains("∞) <span"),
        "an interval alone stands once: {page}"
    );
}
