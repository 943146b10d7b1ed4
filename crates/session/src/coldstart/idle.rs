//! Times without requests: how much longer the first answer takes behind one, and, of a server that is there already,
//! after how long it has gone cold.
//!
//! Invariant: an idle time is held against the same server when it was busy, just before.

use super::{Ready, Starts, Wait, reason};
use crate::failure::Cause;
use crate::serve::unless_signalled;
use anyhow::{Result, bail};
use infermeter_analysis::cold_start::{
    AfterIdle, ColdAnswer, ColdRepeat, LEAST_ANSWERS, Steadied, steadied,
};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::units::Span;
use std::time::Duration;

/// Signals are looked for this often while nothing is sent.
const LOOK: Duration = Duration::from_millis(20);
/// A first token that takes so many times as long as the slowest of a busy server is one of a server that was cold.
const COLD: f64 = 2.0;

/// Times without requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdleSpec {
    /// None.
    None,
    /// One behind each start.
    For(Span),
    /// Of a server that is there: longer and longer ones, until it is cold.
    UntilCold {
        /// The first.
        first: Span,
        /// The longest.
        most: Span,
    },
}

/// The busy server.
pub(super) struct Busy {
    ttft_ms: Vec<f64>,
}

impl Busy {
    fn median(&self) -> Option<f64> {
        let mut sorted = self.ttft_ms.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let n = sorted.len();
        (n > 0).then(|| 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]))
    }

    fn slowest(&self) -> Option<f64> {
        self.ttft_ms.iter().copied().max_by(f64::total_cmp)
    }
}

/// How long the first token took. Of a server that was there, as of a busy one: setting up a connection is no model
/// that is loaded, and far away it takes longer than a token. Else since the first look, refusals and all: that is
/// what a user waits for.
fn waited_ms(first: &ColdAnswer, was_there: bool) -> Option<f64> {
    match was_there {
        true => first.ttft_ms(),
        false => first.first_token_ms,
    }
}

