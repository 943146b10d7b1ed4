//! What is told of starts: each instant over all of them, the phases of their logs, what came behind an idle time.
//!
//! Invariant: a figure stands with how many starts have it, and its interval with what that covers.

mod charts;

use crate::document::{Block, Cell, Column, Document, Entries, Judgement, Section, Table, Tone};
use crate::number::{figure, interval, percent, time};
use infermeter_analysis::cold_start::{
    AfterIdleFigures, ColdFigure, ColdInstant, ColdRepeat, ColdStart, InstantFigure,
};
use infermeter_core::number::counted;

/// What was asked, as far as a document tells it.
#[derive(Debug, Clone, Copy)]
pub struct ColdStartView<'a> {
    /// What the starts say.
    pub whole: &'a ColdStart,
    /// The server.
    pub target: &'a str,
    /// The command that serves; absent of a server that is there already.
    pub serve: Option<&'a str>,
    /// The state of caches that was asked for.
    pub cache: Option<&'a str>,
    /// Words on the light load.
    pub load: &'a str,
}

/// What is told of starts.
pub fn of_cold_start(view: &ColdStartView<'_>) -> Document {
    let whole = view.whole;
    let mut document = Document::titled(format!("Cold starts of {}", view.target));
    document.answers = vec![cold_start_line(whole)];
    document.verdict = Some(Judgement::of(whole.verdict, &whole.findings));
    if !whole.instants.is_empty() {
        let origin = "Since the start of the command";
        let section = Section::new(origin)
            .with(instants_table(&whole.instants))
            .with(Block::Text(Tone::Aside, covers(&whole.instants)));
        document.push(section);
    }
    document.push(phases(whole));
    if let Some(idle) = &whole.after_idle {
        document.push(after_idle(whole, idle));
    }
    document.push(Section::new("Starts").with(starts_table(whole)));
    document.push(setup(view));
    let section = Section::new("Charts");
    document.push(
        charts::charts(whole)
            .into_iter()
            .fold(section, Section::with),
    );
    document
}

/// All starts in a line.
pub fn cold_start_line(whole: &ColdStart) -> String {
    let of = |instant: ColdInstant| {
        let found = whole
            .instants
            .iter()
            .find(|figure| figure.instant == instant);
        found.map(|found| &found.figure)
    };
    let starts = counted(whole.starts, "start");
    let Some(answer) = of(ColdInstant::FirstAnswer) else {
        return match &whole.after_idle {
            Some(idle) => idle_line(idle),
            None => format!("None of {starts} got to its end"),
        };
    };
    let steady = of(ColdInstant::SteadySpeed).map_or_else(
        || ", and never at steady speed".to_owned(),
        |steady| format!(", at steady speed after {}", time(steady.median_ms)),
    );
    format!(
        "First answer {} after the start ({} to {} over {}){steady}",
        time(answer.median_ms),
        time(answer.min_ms),
        time(answer.max_ms),
        counted(answer.n, "start")
    )
}

fn idle_line(idle: &AfterIdleFigures) -> String {
    let first = |instant: ColdInstant| idle.instants.iter().find(|f| f.instant == instant);
    let Some(token) = first(ColdInstant::FirstToken) else {
        return "No answer behind an idle time".to_owned();
    };
    let times = idle.times_busy.map_or_else(String::new, |times| {
        format!(", {} times that of the busy server", figure(times))
    });
    format!(
        "First token {} after an idle time ({} to {} over {}){times}",
        time(token.figure.median_ms),
        time(token.figure.min_ms),
        time(token.figure.max_ms),
        counted(token.figure.n, "time")
    )
}

/// What is said of a start that has ended, in a line.
pub fn cold_repeat_line(repeat: &ColdRepeat) -> String {
    let at = |instant: ColdInstant| {
        let at = repeat.at(instant)?;
        Some(format!("{} {}", instant.label(), time(at.at_ms)))
    };
    let mut parts: Vec<String> = ColdInstant::ALL.into_iter().filter_map(at).collect();
    if let Some(idle) = &repeat.after_idle
        && let Some(ms) = idle.first_ttft_ms
    {
        parts.push(format!(
            "first token behind {} idle {}",
            idle.idle,
            time(ms)
        ));
    }
    if let Some(failed) = &repeat.failed {
        parts.push(format!("FAILED: {failed}"));
    } else if let Some(why) = &repeat.steadied.why_not
        && repeat.steadied.reached().is_none()
    {
        parts.push(format!("not steady: {why}"));
    }
    let name = match repeat.number {
        0 => "Start that warms up".to_owned(),
        number => format!("Start {number}"),
    };
    format!("{name}: {}", parts.join(", "))
}

