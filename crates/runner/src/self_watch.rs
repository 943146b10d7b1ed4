//! A worker's look at itself: its CPU, its wait for a core, and the gaps in its own time.
//!
//! Each turn of a worker's loop costs a comparison; what needs a system call is read every
//! [`LOOK_NS`], and when a gap has been found. Does not know what was taken from the whole process
//! (`taken_watch` does).
//!
//! Invariant: a gap is time beyond the wait that the worker had asked for: merely waiting is none.

use infermeter_core::clock::{Offset, monotonic_ns, suspended_ns, thread_cpu_ns};
use infermeter_core::gap::{GAP_NS, Gap, GapCause, Gaps};
use infermeter_core::run::ThreadHealth;
use infermeter_sys::schedstat::Schedstat;

/// Time between two looks at what needs a system call: an eighth of what is no gap yet, so that most
/// of what a look finds belongs to the gap; 2 us each.
const LOOK_NS: i64 = GAP_NS / 8;

/// Totals of the calling thread at one instant, nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Totals {
    cpu: i64,
    /// Runnable and without a core; absent where the kernel does not say.
    queued: Option<i64>,
    /// The machine slept.
    suspended: i64,
}

/// CPU, run-queue wait, wall time and gaps of the calling thread from its start on.
#[derive(Debug)]
pub(crate) struct SelfWatch {
    schedstat: Option<Schedstat>,
    wall: i64,
    start: Totals,
    turns: Turns,
}

/// The loop's turns, as far as gaps need them.
#[derive(Debug)]
struct Turns {
    /// When the present turn should be over.
    due: Offset,
    looked_at: Offset,
    looked: Totals,
    gaps: Gaps,
}

impl SelfWatch {
    /// Begins at `now`.
    pub(crate) fn start(now: Offset) -> Self {
        let schedstat = Schedstat::of_this_thread();
        let start = totals(schedstat.as_ref());
        Self {
            schedstat,
            wall: monotonic_ns(),
            start,
            turns: Turns {
                due: now,
                looked_at: now,
                looked: start,
                gaps: Gaps::default(),
            },
        }
    }

    /// A turn of the loop begins.
    pub(crate) fn turn(&mut self, now: Offset) {
        if self.turns.wants_look(now) {
            self.turns.look(now, totals(self.schedstat.as_ref()));
        }
    }

    /// The turn is to be over at `due`.
    pub(crate) fn waits_until(&mut self, due: Offset) {
        self.turns.due = due;
    }

    pub(crate) fn health(&self, counters: &ThreadHealth, bodies_late: u64) -> ThreadHealth {
        let end = totals(self.schedstat.as_ref());
        let queued = end.queued.zip(self.start.queued);
        ThreadHealth {
            cpu_ns: end.cpu - self.start.cpu,
            wall_ns: monotonic_ns() - self.wall,
            run_queue_wait_ns: queued.map(|(end, start)| end - start),
            bodies_late,
            gaps: self.turns.gaps.clone(),
            ..counters.clone()
        }
    }
}

fn totals(schedstat: Option<&Schedstat>) -> Totals {
    Totals {
        cpu: thread_cpu_ns(),
        queued: schedstat.and_then(Schedstat::run_queue_wait_ns),
        suspended: suspended_ns(),
    }
}

impl Turns {
    /// A gap may have ended at `now`, or the last look is too long ago to tell what one went into.
    fn wants_look(&self, now: Offset) -> bool {
        now.since(self.looked_at) >= LOOK_NS
    }

    fn look(&mut self, now: Offset, totals: Totals) {
        let late = now.since(self.due).max(0);
        let suspended = (totals.suspended - self.looked.suspended).max(0);
        let ns = late + suspended;
        if ns >= GAP_NS {
            let queued = totals.queued.zip(self.looked.queued);
            let spent = |part: i64| part >= ns / 2;
            let cause = if spent(suspended) {
                GapCause::Suspended
            } else if spent(totals.cpu - self.looked.cpu) {
                GapCause::Busy
            } else if queued.is_some_and(|(now, then)| spent(now - then)) {
                GapCause::Queued
            } else {
                GapCause::Stopped
            };
            let at = self.due;
            self.gaps.push(Gap { at, ns, cause });
        }
        (self.looked_at, self.looked) = (now, totals);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// A loop that waited from 1,000 ms to 1,010 ms and came back at `back`, having spent this.
    fn check(back_ms: i64, (cpu, queued, suspended): (i64, Option<i64>, i64)) -> Vec<Gap> {
        let mut turns = Turns {
            due: Offset(1_010 * MS),
            looked_at: Offset(995 * MS),
            looked: Totals {
                cpu: 7 * MS,
                queued: queued.map(|_| 3 * MS),
                suspended: 40_000 * MS,
            },
            gaps: Gaps::default(),
        };
        let now = Offset(back_ms * MS);
        if turns.wants_look(now) {
            let totals = Totals {
                cpu: (7 + cpu) * MS,
                queued: queued.map(|q| (3 + q) * MS),
                suspended: (40_000 + suspended) * MS,
            };
            turns.look(now, totals);
        }
        turns.gaps.listed
    }

    fn gap(ms: i64, cause: GapCause) -> Vec<Gap> {
        let (at, ns) = (Offset(1_010 * MS), ms * MS);
        vec![Gap { at, ns, cause }]
    }

    #[test]
    fn merely_waiting_is_no_gap() {
        assert_eq!(check(1_010, (0, Some(0), 0)), []);
        assert_eq!(check(1_109, (0, Some(0), 0)), []);
    }

    #[test]
    fn what_a_gap_went_into_is_told() {
        let (stopped, busy) = (GapCause::Stopped, GapCause::Busy);
        assert_eq!(check(1_110, (0, Some(0), 0)), gap(100, stopped));
        assert_eq!(check(4_010, (1, None, 0)), gap(3_000, stopped));
        assert_eq!(check(1_210, (150, Some(0), 0)), gap(200, busy));
        assert_eq!(check(1_210, (10, Some(150), 0)), gap(200, GapCause::Queued));
    }

    #[test]
    fn a_machine_that_slept_is_found_on_the_boot_clock() {
        let slept = gap(8_000, GapCause::Suspended);
        assert_eq!(check(1_010, (0, Some(0), 8_000)), slept);
    }
}
