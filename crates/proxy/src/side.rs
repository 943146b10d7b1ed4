//! One side of a request while it goes on: facts in, a [`Side`] out.
//!
//! It reads no socket and decides nothing. Invariant: how a side ended is said once, and the first word counts.

use crate::headers::Kept;
use crate::held::Held;
use crate::observer::Keeper;
use crate::seen::{Outcome, Piece, Side, Stamp};
use crate::upstream::{Failure, Line, Link};
use bytes::Bytes;
use hyper::http::response::Parts;
use infermeter_core::clock::Offset;
use infermeter_core::text::inert;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// Longest text of a problem, bytes.
const PROBLEM_BYTES: usize = 200;

/// A side that is open.
#[derive(Debug)]
pub(crate) struct SideLog {
    side: RefCell<Side>,
    /// The kept body in one piece of memory: the library's slices would keep whole read buffers alive.
    body: RefCell<Vec<u8>>,
    pieces: RefCell<Vec<Placed>>,
    /// The connection that carries it, while it does.
    link: RefCell<Option<Rc<Link>>>,
    ended: Cell<bool>,
    keeper: Keeper,
    kept: Rc<Kept>,
}

/// A piece of the kept body; it ends where the next one begins.
#[derive(Debug)]
struct Placed {
    stamp: Stamp,
    written: Option<Offset>,
    end: usize,
}

impl SideLog {
    pub(crate) fn new(begun: Offset, keeper: Keeper, kept: &Rc<Kept>) -> Self {
        let side = Side {
            address: None,
            connection: None,
            new_connection: false,
            begun,
            connected: None,
            tls_done: None,
            sent_first: None,
            sent_last: None,
            head: None,
            status: None,
            headers: Vec::new(),
            pieces: Vec::new(),
            kept: true,
            held: Held::default(),
            body_len: 0,
            closed: begun,
            outcome: Outcome::ClientGone,
            problem: None,
        };
        Self {
            side: RefCell::new(side),
            body: RefCell::default(),
            pieces: RefCell::default(),
            link: RefCell::new(None),
            ended: Cell::new(false),
            keeper,
            kept: Rc::clone(kept),
        }
    }

    /// A connection carries it from now on.
    pub(crate) fn on_line(&self, line: &Line) {
        let mut side = self.side.borrow_mut();
        side.address = Some(line.link.address);
        side.connection = Some(line.link.number);
        side.new_connection = line.opened.is_some();
        side.connected = line.opened.map(|opened| opened.connected);
        side.tls_done = line.opened.and_then(|opened| opened.tls_done);
        drop(side);
        *self.link.borrow_mut() = Some(Rc::clone(&line.link));
    }

    /// The answer's head has come.
    pub(crate) fn on_head(&self, head: &Parts, stamp: Stamp) {
        let mut side = self.side.borrow_mut();
        side.head = Some(stamp);
        side.closed = stamp.at;
        side.status = Some(head.status.as_u16());
        side.headers = self.kept.of(&head.headers);
    }

    /// A piece of the body has come; its place among those that are kept.
    pub(crate) fn on_piece(&self, bytes: &Bytes, stamp: Stamp) -> Option<usize> {
        let mut side = self.side.borrow_mut();
        side.body_len += bytes.len() as u64;
        side.closed = stamp.at;
        if !side.kept {
            return None;
        }
        // Small pieces cost more than their bytes.
        if !self.keeper.has_room(bytes.len() + size_of::<Piece>()) {
            side.kept = false;
            self.body.take();
            self.pieces.take();
            return None;
        }
        let mut body = self.body.borrow_mut();
        body.extend_from_slice(bytes);
        let mut pieces = self.pieces.borrow_mut();
        pieces.push(Placed {
            stamp,
            written: None,
            end: body.len(),
        });
        Some(pieces.len() - 1)
    }

    /// The user's connection has taken a piece.
    pub(crate) fn on_written(&self, piece: usize, at: Offset) {
        if let Some(piece) = self.pieces.borrow_mut().get_mut(piece) {
            piece.written = Some(at);
        }
    }

    /// Just before connecting or writing.
    pub(crate) fn begun(&self) -> Offset {
        self.side.borrow().begun
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// The whole answer has come.
    pub(crate) fn complete(&self) {
        let at = self.side.borrow().closed;
        self.end(Outcome::Complete, None, at);
    }

    pub(crate) fn fail(&self, failure: &Failure, at: Offset) {
        let problem = Some(inert(&failure.problem, PROBLEM_BYTES));
        self.end(failure.outcome, problem, at);
    }

    /// It ended, unless it had ended before.
    pub(crate) fn end(&self, outcome: Outcome, problem: Option<String>, at: Offset) {
        if self.ended.replace(true) {
            return;
        }
        let mut side = self.side.borrow_mut();
        side.outcome = outcome;
        side.problem = problem;
        side.closed = at;
        // Another request may be on the connection soon.
        if let Some(link) = self.link.take() {
            (side.sent_first, side.sent_last) = (link.sent_first.get(), link.sent_last.get());
        }
    }

    /// What is known of it; nothing is left.
    pub(crate) fn take(&self) -> Side {
        let mut side = self.side.borrow_mut();
        Side {
            headers: std::mem::take(&mut side.headers),
            pieces: self.take_pieces(),
            held: self.keeper.hand_over(),
            problem: side.problem.take(),
            ..side.clone()
        }
    }

    fn take_pieces(&self) -> Vec<Piece> {
        let body = Bytes::from(self.body.take().into_boxed_slice());
        let placed = self.pieces.take();
        let begins = std::iter::once(0).chain(placed.iter().map(|piece| piece.end));
        let pieces = begins.zip(&placed).map(|(begin, piece)| Piece {
            stamp: piece.stamp,
            written: piece.written,
            bytes: body.slice(begin..piece.end),
        });
        pieces.collect()
    }
}
