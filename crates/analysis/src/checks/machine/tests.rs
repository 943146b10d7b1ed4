//! Client machines that were busy, short of something, or slow.

use crate::checks::tests::{check, every, thread};
use infermeter_core::environment::{Bound, HostFacts};
use infermeter_core::record::Reason;
use infermeter_core::run::LoadModel;
use infermeter_metrics::fixture::{Run, ms};

/// Of the fixture's wall time.
fn share(of: i64, percent: i64) -> i64 {
    of / 100 * percent
}

#[test]
fn a_thread_without_time_to_spare() {
    let busy = |percent| thread(move |t| t.cpu_ns = share(t.wall_ns, percent));
    check(busy(95), &["warning client-busy"]);
    check(busy(89), &[]);
}

#[test]
fn threads_that_wait_for_a_core() {
    let waits = |percent| thread(move |t| t.run_queue_wait_ns = Some(share(t.wall_ns, percent)));
    check(waits(8), &["warning run-queue-wait"]);
    check(waits(3), &["note run-queue-wait"]);
    check(waits(0), &[]);
    check(thread(|t| t.run_queue_wait_ns = None), &[]);
}

#[test]
fn connections_that_the_system_does_not_allow() {
    let bound = |by: Bound| {
        move |run: &mut Run| {
            thread(|t| t.waits_for_cap = 3)(run);
            let client = &mut run.manifest().environment.client;
            client.connections_bound_by = Some(by);
            client.max_connections = Some(900);
        }
    };
    check(bound(Bound::Descriptors), &["warning too-few-connections"]);
    check(bound(Bound::Ports), &["warning too-few-connections"]);
    check(bound(Bound::Plan), &["note waits-for-connection"]);
    check(
        |run| {
            bound(Bound::Ports)(run);
            thread(|t| t.waits_for_cap = 0)(run);
        },
        &[],
    );
}

#[test]
fn a_source_address_that_runs_out_of_ports() {
    let without = |run: &mut Run| {
        for i in 0..10 {
            run.failed(i * 6_000, Reason::PortsExhausted);
        }
    };
    check(without, &["warning ports-exhausted"]);
    check(
        |run| (0..10).for_each(|i| run.failed(i * 6_000, Reason::LocalResource)),
        &[],
    );
}

#[test]
fn ports_that_closed_connections_hold() {
    // 95 s of 300 connections a second: 18,000 of 28,232 ports at any time.
    let opened = |n: u64| {
        move |run: &mut Run| {
            thread(|t| t.connections_opened = n)(run);
            run.manifest().environment.client.host = Some(HostFacts {
                local_ports: Some((32_768, 60_999)),
                ..HostFacts::default()
            });
        }
    };
    check(opened(28_500), &["warning ports-in-use"]);
    check(opened(20_000), &[]);
    let two = ["10.0.0.5", "10.0.0.6"].map(|address| address.parse().expect("an address"));
    check(
        |run| {
            opened(28_500)(run);
            run.manifest().plan.source_address = two.to_vec();
        },
        &[],
    );
}

#[test]
fn cores_that_change_their_clock() {
    let governors = |names: &'static [&'static str]| {
        move |run: &mut Run| {
            let names = names.iter().map(|&name| name.to_owned());
            run.manifest().environment.client.governors = names.collect();
        }
    };
    check(governors(&["performance"]), &[]);
    check(governors(&[]), &[]);
    check(
        governors(&["performance", "powersave"]),
        &["note power-governor"],
    );
}

#[test]
fn slots_that_the_client_itself_keeps_waiting() {
    // Answers take about 170 ms.
    let late = |lag: i64| {
        move |run: &mut Run| {
            run.manifest().load_model = LoadModel::ClosedLoop;
            // What would be due before the window would be of the warm-up.
            let start = run.manifest().window.expect("a window").start;
            every(run, 1)
                .filter(|r| r.intended.plus(-lag) >= start)
                .for_each(|r| r.intended = r.intended.plus(-lag));
        }
    };
    check(late(ms(20)), &["error slot-lag", "note closed-loop"]);
    check(late(ms(4)), &["warning slot-lag", "note closed-loop"]);
    check(late(ms(1)), &["note closed-loop"]);
}
