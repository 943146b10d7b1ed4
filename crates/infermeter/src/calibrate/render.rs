//! The certificate for a terminal: errors by kernel and by program stamps, the load and its cost,
//! what was not usable, ceilings, limits. Fits into 100 columns.
//!
//! Rendering only; what did not exist is a dash.

use infermeter_core::certificate::{
    Certificate, Errors, Limit, LimitEnd, LoadKind, Machine, Rung, Spoiler, Spread, Transport,
};
use infermeter_core::record::StampSource;
use infermeter_core::text::inert;
use std::fmt::Write;

/// Columns of a rung's name.
const NAME: usize = 20;

/// Renders a certificate. Ends with a line break.
pub fn render(certificate: &Certificate) -> String {
    let rungs = |ceilings: bool| -> Vec<&Rung> {
        let all = certificate.rungs.iter();
        all.filter(|r| r.kind.is_ceiling() == ceilings).collect()
    };
    let (loads, ceilings) = (rungs(false), rungs(true));
    let blocks = [
        head(certificate),
        errors(&loads, StampSource::Kernel),
        errors(&loads, StampSource::Program),
        cost(&loads),
        not_usable(&loads),
        self::ceilings(&ceilings),
        limits(&certificate.limits),
    ];
    let blocks = blocks.into_iter().filter(|lines| !lines.is_empty());
    let blocks: Vec<String> = blocks.map(|lines| lines.join("\n") + "\n").collect();
    blocks.join("\n")
}

fn head(certificate: &Certificate) -> Vec<String> {
    let client = &certificate.client;
    let threads = if client.threads == 1 {
        "1 client thread".to_owned()
    } else {
        format!("{} client threads", client.threads)
    };
    let burn = client
        .burn
        .map(|burn| format!(", burning {burn} per chunk"));
    let stamps = if client.kernel_stamps {
        "kernel stamps"
    } else {
        "NO kernel stamps on this machine"
    };
    let mut lines = vec![
        format!(
            "Calibration of this client on {}",
            machine(&certificate.machine)
        ),
        format!(
            "  {threads}, {}, {stamps}{}",
            client.io,
            burn.unwrap_or_default()
        ),
    ];
    if certificate.interrupted {
        lines.push("  Interrupted: the ladder is not complete.".to_owned());
    }
    lines
}

fn machine(machine: &Machine) -> String {
    let cores = machine.cores.map(|n| format!("{n} cores"));
    let kernel = machine.kernel.as_ref().map(|k| format!("Linux {k}"));
    let facts = [machine.cpu.clone(), cores, kernel];
    let facts: Vec<String> = facts.into_iter().flatten().map(|f| inert(&f, 50)).collect();
    if facts.is_empty() {
        "a machine that does not tell".to_owned()
    } else {
        facts.join(", ")
    }
}

/// One row per rung: three errors, each with p50, p99 and maximum.
fn errors(rungs: &[&Rung], stamps: StampSource) -> Vec<String> {
    if !rungs.iter().any(|rung| rung.errors(stamps).is_some()) {
        return Vec::new();
    }
    let whose = match stamps {
        StampSource::Kernel => "Error by the kernel's stamps, which `run` reports; us",
        StampSource::Program => "Error by the program's own stamps, for comparison; us",
    };
    let three = |name: &str| format!("{name:>8} p50{:>7}{:>7}", "p99", "max");
    let mut lines = vec![
        whose.to_owned(),
        format!(
            "  {:NAME$}{}{}{}",
            "load",
            three("TTFT"),
            three("chunk"),
            three("ITL")
        ),
    ];
    lines.extend(rungs.iter().filter_map(|rung| {
        let Errors { ttft, chunk, itl } = rung.errors(stamps)?;
        let mark = if rung.spoilt.is_some() { "!" } else { "" };
        let name = format!("{}{mark}", rung.name);
        Some(format!(
            "  {name:NAME$}{}{}{}",
            spread(*ttft),
            spread(*chunk),
            spread(*itl)
        ))
    }));
    lines
}

fn spread(spread: Option<Spread>) -> String {
    let cell = |value: Option<f64>| value.map_or("-".to_owned(), short_micros);
    let [p50, p99, max] = [
        spread.map(|s| s.p50_us),
        spread.and_then(|s| s.p99_us),
        spread.map(|s| s.max_us),
    ];
    format!("{:>12}{:>7}{:>7}", cell(p50), cell(p99), cell(max))
}

