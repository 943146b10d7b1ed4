//! The document of a calibration certificate: what was not usable, errors by kernel and by program
//! stamps, the load and its cost, ceilings, limits.
//!
//! What did not exist is a dash.

use crate::document::{Block, Cell, Column, Document, Entries, Section, Table, Tone};
use crate::number::{TimeUnit, percent, significant, time};
use infermeter_core::certificate::{
    BOUNDS_US, Certificate, ClientSettings, Errors, Limit, LimitEnd, LoadKind, Machine, Rung,
    Spoiler, Spread, Transport,
};
use infermeter_core::number::counted;
use infermeter_core::record::StampSource;

/// What is told of a certificate.
pub fn of_certificate(certificate: &Certificate) -> Document {
    let machine = machine(&certificate.machine);
    let mut document = Document::titled(format!("Calibration of this client on {machine}"));
    document.push(head(certificate));
    push_rungs(&certificate.rungs, &mut document);
    document.push(limits(&certificate.limits));
    document
}

/// What is told of a calibration that has not ended: its rungs so far, those that are missing, and why.
pub fn of_rungs(rungs: &[Rung], missing: &[String], stopped: Option<&str>) -> Document {
    let mut document = Document::titled("A calibration that has not ended");
    push_rungs(rungs, &mut document);
    let mut entries = Entries::default();
    entries.all("Missing", missing.iter().cloned());
    entries.all("Stopped", stopped.map(str::to_owned).into_iter());
    entries.add(
        "To go on",
        "`infermeter calibrate --resume DIR`, with the flags it was begun with",
    );
    document.push(Section::new("").with(entries));
    document
}

fn push_rungs(rungs: &[Rung], document: &mut Document) {
    let of = |ceilings: bool| -> Vec<&Rung> {
        let all = rungs.iter();
        all.filter(|r| r.kind.is_ceiling() == ceilings).collect()
    };
    let (loads, ceilings) = (of(false), of(true));
    document.push(not_usable(&loads));
    for stamps in [StampSource::Kernel, StampSource::Program] {
        document.push(errors(&loads, stamps));
    }
    document.push(cost(&loads));
    document.push(self::ceilings(&ceilings));
}

fn head(certificate: &Certificate) -> Section {
    let ClientSettings {
        threads,
        io,
        kernel_stamps,
        burn,
    } = &certificate.client;
    let threads = counted(*threads as u64, "client thread");
    let burn = burn.map(|burn| format!(", burning {burn} per chunk"));
    let stamps = match kernel_stamps {
        true => "kernel stamps",
        false => "NO kernel stamps on this machine",
    };
    let text = format!("{threads}, {io}, {stamps}{}", burn.unwrap_or_default());
    let section = Section::new("").with(Block::Text(Tone::Plain, text));
    let cut = match certificate.interrupted {
        true => "Interrupted: the ladder is not complete.",
        false => "",
    };
    section.with(Block::Text(Tone::Plain, cut.to_owned()))
}

fn machine(machine: &Machine) -> String {
    let cores = machine.cores.map(|n| counted(n as u64, "core"));
    let kernel = machine.kernel.as_ref().map(|k| format!("Linux {k}"));
    let facts = [machine.cpu.clone(), cores, kernel];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    match facts.is_empty() {
        true => "a machine that does not describe itself".to_owned(),
        false => facts.join(", "),
    }
}

/// One row per rung: three errors, each with p50, p99 and maximum.
fn errors(rungs: &[&Rung], stamps: StampSource) -> Section {
    let whose = match stamps {
        StampSource::Kernel => "Error by the kernel's stamps, which `run` reports; µs",
        StampSource::Program => "Error by the program's own stamps, for comparison; µs",
        StampSource::Imported => "Error by another tool's stamps; µs",
    };
    let figures = ["p50", "p99", "max"];
    let groups = ["TTFT", "chunk", "ITL"];
    let columns = groups
        .iter()
        .flat_map(|group| figures.map(|name| Column::right(name).of(group)));
    let mut table = Table::new("load", columns.collect());
    for rung in rungs {
        if let Some(Errors { ttft, chunk, itl }) = rung.errors(stamps) {
            let mark = if rung.spoilt.is_some() { "!" } else { "" };
            let cells = [*ttft, *chunk, *itl].into_iter().flat_map(spread);
            table.row(format!("{}{mark}", rung.name), cells.collect());
        }
    }
    Section::new(whose).with(table)
}

fn spread(spread: Option<Spread>) -> [Cell; 3] {
    let figures = [
        spread.map(|s| s.p50_us),
        spread.and_then(|s| s.p99_us),
        spread.map(|s| s.max_us),
    ];
    figures.map(|us| Cell::or_dash(us.map(micros)))
}

/// Microseconds without their unit; beyond four digits in a unit that is named.
fn micros(us: f64) -> String {
    match us {
        us if us < 9_999.5 => TimeUnit::Micro.write(us / 1e3),
        us => time(us / 1e3),
    }
}

