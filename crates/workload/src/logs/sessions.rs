//! What a session's calls wait for, and which blocks of their prompts are those of earlier ones.
//!
//! A log says when calls began and ended, not what caused what. A call waits for those that had ended when it
//! began and that no other call of the session followed in between: so calls side by side (sub-agents) wait
//! for one before them, and what comes after waits for all of them. Blocks are made up where a log has only
//! numbers of cached tokens.
//!
//! Invariant: a call waits for earlier calls alone, at most [`MOST_WAITS`]; as many leading blocks of a prompt
//! are those of an earlier prompt of its session as its cached tokens fill, where there is such a prompt.

use super::spill::Packed;
use crate::trace::Run;

/// Most calls that one waits for: more sub-agents at once than agents start.
const MOST_WAITS: usize = 16;
/// Most calls of a session that are kept as what a later one may wait for.
const MOST_OPEN: usize = 64;
/// Bits of a block's number within its session; 16,777,216 blocks.
const BLOCK_BITS: u32 = 24;

/// A session's calls so far.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Calls that a later one may wait for.
    open: Vec<Open>,
    /// Blocks of the call before, and of the longest prompt so far.
    last: Vec<Run>,
    longest: Vec<Run>,
    /// Blocks made up.
    blocks: u64,
}

/// A call that a later one may wait for.
#[derive(Debug, Clone, Copy)]
struct Open {
    id: u64,
    begins: i64,
    ends: i64,
    /// The log says when it ended.
    timed: bool,
}

/// What a call waits for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Waits {
    /// The calls, the one that ended last first.
    pub after: Vec<u64>,
    /// From that end to this call; absent where the log does not say when calls ended.
    pub delay_ns: Option<i64>,
    /// Calls beyond the most that are kept.
    pub beyond: u64,
}

impl Session {
    /// What the next call of the session waits for; calls come in order of their beginnings.
    pub fn waits(&mut self, id: u64, call: &Packed) -> Waits {
        let begins = call.at_ns;
        let ended = |open: &&Open| open.ends <= begins;
        // What ended before another ended call began was waited for by that one.
        let latest = self.open.iter().filter(ended).map(|open| open.begins).max();
        let before =
            |open: &Open| latest.is_some_and(|latest| open.ends <= latest && open.begins < latest);
        self.open.retain(|open| !before(open));
        let mut direct: Vec<Open> = self.open.iter().filter(ended).copied().collect();
        direct.sort_by_key(|open| std::cmp::Reverse((open.ends, open.id)));
        let mut waits = Waits {
            beyond: direct.len().saturating_sub(MOST_WAITS) as u64,
            ..Waits::default()
        };
        direct.truncate(MOST_WAITS);
        waits.delay_ns = direct
            .first()
            .filter(|open| open.timed)
            .map(|open| begins - open.ends);
        waits.after = direct.iter().map(|open| open.id).collect();
        if self.open.len() >= MOST_OPEN {
            self.open.remove(0);
            waits.beyond += 1;
        }
        self.open.push(Open {
            id,
            begins,
            ends: begins.saturating_add(call.duration_ns.unwrap_or(0)),
            timed: call.duration_ns.is_some(),
        });
        waits
    }
}

/// Reuse of blocks, tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reuse {
    /// Tokens that the log says were cached.
    pub recorded: u64,
    /// Of those, in blocks of an earlier prompt of the same session.
    pub reproduced: u64,
    /// Of those, of the first call of a session: cached by another session, which is unknown.
    pub of_others: u64,
}

impl Session {
    /// Whole blocks of a call's prompt, made up: the leading ones those of an earlier prompt as far as its
    /// cached tokens fill them.
    pub fn blocks(
        &mut self,
        number: u32,
        call: &Packed,
        block_tokens: u32,
        reuse: &mut Reuse,
    ) -> &[Run] {
        let whole = u64::from(call.input_tokens.unwrap_or(0) / block_tokens);
        let cached = call
            .cached_tokens
            .unwrap_or(0)
            .min(call.input_tokens.unwrap_or(0));
        let wanted = whole.min(u64::from(cached / block_tokens));
        // The call before holds more of a conversation that goes on than the longest of another branch.
        let from = match length(&self.last) >= wanted.min(length(&self.longest)) {
            true => &self.last,
            false => &self.longest,
        };
        let mut runs = Vec::with_capacity(2);
        let shared = take(from, wanted, &mut runs);
        reuse.recorded += u64::from(cached);
        reuse.reproduced += shared * u64::from(block_tokens);
        if from.is_empty() {
            reuse.of_others += u64::from(cached);
        }
        let fresh = whole - shared;
        push(
            &mut runs,
            Run {
                first: u64::from(number) << BLOCK_BITS | (self.blocks & ((1 << BLOCK_BITS) - 1)),
                count: fresh,
            },
        );
        self.blocks += fresh;
        if whole >= length(&self.longest) {
            self.longest.clone_from(&runs);
        }
        self.last = runs;
        &self.last
    }
}

