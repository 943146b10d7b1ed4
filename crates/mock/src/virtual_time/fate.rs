//! What a fault does to a request, as far as it has meaning without bytes.
//!
//! Invariant: a fault that only changes what stands on the wire is refused, so that nobody takes a run for one
//! with it.

use crate::fault::Fault;
use crate::refusal::Refusal;
use infermeter_core::record::Reason;

/// How long a client waits, nanoseconds: what ends an answer that falls silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the whole answer.
    pub whole_ns: i64,
    /// For the first token.
    pub first_ns: Option<i64>,
    /// For the next one.
    pub idle_ns: Option<i64>,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fate {
    /// It is served.
    #[default]
    Served,
    /// It is refused with this status, and the engine does not hear of it.
    Refused(u16),
    /// Its answer has no token, and the engine does not hear of it.
    Empty,
    /// Its answer ends early.
    Cut {
        /// When.
        when: When,
        /// How.
        how: Cut,
    },
    /// Nothing is heard for so long behind so many tokens (0: from its arrival on), then what has gathered.
    Silent {
        /// Tokens before.
        behind: u32,
        /// How long.
        ns: i64,
    },
    /// What has gathered is heard each time that so long has passed since its arrival.
    HeldBack(i64),
}

/// When an answer ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Behind so many tokens that have a text.
    Behind(u32),
    /// So long after the arrival.
    After(i64),
}

/// How an answer ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The connection ends in order.
    Disconnect,
    /// The connection is reset.
    Reset,
    /// The stream ends in good framing, and says nothing of it.
    Truncated,
    /// With an error event.
    InBandError,
    /// Properly, with another finish reason.
    Filtered,
    /// It falls silent: the client's patience ends it.
    Stall(Patience),
}

impl Cut {
    /// What a client calls it behind `tokens`; absent where it takes the answer for a whole one.
    pub(super) fn reason(self, tokens: u32) -> Option<Reason> {
        Some(match self {
            Self::Disconnect if tokens > 0 => Reason::Truncated,
            Self::Disconnect | Self::Reset => Reason::Disconnected,
            Self::Truncated if tokens > 0 => Reason::Truncated,
            Self::Truncated => Reason::NoTokens,
            Self::InBandError => Reason::InBandError,
            Self::Filtered if tokens > 0 => return None,
            Self::Filtered => Reason::NoTokens,
            Self::Stall(patience) => patience.ends(tokens > 0, 0, 0).1,
        })
    }
}

impl Patience {
    /// When the client gives up an answer that arrived at `arrived_ns` and was last heard at `last_ns`, and why.
    pub(super) fn ends(self, has_tokens: bool, arrived_ns: i64, last_ns: i64) -> (i64, Reason) {
        let whole = (
            arrived_ns.saturating_add(self.whole_ns),
            Reason::RequestTimeout,
        );
        let first = self.first_ns.filter(|_| !has_tokens);
        let first = first.map(|ns| (arrived_ns.saturating_add(ns), Reason::FirstTokenTimeout));
        let idle = self.idle_ns.filter(|_| has_tokens);
        let idle = idle.map(|ns| (last_ns.saturating_add(ns), Reason::IdleTimeout));
        let soonest = [first, idle].into_iter().flatten();
        soonest.fold(
            whole,
            |least, other| if other.0 < least.0 { other } else { least },
        )
    }
}

impl Fate {
    /// That of a request which a fault strikes; absent where the fault changes bytes alone.
    pub(super) fn of(fault: Fault, patience: Patience) -> Option<Self> {
        let cut = |when, how| Self::Cut { when, how };
        let silent = |behind, time: infermeter_core::units::Span| Self::Silent {
            behind,
            ns: time.ns(),
        };
        Some(match fault {
            Fault::Status(status) => Self::Refused(status),
            Fault::EscapedError => Self::Refused(Refusal::escaped().status()),
            Fault::Html(status) if status != 200 => Self::Refused(status),
            Fault::Empty => Self::Empty,
            Fault::DisconnectAfter(n) => cut(When::Behind(n), Cut::Disconnect),
            Fault::ResetAfter(n) => cut(When::Behind(n), Cut::Reset),
            Fault::DisconnectAt(time) => cut(When::After(time.ns()), Cut::Disconnect),
            Fault::ResetAt(time) => cut(When::After(time.ns()), Cut::Reset),
            Fault::StallAfter(n) => cut(When::Behind(n), Cut::Stall(patience)),
            Fault::StallFor(n, time) => silent(n, time),
            Fault::SlowHead(time) => silent(0, time),
            Fault::HoldBack(time) => Self::HeldBack(time.ns()),
            Fault::TruncateAfter(n) => cut(When::Behind(n), Cut::Truncated),
            Fault::InBandErrorAfter(n) => cut(When::Behind(n), Cut::InBandError),
            Fault::ContentFilter(n) => cut(When::Behind(n), Cut::Filtered),
            // They change the length that the engine is asked for.
            Fault::EarlyStop(_) | Fault::ExtraTokens(_) => Self::Served,
            Fault::Html(_)
            | Fault::JsonInsteadOfStream
            | Fault::Endless
            | Fault::NoDone
            | Fault::NoUsage
            | Fault::WrongUsage
            | Fault::UsagePercent(_)
            | Fault::LostResults(_)
            | Fault::DuplicateChunks
            | Fault::EscapeSequences
            | Fault::Malformed(_)
            | Fault::LineEnds(_)
            | Fault::Comments
            | Fault::Pings
            | Fault::ByteWise(_)
            | Fault::Coalesce(_)
            | Fault::MultiEvent(_)
            | Fault::BadLength
            | Fault::OversizedEvent(_)
            | Fault::OversizedHead(_) => return None,
        })
    }
}
