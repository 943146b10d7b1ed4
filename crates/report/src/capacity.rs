//! A capacity plan: what the load needs, what it costs, what a simulated fleet says, and what was not covered.

mod charts;

use crate::document::{Block, Cell, Column, Document, Entries, Grade, Item, Section, Table, Tone};
use crate::missing;
use crate::number::{JOIN, figure, interval, money, percent, plus, significant, spaced};
use infermeter_analysis::capacity::{
    Backtest, Balancing, Capacity, Cost, Day, EngineFit, FitUse, FleetSize, InstanceRate, Level,
    LimitedBy, Need, ObjectiveAt, Predicted, Sizing,
};
use infermeter_analysis::{RateEstimate, SloStatus};
use infermeter_core::number::{count, counted};

/// Hours that a table shows.
const HOURS_SHOWN: usize = 48;

/// What is told of a capacity plan.
pub fn of_capacity(capacity: &Capacity) -> Document {
    let mut document =
        Document::titled(format!("Capacity under {}", capacity.objectives.join(", ")));
    document.answers = answers(capacity);
    document.push(answer(capacity));
    document.push(needs(capacity));
    document.push(costs(capacity));
    document.push(energy(capacity));
    let charts = charts::by_rate(capacity).into_iter();
    document.push(charts.fold(Section::new("By rate"), Section::with));
    document.sections.extend(capacity.day.as_ref().map(day));
    document.push(levels(&capacity.levels));
    if let Some(engine) = &capacity.engine {
        document.push(fleet(engine));
    }
    let items = capacity.not_covered.iter().map(|text| Item {
        text: text.clone(),
        ..Item::default()
    });
    document.push(Section::new("Not covered").with(Block::Items(items.collect())));
    document
}

/// What each load needs, in a sentence.
fn answers(capacity: &Capacity) -> Vec<String> {
    if capacity.instance.is_none() {
        let none = "No level meets the objectives, so no instance can be counted.";
        return vec![none.to_owned()];
    }
    let sizings = capacity.sizings.iter();
    let of_load = sizings.map(|sizing| {
        let headroom = match capacity.asked.headroom > 0.0 {
            true => format!(" with {} headroom", percent(capacity.asked.headroom)),
            false => String::new(),
        };
        format!(
            "{}{JOIN}requests/s{headroom} need {}",
            figure(sizing.load),
            needed(&sizing.need)
        )
    });
    of_load.collect()
}

fn answer(capacity: &Capacity) -> Section {
    let mut lines = Entries::default();
    lines.add("Objectives", capacity.objectives.join(", "));
    match &capacity.instance {
        Some(instance) => lines.add("One instance", of_instance(instance)),
        None => lines.add(
            "One instance",
            "no level meets the objectives, so nothing can be counted",
        ),
    }
    for sizing in &capacity.sizings {
        lines.add(
            format!("{} requests/s", figure(sizing.target_rate)),
            needed(&sizing.bare),
        );
        if capacity.asked.growth != 1.0 {
            let times = format!("with growth of {}", figure(capacity.asked.growth));
            lines.more(format!("{times}: {} requests/s", figure(sizing.load)));
        }
        if capacity.asked.headroom > 0.0 {
            let headroom = percent(capacity.asked.headroom);
            lines.more(format!(
                "with {headroom} headroom: {}",
                needed(&sizing.need)
            ));
        }
        lines.more(format!("with one to spare: {}", needed(&sizing.spare)));
    }
    lines.maybe(
        "At full use",
        capacity.output_tokens_per_money.map(|tokens| {
            format!(
                "{} output tokens per $ at the highest rate under the objectives",
                significant(tokens)
            )
        }),
    );
    Section::new("").with(lines)
}

fn of_instance(instance: &InstanceRate) -> String {
    let bounds = interval(instance.low.map(figure), instance.high.map(figure));
    let rate = format!("{}{JOIN}requests/s {bounds}", figure(instance.rate));
    match instance.estimate {
        RateEstimate::Law { runs, .. } => format!(
            "{rate}, by a law fitted to the margins of {}",
            counted(runs as u64, "run")
        ),
        RateEstimate::Bracket { why } => format!(
            "{rate}: from the highest level that surely meets the objectives to the lowest that misses them; {}",
            why.told()
        ),
    }
}

