//! What ranks have left at a meeting place so far: for who collects it.
//!
//! It waits for nobody. Invariant: each rank is in at most one of the lists of those that have come to an end.

use super::MeetingError;
use super::timed::{Left, file_of, left, patiently};
use crate::files::names::{LAUNCH, Of, START};
use crate::files::{
    Absent, Decision, DeliveredFile, DoneFile, FailedFile, Kept, Launch, LaunchFile, Owner,
    StartFile,
};
use crate::store::Store;
use infermeter_core::run::ClockOffset;

/// The record of a rank, as it was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The rank.
    pub index: u32,
    /// How many there are.
    pub of: u32,
    /// Its files.
    pub files: Vec<DeliveredFile>,
    /// How its clock stood to that of rank 0 when it had measured; absent where it did not look.
    pub clock_at_end: Option<ClockOffset>,
}

/// A rank that could not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The rank.
    pub index: u32,
    /// Its host.
    pub host: String,
    /// What it said.
    pub why: String,
}

/// How far a launch has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathering {
    /// What all ranks share.
    pub launch: Launch,
    /// How many there are.
    pub of: u32,
    /// Ranks that it began without.
    pub without: Vec<Absent>,
    /// Why nobody began; absent where all did, or nothing is decided yet.
    pub given_up: Option<String>,
    /// Ranks whose record is there, in order.
    pub delivered: Vec<Delivered>,
    /// Ranks that could not go on and left no record, in order.
    pub failed: Vec<Failure>,
}

impl Gathering {
    /// Ranks of which a record may still come.
    pub fn awaited(&self) -> Vec<u32> {
        let is_without = |rank: u32| self.without.iter().any(|absent| absent.index == rank);
        let all = if self.given_up.is_some() { 0 } else { self.of };
        (0..all)
            .filter(|rank| !is_without(*rank) && !self.has_ended(*rank))
            .collect()
    }

    fn has_ended(&self, rank: u32) -> bool {
        self.delivered
            .iter()
            .any(|delivered| delivered.index == rank)
            || self.failed.iter().any(|failure| failure.index == rank)
    }
}

/// How far the launch at a place has come; `None` where none was begun.
///
/// # Errors
/// When the place cannot be read, or what the ranks agreed on there is something else.
pub fn gathering(store: &dyn Store) -> Result<Option<Gathering>, MeetingError> {
    let Some(launch) = file_of::<LaunchFile>(store, LAUNCH)? else {
        return Ok(None);
    };
    let start = file_of::<StartFile>(store, START)?.map(|start| start.decision);
    let (without, given_up) = match start {
        None => (Vec::new(), None),
        Some(Decision::Start { without, .. }) => (without, None),
        Some(Decision::NoStart { why }) => (Vec::new(), Some(why)),
    };
    let mut all = Gathering {
        launch: launch.launch,
        of: launch.of,
        without,
        given_up,
        delivered: Vec::new(),
        failed: Vec::new(),
    };
    all.add_records(store)?;
    all.add_failures(store)?;
    Ok(Some(all))
}

impl Gathering {
    fn add_records(&mut self, store: &dyn Store) -> Result<(), MeetingError> {
        for (index, done) in each::<DoneFile>(store, Of::Done)? {
            let owner = Owner {
                index,
                run_id: &self.launch.run_id,
            };
            match done.map(|done| (done.owner().instead_of(owner), done)) {
                Ok((None, done)) => self.delivered.push(Delivered {
                    index,
                    of: done.of,
                    files: done.files,
                    clock_at_end: done.clock_at_end,
                }),
                Ok((Some(other), _)) => {
                    self.failed.push(unusable(index, &format!("it is {other}")));
                }
                Err(cause) => self.failed.push(unusable(index, &cause)),
            }
        }
        Ok(())
    }

    fn add_failures(&mut self, store: &dyn Store) -> Result<(), MeetingError> {
        for (index, failed) in each::<FailedFile>(store, Of::Failed)? {
            let has_ended = self.has_ended(index);
            match failed {
                _ if has_ended => {}
                Ok(failed) => self.failed.push(Failure {
                    index,
                    host: failed.host,
                    why: failed.why,
                }),
                Err(cause) => self.failed.push(unusable(index, &cause)),
            }
        }
        self.failed.sort_by_key(|failure| failure.index);
        Ok(())
    }
}

/// A rank of which something is there that nobody can use.
fn unusable(index: u32, why: &str) -> Failure {
    Failure {
        index,
        host: "a host".to_owned(),
        why: format!("what it left as its last word cannot be used: {why}"),
    }
}

/// The files of a kind, each with the rank that its name is of.
fn each<T: Kept>(store: &dyn Store, kind: Of) -> Result<Vec<(u32, Left<T>)>, MeetingError> {
    let mut all = Vec::new();
    for name in patiently(|| store.list(kind.prefix()))? {
        let Some(index) = kind.rank_of(&name) else {
            continue;
        };
        // One that was taken back between the two looks is not there.
        let file = left(file_of::<T>(store, &name))?;
        all.extend(file.map(|file| (index, file)));
    }
    all.sort_by_key(|(index, _)| *index);
    Ok(all)
}
