//! The table of latencies: one row per metric, one column per percentile.

use crate::number::{TimeUnit, interval, short_count, time};
use crate::style::{Role, Style};
use infermeter_analysis::{
    ByOrigin, Cell, CellGrade, Distribution, LatencySummary, Percentile, Percentiles, Summary,
};
use infermeter_metrics::origin::Origin;

/// Columns of the row labels.
const LABEL: usize = 17;

struct Row {
    label: String,
    /// What stands in each column: value and interval.
    cells: Vec<(String, String)>,
}

/// The table over all measured requests, and below it the other origin and the legend.
pub(crate) fn lines(summary: &Summary, style: Style) -> Vec<String> {
    let origin = summary.headline_origin;
    let rows = rows(&summary.latency, summary, origin);
    if rows.is_empty() {
        return vec![
            style.heading("Latency"),
            "  no completed request".to_owned(),
        ];
    }
    let heading = format!(
        "Latency of {} completed requests, from the {} send; [95 % interval]",
        crate::number::count(summary.requests.measured.completed),
        match origin {
            Origin::Intended => "intended",
            Origin::Send => "actual",
        }
    );
    let mut lines = vec![style.heading(&heading)];
    lines.extend(table(&rows, &summary.percentiles, style));
    if origin == Origin::Intended {
        lines.extend(from_send(&summary.latency, style));
    }
    lines.extend(legend(summary, style));
    lines
}

/// The table of one class.
pub(crate) fn class_lines(
    latency: &LatencySummary,
    summary: &Summary,
    style: Style,
) -> Vec<String> {
    let rows = rows(latency, summary, summary.headline_origin);
    table(&rows, &summary.percentiles, style)
}

fn rows(latency: &LatencySummary, summary: &Summary, origin: Origin) -> Vec<Row> {
    let columns = &summary.percentiles;
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
    let mut rows = Vec::new();
    for (name, distribution) in metrics {
        let Some(distribution) = distribution else {
            continue;
        };
        let label = format!("{name}{}", mark(name));
        rows.push(row(&label, &distribution.percentiles, columns));
        if let Some(with) = &distribution.with_failures
            && matches!(name, "TTFT" | "E2E")
        {
            rows.push(row("+ failures", with, columns));
        }
    }
    rows
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

fn row(name: &str, percentiles: &Percentiles, columns: &[Percentile]) -> Row {
    let values = percentiles.values();
    let largest = values.filter_map(|c| c.value).fold(0.0, f64::max);
    let unit = TimeUnit::fitting(largest);
    let cell = |p: &Percentile| match percentiles.get(p) {
        Some(cell) => written(cell, unit),
        None => (String::new(), String::new()),
    };
    Row {
        label: format!("{name} {}", unit.symbol()),
        cells: columns.iter().map(cell).collect(),
    }
}

/// Value and interval of one cell; `~` marks an indicative value.
fn written(cell: &Cell, unit: TimeUnit) -> (String, String) {
    if cell.infinite && cell.grade != CellGrade::Unsupported {
        return ("failed".to_owned(), String::new());
    }
    let Some(value) = cell.value else {
        let needed = cell.needed.unwrap_or(0);
        return (format!("needs {}", short_count(needed)), String::new());
    };
    let mark = match cell.grade {
        CellGrade::Full | CellGrade::Unsupported => "",
        CellGrade::Indicative => "~",
    };
    let write = |ms: f64| unit.write(ms);
    let range = interval(cell.low.map(write), cell.high.map(write));
    (format!("{mark}{}", write(value)), range)
}

/// Rows on one line each where they fit, else with the intervals below the values.
fn table(rows: &[Row], columns: &[Percentile], style: Style) -> Vec<String> {
    let joined = |(value, range): &(String, String)| format!("{value} {range}").trim().to_owned();
    let one_line: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.cells.iter().map(joined).collect())
        .collect();
    let widths = widths(&one_line, columns);
    let total: usize = widths.iter().map(|w| w + 2).sum();
    if 2 + LABEL + total <= style.columns() {
        let lines = rows.iter().zip(&one_line);
        let lines = lines.map(|(row, cells)| line(&row.label, cells, &widths));
        return std::iter::once(header(columns, &widths, style))
            .chain(lines)
            .collect();
    }
    two_lines(rows, columns, style)
}

fn two_lines(rows: &[Row], columns: &[Percentile], style: Style) -> Vec<String> {
    let values = |row: &Row| row.cells.iter().map(|c| c.0.clone()).collect::<Vec<_>>();
    let ranges = |row: &Row| row.cells.iter().map(|c| c.1.clone()).collect::<Vec<_>>();
    let every: Vec<Vec<String>> = rows
        .iter()
        .flat_map(|row| [values(row), ranges(row)])
        .collect();
    let widths = widths(&every, columns);
    let mut lines = vec![header(columns, &widths, style)];
    for row in rows {
        lines.push(line(&row.label, &values(row), &widths));
        let below = ranges(row);
        if below.iter().any(|range| !range.is_empty()) {
            lines.push(style.paint(Role::Aside, &line("", &below, &widths)));
        }
    }
    lines
}

fn widths(rows: &[Vec<String>], columns: &[Percentile]) -> Vec<usize> {
    let wide = |i: usize, name: &Percentile| {
        let cells = rows.iter().filter_map(|row| row.get(i));
        let widest = cells.map(|c| c.chars().count()).max().unwrap_or(0);
        widest.max(name.to_string().chars().count())
    };
    columns
        .iter()
        .enumerate()
        .map(|(i, name)| wide(i, name))
        .collect()
}

fn header(columns: &[Percentile], widths: &[usize], style: Style) -> String {
    let names: Vec<String> = columns.iter().map(ToString::to_string).collect();
    style.paint(Role::Aside, &line("", &names, widths))
}

/// `  label  cell  cell`, cells aligned to the left so that values stand under each other.
fn line(label: &str, cells: &[String], widths: &[usize]) -> String {
    let mut text = format!("  {label:<LABEL$}");
    for (cell, width) in cells.iter().zip(widths) {
        text += &format!("{cell:<width$}  ");
    }
    text.trim_end().to_owned()
}

/// TTFT and E2E from the actual send, beside the table from the intended one.
fn from_send(latency: &LatencySummary, style: Style) -> Vec<String> {
    let part = |name: &str, metric: &ByOrigin| {
        let distribution = metric.send.as_ref()?;
        let wanted = [50.0, 99.0].into_iter().filter_map(Percentile::new);
        let cells = wanted.filter_map(|p| {
            let value = distribution.cell(p)?.value?;
            Some(format!("{p} {}", time(value)))
        });
        let cells: Vec<String> = cells.collect();
        (!cells.is_empty()).then(|| format!("{name} {}", cells.join(", ")))
    };
    let parts: Vec<String> = [part("TTFT", &latency.ttft), part("E2E", &latency.e2e)]
        .into_iter()
        .flatten()
        .collect();
    if parts.is_empty() {
        return Vec::new();
    }
    let text = format!("From the actual send: {}.", parts.join("; "));
    indented(&text, style)
}

fn legend(summary: &Summary, style: Style) -> Vec<String> {
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
    indented(&parts.join(" "), style)
}

fn indented(text: &str, style: Style) -> Vec<String> {
    let lines = style.wrap(2, text);
    lines
        .iter()
        .map(|l| format!("  {}", style.paint(Role::Aside, l)))
        .collect()
}
