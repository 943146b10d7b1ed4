//! Several clients share a load: each executes its slice, and together they have sent the whole.

use crate::sessions::{Talk, begins};
use crate::support::{Ask, Done, MS, SECOND, arrivals, execute, fixed, settings, start};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::run::ClientRun;
use infermeter_core::schedule::{ClosedSchedule, Phase, Schedule, Slice};
use std::collections::BTreeSet;

/// What one slice is executed with.
type Execute<'a> = &'a dyn Fn(&Schedule) -> Done;

fn slices(whole: &Schedule, of: u32, execute: Execute<'_>) -> Vec<Done> {
    let cut = |slice| whole.cut(slice).expect("slots enough");
    Slice::all(of).map(|slice| execute(&cut(slice))).collect()
}

/// All clients of a run as one: what they counted is what is on record.
fn as_one(slices: &[Done]) -> ClientRun {
    let of = slices.len() as u32;
    let client = |(slice, done): (Slice, &Done)| ClientRun {
        slice,
        progress: done.outcome.progress.clone(),
        health: done.outcome.health.clone(),
        rank: None,
        clock: None,
        schedule: None,
        window: None,
        host: None,
    };
    let clients: Vec<ClientRun> = Slice::all(of).zip(slices).map(client).collect();
    let all = ClientRun::together(&clients).expect("one at least");
    let records: usize = slices.iter().map(|done| done.records.len()).sum();
    let counted = all.progress.counted.expect("they counted");
    assert_eq!(counted.handed_over, records as u64);
    assert_eq!(all.progress.scheduled, records as u64);
    all
}

/// All records in id order; no id and no connection is in two slices.
fn together(slices: &[Done]) -> Vec<RequestRecord> {
    let mut connections = BTreeSet::new();
    for done in slices {
        let own: BTreeSet<u32> = done.records.iter().filter_map(|r| r.connection).collect();
        assert!(connections.is_disjoint(&own), "{own:?}");
        connections.extend(own);
    }
    let mut all: Vec<RequestRecord> = slices.iter().flat_map(|d| d.records.clone()).collect();
    all.sort_by_key(|record| record.id);
    let pairs = all.windows(2);
    assert!(pairs.into_iter().all(|pair| pair[0].id < pair[1].id));
    all
}

fn count(records: &[RequestRecord], phase: Phase) -> u64 {
    records.iter().filter(|r| r.phase == phase).count() as u64
}

#[test]
fn slices_of_arrivals_are_sent_at_the_instants_of_the_whole() {
    let mock = start(fixed("2ms", "1ms"));
    let ask = |id| Ask::tokens(1 + id as u32 % 3);
    let at_ms: Vec<i64> = (0..90).collect();
    let open = arrivals(&at_ms, 20, 60);
    let whole = Schedule::Open(open.clone());
    let done = slices(&whole, 3, &|slice| {
        execute(slice, &settings(mock.address(), 2), &ask)
    });
    let records = together(&done);
    let all = as_one(&done);
    assert_eq!(all.health.threads.len(), 6);
    let reached = records.len() as u64 + all.progress.drain_not_reached;
    assert_eq!(reached, 90, "every arrival has a row or is counted");
    assert_eq!(
        (
            count(&records, Phase::Warmup),
            count(&records, Phase::Measure)
        ),
        (20, 60)
    );
    for record in &records {
        let index = record.id as usize;
        assert_eq!(record.intended, open.arrivals[index]);
        assert_eq!(record.phase, open.phase_of(index));
        assert_eq!(record.requested_output_tokens, ask(record.id).output_tokens);
        let measured = record.phase == Phase::Measure;
        assert!(
            !measured || record.outcome == Outcome::Completed,
            "{record:?}"
        );
    }
}

#[test]
fn sessions_stay_whole_within_a_slice() {
    let mock = start(fixed("2ms", "1ms"));
    let talk = Talk {
        turns: 4,
        delay_ns: 2 * MS,
        pause_ns: 0,
        ask: &|_| Ask::tokens(2),
    };
    let whole = begins(&[0, 1, 2, 3, 4, 5, 6], 0, 7, 4, 400);
    let done = slices(&whole, 3, &|slice| {
        talk.execute(slice, &settings(mock.address(), 1), &mut |_| {})
    });
    for (index, slice) in done.iter().enumerate() {
        let sessions = slice.records.iter().filter_map(|r| r.turn);
        assert!(sessions.into_iter().all(|t| t.session % 3 == index as u64));
    }
    let ids: Vec<u64> = together(&done).iter().map(|r| r.id).collect();
    assert_eq!(
        ids,
        (0..28).collect::<Vec<u64>>(),
        "every turn of every session"
    );
}

#[test]
fn slices_of_a_closed_loop_share_slots_and_counts() {
    let mock = start(fixed("2ms", "1ms"));
    let whole = Schedule::Closed(ClosedSchedule {
        slots: 5,
        stride: 1,
        slice: Slice::WHOLE,
        warmup_ns: 0,
        warmup_requests: 4,
        warmup_max_ns: 60 * SECOND,
        duration_ns: None,
        requests: Some(20),
    });
    let done = slices(&whole, 2, &|slice| {
        execute(slice, &settings(mock.address(), 1), &|_| Ask::tokens(2))
    });
    for (index, slice) in done.iter().enumerate() {
        let mut ids = slice.records.iter().map(|r| r.id).enumerate();
        assert!(ids.all(|(number, id)| id == index as u64 + 2 * number as u64));
    }
    let records = together(&done);
    assert_eq!(count(&records, Phase::Measure), 20);
    assert!(count(&records, Phase::Warmup) >= 4);
    assert_eq!(mock.stop().expect("no error").max_in_flight, 3);
}
