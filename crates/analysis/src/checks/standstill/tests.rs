//! A client that was not there, by how long and when.

use super::super::tests::{check, thread};
use infermeter_core::clock::Offset;
use infermeter_core::gap::{Gap, GapCause};
use infermeter_core::run::ThreadHealth;
use infermeter_metrics::fixture::Run;

/// Gaps of a thread; the window begins at 0 here and lasts 65 s.
fn gaps(at_ms: i64, lengths_ms: &[i64]) -> impl FnOnce(&mut Run) {
    thread(move |health: &mut ThreadHealth| {
        for ms in lengths_ms {
            let (at, ns) = (Offset((30_000 + at_ms) * 1_000_000), ms * 1_000_000);
            let cause = GapCause::Stopped;
            health.gaps.push(Gap { at, ns, cause });
        }
    })
}

#[test]
fn a_client_that_stood_still_by_how_long() {
    let (error, warning) = (
        &["error client-stood-still"],
        &["warning client-stood-still"],
    );
    check(gaps(20_000, &[3_000]), error);
    check(gaps(20_000, &[1_000]), error);
    check(gaps(20_000, &[999]), error);
    check(gaps(20_000, &[200, 150]), warning);
    check(gaps(20_000, &[100]), warning);
}

#[test]
fn gaps_of_less_than_a_second_add_up() {
    check(gaps(20_000, &[200; 4]), &["error client-stood-still"]);
    check(gaps(20_000, &[100; 80]), &["error client-stood-still"]);
}

#[test]
fn a_gap_in_the_warm_up_is_no_gap_of_what_is_measured() {
    check(gaps(-20_000, &[3_000]), &["note client-stood-still"]);
    // It reaches into the window.
    check(gaps(-1_000, &[3_000]), &["error client-stood-still"]);
}

#[test]
fn measured_requests_that_nobody_sent() {
    check(|run| run.not_sent(30_000), &["warning not-sent"]);
}
