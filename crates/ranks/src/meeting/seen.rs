//! What the names at the meeting place say of the ranks, and what follows.
//!
//! Pure functions. Invariant: of each launch and moment there is one step, and ranks that are said to be missing are those
//! that are not ready.

use super::Missing;
use crate::files::names::Of;
use std::collections::BTreeSet;

/// Which ranks have done what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    /// They have come.
    pub came: BTreeSet<u32>,
    /// They are prepared.
    pub ready: BTreeSet<u32>,
    /// They cannot go on.
    pub failed: BTreeSet<u32>,
}

/// What rank 0 does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// It looks again.
    Wait,
    /// It says when all begin; these are not waited for.
    Start(Vec<u32>),
    /// It says that nobody begins, because this one cannot go on.
    Failed(u32),
    /// It says that nobody begins, because these are not ready.
    Missing(Vec<u32>),
}

impl Seen {
    /// What the names of the place say.
    pub(super) fn of(names: &[String]) -> Self {
        let of = |kind: Of| names.iter().filter_map(|name| kind.rank_of(name)).collect();
        Self {
            came: of(Of::Rank),
            ready: of(Of::Ready),
            failed: of(Of::Failed),
        }
    }

    /// Those of so many ranks that cannot begin now.
    pub(super) fn lacking(&self, of: u32) -> Vec<u32> {
        let begins = |rank: &u32| self.ready.contains(rank) && !self.failed.contains(rank);
        (0..of).filter(|rank| !begins(rank)).collect()
    }

    /// What rank 0 of so many does; `is_over` when it has waited as long as it may.
    pub(super) fn step(&self, of: u32, missing: Missing, is_over: bool) -> Step {
        let lacking = self.lacking(of);
        match missing {
            Missing::End => match self.failed.first() {
                Some(failed) => Step::Failed(*failed),
                None if lacking.is_empty() => Step::Start(lacking),
                None if is_over => Step::Missing(lacking),
                None => Step::Wait,
            },
            Missing::GoOn => {
                match is_over || self.failed.is_superset(&lacking.iter().copied().collect()) {
                    true => Step::Start(lacking),
                    false => Step::Wait,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(came: &[u32], ready: &[u32], failed: &[u32]) -> Seen {
        let set = |ranks: &[u32]| ranks.iter().copied().collect();
        Seen {
            came: set(came),
            ready: set(ready),
            failed: set(failed),
        }
    }

    #[test]
    fn names_say_who_did_what() {
        let names = [
            "done-00000.json",
            "failed-00002.json",
            "launch.json",
            "rank-00000.json",
            "rank-00002.json",
            "ready-00000.json",
            "start.json",
        ];
        let names = names.map(str::to_owned);
        assert_eq!(Seen::of(&names), seen(&[0, 2], &[0], &[2]));
    }

    #[test]
    fn all_begin_together_or_without_some_or_not_at_all() {
        use Missing::{End, GoOn};
        let check = |seen: &Seen, missing: Missing, is_over: bool, expect: Step| {
            assert_eq!(
                seen.step(3, missing, is_over),
                expect,
                "{seen:?} {missing:?} {is_over}"
            );
        };
        let all = seen(&[0, 1, 2], &[0, 1, 2], &[]);
        check(&all, End, false, Step::Start(vec![]));
        check(&all, GoOn, false, Step::Start(vec![]));
        check(&all, End, true, Step::Start(vec![]));
        let some = seen(&[0, 1], &[0], &[]);
        check(&some, End, false, Step::Wait);
        check(&some, GoOn, false, Step::Wait);
        check(&some, End, true, Step::Missing(vec![1, 2]));
        check(&some, GoOn, true, Step::Start(vec![1, 2]));
        // One that was ready and cannot go on after all.
        let failed = seen(&[0, 1, 2], &[0, 1, 2], &[2]);
        check(&failed, End, false, Step::Failed(2));
        check(&failed, GoOn, false, Step::Start(vec![2]));
        let both = seen(&[0, 1, 2], &[0], &[2]);
        check(&both, GoOn, false, Step::Wait);
        // One that says it is of a larger launch concerns all of them.
        check(
            &seen(&[0, 1, 2], &[0, 1, 2], &[7]),
            End,
            false,
            Step::Failed(7),
        );
        check(
            &seen(&[0, 1, 2], &[0, 1, 2], &[7]),
            GoOn,
            false,
            Step::Start(vec![]),
        );
    }

    proptest! {
        #[test]
        fn who_is_not_left_out_is_ready(
            ready in proptest::collection::btree_set(0_u32..8, 0..8),
            failed in proptest::collection::btree_set(0_u32..8, 0..3),
            go_on in any::<bool>(),
            is_over in any::<bool>(),
        ) {
            let missing = if go_on { Missing::GoOn } else { Missing::End };
            let seen = Seen { came: ready.clone(), ready: ready.clone(), failed: failed.clone() };
            match seen.step(8, missing, is_over) {
                Step::Start(without) => {
                    let begin = (0..8).filter(|rank| !without.contains(rank));
                    prop_assert!(begin.clone().all(|rank| ready.contains(&rank) && !failed.contains(&rank)));
                    prop_assert_eq!(begin.count() + without.len(), 8);
                    prop_assert!(go_on || without.is_empty());
                }
                Step::Failed(rank) => prop_assert!(failed.contains(&rank) && !go_on),
                Step::Missing(ranks) => prop_assert!(is_over && !go_on && !ranks.is_empty()),
                Step::Wait => prop_assert!(!is_over),
            }
        }
    }
}
