//! A part of a load that several processes share: which, who measures it, and when they begin together.
//!
//! It starts no process and meets nobody. Invariant: a part changes neither plan nor requests, so that its
//! experiment has the hash of the whole.

use crate::run_id::RunIdentity;
use anyhow::Result;
use infermeter_core::run::{ClockOffset, RankFacts};
use infermeter_core::schedule::Slice;
use infermeter_runner::Begin;
use infermeter_sys::signals;
use std::cell::OnceCell;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// How often signals are looked for while others are waited for.
const LOOK: Duration = Duration::from_millis(20);

/// What a process shares with others that measure one run with it.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The run's id and salt: those of all.
    pub identity: RunIdentity,
    /// What of it this process measures.
    pub part: Part,
}

/// A part of a load, for the process that measures it.
#[derive(Debug, Clone)]
pub struct Part {
    /// Which part.
    pub slice: Slice,
    /// Says when all begin; absent where nobody is waited for.
    pub gate: Option<Arc<dyn StartGate + Send + Sync>>,
    /// Who measures it; what is agreed on at the start is filled in then.
    pub facts: RankFacts,
    /// URL of the embedded simulator where another process has started it. Plan and facts stay those of `mock:`.
    pub simulator: Option<String>,
    /// Whose cores this process runs on.
    pub cores: CoresOf,
}

/// Whose cores a process runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CoresOf {
    /// Its own: a worker may have one for itself.
    #[default]
    Itself,
    /// Those of several ranks: no worker is pinned, and none waits busily.
    Several,
}

/// Knows when ranks begin together.
pub trait StartGate: Debug {
    /// Everything is ready here: waits for the others.
    ///
    /// # Errors
    /// When there will be no start, with the reason.
    fn ready(&self) -> Result<Agreed>;

    /// This rank will not begin: tells the others why, so that none waits for it.
    fn gone(&self, why: &str);
}

/// What ranks have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreed {
    /// The start by the own wall clock, nanoseconds since the Unix epoch.
    pub own_unix_ns: i64,
    /// The same by the wall clock of rank 0.
    pub asked_unix_ns: i64,
    /// How the own wall clock stands to that of rank 0; absent where nothing is known of it.
    pub clock: Option<ClockOffset>,
}

impl Part {
    /// Whether what is asked of the server once, and read of it during the load, is this process's affair.
    pub(crate) fn is_first(&self) -> bool {
        self.slice.index() == 0
    }

    /// Waits for the others, on a thread of its own: a signal ends the wait, whatever they do.
    ///
    /// # Errors
    /// Why there will be no start.
    pub(crate) fn begin(&self, agreed: &OnceCell<Agreed>) -> Result<Begin, String> {
        let Some(gate) = &self.gate else {
            return Ok(Begin::Now);
        };
        let (sender, receiver) = channel();
        let waiting = Arc::clone(gate);
        std::thread::spawn(move || {
            // Nobody listens any more after a signal.
            let _ = sender.send(waiting.ready());
        });
        loop {
            match receiver.recv_timeout(LOOK) {
                _ if signals::count() > 0 => {
                    gate.gone("a signal stopped it before the start");
                    return Ok(Begin::Stopped);
                }
                Ok(Ok(all)) => {
                    return Ok(Begin::At(agreed.get_or_init(|| all).own_unix_ns));
                }
                Ok(Err(error)) => return Err(format!("{error:#}")),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err("the start could not be agreed on".to_owned());
                }
            }
        }
    }

    /// Who it is, with what was agreed on.
    pub(crate) fn facts(&self, agreed: Option<&Agreed>) -> RankFacts {
        let facts = self.facts.clone();
        match agreed {
            None => facts,
            Some(agreed) => RankFacts {
                clock: agreed.clock,
                start_asked_ns: Some(agreed.asked_unix_ns),
                ..facts
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[derive(Debug)]
    struct Fixed(Option<Agreed>);

    impl StartGate for Fixed {
        fn ready(&self) -> Result<Agreed> {
            self.0.ok_or_else(|| anyhow!("rank 2 never came"))
        }

        fn gone(&self, _: &str) {}
    }

    const AGREED: Agreed = Agreed {
        own_unix_ns: 1_005,
        asked_unix_ns: 1_000,
        clock: None,
    };

    fn part(gate: Option<Fixed>) -> Part {
        let slice = Slice::new(1, 3).expect("a slice");
        Part {
            slice,
            gate: gate.map(|gate| Arc::new(gate) as Arc<dyn StartGate + Send + Sync>),
            facts: super::super::facts::facts(slice, "flags", None),
            simulator: None,
            cores: CoresOf::default(),
        }
    }

    #[test]
    fn a_part_begins_when_its_gate_says_and_keeps_what_was_agreed_on() {
        let agreed = OnceCell::new();
        assert_eq!(part(None).begin(&agreed), Ok(Begin::Now));
        assert_eq!(agreed.get(), None);
        let part = part(Some(Fixed(Some(AGREED))));
        assert_eq!(part.begin(&agreed), Ok(Begin::At(1_005)));
        assert_eq!(part.facts(agreed.get()).start_asked_ns, Some(1_000));
        assert_eq!(part.facts(None).start_asked_ns, None);
    }

    #[test]
    fn a_gate_that_refuses_says_why() {
        let refused = part(Some(Fixed(None))).begin(&OnceCell::new());
        assert_eq!(refused, Err("rank 2 never came".to_owned()));
    }
}
