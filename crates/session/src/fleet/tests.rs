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
use std::path::Path;
use std::slice;

/// A run in virtual time of `target` at `rate`, as it is read back.
fn level(directory: &Path, target: &str, rate: f64) -> SeenRun {
    let path = directory.join(format!("at-{rate}"));
    let plan = Plan {
        target: target.to_owned(),
        rate: Some(rate),
        duration: "40s".parse().ok(),
        warmup: "5s".parse().ok(),
        seed: rate as u64,
        slo: vec!["ttft.p90<200ms".parse().expect("an objective")],
        out: Some(path.clone()),
        ..Plan::defaults()
    };
    let mut runs = Runs::new(
        Virtual,
        slice::from_ref(&plan),
        Into::Alone(Some(path.clone())),
    );
    drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {}).expect("measured");
    let judged = KeptRun::open(&path)
        .and_then(|kept| kept.judge(None))
        .expect("judged");
    let records = ParquetRecords::open(&path).expect("records");
    SeenRun::read(rate, (judged.manifest, judged.summary), &records).expect("read")
}

fn capacity(runs: &[SeenRun], target_rate: f64) -> Capacity {
    let levels = runs
        .iter()
        .map(|run| Level::of(run.rate, &[&run.summary]))
        .collect();
    let asked = Asked {
        target_rates: vec![target_rate],
        growth: 1.0,
        headroom: 0.0,
        gpu_hour: None,
        gpus_per_instance: Some(8),
    };
    Capacity::of(asked, Vec::new(), levels, None)
}

const LLAMA_70B: &str = "mock:llama-70b-8xh100";

#[test]
fn the_simulators_own_law_is_found_and_a_fleet_of_it_is_simulated() {
    let scratch = tempfile::tempdir().expect("a directory");
    let at = |rate| level(scratch.path(), LLAMA_70B, rate);
    let runs = [4.0, 8.0, 14.0, 20.0, 40.0].map(at);
    let mut found = capacity(&runs, 60.0);
    eprintln!(
        "{:#?}",
        found
            .levels
            .iter()
            .map(|l| (l.rate, l.status, l.sure, l.attainment, l.requests))
            .collect::<Vec<_>>()
    );
    simulate(&runs, &mut found);
    eprintln!(
        "{:#?} {:#?} {:#?}",
        found.engine, found.sizings, found.not_covered
    );
}
