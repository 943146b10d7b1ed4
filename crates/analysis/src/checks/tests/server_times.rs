//! Runs whose server says how long each request took it.

use super::{check, every};
use infermeter_core::record::ServerTimes;
use infermeter_metrics::fixture::Run;

/// Every `nth` record has a prefill that is so many milliseconds longer than the client's TTFT.
fn longer(nth: usize, by_ms: i64) -> impl FnOnce(&mut Run) {
    move |run| {
        for (number, record) in every(run, 1).enumerate() {
            let (Some(first), Some(sent)) = (record.chunks.first(), record.send_start) else {
                continue;
            };
            let by_ms = if number % nth == 0 { by_ms } else { -1 };
            let prefill_ns = first.at.since(sent) + by_ms * 1_000_000;
            record.server_times = ServerTimes {
                prefill_ns: Some(prefill_ns),
                ..ServerTimes::default()
            };
        }
    }
}

#[test]
fn times_of_the_server_above_the_clients() {
    check(longer(10, 5), &["warning server-times-disagree"]);
    check(longer(1, -1), &[]);
    // Within the error of what is written in milliseconds, and of single requests.
    check(longer(1, 1), &[]);
    check(longer(400, 5), &[]);
}