/// What came, and what it took.
fn cost(rungs: &[&Rung]) -> Vec<String> {
    if rungs.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        "Load and cost".to_owned(),
        format!(
            "  {:NAME$}{:>9} {:>10} {:>8} {:>13} {:>8} {:>8} {:>7} {:>7}",
            "load",
            "events/s",
            "requests/s",
            "B/event",
            "lag p50/p99",
            ">1 ms",
            "us/event",
            "client",
            "server"
        ),
    ];
    lines.extend(rungs.iter().map(|rung| {
        let lag = rung.send_lag.map(send_lag);
        format!(
            "  {:NAME$}{:>9} {:>10} {:>8} {:>13} {:>8} {:>8} {:>7} {:>7}",
            rung.name,
            number(rung.events_per_s),
            number(rung.requests_per_s),
            or_dash(rung.bytes_per_event.map(number)),
            or_dash(lag),
            or_dash(rung.uncertain_share.map(percent)),
            or_dash(rung.cost.cpu_us_per_event.map(|us| format!("{us:.1}"))),
            or_dash(rung.cost.busiest_thread.map(percent)),
            or_dash(rung.simulator.busy.map(percent)),
        )
    }));
    lines.push(
        "  lag: send lag, us; >1 ms: chunks uncertain by more; us/event: CPU of the client; client, \
         server:"
            .to_owned(),
    );
    lines.push("  busy share of the client's busiest thread and of the simulator's.".to_owned());
    lines
}

/// Median and 99th percentile, microseconds.
fn send_lag(lag: Spread) -> String {
    let p99 = or_dash(lag.p99_us.map(short_micros));
    format!("{}/{p99}", short_micros(lag.p50_us))
}

fn not_usable(rungs: &[&Rung]) -> Vec<String> {
    let spoilt = rungs.iter().filter_map(|rung| {
        let spoilt = rung.spoilt.as_ref()?;
        let who = match spoilt.by {
            Spoiler::Simulator => "the simulator was the limit",
            Spoiler::OtherLoad => "other load on this machine",
            Spoiler::Interrupt => "interrupted",
            Spoiler::NothingToCompare => "too little to compare",
        };
        Some(format!("  {:NAME$}{who}: {}", rung.name, spoilt.evidence))
    });
    let lines: Vec<String> = spoilt.collect();
    if lines.is_empty() {
        return lines;
    }
    let heading = "Not usable (!): these say nothing about the client and count for no limit";
    [vec![heading.to_owned()], lines].concat()
}

fn ceilings(rungs: &[&Rung]) -> Vec<String> {
    if rungs.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        "Ceilings of the generator".to_owned(),
        format!(
            "  {:NAME$}{:>10} {:>10} {:>10} {:>8} {:>7} {:>7}  limited by",
            "load", "requests/s", "events/s", "us/request", "us/event", "client", "server"
        ),
    ];
    lines.extend(rungs.iter().map(|rung| {
        let us = |value: Option<f64>| or_dash(value.map(|us| format!("{us:.1}")));
        format!(
            "  {:NAME$}{:>10} {:>10} {:>10} {:>8} {:>7} {:>7}  {}",
            rung.name,
            number(rung.requests_per_s),
            number(rung.events_per_s),
            us(rung.cost.cpu_us_per_request),
            us(rung.cost.cpu_us_per_event),
            or_dash(rung.cost.busiest_thread.map(percent)),
            or_dash(rung.simulator.busy.map(percent)),
            limited_by(rung),
        )
    }));
    lines
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
fn limits(limits: &[Limit]) -> Vec<String> {
    if limits.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        "Highest load at which the p99 of every error (TTFT, chunk, ITL) stays within".to_owned(),
        format!("  {:32}{:<32}{}", "", "100 us", "1 ms"),
    ];
    let rows =
        limits.chunk_by(|a, b| (a.kind, a.transport, a.stamps) == (b.kind, b.transport, b.stamps));
    for row in rows {
        let mut line = format!("  {:32}", row.first().map(ladder).unwrap_or_default());
        for limit in row {
            let _ = write!(line, "{:<32}", reached(limit));
        }
        lines.push(line.trim_end().to_owned());
    }
    if limits.iter().any(|limit| limit.ended != LimitEnd::Exceeded) {
        lines.push(
            "  at least: the bound was not exceeded; the ladder or the simulator ended there."
                .to_owned(),
        );
    }
    lines
}

