//! Distribution functions as bars of characters: the share of requests at or below a few times.
//!
//! Read off the points of the summary. Invariant: a share is that of the last point at or below the time.

use crate::document::{Block, Cell, Column, Section, Table, Tone};
use crate::number::{percent, time};
use infermeter_analysis::{Distribution, Ecdf, Summary};

/// Rows of a chart.
const ROWS: usize = 10;

/// One chart for TTFT and one for E2E, where there is more than one value.
pub(crate) fn sections(summary: &Summary) -> Vec<Section> {
    let headline = summary.headline();
    let shown = headline
        .iter()
        .filter(|(name, _)| matches!(*name, "TTFT" | "E2E"));
    let charts = shown.filter_map(|(name, distribution)| {
        let ecdf = distribution.ecdf.as_ref()?;
        let band = percent(ecdf.band);
        let caption = format!("Each share within {band} at 95 % confidence, all of them together.");
        let section = Section::new(format!("How {name} is distributed; logarithmic steps"));
        Some(
            section
                .with(bars(distribution, ecdf)?)
                .with(Block::Text(Tone::Aside, caption)),
        )
    });
    charts.collect()
}

fn bars(distribution: &Distribution, ecdf: &Ecdf) -> Option<Table> {
    let (least, most) = (distribution.min, distribution.max);
    if least <= 0.0 || most <= least {
        return None;
    }
    let columns = vec![Column::left("share at or below"), Column::right("")];
    let mut table = Table::new("time", columns);
    for step in 1..=ROWS {
        let at = least * (most / least).powf(step as f64 / ROWS as f64);
        let share = match step {
            ROWS => 1.0,
            _ => share_at(ecdf, at),
        };
        table.row(time(at), vec![Cell::bar(share), Cell::of(percent(share))]);
    }
    Some(table)
}

/// The share at or below a time.
fn share_at(ecdf: &Ecdf, at: f64) -> f64 {
    let below = ecdf.at.partition_point(|point| *point <= at);
    below
        .checked_sub(1)
        .and_then(|i| ecdf.share.get(i))
        .copied()
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_that_of_the_last_point_at_or_below() {
        let ecdf = Ecdf {
            at: vec![1.0, 2.0, 4.0],
            share: vec![0.2, 0.5, 1.0],
            band: 0.1,
        };
        let at = [0.5, 1.0, 3.9, 4.0, 9.0].map(|at| share_at(&ecdf, at));
        assert_eq!(at, [0.0, 0.2, 0.5, 1.0, 1.0]);
    }
}
