//! One run on several processes: each measures a part of the load, all begin together, and what they leave is merged.
//!
//! part -> meeting -> start -> record of each rank -> one record
//!
//! A rank is a process that something else has started; a worker is one that this program has started on this machine.
//! Invariant: the parts of all ranks together are the run that one process would have measured.

mod attend;
mod collect;
mod facts;
mod folders;
mod part;
mod placed;
mod records;
mod reported;
#[cfg(test)]
pub(crate) mod testing;
mod workers;

pub use attend::{Attendance, Attending, MeetingAsked};
pub use collect::{Gathered, gather};
pub(crate) use folders::{RANKS, RENDEZVOUS, folder_around, ranks_in, whole_of};
pub use folders::{directory_of, has_begun, is_of_ranks, rank_directories};
pub use part::{Agreed, CoresOf, Part, Shared, StartGate};
pub use reported::Reporting;
pub use workers::{WorkerEnd, WorkerTold, Workers, WorkersAsked};
