//! What the GPUs said of themselves, on the time axis of the run.

use super::Pictured;
use super::server::line;
use super::timed::{chart, said_of_parts};
use crate::chart::{Axis, Chart, Series, Unit};
use infermeter_analysis::series::GpuSeries;
use infermeter_core::number::counted;

/// Names of shares, and their words.
const SHARES: [(&str, &str); 5] = [
    ("gpu_utilisation", "a kernel runs (utilisation)"),
    ("gpu_sm_active", "multiprocessors with work"),
    ("gpu_tensor_active", "tensor cores active"),
    ("gpu_dram_active", "memory bandwidth in use"),
    (
        "gpu_memory_busy_proxy",
        "memory touched at all (a proxy, not bandwidth)",
    ),
];

/// Those that there are figures for.
pub(super) fn charts(of: &Pictured<'_>) -> Vec<Chart> {
    let Some(gpus) = &of.series.gpus else {
        return Vec::new();
    };
    let power = gpus.power.iter().map(|gpu| line(of.series, gpu, &gpu.name));
    let power: Vec<Series> = power.collect();
    let share = |(name, words): &(&str, &str)| {
        let found = gpus.shares.iter().find(|share| &*share.name == *name)?;
        Some(line(of.series, found, words))
    };
    let shares: Vec<Series> = SHARES.iter().filter_map(share).collect();
    let watts = Axis::linear("power", Unit::Of("W".to_owned())).holding(0.0);
    let busy = Axis::linear("share", Unit::Share).holding(0.0);
    let charts = [
        ("gpu-power", "Power of the GPUs", watts, power),
        ("gpu-busy", "What the GPUs are busy with", busy, shares),
    ];
    let drawn = charts.into_iter().filter(|(.., series)| !series.is_empty());
    drawn
        .map(|(slug, title, y, series)| {
            let mut chart = chart(slug, title, of, y);
            chart.series = series;
            chart.said.push(said(gpus));
            chart.said.push(said_of_parts(of.series));
            chart
        })
        .collect()
}

fn said(gpus: &GpuSeries) -> String {
    let missing = match gpus.missing {
        0 => String::new(),
        n => format!("; {} are missing", counted(n, "reading")),
    };
    format!(
        "{} of GPUs{missing}. Mean of the readings of each part, and least to greatest: what the sensors said, which \
         average over a time of their own.",
        counted(gpus.readings, "reading")
    )
}
