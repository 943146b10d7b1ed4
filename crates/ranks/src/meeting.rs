//! The meeting of the ranks of one launch: what they agree on, when they begin, what they leave.
//!
//! Everything is a file at a place that creates a name once. `launch.json`: whoever comes first says what the run is
//! called. `rank-00003.json`: a rank takes its number. `ready-00003.json`: it is prepared. `start.json`: rank 0 says when
//! all begin, or that they do not. `failed-00003.json`: a rank cannot go on. `result-00003/`, and `done-00003.json` last:
//! its record.
//!
//! Nobody waits without an end, and nobody asks another directly (but for the time). Invariant: no file of a meeting
//! changes once it has its name, so that who reads it first and who reads it last know the same.

mod clocks;
mod deliver;
mod error;
mod fetch;
mod gathering;
mod join;
mod pauses;
mod seen;
mod start;
#[cfg(test)]
mod tests;
mod timed;
mod wall;

pub use crate::files::names::{LAUNCH, TELLING, results};
pub use crate::files::{Absent, DeliveredFile, Launch};
pub use error::MeetingError;
pub use fetch::fetch;
pub use gathering::{Delivered, Failure, Gathering, gathering};

use crate::files::names::{Of, START};
use crate::files::{Decision, FORMAT_VERSION, FailedFile, LaunchFile, RankFile, StartFile};
use crate::store::Store;
use crate::told::Rank;
use clocks::Clocks;
use infermeter_core::clock::realtime_ns;
use infermeter_core::run::{ClockOffset, RankFacts};
use infermeter_core::units::Span;
use std::net::SocketAddr;
use std::path::Path;
use timed::Timed;

/// What happens when not all ranks come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// Nothing is measured.
    End,
    /// The others begin without them.
    GoOn,
}

/// Who joins, and for what.
#[derive(Debug, Clone)]
pub struct JoinAs {
    /// Which rank it is, and who said so.
    pub rank: Rank,
    /// Who it is otherwise.
    pub facts: RankFacts,
    /// Hash of what it measures.
    pub plan_hash: String,
    /// What the launch is if nobody has come before.
    pub proposed: Launch,
    /// How long it waits for the others.
    pub timeout: Span,
    /// What happens when not all come. That of rank 0 counts.
    pub missing: Missing,
    /// Where rank 0 answers what the time is, an address of its own host; absent: on the loopback, where nobody but its
    /// own host asks. The others do not look at it.
    pub sync: Option<SocketAddr>,
}

/// When this rank begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartAt {
    /// By its own wall clock, nanoseconds since the Unix epoch.
    pub own_unix_ns: i64,
    /// By that of rank 0, which has said it.
    pub asked_unix_ns: i64,
    /// Ranks that are not waited for.
    pub without: Vec<Absent>,
}

/// A rank among the others of its launch.
#[derive(Debug)]
pub struct Meeting {
    timed: Timed,
    launch: LaunchFile,
    /// What this rank has left of itself.
    own: RankFile,
    timeout: Span,
    missing: Missing,
    clocks: Clocks,
}

impl Meeting {
    /// What the launch is, by whoever came first.
    pub fn launch(&self) -> &Launch {
        &self.launch.launch
    }

    /// Where they meet.
    pub fn store(&self) -> &dyn Store {
        self.timed.store()
    }

    /// How the own wall clock stood to that of rank 0 before the start; `None` where nothing is known of it, and before
    /// [`Self::ready`].
    pub fn own_clock(&self) -> Option<ClockOffset> {
        self.clocks.best()
    }

    /// The same once more, after the load: how far the clocks have moved apart. What rank 0 has left of its clock is older
    /// by then, and the bound that much larger, unless rank 0 still answers.
    pub fn clock_again(&self) -> Option<ClockOffset> {
        self.clocks.hold_again(&self.timed, &self.own.facts)
    }

    /// Everything is prepared here: says so, waits for the others, and tells when all begin. That may have passed where the
    /// place is slow: then they begin at once, and late.
    ///
    /// # Errors
    /// When there will be no start, with the reason; when a signal came.
    pub fn ready(&self) -> Result<StartAt, MeetingError> {
        start::ready(self)
    }

    /// Leaves the files of a run directory at the place, and a mark when all of them are there.
    ///
    /// # Errors
    /// When a file cannot be read, or not be left there.
    pub fn deliver(&self, directory: &Path) -> Result<(), MeetingError> {
        deliver::deliver(self, directory)
    }

    /// This rank cannot go on: tells the others why, so that none waits for it. Whether they hear of it is not known: it
    /// has failed already, and the place may be the reason.
    pub fn failed(&self, why: &str) {
        tell_failed(&self.timed, &self.own.facts, why);
    }

    fn index(&self) -> u32 {
        self.own.facts.slice.index()
    }
}

/// Tells the others of a rank that it cannot go on, where it does not say so itself any more. What it has said stands.
pub fn failed_for(store: Box<dyn Store>, facts: &RankFacts, why: &str) {
    tell_failed(&Timed::new(store), facts, why);
}

/// Tells the others that a rank cannot go on.
fn tell_failed(timed: &Timed, facts: &RankFacts, why: &str) {
    let (index, now) = (facts.slice.index(), realtime_ns());
    let failed = FailedFile {
        format_version: FORMAT_VERSION,
        index,
        host: facts.host.clone(),
        failed_unix_ns: now,
        why: why.to_owned(),
    };
    let _ = timed.put(&Of::Failed.name(index), &failed);
    if index == 0 {
        let why = format!("{} cannot go on: {why}", join::who(facts));
        // Where it has said that all begin, they have.
        let _ = timed.put(START, &no_start(why, now));
    }
}

/// Rank 0 says that nobody begins.
fn no_start(why: String, now_unix_ns: i64) -> StartFile {
    StartFile {
        format_version: FORMAT_VERSION,
        decided_unix_ns: now_unix_ns,
        decision: Decision::NoStart { why },
    }
}
