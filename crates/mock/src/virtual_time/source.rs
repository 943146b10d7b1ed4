//! Where the arrivals of a virtual run come from.
//!
//! A source may wait for ends (closed loops, searches) or not (open loops, traces). Invariant: the
//! runner takes a request only after it was announced.

use super::{Answered, Fate};
use crate::engine::EngineRequest;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;

/// Arrivals, one after the other.
pub trait Source {
    /// Instant of the next arrival, nanoseconds, not before the last one taken (an earlier one
    /// counts as that). `None`: none until a request ends; none at all, once all have ended.
    fn next_ns(&mut self) -> Option<i64>;

    /// Takes the arrival that [`Source::next_ns`] announced. The id is the source's own.
    fn take(&mut self) -> Option<EngineRequest>;

    /// What becomes of the request that was taken last.
    fn fate(&mut self) -> Fate {
        Fate::Served
    }

    /// A request has ended.
    fn ended(&mut self, answered: &Answered);
}

/// Arrivals known beforehand, in order of their instants: an open loop or a trace.
#[derive(Debug)]
pub struct Sorted<I: Iterator<Item = (i64, EngineRequest)>> {
    arrivals: Peekable<I>,
}

impl<I: Iterator<Item = (i64, EngineRequest)>> Sorted<I> {
    /// Arrivals as (instant in nanoseconds, request).
    pub fn new(arrivals: impl IntoIterator<IntoIter = I>) -> Self {
        Self {
            arrivals: arrivals.into_iter().peekable(),
        }
    }
}

impl<I: Iterator<Item = (i64, EngineRequest)>> Source for Sorted<I> {
    fn next_ns(&mut self) -> Option<i64> {
        self.arrivals.peek().map(|(at_ns, _)| *at_ns)
    }

    fn take(&mut self) -> Option<EngineRequest> {
        self.arrivals.next().map(|(_, request)| request)
    }

    fn ended(&mut self, _: &Answered) {}
}

/// A number of users, each of whom asks again some time after an answer's end.
#[derive(Debug)]
pub struct ClosedLoop<I> {
    requests: I,
    announced: Option<EngineRequest>,
    free: BinaryHeap<Reverse<i64>>,
    think_ns: i64,
}

impl<I: Iterator<Item = EngineRequest>> ClosedLoop<I> {
    /// `users` who begin at instant 0 and think for `think_ns` nanoseconds between an end and the
    /// next request, until there are no more requests.
    pub fn new(users: u32, think_ns: i64, requests: impl IntoIterator<IntoIter = I>) -> Self {
        Self {
            requests: requests.into_iter(),
            announced: None,
            free: (0..users).map(|_| Reverse(0)).collect(),
            think_ns,
        }
    }
}

impl<I: Iterator<Item = EngineRequest>> Source for ClosedLoop<I> {
    fn next_ns(&mut self) -> Option<i64> {
        let Reverse(at_ns) = *self.free.peek()?;
        if self.announced.is_none() {
            self.announced = self.requests.next();
        }
        self.announced.as_ref().map(|_| at_ns)
    }

    fn take(&mut self) -> Option<EngineRequest> {
        self.free.pop();
        self.announced.take()
    }

    fn ended(&mut self, answered: &Answered) {
        let again_ns = answered.ended_ns().saturating_add(self.think_ns);
        self.free.push(Reverse(again_ns));
    }
}
