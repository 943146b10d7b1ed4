//! Whether a rung says something about the client, or about something else.
//!
//! The client's own lateness never spoils a rung: it is what is measured.

use super::spec::Spec;
use infermeter_core::certificate::{Rung, Spoiler, Spoilt};

/// A simulator this busy gives what it can, not what it should.
const SIMULATOR_BUSY: f64 = 0.9;
/// A load below this share of the one asked for is another load.
const DELIVERED: f64 = 0.9;
/// A client thread this busy is the reason itself for what was not delivered.
const CLIENT_BUSY: f64 = 0.9;
/// Steps written later than this share of a step make the simulator's load another one.
const LATE_STEPS: f64 = 0.5;
/// The simulator waits for its core: it may be stopped between its stamp and its write, and the
/// difference would pass for the client's error.
const SIMULATOR_WAITS: f64 = 0.05;
/// Cores busy with other work, or stolen: its threads stop the client's wherever they like.
const FOREIGN_CORES: f64 = 0.15;

/// The reason why a rung says nothing about the client; the first that applies.
pub(crate) fn spoilt(rung: &Rung, spec: Spec, interrupted: bool) -> Option<Spoilt> {
    let reasons = [
        (Spoiler::Interrupt, interrupt(interrupted)),
        (Spoiler::OtherLoad, other_load(rung)),
        (Spoiler::Simulator, simulator(rung, spec)),
        (Spoiler::NothingToCompare, nothing(rung)),
    ];
    let mut reasons = reasons.into_iter();
    reasons.find_map(|(by, evidence)| evidence.map(|evidence| Spoilt { by, evidence }))
}

fn interrupt(interrupted: bool) -> Option<String> {
    interrupted.then(|| "stopped by a signal".to_owned())
}

fn other_load(rung: &Rung) -> Option<String> {
    let foreign = rung.foreign_cores.filter(|cores| *cores > FOREIGN_CORES);
    if let Some(cores) = foreign {
        return Some(format!("{cores:.2} cores busy with other work or stolen"));
    }
    let waits = rung.simulator.run_queue_wait_share;
    let share = waits.filter(|share| *share > SIMULATOR_WAITS)?;
    Some(format!(
        "the simulator waited {:.0} % of the time for a core",
        share * 100.0
    ))
}

fn simulator(rung: &Rung, spec: Spec) -> Option<String> {
    let side = &rung.simulator;
    if let Some(busy) = side.busy.filter(|busy| *busy > SIMULATOR_BUSY) {
        return Some(format!("the simulator was {:.0} % busy", busy * 100.0));
    }
    // A ceiling has no load of its own to fall short of.
    let asked = rung.asked_per_s?;
    let share = rung.per_s() / asked;
    let client_is_why = rung.cost.busiest_thread.is_some_and(|b| b > CLIENT_BUSY);
    if share < DELIVERED && !client_is_why {
        return Some(format!(
            "{:.0} % of the load asked for came, and the client was not the reason",
            share * 100.0
        ));
    }
    let (late_us, step_us) = (side.step_lateness_p99_us?, spec.step_ns()? as f64 / 1e3);
    (late_us > LATE_STEPS * step_us && late_us > 1_000.0).then(|| {
        format!(
            "the simulator's steps were {:.1} ms late (p99)",
            late_us / 1e3
        )
    })
}

fn nothing(rung: &Rung) -> Option<String> {
    let joined = &rung.joined;
    let left_out = joined.without_truth + joined.unequal + joined.unfinished;
    if left_out > joined.requests {
        return Some(format!(
            "{left_out} of {} requests failed or have no truth",
            left_out + joined.requests
        ));
    }
    (joined.chunks == 0).then(|| "no request ended inside".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::fixture::good;

    fn check(change: impl FnOnce(&mut Rung), interrupted: bool, expect: Option<(Spoiler, &str)>) {
        let spec: Spec = "streams:100x50".parse().expect("a rung");
        let mut rung = good("streams:100x50", 5_000.0, 10.0);
        change(&mut rung);
        let found = spoilt(&rung, spec, interrupted);
        assert_eq!(found.as_ref().map(|s| s.by), expect.map(|e| e.0));
        if let (Some(found), Some((_, words))) = (found, expect) {
            assert!(found.evidence.contains(words), "{}", found.evidence);
        }
    }

    #[test]
    fn a_quiet_rung_stands() {
        check(|_| {}, false, None);
        check(|r| r.cost.busiest_thread = Some(1.0), false, None);
    }

    #[test]
    fn others_are_named() {
        use Spoiler::{Interrupt, NothingToCompare, OtherLoad, Simulator};
        check(|_| {}, true, Some((Interrupt, "signal")));
        check(
            |r| r.foreign_cores = Some(0.4),
            false,
            Some((OtherLoad, "0.40 cores")),
        );
        check(
            |r| r.simulator.run_queue_wait_share = Some(0.2),
            false,
            Some((OtherLoad, "waited 20 %")),
        );
        check(
            |r| r.simulator.busy = Some(0.97),
            false,
            Some((Simulator, "97 % busy")),
        );
        check(
            |r| r.events_per_s = 2_500.0,
            false,
            Some((Simulator, "50 % of the load")),
        );
        check(
            |r| r.simulator.step_lateness_p99_us = Some(12_000.0),
            false,
            Some((Simulator, "12.0 ms late")),
        );
        check(
            |r| r.joined.without_truth = 500,
            false,
            Some((NothingToCompare, "500 of 600")),
        );
    }

    #[test]
    fn a_busy_client_is_to_blame_for_a_load_that_did_not_come() {
        check(
            |r| {
                r.events_per_s = 2_500.0;
                r.cost.busiest_thread = Some(0.99);
            },
            false,
            None,
        );
    }
}
