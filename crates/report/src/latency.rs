//! The table of latencies: one row per metric; mean, extremes and percentiles in columns.
//!
//! Invariant: what the sample does not carry has no value. A percentile shows its interval then, open
//! where the sample bounds it on one side alone.

use crate::document::{Block, Cell, Column, Grade, Section, Table, Tone};
use crate::number::{JOIN, TimeUnit, interval, percent, span, time};
use infermeter_analysis::{
    ByOrigin, Cell as Figure, CellGrade, Distribution, LatencySummary, Mean, Percentile,
    Percentiles, Summary,
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
    section
        .with(Block::Text(Tone::Aside, longer(summary)))
        .with(Block::Text(Tone::Aside, legend(summary)))
}

/// One row per metric that there is.
pub(crate) fn table(latency: &LatencySummary, summary: &Summary) -> Table {
    let origin = summary.headline_origin;
    let columns = columns(&summary.percentiles);
    let mut table = Table::new("", columns.iter().map(Shown::column).collect());
    let mark = |name: &str| mark(name, summary);
    let apart = latency.multi_token_chunks || latency.itl.is_none();
    let only_apart = |d: &'_ Option<Distribution>| d.clone().filter(|_| apart);
    let ttfo = latency.ttfo.from(origin).filter(|_| latency.reasoning);
    let metrics = [
        ("TTFT", latency.ttft.from(origin).cloned()),
        ("TTFO", ttfo.cloned()),
        ("TPOT", latency.tpot.clone()),
        ("TPOT 2nd form", latency.tpot_after_first_chunk.clone()),
        ("ITL", latency.itl.clone()),
        ("chunk gap", only_apart(&latency.chunk_gap)),
        ("smoothed ITL", only_apart(&latency.smoothed_itl)),
        ("NTPOT", latency.ntpot.from(origin).cloned()),
        ("E2E", latency.e2e.from(origin).cloned()),
    ];
    for (name, distribution) in metrics {
        let Some(distribution) = distribution else {
            continue;
        };
        let label = format!("{name}{}", mark(name));
        add_row(&mut table, &label, &distribution, &columns);
        if let Some(with) = &distribution.with_failures
            && matches!(name, "TTFT" | "E2E")
        {
            add_failures(&mut table, with, &columns);
        }
    }
    table
}

/// A column of the table.
#[derive(Debug, Clone, Copy)]
enum Shown {
    Mean,
    Least,
    At(Percentile),
    Most,
}

/// Mean, percentiles and extremes, in the order of their size.
fn columns(percentiles: &[Percentile]) -> Vec<Shown> {
    let percentiles = percentiles.iter().copied().map(Shown::At);
    let before = [Shown::Mean, Shown::Least].into_iter();
    before.chain(percentiles).chain([Shown::Most]).collect()
}

impl Shown {
    /// p50, p99 and percentiles that were asked for stay at any width. Where there is no room, the one
    /// between two others goes first.
    fn column(&self) -> Column {
        match self {
            Self::Mean => Column::left("mean").going(4),
            Self::Least => Column::left("min").going(0),
            Self::Most => Column::left("max").going(5),
            Self::At(percentile) => {
                let name = percentile.to_string();
                let goes = match name.as_str() {
                    "p95" => Some(1),
                    "p99.9" => Some(2),
                    "p90" => Some(3),
                    _ => None,
                };
                Column {
                    goes,
                    ..Column::left(name)
                }
            }
        }
    }
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

/// Another time of each request, and what it is called.
pub(crate) struct Named<'a> {
    /// What it is called.
    pub name: &'static str,
    /// Its values.
    pub of: &'a Distribution,
}

