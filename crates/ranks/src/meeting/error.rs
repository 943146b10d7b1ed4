//! Why ranks do not come together, or a record does not come over, and what to do.

use crate::files::FileError;
use crate::store::StoreError;
use infermeter_core::units::Span;
use std::io;

/// What to write instead of a place that another launch has.
const OWN_PLACE: &str =
    "each launch needs a place of its own, as in --rendezvous /shared/run-$SLURM_JOB_ID";

/// Why ranks do not come together, or a record does not come over.
#[derive(Debug, thiserror::Error)]
pub enum MeetingError {
    /// The place cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file there cannot be used.
    #[error("{place}: {cause}")]
    File {
        /// The place.
        place: String,
        /// What is wrong with the file.
        cause: FileError,
    },
    /// A rank of this number is there already.
    #[error(
        "{place}: rank {index} is there already: process {pid} on {host} came {since}; {became}; {OWN_PLACE}"
    )]
    Taken {
        /// The place.
        place: String,
        /// The rank.
        index: u32,
        /// Where the other one runs, or ran.
        host: String,
        /// Its process.
        pid: u32,
        /// How long ago it came, by this host's clock.
        since: String,
        /// What became of it.
        became: String,
    },
    /// What meets there is called otherwise by the launcher.
    #[error("{place} is the meeting place of {theirs} by {by}, and this is {own}; {OWN_PLACE}")]
    OtherLaunch {
        /// The place.
        place: String,
        /// What the launcher calls the launch there.
        theirs: String,
        /// Who began it.
        by: String,
        /// What it calls the launch of this rank.
        own: String,
    },
    /// This rank measures something else, or is another program.
    #[error(
        "{who} does not belong to the launch in {place} that {first} has begun: {what}; start all ranks with the same \
         command and the same program"
    )]
    Differs {
        /// This rank.
        who: String,
        /// The place.
        place: String,
        /// Who came first.
        first: String,
        /// What differs, here and there.
        what: String,
    },
    /// The others have begun.
    #[error(
        "{place}: the others began {since}, without rank {index}: start all ranks at once, or let them wait longer \
             (--rendezvous-timeout)"
    )]
    Late {
        /// The place.
        place: String,
        /// This rank.
        index: u32,
        /// How long ago, by this host's clock.
        since: String,
    },
    /// The start is further ahead than rank 0 may say it is.
    #[error(
        "{place}: this host's clock is {behind} behind that of rank 0 or was set back, or the start is forged: by this clock \
         all begin in {ahead}; keep the clocks of all hosts by NTP or PTP, and start all ranks again"
    )]
    Ahead {
        /// The place.
        place: String,
        /// By how much the clock is behind at least.
        behind: String,
        /// When all begin, by this host's clock.
        ahead: String,
    },
    /// Rank 0 has said that nobody begins.
    #[error("the launch in {place} has been given up: {why}")]
    GivenUp {
        /// The place.
        place: String,
        /// The reason.
        why: String,
    },
    /// Some did not come, or did not get ready.
    #[error(
        "{place}: after {waited} {absent}; look whether they were started, whether they see the same place, and what they \
         say; --rendezvous-timeout waits longer, --without-missing begins without them"
    )]
    Missing {
        /// The place.
        place: String,
        /// How long they were waited for.
        waited: Span,
        /// Who is missing, as a sentence.
        absent: String,
    },
    /// Another rank cannot go on.
    #[error("rank {index} on {host} cannot go on: {why}")]
    Failed {
        /// Which.
        index: u32,
        /// Its host.
        host: String,
        /// What it said.
        why: String,
    },
    /// A signal came.
    #[error("a signal ended the wait for the other ranks")]
    Interrupted,
    /// The address where rank 0 was to answer what the time is.
    #[error(
        "--sync {address}: {cause}: give an address of the host of rank 0, and a free port or 0"
    )]
    Sync {
        /// The address.
        address: String,
        /// What the system says.
        cause: io::Error,
    },
    /// Something of this host.
    #[error("{what}: {cause}")]
    System {
        /// What was attempted, or on which file.
        what: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A record is not what its rank has left.
    #[error("the record of rank {index} in {place} is not what the rank has left there: {what}")]
    Altered {
        /// The place.
        place: String,
        /// The rank.
        index: u32,
        /// What is not as it was.
        what: String,
    },
    /// A rank has left no record.
    #[error("rank {index} has left no record in {place}")]
    NoRecord {
        /// The place.
        place: String,
        /// The rank.
        index: u32,
    },
}
