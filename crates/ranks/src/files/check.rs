//! What must hold of each file of a meeting, whoever wrote it.
//!
//! Invariant: text that passes is inert and short; two offsets or two bounds that pass can be added, two instants
//! subtracted.

use super::Kept;
use super::kinds::{
    Absent, Decision, DeliveredFile, DoneFile, FailedFile, KeptClock, Launch, LaunchFile,
    MOST_LEAD_NS, RankFile, ReadyFile, StartFile,
};
use super::names::MOST_RANKS;
use super::path::checked_name;
use crate::fresh::unhex;
use infermeter_core::run::{ClockOffset, RankFacts};
use infermeter_core::text::inert;
use std::ops::Range;

/// Most bytes of an id or a hash.
const ID_BYTES: usize = 128;
/// Most bytes of a name.
const NAME_BYTES: usize = 200;
/// Most bytes of a reason.
const REASON_BYTES: usize = 2_000;
/// Most files of a record: it has some ten.
const MOST_FILES: usize = 1_000;
/// Most bytes of one of them: a record of ten thousand million chunks is smaller.
const MOST_FILE_BYTES: u64 = 1 << 40;
/// Most estimates of one clock: there are four ways.
const MOST_CLOCKS: usize = 16;
/// Earliest and latest instants: the years 1970 to 2199.
const INSTANTS_NS: Range<i64> = 0..7_258_118_400_000_000_000;
/// Longest span: a hundred years. A clock that nobody has set stands in 1970.
const MOST_SPAN_NS: i64 = 100 * 365 * 86_400 * 1_000_000_000;

type Checked = Result<(), String>;

fn id(what: &str, text: &str) -> Checked {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match !text.is_empty() && text.len() <= ID_BYTES && text.bytes().all(plain) {
        true => Ok(()),
        false => Err(format!(
            "`{what}` is not letters and digits, at most {ID_BYTES}"
        )),
    }
}

fn instant(what: &str, ns: i64) -> Checked {
    match INSTANTS_NS.contains(&ns) {
        true => Ok(()),
        false => Err(format!("`{what}` is before 1970 or after 2199")),
    }
}

fn length(what: &str, ns: i64) -> Checked {
    match (0..=MOST_SPAN_NS).contains(&ns) {
        true => Ok(()),
        false => Err(format!("`{what}` is negative or more than a hundred years")),
    }
}

fn distance(what: &str, ns: i64) -> Checked {
    match (-MOST_SPAN_NS..=MOST_SPAN_NS).contains(&ns) {
        true => Ok(()),
        false => Err(format!("`{what}` is more than a hundred years")),
    }
}

fn rank(index: u32, of: u32) -> Checked {
    match index < of && of <= MOST_RANKS {
        true => Ok(()),
        false => Err(format!("there is no rank {index} of {of}")),
    }
}

fn clock(offset: ClockOffset) -> Checked {
    distance("offset_ns", offset.offset_ns)?;
    length("bound_ns", offset.bound_ns)
}

fn facts(facts: RankFacts) -> Result<RankFacts, String> {
    rank(facts.slice.index(), facts.slice.of())?;
    facts.clock.map_or(Ok(()), clock)?;
    let start = facts.start_asked_ns;
    start.map_or(Ok(()), |ns| instant("start_asked_ns", ns))?;
    Ok(facts.inert())
}

impl Launch {
    fn checked(mut self) -> Result<Self, String> {
        id("run_id", &self.run_id)?;
        id("plan_hash", &self.plan_hash)?;
        instant("started_unix_ns", self.started_unix_ns)?;
        self.version = inert(&self.version, NAME_BYTES);
        Ok(self)
    }
}

impl Kept for LaunchFile {
    fn checked(self) -> Result<Self, String> {
        rank(0, self.of)?;
        if unhex::<16>(&self.token).is_none() {
            return Err("`token` is not 32 hex digits".to_owned());
        }
        Ok(Self {
            launch: self.launch.checked()?,
            job: self.job.map(|job| inert(&job, NAME_BYTES)),
            by: facts(self.by)?,
            ..self
        })
    }
}