/// What came, and what it took.
fn cost(rungs: &[&Rung]) -> Section {
    let columns = [
        Column::right("events/s"),
        Column::right("requests/s"),
        Column::right("B/event"),
        Column::right("p50").of("lag"),
        Column::right("p99").of("lag"),
        Column::right(">1 ms"),
        Column::right("µs/event"),
        Column::right("client"),
        Column::right("server"),
    ];
    let mut table = Table::new("load", columns.to_vec());
    for rung in rungs {
        let lag = rung.send_lag;
        let cells = [
            Some(significant(rung.events_per_s)),
            Some(significant(rung.requests_per_s)),
            rung.bytes_per_event.map(significant),
            lag.map(|lag| micros(lag.p50_us)),
            lag.and_then(|lag| lag.p99_us).map(micros),
            rung.uncertain_share.map(percent),
            rung.cost.cpu_us_per_event.map(significant),
            rung.cost.busiest_thread.map(percent),
            rung.simulator.busy.map(percent),
        ];
        table.row(rung.name.clone(), cells.map(Cell::or_dash).to_vec());
    }
    if table.rows.is_empty() {
        return Section::default();
    }
    let legend = "lag: send lag, µs; >1 ms: chunks uncertain by more; µs/event: CPU of the client; client, \
                  server: busy share of the client's busiest thread and of the simulator's.";
    Section::new("Load and cost")
        .with(table)
        .with(Block::Text(Tone::Aside, legend.to_owned()))
}

fn not_usable(rungs: &[&Rung]) -> Section {
    let mut entries = Entries::default();
    for rung in rungs {
        if let Some(spoilt) = &rung.spoilt {
            let who = match spoilt.by {
                Spoiler::Simulator => "the simulator was the limit",
                Spoiler::OtherLoad => "other load on this machine",
                Spoiler::Interrupt => "interrupted",
                Spoiler::NothingToCompare => "too little to compare",
            };
            entries.add(rung.name.clone(), format!("{who}: {}", spoilt.evidence));
        }
    }
    Section::new("Not usable (!): these say nothing about the client and count for no limit")
        .with(entries)
}

fn ceilings(rungs: &[&Rung]) -> Section {
    let names = [
        "requests/s",
        "events/s",
        "µs/request",
        "µs/event",
        "client",
        "server",
    ];
    let figures = names.map(Column::right).to_vec();
    let columns = [figures, vec![Column::left("limited by")]].concat();
    let mut table = Table::new("load", columns);
    for rung in rungs {
        let figures = [
            Some(significant(rung.requests_per_s)),
            Some(significant(rung.events_per_s)),
            rung.cost.cpu_us_per_request.map(significant),
            rung.cost.cpu_us_per_event.map(significant),
            rung.cost.busiest_thread.map(percent),
            rung.simulator.busy.map(percent),
        ];
        let mut cells = figures.map(Cell::or_dash).to_vec();
        cells.push(Cell::of(limited_by(rung)));
        table.row(rung.name.clone(), cells);
    }
    Section::new("Ceilings of the generator").with(table)
}

/// Shares of a busy thread from which it is the one that limits.
const BUSY: f64 = 0.9;

fn limited_by(rung: &Rung) -> &'static str {
    match rung.spoilt.as_ref().map(|spoilt| spoilt.by) {
        Some(Spoiler::Simulator) => "the simulator: the client can do more",
        Some(Spoiler::OtherLoad) => "other load on this machine",
        Some(Spoiler::Interrupt) => "a signal",
        Some(Spoiler::NothingToCompare) => "failures",
        None if rung.cost.busiest_thread.is_some_and(|b| b > BUSY) => "the client",
        None => "round trips",
    }
}

/// One row per ladder and kind of stamps, one column per bound.
fn limits(limits: &[Limit]) -> Section {
    let columns = BOUNDS_US.map(|us| Column::left(bound(us)));
    let mut table = Table::new("", columns.to_vec());
    let rows =
        limits.chunk_by(|a, b| (a.kind, a.transport, a.stamps) == (b.kind, b.transport, b.stamps));
    for row in rows {
        let label = row.first().map(ladder).unwrap_or_default();
        table.row(label, row.iter().map(reached).collect());
    }
    let open = limits.iter().any(|limit| limit.ended != LimitEnd::Exceeded);
    let legend = match open {
        true => "at least: the bound was not exceeded; the ladder or the simulator ended there.",
        false => "",
    };
    Section::new("Highest load at which the p99 of every error (TTFT, chunk, ITL) stays within")
        .with(table)
        .with(Block::Text(Tone::Aside, legend.to_owned()))
}

/// `100 µs`, `1 ms`.
fn bound(us: f64) -> String {
    match us {
        us if us < 1e3 => format!("{us:.0} µs"),
        us => format!("{:.0} ms", us / 1e3),
    }
}

fn ladder(limit: &Limit) -> String {
    let tls = match limit.transport {
        Transport::Plain => "",
        Transport::Tls => "/tls",
    };
    let stamps = match limit.stamps {
        StampSource::Kernel => "kernel stamps",
        StampSource::Program => "program stamps",
        StampSource::Imported => "another tool's stamps",
    };
    let kind = match limit.kind {
        LoadKind::Streams => "streams",
        other => other.as_str(),
    };
    format!("{kind}{tls}, {stamps}")
}

fn reached(limit: &Limit) -> Cell {
    let unit = limit.kind.unit();
    match (&limit.proven, limit.ended) {
        (Some(proven), LimitEnd::Exceeded) => {
            Cell::of(format!("{} {unit}", significant(proven.per_s)))
        }
        (Some(proven), LimitEnd::Simulator | LimitEnd::LadderEnd) => {
            Cell::of(format!("at least {} {unit}", significant(proven.per_s)))
        }
        (None, LimitEnd::Exceeded) => Cell::noted("not even the lowest rung"),
        (None, LimitEnd::Simulator | LimitEnd::LadderEnd) => Cell::noted("unknown: no usable rung"),
    }
}
