//! Time-outs of requests and of connections being opened.
//!
//! One heap entry a stream, and one a connection: when it comes up the deadline is computed anew, so that
//! progress costs nothing on the receive path, and the heap does not grow with the number of requests.

use super::ends::error;
use super::streams::InFlight;
use super::{Engine, EngineConfig};
use crate::exchange::StreamId;
use crate::limits::BODY_END_NS;
use crate::transport::{LinkId, Stage};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, Reason};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What has to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Looked {
    Stream(StreamId),
    Link(LinkId),
}

/// Instants at which something must be looked at, soonest first.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BinaryHeap<Reverse<(Offset, Looked)>>);

impl Deadlines {
    pub(super) fn next(&self) -> Option<Offset> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn push(&mut self, at: Offset, what: Looked) {
        self.0.push(Reverse((at, what)));
    }

    fn pop_due(&mut self, now: Offset) -> Option<(Offset, Looked)> {
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

/// The soonest time-out of a request, and which one it is.
fn deadline(request: &InFlight, config: &EngineConfig) -> Option<(Offset, Missing)> {
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
    needed.min_by_key(|(at, _)| *at)
}

impl Engine {
    /// Sees to it that the stream is looked at by its soonest time-out.
    pub(super) fn arm_stream(&mut self, stream: StreamId) {
        let now = self.now();
        let Some(request) = self.streams.get_mut(stream) else {
            return;
        };
        let Some((at, _)) = deadline(request, &self.config) else {
            return;
        };
        // An idle time-out begins with a byte yet to come: look again by then.
        let look = self
            .config
            .idle_timeout
            .map_or(at, |idle| at.min(now.plus(idle)));
        let Some(looked_at) = self.streams.looked_at(stream) else {
            return;
        };
        if looked_at.is_some_and(|earlier| earlier <= look) {
            return;
        }
        *looked_at = Some(look);
        self.deadlines.push(look, Looked::Stream(stream));
    }

    /// Sees to it that a connection is up in time.
    pub(super) fn arm_link(&mut self, link: LinkId) {
        if let Some(opened) = self.transport.link(link).map(|link| link.opened) {
            let at = opened.plus(self.config.connect_timeout);
            self.deadlines.push(at, Looked::Link(link));
        }
    }

    /// Ends what has timed out.
    pub(super) fn fire_deadlines(&mut self, now: Offset) {
        while let Some((at, what)) = self.deadlines.pop_due(now) {
            match what {
                Looked::Stream(stream) => self.look_at_stream(stream, at, now),
                Looked::Link(link) => self.look_at_link(link, now),
            }
        }
    }

    fn look_at_stream(&mut self, stream: StreamId, at: Offset, now: Offset) {
        let Some(looked_at) = self.streams.looked_at(stream) else {
            return;
        };
        if *looked_at != Some(at) {
            return;
        }
        *looked_at = None;
        let Some(request) = self.streams.get_mut(stream) else {
            return;
        };
        match deadline(request, &self.config) {
            Some((at, Missing::Needed(reason))) if at <= now => {
                let text = after(request, now);
                self.abort(stream, Outcome::TimedOut, error(reason, &text), now);
            }
            Some((at, Missing::BodyEnd)) if at <= now => self.give_up_body(stream, now),
            Some(_) => self.arm_stream(stream),
            None => {}
        }
    }

    /// A connection that is not up yet: everything that waits for it has timed out.
    fn look_at_link(&mut self, link: LinkId, now: Offset) {
        let opening = self
            .transport
            .link(link)
            .is_some_and(|l| l.stage != Stage::Ready);
        if !opening {
            return;
        }
        let Some(mut closed) = self.close(link) else {
            return;
        };
        let (place, opened) = (closed.carrier.place, closed.link.opened);
        self.places[place].backoff.failed(opened, now);
        self.note_problem(place, "no answer in time");
        while let Some(mut request) = closed.take_request(&mut self.streams) {
            let text = after(&request, now);
            closed.note_connection(&mut request.record);
            let why = error(Reason::ConnectTimeout, &text);
            self.end(request, Outcome::TimedOut, Some(why), now);
        }
        self.serve_waiting();
    }

    /// The answer is complete and its body does not end: the connection is of no further use.
    fn give_up_body(&mut self, stream: StreamId, now: Offset) {
        if let Some(request) = self.streams.get_mut(stream) {
            request.reader.give_up_body(now);
            self.health.bodies_without_end += 1;
            self.finish(stream, false);
        }
    }
}

fn after(request: &InFlight, now: Offset) -> String {
    let start = request.record.send_start.unwrap_or(now);
    format!("after {:.3} s", now.since(start) as f64 / 1e9)
}
