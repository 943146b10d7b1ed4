//! The client's view beside the server's: one table, figure by figure.
//!
//! Decides nothing. Invariant: a quantile of a histogram is marked as an estimate, with its bucket as its interval.

use crate::document::{Block, Cell, Column, Grade, Section, Table, Tone};
use crate::number::{TimeUnit, figure, interval, percent, plus, significant};
use crate::view::View;
use infermeter_analysis::{Agreement, Beside, BesideRow, Summary};
use infermeter_core::environment::TargetSide;
use infermeter_core::number::count;
use infermeter_core::run::RunManifest;

/// Both views; empty where the server's page says nothing that the client knows, too.
pub(crate) fn section(summary: &Summary, manifest: &RunManifest, view: View) -> Section {
    let heading = "Client and server, in the window";
    let server = summary.server.as_ref();
    let Some(beside) = server.and_then(|server| server.beside.as_ref()) else {
        return Section::new(heading);
    };
    // What the line about the server says already is no table of its own.
    let new = |row: &&BesideRow| !IN_THE_LINE.contains(&&*row.figure);
    if beside.rows.iter().filter(new).count() == 0 {
        return Section::new(heading);
    }
    let rows = beside
        .rows
        .iter()
        .filter(|row| view != View::Summary || is_short(row));
    let columns = ["client", "server", "difference"].map(Column::right);
    let mut table = Table::new("figure", columns.into());
    for row in rows {
        table.row(name(row), cells(row));
    }
    let section = Section::new(heading).with(table);
    let section = section.with(Block::Text(Tone::Aside, legend(beside)));
    match placement(&manifest.environment.target) {
        Some(text) => section.with(Block::Text(Tone::Aside, text.to_owned())),
        None => section,
    }
}

/// Figures that the line about the server has.
const IN_THE_LINE: [&str; 4] = ["in_flight", "kv_usage", "preemptions", "prefix_hit_share"];

/// Rows of the summary: those with two sides, and what says where the time went.
fn is_short(row: &BesideRow) -> bool {
    const TELLING: [&str; 9] = [
        "queue_time_mean",
        "prefill_time_mean",
        "decode_time_mean",
        "kv_usage",
        "preemptions",
        "tokens_per_draft",
        "memory_rate_per_gpu",
        "flop_rate_per_gpu",
        "prefix_hit_rate",
    ];
    row.client.is_some() || TELLING.contains(&&*row.figure)
}

/// `TTFT p99`, `queue time mean`.
fn name(row: &BesideRow) -> String {
    let words = row.figure.split('_').map(|word| match word {
        "ttft" | "itl" | "tpot" | "e2e" | "kv" | "gpu" | "flop" => word.to_uppercase(),
        _ => word.to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

fn cells(row: &BesideRow) -> Vec<Cell> {
    let write = |value: f64| written(value, &row.unit);
    let within = row.server_low.map(|low| {
        let high = row.server_high.map(write);
        interval(Some(write(low)), high)
    });
    let server = Cell {
        value: row.server.map(write),
        grade: match &within {
            Some(_) => Grade::Indicative,
            None => Grade::Full,
        },
        interval: within,
        note: row.server.is_none().then(|| "-".to_owned()),
        ..Cell::default()
    };
    let difference = row.difference.map(|difference| {
        let mark = match row.answer {
            Some(Agreement::Disagrees) => " DISAGREES",
            _ => "",
        };
        plus(difference, &written(difference, &row.unit)) + mark
    });
    let inside = row.client.is_some() && row.server_low.is_some() && row.difference.is_none();
    vec![
        Cell::or_dash(row.client.map(write)),
        server,
        match inside {
            true => Cell::noted("in the bucket"),
            false => Cell::or_dash(difference),
        },
    ]
}

fn written(value: f64, unit: &str) -> String {
    match unit {
        "ms" => {
            let unit = TimeUnit::fitting(value.abs());
            format!("{} {}", unit.write(value), unit.symbol())
        }
        "s" => format!("{} s", significant(value)),
        "share" => percent(value),
        "tokens" | "requests" | "" if value >= 0.0 && value.fract() == 0.0 => count(value as u64),
        "bytes/s" => format!("{} GB/s", significant(value / 1e9)),
        "FLOP/s" => format!("{} TFLOP/s", significant(value / 1e12)),
        "bytes" => format!("{} GB", significant(value / 1e9)),
        _ => figure(value),
    }
}

fn legend(beside: &Beside) -> String {
    let mut text =
        "Client less server: network, gateway and front end of a latency. ~ an estimate from the \
                    server's histogram, with the bucket that holds it."
            .to_owned();
    if let Some(apart) = beside.edges_apart_s {
        text.push_str(&format!(
            " Counters were read {} ms from the window's edges, both together.",
            significant(apart * 1e3)
        ));
    }
    if let Some(why) = &beside.not_counted {
        text.push_str(&format!(" Some have no figure: {why}."));
    }
    if !beside.accepted_by_position.is_empty() {
        let at = beside.accepted_by_position.iter();
        let shares: Vec<String> = at.map(|at| percent(at.share)).collect();
        text.push_str(&format!(
            " Drafts accepted by position: {}.",
            shares.join(", ")
        ));
    }
    text
}

/// What the place of the client means for the differences.
fn placement(target: &TargetSide) -> Option<&'static str> {
    match (target.loopback?, target.same_host.unwrap_or(false)) {
        (true, _) => Some(
            "The client is on the server's host and asks over loopback: differences hold no network, and the \
             CPU time that the two take from each other.",
        ),
        (false, true) => {
            Some("The client is on the server's host: differences hold no network outside it.")
        }
        (false, false) => Some(
            "The client is on another host: differences hold the network between the two; intervals and \
             durations need no common clock.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::spaced;

    fn row(figure: &'static str, unit: &'static str) -> BesideRow {
        serde_json::from_value(serde_json::json!({"figure": figure, "unit": unit})).expect("a row")
    }

    #[track_caller]
    fn check(row: &BesideRow, expect: [&str; 4]) {
        let cells = cells(row);
        let shown: Vec<String> = cells.iter().map(|cell| spaced(&cell.shown())).collect();
        let all = [
            name(row),
            shown[0].clone(),
            shown[1].clone(),
            shown[2].clone(),
        ];
        assert_eq!(all, expect);
    }

    #[test]
    fn rows_say_both_sides_and_what_is_an_estimate() {
        let counts = BesideRow {
            client: Some(1_200.0),
            server: Some(1_500.0),
            difference: Some(-300.0),
            answer: Some(Agreement::Disagrees),
            ..row("output_tokens", "tokens")
        };
        check(
            &counts,
            ["output tokens", "1,200", "1,500", "-300 DISAGREES"],
        );
        let equal = BesideRow {
            client: Some(12.5),
            server: Some(12.5),
            difference: Some(-4e-8),
            ..row("tpot_mean", "ms")
        };
        check(&equal, ["TPOT mean", "12.5 ms", "12.5 ms", "0 µs"]);
        let quantile = BesideRow {
            client: Some(110.0),
            server: Some(100.0),
            server_low: Some(80.0),
            server_high: Some(250.0),
            ..row("ttft_p99", "ms")
        };
        check(
            &quantile,
            ["TTFT p99", "110 ms", "~100 ms", "in the bucket"],
        );
        let alone = BesideRow {
            server: Some(2.5e12),
            ..row("memory_rate_per_gpu", "bytes/s")
        };
        check(&alone, ["memory rate per GPU", "-", "2,500 GB/s", "-"]);
    }
}
