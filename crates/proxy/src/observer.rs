//! The way of [`Seen`] to whoever asked for it, and the memory that bodies are kept in.
//!
//! Invariant: giving never waits; what there was no room for is counted.

use crate::counts::Tally;
use crate::held::Held;
use crate::seen::{Seen, Side, Withheld};
use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

/// Who gets what was seen.
#[derive(Debug, Clone)]
pub(crate) struct Observer {
    pub(crate) sender: SyncSender<Seen>,
    pub(crate) tally: Arc<Tally>,
}

impl Observer {
    pub(crate) fn give(&self, seen: Seen) {
        match self.sender.try_send(seen) {
            Ok(()) => self.tally.counters.observed.one(),
            Err(_) => self.tally.counters.not_observed.one(),
        }
    }
}

/// What became of a request at the shadow.
pub(crate) type AtShadow = Result<Box<Side>, Withheld>;

/// A request with two sides, of which one has ended at most. Its lock is held for the exchange of two values.
#[derive(Debug, Default)]
pub(crate) struct Pair(Mutex<Half>);

#[derive(Debug, Default)]
enum Half {
    #[default]
    None,
    Primary(Box<Seen>),
    Shadow(AtShadow),
}

impl Pair {
    /// The primary's side has ended.
    pub(crate) fn primary(&self, seen: Box<Seen>, observer: &Observer) {
        let mut half = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *half) {
            Half::Shadow(side) => {
                drop(half);
                observer.give(joined(seen, side));
            }
            Half::None | Half::Primary(_) => *half = Half::Primary(seen),
        }
    }

    /// The shadow's side has ended, or there is none after all.
    pub(crate) fn shadow(&self, side: AtShadow, observer: &Observer) {
        let mut half = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::take(&mut *half) {
            Half::Primary(seen) => {
                drop(half);
                observer.give(joined(seen, side));
            }
            Half::None | Half::Shadow(_) => *half = Half::Shadow(side),
        }
    }
}

fn joined(mut seen: Box<Seen>, side: AtShadow) -> Seen {
    match side {
        Ok(side) => seen.shadow = Some(*side),
        Err(withheld) => seen.withheld = Some(withheld),
    }
    *seen
}

/// Room for what is kept of one body.
#[derive(Debug)]
pub(crate) struct Keeper {
    tally: Arc<Tally>,
    most: usize,
    most_together: u64,
    held: Cell<usize>,
    full: Cell<bool>,
}

impl Keeper {
    pub(crate) fn new(tally: &Arc<Tally>, most: usize, most_together: usize) -> Self {
        Self {
            tally: Arc::clone(tally),
            most,
            most_together: most_together as u64,
            held: Cell::new(0),
            full: Cell::new(false),
        }
    }

    /// Takes room for `len` bytes more; false once and for all where there is none.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        if self.full.get() {
            return false;
        }
        let held = self.held.get() + len;
        let together = self.tally.kept_bytes.fetch_add(len as u64, Relaxed) + len as u64;
        if held <= self.most && together <= self.most_together {
            self.held.set(held);
            return true;
        }
        self.tally.kept_bytes.fetch_sub(len as u64, Relaxed);
        self.tally.counters.bodies_not_kept.one();
        self.full.set(true);
        self.release();
        false
    }

    /// The room goes with the bytes that it was taken for.
    pub(crate) fn hand_over(&self) -> Held {
        Held::new(&self.tally, self.held.take())
    }

    fn release(&self) {
        let held = self.held.take() as u64;
        self.tally.kept_bytes.fetch_sub(held, Relaxed);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_ends_for_one_body_and_for_all_and_comes_back() {
        let tally = Arc::new(Tally::default());
        let keeper = |most| Keeper::new(&tally, most, 10);
        let first = keeper(6);
        assert!(first.has_room(6));
        assert!(!first.has_room(1), "its own limit");
        assert!(!first.has_room(0), "once and for all");
        assert_eq!(tally.counts().now_kept_bytes, 0);
        let (second, third) = (keeper(8), keeper(8));
        assert!(second.has_room(8));
        assert!(!third.has_room(3), "the common limit");
        drop((second, third));
        let counts = tally.counts();
        assert_eq!((counts.now_kept_bytes, counts.bodies_not_kept), (0, 2));
    }

    #[test]
    fn room_comes_back_with_the_last_of_the_bytes_that_it_was_taken_for() {
        let tally = Arc::new(Tally::default());
        let keeper = Keeper::new(&tally, 10, 10);
        assert!(keeper.has_room(7));
        let held = keeper.hand_over();
        let copy = held.clone();
        drop((keeper, held));
        assert_eq!(tally.counts().now_kept_bytes, 7);
        assert!(!Keeper::new(&tally, 10, 10).has_room(4));
        drop(copy);
        assert_eq!(tally.counts().now_kept_bytes, 0);
    }
}
