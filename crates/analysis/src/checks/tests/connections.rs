//! Findings about connections, and about a server that could not be reached.

use super::{check, every, thread};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason, RequestError, RequestRecord};
use infermeter_metrics::fixture::{Run, ms};

/// The window begins here.
const START: i64 = ms(30_000);

/// A request that met no connection and might not open one.
fn refuse(record: &mut RequestRecord) {
    let (id, intended) = (record.id, record.intended);
    let lengths = (
        record.requested_prompt_tokens,
        record.requested_output_tokens,
    );
    let blank = RequestRecord::unsent(id, 0, record.phase, intended, lengths.0, lengths.1);
    *record = RequestRecord {
        outcome: Outcome::Failed,
        closed: Some(intended),
        error: Some(RequestError {
            reason: Reason::ConnectBackoff,
            text: "not due".to_owned(),
        }),
        ..blank
    };
}

/// Requests due in a stretch of the window (milliseconds) meet no server.
fn away(from: i64, until: i64) -> impl Fn(&mut Run) {
    move |run| {
        let stretch = Offset(START + ms(from))..Offset(START + ms(until));
        let records = run.records().iter_mut();
        let inside = records.filter(|r| stretch.contains(&r.intended));
        for record in inside {
            refuse(record);
            // Attempts: as long as answers from before come to their end, and longer.
            if record.intended.since(stretch.start) < ms(500) {
                record.send_start = Some(record.intended);
                record.error = record.error.take().map(|error| RequestError {
                    reason: Reason::ConnectFailed,
                    ..error
                });
            }
        }
    }
}

#[test]
fn a_server_that_was_away_by_what_that_did_to_the_window() {
    check(away(20_000, 21_000), &["warning server-unreachable"]);
    check(
        away(20_000, 30_000),
        &["error server-unreachable", "error failures"],
    );
    // In the warm-up, whose last requests are 6.4 s before the window.
    check(away(-10_000, -9_000), &["note server-unreachable"]);
}

#[test]
fn connections_that_a_gap_cost_are_not_the_keep_alives() {
    let opened = |from: i64| {
        move |run: &mut Run| {
            away(20_000, 21_000)(run);
            let later = Offset(START + ms(from));
            let opened = every(run, 1).filter(|r| r.intended >= later);
            for record in opened.take(18) {
                record.new_connection = Some(true);
                record.connected = record.send_start.map(|at| at.plus(ms(5)));
            }
        }
    };
    check(opened(21_000), &["warning server-unreachable"]);
    check(
        opened(40_000),
        &[
            "warning server-unreachable",
            "note connections-opened-inside",
        ],
    );
}

#[test]
fn servers_that_break_what_they_promise_are_notes() {
    let single_use = thread(|t| t.connections_single_use = 7);
    check(single_use, &["note connections-single-use"]);
    check(
        thread(|t| t.bodies_without_end = 2),
        &["note body-without-end"],
    );
}
