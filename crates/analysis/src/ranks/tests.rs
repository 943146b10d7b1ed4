//! What is told of ranks: their rows, their threads, their starts.

use super::*;
use crate::summarize_log;
use infermeter_metrics::fixture::{Run, later, ms as as_ns, ranked};

fn summary(change: impl FnOnce(&mut RunManifest)) -> Option<RanksSummary> {
    let mut log = ranked(Run::steady(600, 20.0, 4).build(), 3);
    change(&mut log.manifest);
    summarize_log(&log).1.client.ranks
}

#[test]
fn each_rank_has_its_own_rows_and_threads() {
    let ranks = summary(|manifest| {
        manifest.clients[1].health.cores = 7;
    });
    let ranks = ranks.expect("three ranks");
    assert_eq!((ranks.of, ranks.missing.len()), (3, 0));
    let each = ranks.each.iter();
    // 60 of the warm-up and 600 measured.
    let requests: Vec<u64> = each.clone().map(|rank| rank.requests).collect();
    assert_eq!(requests, [220, 220, 220]);
    let lags = each.clone().map(|rank| rank.send_lag.as_ref().map(|d| d.n));
    assert!(lags.eq([Some(200); 3]));
    let cores = each.map(|rank| rank.threads.as_ref().map(|t| t.cores));
    assert!(cores.eq([Some(2), Some(7), Some(2)]));
    assert_eq!(ranks.started_apart_ms, Some(0.0));
    assert_eq!(ranks.beside_ms(), Some(0.0));
}

#[test]
fn starts_are_compared_by_the_clock_of_rank_0() {
    let ranks = summary(|manifest| {
        for (client, (ahead, late, bound)) in manifest.clients[1..]
            .iter_mut()
            .zip([(900, 4, 2), (-70, 0, 3)])
        {
            let facts = client.rank.as_mut().expect("a rank");
            facts.clock = Some(ClockOffset {
                offset_ns: as_ns(ahead),
                bound_ns: as_ns(bound),
                by: OffsetSource::Ping,
            });
            client.clock = client.clock.map(|clock| later(clock, as_ns(ahead + late)));
        }
    });
    let ranks = ranks.expect("three ranks");
    assert_eq!(ranks.started_apart_ms, Some(4.0));
    assert_eq!(ranks.bound_ms, Some(5.0));
    let lags = ranks.each.iter().map(|rank| rank.start_lag_ms);
    assert!(lags.eq([Some(0.0), Some(4.0), Some(0.0)]));
}

#[test]
fn a_clock_that_is_not_known_makes_all_unknown() {
    let ranks = summary(|manifest| {
        let facts = manifest.clients[2].rank.as_mut().expect("a rank");
        facts.clock = None;
    });
    let ranks = ranks.expect("three ranks");
    assert_eq!((ranks.started_apart_ms, ranks.bound_ms), (None, None));
    assert_eq!(ranks.each[2].start_lag_ms, None);
    assert_eq!(ranks.each[0].start_lag_ms, Some(0.0));
}

#[test]
fn a_part_without_a_record_is_missing() {
    let ranks = summary(|manifest| drop(manifest.clients.remove(1)));
    assert_eq!(ranks.expect("two of three").missing, [1]);
    assert_eq!(summary(|manifest| manifest.clients.clear()), None);
}

#[test]
fn threads_are_counted_within_their_rank() {
    let mut log = ranked(Run::steady(60, 20.0, 4).build(), 3);
    let clients = &mut log.manifest.clients;
    let thread = clients[1].health.threads[0].clone();
    clients[1].health.threads.push(thread);
    let name = |index| thread_named(&log.manifest, index);
    assert_eq!(name(0), "Thread 1 of 1 of rank 0 (node-0)");
    assert_eq!(name(2), "Thread 2 of 2 of rank 1 (node-1)");
    assert_eq!(name(3), "Thread 1 of 1 of rank 2 (node-2)");
    let alone = Run::steady(60, 20.0, 4).build();
    assert_eq!(thread_named(&alone.manifest, 0), "Thread 1 of 1");
}
