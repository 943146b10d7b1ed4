//! What was taken from the whole process while it ran, by its cgroup's quota or by the hypervisor: the
//! main thread looks once a second, and gaps of workers get their causes from it at the end.
//!
//! Invariant: only stretches in which something was taken are kept, [`MAX_STRETCHES`] at most.

use infermeter_core::clock::Offset;
use infermeter_core::gap::{GAP_NS, Gap, GapCause};
use infermeter_core::run::ThreadHealth;
use infermeter_sys::taken::{Taken, TakenFiles};

/// More is no help: a run that was throttled for an hour is not in doubt.
const MAX_STRETCHES: usize = 4_096;

/// A time in which something was taken.
#[derive(Debug)]
struct Stretch {
    from: Offset,
    until: Offset,
    taken: Taken,
}

/// The looks so far.
#[derive(Debug)]
pub(crate) struct TakenWatch {
    files: TakenFiles,
    last: (Offset, Taken),
    stretches: Vec<Stretch>,
}

impl TakenWatch {
    pub(crate) fn start(now: Offset) -> Self {
        let files = TakenFiles::find();
        Self {
            last: (now, files.look()),
            files,
            stretches: Vec::new(),
        }
    }

    /// Looks again.
    pub(crate) fn look(&mut self, now: Offset) {
        let taken = self.files.look();
        self.note(now, taken);
    }

    fn note(&mut self, now: Offset, total: Taken) {
        let (from, before) = std::mem::replace(&mut self.last, (now, total));
        let taken = Taken {
            throttled_ns: total.throttled_ns - before.throttled_ns,
            stolen_ns: total.stolen_ns - before.stolen_ns,
        };
        let most = taken.throttled_ns.max(taken.stolen_ns);
        if most >= GAP_NS / 2 && self.stretches.len() < MAX_STRETCHES {
            self.stretches.push(Stretch {
                from,
                until: now,
                taken,
            });
        }
    }

    /// Says of gaps in which the thread did not run by itself whether that was taken from it.
    pub(crate) fn explain(&self, health: &mut ThreadHealth) {
        for gap in &mut health.gaps.listed {
            if matches!(gap.cause, GapCause::Queued | GapCause::Stopped) {
                gap.cause = self.cause_of(gap);
            }
        }
    }

    fn cause_of(&self, gap: &Gap) -> GapCause {
        let end = gap.at.plus(gap.ns);
        let inside = |s: &&Stretch| s.from < end && s.until > gap.at;
        let (mut throttled, mut stolen) = (0, 0);
        for stretch in self.stretches.iter().filter(inside) {
            throttled += stretch.taken.throttled_ns;
            stolen += stretch.taken.stolen_ns;
        }
        if throttled >= gap.ns / 2 {
            GapCause::Throttled
        } else if stolen >= gap.ns / 2 {
            GapCause::Stolen
        } else {
            gap.cause
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::gap::Gaps;

    const SECOND: i64 = 1_000_000_000;

    /// The cause of a gap of a second at 10 s, before which this had been taken.
    fn check((throttled_ns, stolen_ns): (i64, i64), cause: GapCause) -> GapCause {
        let mut watch = TakenWatch::start(Offset(0));
        watch.last = (Offset(0), Taken::default());
        let at = |seconds: i64| Offset(seconds * SECOND);
        watch.note(at(9), Taken::default());
        let taken = Taken {
            throttled_ns,
            stolen_ns,
        };
        watch.note(at(11), taken);
        watch.note(at(12), taken);
        let mut health = ThreadHealth::default();
        let (at, ns) = (at(10), SECOND);
        health.gaps = Gaps::default();
        health.gaps.push(Gap { at, ns, cause });
        watch.explain(&mut health);
        health.gaps.listed[0].cause
    }

    #[test]
    fn what_was_taken_explains_what_the_thread_cannot() {
        let (queued, stopped) = (GapCause::Queued, GapCause::Stopped);
        assert_eq!(check((0, 0), queued), queued);
        assert_eq!(check((SECOND, 0), queued), GapCause::Throttled);
        assert_eq!(check((0, SECOND), stopped), GapCause::Stolen);
        assert_eq!(check((SECOND / 10, SECOND / 10), stopped), stopped);
        assert_eq!(check((SECOND, 0), GapCause::Busy), GapCause::Busy);
    }
}
