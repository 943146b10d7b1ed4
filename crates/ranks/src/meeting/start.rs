//! The start: ranks say that they are prepared, and rank 0 says when all begin.
//!
//! Rank 0 looks at the names of the place; the others look for one file. Invariant: there is one decision, and it does not
//! change: `start.json` is created once.

use super::pauses::Wait;
use super::seen::{Seen, Step};
use super::wall::ago;
use super::{Meeting, MeetingError, StartAt, no_start};
use crate::files::names::{Of, START};
use crate::files::{Absent, Decision, FORMAT_VERSION, FailedFile, RankFile, ReadyFile, StartFile};
use crate::store::Put;
use infermeter_core::clock::realtime_ns;
use infermeter_core::text::listed;
use infermeter_core::units::Span;
use std::collections::BTreeSet;

/// How far ahead a start is at least, nanoseconds: four of the longest pauses between two looks.
const LEAD_NS: i64 = 2_000_000_000;
/// How far ahead a start is at most, nanoseconds: a place that lets ranks wait longer is no better afterwards.
const MOST_LEAD_NS: i64 = 120_000_000_000;
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
            let offset_ns = meeting.own_clock().map_or(0, |clock| clock.offset_ns);
            Ok(StartAt {
                own_unix_ns: at_unix_ns.saturating_add(offset_ns),
                asked_unix_ns: at_unix_ns,
                without,
            })
        }
    }
}

/// What rank 0 has left of itself.
fn first_rank(meeting: &Meeting, wait: &mut Wait) -> Result<RankFile, MeetingError> {
    loop {
        if let Some(first) = meeting.timed.get(&Of::Rank.name(0))? {
            return Ok(first);
        }
        if wait.is_over() {
            return Err(missing(meeting)?);
        }
        wait.pause()?;
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
            if !first_is_ready && meeting.timed.get::<ReadyFile>(&name)?.is_some() {
                // It waits as long from then on, and says something then.
                wait.extend(Span(meeting.timeout.ns().saturating_add(GRACE.ns())));
                first_is_ready = true;
            }
        }
        if wait.is_over() {
            return Err(missing(meeting)?);
        }
        looks = looks.wrapping_add(1);
        wait.pause()?;
    }
}

/// Rank 0 has not said that it cannot go on.
fn has_not_failed(meeting: &Meeting) -> Result<(), MeetingError> {
    match meeting.timed.get::<FailedFile>(&Of::Failed.name(0))? {
        None => Ok(()),
        Some(failed) => Err(MeetingError::Failed {
            index: 0,
            host: failed.host,
            why: failed.why,
        }),
    }
}

/// What this rank, which is rank 0, decides when it is time to.
fn decided(meeting: &Meeting, wait: &mut Wait) -> Result<StartFile, MeetingError> {
    let mut waits = Waits::default();
    loop {
        let seen = Seen::of(&meeting.timed.list("")?);
        waits.look(meeting, &seen)?;
        match seen.step(meeting.launch.of, meeting.missing, wait.is_over()) {
            Step::Wait => wait.pause()?,
            Step::Start(without) => {
                let without = without.into_iter().map(|rank| absent(meeting, &seen, rank));
                let without = without.collect::<Result<Vec<_>, _>>()?;
                let longest_ns = waits.longest_ns.max(meeting.timed.longest_ns());
                return say(meeting, start_in(lead_ns(longest_ns), without));
            }
            Step::Failed(rank) => return Err(give_up(meeting, failed(meeting, rank)?)),
            Step::Missing(_) => return Err(give_up(meeting, missing(meeting)?)),
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

fn failed(meeting: &Meeting, rank: u32) -> Result<MeetingError, MeetingError> {
    let failed: Option<FailedFile> = meeting.timed.get(&Of::Failed.name(rank))?;
    let (host, why) = failed.map_or_else(
        || ("a host".to_owned(), "it did not say why".to_owned()),
        |failed| (failed.host, failed.why),
    );
    Ok(MeetingError::Failed {
        index: rank,
        host,
        why,
    })
}

/// What is known of a rank that a start is without.
fn absent(meeting: &Meeting, seen: &Seen, rank: u32) -> Result<Absent, MeetingError> {
    let failed: Option<FailedFile> = match seen.failed.contains(&rank) {
        true => meeting.timed.get(&Of::Failed.name(rank))?,
        false => None,
    };
    Ok(Absent {
        index: rank,
        came: seen.came.contains(&rank),
        why: failed.map(|failed| failed.why),
    })
}

/// The error of ranks that are not ready in time.
fn missing(meeting: &Meeting) -> Result<MeetingError, MeetingError> {
    let seen = Seen::of(&meeting.timed.list("")?);
    let mut lacking = seen.lacking(meeting.launch.of);
    // This one is.
    lacking.retain(|rank| *rank != meeting.index());
    let hosts: Vec<Option<String>> = lacking
        .iter()
        .take(NAMED)
        .map(|rank| {
            Ok(meeting
                .timed
                .get::<RankFile>(&Of::Rank.name(*rank))?
                .map(|rank| rank.facts.host))
        })
        .collect::<Result<_, MeetingError>>()?;
    Ok(MeetingError::Missing {
        place: meeting.timed.place(),
        waited: meeting.timeout,
        absent: sentence(&lacking, &hosts),
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

/// The longest that ranks have waited for the place, of those that are ready; each is read once.
#[derive(Debug, Default)]
struct Waits {
    read: BTreeSet<u32>,
    longest_ns: i64,
}

impl Waits {
    fn look(&mut self, meeting: &Meeting, seen: &Seen) -> Result<(), MeetingError> {
        for rank in &seen.ready {
            if self.read.contains(rank) {
                continue;
            }
            let Some(ready) = meeting.timed.get::<ReadyFile>(&Of::Ready.name(*rank))? else {
                // Its name is there, and its bytes will be at the next look.
                continue;
            };
            self.read.insert(*rank);
            self.longest_ns = self.longest_ns.max(ready.longest_wait_ns);
        }
        Ok(())
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
