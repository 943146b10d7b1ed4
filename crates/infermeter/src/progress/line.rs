//! A snapshot as one line: with a bar for a terminal, plain for a log.
//!
//! Invariant: what matters most stands in front, since a terminal cuts the rest.

use super::{phase, share};
use infermeter_analysis::checks::SEND_LAG;
use infermeter_core::finding::QUESTIONABLE_FRACTION;
use infermeter_core::number::count;
use infermeter_report::number;
use infermeter_runner::progress::Snapshot;

/// Cells of the bar.
const BAR: usize = 10;

/// What a second press does, once the first one was heard.
pub(super) const SECOND_PRESS: &str = "Ctrl-C again cancels what is in flight and ends now";

/// ` 41 % [████░░░░░░] measuring, 18 s left  TTFT p50 41.2 ms ...`.
pub(super) fn bar(s: &Snapshot, tokens_per_s: Option<f64>) -> String {
    if s.stopping {
        return stopping(s);
    }
    let bar = share(s).map(|share| {
        let full = ((share * BAR as f64) as usize).min(BAR);
        let (full, empty) = ("█".repeat(full), "░".repeat(BAR - full));
        format!("{:3.0} % [{full}{empty}] ", (share * 100.0).floor())
    });
    let mut parts = vec![bar.unwrap_or_default() + &phase_and_left(s)];
    parts.extend(failures(s));
    parts.extend(late(s));
    parts.extend(ttft(s));
    parts.extend(tokens_per_s.map(tokens));
    parts.push(format!("{} in flight", count(s.in_flight)));
    parts.push(format!("{} done", count(s.done)));
    parts.join("  ")
}

/// `  12.3s   41 %  measuring, 18 s left  sent 120 ...`.
pub(super) fn plain(s: &Snapshot, tokens_per_s: Option<f64>) -> String {
    let seconds = s.elapsed.0.max(0) as f64 / 1e9;
    if s.stopping {
        return format!("{seconds:6.1}s  {}", stopping(s));
    }
    let share = share(s).map(|share| format!("{:3.0} %", (share * 100.0).floor()));
    let mut parts = vec![format!("{seconds:6.1}s")];
    parts.extend(share);
    parts.push(phase_and_left(s));
    parts.push(format!("sent {}", count(s.sent)));
    parts.push(format!("in flight {}", count(s.in_flight)));
    parts.push(format!("done {}", count(s.done)));
    parts.extend(failures(s));
    parts.extend(late(s));
    parts.extend(tokens_per_s.map(tokens));
    parts.extend(ttft(s));
    parts.join("  ")
}

/// Fits a terminal of 80 columns.
fn stopping(s: &Snapshot) -> String {
    format!("stopping, {} in flight; {SECOND_PRESS}", count(s.in_flight))
}

/// `measuring, 18 s left`.
pub(super) fn phase_and_left(s: &Snapshot) -> String {
    let left = s.left_s.filter(|left| *left > 0.0);
    match left {
        Some(left) => format!("{}, {} left", phase(s), span(left.ceil())),
        None => phase(s).to_owned(),
    }
}

/// `failed 3: http_status 2, disconnected 1`; nothing where nothing failed.
pub(super) fn failures(s: &Snapshot) -> Option<String> {
    let reasons = s.failed_by.iter();
    let reasons: Vec<String> = reasons
        .map(|failed| format!("{} {}", failed.reason.as_str(), count(failed.count)))
        .collect();
    (s.failed > 0).then(|| format!("failed {}: {}", count(s.failed), reasons.join(", ")))
}

/// `sent late: p99 61.4 ms`; nothing where the client keeps up.
fn late(s: &Snapshot) -> Option<String> {
    questionable_lag(s).map(|lag| format!("sent late: p99 {}", time(lag)))
}

/// The p99 of the send lag, milliseconds, where it spoils the result, from a hundred requests on.
pub(super) fn questionable_lag(s: &Snapshot) -> Option<f64> {
    let limit = SEND_LAG.limit.unwrap_or_default() * QUESTIONABLE_FRACTION;
    s.send_lag.at_share(0.99).filter(|lag| *lag > limit)
}

/// `TTFT p50 41.2 ms, p99 120 ms`; the p99 from a hundred requests on.
fn ttft(s: &Snapshot) -> Option<String> {
    let p50 = s.ttft.at_share(0.5)?;
    let p99 = s.ttft.at_share(0.99);
    let p99 = p99.map_or_else(String::new, |ms| format!(", p99 {}", time(ms)));
    Some(format!("TTFT p50 {}{p99}", time(p50)))
}

fn tokens(per_s: f64) -> String {
    format!("{} tokens/s", number::significant(per_s))
}

/// Lines of progress are not wrapped.
pub(super) fn time(ms: f64) -> String {
    number::time(ms).replace(number::JOIN, " ")
}

fn span(seconds: f64) -> String {
    number::span(seconds).replace(number::JOIN, " ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use infermeter_core::clock::Offset;
    use infermeter_core::record::Reason;
    use infermeter_core::schedule::Phase;
    use infermeter_runner::progress::{FailedBy, Times};

    /// In the middle of a run.
    pub(in crate::progress) fn snapshot() -> Snapshot {
        Snapshot {
            elapsed: Offset(12_340_000_000),
            phase: Phase::Measure,
            stopping: false,
            left_s: Some(17.7),
            due: Some(121),
            sent: 120,
            in_flight: 7,
            done: 112,
            failed: 1,
            failed_by: vec![FailedBy {
                reason: Reason::HttpStatus,
                count: 1,
            }],
            chunks: 5_000,
            tokens_per_chunk: None,
            ttft: Times::default(),
            send_lag: Times::default(),
            cpu_ns: 0,
        }
    }

    #[test]
    fn a_line_says_what_goes_on() {
        assert_eq!(
            plain(&snapshot(), Some(405.3)),
            "  12.3s   41 %  measuring, 18 s left  sent 120  in flight 7  done 112  \
             failed 1: http_status 1  405 tokens/s"
        );
        assert_eq!(
            bar(&snapshot(), Some(405.3)),
            " 41 % [████░░░░░░] measuring, 18 s left  failed 1: http_status 1  405 tokens/s  \
             7 in flight  112 done"
        );
    }

    #[test]
    fn a_client_that_falls_behind_is_seen() {
        // All in the class of 2^16 microseconds.
        let mut counts = vec![0; 16 * 16 + 1];
        counts[16 * 16] = 100;
        let behind = Snapshot {
            failed: 0,
            send_lag: serde_json::from_value(counts.into()).expect("counts"),
            ..snapshot()
        };
        let line = plain(&behind, None);
        assert!(line.contains("done 112  sent late: p99 67.6 ms"), "{line}");
        let line = bar(&behind, None);
        assert!(line.contains("18 s left  sent late: p99 67.6 ms"), "{line}");
    }

    #[test]
    fn who_stops_is_told_what_a_second_press_does() {
        let stopping = Snapshot {
            stopping: true,
            ..snapshot()
        };
        assert_eq!(
            bar(&stopping, None),
            "stopping, 7 in flight; Ctrl-C again cancels what is in flight and ends now"
        );
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let early = Snapshot {
            left_s: None,
            failed: 0,
            failed_by: Vec::new(),
            phase: Phase::Warmup,
            ..snapshot()
        };
        assert_eq!(bar(&early, None), "warm-up  7 in flight  112 done");
    }
}
