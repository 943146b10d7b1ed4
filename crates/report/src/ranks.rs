//! The ranks of a run that several processes measured: a row each, and what their clocks make of figures over all.
//!
//! Invariant: whatever is left out is counted.

use crate::document::{Block, Cell, Column, Section, Table, Tone};
use crate::number::{bytes, percent, plus, time};
use crate::view::View;
use infermeter_analysis::{Percentile, RankSummary, RanksSummary, Summary};
use infermeter_core::number::{count, counted};
use infermeter_core::run::{LoadModel, RunManifest};
use infermeter_core::text::inert;

/// Ranks with a row on a terminal, on a page, and in the full view.
const ROWS: [usize; 3] = [16, 200, 2_000];
/// Longest name of a host in a row, bytes.
const HOST: usize = 40;

/// A row for each rank; empty where one process measured.
pub(crate) fn section(summary: &Summary, manifest: &RunManifest, view: View) -> Section {
    let Some(ranks) = &summary.client.ranks else {
        return Section::new("Ranks");
    };
    let most = match view {
        View::Summary => ROWS[0],
        View::Shared => ROWS[1],
        View::Full => ROWS[2],
    };
    let shown = &ranks.each[..ranks.each.len().min(most)];
    let mut table = Table::new("rank", columns());
    for rank in shown {
        table.row(rank.rank.to_string(), row(rank));
    }
    Section::new(heading(ranks)).with(table).with(Block::Text(
        Tone::Plain,
        told(ranks, manifest, shown.len()).join(" "),
    ))
}

/// `Ranks: 3 of 4`.
fn heading(ranks: &RanksSummary) -> String {
    let (there, of) = (ranks.each.len(), ranks.of);
    match there == of as usize {
        true => format!("Ranks: {there}"),
        false => format!("Ranks: {there} of {of}"),
    }
}

fn columns() -> Vec<Column> {
    vec![
        Column::left("host"),
        Column::right("requests"),
        Column::right("p50").of("send lag").going(3),
        Column::right("p99").of("send lag"),
        Column::right("CPU").going(4),
        Column::right("memory").going(2),
        Column::right("clock").going(5),
        Column::right("start").going(6),
        Column::left("told by").going(1),
    ]
}

fn row(rank: &RankSummary) -> Vec<Cell> {
    let threads = rank.threads.as_ref();
    let host = rank.host.as_deref().filter(|host| !host.is_empty());
    let end = match (rank.recovered, rank.interrupted) {
        (true, _) => " (killed)",
        (false, true) => " (stopped)",
        (false, false) => "",
    };
    let lag = |percent: f64| {
        let lag = rank.send_lag.as_ref()?;
        let at = lag.order_statistic(Percentile::new(percent)?)?;
        Some(time(at))
    };
    let host = host.map_or_else(|| "-".to_owned(), |host| inert(host, HOST));
    vec![
        Cell::of(format!("{host}{end}")),
        Cell::of(count(rank.requests)),
        Cell::or_dash(lag(50.0)),
        Cell::or_dash(lag(99.0)),
        Cell::or_dash(threads.and_then(|t| t.busiest_thread).map(percent)),
        Cell::or_dash(threads.and_then(|t| t.peak_rss_bytes).map(bytes)),
        Cell::or_dash(clock(rank)),
        Cell::or_dash(rank.start_lag_ms.map(signed)),
        Cell::or_dash(rank.told_by.as_deref().map(|by| inert(by, HOST))),
    ]
}

/// `+3.1 ms ± 0.2 ms`.
fn clock(rank: &RankSummary) -> Option<String> {
    let clock = rank.clock.as_ref()?;
    Some(format!(
        "{} ± {}",
        signed(clock.offset_ms),
        time(clock.bound_ms)
    ))
}

fn signed(ms: f64) -> String {
    plus(ms, &time(ms))
}

/// What the columns mean, how the starts lie, and what is left out.
fn told(ranks: &RanksSummary, manifest: &RunManifest, shown: usize) -> Vec<String> {
    let mut told = vec![
        "CPU is that of the busiest thread; clock is the rank's wall clock minus that of rank 0; start is how much later \
         than agreed on it began."
            .to_owned(),
    ];
    told.push(match (ranks.started_apart_ms, ranks.bound_ms) {
        (Some(apart), Some(0.0)) => format!("The starts lie {} apart, by one clock.", time(apart)),
        (Some(apart), Some(bound)) => format!(
            "The starts lie {} apart, known to {}.",
            time(apart),
            time(bound)
        ),
        _ => "How far the starts lie apart is not known.".to_owned(),
    });
    let hosts = hosts(manifest);
    if hosts.len() > 1 {
        told.push(format!("Machines: {}.", hosts.join("; ")));
    }
    // In an open loop all have that of the schedule, but for those that were cut short.
    let own_windows = manifest
        .clients
        .iter()
        .any(|client| client.window.is_some());
    if own_windows && manifest.load_model == LoadModel::ClosedLoop {
        told.push(
            "The window is that of all ranks: from the first start of theirs to the last end."
                .to_owned(),
        );
    }
    if !ranks.missing.is_empty() {
        let missing = counted(ranks.missing.len() as u64, "rank");
        told.push(format!("{missing} left no record."));
    }
    if ranks.each.len() > shown {
        let more = count((ranks.each.len() - shown) as u64);
        told.push(format!("{more} more are in --json."));
    }
    told
}

