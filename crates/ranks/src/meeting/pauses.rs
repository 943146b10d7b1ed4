//! Waiting for others: pauses that grow, an end, and signals.
//!
//! Invariant: who waits looks at least twice a second, and never longer than it was asked to.

use super::MeetingError;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::units::Span;
use infermeter_sys::signals;
use std::thread;
use std::time::Duration;

/// The first pause: what a local folder needs to show a file is far less.
const FIRST: Duration = Duration::from_millis(20);
/// The longest: an object store bills each look.
const LONGEST: Duration = Duration::from_millis(500);

/// A wait for others.
#[derive(Debug)]
pub(super) struct Wait {
    until_ns: i64,
    pause: Duration,
}

impl Wait {
    /// One that may last so long.
    pub(super) fn of(timeout: Span) -> Self {
        Self {
            until_ns: monotonic_ns().saturating_add(timeout.ns()),
            pause: FIRST,
        }
    }

    /// Lets it last as long from now on, if that is longer.
    pub(super) fn extend(&mut self, timeout: Span) {
        self.until_ns = self
            .until_ns
            .max(monotonic_ns().saturating_add(timeout.ns()));
    }

    /// It has lasted as long as it may.
    pub(super) fn is_over(&self) -> bool {
        monotonic_ns() >= self.until_ns
    }

    /// Waits a little, before the next look.
    ///
    /// # Errors
    /// When a signal came.
    pub(super) fn pause(&mut self) -> Result<(), MeetingError> {
        let left = self.until_ns.saturating_sub(monotonic_ns()).max(0);
        thread::sleep(self.pause.min(Duration::from_nanos(left.unsigned_abs())));
        self.pause = longer(self.pause);
        match signals::count() {
            0 => Ok(()),
            _ => Err(MeetingError::Interrupted),
        }
    }
}

/// The pause after one.
fn longer(pause: Duration) -> Duration {
    (pause * 3 / 2).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_second() {
        let pauses: Vec<Duration> =
            std::iter::successors(Some(FIRST), |pause| Some(longer(*pause)))
                .take(20)
                .collect();
        assert!(pauses.is_sorted());
        assert_eq!(pauses[1], Duration::from_millis(30));
        assert_eq!(pauses.last(), Some(&LONGEST));
        // They are longest after a second.
        let grown: Duration = pauses.iter().take_while(|pause| **pause < LONGEST).sum();
        assert!(grown < Duration::from_millis(1_500), "{grown:?}");
    }

    #[test]
    fn a_wait_has_an_end_that_may_be_put_off() {
        let mut wait = Wait::of(Span(0));
        assert!(wait.is_over());
        wait.extend(Span::seconds(3_600));
        assert!(!wait.is_over());
        wait.extend(Span(0));
        assert!(!wait.is_over());
        assert!(!Wait::of(Span(i64::MAX)).is_over());
    }
}
