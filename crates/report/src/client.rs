//! The client's own health.

use crate::document::{Entries, Section};
use crate::number::{JOIN, bytes, percent, significant, time};
use infermeter_analysis::{
    CalibrationSummary, ClientSummary, Departure, Distribution, Percentile, Summary, ThreadTotals,
};
use infermeter_core::number::{count, counted};
use infermeter_core::run::IoBackend;

/// The lines about the generator.
pub(crate) fn section(summary: &Summary) -> Section {
    let client = &summary.client;
    let mut entries = Entries::default();
    entries.maybe("Send lag", client.send_lag.as_ref().map(spread));
    let lag = client.client_lag.as_ref().map(spread);
    let kept_out = lag.map(|lag| format!("{lag} (kept out of the results by kernel stamps)"));
    entries.maybe("Client lag", kept_out);
    entries.maybe("Bytes left", client.departure.as_ref().map(left));
    entries.maybe("Instants", instants(client));
    entries.maybe("Calibration", client.calibration.as_ref().map(calibrated));
    if let Some(threads) = &client.threads {
        entries.add("CPU", cpu(threads));
        let peak = threads.peak_rss_bytes;
        entries.maybe(
            "Memory",
            peak.map(|peak| format!("{} peak resident", bytes(peak))),
        );
        entries.add("Connections", connections(summary, threads));
    }
    Section::new("Client").with(entries)
}

/// The sample's own percentiles: what happened, not an estimate.
pub(crate) fn spread(lag: &Distribution) -> String {
    let at = |percent: f64| Percentile::new(percent).and_then(|p| lag.order_statistic(p));
    let parts = [("p50", at(50.0)), ("p99", at(99.0)), ("max", Some(lag.max))];
    let parts = parts
        .into_iter()
        .filter_map(|(name, ms)| Some(format!("{name}{JOIN}{}", time(ms?))));
    parts.collect::<Vec<_>>().join(", ")
}

/// When the last bytes of requests left.
fn left(departure: &Departure) -> String {
    let Some(behind) = &departure.behind_send else {
        return "not stamped on any connection that was open".to_owned();
    };
    let missing = match departure.missing {
        0 => String::new(),
        n => format!(" ({} without a stamp)", counted(n, "request")),
    };
    format!("{} after the write began{missing}", spread(behind))
}

fn instants(client: &ClientSummary) -> Option<String> {
    let share = client.censoring.uncertain_share?;
    let stamps = &client.stamps;
    let whose = if stamps.program == 0 {
        "all stamped by the kernel".to_owned()
    } else {
        let all = stamps.program + stamps.kernel;
        format!(
            "{} of {} responses stamped by the program",
            count(stamps.program),
            count(all)
        )
    };
    let io = client
        .threads
        .as_ref()
        .map_or("", |threads| match threads.io {
            IoBackend::Epoll => "",
            IoBackend::Uring => ", received by io_uring",
        });
    Some(format!(
        "{} of the chunks uncertain by more than {}, {whose}{io}",
        percent(share),
        time(client.censoring.bound_ms)
    ))
}

fn calibrated(calibration: &CalibrationSummary) -> String {
    let date = calibration.created.as_deref().unwrap_or("of unknown date");
    if !calibration.stale.is_empty() {
        return format!("{date}, does not hold for this run (calibration-stale)");
    }
    let up_to: Vec<String> = calibration
        .loads
        .iter()
        .filter_map(|load| {
            let proven = load.proven_per_s?;
            Some(format!("{} {}", significant(proven), load.kind.unit()))
        })
        .collect();
    let error = match calibration.error_p99_us() {
        Some(us) if calibration.is_inside() => format!("error p99 {} at this load", time(us / 1e3)),
        Some(_) | None => "this load is outside".to_owned(),
    };
    if up_to.is_empty() {
        return format!("{date}, proves nothing: no usable rung");
    }
    format!("{error}; {date}, up to {}", up_to.join(" and "))
}

fn cpu(threads: &ThreadTotals) -> String {
    let mut parts = Vec::new();
    if let Some(busy) = threads.cores_busy {
        parts.push(format!(
            "{} of {} busy",
            significant(busy),
            counted(threads.cores.into(), "core")
        ));
    }
    if let Some(busiest) = threads.busiest_thread {
        parts.push(format!(
            "busiest of {} {}",
            counted(threads.threads as u64, "thread"),
            percent(busiest)
        ));
    }
    if let Some(wait) = threads.run_queue_wait_share {
        parts.push(format!("run-queue wait {}", percent(wait)));
    }
    if threads.gaps > 0 {
        let longest = time(threads.longest_gap_ms);
        parts.push(format!("stood still for up to {longest}"));
    }
    parts.join(", ")
}

fn connections(summary: &Summary, threads: &ThreadTotals) -> String {
    format!(
        "{} opened, {} discarded; {} of {} measured requests opened one",
        count(threads.connections_opened),
        count(threads.connections_discarded),
        count(summary.requests.measured_on_new_connections),
        count(summary.requests.measured_sent)
    )
}