impl Starts<'_> {
    /// The answers at steady speed; without it, the last ones.
    pub(super) fn busy(&self, answers: &[ColdAnswer], steadied: &Steadied) -> Busy {
        let since = steadied.reached().map(|at| at.at_ms);
        let from = match since {
            Some(since) => answers.partition_point(|answer| answer.end_ms < since),
            None => answers.len().saturating_sub(LEAST_ANSWERS),
        };
        let busy = answers[from..].iter();
        Busy {
            ttft_ms: busy.filter_map(ColdAnswer::ttft_ms).collect(),
        }
    }

    /// Sends nothing for a time, and then the light load again.
    pub(super) fn after_idle(
        &mut self,
        idle: Span,
        busy: &Busy,
        alive: &mut dyn FnMut() -> Result<()>,
    ) -> Result<AfterIdle> {
        let until_ns = monotonic_ns().saturating_add(idle.ns());
        while monotonic_ns() < until_ns {
            unless_signalled()?;
            alive()?;
            let left_ns = (until_ns - monotonic_ns()).max(0).unsigned_abs();
            std::thread::sleep(LOOK.min(Duration::from_nanos(left_ns)));
        }
        let origin_ns = monotonic_ns();
        let mut wait = Wait {
            origin_ns,
            until_ns: origin_ns.saturating_add(self.asked.start_timeout.ns()),
            flag: "--start-timeout",
            alive: &mut *alive,
            observer: self.observer,
        };
        let open = wait.open(&self.door)?;
        let at_once = open.at_once;
        let mut ready = Ready::at(open.address, Vec::new());
        let first = wait.first_answer(&mut self.door, &mut ready)?;
        let mut answers = vec![first];
        self.light_load(&ready, origin_ns, alive, &mut answers)?;
        let steadied = steadied(&answers);
        let mut reached = ready.reached;
        reached.extend(steadied.reached());
        let first_ttft_ms = waited_ms(&first, at_once && ready.refused == 0);
        Ok(AfterIdle {
            idle,
            reached,
            refused: ready.refused,
            first_ttft_ms,
            busy_ttft_ms: busy.median(),
            busy_answers: busy.ttft_ms.len() as u64,
            slower_than_all: first_ttft_ms
                .zip(busy.slowest())
                .map(|(first, slowest)| first > slowest),
            steadied,
            answers,
        })
    }

    /// A server that is there already: busy, then idle until it is cold.
    pub(super) fn idle_alone(&mut self, mut repeat: ColdRepeat) -> Result<ColdRepeat> {
        let seen = self.idle_until_cold(&mut repeat);
        match seen {
            Ok(()) => {}
            Err(error) if Cause::of(&error) == Cause::Interrupted => return Err(error),
            // Nobody is there at all: no other start will find anybody.
            Err(error) if repeat.answers.is_empty() => return Err(error),
            Err(error) => repeat.failed = Some(reason(&format!("{error:#}"))),
        }
        repeat.model = Some(self.door.model().to_owned()).filter(|model| !model.is_empty());
        Ok(repeat)
    }

    fn idle_until_cold(&mut self, repeat: &mut ColdRepeat) -> Result<()> {
        let mut alive = || -> Result<()> { Ok(()) };
        let (first, most) = match self.asked.idle {
            IdleSpec::UntilCold { first, most } => (first, Some(most)),
            IdleSpec::For(span) => (span, None),
            IdleSpec::None => bail!("nothing is started, and nothing is left idle"),
        };
        let origin_ns = monotonic_ns();
        self.seen_once(repeat, origin_ns, &mut alive)?;
        let busy = self.busy(&repeat.answers, &repeat.steadied);
        // What one start has found out holds for the next ones.
        let mut idle = self.folder.cold_after.unwrap_or(first);
        loop {
            let after = self.after_idle(idle, &busy, &mut alive)?;
            let is_cold = after
                .first_ttft_ms
                .zip(busy.slowest())
                .is_some_and(|(first, slowest)| first > COLD * slowest);
            repeat.caches.push(format!(
                "{} after {idle} without requests",
                if is_cold { "cold" } else { "not cold" }
            ));
            repeat.after_idle = Some(after);
            match most {
                Some(most) if !is_cold => {
                    if idle >= most {
                        bail!(
                            "it was not cold after {idle} without requests: --idle-most gives it more time, and a server \
                             that scales to zero is needed"
                        );
                    }
                    idle = Span(idle.ns().saturating_mul(2).min(most.ns()));
                }
                Some(_) => {
                    self.folder.cold_after = Some(idle);
                    return Ok(());
                }
                None => return Ok(()),
            }
        }
    }

    /// A busy server: the light load, from the first request on.
    fn seen_once(
        &mut self,
        repeat: &mut ColdRepeat,
        origin_ns: i64,
        alive: &mut dyn FnMut() -> Result<()>,
    ) -> Result<()> {
        let mut wait = Wait {
            origin_ns,
            until_ns: origin_ns.saturating_add(self.asked.start_timeout.ns()),
            flag: "--start-timeout",
            alive: &mut *alive,
            observer: self.observer,
        };
        // Its instants are those of a server that is there: they are not a start's.
        let address = wait.ready(&mut self.door, &mut Vec::new())?;
        let mut ready = Ready::at(address, Vec::new());
        repeat
            .answers
            .push(wait.first_answer(&mut self.door, &mut ready)?);
        let load = self.light_load(&ready, origin_ns, alive, &mut repeat.answers);
        repeat.steadied = steadied(&repeat.answers);
        load
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_is_long_makes_no_server_cold() {
        // 120 ms of connections, then a token in 40 ms.
        let first = ColdAnswer {
            sent_ms: 120.0,
            first_byte_ms: 160.0,
            first_token_ms: Some(160.0),
            end_ms: 200.0,
            output_tokens: Some(4),
        };
        assert_eq!(waited_ms(&first, true), Some(40.0));
        assert_eq!(waited_ms(&first, false), Some(160.0));
    }
}
