//! The response to steps of the rate: time until the objectives hold again, the worst meanwhile, replicas.
//!
//! Decides nothing. Invariant: a step without a time says why it has none.

use crate::document::{Block, Cell, Column, Entries, Grade, Section, Table, Tone};
use crate::number::{JOIN, figure, interval, percent, plus_minus, share, significant, span, time};
use infermeter_analysis::{
    CellGrade, Measured, ReplicaFigures, Share, StepEnd, StepObjective, StepReplicas, StepResponse,
    StepsSummary, Summary,
};
use infermeter_core::number::{count, counted};
use infermeter_core::text::inert;

/// The section; empty where the rate has no steps.
pub(crate) fn section(summary: &Summary) -> Section {
    let section = Section::new("Steps of the rate");
    let Some(steps) = &summary.steps else {
        return section;
    };
    let section = section.with(lines(steps)).with(table(steps));
    section.with(Block::Text(Tone::Aside, legend(steps)))
}

fn lines(steps: &StepsSummary) -> Entries {
    let mut entries = Entries::default();
    let of = |o: &StepObjective| format!("{} ({} of the requests)", o.objective, percent(o.share));
    let objectives: Vec<String> = steps.objectives.iter().map(of).collect();
    entries.add(
        "Objectives",
        match objectives.is_empty() {
            true => {
                "none that says something of a request: give --slo, as in ttft.p99<500ms".to_owned()
            }
            false => objectives.join(", "),
        },
    );
    let left_out = steps.not_counted.join(", ");
    entries.maybe("Not counted", (!left_out.is_empty()).then_some(left_out));
    entries.maybe("Replicas", steps.replicas.as_ref().map(replicas));
    let held = steps
        .replicas
        .as_ref()
        .and_then(|read| read.replica_seconds);
    let merit = steps.attainment.zip(held);
    entries.maybe(
        "Figure of merit",
        merit.map(|(met, held)| {
            format!(
                "{} of the requests met the objectives at {}",
                share(&met),
                replica_seconds(held)
            )
        }),
    );
    entries
}

fn replica_seconds(held: Measured) -> String {
    let error = plus_minus(Some(significant(held.error)));
    format!("{}{error} replica-seconds", significant(held.value))
}

fn replicas(read: &ReplicaFigures) -> String {
    let source = inert(&read.source, 120);
    let Some(((least, most), mean)) = read.least.zip(read.most).zip(read.mean) else {
        let why = read.failure.as_deref().unwrap_or("nothing was read");
        return format!("not read: {} ({source})", inert(why, 160));
    };
    let held = match read.replica_seconds {
        Some(held) => replica_seconds(held),
        None => format!(
            "replica-seconds not known: {} of the time was read",
            percent(read.known)
        ),
    };
    let failed = match read.failed {
        0 => String::new(),
        n => format!(", {} failed", counted(n as u64, "reading")),
    };
    format!(
        "{} to {}, {} on average; {held} ({}{failed}; {source})",
        figure(least),
        figure(most),
        significant(mean),
        counted(read.readings as u64, "reading"),
    )
}

fn table(steps: &StepsSummary) -> Table {
    let has_replicas = steps.steps.iter().any(|step| step.replicas.is_some());
    let mut columns = vec![
        Column::right("settled after"),
        Column::right("all").of("met the objectives"),
        Column::right("worst part").of("met the objectives"),
        Column::right("settled").of("met the objectives").going(2),
        Column::right("worst part").of("median").going(1),
        Column::right("settled").of("median").going(1),
        Column::right("overshoot").going(3),
    ];
    if has_replicas {
        columns.push(Column::right("replicas"));
        columns.push(Column::right("replica-s").going(0));
    }
    let mut table = Table::new("step", columns);
    for step in &steps.steps {
        let mut cells = vec![
            settled(step),
            met(step.attainment),
            met(step.worst_attainment),
            met(step.settled_attainment),
            Cell::or_dash(step.worst_ms.map(time)),
            latency(step.settled_ms.as_ref()),
            Cell::or_dash(
                step.overshoot
                    .map(|ratio| format!("×{}", significant(ratio))),
            ),
        ];
        if has_replicas {
            let read = step.replicas;
            cells.push(Cell::or_dash(read.map(path)));
            let held = read.and_then(|read| read.replica_seconds);
            cells.push(Cell::or_dash(held.map(|held| significant(held.value))));
        }
        table.row(label(step), cells);
    }
    table
}

/// `at 30 s: 10 → 40/s`.
fn label(step: &StepResponse) -> String {
    format!(
        "at {}: {} → {}/s",
        span(step.from_s),
        figure(step.rate_before),
        figure(step.rate)
    )
}

