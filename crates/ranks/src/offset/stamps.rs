//! The offset by the time stamps of the meeting place: each rank puts a file between two looks at its own clock and asks
//! when the place says that it was written. Two ranks beside one place are beside each other.
//!
//! It puts no file. Invariant: the bound holds however long the place took, and however coarse its stamps are.

use super::said::aged;
use crate::files::KeptStore;
use infermeter_core::run::{ClockOffset, OffsetSource};

const SECOND_NS: i64 = 1_000_000_000;

/// How coarse the stamps of file systems are that have fractions of seconds: kernels stamp files at their tick, 100 to
/// 1,000 times a second.
const TICK_NS: i64 = 10_000_000;

/// When a file was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// The own clock before, nanoseconds since the Unix epoch.
    pub before_ns: i64,
    /// What the place says.
    pub modified_ns: i64,
    /// The own clock after.
    pub after_ns: i64,
}

impl Stamp {
    /// The own clock minus that of the place. The file was written when the own clock was between the two looks, and that
    /// of the place between its stamp and the next one that it could have given.
    fn offset(&self) -> Option<KeptStore> {
        let resolution_ns = resolution_ns(self.modified_ns);
        let least = self
            .before_ns
            .checked_sub(self.modified_ns)?
            .checked_sub(resolution_ns)?;
        let most = self.after_ns.checked_sub(self.modified_ns)?;
        let width = most.checked_sub(least).filter(|width| *width >= 0)?;
        Some(KeptStore {
            offset_ns: least + width / 2,
            bound_ns: width / 2 + 1,
        })
    }
}

/// How coarse a stamp is: object stores and old file systems have whole seconds.
fn resolution_ns(modified_ns: i64) -> i64 {
    match modified_ns % SECOND_NS {
        0 => SECOND_NS,
        _ => TICK_NS,
    }
}

/// The own clock beside that of the place, by the best of several stamps.
pub(crate) fn beside(stamps: &[Stamp]) -> Option<KeptStore> {
    let offsets = stamps.iter().filter_map(Stamp::offset);
    offsets.min_by_key(|one| one.bound_ns)
}

/// The own clock beside that of another who looked at the same place `age_ns` ago.
pub(crate) fn stood(own: KeptStore, other: KeptStore, age_ns: i64) -> ClockOffset {
    ClockOffset {
        offset_ns: own.offset_ns.saturating_sub(other.offset_ns),
        bound_ns: own
            .bound_ns
            .saturating_add(other.bound_ns)
            .saturating_add(aged(age_ns)),
        by: OffsetSource::Store,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A file that a place with this clock has stamped, as one sees it whose clock is `ahead_ns` before it.
    fn stamp(at_ns: i64, ahead_ns: i64, took: [i64; 2], resolution_ns: i64) -> Stamp {
        Stamp {
            before_ns: at_ns + ahead_ns - took[0],
            modified_ns: at_ns / resolution_ns * resolution_ns,
            after_ns: at_ns + ahead_ns + took[1],
        }
    }

    proptest! {
        #[test]
        fn the_true_offset_is_within_the_bound(
            at_ns in 1_600_000_000_000_000_000_i64..1_900_000_000_000_000_000,
            ahead in [-5_000_000_000_000_i64..5_000_000_000_000, -5_000_000_000_000_i64..5_000_000_000_000],
            took in [0_i64..3_000_000_000, 0_i64..3_000_000_000],
            resolution_ns in prop_oneof![Just(1_i64), Just(4_000_000), Just(10_000_000), Just(SECOND_NS)],
        ) {
            let own = beside(&[stamp(at_ns, ahead[0], took, resolution_ns)]).expect("an offset");
            prop_assert!((own.offset_ns - ahead[0]).abs() <= own.bound_ns);
            let other = beside(&[stamp(at_ns, ahead[1], [took[1], took[0]], resolution_ns)]).expect("an offset");
            let both = stood(own, other, 0);
            prop_assert!((both.offset_ns - (ahead[0] - ahead[1])).abs() <= both.bound_ns);
            // Half of what both took, and the resolution.
            let expect = took[0] + took[1] + TICK_NS.max(resolution_ns);
            let whole = at_ns / resolution_ns * resolution_ns % SECOND_NS == 0;
            prop_assert!(both.bound_ns <= expect + 2 || whole, "{} {}", both.bound_ns, expect);
        }

        #[test]
        fn whatever_a_place_says_nothing_overflows(stamps in any::<[i64; 3]>()) {
            let [before_ns, modified_ns, after_ns] = stamps;
            let seen = beside(&[Stamp { before_ns, modified_ns, after_ns }]);
            prop_assert!(seen.is_none_or(|seen| seen.bound_ns > 0));
        }
    }

    #[test]
    fn the_quickest_of_several_counts() {
        let second = 1_700_000_000 * SECOND_NS;
        let at = second + 250_000_000;
        let slow = stamp(at, 0, [40_000_000, 40_000_000], 1);
        let quick = stamp(at, 0, [1_000_000, 1_000_000], 1);
        let seen = beside(&[slow, quick, slow]).expect("an offset");
        assert_eq!(seen.bound_ns, (2_000_000 + TICK_NS) / 2 + 1);
        // Whole seconds are taken for what they are.
        let whole = stamp(at, 0, [1_000_000, 1_000_000], SECOND_NS);
        let seen = beside(&[whole]).expect("an offset");
        assert_eq!(seen.bound_ns, (2_000_000 + SECOND_NS) / 2 + 1);
        // A clock that was set back between its two looks.
        assert_eq!(
            beside(&[Stamp {
                after_ns: at - 2 * SECOND_NS,
                ..quick
            }]),
            None
        );
        assert_eq!(beside(&[]), None);
    }
}
