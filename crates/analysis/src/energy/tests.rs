//! Energy of GPUs whose power is known beforehand.

use super::fixture::{POWER_W, of_gpus, quiet};
use super::*;
use crate::server::fixture::summary;
use infermeter_core::run::RunLog;
use infermeter_core::server::Quantity as Q;

fn found(log: &RunLog, change: impl Fn(i64, &mut ServerReading)) -> EnergySummary {
    let run = of_gpus(log, change);
    summary(&run, log).energy.expect("GPUs were read")
}

#[track_caller]
fn near(found: Option<Measured>, truth: f64) {
    let found = found.expect("known");
    let apart = (found.value - truth).abs();
    assert!(
        apart <= found.error + truth * 1e-9,
        "{found:?} against {truth}"
    );
    assert!(found.error < truth * 0.01, "{found:?}");
}

#[test]
fn energy_is_that_of_the_counters_by_gpu_and_together() {
    let mut log = quiet();
    log.manifest.plan.kwh = Some(0.25);
    log.manifest.plan.slo = vec!["ttft.p50<10s".parse().expect("an objective")];
    let seconds = log.manifest.window.expect("a window").seconds();
    let energy = found(&log, |_, _| {});
    let watts: f64 = POWER_W.iter().sum();
    near(energy.energy, watts * seconds);
    for (gpu, power) in energy.gpus.iter().zip(POWER_W) {
        near(gpu.energy, power * seconds);
        assert_eq!(gpu.method, Some(EnergyMethod::Counter));
        assert_eq!(gpu.sensor.map(|sensor| sensor.averages_ms), Some(25.0));
        assert_eq!(gpu.gauges["gpu_power"].mean, power);
    }
    let run = of_gpus(&log, |_, _| {});
    let summary = summary(&run, &log);
    let throughput = summary.throughput.expect("a window");
    let tokens = throughput.output_tokens.expect("counted").count;
    near(energy.per_output_token, watts * seconds / tokens);
    let all = throughput.total_tokens.expect("counted").count;
    near(energy.per_token, watts * seconds / all);
    near(
        energy.per_request,
        watts * seconds / throughput.requests.count,
    );
    let good = summary.goodput.and_then(|goodput| goodput.requests);
    near(
        energy.per_good_request,
        watts * seconds / good.expect("an objective").count,
    );
    let cost = energy.cost.expect("a price");
    assert!((cost.hour - watts / 1e3 * 0.25).abs() < 1e-3, "{cost:?}");
    let million = watts * seconds / tokens * 1e6 / 3.6e6 * 0.25;
    assert!((cost.million_output.expect("tokens") / million - 1.0).abs() < 0.01);
}

#[test]
fn without_a_counter_it_is_that_of_the_power() {
    let log = quiet();
    let seconds = log.manifest.window.expect("a window").seconds();
    let energy = found(&log, |_, reading| {
        for gpu in &mut reading.detail.engines {
            let kept = gpu.figures.iter().filter(|(q, _)| *q != Q::GpuEnergy);
            gpu.figures = kept.collect();
        }
    });
    near(energy.energy, POWER_W.iter().sum::<f64>() * seconds);
    assert_eq!(energy.gpus[0].method, Some(EnergyMethod::Power));
}

#[test]
fn what_one_gpu_does_not_say_is_not_known_of_all() {
    let energy = found(&quiet(), |_, reading| {
        let gpu = &mut reading.detail.engines[1];
        gpu.figures = ServerFigures::from([(Q::GpuUtilisation, 0.9)]);
    });
    assert_eq!(energy.energy, None);
    assert_eq!(energy.per_output_token, None);
    assert!(energy.gpus[0].energy.is_some() && energy.gpus[1].energy.is_none());
    let why = energy.gpus[1].not_known.as_deref().expect("why");
    assert!(why.contains("neither"), "{why}");
}

#[test]
fn a_gpu_that_two_pages_tell_of_counts_once() {
    let log = quiet();
    let mut run = of_gpus(&log, |_, _| {});
    let server = run.server.as_mut().expect("read");
    let mut again = server.watch.pages[1].clone();
    again.url = "http://other/metrics".to_owned();
    server.watch.pages.push(again);
    let mut more: Vec<ServerReading> = server.of_page(1).cloned().collect();
    more.iter_mut().for_each(|reading| reading.page = 2);
    server.readings.extend(more);
    let energy = summary(&run, &log).energy.expect("read");
    assert_eq!(energy.gpus.len(), 2);
}

#[test]
fn a_run_without_gpus_says_nothing_of_energy() {
    let log = quiet();
    let run = crate::server::fixture::watched(&log, |_, n| crate::server::fixture::inside(n, 0.0));
    assert_eq!(summary(&run, &log).energy, None);
    let mut asked = quiet();
    asked.manifest.plan.gpu_metrics = "http://host:9400/metrics".parse().expect("a place");
    asked.manifest.environment.target.gpu_metrics = Some(MetricsPlace::NotAvailable {
        not_available: "status 404".to_owned(),
    });
    let run = Run::of(&asked);
    let energy = summary(&run, &asked).energy.expect("said");
    assert_eq!(energy.not_available.as_deref(), Some("status 404"));
}

#[test]
fn the_server_is_the_same_with_gpus_beside_it() {
    let log = quiet();
    let alone =
        crate::server::fixture::watched(&log, |_, n| crate::server::fixture::inside(n, 0.0));
    let with = of_gpus(&log, |_, _| {});
    assert_eq!(summary(&alone, &log).server, summary(&with, &log).server);
}
