//! Sweeps in virtual time: what they find on servers whose capacity is known, and what a kill changes.

use super::harness::{Asked, Went, answer};
use super::*;
use crate::kept_experiment::KeptExperiment;
use infermeter_analysis::{CurveAnswer, Level, NoLaw, RateEstimate, SloStatus};
use infermeter_protocol::{Length, OfRuns, ProtocolSpec, Sweep, SweepSpec};

/// Two at once, 50 ms for the first token and 20 for each of three further ones: 18 a second and no more.
pub(super) const TWO_AT_ONCE: &str = "mock:fixed?max-num-seqs=2";

fn plan(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = Plan {
        target: TWO_AT_ONCE.to_owned(),
        rate: Some(1.0),
        duration: "60s".parse().ok(),
        warmup: "5s".parse().ok(),
        workload: "fixed:20,4".parse().expect("a workload"),
        slo: vec!["ttft.p90<500ms".parse().expect("an objective")],
        ..Plan::defaults()
    };
    change(&mut plan);
    plan
}

/// A sweep over plans.
fn sweep(plans: Vec<Plan>, change: impl FnOnce(&mut SweepSpec)) -> Asked<Sweep> {
    let mut spec = SweepSpec::defaults();
    change(&mut spec);
    Asked {
        protocol: Sweep::of(&spec, &plans).expect("a sweep"),
        spec: ProtocolSpec::Sweep(spec),
        plans,
    }
}

fn only(swept: &Went<Sweep>) -> &CurveAnswer {
    &answer(swept).curves[0]
}

#[test]
fn levels_are_found_around_what_the_server_can_take() {
    let scratch = tempfile::tempdir().expect("a directory");
    let swept = sweep(vec![plan(|_| {})], |_| {}).whole(&scratch.path().join("s"));
    let curve = only(&swept);
    let told = curve.levels.iter().map(|level| {
        let Level {
            load,
            runs,
            status,
            keeps_up,
            verdict,
            ..
        } = level;
        format!("{load}: {status:?} {keeps_up:?} {verdict:?} of {runs}")
    });
    let loads: Vec<String> = told.collect();
    let lengths = swept.points.iter().map(|point| point.at.length);
    let longer: Vec<Length> = lengths.flatten().collect();
    assert!(longer.contains(&Length::Times(2)), "{longer:?}");
    // Runs of a minute carry no law.
    let why = NoLaw::ShortRuns;
    assert_eq!(curve.estimate, RateEstimate::Bracket { why }, "{loads:?}");
    let (met, missed) = (curve.highest.met, curve.highest.missed);
    assert!(
        met >= Some(8.0) && missed <= Some(18.0),
        "{met:?} {missed:?} of {loads:?}"
    );
    // What is undecided where the answer lies has had all its looks.
    let open = |level: &&Level| {
        level.status == SloStatus::Undecided && Some(level.load) > met && Some(level.load) < missed
    };
    assert!(
        curve
            .levels
            .iter()
            .filter(open)
            .all(|level| level.runs == 3),
        "{loads:?}"
    );
    assert_eq!(curve.overloaded_at, Some(32.0), "{loads:?}");
    let scalability = curve.scalability.expect("a law");
    let limit = scalability.limit.expect("a limit").value;
    assert!((14.0..24.0).contains(&limit), "{scalability:?}");
    assert!(curve.knee.is_some(), "{loads:?}");
    // A minute at these rates carries no p99 of TTFT, so no level stands on that frontier.
    assert!(curve.throughput_and_tail.is_empty());
}

#[test]
fn given_levels_end_behind_saturation_and_name_what_was_left_out() {
    let scratch = tempfile::tempdir().expect("a directory");
    let asked = sweep(vec![plan(|_| {})], |spec| {
        spec.rates = "4,32,64,128".parse().ok()
    });
    let swept = asked.whole(&scratch.path().join("s"));
    let curve = only(&swept);
    assert_eq!(curve.past_saturation, [64.0, 128.0]);
    assert_eq!(
        (curve.highest.met, curve.highest.missed),
        (Some(4.0), Some(32.0))
    );
}

