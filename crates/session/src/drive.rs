//! Drives a protocol: measures what it asks for, enters what has ended, asks again.
//!
//! Decides nothing itself. Invariant: a point is on disk, and in the ledger, before the protocol hears of it;
//! what a kill leaves behind is the points that the protocol had.

use crate::book::{Book, EndedLine};
use crate::failure::Cause;
use anyhow::Result;
use infermeter_protocol::{Point, PointOf, Protocol, Step};
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

/// Drives a protocol from `points` on, which were measured before. `on_point` hears of each new point, last
/// in its list.
///
/// # Errors
/// When the ledger cannot be written.
pub fn drive<P, B>(
    protocol: &P,
    bench: &mut B,
    book: &mut Book,
    mut points: Vec<PointOf<P>>,
    on_point: &mut dyn FnMut(&[PointOf<P>]),
) -> Result<Driven<P::At, P::Seen, P::Answer>>
where
    P: Protocol,
    P::At: Serialize,
    B: Bench<At = P::At, Seen = P::Seen>,
{
    loop {
        let at = match protocol.next(&points) {
            Step::Measure(at) => at,
            Step::Extend(index) => points[index].at.clone(),
            Step::Stop(answer) => {
                let end = End::Answered(answer);
                return Ok(Driven { points, end });
            }
        };
        if bench.is_stopped() {
            let end = End::Interrupted;
            return Ok(Driven { points, end });
        }
        let number = points.len() + 1;
        let replicate = points.iter().filter(|point| point.at == at).count();
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
                on_point(&points);
            }
            Err(error) => {
                // A signal says nothing about what was to be measured.
                if Cause::of(&error) != Cause::Interrupted {
                    book.stopped(number, &error)?;
                }
                let end = End::Failed(error);
                return Ok(Driven { points, end });
            }
        }
    }
}
