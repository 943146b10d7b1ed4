//! The clock of this rank beside that of rank 0, as far as the meeting place and the network let it be known.
//!
//! Rank 0 leaves what the others hold their clocks against; they hold them against it before they are ready, and once more
//! when they have measured. Invariant: a way that is not open is left out, and never an error.

use super::timed::Timed;
use crate::files::{KeptClock, KeptStore, RankFile};
use crate::fresh::fresh;
use crate::offset::{
    Answerer, Stamp, Token, age, ask, beside, best, discipline, same_kernel, stands, stood,
};
use crate::store::Put;
use infermeter_core::clock::realtime_ns;
use infermeter_core::run::{ClockOffset, OffsetSource, RankFacts};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// Files that are put to see the time stamps of the place: one of them meets no queue.
const STAMPS: usize = 3;

/// What is known of the clock of a rank.
#[derive(Debug)]
pub(super) struct Clocks {
    token: Token,
    /// Answers the others, as long as it is there: at rank 0.
    _answerer: Option<Answerer>,
    /// What rank 0 has left.
    first: OnceLock<RankFile>,
    /// By each way, before the start.
    known: Mutex<Vec<ClockOffset>>,
    /// Once more, after the load.
    again: Mutex<Option<ClockOffset>>,
}

impl Clocks {
    pub(super) fn new(token: Token, answerer: Option<Answerer>) -> Self {
        Self {
            token,
            _answerer: answerer,
            first: OnceLock::new(),
            known: Mutex::new(Vec::new()),
            again: Mutex::new(None),
        }
    }

    /// The best of what is known.
    pub(super) fn best(&self) -> Option<ClockOffset> {
        best(&locked(&self.known))
    }

    /// What was known after the load.
    pub(super) fn at_end(&self) -> Option<ClockOffset> {
        *locked(&self.again)
    }

    /// Holds the own clock against what rank 0 has left; returns what each way said.
    pub(super) fn hold(&self, timed: &Timed, own: &RankFacts, first: RankFile) -> Vec<ClockOffset> {
        let known = self.estimates(timed, own, &first);
        // It is held once.
        let _ = self.first.set(first);
        locked(&self.known).clone_from(&known);
        known
    }

    /// This is rank 0: its clock is the one that all others are held against.
    pub(super) fn is_first(&self) -> Vec<ClockOffset> {
        let own = vec![ClockOffset {
            offset_ns: 0,
            bound_ns: 0,
            by: OffsetSource::SameKernel,
        }];
        locked(&self.known).clone_from(&own);
        own
    }

    /// Once more, after the load; `None` where it was not known before either.
    pub(super) fn hold_again(&self, timed: &Timed, own: &RankFacts) -> Option<ClockOffset> {
        let now = match self.first.get() {
            Some(first) => best(&self.estimates(timed, own, first)),
            None => self.best(),
        };
        *locked(&self.again) = now;
        now
    }

    fn estimates(&self, timed: &Timed, own: &RankFacts, first: &RankFile) -> Vec<ClockOffset> {
        let same = same_kernel(own, &first.facts);
        let Some(kept) = &first.clock else {
            return same.into_iter().collect();
        };
        let here = same.is_some();
        let asked = address(kept, own, &first.facts)
            // Where both read one clock, only what somebody has asked for is worth the time.
            .filter(|at| !here || !at.ip().is_loopback())
            .and_then(|at| ask(at, &self.token, own.slice.index()));
        let mut all: Vec<ClockOffset> = same.into_iter().chain(asked).collect();
        if !here {
            let stamped = kept
                .store
                .and_then(|other| Some((look(timed, own)?, other)));
            let measured = stamped.map(|(own, other)| stood(own, other, 0));
            let measured: Vec<ClockOffset> = asked.into_iter().chain(measured).collect();
            // The two clocks are those whose offset is in question.
            let age_ns = age(realtime_ns().saturating_sub(kept.read_unix_ns), &measured);
            let said = discipline().zip(kept.discipline);
            all.extend(said.map(|(own, other)| stands(own, other, age_ns)));
            all.extend(stamped.map(|(own, other)| stood(own, other, age_ns)));
        }
        all
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the others hold their clocks against, where this is rank 0 and has others.
pub(super) fn kept(
    timed: &Timed,
    own: &RankFacts,
    of: u32,
    answerer: Option<&Answerer>,
) -> Option<KeptClock> {
    if own.slice.index() != 0 || of < 2 {
        return None;
    }
    let store = look(timed, own);
    Some(KeptClock {
        read_unix_ns: realtime_ns(),
        discipline: discipline(),
        store,
        answers_at: answerer.map(Answerer::address),
    })
}

/// Where rank 0 may be asked; nowhere, where only processes on its own host could.
fn address(kept: &KeptClock, own: &RankFacts, first: &RankFacts) -> Option<SocketAddr> {
    let elsewhere =
        own.machine.is_some() && first.machine.is_some() && own.machine != first.machine;
    let reaches = |at: &SocketAddr| !(elsewhere && at.ip().is_loopback());
    kept.answers_at.filter(reaches)
}

/// The own clock beside that of the place: a few files are put, looked at and taken back.
fn look(timed: &Timed, own: &RankFacts) -> Option<KeptStore> {
    let stamps: Option<Vec<Stamp>> = (0..STAMPS)
        .map(|_| stamp(timed, own.slice.index()))
        .collect();
    beside(&stamps?)
}

fn stamp(timed: &Timed, index: u32) -> Option<Stamp> {
    let store = timed.store();
    let name = format!("clock-{index:05}-{}", fresh().ok()?);
    let before_ns = realtime_ns();
    let put = store.put_new(&name, b"time\n");
    let after_ns = realtime_ns();
    let modified_ns = match put {
        Ok(Put::New) => store.modified_ns(&name).ok().flatten(),
        Ok(Put::Taken) | Err(_) => None,
    };
    // Where nothing may be taken back, they stay.
    let _ = store.remove(&name);
    Some(Stamp {
        before_ns,
        modified_ns: modified_ns?,
        after_ns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake::Fake;
    use crate::testing::facts;

    #[test]
    fn the_stamps_of_a_place_tell_its_clock_and_are_taken_back() {
        let place = Fake {
            ahead_ns: 5_000_000_000,
            ..Fake::default()
        };
        let timed = Timed::new(Box::new(place.clone()));
        let seen = look(&timed, &facts(1, 2)).expect("stamps");
        assert!(
            (seen.offset_ns + 5_000_000_000).abs() <= seen.bound_ns,
            "{seen:?}"
        );
        assert_eq!(timed.list("").expect("listed"), [""; 0]);
    }

    #[test]
    fn the_loopback_of_another_host_is_not_asked() {
        let on = |machine: Option<&str>| RankFacts {
            machine: machine.map(str::to_owned),
            ..facts(0, 2)
        };
        let is_asked = |at: &str, own: Option<&str>, first: Option<&str>| {
            let kept = KeptClock {
                read_unix_ns: 0,
                discipline: None,
                store: None,
                answers_at: at.parse().ok(),
            };
            address(&kept, &on(own), &on(first)).is_some()
        };
        assert!(!is_asked("127.0.0.1:9", Some("a"), Some("b")));
        assert!(is_asked("127.0.0.1:9", Some("a"), Some("a")));
        assert!(is_asked("127.0.0.1:9", None, Some("a")));
        assert!(is_asked("10.0.0.7:9", Some("a"), Some("b")));
    }
}