fn instants_table(instants: &[InstantFigure]) -> Table {
    let mut table = Table::new("", columns());
    for instant in instants {
        table.row(instant.instant.label(), cells(Some(&instant.figure)));
    }
    table
}

fn columns() -> Vec<Column> {
    let names = ["median", "interval", "min", "max", "starts"];
    names.map(Column::right).into_iter().collect()
}

fn cells(figure: Option<&ColdFigure>) -> Vec<Cell> {
    let Some(figure) = figure else {
        return vec![Cell::noted("-"); 5];
    };
    let bounds = figure.low_ms.zip(figure.high_ms);
    let bounds = bounds.map(|(low, high)| interval(Some(time(low)), Some(time(high))));
    vec![
        Cell::of(time(figure.median_ms)),
        Cell::or_dash(bounds),
        Cell::of(time(figure.min_ms)),
        Cell::of(time(figure.max_ms)),
        Cell::of(figure.n.to_string()),
    ]
}

/// What the intervals cover.
fn covers(instants: &[InstantFigure]) -> String {
    let coverage = instants
        .iter()
        .filter_map(|instant| instant.figure.coverage);
    let least = coverage.fold(None, |least: Option<f64>, one| {
        Some(least.map_or(one, |least| least.min(one)))
    });
    match least {
        None => "One start has no interval: give --repeat.".to_owned(),
        Some(least) => format!(
            "An interval is one of the median over starts, by order statistics; it covers with {}.",
            percent(least)
        ),
    }
}

fn phases(whole: &ColdStart) -> Section {
    let mut table = Table::new("", {
        let mut columns = columns();
        columns.push(Column::left("form"));
        columns
    });
    for phase in &whole.phases {
        let mut cells = cells(phase.figure.as_ref());
        cells.push(Cell::of(&phase.engine));
        table.row(&phase.phase, cells);
    }
    Section::new("Phases, by the server's log").with(table)
}

fn after_idle(whole: &ColdStart, idle: &AfterIdleFigures) -> Section {
    let mut entries = Entries::default();
    let spans = whole.repeats.iter().filter_map(|r| r.after_idle.as_ref());
    let mut spans: Vec<String> = spans.map(|idle| idle.idle.to_string()).collect();
    spans.dedup();
    entries.add("idle", spans.join(", "));
    entries.maybe(
        "first token",
        idle.times_busy.map(|times| {
            format!(
                "{} times the median of the busy server before",
                figure(times)
            )
        }),
    );
    if idle.compared > 0 {
        let said = format!(
            "in {} of {}",
            idle.slower_than_all,
            counted(idle.compared, "start")
        );
        entries.add("slower than every busy answer", said);
    }
    Section::new("Behind an idle time, since the first request was sent")
        .with(instants_table(&idle.instants))
        .with(entries)
}

fn starts_table(whole: &ColdStart) -> Table {
    let shown: Vec<ColdInstant> = ColdInstant::ALL
        .into_iter()
        .filter(|instant| whole.repeats.iter().any(|r| r.at(*instant).is_some()))
        .collect();
    let mut columns: Vec<Column> = shown.iter().map(|i| Column::right(i.label())).collect();
    columns.push(Column::right("answers"));
    columns.push(Column::left("end"));
    let mut table = Table::new("start", columns);
    for repeat in &whole.repeats {
        let at =
            |instant: &ColdInstant| Cell::or_dash(repeat.at(*instant).map(|at| time(at.at_ms)));
        let mut cells: Vec<Cell> = shown.iter().map(at).collect();
        cells.push(Cell::of(repeat.answers.len().to_string()));
        cells.push(match &repeat.failed {
            Some(_) => Cell::noted("failed"),
            None => Cell::of("whole"),
        });
        let label = match repeat.number {
            0 => "0 (warms up)".to_owned(),
            number => number.to_string(),
        };
        table.row(label, cells);
    }
    table
}