/// `5 instances, or 6 at 95 % confidence: 40 GPUs, or 48`.
fn needed(need: &Need) -> String {
    let other = |at_low: Option<u64>, n: u64| at_low.filter(|low| *low != n);
    let low = other(need.instances_at_low, need.instances);
    let sure = match (need.instances_at_low, low) {
        (_, Some(low)) => format!(", or {} at 95{JOIN}% confidence", count(low)),
        (Some(_), None) => String::new(),
        (None, None) => "; not known at 95\u{a0}% confidence".to_owned(),
    };
    let gpus = need.gpus.map_or_else(String::new, |gpus| {
        let more = low
            .and(need.gpus_at_low)
            .map(|low| format!(", or {}", count(low)));
        format!(": {}{}", counted(gpus, "GPU"), more.unwrap_or_default())
    });
    format!("{}{sure}{gpus}", counted(need.instances, "instance"))
}

fn needs(capacity: &Capacity) -> Section {
    let simulated = capacity
        .sizings
        .iter()
        .any(|sizing| !sizing.simulated.is_empty());
    let mut names = vec![
        "load",
        "planned",
        "instances",
        "at 95 %",
        "N+1",
        "GPUs",
        "each",
        "used",
    ];
    if simulated {
        names.extend(["round robin", "least loaded"]);
    }
    let columns = names.into_iter().map(Column::right).collect();
    let mut table = Table::new("requests/s", columns);
    for sizing in &capacity.sizings {
        let mut cells = vec![
            Cell::of(figure(sizing.load)),
            Cell::of(figure(sizing.planned)),
            Cell::of(count(sizing.need.instances)),
            Cell::or_dash(sizing.need.instances_at_low.map(count)),
            Cell::of(count(sizing.spare.instances)),
            Cell::or_dash(sizing.need.gpus.map(count)),
            Cell::of(figure(sizing.per_instance)),
            Cell::of(percent(sizing.utilisation)),
        ];
        if simulated {
            cells.extend(
                [Balancing::RoundRobin, Balancing::LeastLoaded].map(|how| sized(sizing, how)),
            );
        }
        table.row(figure(sizing.target_rate), cells);
    }
    let aside = match simulated {
        true => {
            "Round robin and least loaded: instances that a simulated fleet needs for the planned rate."
        }
        false => "",
    };
    Section::new("What the load needs")
        .with(table)
        .with(Block::Text(Tone::Aside, aside.to_owned()))
}

fn sized(sizing: &Sizing, how: Balancing) -> Cell {
    let Some(size) = sizing.simulated.iter().find(|size| size.balancing == how) else {
        return Cell::noted("-");
    };
    match (size.instances, most_tried(size)) {
        (Some(instances), _) => Cell::of(count(instances)),
        (None, Some(most)) => Cell::noted(format!("over {}", count(most))),
        (None, None) => Cell::noted("-"),
    }
}

fn most_tried(size: &FleetSize) -> Option<u64> {
    size.trials.iter().map(|trial| trial.instances).max()
}

fn costs(capacity: &Capacity) -> Section {
    let names = [
        "hour",
        "hour, N+1",
        "request",
        "M input",
        "M output",
        "M good output",
    ];
    let mut table = Table::new(
        "requests/s",
        names.map(|name| Column::right(name).of("$ per")).to_vec(),
    );
    for sizing in &capacity.sizings {
        if let Some(cost) = &sizing.cost {
            table.row(figure(sizing.target_rate), cost_cells(cost));
        }
    }
    let missing = match (
        capacity.sizings.is_empty(),
        capacity.asked.gpu_hour,
        capacity.asked.gpus_per_instance,
    ) {
        (false, None, _) => "No cost without the price of an accelerator: --gpu-hour.",
        (false, Some(_), None) => {
            "No cost without the accelerators of an instance: --gpus-per-instance."
        }
        _ => "",
    };
    Section::new("What it costs")
        .with(table)
        .with(Block::Text(Tone::Aside, missing.to_owned()))
}

