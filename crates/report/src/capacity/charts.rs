//! The charts of a capacity plan: instances and money by rate, and instances by hour.
//!
//! Invariant: between the rates that were asked the same division counts the instances, and its interval is that of
//! one instance's highest rate.

use super::figure;
use crate::chart::{
    Axis, Band, Bar, Bounds, Chart, Marks, Point, Range, Reach, Reading, Series, Unit,
};
use infermeter_analysis::capacity::{
    Balancing, Capacity, Day, InstanceRate, Need, Sizing, instances,
};

/// How far beyond the greatest rate that was asked.
const BEYOND: f64 = 1.2;
/// Steps of a line, at most.
const STEPS: u64 = 200;
/// What is a little beyond an edge.
const JUST_BEYOND: f64 = 1.0 + 1e-9;

/// A count of instances as it is drawn: itself, or what it costs.
struct Drawn {
    slug: &'static str,
    title: &'static str,
    y: Axis,
    /// What one instance is.
    each: f64,
}

/// Instances by rate, and what they cost; nothing without a rate of one instance.
pub(super) fn by_rate(capacity: &Capacity) -> Vec<Chart> {
    let Some(instance) = &capacity.instance else {
        return Vec::new();
    };
    let asked = &capacity.asked;
    let mut drawn = vec![Drawn {
        slug: "instances-by-rate",
        title: "Instances by rate",
        y: Axis::linear("instances", Unit::Count).holding(0.0),
        each: 1.0,
    }];
    if let Some((gpu, gpus)) = asked.gpu_hour.zip(asked.gpus_per_instance) {
        drawn.push(Drawn {
            slug: "cost-by-rate",
            title: "Cost by rate",
            y: Axis::linear("cost of an hour", Unit::Of("$".to_owned())).holding(0.0),
            each: gpu * f64::from(gpus),
        });
    }
    let charts = drawn.into_iter();
    charts
        .map(|drawn| chart(drawn, capacity, instance))
        .collect()
}

fn chart(drawn: Drawn, capacity: &Capacity, instance: &InstanceRate) -> Chart {
    let Drawn {
        slug,
        title,
        y,
        each,
    } = drawn;
    let asked = &capacity.asked;
    let factor = asked.growth * (1.0 + asked.headroom);
    let most = asked.target_rates.iter().copied().fold(0.0, f64::max) * BEYOND;
    let x = Axis::linear("rate", Unit::Of("requests/s".to_owned())).holding(0.0);
    let mut chart = Chart::new(slug, title, x, y);
    let line = Line {
        instance,
        factor,
        most,
        each,
    };
    chart.series.push(line.series());
    let at = |name: &str, need: fn(&Sizing) -> &Need| Series {
        label: name.to_owned(),
        marks: Marks::Points(
            capacity
                .sizings
                .iter()
                .map(|s| point(s, need(s), each))
                .collect(),
        ),
        ..Series::default()
    };
    chart.series.push(at("asked", |sizing| &sizing.need));
    chart
        .series
        .push(at("with one to spare", |sizing| &sizing.spare));
    let ways = [
        ("simulated, round robin", Balancing::RoundRobin),
        ("simulated, least loaded", Balancing::LeastLoaded),
    ];
    chart.series.extend(
        ways.into_iter()
            .filter_map(|(name, how)| simulated(capacity, name, how, each)),
    );
    let with = match factor == 1.0 {
        true => String::new(),
        false => format!(
            " (times {} for growth, and {} for headroom)",
            figure(asked.growth),
            figure(1.0 + asked.headroom)
        ),
    };
    chart.said.push(format!(
        "The rate{with} over the highest rate of one instance, rounded up. Band: the same over both ends of that rate's \
         interval; it is open above where no low end is known."
    ));
    chart
}

/// Instances from 0 to a rate.
struct Line<'a> {
    instance: &'a InstanceRate,
    /// Growth and headroom.
    factor: f64,
    /// The greatest rate.
    most: f64,
    /// What one instance is.
    each: f64,
}

