//! The waiting queue: first come, first served, preempted sequences in front.
//!
//! Invariant: its length counts the live ones; what was given up is dropped when it comes to the
//! front or makes up most of the queue, so that the queue's memory follows its length.

use super::sequence::{Sequences, Slot};
use std::collections::VecDeque;

/// Given-up entries that are not worth sweeping.
const FEW: usize = 64;

/// Slots of waiting sequences.
#[derive(Debug, Default)]
pub(super) struct Queue {
    slots: VecDeque<Slot>,
    live: usize,
}

impl Queue {
    /// Sequences that wait and were not given up.
    pub fn len(&self) -> usize {
        self.live
    }

    /// Entries, those given up included.
    #[cfg(test)]
    pub fn entries(&self) -> usize {
        self.slots.len()
    }

    pub fn push_back(&mut self, slot: Slot) {
        self.slots.push_back(slot);
        self.live += 1;
    }

    pub fn push_front(&mut self, slot: Slot) {
        self.slots.push_front(slot);
        self.live += 1;
    }

    /// One of the waiting sequences was given up.
    pub fn one_gone(&mut self, sequences: &mut Sequences) {
        self.live -= 1;
        if self.slots.len() > FEW + 2 * self.live {
            self.slots.retain(|slot| {
                let gone = sequences.get(*slot).gone;
                if gone {
                    sequences.remove(*slot);
                }
                !gone
            });
        }
    }

    /// The live sequence that has `before` live ones before it which the caller passed over.
    /// Those given up on the way are dropped.
    pub fn get(&mut self, before: usize, sequences: &mut Sequences) -> Option<Slot> {
        loop {
            let slot = *self.slots.get(before)?;
            if !sequences.get(slot).gone {
                return Some(slot);
            }
            self.slots.remove(before);
            sequences.remove(slot);
        }
    }

    /// Takes out what [`Queue::get`] just gave.
    pub fn take(&mut self, before: usize) {
        self.slots.remove(before);
        self.live -= 1;
    }
}
