//! The pacing benchmark: send lag at rates against a server with one-token answers, and whether
//! realised Poisson arrivals are Poisson.

use super::bench_run::embedded_run;
use super::figures::{median, quantile};
use anyhow::Result;
use infermeter_core::record::RequestRecord;
use infermeter_core::schedule::Phase;
use std::path::Path;

const RATES: [&str; 3] = ["100", "1000", "5000"];
/// Windows in which arrivals are counted, nanoseconds.
const COUNT_WINDOW_NS: i64 = 100_000_000;

struct Pacing {
    lag_us: Vec<f64>,
    gap_cv: f64,
    dispersion: f64,
    n: usize,
    windows: usize,
}

/// Runs every rate `repeats` times and prints a table.
///
/// # Errors
/// When a run leaves no record.
pub fn run(repeats: usize, directory: &Path) -> Result<()> {
    println!("Send lag (send_start - intended), microseconds, and realised Poisson arrivals by");
    println!("send_start (1 expected, +- two standard errors); median of {repeats} runs.\n");
    println!("| rate | send lag p50 / p99 / max | CV of gaps | index of dispersion (0.1 s) |");
    println!("|---|---|---|---|");
    for rate in RATES {
        let arguments = [
            "--rate",
            rate,
            "--workload",
            "fixed:64,1",
            "--warmup",
            "1s",
            "--duration",
            "6s",
        ];
        let mut runs = Vec::new();
        for _ in 0..repeats {
            runs.push(pacing(&embedded_run("null", &arguments, directory)?.1));
        }
        let over = |f: &dyn Fn(&Pacing) -> f64| median(&runs.iter().map(f).collect::<Vec<_>>());
        println!(
            "| {rate}/s | {:.1} / {:.1} / {:.0} | {:.3} +- {:.3} | {:.2} +- {:.2} |",
            over(&|r| quantile(&r.lag_us, 0.5)),
            over(&|r| quantile(&r.lag_us, 0.99)),
            over(&|r| quantile(&r.lag_us, 1.0)),
            over(&|r| r.gap_cv),
            // Standard error of the CV of n exponential gaps: 1 / sqrt(n).
            over(&|r| 2.0 / (r.n as f64).sqrt()),
            over(&|r| r.dispersion),
            over(&|r| 2.0 * (2.0 / (r.windows as f64 - 1.0)).sqrt()),
        );
    }
    Ok(())
}

fn pacing(records: &[RequestRecord]) -> Pacing {
    let measured: Vec<_> = records
        .iter()
        .filter(|r| r.phase == Phase::Measure)
        .collect();
    let sent: Vec<i64> = measured
        .iter()
        .filter_map(|r| r.send_start)
        .map(|s| s.0)
        .collect();
    let lag_us = measured
        .iter()
        .filter_map(|r| Some(r.send_start?.since(r.intended) as f64 / 1e3))
        .collect();
    let gaps: Vec<f64> = sent.windows(2).map(|w| (w[1] - w[0]) as f64).collect();
    let counts = window_counts(&sent);
    Pacing {
        lag_us,
        gap_cv: variance(&gaps).sqrt() / mean(&gaps),
        dispersion: variance(&counts) / mean(&counts),
        n: sent.len(),
        windows: counts.len(),
    }
}

fn window_counts(sent: &[i64]) -> Vec<f64> {
    let (Some(first), Some(last)) = (sent.first(), sent.last()) else {
        return Vec::new();
    };
    let windows = ((last - first) / COUNT_WINDOW_NS) as usize;
    let mut counts = vec![0.0; windows];
    for at in sent {
        if let Some(count) = counts.get_mut(((at - first) / COUNT_WINDOW_NS) as usize) {
            *count += 1.0;
        }
    }
    counts
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len().max(2) - 1) as f64
}
