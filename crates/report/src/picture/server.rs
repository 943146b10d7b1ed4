//! What the server said of itself, on the time axis of the run.

use super::Pictured;
use super::load::client_load;
use super::timed::{chart, is_gap, said_of_parts};
use crate::chart::{Axis, Band, Bounds, Chart, Marks, Point, Reach, Reading, Series, Unit};
use infermeter_analysis::series::{GaugePart, GaugeSeries, RunSeries};
use infermeter_core::number::counted;

/// A chart of some gauges.
struct Group {
    slug: &'static str,
    title: &'static str,
    y: &'static str,
    unit: fn() -> Unit,
    /// Name of each gauge, and its words.
    gauges: &'static [(&'static str, &'static str)],
}

const GROUPS: [Group; 9] = [
    Group {
        slug: "server-requests",
        title: "Requests in the server",
        y: "requests",
        unit: || Unit::Number,
        gauges: &[
            ("running", "running"),
            ("waiting", "waiting"),
            ("paused", "paused"),
            ("awaiting_first", "without a first token"),
        ],
    },
    Group {
        slug: "server-cache",
        title: "The server's caches",
        y: "share",
        unit: || Unit::Share,
        gauges: &[
            ("kv_usage", "KV cache in use"),
            ("host_kv_usage", "KV cache in the host's memory in use"),
            ("prefix_hit_rate", "prefix cache hits, the engine's average"),
            (
                "prefix_hit_share",
                "prompt tokens found in the prefix cache",
            ),
        ],
    },
    Group {
        slug: "server-preemptions",
        title: "Preemptions",
        y: "preemptions",
        unit: || Unit::Of("1/s".to_owned()),
        gauges: &[("preemptions_per_s", "preemptions")],
    },
    Group {
        slug: "server-speculation",
        title: "Accepted length",
        y: "tokens per verified draft",
        unit: || Unit::Number,
        gauges: &[("accepted_length", "accepted length")],
    },
    Group {
        slug: "server-acceptance",
        title: "Acceptance of drafts",
        y: "share",
        unit: || Unit::Share,
        gauges: &[("acceptance_rate", "draft tokens accepted")],
    },
    Group {
        slug: "server-token-rate",
        title: "Tokens per second by the server",
        y: "tokens",
        unit: || Unit::Of("1/s".to_owned()),
        gauges: &[("token_rate", "tokens generated")],
    },
    Group {
        slug: "server-pools",
        title: "Queues of prefill and decode pools",
        y: "requests",
        unit: || Unit::Number,
        gauges: &[
            ("prefill_bootstrap", "prefill: waiting for the decode side"),
            ("prefill_inflight", "prefill: cache on its way"),
            ("decode_prealloc", "decode: waiting for room"),
            ("decode_transfer", "decode: cache on its way"),
        ],
    },
    Group {
        slug: "server-transfer",
        title: "Transfer of KV caches",
        y: "bytes",
        unit: || Unit::Of("1/s".to_owned()),
        gauges: &[("transfer_rate", "of the last transfers")],
    },
    Group {
        slug: "server-balance",
        title: "Balance of experts and ranks",
        y: "1 is even",
        unit: || Unit::Number,
        gauges: &[
            ("balancedness", "experts"),
            ("token_imbalance", "most loaded rank over the mean"),
        ],
    },
];

/// Those that its page has figures for.
pub(super) fn charts(of: &Pictured<'_>) -> Vec<Chart> {
    GROUPS
        .iter()
        .filter_map(|group| group_chart(of, group))
        .collect()
}

fn group_chart(of: &Pictured<'_>, group: &Group) -> Option<Chart> {
    let server = of.series.server.as_ref()?;
    let gauge = |(name, words): &(&str, &str)| {
        let found = server.gauges.iter().find(|gauge| &*gauge.name == *name)?;
        Some(line(of.series, found, words))
    };
    let gauges: Vec<Series> = group.gauges.iter().filter_map(gauge).collect();
    if gauges.is_empty() {
        return None;
    }
    let y = Axis::linear(group.y, (group.unit)()).holding(0.0);
    let mut chart = chart(group.slug, group.title, of, y);
    chart.series = gauges;
    if group.slug == "server-requests" {
        chart.series.extend(client_load(of.series));
    }
    let missing = match server.missing {
        0 => String::new(),
        n => format!("; {} are missing", counted(n, "reading")),
    };
    chart.said.push(format!(
        "{} of the metrics page of {}{missing}. Mean of the readings of each part, and least to greatest: what \
         was read, not an estimate of what was between.",
        counted(server.readings, "reading"),
        server.engine.name(),
    ));
    chart.said.push(said_of_parts(of.series));
    Some(chart)
}

pub(super) fn line(series: &RunSeries, gauge: &GaugeSeries, words: &str) -> Series {
    let middle = |part: &GaugePart| part.at_s + series.part_s / 2.0;
    let mut before = f64::NEG_INFINITY;
    let points = gauge.parts.iter().map(|part| {
        let after_gap = is_gap(series, before, part.at_s);
        before = part.at_s;
        Point {
            n: Some(part.n),
            after_gap,
            ..Point::of(Reading::exact(middle(part)), Reading::exact(part.mean))
        }
    });
    let points: Vec<Point> = points.collect();
    let reach = |part: &GaugePart| Reach {
        x: middle(part),
        y: Bounds {
            low: Some(part.least),
            high: Some(part.greatest),
        },
    };
    Series {
        label: words.to_owned(),
        n: Some(points.iter().filter_map(|p| p.n).sum()),
        marks: Marks::Line(points),
        band: Some(Band {
            label: "least to greatest".to_owned(),
            reaches: gauge.parts.iter().map(reach).collect(),
        }),
        ..Series::default()
    }
}
