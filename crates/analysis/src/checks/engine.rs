//! What the engine's own counters, gauges and histograms say of a run.
//!
//! Invariant: a check that needs a figure which the page lacks finds nothing.

use super::{Check, NOTE, WARNING, of_server as check, percent};
use crate::limits;
use crate::run::Run;
use crate::server::{Agreement, BesideRow, EngineLoad, ServerSummary};
use crate::summary::Summary;
use infermeter_core::finding::{Finding, Severity, Weight};
use infermeter_core::number::{count, counted};
use infermeter_core::text::inert;

/// Rows that count requests and tokens.
const COUNTS: [&str; 3] = ["requests", "prompt_tokens", "output_tokens"];
/// Rows of latencies, of which the client's cannot be the lower one.
const LATENCIES: [&str; 3] = ["ttft_mean", "e2e_mean", "tpot_mean"];

fn server(summary: &Summary) -> Option<&ServerSummary> {
    summary.server.as_ref()
}

/// The first of these rows on which the two sides disagree, the client's side being lower or higher.
fn disagreeing<'a>(
    summary: &'a Summary,
    names: &[&str],
    is: fn(f64) -> bool,
) -> Option<&'a BesideRow> {
    let beside = server(summary)?.beside.as_ref()?;
    let rows = names.iter().filter_map(|name| beside.row(name));
    let mut apart = rows.filter(|row| row.answer == Some(Agreement::Disagrees));
    apart.find(|row| row.difference.is_some_and(is))
}

/// `Output tokens: 4,000 by the server, 1,000 by the client; 120 expected at most.`
fn both(row: &BesideRow) -> String {
    let name = row.figure.replace('_', " ");
    let write = |value: Option<f64>| match &*row.unit {
        "ms" => format!("{:.1} ms", value.unwrap_or_default()),
        _ => count(value.unwrap_or_default().max(0.0).round() as u64),
    };
    format!(
        "{name}: {} by the server, {} by the client; at most {} apart is expected.",
        write(row.server),
        write(row.client),
        write(row.error)
    )
}

/// The engine's counters exceed the client's.
pub(super) const OTHER_LOAD: Check = check("other-load-on-server", WARNING, None, other_load);

fn other_load(_: &Run, summary: &Summary) -> Option<Finding> {
    let row = disagreeing(summary, &COUNTS, |difference| difference < 0.0)?;
    Some(OTHER_LOAD.found(
        "The server counted more in the window than this client: someone else is loading it.",
        both(row),
        "Measure when the server has no other load. Requests that the client gave up may still run \
         there; several clients of one test are no fault, if their results are read together.",
    ))
}

/// The two views cannot both be right.
pub(super) const VIEWS_DISAGREE: Check =
    check("server-view-disagrees", WARNING, None, views_disagree);

fn views_disagree(_: &Run, summary: &Summary) -> Option<Finding> {
    let fewer = disagreeing(summary, &COUNTS, |difference| difference > 0.0);
    let (message, row) = match fewer {
        Some(row) => (
            "The server counted less in the window than this client got.",
            row,
        ),
        None => (
            "The client's latency is below the server's own, which is a part of it.",
            disagreeing(summary, &LATENCIES, |difference| difference < 0.0)?,
        ),
    };
    Some(VIEWS_DISAGREE.found(
        message,
        both(row),
        "Check that the page is that of the server which is measured, and of all its replicas \
         (--server-metrics is repeatable).",
    ))
}

/// Counters went back.
pub(super) const SERVER_RESTARTED: Check =
    check("server-counters-reset", WARNING, None, counters_reset);

fn counters_reset(_: &Run, summary: &Summary) -> Option<Finding> {
    let why = server(summary)?.beside.as_ref()?.not_counted.as_ref()?;
    if why != crate::server::edges::WENT_BACK {
        return None;
    }
    Some(SERVER_RESTARTED.found(
        "The server's counters went back inside the window: it was restarted, or another replica \
         answered.",
        format!("{}.", inert(why, 160)),
        "Look into the server's log. Behind a load balancer name the page of each replica with \
         --server-metrics instead.",
    ))
}

/// Drafts are made, or declared, and none is accepted.
pub(super) const SPECULATION_INACTIVE: Check =
    check("speculation-inactive", WARNING, None, speculation_inactive);

