//! A rank among others: it meets them, measures its part under the id that all share, and leaves its record with
//! them.
//!
//! How they meet is `infermeter-ranks`' affair. Invariant: what the ranks agree on (id, salt, start) comes from the
//! meeting, and what they measure from their own plans, which are the same or do not meet.

use super::facts::{facts, program_hash};
use super::part::{Agreed, CoresOf, Part, Shared, StartGate};
use super::placed::cores_of;
use super::records::Records;
use super::workers::WorkerTold;
use crate::experiment::Experiment;
use crate::run_id::{RunIdentity, default_directory};
use anyhow::Result;
use infermeter_core::clock::realtime_ns;
use infermeter_core::units::Span;
use infermeter_ranks::meeting::{JoinAs, Launch, Meeting, Missing};
use infermeter_ranks::store;
use infermeter_ranks::told::Rank;
use infermeter_sys::signals;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a rank meets the others.
#[derive(Debug, Clone)]
pub struct MeetingAsked {
    /// The place.
    pub place: String,
    /// How long they wait for each other.
    pub timeout: Span,
    /// Whether the run begins without those that do not come.
    pub without_missing: bool,
    /// Where rank 0 answers what the time is; absent: on the loopback.
    pub sync: Option<SocketAddr>,
}

/// Who meets the others, and for what.
#[derive(Debug)]
pub struct Attending<'a> {
    asked: MeetingAsked,
    rank: Rank,
    experiment: &'a Experiment,
    salt: Option<u64>,
    simulator: Option<String>,
    cores: CoresOf,
    /// Hash of the program, where it may differ from that of the others.
    program: Option<String>,
}

impl<'a> Attending<'a> {
    /// A rank that something else has started, which has these variables in its environment.
    pub fn of_rank(
        asked: MeetingAsked,
        rank: Rank,
        experiment: &'a Experiment,
        variable: &dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            asked,
            cores: cores_of(rank.slice, variable),
            rank,
            experiment,
            salt: experiment.requests.salt,
            simulator: None,
            program: program_hash(),
        }
    }

    /// A worker of this program on this machine.
    pub fn of_worker(told: &WorkerTold, experiment: &'a Experiment) -> Self {
        Self {
            asked: MeetingAsked {
                // It came as text.
                place: told.rendezvous.to_string_lossy().into_owned(),
                timeout: told.timeout,
                without_missing: told.without_missing,
                sync: None,
            },
            rank: Rank {
                slice: told.slice,
                told_by: "workers",
                launch: None,
            },
            experiment,
            salt: experiment.requests.salt,
            simulator: told.simulator.clone(),
            cores: told.cores(),
            // All of them are started from one file.
            program: None,
        }
    }

    /// What is said of it when it joins.
    fn join_as(&self) -> Result<JoinAs> {
        let plan_hash = self.experiment.hash();
        let identity = RunIdentity::fresh(self.salt)?;
        let Rank { slice, told_by, .. } = self.rank;
        Ok(JoinAs {
            rank: self.rank.clone(),
            facts: facts(slice, told_by, self.program.clone()),
            plan_hash: plan_hash.clone(),
            proposed: Launch {
                run_id: identity.id,
                salt: identity.salt,
                plan_hash,
                version: env!("CARGO_PKG_VERSION").to_owned(),
                started_unix_ns: realtime_ns(),
            },
            timeout: self.asked.timeout,
            missing: match self.asked.without_missing {
                true => Missing::GoOn,
                false => Missing::End,
            },
            sync: self.asked.sync,
        })
    }
}

/// A rank that has met the others.
#[derive(Debug)]
pub struct Attendance {
    meeting: Arc<Meeting>,
    asked: MeetingAsked,
    shared: Shared,
    started_unix_ns: i64,
}

impl Attendance {
    /// Meets the others at the place: the first to come says what the run is called.
    ///
    /// # Errors
    /// When the place cannot be used, or this rank does not belong to those that meet there.
    pub fn join(attending: Attending<'_>) -> Result<Self> {
        let place = store::open(&attending.asked.place)?;
        let join_as = attending.join_as()?;
        let own = join_as.facts.clone();
        let meeting = Arc::new(Meeting::join(place, join_as)?);
        let launch = meeting.launch();
        let part = Part {
            slice: attending.rank.slice,
            gate: Some(Arc::new(Gate(Arc::clone(&meeting)))),
            facts: own,
            simulator: attending.simulator,
            cores: attending.cores,
        };
        Ok(Self {
            shared: Shared {
                identity: RunIdentity {
                    id: launch.run_id.clone(),
                    salt: launch.salt,
                },
                part,
            },
            started_unix_ns: launch.started_unix_ns,
            asked: attending.asked,
            meeting,
        })
    }

    /// What this rank shares with the others.
    pub fn shared(&self) -> Shared {
        self.shared.clone()
    }

    /// It is rank 0.
    pub fn is_first(&self) -> bool {
        self.shared.part.is_first()
    }

    /// Where they meet.
    pub fn place(&self) -> &str {
        &self.asked.place
    }

    /// The directory of the whole, the same for all ranks: the one that was asked for, else by time and id of the
    /// launch.
    pub fn whole(&self, asked: Option<&Path>) -> PathBuf {
        let by_launch = || default_directory(self.started_unix_ns, &self.shared.identity.id);
        asked.map_or_else(by_launch, Path::to_owned)
    }

    /// Leaves a record with the others, and how far the clocks have moved apart.
    ///
    /// # Errors
    /// When it cannot be written there.
    pub fn deliver(&self, directory: &Path) -> Result<()> {
        self.meeting.clock_again();
        Ok(self.meeting.deliver(directory)?)
    }

    /// Waits for the records of all ranks, at most as long as for their start, and gets those that are not in the
    /// directory of the whole yet. The answer says what is missing, and why; `tell` hears of a wait. Whatever becomes of the
    /// place, what is here was measured.
    pub fn collect(&self, whole: &Path, tell: &mut dyn FnMut(&str)) -> Vec<String> {
        let records = Records {
            store: self.meeting.store(),
            run_id: &self.shared.identity.id,
            whole,
            signals: &signals::count,
        };
        let waited = records.awaited(self.asked.timeout, tell);
        let mut notes = records.keep_meeting();
        match waited {
            Ok(waited) => {
                notes.extend(records.fetched(&waited.seen.delivered));
                notes.extend(waited.missing());
            }
            Err(error) => notes.push(format!("no record of another rank was got: {error:#}")),
        }
        notes
    }

    /// Tells the others why this rank cannot go on.
    pub fn failed(&self, why: &str) {
        self.meeting.failed(why);
    }
}

/// The meeting as what says when all begin.
#[derive(Debug)]
struct Gate(Arc<Meeting>);

impl StartGate for Gate {
    fn ready(&self) -> Result<Agreed> {
        let start = self.0.ready()?;
        Ok(Agreed {
            own_unix_ns: start.own_unix_ns,
            asked_unix_ns: start.asked_unix_ns,
            clock: self.0.own_clock(),
        })
    }

    fn gone(&self, why: &str) {
        self.0.failed(why);
    }
}
