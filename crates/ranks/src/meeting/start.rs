//! The start: ranks say that they are prepared, and rank 0 says when all begin.
//!
//! Rank 0 looks at the names of the place; the others look for one file. Invariant: there is one decision, and it does not
//! change: `start.json` is created once. What one rank has left and nobody can use makes that rank missing, and no other.

use super::pauses::Wait;
use super::seen::{Seen, Step};
use super::timed::Left;
use super::wall::{ago, span};
use super::{Meeting, MeetingError, StartAt, no_start};
use crate::files::names::{Of, START};
use crate::files::{
    Absent, Decision, FORMAT_VERSION, FailedFile, FileError, MOST_LEAD_NS, Owner, RankFile,
    ReadyFile, StartFile,
};
use crate::store::Put;
use infermeter_core::clock::realtime_ns;
use infermeter_core::text::listed;
use infermeter_core::units::Span;
use std::collections::{BTreeMap, BTreeSet};

/// How far ahead a start is at least, nanoseconds: four of the longest pauses between two looks.
const LEAD_NS: i64 = 2_000_000_000;
/// Most of what is not known of a clock that the wait for a start is longer for, nanoseconds: one that is known worse cannot
/// begin with others.
const MOST_BOUND_NS: i64 = 120_000_000_000;
/// How much of the longest wait for the place a start is ahead: it is written, seen, and read again where that failed.
const WAITS: i64 = 3;
/// How long others wait for what rank 0 decides when its own patience is at an end.
const GRACE: Span = Span::seconds(5);
/// Every how many looks the others look for more than the start.
const SELDOM: u32 = 4;
/// Most ranks that a message names.
const NAMED: usize = 8;

/// Says that this rank is prepared, and waits for the start.
///
/// # Errors
/// When there is none.
pub(super) fn ready(meeting: &Meeting) -> Result<StartAt, MeetingError> {
    let mut wait = Wait::of(meeting.timeout);
    let clocks = match meeting.index() {
        0 => meeting.clocks.is_first(),
        _ => {
            let first = first_rank(meeting, &mut wait)?;
            meeting
                .clocks
                .hold(&meeting.timed, &meeting.own.facts, first)
        }
    };
    let file = ReadyFile {
        format_version: FORMAT_VERSION,
        index: meeting.index(),
        ready_unix_ns: realtime_ns(),
        longest_wait_ns: meeting.timed.longest_ns(),
        clocks,
    };
    meeting.timed.put(&Of::Ready.name(meeting.index()), &file)?;
    let start = match meeting.index() {
        0 => decided(meeting, &mut wait)?,
        _ => awaited(meeting, &mut wait)?,
    };
    begins(meeting, start)
}

/// What a start means to this rank.
fn begins(meeting: &Meeting, start: StartFile) -> Result<StartAt, MeetingError> {
    let place = meeting.timed.place();
    match start.decision {
        Decision::NoStart { why } => Err(MeetingError::GivenUp { place, why }),
        Decision::Start {
            at_unix_ns,
            without,
        } if without.iter().any(|absent| absent.index == meeting.index()) => {
            Err(MeetingError::Late {
                place,
                index: meeting.index(),
                since: ago(at_unix_ns, realtime_ns()),
            })
        }
        Decision::Start {
            at_unix_ns,
            without,
        } => {
            let clock = meeting.own_clock();
            let own_unix_ns = at_unix_ns.saturating_add(clock.map_or(0, |clock| clock.offset_ns));
            let ahead_ns = own_unix_ns.saturating_sub(realtime_ns());
            if ahead_ns > most_ahead_ns(clock.map_or(0, |clock| clock.bound_ns)) {
                let behind_ns = ahead_ns.saturating_sub(at_unix_ns - start.decided_unix_ns);
                let error = MeetingError::Ahead {
                    place,
                    behind: span(behind_ns),
                    ahead: span(ahead_ns),
                };
                meeting.failed(&error.to_string());
                return Err(error);
            }
            Ok(StartAt {
                own_unix_ns,
                asked_unix_ns: at_unix_ns,
                without,
            })
        }
    }
}

/// How far ahead a start may be by a clock that is known so well: rank 0 says no more, whoever writes for it may.
fn most_ahead_ns(bound_ns: i64) -> i64 {
    MOST_LEAD_NS + bound_ns.clamp(0, MOST_BOUND_NS)
}

/// What rank 0 has left of itself.
fn first_rank(meeting: &Meeting, wait: &mut Wait) -> Result<RankFile, MeetingError> {
    loop {
        if let Some(first) = meeting.timed.get(&Of::Rank.name(0))? {
            return of_launch(meeting, first);
        }
        if wait.is_over() {
            return Err(waited_in_vain(meeting)?);
        }
        wait.pause()?;
    }
}

/// What rank 0 has left, if it is of rank 0 and of this launch: clocks are held against it.
fn of_launch(meeting: &Meeting, first: RankFile) -> Result<RankFile, MeetingError> {
    let run_id = &meeting.launch.launch.run_id;
    match first.owner().instead_of(Owner { index: 0, run_id }) {
        None => Ok(first),
        Some(other) => Err(MeetingError::File {
            place: meeting.timed.place(),
            cause: FileError::Wrong {
                name: Of::Rank.name(0),
                why: format!("it is {other}"),
            },
        }),
    }
}

