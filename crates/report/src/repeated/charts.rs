//! The charts of repeated runs: each figure of each run against the mean of all, by figure and in the order of the
//! runs.
//!
//! Invariant: figures of different units share an axis as ratios to their own mean alone.

use crate::chart::{Across, Axis, Chart, Marks, Point, Reading, Rule, Series, Unit};
use infermeter_analysis::{Over, Repeated, RepeatedFigure};
use infermeter_core::number::counted;

/// Figures with a line in the order of the runs.
const IN_ORDER: [&str; 5] = [
    "ttft.p50",
    "ttft.p99",
    "itl.p50",
    "e2e.p50",
    "output_tokens_per_s",
];

/// A figure that has a mean to be held against.
struct Known<'a> {
    figure: &'a RepeatedFigure,
    over: &'a Over,
}

impl<'a> Known<'a> {
    fn of(figure: &'a RepeatedFigure) -> Option<Self> {
        let over = figure.over.as_ref().filter(|over| over.mean.value > 0.0)?;
        Some(Self { figure, over })
    }

    fn ratio(&self, value: f64) -> f64 {
        value / self.over.mean.value
    }

    /// The runs that have it, from 1.
    fn runs(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let runs = self.figure.runs.iter().enumerate();
        runs.filter_map(|(i, value)| Some((i + 1, self.ratio((*value)?))))
    }
}

/// Both charts; neither of one run.
pub(super) fn charts(repeated: &Repeated) -> Vec<Chart> {
    if repeated.runs < 2 {
        return Vec::new();
    }
    let known: Vec<Known<'_>> = repeated.figures.iter().filter_map(Known::of).collect();
    vec![by_figure(repeated, &known), in_order(repeated, &known)]
}

fn ratios(label: &str) -> Axis {
    Axis::linear(label, Unit::Change).holding(1.0)
}

fn by_figure(repeated: &Repeated, known: &[Known<'_>]) -> Chart {
    let names = known
        .iter()
        .map(|known| known.figure.name.clone())
        .collect();
    let x = ratios("value of a run against the mean over runs");
    let mut chart = Chart::new(
        "runs",
        "Each figure of each run",
        x,
        Axis::categories("", names),
    );
    let rows = || known.iter().enumerate();
    let runs = rows().flat_map(|(row, known)| {
        known.runs().map(move |(run, ratio)| Point {
            label: match known.over.outlying.contains(&run) {
                true => format!("run {run}"),
                false => String::new(),
            },
            ..Point::at(ratio, row as f64)
        })
    });
    let means = rows().map(|(row, known)| {
        let mean = known.over.mean;
        let [low, high] = [mean.low, mean.high].map(|bound| bound.map(|x| known.ratio(x)));
        Point {
            n: Some(known.over.n as u64),
            ..Point::of(
                Reading::estimate(1.0, low, high),
                Reading::exact(row as f64),
            )
        }
    });
    let means = Marks::Points(means.collect());
    for (label, marks) in [
        ("mean over runs", means),
        ("a run", Marks::Points(runs.collect())),
    ] {
        chart.series.push(Series {
            label: label.to_owned(),
            marks,
            ..Series::default()
        });
    }
    chart.rules.push(Rule {
        across: Across::X,
        at: 1.0,
        label: "mean".to_owned(),
    });
    chart.said.push(format!(
        "{}, each a mark. Intervals are of the mean over runs, at {:.0} % (Student's t between runs), open above where \
         runs are too short for the figure. Runs with a number lie far from the others.",
        counted(repeated.runs as u64, "run"),
        repeated.confidence_level * 100.0
    ));
    chart
}

fn in_order(repeated: &Repeated, known: &[Known<'_>]) -> Chart {
    let x = Axis::categories(
        "run",
        (1..=repeated.runs).map(|run| run.to_string()).collect(),
    );
    let mut chart = Chart::new(
        "runs-in-order",
        "The runs in their order",
        x,
        ratios("against the mean over runs"),
    );
    let wanted = known
        .iter()
        .filter(|known| IN_ORDER.contains(&known.figure.name.as_str()));
    for known in wanted {
        let mut before = 0;
        let points = known.runs().map(|(run, ratio)| Point {
            // A run without the figure interrupts its line.
            after_gap: std::mem::replace(&mut before, run) + 1 != run,
            ..Point::at(run as f64 - 1.0, ratio)
        });
        chart.series.push(Series {
            label: known.figure.name.clone(),
            n: Some(known.over.n as u64),
            marks: Marks::Line(points.collect()),
            ..Series::default()
        });
    }
    chart.said.push(
        "A trend from run to run says that something other than chance changed between them."
            .to_owned(),
    );
    chart
}
