//! Which values the axes of a chart have to hold.
//!
//! Invariant: marks, intervals and shades are inside; a rule is as well, unless it lies so far above all marks
//! that they would be squeezed into a corner.

use super::rows::rows;
use super::{Across, Chart, Marks, Scale};

/// How far beyond all marks a rule may lie and still be shown in its place on a linear axis.
const FAR: f64 = 3.0;

/// The values of a chart along both axes.
#[derive(Debug, Default)]
pub(crate) struct Extent {
    /// From left to right.
    pub x: Vec<f64>,
    /// From below to above.
    pub y: Vec<f64>,
    /// Rules that lie too far above the marks to be shown in their place.
    pub far: Vec<usize>,
}

impl Extent {
    /// Of everything that is drawn.
    pub(crate) fn of(chart: &Chart) -> Self {
        let mut extent = Self::default();
        for row in rows(chart) {
            extent.x.extend(row.x.ends());
            extent.y.extend(row.y.ends());
        }
        let mut series = chart.series.iter();
        let bars = series.any(|s| matches!(s.marks, Marks::Bars(_)));
        if bars && chart.y.scale == Scale::Linear {
            extent.y.push(0.0);
        }
        let shades = chart.shades.iter();
        extent.x.extend(shades.flat_map(|s| [s.x.low, s.x.high]));
        extent.add_rules(chart);
        extent
    }

    fn add_rules(&mut self, chart: &Chart) {
        let finite = self.y.iter().copied().filter(|y| y.is_finite());
        let most = finite.fold(0.0, f64::max);
        for (i, rule) in chart.rules.iter().enumerate() {
            let is_far = chart.y.scale == Scale::Linear && most > 0.0 && rule.at > FAR * most;
            match rule.across {
                Across::X => self.x.push(rule.at),
                Across::Y if is_far => self.far.push(i),
                Across::Y => self.y.push(rule.at),
            }
        }
    }
}
