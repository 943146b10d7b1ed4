//! A run for tests whose GPUs were read beside its server.

use crate::run::Run;
use crate::server::fixture::{inside, watched};
use infermeter_core::run::RunLog;
use infermeter_core::server::{
    EngineFigures, Quantity as Q, ServerEngine, ServerFigures, ServerReading, WatchedPage,
};
use infermeter_metrics::fixture;

/// Power of each GPU of [`of_gpus`], watts.
pub(crate) const POWER_W: [f64; 2] = [400.0, 250.0];

/// A run of which every check is quiet.
pub(crate) fn quiet() -> RunLog {
    fixture::Run::steady(1_300, 20.0, 12).build()
}

/// Its server, and two GPUs that draw the same all the time, read each second; `change` makes of their reading what a
/// test wants, given the second since the window's start.
pub(crate) fn of_gpus(log: &RunLog, change: impl Fn(i64, &mut ServerReading)) -> Run {
    let mut run = watched(log, |_, n| inside(n, 0.0));
    let start = log.manifest.window.expect("a window").start;
    let server = run.server.as_mut().expect("read");
    server.watch.pages.push(WatchedPage {
        engine: ServerEngine::Dcgm,
        url: "http://server.example:9400/metrics".to_owned(),
    });
    let mut readings = server.readings.clone();
    for reading in &mut readings {
        let second = reading.at().since(start).div_euclid(1_000_000_000);
        let since_s = reading.at().0 as f64 / 1e9;
        reading.page = 1;
        reading.figures = ServerFigures::from([(Q::GpuUtilisation, 0.9)]);
        let gpu = |index: usize| EngineFigures {
            labels: [
                ("uuid".to_owned(), format!("GPU-{index}")),
                ("gpu".to_owned(), index.to_string()),
                ("model".to_owned(), "NVIDIA H100 80GB HBM3".to_owned()),
            ]
            .into(),
            figures: ServerFigures::from([
                (Q::GpuPower, POWER_W[index]),
                (Q::GpuEnergy, 1e6 + POWER_W[index] * since_s),
                (Q::GpuUtilisation, 0.9),
                (Q::GpuSmClock, 1.98e9),
                (Q::GpuXid, 0.0),
                (Q::GpuEccUncorrected, 0.0),
            ]),
        };
        reading.detail.engines = vec![gpu(0), gpu(1)];
        change(second, reading);
    }
    server.readings.extend(readings);
    run
}