fn settled(step: &StepResponse) -> Cell {
    let noted = |note: &str| Cell::noted(note);
    match (step.end, step.settled_after) {
        (StepEnd::NoObjective, _) => noted("-"),
        (StepEnd::TooShort, _) => noted("too short"),
        (StepEnd::NeverSettled, _) | (_, None) => noted("never"),
        (StepEnd::Held | StepEnd::Settled, Some(after)) => Cell {
            interval: Some(interval(Some(span(after.low_s)), after.high_s.map(span))),
            ..Cell::of(span(after.value_s))
        },
    }
}

fn met(share: Option<Share>) -> Cell {
    let Some(share) = share else {
        return Cell::noted("-");
    };
    Cell {
        interval: Some(interval(share.low.map(percent), share.high.map(percent))),
        ..Cell::of(percent(share.value))
    }
}

fn latency(cell: Option<&infermeter_analysis::Cell>) -> Cell {
    let Some(cell) = cell else {
        return Cell::noted("-");
    };
    if cell.infinite {
        return Cell::noted("failed");
    }
    let grade = match cell.grade {
        CellGrade::Full => Grade::Full,
        CellGrade::Indicative => Grade::Indicative,
        CellGrade::Unsupported => return Cell::noted("too few"),
    };
    Cell {
        grade,
        interval: Some(interval(cell.low.map(time), cell.high.map(time))),
        ..Cell::or_dash(cell.value.map(time))
    }
}

/// `1 → 4`, and the most where that is more than either.
fn path(read: StepReplicas) -> String {
    let most = match read.most > read.before.max(read.at_end) {
        true => format!(" (up to {})", figure(read.most)),
        false => String::new(),
    };
    format!("{} → {}{most}", figure(read.before), figure(read.at_end))
}

fn legend(steps: &StepsSummary) -> String {
    let parts: Vec<f64> = steps.steps.iter().map(|step| step.part_s).collect();
    let least = parts.iter().copied().fold(f64::INFINITY, f64::min);
    let most = parts.iter().copied().fold(0.0, f64::max);
    let parts = match least == most {
        true => span(most),
        false => format!("{} to {}", span(least), span(most)),
    };
    let cut = match steps.cut {
        true => format!(" The first {} steps.", count(steps.steps.len() as u64)),
        false => String::new(),
    };
    format!(
        "Requests count where they were due, in parts of {parts}. Settled: from there to the step's end the requests \
         reach the share that each objective asks for, and no stretch of parts misses it for certain; [from where the last \
         such stretch begins,{JOIN}to where it is reached for certain]. Medians are of {}, failures as infinite; \
         the worst part's is what its requests had, and overshoot that over the median since the step settled.{cut}",
        steps.metric.to_uppercase()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::spaced;

    fn step(end: &str, after: serde_json::Value) -> StepResponse {
        let share = |met: u64| serde_json::json!({"value": met as f64 / 100.0, "low": 0.1, "high": 0.9, "count": met, "n": 100, "effective_n": 100.0});
        serde_json::from_value(serde_json::json!({
            "from_s": 30.0, "to_s": 90.0, "rate_before": 10.0, "rate": 40.0, "requests": 2_400, "part_s": 1.0,
            "end": end, "settled_after": after, "attainment": share(67), "settled_attainment": null,
            "worst_attainment": share(0), "worst_ms": null, "settled_ms": null, "overshoot": 20.0,
            "replicas": {"before": 1.0, "at_end": 4.0, "most": 6.0, "replica_seconds": null}, "parts": [],
        }))
        .expect("a step")
    }

    #[test]
    fn a_time_stands_with_its_interval_or_says_why_there_is_none() {
        let after = serde_json::json!({"value_s": 20.0, "low_s": 19.0, "high_s": null});
        let settles = step("settled", after);
        let cell = settled(&settles);
        let range = cell.interval.as_deref().map(spaced);
        assert_eq!(spaced(&cell.shown()), "20 s");
        assert_eq!(range.as_deref(), Some("[19 s, ∞)"));
        assert_eq!(spaced(&label(&settles)), "at 30 s: 10 → 40/s");
        let shown = |end: &str| settled(&step(end, serde_json::Value::Null)).shown();
        assert_eq!(shown("never_settled"), "never");
        assert_eq!(shown("too_short"), "too short");
        assert_eq!(path(settles.replicas.expect("read")), "1 → 4 (up to 6)");
    }

    #[test]
    fn replicas_that_were_not_read_say_why() {
        let read = serde_json::json!({"source": "command: kubectl", "readings": 0, "failed": 9,
            "failure": "the command printed nothing", "least": null, "most": null, "mean": null,
            "replica_seconds": null, "known": 0.0, "points": []});
        let read: ReplicaFigures = serde_json::from_value(read).expect("figures");
        let expect = "not read: the command printed nothing (command: kubectl)";
        assert_eq!(replicas(&read), expect);
    }
}