/// What rank 0 has decided, for the others.
fn awaited(meeting: &Meeting, wait: &mut Wait) -> Result<StartFile, MeetingError> {
    let (mut looks, mut first_is_ready) = (0_u32, false);
    loop {
        if let Some(start) = meeting.timed.get(START)? {
            return Ok(start);
        }
        if looks.is_multiple_of(SELDOM) {
            has_not_failed(meeting)?;
            let name = Of::Ready.name(0);
            if !first_is_ready && matches!(meeting.timed.left::<ReadyFile>(&name)?, Some(Ok(_))) {
                // It waits as long from then on, and says something then.
                wait.extend(Span(meeting.timeout.ns().saturating_add(GRACE.ns())));
                first_is_ready = true;
            }
        }
        if wait.is_over() {
            return Err(waited_in_vain(meeting)?);
        }
        looks = looks.wrapping_add(1);
        wait.pause()?;
    }
}

/// Rank 0 has not said that it cannot go on.
fn has_not_failed(meeting: &Meeting) -> Result<(), MeetingError> {
    match meeting.timed.left(&Of::Failed.name(0))? {
        None => Ok(()),
        said => Err(failed(0, said)),
    }
}

/// What this rank, which is rank 0, decides when it is time to.
fn decided(meeting: &Meeting, wait: &mut Wait) -> Result<StartFile, MeetingError> {
    let mut heard = Heard::default();
    loop {
        let mut seen = Seen::of(&meeting.timed.list("")?);
        heard.look(meeting, &mut seen)?;
        match seen.step(meeting.launch.of, meeting.missing, wait.is_over()) {
            Step::Wait => wait.pause()?,
            Step::Start(without) => {
                let without = without
                    .into_iter()
                    .map(|rank| absent(meeting, &seen, &heard, rank));
                let without = without.collect::<Result<Vec<_>, _>>()?;
                let longest_ns = heard.longest_ns.max(meeting.timed.longest_ns());
                return say(meeting, start_in(lead_ns(longest_ns), without));
            }
            Step::Failed(rank) => {
                let said = meeting.timed.left(&Of::Failed.name(rank))?;
                return Err(give_up(meeting, failed(rank, said)));
            }
            Step::Missing(lacking) => {
                let error = missing(meeting, lacking, &heard.unusable)?;
                return Err(give_up(meeting, error));
            }
        }
    }
}

fn start_in(lead_ns: i64, without: Vec<Absent>) -> StartFile {
    let now = realtime_ns();
    StartFile {
        format_version: FORMAT_VERSION,
        decided_unix_ns: now,
        decision: Decision::Start {
            at_unix_ns: now.saturating_add(lead_ns),
            without,
        },
    }
}

/// Says what is decided; where somebody has said something already, that counts.
fn say(meeting: &Meeting, start: StartFile) -> Result<StartFile, MeetingError> {
    match meeting.timed.put(START, &start)? {
        Put::New => Ok(start),
        Put::Taken => Ok(meeting.timed.get(START)?.unwrap_or(start)),
    }
}

/// Says that nobody begins, and why.
fn give_up(meeting: &Meeting, error: MeetingError) -> MeetingError {
    // Where it cannot be said the others will find out by themselves.
    let _ = say(meeting, no_start(error.to_string(), realtime_ns()));
    error
}

/// The error of a rank that has left this to say that it cannot go on.
fn failed(rank: u32, said: Option<Left<FailedFile>>) -> MeetingError {
    let (host, why) = match said {
        Some(Ok(failed)) => (failed.host, failed.why),
        Some(Err(why)) => ("a host".to_owned(), why),
        None => ("a host".to_owned(), "it did not say why".to_owned()),
    };
    MeetingError::Failed {
        index: rank,
        host,
        why,
    }
}

/// What is known of a rank that a start is without.
fn absent(
    meeting: &Meeting,
    seen: &Seen,
    heard: &Heard,
    rank: u32,
) -> Result<Absent, MeetingError> {
    let failed: Option<Left<FailedFile>> = match seen.failed.contains(&rank) {
        true => meeting.timed.left(&Of::Failed.name(rank))?,
        false => None,
    };
    let said = failed.map(|said| said.map_or_else(|why| why, |failed| failed.why));
    Ok(Absent {
        index: rank,
        came: seen.came.contains(&rank),
        why: said.or_else(|| heard.unusable.get(&rank).cloned()),
    })
}

/// The error of those that are not ready in time, as one sees it who has waited for rank 0.
fn waited_in_vain(meeting: &Meeting) -> Result<MeetingError, MeetingError> {
    let seen = Seen::of(&meeting.timed.list("")?);
    let lacking = seen.lacking(meeting.launch.of);
    missing(meeting, lacking, &BTreeMap::new())
}

