//! What GPUs said of themselves, on the time axis of the run: power, and how busy they were.
//!
//! As with the server's gauges a part of the time keeps least, mean and greatest of its readings. Invariant: nothing is
//! estimated between two readings.

use super::Timed;
use super::server::{GaugeSeries, gauge};
use crate::limits::SERIES_GPUS;
use infermeter_core::server::{Quantity, ServerReading};
use infermeter_core::text::{Word, inert};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Shares that GPUs tell of themselves.
const SHARES: [Quantity; 5] = [
    Quantity::GpuUtilisation,
    Quantity::GpuSmActive,
    Quantity::GpuTensorActive,
    Quantity::GpuDramActive,
    Quantity::GpuMemoryBusyProxy,
];

/// What GPUs said.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GpuSeries {
    /// Readings with figures.
    pub readings: u64,
    /// Readings without, and those left out because an answer was owed.
    pub missing: u64,
    /// Power of each GPU, watts, by its name; of all of a page together where there are many.
    pub power: Vec<GaugeSeries>,
    /// Means over the GPUs of the first page that has them, by name.
    pub shares: Vec<GaugeSeries>,
}

pub(super) fn series(timed: &Timed<'_>) -> Option<GpuSeries> {
    let server = timed.run.server.as_ref()?;
    let pages = server.device_pages();
    let readings = server.readings.iter().filter(|r| pages.contains(&r.page));
    let readings: Vec<&ServerReading> = readings.collect();
    let read = readings.iter().filter(|r| r.error.is_none()).count() as u64;
    let skipped: u64 = readings.iter().map(|r| r.skipped).sum();
    let shares = SHARES.iter().filter_map(|quantity| {
        let mut pages = pages.iter().map(|page| {
            let own = server.of_page(*page);
            let values = own.filter_map(|r| Some((r, r.figures.get(*quantity)?)));
            named(timed, quantity.name().into(), values)
        });
        pages.find(|series| !series.parts.is_empty())
    });
    let found = GpuSeries {
        readings: read,
        missing: readings.len() as u64 - read + skipped,
        power: power(timed, &readings),
        shares: shares.collect(),
    };
    (!found.power.is_empty() || !found.shares.is_empty()).then_some(found)
}

/// Power by GPU, or by page.
fn power(timed: &Timed<'_>, readings: &[&ServerReading]) -> Vec<GaugeSeries> {
    let mut by_gpu: BTreeMap<String, Vec<(&ServerReading, f64)>> = BTreeMap::new();
    for reading in readings {
        for gpu in &reading.detail.engines {
            if let Some(power) = gpu.figures.get(Quantity::GpuPower) {
                by_gpu
                    .entry(name(&gpu.labels))
                    .or_default()
                    .push((reading, power));
            }
        }
    }
    if by_gpu.is_empty() || by_gpu.len() > SERIES_GPUS {
        let pages: BTreeSet<usize> = readings.iter().map(|r| r.page).collect();
        let of_page = |page: usize| {
            let own = readings.iter().filter(move |r| r.page == page);
            let values = own.filter_map(|r| Some((*r, r.figures.get(Quantity::GpuPower)?)));
            named(timed, "all GPUs".into(), values)
        };
        let all = pages.into_iter().map(of_page);
        return all.filter(|series| !series.parts.is_empty()).collect();
    }
    let each = by_gpu.into_iter();
    each.map(|(name, values)| named(timed, name.into(), values.into_iter()))
        .collect()
}

/// `GPU 3`, or its own name where it has no place.
fn name(labels: &BTreeMap<String, String>) -> String {
    let label = |name: &str| labels.get(name).map(|value| inert(value, 60));
    let host = label("host").map(|host| format!(" of {host}"));
    match label("gpu") {
        Some(index) => format!("GPU {index}{}", host.unwrap_or_default()),
        None => label("uuid").unwrap_or_else(|| "a GPU".to_owned()),
    }
}

fn named<'a>(
    timed: &Timed<'_>,
    name: Word,
    values: impl Iterator<Item = (&'a ServerReading, f64)>,
) -> GaugeSeries {
    GaugeSeries {
        name,
        ..gauge(timed, "", values)
    }
}
