//! The full view: every figure of every metric, and latencies by band.

use crate::number::{TimeUnit, count, counted, interval, short_count, significant, time};
use crate::run::answers_ended;
use crate::style::Style;
use infermeter_analysis::{
    Band, Cell, ChunkMeans, Distribution, Fairness, LatencySummary, Mean, Percentiles,
    PositionGaps, Summary,
};
use infermeter_core::text::inert;
use infermeter_metrics::origin::Origin;

/// Every figure of a run's latencies, and below them those of each band.
pub(crate) fn blocks(summary: &Summary, style: Style) -> Vec<Vec<String>> {
    let origin = summary.headline_origin;
    let heading = "All figures; [95 % interval]";
    let mut lines = metrics(heading, &summary.latency, origin, style);
    lines.extend(answers_ended(&summary.requests.finish_reasons, style));
    let mut blocks = vec![lines];
    for class in &summary.classes {
        let heading = format!("All figures of class {}", inert(&class.class, 80));
        let mut lines = metrics(&heading, &class.latency, origin, style);
        lines.extend(answers_ended(&class.finish_reasons, style));
        blocks.push(lines);
    }
    if !summary.token_positions.is_empty() {
        blocks.push(positions(&summary.token_positions, style));
    }
    if !summary.fairness.is_empty() {
        blocks.push(fairness(&summary.fairness, style));
    }
    for breakdown in &summary.breakdown {
        let mut lines = vec![style.heading(&format!("By {}", breakdown.key.replace('_', " ")))];
        for band in &breakdown.bands {
            lines.extend(of_band(band, style));
        }
        blocks.push(lines);
    }
    blocks
}

/// Jain's index, one line a kind of taker.
fn fairness(all: &[Fairness], style: Style) -> Vec<String> {
    let mut lines = vec![style.heading("Fairness (Jain's index of means; 1 is equal)")];
    for fairness in all {
        let measures = [("TTFT", fairness.ttft), ("tokens/s", fairness.speed)];
        let measures = measures.iter().filter_map(|(name, index)| {
            let of = (*index)?;
            Some(format!(
                "{name} {:.3} (chance alone {:.3}) over {} with {}",
                of.index,
                of.alike,
                count(of.n as u64),
                counted(of.requests as u64, "request")
            ))
        });
        let text: Vec<String> = measures.collect();
        lines.extend(style.entry(&format!("By {}", fairness.by), &text.join("; ")));
    }
    lines
}

/// The gap by token position, one line a band.
fn positions(bands: &[PositionGaps], style: Style) -> Vec<String> {
    let mut lines = vec![style.heading("Chunk gap by token position")];
    for band in bands {
        let cells = [("p50", band.p50), ("p90", band.p90), ("p99", band.p99)];
        let cells = cells.iter().filter_map(|(name, ms)| Some((name, (*ms)?)));
        let mut parts: Vec<String> = cells
            .map(|(name, ms)| format!("{name} {}", time(ms)))
            .collect();
        parts.push(format!("n {}", count(band.n)));
        let label = match band.first == band.last {
            true => band.first.to_string(),
            false => format!("{} to {}", band.first, band.last),
        };
        lines.extend(style.entry(&label, &parts.join(", ")));
    }
    lines
}

fn metrics(heading: &str, latency: &LatencySummary, origin: Origin, style: Style) -> Vec<String> {
    let apart = latency.multi_token_chunks || latency.itl.is_none();
    let all = [
        ("TTFT", latency.ttft.from(origin)),
        (
            "TTFO",
            latency.ttfo.from(origin).filter(|_| latency.reasoning),
        ),
        ("TPOT", latency.tpot.as_ref()),
        ("ITL", latency.itl.as_ref()),
        ("chunk gap", latency.chunk_gap.as_ref().filter(|_| apart)),
        ("smoothed", latency.smoothed_itl.as_ref().filter(|_| apart)),
        ("NTPOT", latency.ntpot.from(origin)),
        ("E2E", latency.e2e.from(origin)),
    ];
    let mut lines = vec![style.heading(heading)];
    for (name, distribution) in all {
        if let Some(distribution) = distribution {
            lines.extend(figures(name, distribution, style));
        }
    }
    if lines.len() == 1 {
        // A heading over nothing.
        lines.clear();
    }
    lines
}

