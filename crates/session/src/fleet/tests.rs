//! Levels of the simulator in virtual time: its own law is found, another law is found out.

use super::*;
use crate::book::Book;
use crate::drive::drive;
use crate::kept::KeptRun;
use crate::runs::{Into, Runs};
use crate::virtually::Virtual;
use infermeter_analysis::capacity::{Asked, Level, LimitedBy};
use infermeter_core::plan::Plan;
use infermeter_protocol::Once;
use infermeter_record::ParquetRecords;
use std::slice;

/// A run in virtual time of `target` at `rate`, as it is read back.
fn level(target: &str, rate: f64) -> SeenRun {
    let scratch = tempfile::tempdir().expect("a directory");
    let path = scratch.path().join("run");
    let plan = Plan {
        target: target.to_owned(),
        rate: Some(rate),
        duration: "40s".parse().ok(),
        warmup: "1s".parse().ok(),
        workload: "fixed:256,24".parse().expect("a workload"),
        seed: rate as u64,
        slo: vec!["ttft.p90<95ms".parse().expect("an objective")],
        ..Plan::defaults()
    };
    let into = Into::Alone(Some(path.clone()));
    let mut runs = Runs::new(Virtual, slice::from_ref(&plan), into);
    drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {}).expect("measured");
    let kept = KeptRun::open(&path).expect("a run");
    let judged = kept.judge(None).expect("judged");
    let records = ParquetRecords::open(&path).expect("records");
    SeenRun::read(rate, judged, &records).expect("read")
}

/// What `target_rate` needs of engines that were seen in these runs.
fn planned(runs: &[SeenRun], target_rate: f64) -> Capacity {
    let level = |run: &SeenRun| Level::of(run.rate, &[run.summary()]);
    let asked = Asked {
        target_rates: vec![target_rate],
        growth: 1.0,
        headroom: 0.0,
        gpu_hour: None,
        gpus_per_instance: Some(8),
        kwh: None,
    };
    let levels = runs.iter().map(level).collect();
    let mut found = Capacity::of(asked, Vec::new(), levels, None);
    simulate(runs, &mut found);
    found
}

/// Steps of 31 ms, 0.1 ms more for each sequence, 35 us for each prompt token.
const LLAMA_70B: &str = "mock:llama-70b-8xh100";

#[test]
fn the_simulators_own_law_is_found_and_a_fleet_of_it_is_simulated() {
    let runs = [5.0, 10.0, 15.0, 30.0].map(|rate| level(LLAMA_70B, rate));
    let found = planned(&runs, 40.0);
    let Some(FitUse::Yes { fit, backtest }) = &found.engine else {
        panic!("{:#?}", (found.engine, found.levels));
    };
    assert!((fit.base_ms - 31.0).abs() < 1.0, "{fit:?}");
    assert!((fit.per_prompt_token_us - 35.0).abs() < 3.0, "{fit:?}");
    assert_eq!(fit.limit, LimitedBy::Nothing, "{fit:?}");
    assert!(
        backtest.figures.len() == 5 && backtest.holds(),
        "{backtest:?}"
    );
    let simulated = &found.sizings[0].simulated;
    let sizes: Vec<Option<u64>> = simulated.iter().map(|size| size.instances).collect();
    let linear = found.sizings[0].need.instances;
    assert!(
        sizes
            .iter()
            .all(|size| size.is_some_and(|n| n.abs_diff(linear) <= 1)),
        "{simulated:?}"
    );
}

#[test]
fn a_level_of_another_engine_is_found_out() {
    let mut runs = Vec::from([5.0, 10.0, 30.0].map(|rate| level(LLAMA_70B, rate)));
    runs.insert(2, level("mock:llama-8b-h100", 15.0));
    let found = planned(&runs, 40.0);
    let Some(FitUse::No { why, fit, backtest }) = &found.engine else {
        panic!("{:#?}", found.engine);
    };
    assert!(
        why.contains("at 15 requests/s") && why.contains("more than 10 %"),
        "{why}"
    );
    assert!(fit.is_some() && backtest.as_ref().is_some_and(|backtest| !backtest.holds()));
    assert!(found.sizings[0].simulated.is_empty());
}

#[test]
fn two_rates_are_too_few() {
    let runs = [5.0, 10.0].map(|rate| level(LLAMA_70B, rate));
    let found = planned(&runs, 40.0);
    let Some(FitUse::No { why, .. }) = &found.engine else {
        panic!("{:#?}", found.engine);
    };
    assert!(
        why.contains("it needs 3 rates") && why.contains("there are 2"),
        "{why}"
    );
}
