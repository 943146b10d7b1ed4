//! The full view: every figure of every metric, and latencies by band.

use crate::by_class::{class_heading, class_name, largest_classes};
use crate::document::{Block, Entries, Section};
use crate::number::{JOIN, TimeUnit, interval, short_count, significant, time};
use crate::run::{ENDED, answers_ended};
use crate::view::View;
use infermeter_analysis::{
    Band, Breakdown, Cell, ChunkMeans, Distribution, Fairness, LatencySummary, Mean, Percentiles,
    PositionGaps, Summary,
};
use infermeter_core::number::{count, counted};
use infermeter_metrics::origin::Origin;

/// Every figure of a run's latencies, and below them those of each band.
pub(crate) fn sections(summary: &Summary) -> Vec<Section> {
    let origin = summary.headline_origin;
    let mut all = metrics(&summary.latency, origin);
    all.maybe(ENDED, answers_ended(&summary.requests.finish_reasons));
    let mut sections = vec![Section::new("All figures; [95 % interval]").with(all)];
    for class in largest_classes(summary, View::Full).shown {
        let mut all = metrics(&class.latency, origin);
        all.maybe(ENDED, answers_ended(&class.finish_reasons));
        let heading = format!("All figures of class {}", class_heading(&class.class));
        sections.push(
            Section::new(heading)
                .with(all)
                .of_class(&class_name(&class.class)),
        );
    }
    sections.push(positions(&summary.token_positions));
    sections.push(fairness(&summary.fairness));
    sections.extend(summary.breakdown.iter().map(broken_down));
    sections
}

fn broken_down(breakdown: &Breakdown) -> Section {
    let mut section = Section::new(format!("By {}", breakdown.key.replace('_', " ")));
    for band in &breakdown.bands {
        of_band(band, &mut section);
    }
    section
}

/// Jain's index, one line a kind of taker.
fn fairness(all: &[Fairness]) -> Section {
    let mut entries = Entries::default();
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
        entries.add(format!("By {}", fairness.by), text.join("; "));
    }
    Section::new("Fairness (Jain's index of means; 1 is equal)").with(entries)
}

/// The gap by token position, one line a band.
fn positions(bands: &[PositionGaps]) -> Section {
    let mut entries = Entries::default();
    for band in bands {
        let cells = [("p50", band.p50), ("p90", band.p90), ("p99", band.p99)];
        let cells = cells.iter().filter_map(|(name, ms)| Some((name, (*ms)?)));
        let mut parts: Vec<String> = cells
            .map(|(name, ms)| format!("{name}{JOIN}{}", time(ms)))
            .collect();
        parts.push(format!("n{JOIN}{}", count(band.n)));
        let label = match band.first == band.last {
            true => band.first.to_string(),
            false => format!("{} to {}", band.first, band.last),
        };
        entries.add(label, parts.join(", "));
    }
    Section::new("Chunk gap by token position").with(entries)
}

fn metrics(latency: &LatencySummary, origin: Origin) -> Entries {
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
    let mut entries = Entries::default();
    for (name, distribution) in all {
        if let Some(distribution) = distribution {
            figures(name, distribution, &mut entries);
        }
    }
    entries
}

/// Moments, percentiles, and percentiles with failures of one metric.
fn figures(name: &str, d: &Distribution, entries: &mut Entries) {
    let unit = TimeUnit::fitting(d.max);
    entries.add(format!("{name} {}", unit.symbol()), moments(d, unit));
    entries.more(percentiles(&d.percentiles, unit));
    if let Some(with) = &d.with_failures {
        entries.more(format!(
            "failures as +infinity: {}",
            percentiles(with, unit)
        ));
    }
}

fn moments(d: &Distribution, unit: TimeUnit) -> String {
    let mut parts = Vec::new();
    if let Some(mean) = &d.mean {
        parts.push(format!("mean{JOIN}{}", of_mean(mean, unit)));
    }
    if let Some(needed) = d.mean_needed {
        parts.push(format!("mean needs {}", short_count(needed)));
    }
    if let Some(std) = d.std {
        parts.push(format!("std{JOIN}{}", unit.write(std)));
    }
    parts.push(format!("min{JOIN}{}", unit.write(d.min)));
    parts.push(format!("max{JOIN}{}", unit.write(d.max)));
    if let Some(ratio) = d.tail_ratio {
        parts.push(format!("p99/p50{JOIN}{}", significant(ratio)));
    }
    parts.push(format!("n{JOIN}{}", count(d.n as u64)));
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
        parts.push(format!("{percentile}{JOIN}{}", of_cell(cell, unit)));
        if cell.needed.is_some() {
            break;
        }
    }
    parts.join(", ")
}

/// Value, interval, and how many independent observations it is worth.
fn of_cell(cell: &Cell, unit: TimeUnit) -> String {
    let write = |ms: f64| unit.write(ms);
    let range = interval(cell.low.map(write), cell.high.map(write));
    if let Some(needed) = cell.needed {
        return format!("{range} (needs {})", short_count(needed));
    }
    let Some(value) = cell.value else {
        return "among the failures".to_owned();
    };
    let worth = short_count(cell.effective_n as usize);
    format!("{} {range} ({worth})", write(value))
}

fn of_chunks(chunks: &ChunkMeans) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(gap) = &chunks.chunk_gap_ms {
        let unit = TimeUnit::fitting(gap.high.unwrap_or(gap.value));
        let gap = of_mean(gap, unit);
        parts.push(format!("gap {gap}{JOIN}{} on average", unit.symbol()));
    }
    if let Some(tokens) = &chunks.tokens_per_chunk {
        let range = interval(tokens.low.map(significant), tokens.high.map(significant));
        parts.push(format!("{} {range} tokens each", significant(tokens.value)));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn of_band(band: &Band, section: &mut Section) {
    let metrics = [
        ("TTFT", &band.ttft),
        ("TPOT", &band.tpot),
        ("NTPOT", &band.ntpot),
        ("E2E", &band.e2e),
    ];
    let measured = &band.measured;
    section.push(Block::Heading(format!(
        "{}: {} of {} completed",
        band.band,
        count(measured.completed),
        count(measured.total)
    )));
    let mut entries = Entries::default();
    for (name, distribution) in metrics {
        if let Some(d) = distribution {
            let unit = TimeUnit::fitting(d.max);
            let label = format!("{name} {}", unit.symbol());
            entries.add(label, percentiles(&d.percentiles, unit));
        }
    }
    entries.maybe("chunks", band.chunks.as_ref().and_then(of_chunks));
    if band.stalls.count > 0 {
        let (stalls, of) = (band.stalls.count, band.stalls.requests_examined);
        let text = format!(
            "{} in {} of {} requests, {} in all",
            count(stalls),
            count(band.stalls.requests_stalled),
            count(of),
            time(band.stalls.total_ms)
        );
        entries.add("stalls", text);
    }
    section.push(entries);
}