fn length(runs: &[Run]) -> u64 {
    runs.iter().map(|run| run.count).sum()
}

/// The first `count` blocks of `from`; as many as there are.
fn take(from: &[Run], count: u64, into: &mut Vec<Run>) -> u64 {
    let mut left = count;
    for run in from {
        let part = run.count.min(left);
        push(
            into,
            Run {
                count: part,
                ..*run
            },
        );
        left -= part;
    }
    count - left
}

fn push(runs: &mut Vec<Run>, run: Run) {
    match runs.last_mut() {
        _ if run.count == 0 => {}
        Some(last) if last.first + last.count == run.first => last.count += run.count,
        _ => runs.push(run),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn call(at_ns: i64, duration_ns: i64) -> Packed {
        Packed {
            at_ns,
            duration_ns: Some(duration_ns),
            ..Packed::default()
        }
    }

    fn waits(calls: &[(i64, i64)]) -> Vec<(Vec<u64>, Option<i64>)> {
        let mut session = Session::default();
        let one = |(id, (at, duration)): (usize, &(i64, i64))| {
            let waits = session.waits(id as u64, &call(*at, *duration));
            (waits.after, waits.delay_ns)
        };
        calls.iter().enumerate().map(one).collect()
    }

    #[test]
    fn sub_agents_wait_for_one_and_the_next_for_all_of_them() {
        let found = waits(&[(0, 10), (15, 10), (16, 20), (50, 5), (60, 5)]);
        let expect = [
            (vec![], None),
            (vec![0], Some(5)),
            (vec![0], Some(6)),
            (vec![2, 1], Some(14)),
            (vec![3], Some(5)),
        ];
        assert_eq!(found, expect);
        // One that begins while the first goes on waits for nothing.
        assert_eq!(waits(&[(0, 10), (5, 10)])[1], (vec![], None));
        // Instants without a length: one after the other.
        assert_eq!(waits(&[(0, 0), (0, 0), (7, 0)])[1].0, [0]);
        assert_eq!(waits(&[(0, 0), (0, 0), (7, 0)])[2].0, [1, 0]);
    }

    #[test]
    fn cached_tokens_become_blocks_of_the_prompt_before() {
        let mut session = Session::default();
        let mut reuse = Reuse::default();
        let mut blocks = |input, cached| {
            let call = Packed {
                input_tokens: Some(input),
                cached_tokens: Some(cached),
                ..Packed::default()
            };
            let runs = session.blocks(2, &call, 16, &mut reuse).to_vec();
            runs.iter()
                .map(|run| (run.first - (2 << 24), run.count))
                .collect::<Vec<_>>()
        };
        assert_eq!(blocks(40, 32), [(0, 2)]);
        assert_eq!(blocks(100, 32), [(0, 6)]);
        assert_eq!(blocks(110, 50), [(0, 3), (6, 3)]);
        // A sub-agent with a prompt of its own, then the conversation goes on.
        assert_eq!(blocks(20, 0), [(9, 1)]);
        assert_eq!(blocks(130, 96), [(0, 3), (6, 3), (10, 2)]);
        let expect = Reuse {
            recorded: 32 + 32 + 50 + 96,
            reproduced: 32 + 48 + 96,
            of_others: 32,
        };
        assert_eq!(reuse, expect);
    }

    proptest! {
        #[test]
        fn waits_are_for_what_has_ended(steps in vec((0_i64..9, 0_i64..30), 1..80)) {
            let mut at = 0;
            let timed = steps.iter().map(|(step, length)| { at += step; (at, *length) });
            let calls: Vec<(i64, i64)> = timed.collect();
            for (id, (after, delay)) in waits(&calls).into_iter().enumerate() {
                let ends = |other: &u64| { let (at, length) = calls[*other as usize]; at + length };
                prop_assert!(after.iter().all(|other| ends(other) <= calls[id].0 && *other < id as u64));
                let latest = after.iter().map(ends).max();
                prop_assert_eq!(delay, latest.map(|end| calls[id].0 - end));
            }
        }
    }
}
