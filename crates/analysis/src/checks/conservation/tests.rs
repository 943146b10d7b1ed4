//! Conservation over several ranks.

use crate::checks::tests::quiet;
use crate::{judge, summarize_log};
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{ClientRun, RunLog};
use infermeter_core::schedule::{
    Begins, ClosedSchedule, Phase, PhaseCounts, ScheduleFacts, Slice, Window,
};
use infermeter_metrics::fixture::{ms, ranked};

/// A run of three ranks, each of which knows what its part of the schedule says.
fn three() -> RunLog {
    let mut log = ranked(quiet().build(), 3);
    let mut all = PhaseCounts::default();
    for client in &mut log.manifest.clients {
        let mut own = PhaseCounts::default();
        let mine = |record: &&RequestRecord| client.slice.takes(record.id);
        for record in log.records.iter().filter(mine) {
            own.add(record.phase);
            all.add(record.phase);
        }
        client.schedule = Some(facts(client.slice, own));
    }
    log.manifest.schedule = Some(facts(Slice::WHOLE, all));
    log
}

fn facts(slice: Slice, arrivals: PhaseCounts) -> ScheduleFacts {
    ScheduleFacts {
        slice,
        sessions: false,
        begins: Begins::Arrivals(arrivals),
    }
}

/// What is said of three ranks after a change; nothing where nothing is.
fn said(change: impl FnOnce(&mut RunLog)) -> String {
    let mut log = three();
    change(&mut log);
    said_of(&log)
}

fn said_of(log: &RunLog) -> String {
    let (run, summary) = summarize_log(log);
    let findings = judge(&run, &summary);
    let found = findings.iter().find(|f| f.code == super::CONSERVATION.code);
    found.map_or_else(String::new, |finding| finding.evidence.clone())
}

fn check(change: impl FnOnce(&mut RunLog), expect: &[&str]) {
    let said = said(change);
    for part in expect {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[test]
fn ranks_that_have_all_their_rows_hold() {
    assert_eq!(said(|_| {}), "");
}

#[test]
fn a_row_that_a_rank_lacks_is_missed_there_and_in_the_whole() {
    // Request 700 is one of the window, and the second rank's.
    check(
        |log| log.records.retain(|record| record.id != 700),
        &[
            "rank 1: id out of sequence: 1 (first: request 703)",
            "rank 1: measure: 432 arrivals on record, 433 in the schedule",
            "rank 1: 452 requests on record, 453 handed to the recorder",
            "1359 requests on record, 1360 handed to the recorder",
        ],
    );
}

#[test]
fn a_row_that_two_ranks_have_is_seen() {
    let twice = |log: &mut RunLog| {
        let at = log.records.iter().position(|record| record.id == 700);
        let copy = log.records[at.expect("there")].clone();
        log.records.insert(at.expect("there"), copy);
    };
    check(
        twice,
        &[
            "id out of sequence: 1 (first: request 700); ",
            "rank 1: id out of sequence: 1",
        ],
    );
}

#[test]
fn a_row_of_nobody_is_seen() {
    check(
        |log| log.records[90].client = Some(7),
        &["1 rows are of no client of the run", "rank 0: "],
    );
    check(
        |log| log.records[90].client = None,
        &["1 rows are of no client of the run"],
    );
}

#[test]
fn a_rank_that_was_killed_is_not_accused_of_what_it_did_not_reach() {
    let killed = |log: &mut RunLog| {
        log.records.retain(|r| r.id < 700 || r.client != Some(1));
        let clients = &mut log.manifest.clients;
        clients[1].progress.recovered = true;
        clients[1].progress.interrupted = true;
        clients[1].progress.counted = None;
        log.manifest.progress = ClientRun::together(clients).map(|all| all.progress);
    };
    assert_eq!(said(killed), "");
}

#[test]
fn a_rank_has_a_window_of_its_own() {
    // The last rank ended its window before the others: what it sent afterwards is drain.
    let sooner = |log: &mut RunLog| {
        let mut window = log.manifest.window.expect("a window");
        window.end = window.end.plus(-1_000_000_000);
        log.manifest.clients[2].window = Some(window);
        for record in log.records.iter_mut().filter(|r| r.client == Some(2)) {
            record.phase = window.phase_at(record.intended);
        }
        for client in &mut log.manifest.clients {
            client.schedule = None;
        }
        log.manifest.schedule = None;
    };
    assert_eq!(said(sooner), "");
    check(
        |log| {
            sooner(log);
            log.manifest.clients[2].window = None;
        },
        &["rank 2: phase other than that of the intended instant"],
    );
}

/// A closed loop that asks for so many requests of warm-up, of at most 30 s.
fn closed(slice: Slice, warmup_requests: u64) -> ScheduleFacts {
    ScheduleFacts {
        slice,
        sessions: false,
        begins: Begins::Slots(ClosedSchedule {
            slots: 4,
            stride: 1,
            slice,
            warmup_ns: 0,
            warmup_requests,
            warmup_max_ns: ms(30_000),
            duration_ns: None,
            requests: None,
        }),
    }
}

/// A closed loop of two ranks: the warm-up of the first ended after 20 s, by its 25 requests, that of the second after 30 s,
/// by its time, with 30 of the 40 that it was to have.
fn warmed_up_apart(asked_of_first: u64) -> RunLog {
    let mut log = ranked(quiet().build(), 2);
    let whole = log.manifest.window.expect("a window");
    let sooner = Window {
        start: Offset(ms(20_000)),
        ..whole
    };
    let clients = &mut log.manifest.clients;
    for (client, (window, asked)) in clients
        .iter_mut()
        .zip([(sooner, asked_of_first), (whole, 40)])
    {
        client.schedule = Some(closed(client.slice, asked));
        client.window = Some(window);
        let own = client.slice;
        for record in log.records.iter_mut().filter(|r| own.takes(r.id)) {
            record.phase = window.phase_at(record.intended);
        }
    }
    // What merging makes of the two: from the first start, and the sum.
    log.manifest.window = Some(sooner);
    log.manifest.schedule = Some(closed(Slice::WHOLE, asked_of_first + 40));
    log
}

#[test]
fn warm_ups_that_ended_by_count_and_by_time_are_judged_one_by_one() {
    assert_eq!(said_of(&warmed_up_apart(25)), "");
    assert_eq!(
        said_of(&warmed_up_apart(26)),
        "rank 0: warmup: 25 requests on record, 26 at least asked for."
    );
}

#[test]
fn the_run_that_is_changed_is_the_one_that_is_expected() {
    let log = three();
    let of = |phase| log.records.iter().filter(|r| r.phase == phase).count();
    assert_eq!((of(Phase::Warmup), of(Phase::Measure)), (60, 1_300));
}
