//! The table of latencies: one row per metric, one column per percentile.

use crate::document::{Block, Cell, Column, Grade, Section, Table, Tone};
use crate::number::{JOIN, TimeUnit, interval, time};
use infermeter_analysis::{
    ByOrigin, Cell as Figure, CellGrade, Distribution, LatencySummary, Percentile, Percentiles,
    Summary,
};
use infermeter_core::number::counted;
use infermeter_metrics::origin::Origin;

/// The table over all measured requests, and below it the other origin and the legend.
pub(crate) fn section(summary: &Summary) -> Section {
    let origin = summary.headline_origin;
    let table = table(&summary.latency, summary);
    if table.rows.is_empty() {
        let none = "No request completed.".to_owned();
        return Section::new("Latency").with(Block::Text(Tone::Plain, none));
    }
    let completed = summary.requests.measured.completed;
    let heading = format!(
        "Latency of {}, from the {} send; [95 % interval]",
        counted(completed, "completed request"),
        match origin {
            Origin::Intended => "intended",
            Origin::Send => "actual",
        }
    );
    let mut section = Section::new(heading).with(table);
    if origin == Origin::Intended {
        section.push(Block::Text(Tone::Aside, from_send(&summary.latency)));
    }
    section.with(Block::Text(Tone::Aside, legend(summary)))
}

/// One row per metric that there is.
pub(crate) fn table(latency: &LatencySummary, summary: &Summary) -> Table {
    let origin = summary.headline_origin;
    let columns = &summary.percentiles;
    let names = columns.iter().map(|p| Column::left(p.to_string()));
    let mut table = Table::new("", names.collect());
    let mark = |name: &str| mark(name, summary);
    let by_origin = |metric: &ByOrigin| metric.from(origin).cloned();
    let ttfo = latency
        .reasoning
        .then(|| by_origin(&latency.ttfo))
        .flatten();
    let apart = latency.multi_token_chunks || latency.itl.is_none();
    let only_apart = |d: &Option<Distribution>| d.clone().filter(|_| apart);
    let metrics = [
        ("TTFT", by_origin(&latency.ttft)),
        ("TTFO", ttfo),
        ("TPOT", latency.tpot.clone()),
        ("TPOT 2nd form", latency.tpot_after_first_chunk.clone()),
        ("ITL", latency.itl.clone()),
        ("chunk gap", only_apart(&latency.chunk_gap)),
        ("smoothed ITL", only_apart(&latency.smoothed_itl)),
        ("NTPOT", by_origin(&latency.ntpot)),
        ("E2E", by_origin(&latency.e2e)),
    ];
    for (name, distribution) in metrics {
        let Some(distribution) = distribution else {
            continue;
        };
        let label = format!("{name}{}", mark(name));
        add_row(&mut table, &label, &distribution.percentiles, columns);
        if let Some(with) = &distribution.with_failures
            && matches!(name, "TTFT" | "E2E")
        {
            add_row(&mut table, "+ failures", with, columns);
        }
    }
    table
}

/// Says of a metric that its token counts are not the server's, or that the text contradicts them.
fn mark(name: &str, summary: &Summary) -> &'static str {
    let usage = summary.usage.as_ref();
    let in_doubt = usage.map_or(&[][..], |usage| &usage.in_doubt);
    let key = match name {
        "TPOT" => "tpot",
        "TPOT 2nd form" => "tpot_after_first_chunk",
        "NTPOT" => "ntpot",
        _ => return "",
    };
    if in_doubt.iter().any(|name| name == key) {
        "*"
    } else if summary.tokens.estimated > 0 {
        " est."
    } else {
        ""
    }
}

fn add_row(table: &mut Table, name: &str, percentiles: &Percentiles, columns: &[Percentile]) {
    let values = percentiles.values();
    let largest = values.filter_map(|c| c.value).fold(0.0, f64::max);
    let unit = TimeUnit::fitting(largest);
    let cell = |p: &Percentile| percentiles.get(p).map(|found| written(found, unit));
    let cells = columns.iter().map(|p| cell(p).unwrap_or_default());
    table.row(format!("{name} {}", unit.symbol()), cells.collect());
}

/// Value, interval and grade, or what is missing.
fn written(figure: &Figure, unit: TimeUnit) -> Cell {
    if figure.infinite && figure.grade != CellGrade::Unsupported {
        return Cell::noted("failed");
    }
    let Some(value) = figure.value else {
        return Cell::needing(figure.needed.unwrap_or(0));
    };
    let write = |ms: f64| unit.write(ms);
    Cell {
        grade: match figure.grade {
            CellGrade::Full | CellGrade::Unsupported => Grade::Full,
            CellGrade::Indicative => Grade::Indicative,
        },
        interval: Some(interval(figure.low.map(write), figure.high.map(write))),
        ..Cell::of(write(value))
    }
}

/// TTFT and E2E from the actual send, beside the table from the intended one; empty where there is
/// neither.
fn from_send(latency: &LatencySummary) -> String {
    let part = |name: &str, metric: &ByOrigin| {
        let distribution = metric.send.as_ref()?;
        let wanted = [50.0, 99.0].into_iter().filter_map(Percentile::new);
        let cells = wanted.filter_map(|p| {
            let value = distribution.cell(p)?.value?;
            Some(format!("{p}{JOIN}{}", time(value)))
        });
        let cells: Vec<String> = cells.collect();
        (!cells.is_empty()).then(|| format!("{name} {}", cells.join(", ")))
    };
    let parts: Vec<String> = [part("TTFT", &latency.ttft), part("E2E", &latency.e2e)]
        .into_iter()
        .flatten()
        .collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!("From the actual send: {}.", parts.join("; ")),
    }
}

fn legend(summary: &Summary) -> String {
    let latency = &summary.latency;
    let headline = [
        latency.ttft.from(summary.headline_origin),
        latency.itl.as_ref(),
    ];
    let e2e = latency.e2e.from(summary.headline_origin);
    let mut cells = headline
        .into_iter()
        .flatten()
        .chain(e2e)
        .flat_map(|d| d.percentiles.values());
    let mut parts = Vec::new();
    if cells.any(|c| c.grade == CellGrade::Indicative) {
        parts.push("~ marks figures on fewer than 100 effective tail samples.");
    }
    if summary
        .usage
        .as_ref()
        .is_some_and(|usage| usage.implausible)
    {
        parts.push("* marks figures on the server's usage, which the text contradicts.");
    }
    if summary.tokens.estimated > 0 {
        parts.push("est.: per token by the tokenizer's count; the server gives none.");
    }
    let same = !latency.multi_token_chunks && latency.itl.is_some();
    let most = latency.tokens_per_chunk.as_ref().map_or(1.0, |d| d.max);
    parts.extend(same.then_some(if most > 1.0 {
        "1.00 tokens per chunk on average: chunk gap and smoothed ITL are ITL within 0.5 %."
    } else {
        "One token per chunk: chunk gap and smoothed ITL are ITL."
    }));
    parts.join(" ")
}