impl Line<'_> {
    fn series(&self) -> Series {
        let edges = self.edges(self.instance.rate);
        let count = |rate: f64| self.instances(rate, self.instance.rate);
        let points = edges.iter().map(|x| Point::at(*x, count(*x)));
        Series {
            label: "instances for the rate".to_owned(),
            marks: Marks::Step(points.collect()),
            band: Some(self.band()),
            ..Series::default()
        }
    }

    fn instances(&self, rate: f64, capacity: f64) -> f64 {
        instances(rate * self.factor * JUST_BEYOND, capacity) as f64 * self.each
    }

    /// Rates beyond which it takes one more instance, and both ends.
    fn edges(&self, capacity: f64) -> Vec<f64> {
        let count = instances(self.most * self.factor, capacity);
        let by = count.div_ceil(STEPS).max(1);
        let edges = (0..count).step_by(by as usize);
        let mut edges: Vec<f64> = edges.map(|n| n as f64 * capacity / self.factor).collect();
        edges.push(self.most);
        edges
    }

    fn band(&self) -> Band {
        let InstanceRate { low, high, .. } = *self.instance;
        let ends = [low, high].into_iter().flatten().filter(|end| *end > 0.0);
        let mut edges: Vec<f64> = ends.flat_map(|end| self.edges(end)).collect();
        edges.sort_by(f64::total_cmp);
        let at = |x: f64, end: Option<f64>| {
            end.filter(|end| *end > 0.0)
                .map(|end| self.instances(x, end))
        };
        let reach = |x: f64| Reach {
            x,
            y: Bounds {
                low: at(x, high),
                high: at(x, low),
            },
        };
        Band {
            label: "by the interval of that rate".to_owned(),
            reaches: edges.into_iter().map(reach).collect(),
        }
    }
}

fn point(sizing: &Sizing, need: &Need, each: f64) -> Point {
    let of = |n: u64| n as f64 * each;
    let y = match need.instances_at_low {
        Some(low) => Reading::estimate(of(need.instances), Some(of(need.instances)), Some(of(low))),
        None => Reading::estimate(of(need.instances), Some(of(need.instances)), None),
    };
    Point {
        label: figure(of(need.instances)),
        ..Point::of(Reading::exact(sizing.target_rate), y)
    }
}

fn simulated(capacity: &Capacity, name: &str, how: Balancing, each: f64) -> Option<Series> {
    let point = |sizing: &Sizing| {
        let size = sizing.simulated.iter().find(|size| size.balancing == how)?;
        Some(Point::at(sizing.target_rate, size.instances? as f64 * each))
    };
    let points: Vec<Point> = capacity.sizings.iter().filter_map(point).collect();
    (!points.is_empty()).then(|| Series {
        label: name.to_owned(),
        marks: Marks::Points(points),
        ..Series::default()
    })
}

/// Instances by hour, and the load behind them.
pub(super) fn by_hour(day: &Day) -> [Chart; 2] {
    let hours = || day.hours.iter().enumerate();
    let x = Axis::linear("hour", Unit::Count).holding(0.0);
    let y = Axis::linear("instances", Unit::Count).holding(0.0);
    let mut needed =
        Chart::new("instances-by-hour", "Instances by hour", x.clone(), y).at_any_size();
    let bars = hours().map(|(i, hour)| Bar {
        x: Range::new(i as f64, i as f64 + 1.0),
        y: Reading::exact(hour.instances as f64),
        n: None,
    });
    needed.series.push(Series {
        label: "instances".to_owned(),
        marks: Marks::Bars(bars.collect()),
        ..Series::default()
    });
    let at_low = hours().filter_map(|(i, hour)| Some((i, hour.instances_at_low? as f64)));
    needed
        .series
        .extend(steps("at 95 % confidence", at_low.collect()));
    needed.said.push(
        "Instances for the busiest five minutes of each hour, with growth and headroom.".to_owned(),
    );
    let y = Axis::linear("load", Unit::Of("requests/s".to_owned())).holding(0.0);
    let mut load = Chart::new("load-by-hour", "Load by hour", x, y);
    let peak = hours().map(|(i, hour)| (i, hour.load.peak)).collect();
    let mean = hours().map(|(i, hour)| (i, hour.load.mean)).collect();
    load.series.extend(steps("busiest five minutes", peak));
    load.series.extend(steps("mean", mean));
    load.said
        .push("As given, without growth and headroom.".to_owned());
    [needed, load]
}

/// A value for each hour.
fn steps(label: &str, values: Vec<(usize, f64)>) -> Option<Series> {
    let (last, value) = *values.last()?;
    let mut points: Vec<Point> = values
        .iter()
        .map(|(i, y)| Point::at(*i as f64, *y))
        .collect();
    points.push(Point::at(last as f64 + 1.0, value));
    Some(Series {
        label: label.to_owned(),
        marks: Marks::Step(points),
        ..Series::default()
    })
}
