//! When a row of a trace is due that waits for another one's answer.
//!
//! Recorded instants contain the recorded server: a faster one would have been asked sooner. So the two ways
//! of replaying are two loads, and each has a name. Invariant: under every pacing a row is due after the
//! answers that it waits for.

use std::fmt;
use std::str::FromStr;

/// When a row that waits is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pacing {
    /// At its recorded instant and after its recorded wait, whichever is later: what formats without a
    /// pacing of their own have.
    #[default]
    Recorded,
    /// At its recorded instant, or as soon as what it waits for has ended.
    Timestamps,
    /// Its recorded wait after the end of what it waits for, whenever that is.
    IdleGaps,
}

impl Pacing {
    /// All of them.
    const ALL: [Self; 3] = [Self::Recorded, Self::Timestamps, Self::IdleGaps];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Timestamps => "timestamps",
            Self::IdleGaps => "idle-gaps",
        }
    }
}

impl fmt::Display for Pacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Pacing {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let named = |pacing: &Self| pacing.name() == text;
        Self::ALL.into_iter().find(named).ok_or(())
    }
}
