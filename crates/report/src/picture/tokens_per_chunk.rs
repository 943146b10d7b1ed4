//! How many tokens a chunk carries.

use crate::chart::{Axis, Bar, Chart, Marks, Range, Reading, Series, Unit};
use infermeter_analysis::{Ecdf, Summary};
use infermeter_core::number::count;

/// A column for each number of tokens; `None` where no chunk's tokens are known.
pub(super) fn chart(summary: &Summary) -> Option<Chart> {
    let tokens = summary.latency.tokens_per_chunk.as_ref()?;
    let ecdf = tokens.ecdf.as_ref()?;
    let x = Axis::linear("tokens in a chunk", Unit::Number).holding(0.5);
    let y = Axis::linear("share of the chunks", Unit::Share).holding(0.0);
    let mut chart = Chart::new("tokens-per-chunk", "Tokens per chunk", x, y);
    chart.series.push(Series {
        label: "chunks".to_owned(),
        n: Some(tokens.n as u64),
        marks: Marks::Bars(bars(ecdf, tokens.n)),
        ..Series::default()
    });
    chart.said.push(format!(
        "{} chunks of completed measured requests whose tokens are known.",
        count(tokens.n as u64)
    ));
    chart.said.push(
        "A share is the difference of two of the distribution function: its interval is twice the height of \
         that function's 95 % band."
            .to_owned(),
    );
    Some(chart)
}

fn bars(ecdf: &Ecdf, n: usize) -> Vec<Bar> {
    let (mut below, mut before) = (0.5, 0.0);
    let mut bars = Vec::new();
    for (at, share) in ecdf.at.iter().zip(&ecdf.share) {
        // Points are ends of buckets; the values are whole.
        let end = at.floor() + 0.5;
        let height = share - before;
        let bounds = [height - 2.0 * ecdf.band, height + 2.0 * ecdf.band];
        let [low, high] = bounds.map(|bound| Some(bound.clamp(0.0, 1.0)));
        bars.push(Bar {
            x: Range::new(below, end),
            y: Reading::estimate(height, low, high),
            n: Some((height * n as f64).round() as u64),
        });
        (below, before) = (end, *share);
    }
    bars
}
