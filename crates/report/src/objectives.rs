//! Objectives with tick, cross or question mark, and goodput.

use crate::document::{Entries, Mark, Section};
use crate::number::{JOIN, TimeUnit, interval, rate, share, short_count, significant, spaced};
use infermeter_analysis::{Cell, SloDoubt, SloFigure, SloLine, SloStatus, Summary};

/// One line per objective; none without objectives.
pub(crate) fn section(summary: &Summary) -> Section {
    let mut section = Section::new("Objectives (failures count as misses)");
    let mut lines = Entries::default();
    for line in &summary.slo {
        lines.marked(mark(line.status), &line.objective, measured(line));
    }
    section.push(lines);
    let mut goodput = Entries::default();
    if summary.slo.iter().any(SloLine::lacks_sample) {
        goodput.add("Goodput", "unknown: an objective has no sample");
    }
    if let Some(found) = &summary.goodput {
        let met = format!("{} of the requests meet them all", share(&found.attainment));
        let rate = found
            .requests
            .as_ref()
            .map(|requests| rate(requests, "requests/s"));
        let rate = rate.map_or_else(String::new, |rate| format!("{rate}; "));
        goodput.add("Goodput", rate + &met);
        if found.sound_only {
            goodput.more("only sound answers count: corrupted ones are misses".to_owned());
        }
    }
    section.with(goodput)
}

/// The objectives that are not met, a line each.
pub fn not_met(summary: &Summary) -> Vec<String> {
    let not_met = summary
        .slo
        .iter()
        .filter(|line| line.status != SloStatus::Met);
    not_met
        .map(|line| {
            let how = match line.status {
                SloStatus::Missed => "missed",
                _ => "undecided",
            };
            let said = format!("objective {how}: {}: {}", line.objective, measured(line));
            spaced(&said)
        })
        .collect()
}

fn mark(status: SloStatus) -> Mark {
    match status {
        SloStatus::Met => Mark::Met,
        SloStatus::Missed => Mark::Missed,
        SloStatus::Undecided => Mark::Undecided,
    }
}

fn measured(line: &SloLine) -> String {
    match (&line.cell, line.limit_ms) {
        (Some(cell), Some(_)) => percentile(line, cell),
        _ => figure(line),
    }
}

/// Anything but a percentile of a latency.
fn figure(line: &SloLine) -> String {
    let found = &line.measured;
    let name = line
        .percentile
        .map_or_else(String::new, |p| format!("{p} "));
    let doubt = match found.doubt {
        Some(SloDoubt::NoSample) => return "no sample of this metric".to_owned(),
        Some(SloDoubt::UnknownClass) => return "no class of this name in this run".to_owned(),
        Some(SloDoubt::NoDeadlines) => return "no deadlines: fluidity(500ms/50ms)".to_owned(),
        Some(SloDoubt::NotChecked) => {
            return "not checked: --check-answers, --canaries, --eval or --reference asks for it"
                .to_owned();
        }
        Some(SloDoubt::NothingToMeet) => {
            return "no other objective says what a good request is".to_owned();
        }
        Some(SloDoubt::TooFew { needed }) => {
            let (needed, have) = (short_count(needed), short_count(found.n));
            return format!("undecided: needs {needed} observations (have {have})");
        }
        Some(SloDoubt::Straddles) => "; undecided: the interval holds the limit",
        Some(SloDoubt::OnlyAMissIsCertain) => "; undecided: a maximum can only be missed",
        None if line.straddles => "; interval straddles the limit",
        None => "",
    };
    let value = match found.value {
        Some(value) => name + &in_unit(value, found, &line.metric),
        None => "lies among the failures".to_owned(),
    };
    value + &within(line) + doubt
}

/// What is taken off each value; nothing where the limit does not grow with the prompt.
fn less(line: &SloLine, behind: &str) -> String {
    let less = line.measured.less_per_input_token_ms;
    less.map_or_else(String::new, |ms| {
        format!(
            " (less {} per prompt token){behind}",
            crate::number::time(ms)
        )
    })
}

/// What the requests one by one say; nothing where that is the figure itself.
fn within(line: &SloLine) -> String {
    let Some(attainment) = line.attainment.filter(|_| line.metric != "attainment") else {
        return String::new();
    };
    let within = crate::number::percent(attainment.value);
    let lowest = match line.measured.doubt {
        Some(SloDoubt::OnlyAMissIsCertain) => attainment.low,
        _ => None,
    };
    let lowest = lowest.map(|low| format!(", of all at least {}", crate::number::percent(low)));
    format!(
        "; {within} of the requests within{}",
        lowest.unwrap_or_default()
    )
}

/// A figure with its interval.
fn in_unit(value: f64, found: &SloFigure, metric: &str) -> String {
    let with = |write: &dyn Fn(f64) -> String, unit: &str| {
        let range = interval(found.low.map(write), found.high.map(write));
        format!("{} {range}{unit}", write(value))
    };
    match found.unit.as_ref() {
        "ms" => {
            let unit = TimeUnit::fitting(value.abs());
            with(&|ms| unit.write(ms), &format!("{JOIN}{}", unit.symbol()))
        }
        "1/s" => {
            let unit = match metric {
                "output_throughput" => "tokens/s",
                _ => "requests/s",
            };
            with(&significant, &format!("{JOIN}{unit}"))
        }
        _ => with(&crate::number::percent, ""),
    }
}

/// A percentile of a latency.
fn percentile(line: &SloLine, cell: &Cell) -> String {
    let undecided = line.status == SloStatus::Undecided;
    let name = line.percentile.map_or_else(String::new, |p| p.to_string()) + &less(line, "");
    let mut text = match cell.needed.filter(|_| undecided) {
        Some(needed) => format!(
            "undecided: {name} needs {} observations (have {}), {} holds the limit",
            short_count(needed),
            short_count(cell.n),
            range(cell)
        ),
        None => format!("{name} {}", with_interval(line, cell)),
    };
    if let Some(attainment) = &line.attainment {
        let met = crate::number::percent(attainment.value);
        text += &format!("; {met} of the requests within");
    }
    if line.straddles && !undecided {
        text += "; interval straddles the limit";
    }
    text
}

/// The interval alone, of a percentile that is no figure: `[612, ∞) ms`.
fn range(cell: &Cell) -> String {
    let unit = TimeUnit::fitting(cell.low.or(cell.high).unwrap_or_default().abs());
    let write = |ms: f64| unit.write(ms);
    let bounds = interval(cell.low.map(write), cell.high.map(write));
    format!("{bounds}{JOIN}{}", unit.symbol())
}

/// The percentile in a unit that fits. The sample's own order statistic is shown even where the sample
/// does not support it, if it was decided.
fn with_interval(line: &SloLine, cell: &Cell) -> String {
    let Some(value) = line.judged_ms.or(cell.value) else {
        return "lies among the failures".to_owned();
    };
    let unit = TimeUnit::fitting(value.abs());
    let write = |ms: f64| unit.write(ms);
    let range = interval(cell.low.map(write), cell.high.map(write));
    format!("{} {range}{JOIN}{}", write(value), unit.symbol())
}