/// Kinds of machines, where ranks ran on several.
fn hosts(manifest: &RunManifest) -> Vec<String> {
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for host in manifest
        .clients
        .iter()
        .filter_map(|client| client.host.as_ref())
    {
        let cpu = host
            .cpu
            .as_deref()
            .map_or_else(|| "unknown processor".to_owned(), |cpu| inert(cpu, 80));
        let cores = host
            .cores
            .map_or_else(String::new, |n| format!(", {}", counted(n as u64, "core")));
        let kernel = host
            .kernel
            .as_deref()
            .map_or_else(String::new, |k| format!(", Linux {}", inert(k, HOST)));
        let kind = format!("{cpu}{cores}{kernel}");
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, ranks)) => *ranks += 1,
            None => kinds.push((kind, 1)),
        }
    }
    kinds
        .into_iter()
        .map(|(kind, ranks)| format!("{kind} ({})", counted(ranks, "rank")))
        .collect()
}

/// `over all ranks, whose instants lie within 0.2 ms of each other`, of figures that count over ranks; absent where one
/// process measured.
pub(crate) fn beside(summary: &Summary) -> Option<String> {
    let ranks = summary.client.ranks.as_ref()?;
    Some(match ranks.beside_ms() {
        Some(0.0) => "over all ranks, by one clock".to_owned(),
        Some(ms) => format!(
            "over all ranks, whose instants lie within {} of each other",
            time(ms)
        ),
        None => "over all ranks, whose clocks are not known".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_analysis::summarize_log;
    use infermeter_core::run::{ClockOffset, OffsetSource};
    use infermeter_metrics::fixture::{Run, ms, ranked};

    fn shown(change: impl FnOnce(&mut RunManifest)) -> (Section, Option<String>) {
        let mut log = ranked(Run::steady(600, 20.0, 4).build(), 3);
        change(&mut log.manifest);
        let (_, summary) = summarize_log(&log);
        (
            section(&summary, &log.manifest, View::Summary),
            beside(&summary),
        )
    }

    fn rows(section: &Section) -> Vec<String> {
        let table = section.blocks.iter().find_map(|block| match block {
            Block::Table(table) => Some(table),
            _ => None,
        });
        let rows = table.expect("a table").rows.iter();
        rows.map(|row| {
            let cells = row.cells.iter().map(Cell::shown);
            format!("{} {}", row.label, cells.collect::<Vec<_>>().join(" | "))
        })
        .collect()
    }

    #[test]
    fn each_rank_has_its_row() {
        let (section, beside) = shown(|manifest| {
            let client = &mut manifest.clients[1];
            client.progress.recovered = true;
            let facts = client.rank.as_mut().expect("a rank");
            facts.host = "node\u{1b}b".to_owned();
            facts.clock = Some(ClockOffset {
                offset_ns: ms(-3),
                bound_ns: 200_000,
                by: OffsetSource::Ping,
            });
        });
        assert_eq!(section.heading, "Ranks: 3");
        let rows = rows(&section);
        assert!(rows[0].starts_with("0 node-0 | 220 | 0"), "{}", rows[0]);
        assert!(
            rows[1].starts_with("1 node\u{fffd}b (killed) | 220"),
            "{}",
            rows[1]
        );
        assert!(rows[1].contains("-3.00\u{a0}ms ± 200"), "{}", rows[1]);
        assert!(rows[1].ends_with("| Slurm"), "{}", rows[1]);
        // Its clock is behind, so it began later than it says.
        assert_eq!(
            beside.as_deref(),
            Some("over all ranks, whose instants lie within 3.20\u{a0}ms of each other")
        );
    }

    #[test]
    fn what_is_missing_or_unknown_is_said() {
        let (section, beside) = shown(|manifest| {
            manifest.clients.remove(0);
            manifest.clients[0].rank = None;
        });
        assert_eq!(section.heading, "Ranks: 2 of 3");
        assert!(rows(&section)[0].starts_with("1 - | 220"));
        let unknown = "over all ranks, whose clocks are not known";
        assert_eq!(beside.as_deref(), Some(unknown));
        let text = section.blocks.iter().find_map(|block| match block {
            Block::Text(_, text) => Some(text),
            _ => None,
        });
        let text = text.expect("a paragraph");
        assert!(text.contains("1 rank left no record."), "{text}");
        assert!(text.contains("is not known."), "{text}");
    }

    #[test]
    fn a_run_of_one_process_has_no_such_section() {
        let (section, beside) = shown(|manifest| manifest.clients.clear());
        assert!(section.blocks.is_empty() && beside.is_none());
        let (_, one_clock) = shown(|_| {});
        assert_eq!(one_clock.as_deref(), Some("over all ranks, by one clock"));
    }
}
