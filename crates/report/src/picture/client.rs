//! The client's health and the instrument's own error, on the time axis of the run.

use super::Pictured;
use super::over_time::{described, estimated};
use super::timed::{chart, latency_axis, said_of_count, said_of_parts, values};
use crate::chart::{Across, Chart, Rule};
use infermeter_core::number::counted;

/// Send lag, and how well instants are known.
pub(super) fn charts(of: &Pictured<'_>) -> Vec<Chart> {
    let client = &of.series.client;
    let mut lag = chart(
        "send-lag-over-time",
        "Send lag",
        of,
        latency_axis("how late requests were sent", values(&client.send_lag)),
    );
    lag.series = estimated(of.series, &client.send_lag);
    lag.said.push(format!(
        "Send less due instant of {}, of every phase and outcome.",
        said_of_count(&client.send_lag, "requests")
    ));
    lag.said.extend(gaps(of));

    let stamps = [&client.stamp_width[..], &client.read_lag];
    let mut instants = chart(
        "instants-over-time",
        "How well instants are known",
        of,
        latency_axis("width", stamps.iter().flat_map(|parts| values(parts))),
    );
    for (name, parts) in [
        ("stamp's width", stamps[0]),
        ("read after stamp", stamps[1]),
    ] {
        for mut series in described(of.series, parts) {
            series.label = format!("{name}: {}", series.label);
            instants.series.push(series);
        }
    }
    instants.said.push(format!(
        "Width of {}: the stamp less the earliest instant at which the bytes can have come. Read after stamp: \
         how much later the program had read what the kernel stamped; kernel stamps keep it out of the results.",
        said_of_count(&client.stamp_width, "chunk instants")
    ));
    let calibrated = of.summary.client.calibration.as_ref();
    if let Some(us) = calibrated.and_then(|calibration| calibration.error_p99_us()) {
        instants.rules.push(Rule {
            across: Across::Y,
            at: us / 1e3,
            label: "calibrated error p99 at this load".to_owned(),
        });
    }
    for chart in [&mut lag, &mut instants] {
        chart.said.push(said_of_parts(of.series));
    }
    vec![lag, instants]
}

/// Times in which the client itself stood still, beyond those that are shaded.
fn gaps(of: &Pictured<'_>) -> Option<String> {
    let threads = of.summary.client.threads.as_ref()?;
    let shaded = "shaded where they were kept with their instants";
    (threads.gaps > 0).then(|| {
        format!(
            "The client's threads stood still in {}, {shaded}.",
            counted(threads.gaps, "gap")
        )
    })
}
