//! Waiting for a server: port open, healthy, the first answer.
//!
//! It measures no load. Invariants: each instant has the look before it as its lower bound; a server that has ended, a
//! signal and the end of the time all end the wait; a refusal that will not change ends it, too.

use super::door::{Asked, Door, Said};
use super::{LOOK, unless_signalled};
use crate::failure::Failure;
use crate::observer::Observer;
use anyhow::Result;
use infermeter_analysis::cold_start::{ColdAnswer, ColdInstant, ReachedAt};
use infermeter_client::engine::Address;
use infermeter_core::clock::monotonic_ns;
use infermeter_core::units::Span;

/// What is waited with.
pub(crate) struct Wait<'a> {
    /// What instants count from, monotonic nanoseconds.
    pub origin_ns: i64,
    /// It is given up then, monotonic nanoseconds.
    pub until_ns: i64,
    /// The flag that says how long.
    pub flag: &'static str,
    /// An error where the server has ended.
    pub alive: &'a mut dyn FnMut() -> Result<()>,
    /// Who watches.
    pub observer: &'a dyn Observer,
}

/// A server that is ready.
#[derive(Debug)]
pub(crate) struct Ready {
    /// Where it is.
    pub address: Address,
    /// What it got to, in order.
    pub reached: Vec<ReachedAt>,
    /// Requests that were refused before the first answer.
    pub refused: u64,
}

impl Wait<'_> {
    fn ms(&self, at_ns: i64) -> f64 {
        (at_ns - self.origin_ns) as f64 / 1e6
    }

    /// Looks again and again until `look` has found something.
    fn until<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut() -> Result<Option<T>, String>,
    ) -> Result<Found<T>> {
        let mut before_ns = None;
        let mut last = String::new();
        loop {
            unless_signalled()?;
            (self.alive)()?;
            let asked_ns = monotonic_ns();
            match look() {
                Ok(Some(found)) => {
                    return Ok(Found {
                        found,
                        at_ns: monotonic_ns(),
                        before_ns,
                    });
                }
                Ok(None) => {}
                Err(why) => last = why,
            }
            before_ns = Some(asked_ns);
            if monotonic_ns() >= self.until_ns {
                let waited = Span((self.until_ns - self.origin_ns).max(0));
                let last = match last.is_empty() {
                    true => String::new(),
                    false => format!(": {last}"),
                };
                return Err(Failure::target(format!(
                    "{what} within {:.1} s{last}; {} gives it more time",
                    waited.as_seconds(),
                    self.flag
                ))
                .into());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Asks again and again until there is an answer; `None` where the server has no such thing.
    fn answered(&mut self, what: &str, mut ask: impl FnMut() -> Said) -> Result<Option<Found<()>>> {
        let answer = self.until(what, || match ask() {
            Said::NotYet(why) => Err(why),
            said => Ok(Some(said)),
        })?;
        match answer.found {
            Said::Never(why) => Err(Failure::target(why).into()),
            Said::Absent | Said::NotYet(_) => Ok(None),
            Said::Yes => Ok(Some(Found {
                found: (),
                at_ns: answer.at_ns,
                before_ns: answer.before_ns,
            })),
        }
    }

    fn reached<T>(&self, instant: ColdInstant, found: &Found<T>) -> ReachedAt {
        ReachedAt {
            instant,
            at_ms: self.ms(found.at_ns),
            earliest_ms: found.before_ns.map(|at_ns| self.ms(at_ns)),
            latest_ms: None,
        }
    }

    fn left(&self) -> Span {
        Span((self.until_ns - monotonic_ns()).max(1_000_000))
    }

    /// Waits until the server can be used. Instants that are reached go into `reached` as they are: they are told of
    /// one that never gets further, too.
    ///
    /// # Errors
    /// Saying what did not happen in time, or why it never will.
    pub fn ready(&mut self, door: &mut Door, reached: &mut Vec<ReachedAt>) -> Result<Address> {
        let open = self.until("the port was not open", || {
            door.open().map(Some).map_err(|e| e.to_string())
        })?;
        reached.push(self.reached(ColdInstant::PortOpen, &open));
        let address = open.found;
        let healthy = self.answered("the server was not healthy", || door.healthy(&address))?;
        if let Some(healthy) = healthy {
            reached.push(self.reached(ColdInstant::Healthy, &healthy));
        }
        self.answered("the model's name was not known", || {
            door.learn_model(&address)
        })?;
        Ok(address)
    }

    /// Waits until somebody accepts a connection.
    ///
    /// # Errors
    /// As for [`Self::ready`].
    pub fn open(&mut self, door: &Door) -> Result<Open> {
        let open = self.until("nobody accepted a connection", || {
            door.open().map(Some).map_err(|error| error.to_string())
        })?;
        Ok(Open {
            address: open.found,
            at_once: open.before_ns.is_none(),
        })
    }

    /// Waits for the first answer of a server that is ready.
    ///
    /// # Errors
    /// As for [`Self::ready`].
    pub fn first_answer(&mut self, door: &mut Door, ready: &mut Ready) -> Result<ColdAnswer> {
        let (origin_ns, observer) = (self.origin_ns, self.observer);
        let mut refused_before_ns = None;
        loop {
            unless_signalled()?;
            (self.alive)()?;
            let sent_ns = monotonic_ns();
            let last = match door.ask(&ready.address, self.left(), origin_ns, observer)? {
                Asked::Answered(answer) => {
                    ready.note(&answer, refused_before_ns.map(|at_ns| self.ms(at_ns)));
                    return Ok(answer);
                }
                Asked::Never(why) => return Err(Failure::target(why).into()),
                Asked::NotYet(why) => why,
            };
            ready.refused += 1;
            refused_before_ns = Some(sent_ns);
            if monotonic_ns() >= self.until_ns {
                (self.alive)()?;
                return Err(Failure::target(format!(
                    "no request was answered within {:.1} s, the last one: {last}; {} gives it more time",
                    self.ms(self.until_ns) / 1e3,
                    self.flag
                ))
                .into());
            }
            std::thread::sleep(LOOK);
        }
    }
}

impl Ready {
    /// A server at an address, of which more is waited for.
    pub fn at(address: Address, reached: Vec<ReachedAt>) -> Self {
        Self {
            address,
            reached,
            refused: 0,
        }
    }

    fn note(&mut self, answer: &ColdAnswer, refused_before_ms: Option<f64>) {
        let at = |instant: ColdInstant, at_ms: f64| ReachedAt {
            instant,
            at_ms,
            earliest_ms: refused_before_ms,
            latest_ms: None,
        };
        self.reached
            .push(at(ColdInstant::FirstByte, answer.first_byte_ms));
        let token = answer.first_token_ms;
        self.reached
            .extend(token.map(|ms| at(ColdInstant::FirstToken, ms)));
        self.reached
            .push(at(ColdInstant::FirstAnswer, answer.end_ms));
    }
}

/// Somebody who accepts connections.
pub(crate) struct Open {
    /// Where.
    pub address: Address,
    /// The first look found it so.
    pub at_once: bool,
}

/// What was found, and when.
struct Found<T> {
    found: T,
    at_ns: i64,
    /// When it was looked for the time before, and was not there.
    before_ns: Option<i64>,
}
