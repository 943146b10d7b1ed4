//! Whether the client was there all the time, and whether it sent what it was to send.
//!
//! Gaps come from the workers' own loops. Where they are, late sends and merged reads follow from them.

use super::{Check, count, counted, percent};
use crate::limits::{STOOD_STILL_LONG_NS, STOOD_STILL_SHARE};
use crate::ranks::thread_named;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::clock::Offset;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::gap::{Gap, GapCause};
use infermeter_core::record::Reason;
use infermeter_core::run::{ThreadHealth, Window};

/// One thread's gaps, as far as they touch what is measured.
struct Standstill {
    /// From 0.
    thread: usize,
    count: u64,
    total_ns: i64,
    longest: Gap,
    /// None touches the window or what was under way behind it.
    before_window: bool,
}

/// A thread of the client did not go through its loop: it neither sent nor read meanwhile.
pub const CLIENT_STOOD_STILL: Check = Check {
    code: "client-stood-still",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Error),
    limit: Some(STOOD_STILL_SHARE),
    test: stood_still,
};

fn stood_still(run: &Run, summary: &Summary) -> Option<Finding> {
    let threads = &run.manifest.client_health.as_ref()?.threads;
    let numbered = threads.iter().enumerate();
    let still = numbered.filter_map(|(n, thread)| of_thread(n, thread, run.manifest.window));
    // The longest that matters: a gap in the warm-up comes behind all others.
    let worst = still.max_by_key(|s| (!s.before_window, s.longest.ns, s.total_ns))?;
    let window_ns = run.manifest.window.map(|w| w.end.since(w.start));
    let share = window_ns.map(|ns| worst.total_ns as f64 / ns.max(1) as f64);
    let long = worst.longest.ns >= STOOD_STILL_LONG_NS;
    let severity = if worst.before_window {
        Severity::Note
    } else if long || share.is_some_and(|share| share >= STOOD_STILL_SHARE) {
        Severity::Error
    } else {
        Severity::Warning
    };
    let place = match worst.before_window {
        true => " in the warm-up",
        false => "",
    };
    Some(CLIENT_STOOD_STILL.weighing(
        severity,
        format!(
            "The client stood still{place}: a thread of it neither sent nor read for up to {}.",
            seconds(worst.longest.ns)
        ),
        evidence(
            &worst,
            &thread_named(&run.manifest, worst.thread),
            summary.window_s,
        ),
        advice(worst.longest.cause),
    ))
}

fn of_thread(thread: usize, health: &ThreadHealth, window: Option<Window>) -> Option<Standstill> {
    let gaps = &health.gaps;
    let longest = gaps.listed.iter().max_by_key(|gap| gap.ns).copied()?;
    let start = window.map_or(Offset(i64::MIN), |window| window.start);
    let late = gaps.listed.iter().filter(|gap| gap.at.plus(gap.ns) > start);
    let late: Vec<Gap> = late.copied().collect();
    // Gaps beyond the list came later than those in it.
    let unlisted = gaps.count - gaps.listed.len() as u64;
    let unlisted_ns = gaps.total_ns - gaps.listed.iter().map(|gap| gap.ns).sum::<i64>();
    let Some(inside) = late.iter().max_by_key(|gap| gap.ns).copied() else {
        return Some(Standstill {
            thread,
            count: gaps.count,
            total_ns: gaps.total_ns,
            longest,
            before_window: unlisted == 0,
        });
    };
    Some(Standstill {
        thread,
        count: late.len() as u64 + unlisted,
        total_ns: late.iter().map(|gap| gap.ns).sum::<i64>() + unlisted_ns,
        longest: Gap {
            ns: if unlisted == 0 {
                inside.ns
            } else {
                inside.ns.max(gaps.longest_ns)
            },
            ..inside
        },
        before_window: false,
    })
}

fn evidence(worst: &Standstill, thread: &str, window_s: Option<f64>) -> String {
    let Standstill {
        thread: _,
        count,
        total_ns,
        longest,
        ..
    } = worst;
    let of_window = window_s.map_or_else(String::new, |s| format!(", window {s:.1} s"));
    format!(
        "{thread}: {}, {} in all{of_window}; the longest, {} from {:.2} s on: it {}. \
         Invalid from {} on, or from {} of the window on.",
        counted(*count, "gap"),
        seconds(*total_ns),
        seconds(longest.ns),
        longest.at.0 as f64 / 1e9,
        longest.cause.words(),
        seconds(STOOD_STILL_LONG_NS),
        percent(STOOD_STILL_SHARE),
    )
}

fn seconds(ns: i64) -> String {
    format!("{:.2} s", ns as f64 / 1e9)
}

fn advice(cause: GapCause) -> &'static str {
    match cause {
        GapCause::Suspended => {
            "Keep the machine awake while it measures (systemd-inhibit), and run again."
        }
        GapCause::Busy => "Use more --threads on more cores, or several clients, and run again.",
        GapCause::Throttled => {
            "Raise the CPU quota of the client's container, or take it away, and run again."
        }
        GapCause::Stolen => "Use a machine whose cores are not shared with others, and run again.",
        GapCause::Queued => {
            "Stop what else runs on this machine, or use fewer --threads than cores, and run again."
        }
        GapCause::Stopped => {
            "Run again without stopping the client (Ctrl-Z, a debugger, a frozen container), and with \
             memory enough that it does not swap."
        }
    }
}

/// Measured requests that were never sent, though nobody stopped the run.
pub(super) const NOT_SENT: Check = Check {
    code: "not-sent",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Warning),
    limit: None,
    test: not_sent,
};

fn not_sent(run: &Run, summary: &Summary) -> Option<Finding> {
    let measured = &summary.requests.measured;
    let progress = run.manifest.progress.as_ref()?;
    // Each of the two has a finding of its own.
    if progress.interrupted || measured.not_sent == measured.total {
        return None;
    }
    let reasons = summary.requests.reasons.iter();
    let ended = reasons.filter(|r| r.reason == Reason::SessionEnded);
    let turns: u64 = ended.map(|r| r.count).sum();
    let missed = measured.not_sent.saturating_sub(turns);
    (measured.not_sent > 0).then(|| {
        let severity = match missed {
            0 => Severity::Note,
            _ => Severity::Warning,
        };
        let advice = match missed {
            0 => "See why the turns before them failed; --sessions on-failure=continue sends them all the same.",
            _ => "Raise --max-connections or --timeout, or see why the client stood still.",
        };
        NOT_SENT.weighing(
            severity,
            "Measured requests were never sent: the server had less load than the plan says.",
            format!(
                "{} of {}; {} of them because an earlier turn of their session had failed.",
                count(measured.not_sent),
                counted(measured.total, "measured request"),
                count(turns)
            ),
            advice,
        )
    })
}

#[cfg(test)]
mod tests;