impl KeptClock {
    fn checked(self) -> Result<Self, String> {
        instant("read_unix_ns", self.read_unix_ns)?;
        if let Some(kept) = &self.discipline {
            length("bound_ns", kept.bound_ns)?;
        }
        if let Some(store) = &self.store {
            distance("offset_ns", store.offset_ns)?;
            length("bound_ns", store.bound_ns)?;
        }
        Ok(self)
    }
}

impl Kept for RankFile {
    fn checked(self) -> Result<Self, String> {
        id("plan_hash", &self.plan_hash)?;
        id("run_id", &self.run_id)?;
        instant("joined_unix_ns", self.joined_unix_ns)?;
        Ok(Self {
            facts: facts(self.facts)?,
            clock: self.clock.map(KeptClock::checked).transpose()?,
            ..self
        })
    }
}

impl Kept for ReadyFile {
    fn checked(self) -> Result<Self, String> {
        rank(self.index, MOST_RANKS)?;
        instant("ready_unix_ns", self.ready_unix_ns)?;
        length("longest_wait_ns", self.longest_wait_ns)?;
        if self.clocks.len() > MOST_CLOCKS {
            return Err(format!("`clocks` has more than {MOST_CLOCKS}"));
        }
        self.clocks.iter().try_for_each(|offset| clock(*offset))?;
        Ok(self)
    }
}

impl Kept for StartFile {
    fn checked(self) -> Result<Self, String> {
        instant("decided_unix_ns", self.decided_unix_ns)?;
        let decision = match self.decision {
            Decision::Start {
                at_unix_ns,
                without,
            } => {
                instant("at_unix_ns", at_unix_ns)?;
                // Both are of one clock.
                let lead_ns = at_unix_ns - self.decided_unix_ns;
                if !(0..=MOST_LEAD_NS).contains(&lead_ns) {
                    return Err(format!(
                        "`at_unix_ns` is not within {} s after `decided_unix_ns`",
                        MOST_LEAD_NS / 1_000_000_000
                    ));
                }
                let without = without.into_iter().map(Absent::checked);
                Decision::Start {
                    at_unix_ns,
                    without: without.collect::<Result<_, _>>()?,
                }
            }
            Decision::NoStart { why } => Decision::NoStart {
                why: inert(&why, REASON_BYTES),
            },
        };
        Ok(Self { decision, ..self })
    }
}

impl Absent {
    fn checked(self) -> Result<Self, String> {
        rank(self.index, MOST_RANKS)?;
        let why = self.why.map(|why| inert(&why, REASON_BYTES));
        Ok(Self { why, ..self })
    }
}

impl Kept for FailedFile {
    fn checked(self) -> Result<Self, String> {
        rank(self.index, MOST_RANKS)?;
        instant("failed_unix_ns", self.failed_unix_ns)?;
        Ok(Self {
            host: inert(&self.host, NAME_BYTES),
            why: inert(&self.why, REASON_BYTES),
            ..self
        })
    }
}

impl Kept for DoneFile {
    fn checked(self) -> Result<Self, String> {
        rank(self.index, self.of)?;
        id("run_id", &self.run_id)?;
        instant("done_unix_ns", self.done_unix_ns)?;
        self.clock_at_end.map_or(Ok(()), clock)?;
        if self.files.len() > MOST_FILES {
            return Err(format!("`files` has more than {MOST_FILES}"));
        }
        self.files.iter().try_for_each(delivered)?;
        let mut names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        match twice.map(|pair| format!("`{}` is in it twice", pair[0])) {
            Some(twice) => Err(twice),
            None => Ok(self),
        }
    }
}

fn delivered(file: &DeliveredFile) -> Checked {
    checked_name(&file.name).map_err(|why| format!("`{}` {why}", inert(&file.name, NAME_BYTES)))?;
    if file.bytes > MOST_FILE_BYTES {
        return Err(format!(
            "`{}` has more than {MOST_FILE_BYTES} bytes",
            file.name
        ));
    }
    // In one way of writing them: they are compared as text.
    let lower = file.sha256.bytes().all(|byte| !byte.is_ascii_uppercase());
    match unhex::<32>(&file.sha256).filter(|_| lower) {
        Some(_) => Ok(()),
        None => Err(format!(
            "the SHA-256 of `{}` is not 64 hex digits",
            file.name
        )),
    }
}
