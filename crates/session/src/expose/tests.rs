//! The page of fabricated runs, read with the reader of servers' pages.

use super::names::MOST_NAMES;
use super::*;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason};
use infermeter_core::run::RunLog;
use infermeter_core::schedule::{ArrivalIds, OpenSchedule, Phase, Schedule, Slice};
use infermeter_metrics::fixture::{Run, facts, ms};
use infermeter_metrics::origin::Origin;
use infermeter_metrics::population::Population;
use infermeter_metrics::request_metric::RequestMetric;
use infermeter_probe::prometheus::{Sample, samples};

/// A page with every record of these runs.
fn page_of(logs: &[RunLog]) -> String {
    let exposed = Exposed::default();
    for log in logs {
        let figures = exposed.begin(&log.manifest);
        for record in &log.records {
            figures.ended(record);
        }
    }
    String::from_utf8(exposed.page()).expect("text")
}

/// The values of a name with these labels, whatever else they have.
fn values(page: &str, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
    let has = |sample: &Sample<'_>, (label, value): &(&str, &str)| {
        sample.label(label).is_some_and(|found| found == *value)
    };
    let found = samples(page).filter(|sample| sample.name == name);
    let found = found.filter(|sample| labels.iter().all(|label| has(sample, label)));
    found.map(|sample| sample.value).collect()
}

#[track_caller]
fn check(page: &str, name: &str, labels: &[(&str, &str)], expect: &[f64]) {
    assert_eq!(values(page, name, labels), expect, "{name} {labels:?}");
}

/// Two streams, one of them late, and a request for each other end.
fn mixed() -> RunLog {
    let mut run = Run::open(1.0, 10);
    run.warmup_stream(-500, ms(30), ms(10), 3);
    run.stream(0, ms(20), ms(10), 4).late(ms(2));
    run.stream(100, ms(40), ms(5), 2).without_token_counts();
    run.failed(200, Reason::HttpStatus);
    run.timed_out(300);
    run.not_sent(400);
    run.manifest().addresses = vec!["http://a:1".to_owned(), "unix:/a\"b\\c\n".to_owned()];
    let mut log = run.build();
    log.records[1].address = Some(1);
    log
}

#[test]
fn requests_are_counted_by_phase_class_and_outcome() {
    let page = page_of(&[mixed()]);
    let total = "infermeter_requests_total";
    let of = |phase, outcome| [("phase", phase), ("outcome", outcome), ("class", "chat")];
    check(&page, total, &of("warmup", "completed"), &[1.0]);
    check(&page, total, &of("measure", "completed"), &[2.0]);
    check(&page, total, &of("measure", "failed"), &[1.0]);
    check(&page, total, &of("measure", "timed_out"), &[1.0]);
    check(&page, total, &of("measure", "cancelled"), &[0.0]);
    check(&page, total, &of("measure", "not_sent"), &[1.0]);
    // The drain has not begun.
    check(&page, total, &of("drain", "completed"), &[]);
    let errors = "infermeter_request_errors_total";
    check(&page, errors, &[("reason", "http_status")], &[1.0]);
    check(&page, errors, &[("reason", "disconnected")], &[0.0]);
    // A label as hostile as it was.
    let targets = "infermeter_target_requests_total";
    check(&page, targets, &[("target", "unix:/a\"b\\c\n")], &[1.0]);
}

#[test]
fn tokens_that_nobody_counted_are_absent() {
    let page = page_of(&[mixed()]);
    let (tokens, counts) = ("infermeter_tokens_total", "infermeter_token_counts_total");
    let of = |kind| [("phase", "measure"), ("kind", kind)];
    check(&page, tokens, &of("output"), &[4.0]);
    check(&page, counts, &of("output"), &[1.0]);
    check(&page, tokens, &of("cached_prompt"), &[]);
    check(&page, counts, &of("cached_prompt"), &[0.0]);
    let measured = [("phase", "measure")];
    check(&page, "infermeter_chunks_total", &measured, &[6.0]);
    check(
        &page,
        "infermeter_answers_without_itl_total",
        &measured,
        &[1.0],
    );
    let itl = "infermeter_inter_token_latency_seconds_count";
    check(&page, itl, &measured, &[3.0]);
    check(
        &page,
        "infermeter_chunk_gap_seconds_count",
        &measured,
        &[4.0],
    );
    check(
        &page,
        "infermeter_send_lag_seconds_sum",
        &measured,
        &[0.002],
    );
}

#[test]
fn times_are_those_of_the_result() {
    let log = Run::steady(400, 20.0, 8).build();
    let page = page_of(std::slice::from_ref(&log));
    let collected = facts(&log);
    let population = Population::of(&collected);
    for (name, metric) in [
        (
            "infermeter_time_to_first_token_seconds",
            RequestMetric::Ttft,
        ),
        ("infermeter_request_duration_seconds", RequestMetric::E2e),
    ] {
        let all = population.completed();
        let expect: Vec<f64> = all
            .filter_map(|request| metric.value_ms(request, Origin::Intended))
            .map(|ms| ms / 1e3)
            .collect();
        let labels = [("phase", "measure"), ("origin", "intended")];
        check(
            &page,
            &format!("{name}_count"),
            &labels,
            &[expect.len() as f64],
        );
        let sum = values(&page, &format!("{name}_sum"), &labels)[0];
        assert!(
            (sum - expect.iter().sum::<f64>()).abs() < 1e-6,
            "{name}: {sum}"
        );
        for bucket in samples(&page).filter(|s| s.name == format!("{name}_bucket")) {
            if bucket.label("phase").as_deref() != Some("measure") {
                continue;
            }
            let bound: f64 = bucket
                .label("le")
                .expect("a bound")
                .parse()
                .expect("a number");
            let below = expect.iter().filter(|time| **time <= bound).count();
            assert_eq!(bucket.value, below as f64, "{name} up to {bound}");
        }
    }
}

