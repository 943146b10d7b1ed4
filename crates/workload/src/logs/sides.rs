//! Spans of calls that were met: client and server may each have one of the same call.
//!
//! It keeps hashes under a key that nobody keeps. Invariant: of two spans of calls, one the parent of the
//! other, the one that is met first counts.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Most spans that are remembered, some 40 bytes each. Of further ones both sides count.
const MOST: usize = 4_000_000;

/// Spans of calls so far.
#[derive(Debug, Default)]
pub(super) struct Sides {
    hasher: RandomState,
    met: HashSet<u64>,
    parents: HashSet<u64>,
}

impl Sides {
    /// Remembers the call of `span`; false where the one of its parent, or of its child, was met.
    pub fn is_first(&mut self, trace: &str, span: &str, parent: &str) -> bool {
        let key = |id: &str| self.hasher.hash_one((trace, id));
        let own = key(span);
        let parent = Some(parent).filter(|id| !id.trim_matches('0').is_empty());
        let parent = parent.map(key);
        let known = parent.is_some_and(|parent| self.met.contains(&parent));
        let first = !known && !self.parents.contains(&own);
        if self.met.len() < MOST {
            self.met.insert(own);
            self.parents.extend(parent);
        }
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_side_of_a_call_counts() {
        let mut sides = Sides::default();
        assert!(sides.is_first("t", "1", ""));
        assert!(!sides.is_first("t", "2", "1"));
        // The server's span is written before the client's ends.
        assert!(sides.is_first("u", "2", "1"));
        assert!(!sides.is_first("u", "1", "0000000000000000"));
        assert!(sides.is_first("u", "3", "0000000000000000"));
    }
}
