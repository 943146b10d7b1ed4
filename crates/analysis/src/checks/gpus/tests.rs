//! A run whose GPUs say something of their own triggers exactly that finding.

use super::super::judge;
use super::*;
use crate::energy::fixture::{of_gpus, quiet};
use crate::server::fixture::summary;
use infermeter_core::environment::{MetricsPlace, UnreadPage};
use infermeter_core::run::RunLog;
use infermeter_core::server::{Quantity as Q, ServerEngine, ServerFigures, ServerReading};

fn judged(run: &Run, log: &RunLog) -> Vec<Finding> {
    let mut findings = judge(run, &summary(run, log));
    // Every small sample has it.
    findings.retain(|f| f.code != "percentile-needs-more");
    findings
}

fn found(change: impl Fn(i64, &mut ServerReading)) -> Vec<Finding> {
    let log = quiet();
    judged(&of_gpus(&log, change), &log)
}

#[track_caller]
fn check(found: &[Finding], expect: &[(&str, Severity, &str)]) {
    let said: Vec<_> = found
        .iter()
        .map(|f| (&*f.code, f.severity, &*f.evidence))
        .collect();
    assert_eq!(said.len(), expect.len(), "{said:?}");
    for ((code, severity, evidence), (expected, weight, word)) in said.iter().zip(expect) {
        assert_eq!((code, severity), (expected, weight));
        assert!(evidence.contains(word), "{evidence}");
    }
}

/// The first GPU says this of itself from a second of the window on.
fn from(second: i64, quantity: Q, value: f64) -> impl Fn(i64, &mut ServerReading) {
    move |now, reading| {
        if now >= second {
            reading.detail.engines[0]
                .figures
                .extend([(quantity, value)]);
        }
    }
}

const WARNS: Severity = Severity::Warning;
const NOTES: Severity = Severity::Note;

#[test]
fn quiet_gpus_say_nothing() {
    check(&found(|_, _| {}), &[]);
}

#[test]
fn clocks_that_are_held_down() {
    let bits = |bits: f64| from(30, Q::GpuThrottleReasons, bits);
    check(&found(bits(1.0)), &[]);
    let hot = [("gpu-throttled", WARNS, "GPU 0")];
    check(&found(bits(f64::from(0x20))), &hot);
    check(&found(bits(f64::from(0x8))), &hot);
    check(
        &found(bits(f64::from(0x4))),
        &[("gpu-throttled", NOTES, "of the readings")],
    );
}

#[test]
fn a_clock_that_falls() {
    check(
        &found(from(40, Q::GpuSmClock, 1.4e9)),
        &[("gpu-clock-dropped", WARNS, "lower in the last third")],
    );
    check(&found(from(40, Q::GpuSmClock, 1.95e9)), &[]);
}

#[test]
fn errors_of_memory_and_driver() {
    let code = "gpu-memory-errors";
    check(
        &found(from(10, Q::GpuEccUncorrected, 2.0)),
        &[(code, WARNS, "2 uncorrected")],
    );
    check(&found(from(-500, Q::GpuEccUncorrected, 2.0)), &[]);
    let corrected = |now: i64, reading: &mut ServerReading| {
        let n = if now > 10 { 3.0 } else { 0.0 };
        reading.detail.engines[0]
            .figures
            .extend([(Q::GpuEccCorrected, n)]);
    };
    check(&found(corrected), &[(code, NOTES, "3 corrected")]);
    check(
        &found(from(10, Q::GpuXid, 79.0)),
        &[("gpu-driver-error", WARNS, "Xid 79")],
    );
    check(&found(from(-500, Q::GpuXid, 79.0)), &[]);
}

#[test]
fn gpus_that_idle_while_requests_wait() {
    let log = quiet();
    let run = |waiting: f64, busy: f64| {
        let mut run = of_gpus(&log, |_, reading| {
            reading.figures = ServerFigures::from([(Q::GpuUtilisation, busy)]);
        });
        let server = run.server.as_mut().expect("read");
        for reading in server.readings.iter_mut().filter(|r| r.page == 0) {
            let running = reading.figures.get(Q::Running).unwrap_or(0.0);
            let split = [(Q::Running, running - waiting), (Q::Waiting, waiting)];
            reading.figures.extend(split);
        }
        judged(&run, &log)
    };
    let is = |found: &[Finding]| found.iter().any(|f| f.code == "gpu-idle-while-waiting");
    assert!(is(&run(0.5, 0.02)));
    assert!(!is(&run(0.5, 0.9)));
    assert!(!is(&run(0.0, 0.02)));
}

#[test]
fn energy_that_is_not_known() {
    let silent = |_: i64, reading: &mut ServerReading| {
        reading.detail.engines[1].figures = ServerFigures::from([(Q::GpuUtilisation, 0.9)]);
    };
    check(
        &found(silent),
        &[("energy-not-known", NOTES, "GPU 1: it tells neither")],
    );
    let gap = |second: i64, reading: &mut ServerReading| {
        let power = (!(20..40).contains(&second)).then_some((Q::GpuPower, 400.0));
        reading.detail.engines[0].figures = power.into_iter().collect();
    };
    check(&found(gap), &[("energy-not-known", NOTES, "longest gap 2")]);
}

#[test]
fn figures_that_stand_still() {
    let seldom = |_: i64, reading: &mut ServerReading| {
        let seconds = (reading.at().0 as f64 / 2e10).floor() * 20.0;
        reading.detail.engines[0]
            .figures
            .extend([(Q::GpuEnergy, 400.0 * seconds)]);
    };
    let stale = found(seldom);
    assert!(
        stale
            .iter()
            .any(|f| f.code == "gpu-readings-stale" && f.evidence.contains("each 20.0 s")),
        "{stale:?}"
    );
}

#[test]
fn gpus_that_could_not_be_read() {
    let code = "gpu-metrics-unread";
    // NVML that fails for a while, mid-run.
    let lost = |second: i64, reading: &mut ServerReading| {
        if (20..24).contains(&second) {
            reading.error = Some("the GPU is lost".to_owned());
            reading.detail.engines.clear();
            reading.figures = ServerFigures::default();
        }
    };
    check(
        &found(lost),
        &[(code, NOTES, "4 of 66 readings failed; the GPU is lost")],
    );
    let mut log = quiet();
    log.manifest.plan.gpu_metrics = "nvml, http://host/metrics".parse().expect("places");
    log.manifest.environment.target.gpu_metrics = Some(MetricsPlace::Known {
        engine: ServerEngine::Dcgm,
        url: "http://host/metrics".to_owned(),
        more: vec![],
        unread: vec![UnreadPage {
            url: "nvml".to_owned(),
            why: "NVML cannot be loaded".to_owned(),
        }],
    });
    let found = judged(&of_gpus(&log, |_, _| {}), &log);
    check(&found, &[(code, NOTES, "nvml: NVML cannot be loaded")]);
}