fn setup(view: &ColdStartView<'_>) -> Section {
    let mut entries = Entries::default();
    entries.maybe("command", view.serve.map(str::to_owned));
    entries.add("load", view.load);
    let asked = view.cache.unwrap_or("nothing asked for");
    entries.add("caches", asked);
    let counted = view.whole.repeats.iter().find(|repeat| repeat.is_counted());
    for said in counted.iter().flat_map(|repeat| &repeat.caches) {
        entries.more(said.as_str());
    }
    let stopped = counted.and_then(|repeat| repeat.stopped.clone());
    entries.maybe("stopped", stopped);
    entries.maybe("model", counted.and_then(|repeat| repeat.model.clone()));
    for repeat in &view.whole.repeats {
        if let Some(failed) = &repeat.failed {
            entries.all(
                format!("start {} failed", repeat.number),
                failed.lines().map(str::to_owned),
            );
        }
    }
    Section::new("Set-up").with(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Format, Screen};
    use infermeter_analysis::cold_start::{
        COLD_START_VERSION, ColdAnswer, ColdPhase, PhaseSource, ReachedAt, Steadied, SteadyLevel,
    };

    fn start(number: u32, by_ms: f64) -> ColdRepeat {
        let reached = ColdInstant::ALL.into_iter().zip(1..);
        let reached = reached.map(|(instant, nth)| ReachedAt {
            instant,
            at_ms: by_ms * f64::from(nth),
            earliest_ms: None,
            latest_ms: None,
        });
        ColdRepeat {
            format_version: COLD_START_VERSION,
            number,
            begun_ns: 0,
            caches: vec!["page cache: dropped".to_owned()],
            enforced: true,
            reached: reached.collect(),
            phases: vec![ColdPhase {
                phase: "weights".to_owned(),
                engine: "vLLM".to_owned(),
                began_ms: None,
                ended_ms: 900.0,
                took_ms: Some(800.0),
                source: PhaseSource::OwnFigure,
            }],
            refused: 0,
            steadied: Steadied {
                ttft: Some(SteadyLevel {
                    median: 10.0,
                    answers: 30,
                    first: 20.0,
                    since_ms: by_ms * 6.0,
                    earliest_ms: None,
                    latest_ms: None,
                }),
                ..Steadied::default()
            },
            after_idle: None,
            answers: vec![ColdAnswer {
                sent_ms: 1.0,
                first_byte_ms: 2.0,
                first_token_ms: Some(3.0),
                end_ms: 4.0,
                output_tokens: Some(3),
            }],
            model: Some("llama".to_owned()),
            failed: None,
            stopped: Some("by SIGTERM".to_owned()),
            log_lines: Some(9),
            log_bytes_lost: 0,
        }
    }

    #[test]
    fn starts_are_told_with_their_instants_and_phases() {
        let mut failed = start(3, 1.0);
        failed.reached.clear();
        failed.answers.clear();
        failed.failed = Some("it ended\n  no GPU".to_owned());
        let whole = ColdStart::of(vec![start(1, 1_000.0), start(2, 1_200.0), failed]);
        let view = ColdStartView {
            whole: &whole,
            target: "http://localhost:8000",
            serve: Some("vllm serve x"),
            cache: Some("cold"),
            load: "one request at a time",
        };
        let line = cold_start_line(&whole);
        assert!(line.starts_with("First answer 5.5"), "{line}");
        let text = Format::Terminal.render(&of_cold_start(&view), Screen::default());
        for said in [
            "port open",
            "steady speed",
            "weights",
            "vLLM",
            "no GPU",
            "covers with 50",
            "start-failed",
        ] {
            assert!(text.contains(said), "no `{said}` in {text}");
        }
        let page = Format::Html.render(&of_cold_start(&view), Screen::default());
        assert!(page.contains("cold-instants") && page.contains("cold-ttft"));
        assert!(cold_repeat_line(&whole.repeats[2]).contains("FAILED"));
    }
}