fn ladder(limit: &Limit) -> String {
    let tls = match limit.transport {
        Transport::Plain => "",
        Transport::Tls => "/tls",
    };
    let stamps = match limit.stamps {
        StampSource::Kernel => "kernel stamps",
        StampSource::Program => "program stamps",
    };
    let kind = match limit.kind {
        LoadKind::Streams => "streams",
        other => other.as_str(),
    };
    format!("{:14}{stamps}", format!("{kind}{tls}"))
}

fn reached(limit: &Limit) -> String {
    let unit = limit.kind.unit();
    match (&limit.proven, limit.ended) {
        (Some(proven), LimitEnd::Exceeded) => format!("{} {unit}", number(proven.per_s)),
        (Some(proven), LimitEnd::Simulator | LimitEnd::LadderEnd) => {
            format!("at least {} {unit}", number(proven.per_s))
        }
        (None, LimitEnd::Exceeded) => "not even the lowest rung".to_owned(),
        (None, LimitEnd::Simulator | LimitEnd::LadderEnd) => "unknown: no usable rung".to_owned(),
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// A whole number with its thousands apart; one decimal below ten.
fn number(x: f64) -> String {
    if x < 9.95 {
        return format!("{x:.1}");
    }
    let digits = format!("{x:.0}");
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 9.95 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// A time with its unit: `3.4 us`, `12 ms`.
pub fn micros(us: f64) -> String {
    match us {
        us if us < 9.95 => format!("{us:.1} us"),
        us if us < 9_999.5 => format!("{us:.0} us"),
        us if us < 9_999_500.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.0} s", us / 1e6),
    }
}

/// The same in five characters; microseconds go without saying.
fn short_micros(us: f64) -> String {
    micros(us).trim_end_matches(" us").replace(' ', "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::certificate::Spoilt;
    use infermeter_session::calibrate::fixture::certificate;
    use infermeter_session::calibrate::fixture::good;
    use infermeter_session::calibrate::limits::limits as limits_of;

    fn full() -> Certificate {
        let mut rungs = vec![
            good("streams:10x50", 490.0, 30.0),
            good("streams:1600x50", 78_400.0, 160.0),
            good("requests:2000x16", 1_999.6, 40.0),
            good("bytes:4096", 2_450.0, 55.0),
            good("null:64", 23_456.0, 0.0),
        ];
        rungs[3].spoilt = Some(Spoilt {
            by: Spoiler::OtherLoad,
            evidence: "0.40 cores busy with other work or stolen".to_owned(),
        });
        Certificate {
            limits: limits_of(&rungs),
            rungs,
            ..certificate()
        }
    }

    #[test]
    fn everything_fits_into_a_hundred_columns() {
        let mut wide = full();
        for rung in &mut wide.rungs {
            rung.uncertain_share = Some(0.1234);
            rung.cost.cpu_us_per_event = Some(12_345.6);
        }
        for line in render(&wide).lines() {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }

    #[test]
    fn rows_say_what_was_found() {
        let text = render(&full());
        for words in [
            "1 client thread, epoll, kernel stamps",
            "          40    160    480          40    160    480",
            "  bytes:4096!",
            "  bytes:4096          other load on this machine: 0.40 cores busy",
            "  streams       kernel stamps     490 events/s                    at least 78,400 \
             events/s\n",
            "  null:64                 23,456",
        ] {
            assert!(text.contains(words), "no `{words}` in\n{text}");
        }
    }

    #[test]
    fn what_is_missing_is_a_dash() {
        let mut certificate = full();
        for rung in &mut certificate.rungs {
            rung.kernel = None;
            if let Some(errors) = &mut rung.program {
                errors.ttft = None;
            }
        }
        let text = render(&certificate);
        assert!(!text.contains("Error by the kernel's"), "{text}");
        assert!(text.contains("           -      -      -"), "{text}");
    }

    #[test]
    fn times_are_short() {
        let cells = [3.44, 99.7, 1_234.4, 12_345.0, 12_345_678.0].map(short_micros);
        assert_eq!(cells, ["3.4", "100", "1234", "12ms", "12s"]);
    }
}