#[test]
fn an_objective_that_no_level_meets_is_tried_at_lower_ones() {
    let scratch = tempfile::tempdir().expect("a directory");
    let never = plan(|p| {
        p.slo = vec!["ttft.p50<1ms".parse().expect("an objective")];
        p.duration = "20s".parse().ok();
        p.rate = Some(8.0);
    });
    let swept = sweep(vec![never], |spec| spec.max_runs = 12).whole(&scratch.path().join("s"));
    let curve = only(&swept);
    assert_eq!(curve.highest.met, None);
    assert!(curve.levels[0].load < 1.0, "{}", curve.levels[0].load);
    let objective = &curve.levels[2].objectives[0];
    assert!(objective.judged > Some(40.0), "{objective:?}");
}

#[test]
fn the_breaking_point_is_followed_by_recovery_and_the_sustained_test() {
    let scratch = tempfile::tempdir().expect("a directory");
    let refusing = plan(|p| {
        p.target = "mock:fixed?max-num-seqs=2&max-waiting=2".to_owned();
        p.duration = "20s".parse().ok();
        p.slo = vec!["ttft.p90<500ms".parse().expect("an objective")];
    });
    let asked = sweep(vec![refusing], |spec| {
        spec.rates = "4,8".parse().ok();
        spec.breaking_point = true;
        spec.sustain = "30s".parse().ok();
        spec.sustain_share = 0.5;
        spec.sustain_runs = 2;
    });
    let swept = asked.whole(&scratch.path().join("s"));
    let curve = only(&swept);
    let breaking = curve.breaking.as_ref().expect("asked for");
    assert!(
        breaking.at > Some(8.0) && breaking.failed >= Some(0.1),
        "{breaking:?}"
    );
    let recovery = breaking.recovery.expect("measured");
    assert!(recovery.recovered, "{recovery:?}");
    let sustained = curve.sustained.as_ref().expect("asked for");
    assert_eq!(sustained.repeated.runs, 2);
    assert_eq!(Some(sustained.rate), curve.highest.met.map(|met| met / 2.0));
}

#[test]
fn a_closed_loop_is_swept_in_slots() {
    let scratch = tempfile::tempdir().expect("a directory");
    let closed = plan(|p| {
        (p.rate, p.concurrency) = (None, Some(1));
        p.duration = "20s".parse().ok();
    });
    let asked = sweep(vec![closed], |spec| {
        spec.concurrencies = "1,2,4".parse().ok()
    });
    let swept = asked.whole(&scratch.path().join("s"));
    let achieved: Vec<f64> = only(&swept)
        .levels
        .iter()
        .filter_map(|level| Some(level.achieved?.value))
        .collect();
    assert_eq!(achieved.len(), 3);
    assert!(
        achieved[1] > 1.8 * achieved[0] && achieved[2] < 1.2 * achieved[1],
        "{achieved:?}"
    );
}

#[test]
fn two_axes_are_a_curve_for_each_value() {
    let scratch = tempfile::tempdir().expect("a directory");
    let short = plan(|p| p.duration = "20s".parse().ok());
    let long = Plan {
        workload: "fixed:20,40".parse().expect("a workload"),
        ..short.clone()
    };
    let asked = sweep(vec![short, long], |spec| spec.rates = "2,4".parse().ok());
    let swept = asked.whole(&scratch.path().join("s"));
    let all: Vec<(usize, usize)> = answer(&swept)
        .curves
        .iter()
        .map(|curve| (curve.variant, curve.levels.len()))
        .collect();
    assert_eq!((all[0], all[1].0), ((0, 2), 1));
    let kept = KeptExperiment::open(&scratch.path().join("s"), &|_| {}).expect("kept");
    assert_eq!(kept.missing, []);
    assert_eq!(asked.protocol.so_far(&kept.points), *answer(&swept));
}

#[test]
fn two_hundred_kills_change_no_decision_and_lose_no_run() {
    let quick = plan(|p| {
        (p.duration, p.requests) = (None, Some(40));
        p.warmup = "0".parse().ok();
        p.rate = Some(4.0);
    });
    let asked = sweep(vec![quick], |spec| {
        (spec.max_runs, spec.resolution) = (5, 0.3);
    });
    assert!(asked.survives_kills(200) >= 3);
}
