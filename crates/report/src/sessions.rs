//! Sessions: how they ended, and first turns against later ones.

use crate::document::{Entries, Section};
use crate::number::{JOIN, parts, percent, significant, time};
use infermeter_analysis::{
    CellGrade, Distribution, Percentile, SessionSummary, Summary, TurnSummary,
};
use infermeter_core::number::count;

/// The section; empty where requests stand alone.
pub(crate) fn section(summary: &Summary) -> Section {
    let Some(sessions) = &summary.sessions else {
        return Section::default();
    };
    let mut entries = Entries::default();
    entries.add("Ended", ends(sessions));
    if let (Some(mean), Some(max)) = (sessions.turns_mean, sessions.turns_max) {
        entries.add(
            "Turns",
            format!("{} on average, at most {max}", significant(mean)),
        );
    }
    if let Some(duration) = &sessions.duration {
        entries.add("Duration", spread(duration));
    }
    for (name, turns) in [
        ("First turns", &sessions.first_turns),
        ("Later turns", &sessions.later_turns),
    ] {
        if turns.measured > 0 {
            entries.add(name, turn_line(turns));
        }
    }
    if let Some(slip) = &sessions.slip {
        let late = spread(slip);
        entries.add("Slip", format!("due later than in the trace by {late}"));
    }
    Section::new("Sessions that began inside the window").with(entries)
}

fn ends(sessions: &SessionSummary) -> String {
    let counts = &sessions.counts;
    let parts = parts([
        (counts.completed, "completed"),
        (counts.failed, "with a turn that failed"),
        (counts.unfinished, "not finished when the run ended"),
    ]);
    format!("{} begun: {}", count(counts.begun), parts)
}

fn turn_line(turns: &TurnSummary) -> String {
    let mut text = format!("{} measured", count(turns.measured));
    for (name, distribution) in [("TTFT", &turns.ttft), ("E2E", &turns.e2e)] {
        if let Some(distribution) = distribution {
            text += &format!(", {name} {}", spread(distribution));
        }
    }
    if let Some(tokens) = turns.prompt_tokens_mean {
        text += &format!(", {} prompt tokens", significant(tokens));
    }
    if let Some(share) = turns.cached_share {
        text += &format!(" ({} cached)", percent(share));
    }
    text
}

/// Median and p99, where the sample carries them, and the greatest value.
fn spread(distribution: &Distribution) -> String {
    let at = |p: f64| {
        let cell = distribution.cell(Percentile::new(p)?)?;
        let thin = if cell.grade == CellGrade::Full {
            ""
        } else {
            "~"
        };
        Some(format!("p{p}{JOIN}{thin}{}", time(cell.value?)))
    };
    let mut parts: Vec<String> = [50.0, 99.0].into_iter().filter_map(at).collect();
    parts.push(format!("max{JOIN}{}", time(distribution.max)));
    parts.join(", ")
}
