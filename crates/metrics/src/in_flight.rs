//! Requests in flight over the window, from the records: the batch this load implied.

use crate::facts::RequestFacts;
use infermeter_core::clock::Offset;
use infermeter_core::run::Window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Requests between `send_start` and `closed`, all phases and outcomes, weighted by time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InFlight {
    /// Time average over the window, requests.
    pub mean: f64,
    /// Requests: exceeded during at most 1 % of the window's time.
    pub p99: u64,
    /// Most requests at any instant.
    pub max: u64,
}

/// Sweeps over the window. A request without `closed` is in flight to the window's end.
pub fn in_flight(records: &[RequestFacts], window: Window) -> InFlight {
    let mut steps = steps_in(records, window);
    // At one instant ends come before starts: [start, closed) intervals.
    steps.sort_unstable();
    let mut time_at: Vec<i64> = Vec::new();
    let mut level: usize = 0;
    let mut last = window.start;
    for (at, step) in steps.into_iter().chain([(window.end, 0)]) {
        if time_at.len() <= level {
            time_at.resize(level + 1, 0);
        }
        time_at[level] += at.since(last);
        level = level.saturating_add_signed(step);
        last = at;
    }
    weigh(&time_at, window)
}

/// Starts (+1) and ends (-1), clipped to the window.
fn steps_in(records: &[RequestFacts], window: Window) -> Vec<(Offset, isize)> {
    let mut steps = Vec::with_capacity(records.len() * 2);
    for record in records {
        let Some(start) = record.send_start else {
            continue;
        };
        let end = record.closed.unwrap_or(window.end);
        if end <= window.start || start >= window.end || end <= start {
            continue;
        }
        steps.push((start.max(window.start), 1));
        if end < window.end {
            steps.push((end, -1));
        }
    }
    steps
}

/// Mean, p99 and maximum from the time spent at each level.
fn weigh(time_at: &[i64], window: Window) -> InFlight {
    let total = window.end.since(window.start);
    let mut result = InFlight::default();
    let mut below: i128 = 0;
    let mut reached = false;
    for (level, time) in time_at.iter().enumerate().filter(|(_, t)| **t > 0) {
        result.mean += level as f64 * *time as f64 / total as f64;
        result.max = level as u64;
        below += i128::from(*time);
        if !reached && below * 100 >= i128::from(total) * 99 {
            result.p99 = level as u64;
            reached = true;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{InFlight, in_flight};
    use crate::fixture::{Run, facts, ms};

    #[test]
    fn overlapping_requests_by_hand() {
        let mut run = Run::open(1.0, 10);
        // In flight 0..1 s and 0.5..1.5 s of 10 s: mean 0.2, two at once for 5 % of the time.
        run.stream(0, ms(500), ms(500), 2).closes_after(ms(0));
        run.stream(500, ms(500), ms(500), 2).closes_after(ms(0));
        // Reaches out of the window on both sides.
        run.warmup_stream(-1_000, ms(500), ms(11_500), 2);
        let log = run.build();
        let found = in_flight(
            &facts(&log).requests,
            log.manifest.window.expect("a window"),
        );
        assert!((found.mean - 1.2).abs() < 1e-9);
        let expect = InFlight {
            mean: found.mean,
            p99: 3,
            max: 3,
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn nothing_sent_is_nothing_in_flight() {
        let log = Run::open(1.0, 10).build();
        let window = log.manifest.window.expect("a window");
        assert_eq!(
            in_flight(&facts(&log).requests, window),
            InFlight::default()
        );
    }
}