/// What the GPUs draw; empty where no level knows its power.
fn energy(capacity: &Capacity) -> Section {
    let columns = [
        "W per instance",
        "W of the fleet",
        "kWh per day",
        "$ per day",
        "at level",
    ];
    let mut table = Table::new("requests/s", columns.map(Column::right).to_vec());
    for sizing in &capacity.sizings {
        if let Some(energy) = &sizing.energy {
            let cells = vec![
                Cell::of(significant(energy.instance_w)),
                Cell::of(significant(energy.fleet_w)),
                Cell::of(significant(energy.kwh_per_day)),
                Cell::or_dash(energy.cost_per_day.map(money)),
                Cell::of(format!("{}/s", figure(energy.at_level))),
            ];
            table.row(figure(sizing.target_rate), cells);
        }
    }
    let section = Section::new("What its GPUs draw");
    if table.rows.is_empty() {
        return section;
    }
    let said = "Mean power of the boards at the lowest level whose rate is not below that of an instance: at least what \
                an instance draws at its own. CPUs, fans and power supplies are not in it.";
    section
        .with(table)
        .with(Block::Text(Tone::Aside, said.to_owned()))
}

fn cost_cells(cost: &Cost) -> Vec<Cell> {
    vec![
        Cell::of(money(cost.hour)),
        Cell::of(money(cost.hour_with_spare)),
        Cell::of(money(cost.request)),
        Cell::or_dash(cost.million_input.map(money)),
        Cell::or_dash(cost.million_output.map(money)),
        Cell::or_dash(cost.million_good.map(money)),
    ]
}

fn day(day: &Day) -> Section {
    let mut lines = Entries::default();
    let hours = day.hours.len() as u64;
    let per_day = day.instance_hours_per_day;
    lines.add(
        "Instance-hours",
        match per_day.filter(|per_day| *per_day != day.instance_hours) {
            Some(per_day) => format!(
                "{} per day, {} in {}",
                figure(per_day),
                figure(day.instance_hours),
                counted(hours, "hour")
            ),
            None => format!(
                "{} in {}",
                figure(day.instance_hours),
                counted(hours, "hour")
            ),
        },
    );
    lines.more(format!(
        "{} where the {} of the busiest hour stay",
        figure(day.instance_hours_at_peak),
        counted(day.peak_instances, "instance")
    ));
    if let Some((cost, at_peak)) = day.cost.zip(day.cost_at_peak) {
        lines.add(
            "Cost",
            format!("${}, or ${} where they stay", money(cost), money(at_peak)),
        );
    }
    let names = ["mean", "peak", "instances", "at 95 %"];
    let mut table = Table::new("hour", names.map(Column::right).to_vec());
    for (number, hour) in day.hours.iter().enumerate().take(HOURS_SHOWN) {
        let cells = vec![
            Cell::of(significant(hour.load.mean)),
            Cell::of(significant(hour.load.peak)),
            Cell::of(count(hour.instances)),
            Cell::or_dash(hour.instances_at_low.map(count)),
        ];
        table.row(number.to_string(), cells);
    }
    let hidden = day.hours.len().saturating_sub(HOURS_SHOWN) as u64;
    let more = match (hidden, day.left_out) {
        (0, 0) => String::new(),
        (hidden, 0) => format!("{} more in the JSON.", counted(hidden, "hour")),
        (_, left_out) => format!(
            "{} at the end were left out.",
            counted(left_out as u64, "hour")
        ),
    };
    let [needed, load] = charts::by_hour(day);
    Section::new("Hour by hour (peak: the busiest five minutes)")
        .with(lines)
        .with(needed)
        .with(load)
        .with(table)
        .with(Block::Text(Tone::Aside, more))
}

fn levels(levels: &[Level]) -> Section {
    let mut columns = vec![
        Column::right("runs"),
        Column::right("requests"),
        Column::left("objectives"),
        Column::right("meet all"),
    ];
    let first = levels
        .first()
        .map_or(&[][..], |level| &level.objectives[..]);
    let each = first.len() / levels.first().map_or(1, |level| level.runs.max(1));
    columns.extend(first[..each].iter().map(|at| Column::right(measure(at))));
    let mut table = Table::new("requests/s", columns);
    for level in levels {
        let mut cells = vec![
            Cell::of(level.runs.to_string()),
            Cell::of(count(level.requests)),
            Cell::of(said(level)),
            Cell::or_dash(level.attainment.map(percent)),
        ];
        // The objectives of the first run: those of the others are in the JSON.
        cells.extend(level.objectives.iter().take(each).map(judged));
        table.row(figure(level.rate), cells);
    }
    Section::new("What was measured").with(table)
}

