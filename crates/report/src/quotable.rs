//! Figures as people paste them: each with its interval and with what it was measured under, so that a row on
//! its own says enough.
//!
//! Invariant: a percentile that its sample does not carry has no value, but its interval and what it needs.

use crate::document::{Block, Cell, Column, Grade, Section, Table, Tone};
use crate::number::{TimeUnit, interval, percent, short_count, significant};
use crate::reproduce::imported;
use infermeter_analysis::{
    Cell as Figure, CellGrade, Distribution, Percentile, Percentiles, Rate, Summary, Weight,
};
use infermeter_core::number::{count, counted};
use infermeter_core::run::{LoadModel, RunManifest};
use infermeter_metrics::origin::Origin;

/// Percentiles of requests' latencies.
const OF_REQUESTS: [f64; 3] = [50.0, 90.0, 99.0];

/// Metric, value with interval, condition.
pub(crate) fn section(summary: &Summary, manifest: &RunManifest) -> Section {
    let columns = [
        "value [95 % interval]",
        "sample",
        "worth",
        "counted from",
        "load",
    ];
    let columns = columns.map(Column::left);
    let mut rows = Rows {
        table: Table::new("metric", columns.to_vec()),
        load: load(summary, manifest),
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
    let measured = matches!(
        summary.load_model,
        LoadModel::OpenLoop | LoadModel::ClosedLoop
    );
    if measured && !section.blocks.is_empty() {
        section.push(Block::Text(Tone::Aside, answers(summary)));
    }
    section
}

/// Whether somebody has looked at what was answered.
fn answers(summary: &Summary) -> String {
    let Some(answers) = &summary.answers else {
        return "The answers were not checked (--check-answers): whether they were right is not known.".to_owned();
    };
    let corrupted = answers
        .corrupted
        .as_ref()
        .map_or(0, |share| share.count as u64);
    let goodput = match summary.goodput {
        Some(_) => "; goodput counts sound answers only",
        None => "",
    };
    format!(
        "{} were checked, {} of them corrupted{goodput}.",
        counted(answers.checked, "answer"),
        count(corrupted)
    )
}

/// `open, 20/s`: the load under which every figure of the run was taken.
fn load(summary: &Summary, manifest: &RunManifest) -> String {
    let plan = &manifest.plan;
    match (summary.load_model, manifest.rate_asked) {
        (LoadModel::ClosedLoop, _) => {
            let slots = plan.concurrency.map(|n| count(u64::from(n)));
            format!("closed, {}", slots.unwrap_or_else(|| "unknown".to_owned()))
        }
        (LoadModel::OpenLoop, _) if plan.rate_profile.is_some() => "open, by a profile".to_owned(),
        (LoadModel::OpenLoop, Some(rate)) => format!("open, {}/s", significant(rate)),
        (LoadModel::OpenLoop, None) => "open, by a trace".to_owned(),
        (LoadModel::Imported, _) => imported(plan),
        (LoadModel::Observed, _) => "its users' own".to_owned(),
    }
}

struct Rows {
    table: Table,
    load: String,
}

/// What a figure rests on.
struct Sample {
    /// `1,300 requests`.
    of: String,
    /// Independent observations that it is worth, where that is another number.
    worth: Option<String>,
    /// The instant that a latency is counted from.
    from: Option<&'static str>,
}

impl Sample {
    fn of(cell: &Figure, weight: Weight, from: Option<&'static str>) -> Self {
        let noun = match weight {
            Weight::Request => "requests",
            Weight::Chunk => "chunks",
            Weight::Token => "tokens",
            Weight::Read => "reads",
            Weight::Session => "sessions",
        };
        let worth = cell.effective_n as usize;
        Self {
            of: format!("{} {noun}", short_count(cell.n)),
            worth: (worth < cell.n).then(|| short_count(worth)),
            from,
        }
    }

    fn counted(of: String) -> Self {
        Self {
            of,
            worth: None,
            from: None,
        }
    }
}

impl Rows {
    fn add(&mut self, label: impl Into<String>, value: Cell, sample: Sample) {
        let cells = vec![
            value,
            Cell::of(sample.of),
            Cell::of(sample.worth.unwrap_or_default()),
            Cell::of(sample.from.unwrap_or_default()),
            Cell::of(self.load.clone()),
        ];
        self.table.row(label, cells);
    }

    /// The percentiles of times, in one unit, so that they can be held against each other.
    fn times(&mut self, name: &str, d: &Distribution, from: Option<&'static str>) {
        let wanted = OF_REQUESTS.into_iter().filter_map(Percentile::new);
        let found = wanted.filter_map(|p| Some((p, d.cell(p)?)));
        let found: Vec<(Percentile, &Figure)> = found.collect();
        let known = |cell: &Figure| cell.value.or(cell.high).or(cell.low);
        let largest = found.iter().filter_map(|(_, cell)| known(cell));
        let unit = TimeUnit::fitting(largest.fold(0.0, f64::max));
        for (percentile, cell) in found {
            let label = format!("{name} {percentile} {}", unit.symbol());
            let value = written(cell, |ms| unit.write(ms));
            self.add(label, value, Sample::of(cell, d.weight, from));
        }
    }

    /// The median of speeds.
    fn speed(&mut self, label: &str, cells: &Percentiles) {
        if let Some(cell) = Percentile::new(50.0).and_then(|p| cells.get(&p)) {
            let sample = Sample::of(cell, Weight::Request, None);
            self.add(label, written(cell, significant), sample);
        }
    }

    fn rate(&mut self, label: &str, rate: Option<&Rate>) {
        if let Some(rate) = rate {
            let range = interval(rate.low.map(significant), rate.high.map(significant));
            let value = Cell {
                interval: Some(range),
                ..Cell::of(significant(rate.per_s))
            };
            let sample = format!("{} in the window", short_count(rate.count as usize));
            self.add(label, value, Sample::counted(sample));
        }
    }
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
        (None, Some(needed)) => Cell::noted(format!("{range}; needs {}", short_count(needed))),
        (None, None) => Cell::noted(range),
    }
}

fn latencies(summary: &Summary, rows: &mut Rows) {
    let (latency, origin) = (&summary.latency, summary.headline_origin);
    let from = match origin {
        Origin::Intended => Some("due instant"),
        Origin::Send => Some("send"),
    };
    let all = [
        ("TTFT", latency.ttft.from(origin), from),
        ("ITL", latency.itl.as_ref(), None),
        ("TPOT", latency.tpot.as_ref(), None),
        ("E2E", latency.e2e.from(origin), from),
    ];
    for (name, distribution, from) in all {
        if let Some(d) = distribution {
            rows.times(name, d, from);
        }
    }
}

fn speeds(summary: &Summary, rows: &mut Rows) {
    if let Some(prefill) = &summary.prefill {
        rows.speed("prefill tokens/s p50, with queue", &prefill.tokens_per_s);
    }
    rows.speed(
        "decode tokens/s p50, per user",
        &summary.latency.per_user_tokens_per_s,
    );
}

fn rates(summary: &Summary, rows: &mut Rows) {
    if let Some(t) = &summary.throughput {
        rows.rate("output tokens/s", t.output_tokens.as_ref());
        rows.rate("output tokens/s per GPU", t.output_tokens_per_gpu.as_ref());
        rows.rate("input tokens/s", t.input_tokens.as_ref());
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
        rows.add("failed", value, Sample::counted(sample));
    }
}
