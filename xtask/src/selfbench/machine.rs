//! The machine that figures come from, in one line, and how repeated figures are shown.

use super::figures::{median, quantile};
use infermeter_sys::affinity;
use std::fs;

/// CPU model, cores this process may use, kernel.
pub fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("an unknown CPU", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = affinity::allowed_cores().len();
    format!("{model}, {cores} cores, Linux {}", kernel.trim())
}

/// `median (min..max)` with so many decimals.
pub fn spread(values: &[f64], decimals: usize) -> String {
    format!(
        "{:.decimals$} ({:.decimals$}..{:.decimals$})",
        median(values),
        quantile(values, 0.0),
        quantile(values, 1.0)
    )
}