/// An objective without its limit.
fn measure(at: &ObjectiveAt) -> String {
    let end = at.objective.rfind(['<', '>']).unwrap_or(at.objective.len());
    at.objective[..end].to_owned()
}

fn said(level: &Level) -> &'static str {
    match (level.status, level.sure) {
        (SloStatus::Met, true) => "met",
        (SloStatus::Met, false) => "met, not surely",
        (SloStatus::Missed, true) => "missed",
        (SloStatus::Missed, false) => "missed, not surely",
        (SloStatus::Undecided, _) => "undecided",
    }
}

fn judged(at: &ObjectiveAt) -> Cell {
    match (at.measured, at.without) {
        (None, Some(why)) => missing::cell(why),
        (measured, _) => Cell::or_dash(measured.map(|value| match at.unit.as_ref() {
            "" => percent(value),
            unit => format!("{}{JOIN}{unit}", significant(value)),
        })),
    }
}

fn fleet(engine: &FitUse) -> Section {
    let mut lines = Entries::default();
    let (fit, backtest) = match engine {
        FitUse::Yes { fit, backtest } => {
            lines.add("Used", "yes: it predicts the level that it had not seen");
            (Some(fit), Some(backtest))
        }
        FitUse::No { why, fit, backtest } => {
            lines.add("Used", format!("no: {why}"));
            (fit.as_ref(), backtest.as_ref())
        }
    };
    if let Some(fit) = fit {
        law(&mut lines, fit);
    }
    let section = Section::new("Simulated fleet: the engine model").with(lines);
    match backtest {
        Some(backtest) => section.with(tried(backtest)),
        None => section,
    }
}

fn law(lines: &mut Entries, fit: &EngineFit) {
    lines.add(
        "A step",
        format!(
            "{}{JOIN}ms + {}{JOIN}µs per sequence + {}{JOIN}ns per token in the KV cache + {}{JOIN}µs per prompt token",
            significant(fit.base_ms),
            significant(fit.per_sequence_us),
            significant(fit.per_kv_token_ns),
            significant(fit.per_prompt_token_us)
        ),
    );
    lines.add("Spread of steps", percent(fit.jitter));
    lines.add(
        "Before the first token",
        format!("{}{JOIN}ms beside the engine", significant(fit.delay_ms)),
    );
    let most = counted(u64::from(fit.most_sequences), "sequence");
    let limit = match fit.limit {
        LimitedBy::Nothing => format!("none reached: up to {most} at once"),
        LimitedBy::Slots(slots) => format!("{} slots", count(u64::from(slots))),
        LimitedBy::KvTokens(tokens) => format!("{} tokens in the KV cache", count(tokens)),
    };
    lines.add("Limit", limit);
    let rates: Vec<String> = fit.rates.iter().map(|rate| figure(*rate)).collect();
    let steps = counted(fit.steps as u64, "gap");
    lines.add(
        "Fitted to",
        format!("{steps} between tokens, at {} requests/s", rates.join(", ")),
    );
}

fn tried(backtest: &Backtest) -> Table {
    let corner = spaced(&format!("held out: {} requests/s", figure(backtest.rate)));
    let mut columns = vec![Column::left("measured")];
    columns.extend(["predicted", "error", "in interval"].map(Column::right));
    let mut table = Table::new(corner, columns);
    for figure in &backtest.figures {
        table.row(
            format!("{} {}", figure.name, figure.unit).trim_end(),
            prediction(figure),
        );
    }
    table
}

fn prediction(figure: &Predicted) -> Vec<Cell> {
    let write = |value: f64| match figure.unit {
        "" => percent(value),
        _ => significant(value),
    };
    let measured = Cell {
        interval: Some(interval(figure.low.map(write), figure.high.map(write))),
        grade: Grade::Full,
        ..Cell::of(write(figure.measured))
    };
    let error = figure.error() * 100.0;
    let unit = match figure.unit {
        "" => "points",
        _ => "%",
    };
    vec![
        measured,
        Cell::of(write(figure.predicted)),
        Cell::of(format!("{}{JOIN}{unit}", plus(error, &significant(error)))),
        Cell::of(if figure.is_covered() { "yes" } else { "no" }),
    ]
}