fn speculation_inactive(_: &Run, summary: &Summary) -> Option<Finding> {
    let server = server(summary)?;
    let speculation = summary.speculation.as_ref()?;
    let (drafts, accepted) = (speculation.drafts?, speculation.accepted_tokens?);
    if accepted > 0.0 || drafts <= 0.0 {
        return None;
    }
    let engine = server.engine?.name();
    Some(SPECULATION_INACTIVE.found(
        "Drafts are verified and none of their tokens is accepted: speculation costs and gains \
         nothing.",
        format!(
            "{} of {engine} in the window, 0 tokens accepted.",
            counted(drafts as u64, "draft")
        ),
        "Check that the draft model fits the served one, and that the sampling parameters of the \
         requests allow speculation.",
    ))
}

/// The KV cache was nearly full.
pub(super) const KV_NEARLY_FULL: Check = check(
    "kv-cache-nearly-full",
    NOTE,
    Some(limits::KV_NEARLY_FULL),
    kv_nearly_full,
);

fn kv_nearly_full(_: &Run, summary: &Summary) -> Option<Finding> {
    let kv = server(summary)?.kv_usage?;
    if kv.max < limits::KV_NEARLY_FULL {
        return None;
    }
    Some(KV_NEARLY_FULL.found(
        "The server's KV cache was nearly full: requests wait for room, or give theirs back.",
        format!(
            "{} on average, {} at most, over {}.",
            percent(kv.mean),
            percent(kv.max),
            counted(kv.n as u64, "reading")
        ),
        "Latencies beyond this load are those of a full cache. A lower load, shorter contexts or \
         more memory for the cache tell what the engine does with room.",
    ))
}

/// Requests were preempted.
pub(super) const PREEMPTIONS: Check = check(
    "server-preempts",
    Weight::NoteUpToLimit,
    Some(limits::PREEMPTED),
    preemptions,
);

fn preemptions(_: &Run, summary: &Summary) -> Option<Finding> {
    let preempted = server(summary)?.preemptions.filter(|n| *n > 0.0)?;
    let requests = summary.throughput.as_ref()?.requests.count;
    let share = preempted / requests.max(1.0);
    let severity = if share > limits::PREEMPTED {
        Severity::Warning
    } else {
        Severity::Note
    };
    Some(PREEMPTIONS.weighing(
        severity,
        "The server took requests out of its steps for want of KV cache, and computes them again.",
        format!(
            "{} in the window, for {} completed.",
            counted(preempted as u64, "preemption"),
            counted(requests as u64, "request")
        ),
        "Lower the load or the number of sequences at once, or give the KV cache more room.",
    ))
}

/// One of several engines does most of the work.
pub(super) const UNEVEN_ENGINES: Check = check(
    "replicas-unevenly-loaded",
    WARNING,
    Some(limits::UNEVEN_ENGINES),
    uneven_engines,
);

fn uneven_engines(_: &Run, summary: &Summary) -> Option<Finding> {
    let engines = &server(summary)?.engines;
    let tokens: Option<Vec<f64>> = engines.iter().map(|e| e.generation_tokens).collect();
    let tokens = tokens.filter(|tokens| tokens.len() > 1)?;
    let sum: f64 = tokens.iter().sum();
    let mean = sum / tokens.len() as f64;
    let (busiest, most) = engines
        .iter()
        .zip(&tokens)
        .max_by(|a, b| a.1.total_cmp(b.1))?;
    if sum < limits::UNEVEN_TOKENS || *most <= limits::UNEVEN_ENGINES * mean {
        return None;
    }
    let least = tokens.iter().copied().fold(f64::INFINITY, f64::min);
    Some(UNEVEN_ENGINES.found(
        "The load is spread unevenly over the server's replicas.",
        format!(
            "{} generated {} of {} tokens; {} have {} on average, the idlest {}.",
            called(busiest),
            count(*most as u64),
            count(sum as u64),
            counted(tokens.len() as u64, "engine"),
            count(mean as u64),
            count(least as u64),
        ),
        "Look at how requests are routed: a session or a shared prefix may tie them to one replica.",
    ))
}

/// Its labels, else its page.
fn called(engine: &EngineLoad) -> String {
    let labels = engine.labels.iter();
    let labels: Vec<String> = labels
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    match labels.is_empty() {
        true => inert(&engine.url, 120),
        false => inert(&labels.join(" "), 120),
    }
}

