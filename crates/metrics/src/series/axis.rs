//! The time of a run in equal parts, whose length is a round number of seconds.
//!
//! Invariant: the anchor lies on an edge, so that no part holds both warm-up and measured window.

use infermeter_core::clock::Offset;
use std::ops::RangeInclusive;

/// The shortest part, nanoseconds.
const SHORTEST_NS: i64 = 1_000_000;

/// Equal parts of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeAxis {
    /// Where the first begins.
    pub start: Offset,
    /// Length of each, nanoseconds: 1, 2 or 5 times a power of ten.
    pub part_ns: i64,
    /// How many.
    pub parts: usize,
}

impl TimeAxis {
    /// The shortest parts of which at most `most` (2 at least) cover `span`.
    pub fn of(span: RangeInclusive<Offset>, anchor: Offset, most: usize) -> Self {
        let anchor = i128::from(anchor.0);
        let (first, last) = (i128::from(span.start().0), i128::from(span.end().0));
        let mut axis = Self {
            start: *span.start(),
            part_ns: SHORTEST_NS,
            parts: 1,
        };
        for length in round_lengths() {
            let begin = (first - anchor).div_euclid(i128::from(length));
            let parts = (last.max(first) - anchor).div_euclid(i128::from(length)) - begin + 1;
            let start = begin * i128::from(length) + anchor;
            axis = Self {
                start: Offset(start.max(i128::from(i64::MIN)) as i64),
                part_ns: length,
                parts: parts as usize,
            };
            if axis.parts <= most.max(2) {
                break;
            }
        }
        axis
    }

    /// The part of an instant; `None` outside.
    pub fn part(&self, at: Offset) -> Option<usize> {
        let into = i128::from(at.0) - i128::from(self.start.0);
        let part = usize::try_from(into.div_euclid(i128::from(self.part_ns))).ok()?;
        (part < self.parts).then_some(part)
    }

    /// Where a part begins, and where the last ends.
    pub fn edge(&self, part: usize) -> Offset {
        self.start.plus(self.part_ns.saturating_mul(part as i64))
    }

    /// Where the last part ends.
    pub fn end(&self) -> Offset {
        self.edge(self.parts)
    }
}

/// 1, 2, 5, 10 and so on times the shortest, as far as numbers go.
fn round_lengths() -> impl Iterator<Item = i64> {
    let decades = (0..).map_while(|power| SHORTEST_NS.checked_mul(10_i64.checked_pow(power)?));
    decades.flat_map(|decade| {
        [1, 2, 5]
            .into_iter()
            .filter_map(move |n| decade.checked_mul(n))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    fn seconds(s: i64) -> Offset {
        Offset(s * 1_000_000_000)
    }

    #[test]
    fn parts_are_round_and_meet_at_the_anchor() {
        let check = |from: i64, to: i64, most: usize, expect: (i64, i64, usize)| {
            let axis = TimeAxis::of(seconds(from)..=seconds(to), seconds(30), most);
            let found = (
                axis.start.0 / 1_000_000,
                axis.part_ns / 1_000_000,
                axis.parts,
            );
            assert_eq!(found, expect);
        };
        // Part lengths 1, 2, 5, 10 s and so on; the end is an instant of its own part.
        check(0, 90, 91, (0, 1_000, 91));
        check(0, 90, 90, (0, 2_000, 46));
        check(0, 90, 45, (0, 5_000, 19));
        check(0, 90, 12, (0, 10_000, 10));
        check(7, 90, 6, (-10_000, 20_000, 6));
        check(30, 30, 240, (30_000, 1, 1));
    }

    #[test]
    fn instants_at_the_ends_of_all_time_do_not_overflow() {
        let axis = TimeAxis::of(Offset(i64::MIN)..=Offset(i64::MAX), Offset(5), 240);
        assert!(axis.parts <= 240 && axis.part(Offset(i64::MIN)).is_none_or(|p| p < 240));
        let _ = axis.end();
    }

    proptest! {
        #[test]
        fn every_instant_has_one_part(
            from in -5_000_000_000_i64..5_000_000_000,
            length in 0_i64..9_000_000_000_000,
            anchor in -4_000_000_000_i64..4_000_000_000,
            most in 2_usize..300,
            share in 0.0_f64..=1.0,
        ) {
            let to = from + length;
            let axis = TimeAxis::of(Offset(from)..=Offset(to), Offset(anchor), most);
            prop_assert!(axis.parts <= most && axis.parts > 0);
            prop_assert!((axis.start.0 - anchor) % axis.part_ns == 0);
            let at = Offset(from + (length as f64 * share) as i64);
            let part = axis.part(at).unwrap();
            prop_assert!(axis.edge(part) <= at && at < axis.edge(part + 1));
        }
    }
}
