//! How the own wall clock stands to that of rank 0, by every way that there is, each with a bound.
//!
//! It sets no clock and judges no offset. A bound is what the true offset cannot be beyond: measured by messages or stamps
//! it holds whatever the network did; said by the hosts it is as good as what they say. Invariant: an offset is the own
//! clock minus the other one.

mod message;
mod ping;
mod said;
mod stamps;

pub(crate) use message::{Message, Token};
pub(crate) use ping::{Answerer, ask};
pub(crate) use said::{age, discipline, same_kernel, stands};
pub(crate) use stamps::{Stamp, beside, stood};

use infermeter_core::run::{ClockOffset, OffsetSource};

/// The best of several estimates: that with the smallest bound. What hosts merely say of their clocks counts only as far
/// as nothing measured excludes it.
pub(crate) fn best(all: &[ClockOffset]) -> Option<ClockOffset> {
    let holds = |one: &&ClockOffset| {
        is_measured(one)
            || all
                .iter()
                .filter(|other| is_measured(other))
                .all(|other| agree(one, other))
    };
    all.iter()
        .filter(holds)
        .min_by_key(|one| one.bound_ns)
        .copied()
}

fn is_measured(one: &ClockOffset) -> bool {
    match one.by {
        OffsetSource::Ping | OffsetSource::Store => true,
        OffsetSource::SameKernel | OffsetSource::Ntp => false,
    }
}

/// Some offset is within the bounds of both.
fn agree(one: &ClockOffset, other: &ClockOffset) -> bool {
    let apart = one.offset_ns.abs_diff(other.offset_ns);
    apart
        <= one
            .bound_ns
            .unsigned_abs()
            .saturating_add(other.bound_ns.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(by: OffsetSource, offset_ns: i64, bound_ns: i64) -> ClockOffset {
        ClockOffset {
            offset_ns,
            bound_ns,
            by,
        }
    }

    #[test]
    fn the_smallest_bound_wins_unless_what_was_measured_excludes_it() {
        use OffsetSource::{Ntp, Ping, SameKernel, Store};
        let check = |all: &[ClockOffset], expect: Option<OffsetSource>| {
            assert_eq!(best(all).map(|one| one.by), expect, "{all:?}");
        };
        let kernel = estimate(SameKernel, 0, 0);
        let ping = estimate(Ping, 40, 50);
        check(&[], None);
        check(&[ping, kernel], Some(SameKernel));
        check(&[ping, estimate(Ntp, 0, 900)], Some(Ping));
        check(&[ping, estimate(Ntp, 0, 9)], Some(Ntp));
        // Hosts that say they are right and are not; a copy of a machine with the id of its boot.
        check(&[estimate(Ping, 100, 50), estimate(Ntp, 0, 9)], Some(Ping));
        check(&[estimate(Store, 100, 50), kernel], Some(Store));
        check(
            &[estimate(Store, 100, 50), estimate(Ping, 1_000, 5)],
            Some(Ping),
        );
        check(
            &[
                estimate(Ntp, i64::MIN, 5),
                estimate(Ping, i64::MAX, i64::MAX),
            ],
            Some(Ping),
        );
    }
}
