//! What the trials before a run wait for at the moment, for whoever looks on from another thread.
//!
//! It prints nothing. Invariant: what has been waited for is gone when the wait is over.

use infermeter_core::clock::monotonic_ns;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// One wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wait {
    /// Number of the wait: each has its own.
    pub number: u64,
    /// What is waited for.
    pub what: String,
    /// How long at most.
    pub limit: Duration,
    /// The flag that changes this.
    pub flag: &'static str,
    since_ns: i64,
}

impl Wait {
    /// How long it has lasted.
    pub fn lasted(&self) -> Duration {
        let lasted = monotonic_ns() - self.since_ns;
        Duration::from_nanos(lasted.max(0).unsigned_abs())
    }
}

/// The wait under way, shared.
#[derive(Debug, Clone, Default)]
pub struct Waits(Arc<Mutex<Now>>);

#[derive(Debug, Default)]
struct Now {
    begun: u64,
    wait: Option<Wait>,
}

impl Waits {
    /// Waits for something while `act` runs.
    pub fn during<T>(
        &self,
        what: &str,
        limit: Duration,
        flag: &'static str,
        act: impl FnOnce() -> T,
    ) -> T {
        self.change(|now| {
            now.begun += 1;
            now.wait = Some(Wait {
                number: now.begun,
                what: what.to_owned(),
                limit,
                flag,
                since_ns: monotonic_ns(),
            });
        });
        let done = act();
        self.change(|now| now.wait = None);
        done
    }

    /// The wait under way.
    pub fn look(&self) -> Option<Wait> {
        self.change(|now| now.wait.clone())
    }

    fn change<T>(&self, act: impl FnOnce(&mut Now) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_seen_while_it_lasts() {
        let waits = Waits::default();
        let (limit, flag) = (Duration::from_secs(5), "--probe-timeout");
        let seen = waits.during("GET /a", limit, flag, || waits.look());
        let seen = seen.expect("a wait");
        assert_eq!((seen.number, seen.what.as_str()), (1, "GET /a"));
        assert_eq!(waits.look(), None);
        let next = waits.during("GET /b", limit, flag, || waits.look());
        assert_eq!(next.map(|wait| wait.number), Some(2));
    }
}
