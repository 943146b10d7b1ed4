//! What is remembered of requests while others come: how many have come, which are in flight, which answers are kept.
//!
//! An answer is in flight as long as somebody holds it ([`Desk::hold`]): who ends it, for whatever reason, drops it.
//! Invariant: what is remembered is bounded by the requests in flight and by [`MOST_KEPT`].

use super::told::Told;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};

/// Most answers kept for others; prompts look alike by their size, so that there are never many.
const MOST_KEPT: usize = 256;

/// A request that has just come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visit {
    /// Its number, from 1.
    pub number: u64,
    /// Requests in flight, itself included.
    pub in_flight: u32,
}

/// The memory.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    visits: u64,
    open: VecDeque<Weak<Told>>,
    kept: HashMap<u64, Told>,
}

impl Desk {
    /// A request has come, while so many others are in flight.
    pub fn visit(&mut self, others: u32) -> Visit {
        self.visits += 1;
        Visit {
            number: self.visits,
            in_flight: others.saturating_add(1),
        }
    }

    /// Its answer, which is in flight as long as the result is held.
    pub fn hold(&mut self, told: Told) -> Arc<Told> {
        self.open.retain(|told| told.strong_count() > 0);
        let told = Arc::new(told);
        self.open.push_back(Arc::downgrade(&told));
        told
    }

    /// The answer of the youngest request in flight.
    pub fn other(&self) -> Option<Arc<Told>> {
        self.open.iter().rev().find_map(Weak::upgrade)
    }

    /// The answer kept for prompts of a likeness.
    pub fn kept(&self, likeness: u64) -> Option<&Told> {
        self.kept.get(&likeness)
    }

    /// Keeps an answer, unless there are too many.
    pub fn keep(&mut self, likeness: u64, told: &Told) {
        if self.kept.len() < MOST_KEPT {
            self.kept.insert(likeness, told.clone());
        }
    }
}