/// A table of such, with the columns of the latencies.
pub(crate) fn table_of(named: &[Named<'_>], summary: &Summary) -> Table {
    let columns = columns(&summary.percentiles);
    let mut table = Table::new("", columns.iter().map(Shown::column).collect());
    for Named { name, of } in named {
        add_row(&mut table, name, of, &columns);
    }
    table
}

fn add_row(table: &mut Table, name: &str, d: &Distribution, columns: &[Shown]) {
    let mean = d.mean.map_or(0.0, |mean| mean.value);
    let largest = largest(&d.percentiles, columns).max(mean);
    let unit = match largest {
        0.0 => TimeUnit::fitting(d.max),
        largest => TimeUnit::fitting(largest),
    };
    let cell = |column: &Shown| match column {
        Shown::Mean => d
            .mean
            .map_or_else(|| Cell::noted("-"), |mean| of_mean(mean, unit)),
        Shown::Least => Cell::of(unit.write(d.min)),
        Shown::Most => Cell::of(unit.write(d.max)),
        Shown::At(percentile) => written(d.cell(*percentile), unit),
    };
    let cells = columns.iter().map(cell).collect();
    table.row(format!("{name} {}", unit.symbol()), cells);
}

/// The row of a metric whose failures count as infinite: they have neither mean nor greatest.
fn add_failures(table: &mut Table, with: &Percentiles, columns: &[Shown]) {
    let unit = TimeUnit::fitting(largest(with, columns));
    let cell = |column: &Shown| match column {
        Shown::At(percentile) => written(with.get(percentile), unit),
        Shown::Mean | Shown::Least | Shown::Most => Cell::default(),
    };
    let cells = columns.iter().map(cell).collect();
    table.row(format!("+ failures {}", unit.symbol()), cells);
}

/// The largest percentile that is shown, or bound of one.
fn largest(percentiles: &Percentiles, columns: &[Shown]) -> f64 {
    let shown = columns.iter().filter_map(|column| match column {
        Shown::At(percentile) => percentiles.get(percentile),
        Shown::Mean | Shown::Least | Shown::Most => None,
    });
    let known = shown.filter_map(|cell| cell.value.or(cell.high).or(cell.low));
    known.fold(0.0, f64::max)
}

fn of_mean(mean: Mean, unit: TimeUnit) -> Cell {
    let write = |ms: f64| unit.write(ms);
    Cell {
        interval: Some(interval(mean.low.map(write), mean.high.map(write))),
        ..Cell::of(write(mean.value))
    }
}

/// Value, interval and grade; of a percentile that the sample does not carry the interval alone.
fn written(figure: Option<&Figure>, unit: TimeUnit) -> Cell {
    let Some(figure) = figure else {
        return Cell::default();
    };
    if figure.low_is_infinite || figure.infinite && figure.grade != CellGrade::Unsupported {
        return Cell::noted("failed");
    }
    let write = |ms: f64| unit.write(ms);
    let range = interval(figure.low.map(write), figure.high.map(write));
    match (figure.value, figure.low, figure.high) {
        (None, None, None) => Cell::noted("unknown"),
        (None, _, _) => Cell::within(range),
        (Some(value), _, _) => Cell {
            grade: match figure.grade {
                CellGrade::Full | CellGrade::Unsupported => Grade::Full,
                CellGrade::Indicative => Grade::Indicative,
            },
            interval: Some(range),
            ..Cell::of(write(value))
        },
    }
}

/// How long a run at this load would have to be to carry what this one does not; empty where it
/// carries all.
fn longer(summary: &Summary) -> String {
    let needs = |p: &Percentile| {
        let seconds = summary.seconds_to_carry(*p)?.ceil();
        Some(format!("{p} after {}", span(rounded(seconds))))
    };
    let needs: Vec<String> = summary.percentiles.iter().filter_map(needs).collect();
    if needs.is_empty() {
        return String::new();
    }
    let bound = percent((1.0 + summary.confidence_level) / 2.0);
    format!(
        "An interval alone: the sample carries no value there. An open one is a bound on one side, at \
         {bound} confidence. At this load every row carries {}.",
        needs.join(", ")
    )
}

/// Two digits of an estimate are enough.
fn rounded(seconds: f64) -> f64 {
    let unit = 10_f64.powf((seconds.log10().floor() - 1.0).max(0.0));
    (seconds / unit).ceil() * unit
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

/// A window's greatest value bounds no percentile over other windows: intervals over time blocks allow for that.
fn reaches_past_max(d: &Distribution) -> bool {
    let mut highs = d.percentiles.values().filter_map(|cell| cell.high);
    highs.any(|high| high > d.max)
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
    let of_tokens = [&latency.itl, &latency.chunk_gap, &latency.smoothed_itl];
    if of_tokens.into_iter().flatten().any(reaches_past_max) {
        parts.push(
            "An interval of gaps may reach past max: it allows for slow waves of the load that so short a window \
             does not show.",
        );
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
