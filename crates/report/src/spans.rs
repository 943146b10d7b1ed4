//! Where the time to the first token went: its parts by the spans of requests, over all of them and in the tail.
//!
//! Decides nothing. Invariant: whatever is not taken apart is counted below the table.

use crate::by_class::class_name;
use crate::document::{Block, Cell, Column, Section, Table, Tone};
use crate::number::{TimeUnit, interval, percent, time};
use crate::view::View;
use infermeter_analysis::{
    CellGrade, Mean, Percentile, SpansGroup, SpansPart, SpansSummary, Summary,
};
use infermeter_core::number::{count, counted};
use infermeter_metrics::origin::Origin;

/// Bands of the TTFT go in this order where there is no room: the tail stays longest.
const GOES: [u8; 3] = [2, 1, 0];

/// Sections: the parts, and where there is room the parts by class and load.
pub(crate) fn sections(summary: &Summary, view: View) -> Vec<Section> {
    let Some(spans) = &summary.spans else {
        return Vec::new();
    };
    let heading = "Where the time to the first token went";
    let mut section = Section::new(heading);
    match spans.groups.first() {
        Some(all) => section.push(parts(spans, all)),
        None => section.push(Block::Text(Tone::Plain, NOTHING.to_owned())),
    }
    section.push(Block::Text(Tone::Aside, population(spans)));
    if !spans.groups.is_empty() {
        section.push(Block::Text(Tone::Aside, legend(spans)));
    }
    match view {
        View::Summary => vec![section],
        View::Shared | View::Full => vec![section, by_group(spans)],
    }
}

const NOTHING: &str = "No request could be taken apart.";

/// A part in words.
pub(crate) fn name(part: &str) -> String {
    match part {
        "client" => "client, before the send".to_owned(),
        "server" => "server, not told apart".to_owned(),
        "residual" => "server, beside its parts".to_owned(),
        other => other.replace('_', " "),
    }
}

/// A row a part; columns for all requests and for each band of the TTFT.
fn parts(spans: &SpansSummary, all: &SpansGroup) -> Table {
    let bands: Vec<&SpansGroup> = spans.groups.iter().filter(|g| g.by == "ttft").collect();
    let tail = bands.last().copied();
    let mut columns = vec![
        Column::left("mean").of("all"),
        Column::right("share").of("all"),
    ];
    for (place, band) in bands.iter().enumerate() {
        let column = Column::right(&band.label).of("TTFT");
        columns.push(match GOES.get(place) {
            Some(order) if place + 1 < bands.len() => column.going(*order),
            _ => column,
        });
    }
    if tail.is_some() {
        columns.push(Column::right("share").of("TTFT"));
    }
    let unit = TimeUnit::fitting(all.ttft_ms.value);
    let mut table = Table::new("", columns);
    let whole = bands.iter().map(|band| Cell::of(time(band.ttft_ms.value)));
    let whole = whole.chain(tail.map(|_| Cell::of("100\u{a0}%")));
    let cells = vec![mean(all.ttft_ms, unit), Cell::of("100\u{a0}%")];
    let label = format!("TTFT {}", unit.symbol());
    table.row(label, cells.into_iter().chain(whole).collect());
    for (place, part) in all.parts.iter().enumerate() {
        let of_band = |band: &&SpansGroup| {
            let part = band.parts.get(place);
            Cell::or_dash(part.map(|part| time(part.ms.value)))
        };
        let in_tail = |tail: &SpansGroup| share(tail.parts.get(place));
        let cells = [mean(part.ms, unit), share(Some(part))].into_iter();
        let cells = cells.chain(bands.iter().map(of_band));
        let label = format!("{} {}", name(&part.part), unit.symbol());
        table.row(label, cells.chain(tail.map(in_tail)).collect());
    }
    table
}

fn share(part: Option<&SpansPart>) -> Cell {
    Cell::or_dash(part.map(|part| percent(part.share)))
}

/// A mean in the row's unit, with its interval where there are requests enough.
fn mean(mean: Mean, unit: TimeUnit) -> Cell {
    let write = |ms: f64| unit.write(ms);
    let known = mean.low.is_some() || mean.high.is_some();
    Cell {
        interval: known.then(|| interval(mean.low.map(write), mean.high.map(write))),
        ..Cell::of(write(mean.value))
    }
}