#[test]
fn a_page_holds_the_present_run_and_the_one_before_it() {
    let named = |id: &str| {
        let mut log = mixed();
        log.manifest.run_id = id.to_owned();
        log
    };
    let page = page_of(&[named("one"), named("two"), named("three")]);
    let info = "infermeter_run_info";
    check(&page, info, &[("run_id", "one")], &[]);
    check(
        &page,
        info,
        &[("run_id", "two"), ("target", "http://a:1")],
        &[1.0],
    );
    check(
        &page,
        info,
        &[("run_id", "three"), ("load_model", "open_loop")],
        &[1.0],
    );
    // A family stands in one piece, with the samples of both runs in it.
    let names: Vec<&str> = samples(&page).map(|sample| sample.name).collect();
    let mut seen = Vec::new();
    for group in names.chunk_by(|one, next| family(one) == family(next)) {
        assert!(
            !seen.contains(&family(group[0])),
            "{} stands twice",
            group[0]
        );
        seen.push(family(group[0]));
    }
    for name in &seen {
        for kind in ["HELP", "TYPE"] {
            let lines = page
                .lines()
                .filter(|line| line.starts_with(&format!("# {kind} {name} ")));
            assert_eq!(lines.count(), 1, "{kind} of {name}");
        }
    }
}

#[test]
fn every_family_is_in_the_book() {
    let book = include_str!("../../../../docs/src/live.md");
    let page = page_of(&[mixed()]);
    let mut families = 0;
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let name = line.split(' ').next().expect("a name");
        assert!(
            book.contains(&format!("`{name}`")),
            "docs/src/live.md lacks {name}"
        );
        families += 1;
    }
    assert!(families > 20, "{families}");
}

fn family(name: &str) -> &str {
    let parts = ["_bucket", "_count", "_sum"];
    parts
        .iter()
        .find_map(|part| name.strip_suffix(part))
        .unwrap_or(name)
}

#[test]
fn names_beyond_the_limit_are_counted_under_one_label() {
    let mut log = mixed();
    let classes = (0..MOST_NAMES + 5).map(|n| format!("class {n}"));
    log.manifest.classes = classes.collect();
    log.records[1].class = 35;
    log.records[2].class = 36;
    let page = page_of(&[log]);
    let completed = [("phase", "measure"), ("outcome", "completed")];
    let total = "infermeter_requests_total";
    assert_eq!(values(&page, total, &completed).len(), MOST_NAMES + 1);
    let others = [completed[0], completed[1], ("class", "(others)")];
    check(&page, total, &others, &[2.0]);
    let left_out = "infermeter_labels_left_out";
    check(&page, left_out, &[("label", "class")], &[5.0]);
    check(&page, left_out, &[("label", "target")], &[0.0]);
}

#[test]
fn a_run_goes_through_its_phases() {
    let log = mixed();
    let exposed = Exposed::default();
    let page = || String::from_utf8(exposed.page()).expect("text");
    check(&page(), "infermeter_run_info", &[], &[]);
    let figures = exposed.begin(&log.manifest);
    let phase = "infermeter_run_phase";
    check(&page(), phase, &[("phase", "preparing")], &[1.0]);
    check(&page(), "infermeter_run_start_time_seconds", &[], &[]);
    check(&page(), "infermeter_requests_total", &[], &[]);
    figures.phase(Phase::Warmup);
    check(&page(), phase, &[("phase", "warmup")], &[1.0]);
    assert!(!values(&page(), "infermeter_requests_total", &[]).is_empty());
    figures.phase(Phase::Drain);
    check(&page(), phase, &[("phase", "warmup")], &[0.0]);
    check(&page(), "infermeter_run_end_time_seconds", &[], &[]);
    let schedule = Schedule::Open(schedule());
    figures.end(&schedule, Offset(2));
    check(&page(), phase, &[("phase", "ended")], &[1.0]);
    check(&page(), "infermeter_requests_due_total", &[], &[2.0]);
    assert_eq!(
        values(&page(), "infermeter_run_end_time_seconds", &[]).len(),
        1
    );
    let reads = values(&page(), "infermeter_page_reads_total", &[]);
    assert!(reads[0] > 8.0, "{reads:?}");
}

fn schedule() -> OpenSchedule {
    OpenSchedule {
        arrivals: vec![Offset(1), Offset(2), Offset(3)],
        ids: ArrivalIds::ALONE,
        measure_from: 0,
        drain_from: 3,
        window_start: Offset(0),
        window_end: Offset(4),
        slice: Slice::WHOLE,
    }
}

#[test]
fn other_questions_are_answered_in_words() {
    let exposed = Exposed::default();
    let ask = |method, target| {
        exposed.answer(&Asked {
            method,
            target,
            content_type: None,
            body: &[],
        })
    };
    assert_eq!(ask("GET", "/metrics?name[]=x").status, 200);
    assert_eq!(ask("GET", "/").status, 200);
    assert_eq!(ask("GET", "/metric").status, 404);
    assert_eq!(ask("POST", "/metrics").status, 405);
}

#[test]
fn outcomes_and_reasons_stand_at_their_numbers() {
    for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
        assert_eq!(outcome as usize, place);
    }
}

#[test]
fn an_address_in_use_is_said_before_anything_runs() {
    let first = Exposing::start(":0".parse().expect("an address")).expect("any free port");
    let taken = first.address().to_string().parse().expect("an address");
    let error = Exposing::start(taken).expect_err("in use").to_string();
    assert!(
        error.contains(&format!("--expose={}", first.address())),
        "{error}"
    );
    assert!(error.contains("name another port"), "{error}");
}