/// The error of ranks that are not ready in time; `unusable` says why what some have left does not make them so.
fn missing(
    meeting: &Meeting,
    mut lacking: Vec<u32>,
    unusable: &BTreeMap<u32, String>,
) -> Result<MeetingError, MeetingError> {
    // This one is.
    lacking.retain(|rank| *rank != meeting.index());
    let (mut hosts, mut reasons) = (Vec::new(), Vec::new());
    for rank in lacking.iter().take(NAMED) {
        hosts.push(
            match meeting.timed.left::<RankFile>(&Of::Rank.name(*rank))? {
                None => None,
                Some(Ok(file)) => Some(file.facts.host),
                Some(Err(why)) => {
                    reasons.push(why);
                    Some("a host".to_owned())
                }
            },
        );
        reasons.extend(unusable.get(rank).cloned());
    }
    reasons.insert(0, sentence(&lacking, &hosts));
    Ok(MeetingError::Missing {
        place: meeting.timed.place(),
        waited: meeting.timeout,
        absent: reasons.join(", "),
    })
}

/// Who is missing. `hosts` are those of the first of them, where they have come.
fn sentence(lacking: &[u32], hosts: &[Option<String>]) -> String {
    if lacking.is_empty() {
        return "rank 0 has not said when to begin".to_owned();
    }
    let (mut nowhere, mut busy) = (Vec::new(), Vec::new());
    for (rank, host) in lacking.iter().zip(hosts) {
        match host {
            None => nowhere.push(format!("rank {rank}")),
            Some(host) => busy.push(format!("rank {rank} on {host}")),
        }
    }
    let mut parts = Vec::new();
    if !nowhere.is_empty() {
        parts.push(format!("{} did not come", listed(&nowhere)));
    }
    if !busy.is_empty() {
        parts.push(format!("{} came and did not get ready", listed(&busy)));
    }
    match lacking.len() - hosts.len().min(lacking.len()) {
        0 => {}
        more => parts.push(format!("{more} more are missing")),
    }
    parts.join(", ")
}

/// How far ahead a start is, when the longest that a rank waited for the place is so long.
fn lead_ns(longest_ns: i64) -> i64 {
    longest_ns
        .saturating_mul(WAITS)
        .clamp(LEAD_NS, MOST_LEAD_NS)
}

/// What ranks have left to say that they are ready; each is read once.
#[derive(Debug, Default)]
struct Heard {
    read: BTreeSet<u32>,
    /// The longest that one of them has waited for the place.
    longest_ns: i64,
    /// Why what others have left says nothing.
    unusable: BTreeMap<u32, String>,
}

impl Heard {
    /// Reads what is new. Who has left something that cannot be used is not ready yet.
    fn look(&mut self, meeting: &Meeting, seen: &mut Seen) -> Result<(), MeetingError> {
        // Nobody waits for those that the launch does not have.
        seen.ready.retain(|rank| *rank < meeting.launch.of);
        let new: Vec<u32> = seen.ready.difference(&self.read).copied().collect();
        for rank in new {
            let left = meeting.timed.left(&Of::Ready.name(rank))?;
            // Where its name is there alone, its bytes will be at the next look.
            if let Some(left) = left {
                self.hear(rank, left);
            }
        }
        seen.ready.retain(|rank| !self.unusable.contains_key(rank));
        Ok(())
    }

    fn hear(&mut self, rank: u32, left: Left<ReadyFile>) {
        let why = match left {
            Ok(ready) if ready.index == rank => {
                self.read.insert(rank);
                self.unusable.remove(&rank);
                self.longest_ns = self.longest_ns.max(ready.longest_wait_ns);
                return;
            }
            Ok(ready) => format!("{} is that of rank {}", Of::Ready.name(rank), ready.index),
            Err(why) => why,
        };
        self.unusable.insert(rank, why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_is_as_far_ahead_as_the_place_is_slow() {
        assert_eq!(lead_ns(0), 2_000_000_000);
        assert_eq!(lead_ns(600_000_000), 2_000_000_000);
        assert_eq!(lead_ns(5_000_000_000), 15_000_000_000);
        assert_eq!(lead_ns(i64::MAX), MOST_LEAD_NS);
    }

    #[test]
    fn a_start_is_waited_for_as_long_as_it_may_be_ahead() {
        assert_eq!(most_ahead_ns(0), 120_000_000_000);
        assert_eq!(most_ahead_ns(5), 120_000_000_005);
        assert_eq!(most_ahead_ns(i64::MAX), 240_000_000_000);
    }

    #[test]
    fn those_that_are_missing_are_named() {
        let host = |name: &str| Some(name.to_owned());
        let check = |lacking: &[u32], hosts: &[Option<String>], expect: &str| {
            assert_eq!(sentence(lacking, hosts), expect);
        };
        check(&[], &[], "rank 0 has not said when to begin");
        check(&[1], &[None], "rank 1 did not come");
        check(
            &[1, 2, 5],
            &[None, host("a"), None],
            "rank 1 and rank 5 did not come, rank 2 on a came and did not get ready",
        );
        check(
            &[1, 2, 3],
            &[None],
            "rank 1 did not come, 2 more are missing",
        );
    }
}
