//! The gap by the place of the token that ends it.

use super::Pictured;
use super::timed::estimate;
use crate::chart::{Axis, Chart, Marks, Point, Reading, Series, Unit};
use infermeter_analysis::series::{Estimated, PositionSeries};

/// A percentile of a band, where it has one.
type OfBand = fn(&PositionSeries) -> Option<Estimated>;

const PERCENTILES: [(&str, OfBand); 3] = [
    ("p50", |band| band.p50),
    ("p90", |band| band.p90),
    ("p99", |band| band.p99),
];

/// The curve.
pub(super) fn chart(of: &Pictured<'_>) -> Chart {
    let x = Axis::logarithmic("place of the token in its answer", Unit::Number);
    let y = Axis::linear("gap before it", Unit::Milliseconds).holding(0.0);
    let mut chart = Chart::new("itl-by-position", "Gap by token position", x, y);
    for (label, of_band) in PERCENTILES {
        let mut missing = false;
        let mut points: Vec<Point> = Vec::new();
        for band in &of.series.positions {
            let Some(estimated) = of_band(band) else {
                missing = true;
                continue;
            };
            let middle = (band.first as f64 * band.last as f64).sqrt();
            points.push(Point {
                n: Some(band.n),
                after_gap: std::mem::take(&mut missing) && !points.is_empty(),
                ..Point::of(Reading::exact(middle), estimate(estimated))
            });
        }
        if !points.is_empty() {
            chart.series.push(Series {
                label: label.to_owned(),
                n: Some(points.iter().filter_map(|p| p.n).sum()),
                marks: Marks::Line(points),
                ..Series::default()
            });
        }
    }
    chart.said.push(
        "Gaps of completed measured requests whose chunks' tokens are known, in bands of tokens that double in \
         width (2, 3 to 4, 5 to 8, ...), each at its geometric middle."
            .to_owned(),
    );
    chart.said.push(
        "Percentiles are exact order statistics; their 95 % intervals rest on time blocks of a second. One that \
         too few blocks carry is left out."
            .to_owned(),
    );
    chart
}