/// What lies between client and engine takes long.
pub(super) const FRONT_END_ADDS: Check = check(
    "front-end-adds-latency",
    NOTE,
    Some(limits::FRONT_END_SHARE),
    front_end_adds,
);

fn front_end_adds(_: &Run, summary: &Summary) -> Option<Finding> {
    let beside = server(summary)?.beside.as_ref()?;
    let row = beside.row("ttft_mean")?;
    let (client, added) = (row.client?, row.difference?);
    let error = row.error?;
    let least = (limits::FRONT_END_SHARE * client).max(limits::FRONT_END_MS);
    if added - error <= least {
        return None;
    }
    Some(FRONT_END_ADDS.found(
        "Network, gateway and front end add much to the time to the first token.",
        format!(
            "TTFT {client:.1} ms on average here, {:.1} ms by the engine: {added:.1} ms ({}) lie between.",
            row.server.unwrap_or_default(),
            percent(added / client)
        ),
        "Measure once beside the engine. If the difference stays, look at the front end's CPU, \
         tokenising and queues; if it goes, at the network and the gateway.",
    ))
}

/// Requests wait inside the engine, of which a client sees nothing but a longer TTFT.
pub(super) const QUEUE_IN_ENGINE: Check = check(
    "requests-wait-in-engine",
    NOTE,
    Some(limits::QUEUE_SHARE),
    queue_in_engine,
);

fn queue_in_engine(_: &Run, summary: &Summary) -> Option<Finding> {
    let server = server(summary)?;
    let beside = server.beside.as_ref()?;
    let mean = |name: &str| beside.row(name)?.server;
    let (queue, ttft) = (mean("queue_time_mean")?, mean("ttft_mean")?);
    if queue <= (limits::QUEUE_SHARE * ttft).max(limits::QUEUE_MS) {
        return None;
    }
    let full = server.kv_usage.map(|kv| kv.max);
    let (message, advice) = match full.map(|full| full >= limits::KV_NEARLY_FULL) {
        Some(true) => (
            "Requests wait in the engine's queue for room in its KV cache.",
            "More memory for the cache, shorter contexts or a lower load end the wait.",
        ),
        Some(false) => (
            "Requests wait in the engine's queue while its KV cache has room: running requests, or a limit, keep \
             new prompts out of its steps.",
            "Look at the engine's limits: sequences at once, tokens per step, and whether decoding goes before \
             prefill. A replica more ends the wait, too.",
        ),
        None => (
            "Requests wait in the engine's queue.",
            "The KV cache, the limit of sequences at once or that of tokens per step may be what they wait for.",
        ),
    };
    let kv = full.map(|full| format!(" KV cache at most {} in use.", percent(full)));
    Some(QUEUE_IN_ENGINE.found(
        message,
        format!(
            "{queue:.1} of {ttft:.1} ms of its mean TTFT ({}).{}",
            percent(queue / ttft),
            kv.unwrap_or_default()
        ),
        advice,
    ))
}

/// The page itself is unusual.
pub(super) const METRICS_PAGE_ODD: Check = check("server-metrics-page-odd", NOTE, None, page_odd);

fn page_odd(_: &Run, summary: &Summary) -> Option<Finding> {
    let pages = server(summary)?.pages?;
    let mut what = vec![];
    if pages.answer_ms > limits::SLOW_PAGE_MS {
        what.push(format!("an answer takes {:.0} ms", pages.answer_ms));
    }
    if pages.bytes > limits::LONG_PAGE {
        what.push(format!("a page has {} bytes", count(pages.bytes)));
    }
    if pages.malformed > 0 {
        what.push(format!(
            "{} are no samples",
            counted(pages.malformed, "line")
        ));
    }
    if pages.cut > 0 {
        let times = counted(pages.cut as u64, "reading");
        what.push(format!(
            "{times} had more pages, series or labels than are looked at"
        ));
    }
    if what.is_empty() {
        return None;
    }
    Some(METRICS_PAGE_ODD.found(
        "The server's metrics page is slow, long or broken: its figures may be late or incomplete.",
        format!("{}.", what.join("; ")),
        "Name the engine's own page rather than one that collects others, drop labels that have a \
         value for each request, or read it less often (--server-metrics-interval).",
    ))
}

#[cfg(test)]
mod tests;
