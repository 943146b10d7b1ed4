//! Whether this host and a target are fit for a measurement: facts become checks, each with what was seen, why it
//! matters and what to do.
//!
//! Looks at nothing itself: the facts are gathered in `session`. Invariant: what could not be read is
//! [`Status::Unknown`], never [`Status::Ok`].

mod client;
mod facts;
mod host;
mod target;
#[cfg(test)]
mod tests;

pub use facts::{
    Answered, CoreLoad, Discipline, Fact, Gpu, HostSeen, OwnCores, Quota, Reached, Room,
    TargetSeen, Uring,
};

use schemars::JsonSchema;
use serde::Serialize;

/// Version of the JSON form.
pub const FORMAT_VERSION: u32 = 1;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[schemars(rename = "DoctorStatus")]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The question does not arise here.
    NotApplicable,
    /// As it should be.
    Ok,
    /// Could not be read; what was seen says why.
    Unknown,
    /// Figures may be worse for it.
    Warning,
    /// A measurement would be spoilt, or could not be made.
    Problem,
}

/// What a check is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DoctorSubject")]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The machine that the client runs on.
    Host,
    /// What the client has of it.
    Client,
    /// The server.
    Target,
}

/// Who answers a check.
#[derive(Clone, Copy)]
enum Judge {
    Host(fn(&HostSeen) -> Judged),
    Target(fn(&TargetSeen) -> Judged),
}

/// One question.
#[derive(Clone, Copy)]
struct Check {
    /// Its name, and its heading in the book.
    name: &'static str,
    subject: Subject,
    /// Why anybody asks.
    matters: &'static str,
    /// What to do where the answer names nothing more exact.
    fix: &'static str,
    judge: Judge,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Judged {
    status: Status,
    seen: String,
    fix: Option<String>,
}

/// A check with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DoctorCheck")]
pub struct Checked {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// How it is.
    pub status: Status,
    /// What was seen; where nothing could be, why.
    pub seen: String,
    /// Why it matters.
    pub matters: &'static str,
    /// What to do: a command, a flag or a setting. Absent where nothing has to be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// Everything that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Checkup {
    /// Version of the format.
    pub format_version: u32,
    /// The version that asked.
    pub infermeter_version: String,
    /// The target, without credentials; absent where none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The gravest status of all.
    pub worst: Status,
    /// The checks: those of the host, of the client, of the target.
    pub checks: Vec<Checked>,
}

/// Every check, in the order in which they are told.
const CHECKS: [&[Check]; 3] = [&host::CHECKS, &client::CHECKS, &target::CHECKS];

/// Answers every check that the facts are about.
pub fn checkup(host: &HostSeen, target: Option<&TargetSeen>, infermeter_version: &str) -> Checkup {
    let answer = |check: &Check| {
        let judged = match check.judge {
            Judge::Host(judge) => judge(host),
            Judge::Target(judge) => judge(target?),
        };
        Some(check.with(judged))
    };
    let checks: Vec<Checked> = CHECKS.into_iter().flatten().filter_map(answer).collect();
    let worst = checks.iter().map(|checked| checked.status).max();
    Checkup {
        format_version: FORMAT_VERSION,
        infermeter_version: infermeter_version.to_owned(),
        target: target.map(|target| target.name.clone()),
        worst: worst.unwrap_or(Status::NotApplicable),
        checks,
    }
}

impl Check {
    fn with(&self, judged: Judged) -> Checked {
        let needs_fix = judged.status > Status::Ok;
        let fix = judged.fix.unwrap_or_else(|| self.fix.to_owned());
        Checked {
            name: self.name,
            subject: self.subject,
            status: judged.status,
            seen: judged.seen,
            matters: self.matters,
            fix: needs_fix.then_some(fix),
        }
    }
}

impl Checkup {
    /// The gravest status of what one subject's checks say.
    pub fn worst_of(&self, subject: Subject) -> Option<Status> {
        let of_it = self
            .checks
            .iter()
            .filter(|checked| checked.subject == subject);
        of_it.map(|checked| checked.status).max()
    }

    /// How many checks have this status.
    pub fn count(&self, status: Status) -> u64 {
        self.checks
            .iter()
            .filter(|checked| checked.status == status)
            .count() as u64
    }
}

impl Judged {
    fn of(status: Status, seen: impl Into<String>) -> Self {
        Self {
            status,
            seen: seen.into(),
            fix: None,
        }
    }

    fn ok(seen: impl Into<String>) -> Self {
        Self::of(Status::Ok, seen)
    }

    fn warning(seen: impl Into<String>) -> Self {
        Self::of(Status::Warning, seen)
    }

    fn problem(seen: impl Into<String>) -> Self {
        Self::of(Status::Problem, seen)
    }

    fn unknown(why: impl Into<String>) -> Self {
        Self::of(Status::Unknown, why)
    }

    fn not_applicable(why: impl Into<String>) -> Self {
        Self::of(Status::NotApplicable, why)
    }

    /// With something more exact to do.
    fn fixed_by(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }
}

/// Judges a fact that may be missing.
fn known<T>(fact: &Fact<T>, judge: impl FnOnce(&T) -> Judged) -> Judged {
    match fact {
        Ok(fact) => judge(fact),
        Err(why) => Judged::unknown(why),
    }
}
