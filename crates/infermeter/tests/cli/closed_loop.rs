//! Closed loop: a fixed number of requests in flight, labelled as such everywhere.

use crate::process::{infermeter, mock, run_with, words};
use infermeter_core::record::Outcome;
use infermeter_core::schedule::Phase;

#[test]
fn a_closed_loop_keeps_its_slots_and_says_so_everywhere() {
    let line = format!(
        "run {} --concurrency 3 --requests 12 --warmup 4req --workload fixed:16,4 --threads 1",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let manifest = run.manifest();
    assert_eq!(manifest["load_model"], "closed_loop");
    assert!(manifest["rate_asked"].is_null());
    assert!(
        run.ran.out.contains("CLOSED LOOP, 3 slots"),
        "{}",
        run.ran.out
    );
    assert!(run.ran.out.contains("self-throttled"), "{}", run.ran.out);
    run.finding("closed-loop");
    let again = infermeter(&format!("report {} --json", run.dir.display()));
    assert_eq!(again.json()["summary"]["load_model"], "closed_loop");

    let records = run.records();
    let ids: Vec<u64> = records.iter().map(|r| r.id).collect();
    assert_eq!(ids, (0..records.len() as u64).collect::<Vec<_>>());
    let measured: Vec<_> = records
        .iter()
        .filter(|r| r.phase == Phase::Measure)
        .collect();
    assert_eq!(measured.len(), 12);
    assert!(measured.iter().all(|r| r.outcome == Outcome::Completed));
    // Never more than three between send and close.
    for r in &records {
        let sent = r.send_start.expect("sent");
        let open = |other: &&infermeter_core::record::RequestRecord| {
            other.send_start.is_some_and(|s| s <= sent)
                && other.closed.is_some_and(|closed| closed > sent)
        };
        assert!(records.iter().filter(open).count() <= 3);
    }
    // A later request is due when its slot's answer closed.
    let closes: Vec<_> = records.iter().filter_map(|r| r.closed).collect();
    for r in records.iter().filter(|r| r.id >= 3) {
        assert!(closes.contains(&r.intended), "{r:?}");
    }
}

#[test]
fn failures_free_their_slots() {
    let line = format!(
        "run {} --concurrency 2 --requests 8 --warmup 0 --workload fixed:16,4 --threads 1 \
         --no-probe --model mock/fixed --header 'x-mock-fault: status=500'",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    assert_eq!(run.ran.code, Some(4), "{:#?}", run.ran);
    assert_eq!(run.measured().len(), 8);
}

#[test]
fn a_duration_bounds_a_closed_loop_too() {
    let line = format!(
        "run {} --concurrency 2 --duration 300ms --warmup 0 --workload fixed:16,4 --threads 2",
        mock()
    );
    let run = run_with(words(&line), |_| {});
    let window = &run.manifest()["window"];
    let (start, end) = (window["start"].as_i64(), window["end"].as_i64());
    assert_eq!(end.zip(start).map(|(e, s)| e - s), Some(300_000_000));
    for record in run.measured() {
        let intended = Some(record.intended.0);
        assert!(intended >= start && intended < end);
    }
}
