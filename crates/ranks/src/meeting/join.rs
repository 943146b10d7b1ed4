//! Joining: what the launch is, whether this rank belongs to it, and taking its number.
//!
//! Invariant: a rank that does not belong to the launch writes nothing there that others would wait for or fear, unless the
//! number that it takes was free.

use super::clocks::{self, Clocks};
use super::pauses::Wait;
use super::timed::Timed;
use super::wall::ago;
use super::{JoinAs, Meeting, MeetingError, tell_failed};
use crate::files::names::{LAUNCH, Of, START};
use crate::files::{
    Decision, DoneFile, FORMAT_VERSION, FailedFile, LaunchFile, RankFile, StartFile,
};
use crate::fresh::{fresh, unhex};
use crate::offset::{Answerer, Token};
use crate::store::{Put, Store};
use infermeter_core::clock::realtime_ns;
use infermeter_core::run::RankFacts;
use infermeter_core::text::short_hash;
use infermeter_core::units::Span;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// How long a file is looked for that somebody has just put: object stores show it at once, folders when they are asked.
const SHOWN_WITHIN: Span = Span::seconds(10);

impl Meeting {
    /// Joins the launch that meets at a place, or begins it. Returns when this rank has its number there; the others may
    /// still be missing.
    ///
    /// # Errors
    /// When the place cannot be used, another rank has the number, the launch is another one or has begun, and when this
    /// rank measures something else than the one that came first.
    pub fn join(store: Box<dyn Store>, join: JoinAs) -> Result<Self, MeetingError> {
        let timed = Timed::new(store);
        let launch = agreed(&timed, &join)?;
        is_same_launch(&timed, &launch, &join)?;
        is_free(&timed, &join)?;
        let token = unhex(&launch.token).unwrap_or_default();
        let facts = join.facts.clone().inert();
        let answerer = answerer(&launch, token, &join);
        let answers = answerer.as_ref().ok().and_then(Option::as_ref);
        let file = RankFile {
            format_version: FORMAT_VERSION,
            plan_hash: join.plan_hash.clone(),
            run_id: launch.launch.run_id.clone(),
            joined_unix_ns: realtime_ns(),
            clock: clocks::kept(&timed, &facts, launch.of, answers),
            facts,
        };
        let index = join.rank.slice.index();
        if timed.put(&Of::Rank.name(index), &file)? == Put::Taken {
            return Err(taken(&timed, index)?);
        }
        // Not before: who has the number may have the port, too, and would end for this one's want of it.
        let answerer =
            answerer.inspect_err(|error| tell_failed(&timed, &file.facts, &error.to_string()))?;
        let what = differences(&launch, &join, &file.facts);
        let meeting = Self {
            clocks: Clocks::new(token, answerer),
            timeout: join.timeout,
            missing: join.missing,
            own: file,
            launch,
            timed,
        };
        match what {
            None => Ok(meeting),
            Some(what) => Err(meeting.refused(what)),
        }
    }

    /// This rank does not belong here, and the others hear of it: one of them is not what its user takes it for.
    fn refused(&self, what: String) -> MeetingError {
        self.failed(&format!("it does not belong to this launch: {what}"));
        MeetingError::Differs {
            who: who(&self.own.facts),
            place: self.timed.place(),
            first: who(&self.launch.by),
            what,
        }
    }
}

/// A rank in a message.
pub(super) fn who(facts: &RankFacts) -> String {
    format!("rank {} on {}", facts.slice.index(), facts.host)
}

/// What the launch is: what this rank proposes, if nobody has come before.
fn agreed(timed: &Timed, join: &JoinAs) -> Result<LaunchFile, MeetingError> {
    let token = fresh().map_err(|cause| MeetingError::System {
        what: "a random number".to_owned(),
        cause,
    })?;
    let own = LaunchFile {
        format_version: FORMAT_VERSION,
        launch: join.proposed.clone(),
        of: join.rank.slice.of(),
        token,
        job: join.rank.launch.clone(),
        by: join.facts.clone().inert(),
    };
    if timed.put(LAUNCH, &own)? == Put::New {
        return Ok(own);
    }
    let mut wait = Wait::of(SHOWN_WITHIN);
    loop {
        if let Some(launch) = timed.get(LAUNCH)? {
            return Ok(launch);
        }
        if wait.is_over() {
            return Err(MeetingError::GivenUp {
                place: timed.place(),
                why: format!("{LAUNCH} was there and is gone: somebody clears the place"),
            });
        }
        wait.pause()?;
    }
}

