//! Distribution functions of the latencies, with a band around each, for all requests and by class.

use super::over_time::from;
use crate::by_class::{ByRoom, class_name, largest};
use crate::chart::{Axis, Band, Bounds, Chart, Marks, Point, Reach, Reading, Series, Size, Unit};
use crate::number::short_count;
use infermeter_analysis::{ClassSummary, Distribution, LatencySummary, Summary};
use infermeter_core::number::count;
use infermeter_metrics::origin::Origin;

/// Classes with a curve of their own: more dashes than that are not told apart.
const CLASSES: usize = 6;

/// Points of a curve of a class: that of all requests has all there are.
const CLASS_POINTS: usize = 40;

/// Greatest over least beyond which the axis is logarithmic.
const WIDE: f64 = 30.0;

/// Classes that are named where they have no curve.
const NAMED: usize = 12;

/// A latency with a chart of its own.
struct Metric {
    slug: &'static str,
    name: &'static str,
    of: fn(&LatencySummary, Origin) -> Option<&Distribution>,
    /// What one observation is, and whether it has an origin.
    population: fn(Origin) -> String,
    size: Size,
}

const METRICS: [Metric; 4] = [
    Metric {
        slug: "ecdf-ttft",
        name: "TTFT",
        of: |latency, origin| latency.ttft.from(origin),
        population: requests,
        size: Size::Any,
    },
    Metric {
        slug: "ecdf-itl",
        name: "ITL",
        of: |latency, _| latency.itl.as_ref(),
        population: |_| "Gaps between the tokens of completed measured requests.".to_owned(),
        size: Size::Large,
    },
    Metric {
        slug: "ecdf-tpot",
        name: "TPOT",
        of: |latency, _| latency.tpot.as_ref(),
        population: |_| "Completed measured requests with two tokens at least.".to_owned(),
        size: Size::Large,
    },
    Metric {
        slug: "ecdf-e2e",
        name: "E2E",
        of: |latency, origin| latency.e2e.from(origin),
        population: requests,
        size: Size::Any,
    },
];

fn requests(origin: Origin) -> String {
    format!("Completed measured requests, {}.", from(origin))
}

/// A chart a latency.
pub(super) fn charts(summary: &Summary) -> Vec<Chart> {
    METRICS
        .iter()
        .map(|metric| chart(metric, summary))
        .collect()
}

fn chart(metric: &Metric, summary: &Summary) -> Chart {
    let origin = summary.headline_origin;
    let of = |latency| (metric.of)(latency, origin);
    let whole = of(&summary.latency);
    let x = match whole {
        Some(d) if d.min > 0.0 && d.max > WIDE * d.min => {
            Axis::logarithmic(metric.name, Unit::Milliseconds)
        }
        _ => Axis::linear(metric.name, Unit::Milliseconds).holding(0.0),
    };
    let y = Axis::linear("share at or below", Unit::Share);
    let y = y.holding(0.0).holding(1.0);
    let title = format!("Distribution of {}", metric.name);
    let mut chart = Chart::new(metric.slug, title, x, y);
    chart.size = metric.size;
    chart
        .series
        .extend(whole.and_then(|d| curve("all requests".to_owned(), None, d)));
    chart.said.push((metric.population)(origin));
    let ByRoom { shown, rest } = largest(&summary.classes, CLASSES);
    for class in shown {
        let name = class_name(&class.class);
        let own = of(&class.latency);
        chart
            .series
            .extend(own.and_then(|d| curve(name.clone(), Some(name), d)));
    }
    chart.said.extend(not_shown(&rest));
    chart.said.push(
        "Band: 95 % of simultaneous coverage (Dvoretzky, Kiefer, Wolfowitz) on the smallest effective sample \
         size of the percentiles; requests that depend on each other make it approximate. Shares are exact at \
         the points that are drawn, the least and the greatest among them."
            .to_owned(),
    );
    chart
}

/// What has no curve of its own.
fn not_shown(rest: &[&ClassSummary]) -> Option<String> {
    let names = rest.iter().take(NAMED);
    let names: Vec<String> = names.map(|c| class_name(&c.class)).collect();
    let more = match rest.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {} more", count(n as u64)),
    };
    (!rest.is_empty()).then(|| {
        format!(
            "Classes with fewer requests have no curve: {}{more}.",
            names.join(", ")
        )
    })
}

fn curve(label: String, class: Option<String>, d: &Distribution) -> Option<Series> {
    let ecdf = d.ecdf.as_ref()?;
    let most = if class.is_some() {
        CLASS_POINTS
    } else {
        ecdf.at.len()
    };
    let step = ecdf.at.len().div_ceil(most.max(1));
    let points = ecdf.at.iter().zip(&ecdf.share).enumerate();
    // The least, the greatest, and some between them.
    let points = points.filter(|(i, _)| i % step == 0 || i + 1 == ecdf.at.len());
    let points = points.map(|(_, point)| point);
    let reach = |(at, share): (&f64, &f64)| Reach {
        x: *at,
        y: Bounds {
            low: Some((share - ecdf.band).max(0.0)),
            high: Some((share + ecdf.band).min(1.0)),
        },
    };
    let worth = d.percentiles.values().map(|cell| cell.effective_n);
    let worth = worth.fold(d.n as f64, f64::min);
    Some(Series {
        label: match (worth as usize) < d.n {
            true => format!(
                "{label} (worth {} independent)",
                short_count(worth as usize)
            ),
            false => label,
        },
        class,
        n: Some(d.n as u64),
        marks: Marks::Step(
            points
                .clone()
                .map(|(at, share)| Point::of(Reading::exact(*at), Reading::exact(*share)))
                .collect(),
        ),
        band: Some(Band {
            label: "95 % confidence band".to_owned(),
            reaches: points.map(reach).collect(),
        }),
    })
}
