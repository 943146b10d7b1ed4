//! A sweep: the sentence that a report should contain, the levels, two small plots, what the curve says.

mod charts;

use crate::document::{Block, Cell, Column, Document, Entries, Section, Table, Tone};
use crate::number::{JOIN, figure, interval, percent, significant, spaced, span, time};
use crate::over_runs::{RunJudged, over_runs};
use infermeter_analysis::{
    CurveAnswer, FrontierPoint, Highest, KeepsUp, Level, Mean, MiddleAndTail, NoLaw, RateEstimate,
    SloStatus, Sustained, SweepAnswer,
};
use infermeter_core::number::counted;

/// What levels are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Requests per second.
    Rate,
    /// Requests in flight.
    Concurrency,
}

/// What the document needs beside the answer.
#[derive(Debug, Clone)]
pub struct SweepView<'a> {
    /// What was found.
    pub answer: &'a SweepAnswer,
    /// What levels are of.
    pub axis: Axis,
    /// What was varied, as it was written, of each curve; empty where there is one.
    pub names: &'a [String],
    /// Its runs, in the order of measuring.
    pub runs: Vec<RunJudged<'a>>,
}

/// What is told of a sweep.
pub fn of_sweep(view: &SweepView<'_>) -> Document {
    let mut document = Document::titled("Sweep");
    let several = view.answer.curves.len() > 1;
    document.verdict = over_runs(&view.runs);
    // Behind the first answer, since they are of all curves together.
    let charts = charts::charts(view).into_iter();
    let mut charts = Some(charts.fold(Section::new("Charts"), Section::with));
    for curve in &view.answer.curves {
        let name = view.names.get(curve.variant).filter(|_| several);
        let heading = |text: &str| match name {
            Some(name) => format!("{text}: {name}"),
            None => text.to_owned(),
        };
        let said = match name {
            Some(name) => format!("{name}: {}", answer(curve, view.axis)),
            None => answer(curve, view.axis),
        };
        document.answers.push(said);
        document.push(highest_loads(curve, view.axis, &heading("Highest load")));
        if let Some(charts) = charts.take() {
            document.push(charts);
        }
        document.push(levels(curve, view.axis, &heading("Levels")));
        document.push(bends(curve, &heading("What the curve says")));
        document.push(frontiers(curve, &heading("Frontier")));
        if let Some(sustained) = &curve.sustained {
            document.push(sustained_test(sustained, &heading("Sustained test")));
        }
    }
    document
}

