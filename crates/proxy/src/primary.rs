//! A user's request while it goes on: its facts, its side at the primary, and what became of the shadow's.
//!
//! Invariant: each becomes exactly one [`Seen`] and is counted once, when the last who holds it lets go: then it has
//! ended on the user's side, whatever happened.

use crate::clocks::Clocks;
use crate::observer::{Observer, Pair};
use crate::outgoing::Upload;
use crate::screen::Arrival;
use crate::seen::{Header, Outcome, Seen, Side, Stamp, Withheld};
use crate::side::SideLog;
use infermeter_core::clock::Offset;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// What was asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) number: u64,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<Header>,
}

/// What became of a request's shadow.
#[derive(Debug, Default)]
pub(crate) enum Chosen {
    /// The share did not choose it.
    #[default]
    Not,
    /// It is sent once the body has come whole.
    Waiting,
    /// It was sent.
    Sent(Arc<Pair>),
    Withheld(Withheld),
}

/// A user's request that is open.
pub(crate) struct PrimaryLog {
    pub(crate) asked: RefCell<Asked>,
    pub(crate) arrival: Rc<Arrival>,
    pub(crate) upload: Rc<Upload>,
    pub(crate) side: Rc<SideLog>,
    pub(crate) chosen: Rc<RefCell<Chosen>>,
    /// How it ended, should nobody say so.
    pub(crate) if_cut: Cell<Outcome>,
    /// The drain's time is over.
    pub(crate) is_cutting: Rc<Cell<bool>>,
    /// The user's connection has taken the answer's end.
    pub(crate) handed_over: Cell<bool>,
    pub(crate) observer: Observer,
    pub(crate) clocks: Rc<Clocks>,
}

impl fmt::Debug for PrimaryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrimaryLog {{ asked: {:?} }}", self.asked)
    }
}

impl PrimaryLog {
    /// The user's connection has taken a piece.
    pub(crate) fn on_written(&self, kept: Option<usize>, stamp: Stamp, now: Offset) {
        self.observer.tally.counters.events.one();
        self.observer.tally.event_dwell.add(now.since(stamp.at));
        if let Some(piece) = kept {
            self.side.on_written(piece, now);
        }
    }

    fn side_taken(&self) -> Side {
        // A whole answer that the user did not take whole is none.
        let is_cut = !self.side.has_ended();
        let outcome = match self.is_cutting.get() {
            true => Outcome::Drained,
            false => self.if_cut.get(),
        };
        self.side.end(outcome, None, self.clocks.now());
        let mut side = self.side.take();
        if !is_cut && side.outcome == Outcome::Complete && !self.handed_over.get() {
            side.outcome = outcome;
        }
        side
    }

    fn count(&self, side: &Side) {
        let tally = &self.observer.tally;
        let counters = &tally.counters;
        match side.outcome {
            Outcome::Complete => counters.completed.one(),
            Outcome::ClientGone => counters.users_gone.one(),
            // Counted where it was refused.
            Outcome::RequestTooLarge => {}
            Outcome::ClientTooSlow => counters.users_too_slow.one(),
            Outcome::ConnectFailed | Outcome::ClosedBeforeAnswer | Outcome::BadAnswer => {
                counters.bad_gateway.one();
            }
            Outcome::CutWithinAnswer => counters.cut_by_primary.one(),
            Outcome::UpstreamTooSlow if side.status.is_none() => counters.gateway_timeout.one(),
            Outcome::UpstreamTooSlow => counters.stalled_by_primary.one(),
            Outcome::Drained => counters.cut_by_drain.one(),
        }
        if let (Some(last), Some(sent)) = (self.arrival.last.get(), side.sent_last) {
            tally.request_dwell.add(sent.since(last.at));
        }
    }
}

impl Drop for PrimaryLog {
    fn drop(&mut self) {
        let side = self.side_taken();
        self.count(&side);
        let (withheld, pair) = match self.chosen.take() {
            Chosen::Not => (None, None),
            Chosen::Waiting => {
                self.observer.tally.counters.shadow_withheld_other.one();
                (Some(Withheld::UploadCut), None)
            }
            Chosen::Sent(pair) => (None, Some(pair)),
            Chosen::Withheld(why) => (Some(why), None),
        };
        let asked = self.asked.get_mut();
        let last = self.arrival.last.get();
        let first = self.arrival.first;
        let seen = Box::new(Seen {
            number: asked.number,
            first_byte_in: first.at,
            last_byte_in: last.map(|last| last.at),
            stamp_source: last.map_or(first.source, |last| last.source.max(first.source)),
            method: std::mem::take(&mut asked.method),
            path: std::mem::take(&mut asked.path),
            headers: std::mem::take(&mut asked.headers),
            body: self.upload.body(),
            primary: side,
            shadow: None,
            withheld,
        });
        match pair {
            Some(pair) => pair.primary(seen, &self.observer),
            None => self.observer.give(*seen),
        }
        self.observer.tally.counters.now_requests.one_less();
    }
}
