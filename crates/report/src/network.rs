//! What the network took: names, connections, TLS, requests on their way out, bytes.
//!
//! Decides nothing. Invariant: every time here is a part of some TTFT from the send, or was spent before the run.

use crate::client::spread;
use crate::document::{Entries, Section};
use crate::number::{bytes, time};
use crate::view::View;
use infermeter_analysis::{Distribution, Summary};
use infermeter_core::environment::TargetSide;
use infermeter_core::number::counted;
use infermeter_core::run::RunManifest;

/// The lines about it. Over loopback there is no network, so only who asks for more gets them.
pub(crate) fn section(summary: &Summary, manifest: &RunManifest, view: View) -> Section {
    let target = &manifest.environment.target;
    let heading = "Network";
    if view == View::Summary && target.loopback != Some(false) {
        return Section::new(heading);
    }
    let latency = &summary.latency;
    let mut entries = Entries::default();
    entries.maybe("Name", name(target));
    entries.maybe("Connect", latency.connect.as_ref().map(connect));
    entries.maybe("TLS", latency.tls.as_ref().map(opened));
    let upload = latency.upload.as_ref().map(spread);
    entries.maybe(
        "Upload",
        upload.map(|upload| format!("{upload}, until the kernel had the whole request")),
    );
    let first = latency.first_byte.as_ref().map(spread);
    entries.maybe(
        "First byte",
        first.map(|first| format!("{first}, from the send")),
    );
    entries.maybe("Bytes", rates(summary));
    Section::new(heading).with(entries)
}

fn name(target: &TargetSide) -> Option<String> {
    let took = time(target.resolve_ns? as f64 / 1e6);
    Some(format!("resolved in {took}, before the run"))
}

fn opened(times: &Distribution) -> String {
    let of = counted(times.n as u64, "request");
    format!("{}, of the {of} that opened a connection", spread(times))
}

/// The handshake of TCP is one round trip, so the shortest is the nearest to the network's own.
fn connect(times: &Distribution) -> String {
    format!(
        "{}; the least, {}, bounds a round trip",
        opened(times),
        time(times.min)
    )
}

fn rates(summary: &Summary) -> Option<String> {
    let threads = summary.client.threads.as_ref()?;
    let per_s = |rate: f64| format!("{}/s", bytes(rate.round() as u64));
    let received = per_s(threads.received_bytes_per_s?);
    Some(match threads.sent_bytes_per_s {
        Some(sent) => format!("{} out, {received} in, over the whole run", per_s(sent)),
        None => format!("{received} in, over the whole run"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::spaced;

    #[test]
    fn times_of_connections_say_how_many_and_what_they_bound() {
        let times = serde_json::json!({
            "unit": "ms", "weight": "request", "n": 3, "mean": null, "mean_needed": null,
            "mean_effective_n": null, "std": null, "min": 0.25, "max": 2.0, "tail_ratio": null,
            "correlated": null, "percentiles": {}
        });
        let times: Distribution = serde_json::from_value(times).expect("a distribution");
        assert_eq!(
            spaced(&connect(&times)),
            "max 2.00 ms, of the 3 requests that opened a connection; the least, 250 µs, bounds a round trip"
        );
    }

    #[test]
    fn a_name_that_was_resolved_says_when() {
        let mut target = TargetSide::default();
        assert_eq!(name(&target), None);
        target.resolve_ns = Some(1_500_000);
        let told = name(&target).map(|told| spaced(&told));
        assert_eq!(told.as_deref(), Some("resolved in 1.50 ms, before the run"));
    }
}
