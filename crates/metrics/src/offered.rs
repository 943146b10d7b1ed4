//! The load that was offered: what was due inside the window, what was sent, and when.

use crate::facts::RequestFacts;
use crate::failures::is_interrupted;
use crate::population::Population;
use infermeter_core::record::Reason;
use infermeter_core::run::Window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A request due at the very end of the window counts as sent inside it up to this much later,
/// nanoseconds: a request sent on time is not undelivered load.
const EDGE_GRACE_NS: i64 = 5_000_000;

/// Requests due and sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Offered {
    /// Measured requests; those that a signal, the failure of an earlier turn, or a server that could not
    /// be reached kept from being sent are not counted.
    pub measured: u64,
    /// Of those, sent before the window ended (up to 5 ms after it).
    pub measured_sent_inside: u64,
    /// Requests of any phase due inside the window.
    pub due_inside: u64,
    /// Requests of any phase sent inside the window.
    pub sent_inside: u64,
    /// Length of the window, seconds.
    pub window_s: f64,
}

impl Offered {
    /// `measured_sent_inside` / `measured`; absent without measured requests.
    pub fn sent_share(&self) -> Option<f64> {
        (self.measured > 0).then(|| self.measured_sent_inside as f64 / self.measured as f64)
    }

    /// Sends per second inside the window.
    pub fn sent_per_second(&self) -> f64 {
        self.sent_inside as f64 / self.window_s
    }

    /// Requests due per second inside the window: the schedule's realised rate.
    pub fn due_per_second(&self) -> f64 {
        self.due_inside as f64 / self.window_s
    }
}

/// Counts what was due and what was sent.
pub fn offered(requests: &[RequestFacts], population: &Population<'_>, window: Window) -> Offered {
    let mut result = Offered {
        window_s: window.seconds(),
        ..Offered::default()
    };
    let edge = window.end.plus(EDGE_GRACE_NS);
    for record in population.records() {
        let given_up = is_interrupted(record.outcome, record.reason)
            || matches!(
                record.reason,
                Some(Reason::SessionEnded | Reason::ConnectBackoff)
            );
        if record.send_start.is_none() && given_up {
            continue;
        }
        result.measured += 1;
        result.measured_sent_inside += u64::from(record.send_start.is_some_and(|s| s < edge));
    }
    for record in requests {
        result.due_inside += u64::from(window.contains(record.intended));
        let sent = record.send_start.is_some_and(|s| window.contains(s));
        result.sent_inside += u64::from(sent);
    }
    result
}

/// Intended instants inside the window, ascending, nanoseconds: what the realised CV and index of
/// dispersion of arrivals are computed from. Requests that waited for an answer are no arrivals.
pub fn due_instants_ns(requests: &[RequestFacts], window: Window) -> Vec<i64> {
    let requests = requests.iter();
    let inside = requests.filter(|r| r.parent.is_none() && window.contains(r.intended));
    let mut instants: Vec<i64> = inside.map(|r| r.intended.0).collect();
    instants.sort_unstable();
    instants
}

#[cfg(test)]
mod tests {
    use super::{due_instants_ns, offered};
    use crate::fixture::{Run, facts, ms};
    use crate::population::Population;

    #[test]
    fn what_was_due_and_what_was_sent() {
        let mut run = Run::open(1.0, 10);
        // Due before the window, sent inside.
        run.warmup_stream(-10, ms(20), ms(10), 2).late(ms(20));
        run.stream(1_000, ms(20), ms(10), 2);
        // Due inside, sent after the window; and one due at the last moment.
        run.stream(9_000, ms(20), ms(10), 2).late(ms(1_500));
        run.stream(9_999, ms(20), ms(10), 2).late(ms(2));
        let log = run.build();
        let window = log.manifest.window.expect("a window");
        let run = facts(&log);
        let found = offered(&run.requests, &Population::of(&run), window);
        assert_eq!((found.measured, found.measured_sent_inside), (3, 2));
        assert_eq!((found.due_inside, found.sent_inside), (3, 2));
        assert_eq!(found.sent_share(), Some(2.0 / 3.0));
        assert_eq!(due_instants_ns(&run.requests, window).len(), 3);
    }
}
