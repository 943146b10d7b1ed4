//! Whether a connection may carry a second request, learnt from what becomes of those that were kept
//! after an answer: some servers promise to keep them and close each one all the same.
//!
//! It closes nothing and reads no clock.
//!
//! Invariant: connections that went together (a restart) count once, and a second answer on any
//! connection shows that the server keeps its promise.

use infermeter_core::clock::Offset;

/// What is known of a server before its first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// Connections are kept until it turns out that they do not last.
    Tried,
    /// The same, and one did not.
    Doubted,
    /// They do not last: each is closed after its answer.
    Never,
}

/// Connections in a row, each closed after an answer, that make it a habit.
const HABIT: u32 = 2;
/// A connection that was closed within this time of its answer was closed because of it. Servers that
/// close what is idle wait for seconds.
pub(crate) const AFTER_ANSWER_NS: i64 = 500_000_000;

/// The learning.
#[derive(Debug)]
pub(crate) struct ReuseHabit {
    known: Reuse,
    closed: u32,
    /// When the last one that counts was found closed.
    found_at: Offset,
}

impl Reuse {
    /// After so many probes whose connections were closed behind their answers.
    pub fn after(closed: u32) -> Self {
        match closed {
            0 => Self::Tried,
            1 => Self::Doubted,
            HABIT.. => Self::Never,
        }
    }
}

impl ReuseHabit {
    pub(crate) fn new(known: Reuse) -> Self {
        Self {
            known,
            closed: u32::from(known == Reuse::Doubted),
            found_at: Offset(i64::MIN),
        }
    }

    /// No connection lasts.
    pub(crate) fn is_single(&self) -> bool {
        self.known == Reuse::Never
    }

    /// A connection whose answer ended at `idle_since` was found closed by the server.
    pub(crate) fn closed_after_answer(&mut self, idle_since: Offset, now: Offset) {
        if idle_since <= self.found_at {
            return;
        }
        self.found_at = now;
        self.closed += 1;
        if self.closed >= HABIT {
            self.known = Reuse::Never;
        }
    }

    /// A connection has carried another answer.
    pub(crate) fn reused(&mut self) {
        self.closed = 0;
    }

    /// The clock's origin has moved.
    pub(crate) fn shift(&mut self, by: i64) {
        self.found_at = Offset(self.found_at.0.saturating_add(by));
    }
}

#[cfg(test)]
mod tests {
    use super::{Reuse, ReuseHabit};
    use infermeter_core::clock::Offset;

    #[test]
    fn twice_in_a_row_is_a_habit() {
        let mut habit = ReuseHabit::new(Reuse::Tried);
        habit.closed_after_answer(Offset(10), Offset(11));
        assert!(!habit.is_single());
        habit.reused();
        habit.closed_after_answer(Offset(20), Offset(21));
        assert!(!habit.is_single());
        habit.closed_after_answer(Offset(30), Offset(31));
        assert!(habit.is_single());
        let mut doubted = ReuseHabit::new(Reuse::Doubted);
        assert!(!doubted.is_single());
        doubted.closed_after_answer(Offset(10), Offset(11));
        assert!(doubted.is_single());
    }

    #[test]
    fn connections_that_went_together_count_once() {
        let mut habit = ReuseHabit::new(Reuse::Tried);
        for idle_since in 1..50 {
            habit.closed_after_answer(Offset(idle_since), Offset(60));
        }
        assert!(!habit.is_single());
    }
}
