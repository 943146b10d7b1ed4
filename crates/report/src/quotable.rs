//! Figures as people paste them: each with its interval and with what it was measured under, so that a row on
//! its own says enough.
//!
//! Invariant: a percentile that its sample does not carry has no value, but its interval and what it needs.

use crate::document::{Block, Cell, Column, Grade, Section, Table, Tone};
use crate::number::{TimeUnit, interval, percent, short_count, significant};
use crate::reproduce::conditions;
use infermeter_analysis::{
    Cell as Figure, CellGrade, Distribution, Percentile, Percentiles, Rate, Summary, Weight,
};
use infermeter_core::number::count;
use infermeter_core::run::RunManifest;
use infermeter_metrics::origin::Origin;

/// Percentiles of requests' latencies.
const OF_REQUESTS: [f64; 3] = [50.0, 90.0, 99.0];

/// Metric, value with interval, condition.
pub(crate) fn section(summary: &Summary, manifest: &RunManifest) -> Section {
    let columns = vec![
        Column::left("value [95 % interval]"),
        Column::left("measured under"),
    ];
    let mut rows = Rows {
        table: Table::new("metric", columns),
        load: conditions(summary, manifest),
    };
    latencies(summary, &mut rows);
    speeds(summary, &mut rows);
    rates(summary, &mut rows);
    let prefill = summary
        .prefill
        .as_ref()
        .filter(|_| !rows.table.rows.is_empty());
    let mut section = Section::new("Figures to quote").with(rows.table);
    if let Some(prefill) = prefill {
        let cached = match (prefill.cached_known, prefill.n) {
            (0, _) => "the server does not say what it had cached, so every prompt token counts",
            (known, n) if known == n => "cached prompt tokens do not count",
            _ => "cached prompt tokens do not count where the server says them",
        };
        let text = format!(
            "Prefill speed is uncached prompt tokens / TTFT from the send of each request: it contains connecting, \
             the network, the queue and the first step of decoding; {cached}. Decode speed is 1 / TPOT. Both are \
             of the median request."
        );
        section.push(Block::Text(Tone::Aside, text));
    }
    section
}

struct Rows {
    table: Table,
    load: String,
}

impl Rows {
    fn add(&mut self, label: String, value: Cell, sample: &str) {
        let under = format!("{}; {sample}", self.load);
        self.table.row(label, vec![value, Cell::of(under)]);
    }

    /// A percentile of times.
    fn time(&mut self, name: &str, d: &Distribution, percent: f64, from: &str) {
        let found = Percentile::new(percent).and_then(|p| Some((p, d.cell(p)?)));
        if let Some((percentile, cell)) = found {
            let largest = [cell.value, cell.high, cell.low];
            let unit = TimeUnit::fitting(largest.into_iter().flatten().fold(0.0, f64::max));
            let label = format!("{name} {percentile} {}", unit.symbol());
            let sample = format!("{}{from}", observed(cell, d.weight));
            self.add(label, written(cell, |ms| unit.write(ms)), &sample);
        }
    }

    /// The median of speeds.
    fn speed(&mut self, label: &str, cells: &Percentiles) {
        if let Some(cell) = Percentile::new(50.0).and_then(|p| cells.get(&p)) {
            self.add(
                label.to_owned(),
                written(cell, significant),
                &observed(cell, Weight::Request),
            );
        }
    }

    fn rate(&mut self, label: &str, rate: Option<&Rate>) {
        if let Some(rate) = rate {
            let value = Cell {
                interval: Some(interval(
                    rate.low.map(significant),
                    rate.high.map(significant),
                )),
                ..Cell::of(significant(rate.per_s))
            };
            let sample = format!("{} in the window", significant(rate.count));
            self.add(label.to_owned(), value, &sample);
        }
    }
}

/// `1,300 requests, worth 812`.
fn observed(cell: &Figure, weight: Weight) -> String {
    let noun = match weight {
        Weight::Request => "requests",
        Weight::Chunk => "chunks",
        Weight::Token => "tokens",
        Weight::Read => "reads",
        Weight::Session => "sessions",
    };
    let worth = cell.effective_n as usize;
    let worth = match worth < cell.n {
        true => format!(", worth {} independent", short_count(worth)),
        false => String::new(),
    };
    format!("{} {noun}{worth}", count(cell.n as u64))
}

/// Value and interval, or what is known instead.
fn written(figure: &Figure, write: impl Fn(f64) -> String) -> Cell {
    let range = interval(figure.low.map(&write), figure.high.map(&write));
    if figure.infinite && figure.grade != CellGrade::Unsupported {
        return Cell::noted("among the failures");
    }
    match (figure.value, figure.needed) {
        (Some(value), _) => Cell {
            grade: match figure.grade {
                CellGrade::Indicative => Grade::Indicative,
                CellGrade::Full | CellGrade::Unsupported => Grade::Full,
            },
            interval: Some(range),
            ..Cell::of(write(value))
        },
        (None, Some(needed)) => {
            Cell::noted(format!("{range}; a value needs {}", short_count(needed)))
        }
        (None, None) => Cell::noted(range),
    }
}

fn latencies(summary: &Summary, rows: &mut Rows) {
    let (latency, origin) = (&summary.latency, summary.headline_origin);
    let from = match origin {
        Origin::Intended => ", from the due instant",
        Origin::Send => ", from the send",
    };
    let all = [
        ("TTFT", latency.ttft.from(origin), from),
        ("ITL", latency.itl.as_ref(), ""),
        ("TPOT", latency.tpot.as_ref(), ""),
        ("E2E", latency.e2e.from(origin), from),
    ];
    for (name, distribution, from) in all {
        for percent in OF_REQUESTS {
            if let Some(d) = distribution {
                rows.time(name, d, percent, from);
            }
        }
    }
}

fn speeds(summary: &Summary, rows: &mut Rows) {
    if let Some(prefill) = &summary.prefill {
        rows.speed(
            "prefill tokens/s (contains queue and network)",
            &prefill.tokens_per_s,
        );
    }
    rows.speed(
        "decode tokens/s per user",
        &summary.latency.per_user_tokens_per_s,
    );
}

fn rates(summary: &Summary, rows: &mut Rows) {
    if let Some(t) = &summary.throughput {
        rows.rate("output tokens/s", t.output_tokens.as_ref());
        rows.rate("output tokens/s per GPU", t.output_tokens_per_gpu.as_ref());
        rows.rate("input tokens/s", Some(&t.input_tokens));
        rows.rate("requests/s", Some(&t.requests));
    }
    let goodput = summary.goodput.as_ref();
    rows.rate(
        "goodput requests/s",
        goodput.and_then(|found| found.requests.as_ref()),
    );
    if let Some(failed) = &summary.requests.failed {
        let value = Cell {
            interval: Some(interval(failed.low.map(percent), failed.high.map(percent))),
            ..Cell::of(percent(failed.value))
        };
        let sample = format!(
            "{} of {} requests",
            count(failed.count as u64),
            count(failed.n as u64)
        );
        rows.add("failed".to_owned(), value, &sample);
    }
}
