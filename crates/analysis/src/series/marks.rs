//! What stands behind every chart over time: the phases of the load, and times in which the client, the
//! server or the way between them stood still.
//!
//! Finds nothing new: these are the times that the findings are about. At most so many of a kind, the
//! longest.

use super::Timed;
use crate::limits::SERIES_STILL;
use crate::reach::gaps;
use crate::summary::Summary;
use infermeter_core::clock::Offset;
use infermeter_core::run::Window;
use infermeter_core::schedule::Phase;
use schemars::JsonSchema;
use serde::Serialize;

/// A phase of the load.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct PhaseSpan {
    /// Which.
    pub phase: Phase,
    /// From when, seconds.
    pub from_s: f64,
    /// To when.
    pub to_s: f64,
}

/// What stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StillKind {
    /// A thread of the client: what it measured then is not the server's.
    Client,
    /// The server could not be reached.
    Unreachable,
    /// No chunk of any stream came, though some were due.
    Silence,
}

/// A time in which something stood still.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StillTime {
    /// What.
    pub kind: StillKind,
    /// From when, seconds.
    pub from_s: f64,
    /// To when.
    pub to_s: f64,
    /// What happened, in words.
    pub said: String,
}

/// The phases that took any time.
pub(super) fn phases(timed: &Timed<'_>, window: Option<Window>) -> Vec<PhaseSpan> {
    let requests = &timed.run.collected.requests;
    let ended = timed.run.manifest.progress.as_ref().map(|p| p.ended);
    let closed = requests.iter().filter_map(|r| r.closed).max();
    let first = requests.iter().map(|r| r.intended).min();
    let ended = ended
        .max(closed)
        .map_or(f64::NEG_INFINITY, |at| timed.seconds(at));
    let Some(window) = window else {
        return first
            .map(|first| span(Phase::Warmup, timed.seconds(first), ended))
            .into_iter()
            .collect();
    };
    let (start, end) = (timed.seconds(window.start), timed.seconds(window.end));
    let first = first.map_or(start, |first| timed.seconds(first));
    let all = [
        span(Phase::Warmup, first, start),
        span(Phase::Measure, start, end),
        span(Phase::Drain, end, ended),
    ];
    all.into_iter()
        .filter(|phase| phase.to_s > phase.from_s)
        .collect()
}

fn span(phase: Phase, from_s: f64, to_s: f64) -> PhaseSpan {
    PhaseSpan {
        phase,
        from_s,
        to_s,
    }
}

/// What stood still, in order of time.
pub(super) fn still(timed: &Timed<'_>, summary: &Summary) -> Vec<StillTime> {
    let mut all = longest(client(timed));
    all.extend(longest(unreachable(timed)));
    all.extend(silences(timed, summary));
    all.sort_by(|a, b| a.from_s.total_cmp(&b.from_s));
    all
}

fn longest(mut times: Vec<StillTime>) -> Vec<StillTime> {
    times.sort_by(|a, b| (b.to_s - b.from_s).total_cmp(&(a.to_s - a.from_s)));
    times.truncate(SERIES_STILL);
    times
}

/// The client's own gaps, as far as they were listed.
fn client(timed: &Timed<'_>) -> Vec<StillTime> {
    let health = timed.run.manifest.client_health.iter();
    let gaps = health.flat_map(|h| &h.threads).flat_map(|t| &t.gaps.listed);
    let gaps = gaps.map(|gap| StillTime {
        kind: StillKind::Client,
        from_s: timed.seconds(gap.at),
        to_s: timed.seconds(gap.at.plus(gap.ns)),
        said: format!("the client {}", gap.cause.words()),
    });
    gaps.collect()
}

fn unreachable(timed: &Timed<'_>) -> Vec<StillTime> {
    let end: Offset = timed.axis.end();
    let gaps = gaps(timed.run).into_iter().map(|gap| StillTime {
        kind: StillKind::Unreachable,
        from_s: timed.seconds(gap.from),
        to_s: timed.seconds(gap.until.unwrap_or(end)),
        said: "the server could not be reached".to_owned(),
    });
    gaps.collect()
}

fn silences(timed: &Timed<'_>, summary: &Summary) -> Vec<StillTime> {
    let freezes = summary.silence.iter().flat_map(|silence| &silence.longest);
    // The summary counts from the window's start, as the series do where there is a window.
    let silence = |from_s: f64, length_ms: f64, requests: u64| StillTime {
        kind: StillKind::Silence,
        from_s,
        to_s: from_s + length_ms / 1e3,
        said: format!("no chunk came, with {requests} requests in flight"),
    };
    debug_assert!(summary.silence.is_none() || timed.run.manifest.window.is_some());
    freezes
        .map(|f| silence(f.at_s, f.length_ms, f.requests))
        .collect()
}
