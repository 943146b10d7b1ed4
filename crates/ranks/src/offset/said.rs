//! The offset by what hosts say of their own clocks: that both are one, or how far off each is at most.
//!
//! Nothing is measured between the two. Invariant: what is not said is absent.

use crate::files::KeptDiscipline;
use infermeter_core::run::{ClockOffset, OffsetSource, RankFacts};

/// Most by which a kernel lets a clock run wrong or be slewed, parts in a million (`MAXFREQ` of Linux, as of the reference
/// implementation of RFC 5905).
const MOST_PPM: i64 = 500;

/// What a kernel may lack of its bound: it adds the above to it once a second.
const UPDATE_NS: i64 = 1_000 * MOST_PPM;

/// How long ago another clock showed an instant at most, nanoseconds, that is `seen_ns` before what the own one shows: as
/// it looks, and as it is where the two are as far apart as was measured.
pub(crate) fn age(seen_ns: i64, measured: &[ClockOffset]) -> i64 {
    let is = |offset: &ClockOffset| {
        let ns = seen_ns.saturating_sub(offset.offset_ns);
        ns.saturating_add(offset.bound_ns)
    };
    measured
        .iter()
        .map(is)
        .fold(seen_ns.max(0), |most, ns| most.max(ns))
}

/// By what two clocks can have moved apart in a time.
pub(crate) fn aged(age_ns: i64) -> i64 {
    // Each may have moved.
    2 * (age_ns.max(0) / 1_000_000).saturating_mul(MOST_PPM)
}

/// Both processes read the clock of one kernel. (Containers may have a monotonic clock of their own, and none has another
/// wall clock.)
pub(crate) fn same_kernel(own: &RankFacts, other: &RankFacts) -> Option<ClockOffset> {
    let same = own.machine.is_some() && own.machine == other.machine;
    same.then_some(ClockOffset {
        offset_ns: 0,
        bound_ns: 0,
        by: OffsetSource::SameKernel,
    })
}

/// How this host keeps its clock; `None` where nobody does, or the kernel does not say.
pub(crate) fn discipline() -> Option<KeptDiscipline> {
    let seen = infermeter_sys::discipline::discipline().ok()?;
    seen.synchronised.then(|| KeptDiscipline {
        bound_ns: seen
            .bound_us
            .clamp(0, 1_000_000_000_000)
            .saturating_mul(1_000)
            .saturating_add(UPDATE_NS),
    })
}

/// The offset of two clocks that services keep: none, as far as both are right. What each can be off by is the kernel's
/// `maxerror` (the root synchronisation distance of RFC 5905, section 11.2, as the service hands it over); the other's
/// was said `age_ns` ago.
pub(crate) fn stands(own: KeptDiscipline, other: KeptDiscipline, age_ns: i64) -> ClockOffset {
    ClockOffset {
        offset_ns: 0,
        bound_ns: own
            .bound_ns
            .saturating_add(other.bound_ns)
            .saturating_add(aged(age_ns)),
        by: OffsetSource::Ntp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::facts;

    #[test]
    fn one_boot_is_one_clock() {
        let on = |machine: Option<&str>| RankFacts {
            machine: machine.map(str::to_owned),
            ..facts(1, 2)
        };
        let same = same_kernel(&on(Some("a")), &on(Some("a"))).expect("one kernel");
        assert_eq!((same.offset_ns, same.bound_ns), (0, 0));
        assert_eq!(same_kernel(&on(Some("a")), &on(Some("b"))), None);
        assert_eq!(same_kernel(&on(None), &on(None)), None);
    }

    #[test]
    fn an_age_is_not_shortened_by_the_offset_that_is_looked_for() {
        let measured = |offset_s: i64| {
            [ClockOffset {
                offset_ns: offset_s * 1_000_000_000,
                bound_ns: 5,
                by: OffsetSource::Ping,
            }]
        };
        let seconds = |n: i64| n * 1_000_000_000;
        // Ten seconds ago, by clocks that are one.
        assert_eq!(age(seconds(10), &[]), seconds(10));
        assert_eq!(age(seconds(10), &measured(0)), seconds(10) + 5);
        // The own clock is an hour behind, and an hour ahead.
        assert_eq!(age(seconds(10 - 3_600), &measured(-3_600)), seconds(10) + 5);
        assert_eq!(age(seconds(10 + 3_600), &measured(3_600)), seconds(3_610));
        assert_eq!(age(-5, &[]), 0);
        assert_eq!(age(i64::MAX, &measured(-1)), i64::MAX);
    }

    #[test]
    fn what_hosts_say_adds_up_and_ages() {
        let kept = |bound_ns: i64| KeptDiscipline { bound_ns };
        let now = stands(kept(2_000_000), kept(3_000_000), 0);
        assert_eq!((now.offset_ns, now.bound_ns), (0, 5_000_000));
        // A second later each may have moved by half a millisecond.
        let later = stands(kept(2_000_000), kept(3_000_000), 1_000_000_000);
        assert_eq!(later.bound_ns, 6_000_000);
        // A clock that is behind says it in the future.
        assert_eq!(stands(kept(1), kept(1), -5).bound_ns, 2);
        assert_eq!(
            stands(kept(i64::MAX), kept(i64::MAX), i64::MAX).bound_ns,
            i64::MAX
        );
    }
}