impl Axis {
    fn write(self, load: f64) -> String {
        spaced(&match self {
            Self::Rate => format!("{} requests/s", figure(load)),
            Self::Concurrency => format!("concurrency {load}"),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Rate => "requests/s",
            Self::Concurrency => "in flight",
        }
    }
}

/// The sentence for a report: throughput at the highest load that meets the objectives.
pub fn sentence(curve: &CurveAnswer, axis: Axis) -> Option<String> {
    let met = curve.highest.met?;
    let level = curve.levels.iter().find(|level| level.load == met)?;
    let at = match level.output_tokens {
        Some(tokens) => format!("{} tokens/s", figure(tokens.value)),
        None => format!("{} requests/s completed", figure(level.achieved?.value)),
    };
    let objectives: Vec<&str> = level
        .objectives
        .iter()
        .map(|o| o.objective.as_str())
        .collect();
    let under = match objectives.is_empty() {
        true => "held by the server".to_owned(),
        false => format!("at {}", objectives.join(" and ")),
    };
    let runs = counted(level.runs as u64, "run");
    let (level, missed) = (axis.write(met), curve.highest.missed.map(figure));
    Some(spaced(&match curve.estimate {
        RateEstimate::Law { .. } => format!(
            "{at} {under}, {level}, {runs}; highest rate {}",
            estimated(&curve.estimate)?
        ),
        RateEstimate::Bracket { .. } => format!(
            "{at} {under}, {level} {} between levels, {runs}",
            interval(Some(figure(met)), missed)
        ),
    }))
}

/// `21.5 requests/s [20.4, 22.3] by a law fitted to the margins of 9 runs`.
fn estimated(estimate: &RateEstimate) -> Option<String> {
    let RateEstimate::Law { rate, runs } = estimate else {
        return None;
    };
    let bounds = interval(Some(significant(rate.low)), Some(significant(rate.high)));
    let runs = counted(*runs as u64, "run");
    Some(format!(
        "{} requests/s {bounds} by a law fitted to the margins of {runs}",
        significant(rate.rate)
    ))
}

/// What a report should contain, or what is known instead.
fn answer(curve: &CurveAnswer, axis: Axis) -> String {
    sentence(curve, axis).unwrap_or_else(|| nothing_meets(curve, axis))
}

fn highest_loads(curve: &CurveAnswer, axis: Axis, heading: &str) -> Section {
    let mut entries = Entries::default();
    let together = format!("highest {}", axis.name());
    entries.add(&*together, highest(curve.highest, &curve.estimate, axis));
    for objective in &curve.objectives {
        let known = highest(objective.highest, &objective.estimate, axis);
        entries.add(&*objective.objective, known);
    }
    if let Some(best) = &curve.most_goodput {
        let rate = with_interval(best.value, significant);
        entries.add(
            "most goodput",
            spaced(&format!("{rate} requests/s at {}", axis.write(best.load))),
        );
    }
    if !curve.out_of_order.is_empty() {
        let loads: Vec<String> = curve.out_of_order.iter().map(|l| axis.write(*l)).collect();
        entries.add(
            "not monotone",
            format!(
                "{} missed, and a higher level met: load alone does not explain it. Measure these levels \
                 again, with more replicates or longer.",
                loads.join(", ")
            ),
        );
    }
    if !curve.past_saturation.is_empty() {
        let loads: Vec<String> = curve.past_saturation.iter().map(|l| figure(*l)).collect();
        let past = curve
            .overloaded_at
            .map(|load| axis.write(load))
            .unwrap_or_default();
        entries.add(
            "not measured",
            format!(
                "{}: the server cannot take {past} already",
                loads.join(", ")
            ),
        );
    }
    entries.maybe("breaking point", breaking(curve, axis));
    Section::new(heading).with(entries)
}

/// The rate where a law says it; the levels that it lies between, and why there is no law.
fn highest(highest: Highest, estimate: &RateEstimate, axis: Axis) -> String {
    let levels = match (highest.met, highest.missed) {
        (Some(met), Some(missed)) => {
            format!(
                "met at {}, missed at {}",
                axis.write(met),
                axis.write(missed)
            )
        }
        (Some(met), None) => format!("at least {}: no level misses it", axis.write(met)),
        (None, Some(missed)) => format!("below {}: no level meets it", axis.write(missed)),
        (None, None) => "undecided at every level".to_owned(),
    };
    match estimate {
        RateEstimate::Law { .. } => {
            let known = estimated(estimate).unwrap_or_default();
            spaced(&format!("{known}; {levels}"))
        }
        RateEstimate::Bracket {
            why:
                why @ (NoLaw::FewLevels | NoLaw::ShortRuns | NoLaw::NotMonotone | NoLaw::Contradicted),
        } => format!("{levels}; no interval: {}", why.told()),
        RateEstimate::Bracket {
            why: NoLaw::ClosedLoop | NoLaw::NoObjectives | NoLaw::OneSide,
        } => levels,
    }
}

/// The lowest level, and by how much it missed.
fn nothing_meets(curve: &CurveAnswer, axis: Axis) -> String {
    let Some(lowest) = curve.levels.first() else {
        return "No level was measured.".to_owned();
    };
    let missed = lowest
        .objectives
        .iter()
        .filter(|o| o.status == SloStatus::Missed);
    let by: Vec<String> = missed
        .map(|o| match o.judged {
            Some(judged) if o.unit == "ms" => {
                format!("{} by {}", o.objective, time((judged - o.limit).abs()))
            }
            Some(judged) => format!("{}: {}", o.objective, significant(judged)),
            None => o.objective.clone(),
        })
        .collect();
    let by = match by.is_empty() {
        true => String::new(),
        false => format!(", which missed {}", by.join(" and ")),
    };
    spaced(&format!(
        "No level is known to meet the objectives. The lowest was {}{by}.",
        axis.write(lowest.load)
    ))
}

fn breaking(curve: &CurveAnswer, axis: Axis) -> Option<String> {
    let breaking = curve.breaking.as_ref()?;
    let broke = match (breaking.at, breaking.failed) {
        (Some(at), Some(failed)) => format!("{}: {} failed", axis.write(at), percent(failed)),
        _ => "not found: fewer than a tenth of the requests failed at every level".to_owned(),
    };
    let recovery = breaking.recovery.map(|recovery| {
        let runs = counted(recovery.runs as u64, "run");
        let at = axis.write(recovery.load);
        match recovery.recovered {
            true => format!("; recovered within {runs} at {at}"),
            false => format!("; not recovered after {runs} at {at}"),
        }
    });
    Some(broke + &recovery.unwrap_or_default())
}

fn levels(curve: &CurveAnswer, axis: Axis, heading: &str) -> Section {
    let of = |group: &str| ["p50", "p99"].map(|name| Column::right(name).of(group));
    let columns = [of("TTFT"), of("ITL"), of("TPOT"), of("E2E")].concat();
    // First, so that it stands beside the load however wide the table is.
    let columns = [vec![Column::left("")], columns].concat();
    let mut latency = Table::new(axis.name(), columns);
    let names = [
        "achieved",
        "tokens/s",
        "per GPU",
        "per user",
        "goodput",
        "met",
        "failed",
        "in flight",
        "runs",
    ];
    let columns = names.map(Column::right).to_vec();
    let mut rates = Table::new(
        axis.name(),
        [columns, vec![Column::left("verdict")]].concat(),
    );
    for level in &curve.levels {
        let label = figure(level.load);
        latency.row(&*label, latencies(level));
        rates.row(&*label, throughputs(level));
    }
    let section = Section::new(heading).with(latency).with(rates);
    match answers(curve, axis) {
        Some(table) => section.with(table),
        None => section,
    }
}

/// What became of the answers beside their latency; `None` where they were not checked.
fn answers(curve: &CurveAnswer, axis: Axis) -> Option<Table> {
    let checked = curve.levels.iter().any(|level| level.corrupted.is_some());
    let columns = ["TTFT p50", "corrupted", "canaries right"].map(Column::right);
    let mut table = Table::new(axis.name(), columns.to_vec());
    for level in &curve.levels {
        let cells = vec![
            Cell::or_dash(level.ttft.p50.map(|mean| time(mean.value))),
            Cell::or_dash(level.corrupted.map(percent)),
            Cell::or_dash(level.canaries_right.map(percent)),
        ];
        table.row(figure(level.load), cells);
    }
    checked.then_some(table)
}

fn latencies(level: &Level) -> Vec<Cell> {
    let shown = |mean: Option<Mean>, needs: Option<usize>| match (mean, needs) {
        (None, Some(needs)) => Cell::needing(needs),
        (mean, _) => Cell::or_dash(mean.map(|mean| time(mean.value))),
    };
    let pair = |latency: MiddleAndTail| {
        [
            shown(latency.p50, latency.p50_needs),
            shown(latency.p99, latency.p99_needs),
        ]
    };
    let all = [level.ttft, level.itl, level.tpot, level.e2e].map(pair);
    let status = Cell::of(status(level));
    std::iter::once(status)
        .chain(all.into_iter().flatten())
        .collect()
}

/// Whether the objectives are met, and whether the load is more than the server can take.
fn status(level: &Level) -> String {
    let mark = match level.status {
        SloStatus::Met => "✓ met",
        SloStatus::Missed => "✗ missed",
        SloStatus::Undecided => "? undecided",
    };
    let holds = match (level.overloaded, level.keeps_up) {
        (true, _) => ", overloaded",
        (false, Some(KeepsUp::Undecided)) => ", stability undecided",
        (false, _) => "",
    };
    format!("{mark}{holds}")
}

fn throughputs(level: &Level) -> Vec<Cell> {
    let of = |mean: Option<Mean>| Cell::or_dash(mean.map(|mean| significant(mean.value)));
    let share = |share: Option<f64>| Cell::or_dash(share.map(percent));
    vec![
        of(level.achieved),
        of(level.output_tokens),
        of(level.output_tokens_per_gpu),
        of(level.per_user),
        of(level.goodput),
        share(level.attainment.map(|mean| mean.value)),
        share(level.failed),
        of(level.in_flight),
        Cell::of(level.runs.to_string()),
        Cell::of(level.verdict.as_str()),
    ]
}

fn bends(curve: &CurveAnswer, heading: &str) -> Section {
    let mut entries = Entries::default();
    if let Some(knee) = &curve.knee {
        let range = interval(knee.low.map(figure), knee.high.map(figure));
        entries.add(
            "knee",
            format!(
                "{} {range} of {} (Kneedle; descriptive)",
                figure(knee.load),
                knee.of
            ),
        );
    }
    if let Some(law) = &curve.scalability {
        let limit = law.limit.map_or_else(
            || "no limit in sight".to_owned(),
            |limit| format!("limit {} requests/s", with_interval(limit, significant)),
        );
        let peak = law
            .peak_in_flight
            .map(|n| format!(" at {} in flight", figure(n)));
        entries.add(
            "USL",
            spaced(&format!(
                "{limit}{}; contention {}, coherence {} (on mean in flight; descriptive)",
                peak.unwrap_or_default(),
                significant(law.contention),
                significant(law.coherence)
            )),
        );
    }
    Section::new(heading).with(entries)
}

fn frontiers(curve: &CurveAnswer, heading: &str) -> Section {
    let mut section = Section::new(heading);
    let mut add = |points: &[FrontierPoint], names: [&str; 2], write: fn(f64) -> String| {
        let columns = names.map(Column::right);
        let mut table = Table::new("load", [columns.to_vec(), vec![Column::left("")]].concat());
        for point in points {
            table.row(
                figure(point.load),
                vec![
                    ranged(point.throughput, significant),
                    ranged(point.other, write),
                    Cell::of(if point.uncertain {
                        "not sure: another level is as good within its error"
                    } else {
                        ""
                    }),
                ],
            );
        }
        section.push(table);
    };
    add(&curve.throughput_and_tail, ["throughput", "TTFT p99"], time);
    add(
        &curve.gpu_and_user,
        ["tokens/s/GPU", "tokens/s/user"],
        significant,
    );
    section
}

fn ranged(mean: Mean, write: fn(f64) -> String) -> Cell {
    Cell {
        interval: Some(interval(mean.low.map(write), mean.high.map(write))),
        ..Cell::of(write(mean.value))
    }
}

fn with_interval(mean: Mean, write: fn(f64) -> String) -> String {
    format!(
        "{} {}",
        write(mean.value),
        interval(mean.low.map(write), mean.high.map(write))
    )
}

fn sustained_test(sustained: &Sustained, heading: &str) -> Section {
    let level = &sustained.level;
    let mut section = Section::new(heading);
    let runs = counted(level.runs as u64, "run");
    section.push(Block::Text(
        Tone::Plain,
        spaced(&format!(
            "{runs} of {} at {} requests/s: {}",
            span(sustained.length.as_seconds()),
            figure(sustained.rate),
            status(level)
        )),
    ));
    let mut entries = Entries::default();
    let names = [
        "ttft.p50",
        "ttft.p99",
        "tpot.p50",
        "e2e.p50",
        "output_tokens_per_s",
    ];
    for name in names {
        let over = sustained
            .repeated
            .figure(name)
            .and_then(|f| Some((f.over.as_ref()?, &f.unit)));
        if let Some((over, unit)) = over {
            let write = |value: f64| match unit.as_ref() {
                "ms" => time(value),
                _ => significant(value),
            };
            let cv = over
                .cv
                .map(|cv| format!("; CV between runs {}{JOIN}%", significant(cv * 100.0)));
            entries.add(
                name,
                format!(
                    "{} {}{}",
                    write(over.mean.value),
                    interval(over.mean.low.map(write), over.mean.high.map(write)),
                    cv.unwrap_or_default()
                ),
            );
        }
    }
    let drifting: Vec<String> = sustained.drifting.iter().map(ToString::to_string).collect();
    entries.add(
        "drift",
        match drifting.is_empty() {
            true => "none found".to_owned(),
            false => format!(
                "run {}: it was not steady, or slowed down",
                drifting.join(", ")
            ),
        },
    );
    section.push(entries);
    section
}

/// The loads of all curves, ascending.
fn loads(curves: &[CurveAnswer]) -> Vec<f64> {
    let levels = curves.iter().flat_map(|curve| &curve.levels);
    let mut loads: Vec<f64> = levels.map(|level| level.load).collect();
    loads.sort_by(f64::total_cmp);
    loads.dedup();
    loads
}

/// TTFT p99, or p50 where the level does not support it.
fn tail(level: &Level) -> Option<Mean> {
    level.ttft.p99.or(level.ttft.p50)
}