/// Moments, percentiles, and percentiles with failures of one metric.
fn figures(name: &str, d: &Distribution, style: Style) -> Vec<String> {
    let unit = TimeUnit::fitting(d.max);
    let mut lines = style.entry(&format!("{name} {}", unit.symbol()), &moments(d, unit));
    lines.extend(style.entry("", &percentiles(&d.percentiles, unit)));
    if let Some(with) = &d.with_failures {
        let text = format!("failures as +infinity: {}", percentiles(with, unit));
        lines.extend(style.entry("", &text));
    }
    lines
}

fn moments(d: &Distribution, unit: TimeUnit) -> String {
    let mut parts = Vec::new();
    if let Some(mean) = &d.mean {
        parts.push(format!("mean {}", of_mean(mean, unit)));
    }
    if let Some(needed) = d.mean_needed {
        parts.push(format!("mean needs {}", short_count(needed)));
    }
    if let Some(std) = d.std {
        parts.push(format!("std {}", unit.write(std)));
    }
    parts.push(format!("min {}", unit.write(d.min)));
    parts.push(format!("max {}", unit.write(d.max)));
    if let Some(ratio) = d.tail_ratio {
        parts.push(format!("p99/p50 {}", significant(ratio)));
    }
    parts.push(format!("n {}", count(d.n as u64)));
    if let Some(worth) = d.mean_effective_n {
        parts.push(format!("worth {} for the mean", count(worth as u64)));
    }
    parts.join(", ")
}

fn of_mean(mean: &Mean, unit: TimeUnit) -> String {
    let write = |ms: f64| unit.write(ms);
    let range = interval(mean.low.map(write), mean.high.map(write));
    format!("{} {range}", write(mean.value))
}

/// Those that the sample carries, and what the first of the others needs.
fn percentiles(cells: &Percentiles, unit: TimeUnit) -> String {
    let mut parts = Vec::new();
    for (percentile, cell) in cells {
        parts.push(format!("{percentile} {}", of_cell(cell, unit)));
        if cell.needed.is_some() {
            break;
        }
    }
    parts.join(", ")
}

/// Value, interval, and how many independent observations it is worth.
fn of_cell(cell: &Cell, unit: TimeUnit) -> String {
    if let Some(needed) = cell.needed {
        return format!("needs {}", short_count(needed));
    }
    let Some(value) = cell.value else {
        return "among the failures".to_owned();
    };
    let write = |ms: f64| unit.write(ms);
    let range = interval(cell.low.map(write), cell.high.map(write));
    let worth = short_count(cell.effective_n as usize);
    format!("{} {range} ({worth})", write(value))
}

fn of_chunks(chunks: &ChunkMeans, style: Style) -> Vec<String> {
    let mut parts = Vec::new();
    if let Some(gap) = &chunks.chunk_gap_ms {
        let unit = TimeUnit::fitting(gap.high.unwrap_or(gap.value));
        let gap = of_mean(gap, unit);
        parts.push(format!("gap {gap} {} on average", unit.symbol()));
    }
    if let Some(tokens) = &chunks.tokens_per_chunk {
        let range = interval(tokens.low.map(significant), tokens.high.map(significant));
        parts.push(format!("{} {range} tokens each", significant(tokens.value)));
    }
    match parts.is_empty() {
        true => Vec::new(),
        false => style.entry("  chunks", &parts.join(", ")),
    }
}

fn of_band(band: &Band, style: Style) -> Vec<String> {
    let metrics = [
        ("TTFT", &band.ttft),
        ("TPOT", &band.tpot),
        ("NTPOT", &band.ntpot),
        ("E2E", &band.e2e),
    ];
    let measured = &band.measured;
    let heading = format!(
        "{}: {} of {} completed",
        inert(&band.band, 80),
        count(measured.completed),
        count(measured.total)
    );
    let mut lines = vec![format!("  {heading}")];
    for (name, distribution) in metrics {
        if let Some(d) = distribution {
            let unit = TimeUnit::fitting(d.max);
            let label = format!("  {name} {}", unit.symbol());
            lines.extend(style.entry(&label, &percentiles(&d.percentiles, unit)));
        }
    }
    if let Some(chunks) = band.chunks {
        lines.extend(of_chunks(&chunks, style));
    }
    if band.stalls.count > 0 {
        let (stalls, of) = (band.stalls.count, band.stalls.requests_examined);
        let text = format!(
            "{} in {} of {} requests, {} in all",
            count(stalls),
            count(band.stalls.requests_stalled),
            count(of),
            time(band.stalls.total_ms)
        );
        lines.extend(style.entry("  stalls", &text));
    }
    lines
}
