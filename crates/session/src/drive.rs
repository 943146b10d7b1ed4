//! Drives a protocol: measures what it asks for, enters what has ended, asks again.
//!
//! Decides nothing itself. Invariant: a point is on disk, and in the ledger, before the protocol hears of it;
//! what a kill leaves behind is the points that the protocol had.

use crate::book::{Book, EndedLine};
use crate::failure::Cause;
use anyhow::Result;
use infermeter_protocol::{Numbered, Point, PointOf, Protocol, Step, numbered};
use serde::Serialize;

/// One thing to be measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order<'a, At> {
    /// Its number, from 1.
    pub number: usize,
    /// Its coordinates.
    pub at: &'a At,
    /// How many points at the same coordinates there are already.
    pub replicate: usize,
}

/// Measures what a protocol asks for.
pub trait Bench {
    /// Where something can be measured.
    type At: Clone + PartialEq + Serialize;
    /// What is seen there.
    type Seen;
    /// What the ledger keeps of it.
    type Entry: Serialize;

    /// Measures one.
    ///
    /// # Errors
    /// When there is nothing to be seen. What went badly and left a record is a point.
    fn measure(&mut self, order: Order<'_, Self::At>) -> Result<Self::Seen>;

    /// What the ledger keeps.
    fn entry(&self, seen: &Self::Seen) -> Self::Entry;

    /// Whether a signal has come: then nothing new begins.
    fn is_stopped(&self) -> bool;
}

/// How far a protocol came.
#[derive(Debug)]
pub struct Driven<At, Seen, Answer> {
    /// What was measured, in order.
    pub points: Vec<Point<At, Seen>>,
    /// How it ended.
    pub end: End<Answer>,
}

/// How a protocol ended.
#[derive(Debug)]
pub enum End<Answer> {
    /// With its answer.
    Answered(Answer),
    /// A signal came between two points.
    Interrupted,
    /// What it asked for could not be measured.
    Failed(anyhow::Error),
}

/// What happens while a protocol is driven.
#[derive(Debug)]
pub enum News<'a, At, Seen> {
    /// There is a new point, last of all.
    Point(&'a [Point<At, Seen>]),
    /// A target cannot be measured any more, and the protocol goes on without it.
    Lost {
        /// Where it was to be measured.
        at: &'a At,
        /// Why it could not be.
        error: &'a anyhow::Error,
    },
}

/// Hears of what happens.
type Tell<'t, At, Seen> = dyn FnMut(News<'_, At, Seen>) + 't;

/// Drives a protocol from `points` on, which were measured before. `tell` hears of what happens.
///
/// # Errors
/// When the ledger cannot be written.
pub fn drive<P, B>(
    protocol: &P,
    bench: &mut B,
    book: &mut Book,
    mut points: Vec<PointOf<P>>,
    tell: &mut Tell<'_, P::At, P::Seen>,
) -> Result<Driven<P::At, P::Seen, P::Answer>>
where
    P: Protocol,
    P::At: Serialize,
    B: Bench<At = P::At, Seen = P::Seen>,
{
    let (mut lost, mut last): (Vec<P::At>, _) = (Vec::new(), None);
    loop {
        let at = match protocol.without(&points, &lost) {
            Step::Measure(at) => at,
            Step::Extend(index) => points[index].at.clone(),
            Step::Stop(answer) => {
                let end = last.map_or(End::Answered(answer), End::Failed);
                return Ok(Driven { points, end });
            }
        };
        if bench.is_stopped() {
            let end = End::Interrupted;
            return Ok(Driven { points, end });
        }
        let Numbered { number, replicate } = numbered(protocol, &points, &at);
        let order = Order {
            number,
            at: &at,
            replicate,
        };
        match bench.measure(order) {
            Ok(seen) => {
                book.ended(EndedLine {
                    number,
                    at: &at,
                    replicate,
                    seen: bench.entry(&seen),
                })?;
                points.push(Point {
                    number,
                    at,
                    replicate,
                    seen,
                });
                tell(News::Point(&points));
            }
            Err(error) => {
                let cause = Cause::of(&error);
                // A signal says nothing about what was to be measured.
                if cause != Cause::Interrupted {
                    book.stopped(number, &error)?;
                }
                lost.push(at.clone());
                if cause != Cause::Target || !protocol.goes_on_without(&lost) {
                    let end = End::Failed(error);
                    return Ok(Driven { points, end });
                }
                tell(News::Lost {
                    at: &at,
                    error: &error,
                });
                last = Some(error);
            }
        }
    }
}