/// A row a class and a row a band of the load; columns for the parts.
fn by_group(spans: &SpansSummary) -> Section {
    let columns = ["requests", "TTFT"].into_iter().map(str::to_owned);
    let names = spans.parts.iter().map(|part| name(part));
    let columns = columns.chain(names).map(Column::right).collect();
    let mut table = Table::new("", columns);
    for group in &spans.groups {
        let label = match &*group.by {
            "class" => format!("class {}", class_name(&group.label)),
            "in_flight" => format!("{} others in flight", group.label),
            _ => continue,
        };
        let counts = [count(group.n), time(group.ttft_ms.value)].map(Cell::of);
        let cell = |part: &SpansPart| {
            Cell::of(format!("{} ({})", time(part.ms.value), percent(part.share)))
        };
        let cells = counts.into_iter().chain(group.parts.iter().map(cell));
        table.row(label, cells.collect());
    }
    Section::new("Parts of the time to the first token by class and load").with(table)
}

/// Of whom all this is, and of whom not.
fn population(spans: &SpansSummary) -> String {
    let left_out = [
        (spans.missing, "without a span"),
        (spans.ambiguous, "with spans of several engines"),
        (spans.unlike, "whose spans tell other parts"),
    ];
    let left_out = left_out.iter().filter(|(n, _)| *n > 0);
    let left_out: Vec<String> = left_out
        .map(|(n, why)| format!("{} {why}", count(*n)))
        .collect();
    let left_out = match left_out.is_empty() {
        true => String::new(),
        false => format!("; left out: {}", left_out.join(", ")),
    };
    let came = spans.tally.map_or_else(String::new, |tally| {
        format!(" {} came.", counted(tally.spans, "span"))
    });
    format!(
        "{} of {}{left_out}.{came}",
        count(spans.joined),
        counted(spans.requests, "completed measured request"),
    )
}

fn legend(spans: &SpansSummary) -> String {
    let origin = match spans.origin {
        Origin::Intended => "intended",
        Origin::Send => "actual",
    };
    let mut text = format!(
        "Means with 95 % intervals; the parts of a request add up to its TTFT from the {origin} send. What \
         lies outside the server is the client's TTFT less the server's own: durations of either clock \
         alone, which need not agree."
    );
    if let Some(residual) = &spans.residual {
        let at = |(name, p): (&str, f64)| {
            let cell = residual.share.get(&Percentile::new(p)?)?;
            let thin = match cell.grade {
                CellGrade::Full => "",
                CellGrade::Indicative | CellGrade::Unsupported => "~",
            };
            Some(format!("{name} {thin}{}", percent(cell.value?)))
        };
        let wanted = [("p50", 50.0), ("p99", 99.0)];
        let known: Vec<String> = wanted.into_iter().filter_map(at).collect();
        let most = format!("at most {}", percent(residual.share_max));
        let all: Vec<String> = known.into_iter().chain([most]).collect();
        text += &format!(
            " Beside its parts the server's own TTFT (of 5 ms and more) holds {}.",
            all.join(", ")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn summary() -> SpansSummary {
        let part = |name: &str, ms: f64, share: f64| json!({"part": name, "ms": {"value": ms, "low": ms - 1.0, "high": ms + 1.0}, "share": share});
        let group = |by: &str, label: &str, n: u64, scale: f64| {
            json!({"by": by, "label": label, "n": n,
                "ttft_ms": {"value": 40.0 * scale, "low": null, "high": null},
                "parts": [part("network_and_front_end", 10.0 * scale, 0.25), part("queue", 30.0 * scale, 0.75)]})
        };
        serde_json::from_value(json!({
            "origin": "intended", "requests": 100, "joined": 90, "missing": 10, "ambiguous": 0,
            "unlike": 0, "impossible": 0, "tally": null,
            "parts": ["network_and_front_end", "queue"],
            "groups": [group("all", "", 90, 1.0), group("class", "chat", 90, 1.0),
                group("ttft", "up to p50", 45, 0.5), group("ttft", "above p50", 45, 1.5)],
        }))
        .expect("a summary")
    }

    #[test]
    fn rows_are_parts_and_columns_say_of_whom() {
        let spans = summary();
        let table = parts(&spans, &spans.groups[0]);
        let columns: Vec<&str> = table.columns.iter().map(|c| &*c.name).collect();
        assert_eq!(
            columns,
            ["mean", "share", "up to p50", "above p50", "share"]
        );
        let labels: Vec<&str> = table.rows.iter().map(|row| &*row.label).collect();
        assert_eq!(labels, ["TTFT ms", "network and front end ms", "queue ms"]);
        let queue: Vec<String> = table.rows[2].cells.iter().map(Cell::shown).collect();
        let spaced: Vec<String> = queue.iter().map(|c| crate::number::spaced(c)).collect();
        assert_eq!(spaced, ["30.0", "75.0 %", "15.0 ms", "45.0 ms", "75.0 %"]);
        assert_eq!(table.rows[0].cells[0].interval, None);
    }

    #[test]
    fn whoever_is_left_out_is_counted() {
        let spans = summary();
        let expect = "90 of 100 completed measured requests; left out: 10 without a span.";
        assert_eq!(population(&spans), expect);
    }
}
