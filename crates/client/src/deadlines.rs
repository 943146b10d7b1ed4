//! Time-outs of requests and of connections being opened.
//!
//! One heap entry a connection: when it comes up the deadline is computed anew, so that progress
//! costs nothing on the receive path, and the heap does not grow with the number of requests.

use crate::connection::{Connection, Stage};
use crate::engine::{Engine, EngineConfig, error};
use crate::limits::BODY_END_NS;
use crate::pool::Pool;
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Instants at which a connection must be looked at, soonest first.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(BinaryHeap<Reverse<(Offset, u64)>>);

impl Deadlines {
    pub(crate) fn next(&self) -> Option<Offset> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    fn pop_due(&mut self, now: Offset) -> Option<(Offset, u64)> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse(entry)| entry)
    }
}

/// What has not happened in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// Something that the request fails for.
    Needed(Reason),
    /// The end of a body whose answer is complete.
    BodyEnd,
}

/// The soonest time-out of a connection, and which one it is.
fn deadline(connection: &Connection, config: &EngineConfig) -> Option<(Offset, Missing)> {
    let opening = (connection.stage != Stage::Ready).then(|| {
        (
            connection.opened.plus(config.connect_timeout),
            Missing::Needed(Reason::ConnectTimeout),
        )
    });
    let Some(request) = &connection.request else {
        return opening;
    };
    let start = request.record.send_start?;
    if let Some(done_at) = request.reader.done_at() {
        return Some((done_at.plus(BODY_END_NS), Missing::BodyEnd));
    }
    let total = (start.plus(config.timeout), Reason::RequestTimeout);
    let first_token = config
        .first_token_timeout
        .filter(|_| request.reader.first_token_at().is_none())
        .map(|t| (start.plus(t), Reason::FirstTokenTimeout));
    let idle = config
        .idle_timeout
        .and_then(|t| Some((request.reader.last_read_at()?.plus(t), Reason::IdleTimeout)));
    let needed = [Some(total), first_token, idle].into_iter().flatten();
    let needed = needed.map(|(at, reason)| (at, Missing::Needed(reason)));
    needed.chain(opening).min_by_key(|(at, _)| *at)
}

impl Engine {
    /// Sees to it that the connection is looked at by its soonest time-out.
    pub(crate) fn arm_deadline(&mut self, index: usize) {
        let now = self.now();
        let connection = self.pool.get_mut(index);
        let Some((at, _)) = deadline(connection, &self.config) else {
            return;
        };
        // An idle time-out begins with a byte yet to come: look again by then.
        let look = self
            .config
            .idle_timeout
            .map_or(at, |idle| at.min(now.plus(idle)));
        if connection.looked_at.is_some_and(|earlier| earlier <= look) {
            return;
        }
        connection.looked_at = Some(look);
        let token = Pool::token(index, connection.generation);
        self.deadlines.0.push(Reverse((look, token)));
    }

    /// Ends what has timed out.
    pub(crate) fn fire_deadlines(&mut self, now: Offset) {
        while let Some((at, token)) = self.deadlines.pop_due(now) {
            let Some(index) = self.pool.index_of(token) else {
                continue;
            };
            let connection = self.pool.get_mut(index);
            if connection.looked_at != Some(at) {
                continue;
            }
            connection.looked_at = None;
            match deadline(connection, &self.config) {
                Some((at, Missing::Needed(reason))) if at <= now => {
                    self.time_out(index, reason, now);
                }
                Some((at, Missing::BodyEnd)) if at <= now => self.give_up_body(index, now),
                Some(_) => self.arm_deadline(index),
                None => {}
            }
        }
    }

    fn time_out(&mut self, index: usize, reason: Reason, now: Offset) {
        let opened = self.pool.get_mut(index).opened;
        if reason == Reason::ConnectTimeout {
            self.backoff.failed(opened, now);
            self.note_problem("no answer in time");
        }
        let connection = self.pool.get_mut(index);
        let request = connection.request.as_ref();
        let start = request.and_then(|request| request.record.send_start);
        let waited = now.since(start.unwrap_or(connection.opened));
        let text = format!("after {:.3} s", waited as f64 / 1e9);
        self.abort(index, Outcome::TimedOut, error(reason, &text), now);
    }

    /// The answer is complete and its body does not end: the connection is of no further use.
    fn give_up_body(&mut self, index: usize, now: Offset) {
        if let Some(request) = &mut self.pool.get_mut(index).request {
            request.reader.give_up_body(now);
            self.health.bodies_without_end += 1;
            self.finish(index, false);
        }
    }
}