/// The launcher calls both the same, where it has names for them.
fn is_same_launch(timed: &Timed, launch: &LaunchFile, join: &JoinAs) -> Result<(), MeetingError> {
    let told_alike = launch.by.told_by == join.rank.told_by;
    match (&launch.job, &join.rank.launch) {
        (Some(theirs), Some(own)) if told_alike && theirs != own => {
            Err(MeetingError::OtherLaunch {
                place: timed.place(),
                theirs: theirs.clone(),
                by: format!("{} (process {})", who(&launch.by), launch.by.pid),
                own: own.clone(),
            })
        }
        _ => Ok(()),
    }
}

/// The number of this rank is free, and the launch has not begun.
fn is_free(timed: &Timed, join: &JoinAs) -> Result<(), MeetingError> {
    let index = join.rank.slice.index();
    if timed.get::<RankFile>(&Of::Rank.name(index))?.is_some() {
        return Err(taken(timed, index)?);
    }
    let Some(start) = timed.get::<StartFile>(START)? else {
        return Ok(());
    };
    let (place, now) = (timed.place(), realtime_ns());
    Err(match start.decision {
        Decision::Start { at_unix_ns, .. } => MeetingError::Late {
            place,
            index,
            since: ago(at_unix_ns, now),
        },
        Decision::NoStart { why } => MeetingError::GivenUp {
            place,
            why: format!("{why} ({})", ago(start.decided_unix_ns, now)),
        },
    })
}

/// Whose a number is that this rank wanted.
fn taken(timed: &Timed, index: u32) -> Result<MeetingError, MeetingError> {
    let now = realtime_ns();
    let other = timed.get::<RankFile>(&Of::Rank.name(index))?;
    let (host, pid, since) = match other {
        Some(other) => (
            other.facts.host,
            other.facts.pid,
            ago(other.joined_unix_ns, now),
        ),
        None => ("a host".to_owned(), 0, "a moment ago".to_owned()),
    };
    Ok(MeetingError::Taken {
        place: timed.place(),
        index,
        host,
        pid,
        since,
        became: became(timed, index, now)?,
    })
}

/// What became of a rank, and of its launch.
fn became(timed: &Timed, index: u32, now_ns: i64) -> Result<String, MeetingError> {
    if let Some(done) = timed.get::<DoneFile>(&Of::Done.name(index))? {
        let since = ago(done.done_unix_ns, now_ns);
        return Ok(format!("it has ended and left its record {since}"));
    }
    if let Some(failed) = timed.get::<FailedFile>(&Of::Failed.name(index))? {
        return Ok(format!("it could not go on: {}", failed.why));
    }
    Ok(match timed.get::<StartFile>(START)? {
        Some(StartFile {
            decision: Decision::NoStart { why },
            ..
        }) => format!("its launch was given up: {why}"),
        Some(StartFile {
            decision: Decision::Start { at_unix_ns, .. },
            ..
        }) => format!(
            "it began {} and has not said that it ended: it goes on, or was killed",
            ago(at_unix_ns, now_ns)
        ),
        None => "it waits for its others, or was killed".to_owned(),
    })
}

/// What answers what the time is: rank 0, where it has others.
fn answerer(
    launch: &LaunchFile,
    token: Token,
    join: &JoinAs,
) -> Result<Option<Answerer>, MeetingError> {
    if join.rank.slice.index() != 0 || launch.of < 2 {
        return Ok(None);
    }
    let loopback = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    match Answerer::start(join.sync.unwrap_or(loopback), token) {
        Ok(answerer) => Ok(Some(answerer)),
        Err(cause) => match join.sync {
            Some(address) => Err(MeetingError::Sync {
                address: address.to_string(),
                cause,
            }),
            // Nobody has asked for it, and there are other ways.
            None => Ok(None),
        },
    }
}

/// In what a rank differs from what was begun; `None` in nothing that matters. (A program for another processor has other
/// bytes: its version has to do.)
fn differences(launch: &LaunchFile, join: &JoinAs, facts: &RankFacts) -> Option<String> {
    let mut all = Vec::new();
    let mut differs = |what: &str, here: &str, there: &str| {
        if here != there {
            all.push(format!("{what} {here} here, {there} there"));
        }
    };
    differs("version", &facts.version, &launch.launch.version);
    differs(
        "number of ranks",
        &join.rank.slice.of().to_string(),
        &launch.of.to_string(),
    );
    differs(
        "the plan (its hash)",
        short_hash(&join.plan_hash),
        short_hash(&launch.launch.plan_hash),
    );
    if facts.arch == launch.by.arch
        && let (Some(here), Some(there)) = (&facts.program, &launch.by.program)
    {
        differs(
            "the program (its SHA-256)",
            short_hash(here),
            short_hash(there),
        );
    }
    (!all.is_empty()).then(|| all.join("; "))
}
