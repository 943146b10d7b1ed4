//! When bytes may leave: at once, after a pause, or one by one.
//!
//! The answer keeps no time. It asks to be woken ([`Then::Wake`]) and says then what is next.

use super::{Answer, Then, Turn};
use crate::fault::Fault;

/// Bytes that may gather behind a pause; beyond them the connection ends, as a proxy's buffer does.
const MAX_HELD: usize = 16 << 20;

/// When bytes may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// At once.
    Open,
    /// Not before the answer is woken.
    Shut,
    /// One byte at a time, with a pause behind each.
    Paced {
        /// A wake is on its way.
        armed: bool,
    },
}

/// The pause of a fault, nanoseconds; 0 without one.
pub(super) fn pause_of(fault: Option<Fault>) -> i64 {
    match fault {
        Some(
            Fault::HoldBack(time)
            | Fault::SlowHead(time)
            | Fault::StallFor(_, time)
            | Fault::DisconnectAt(time)
            | Fault::ResetAt(time)
            | Fault::ByteWise(time),
        ) => time.ns(),
        _ => 0,
    }
}

impl Gate {
    pub fn of(fault: Option<Fault>) -> Self {
        match fault {
            Some(Fault::SlowHead(_) | Fault::HoldBack(_)) => Self::Shut,
            Some(Fault::ByteWise(pause)) if pause.ns() > 0 => Self::Paced { armed: false },
            _ => Self::Open,
        }
    }
}

impl Then {
    fn ends(self) -> bool {
        match self {
            Self::GoOn | Self::Wake => false,
            Self::Done | Self::Close | Self::Reset | Self::Stall => true,
        }
    }
}

impl Answer {
    /// A turn as the gate lets it through.
    #[inline]
    pub(super) fn gated(&mut self, turn: Turn) -> Turn {
        if self.gate == Gate::Open {
            return turn;
        }
        if turn.then.ends() {
            self.deferred = Some(turn.then);
        }
        if self.pending.len() > MAX_HELD {
            return Turn {
                write: false,
                then: Then::Close,
            };
        }
        match self.gate {
            Gate::Paced { armed: false } => self.next_byte(),
            Gate::Open | Gate::Shut | Gate::Paced { .. } => Turn::GO_ON,
        }
    }

    /// How long a wake is away that a turn asks for, nanoseconds.
    pub fn pause_ns(&self) -> i64 {
        self.pause_ns
    }

    /// Whether a pause begins with the answer.
    pub(super) fn pauses_first(&mut self) -> bool {
        match self.fault {
            Some(
                Fault::SlowHead(_)
                | Fault::HoldBack(_)
                | Fault::DisconnectAt(_)
                | Fault::ResetAt(_),
            ) => true,
            Some(Fault::StallFor(0, _)) => {
                self.stalled = true;
                self.gate = Gate::Shut;
                true
            }
            _ => false,
        }
    }

    /// The gate shuts behind what is pending, unless the answer ends with it.
    pub(super) fn stalled_behind(&mut self, turn: Turn) -> Turn {
        if turn.then != Then::GoOn {
            return turn;
        }
        if !self.whole {
            self.put_event(None);
        }
        self.stalled = true;
        self.gate = Gate::Shut;
        Turn {
            write: !self.pending.is_empty(),
            then: Then::Wake,
        }
    }

    /// The instant that the answer asked for has come.
    pub fn wake(&mut self) -> Turn {
        match self.gate {
            // Shut again at once, for the next time as long.
            Gate::Shut if matches!(self.fault, Some(Fault::HoldBack(_))) => Turn {
                write: !self.pending.is_empty(),
                then: self.deferred.take().unwrap_or(Then::Wake),
            },
            Gate::Shut => {
                self.gate = Gate::Open;
                Turn {
                    write: !self.pending.is_empty(),
                    then: self.deferred.take().unwrap_or(Then::GoOn),
                }
            }
            Gate::Paced { .. } => self.next_byte(),
            Gate::Open => Turn {
                write: false,
                then: match self.fault {
                    Some(Fault::DisconnectAt(_)) => Then::Close,
                    Some(Fault::ResetAt(_)) => Then::Reset,
                    _ => Then::GoOn,
                },
            },
        }
    }

    /// The next byte of a paced answer, which this is.
    fn next_byte(&mut self) -> Turn {
        let left = self.pending.len() - self.sent;
        let then = match (left, self.deferred) {
            (0, None) => Then::GoOn,
            (0 | 1, Some(end)) => end,
            _ => Then::Wake,
        };
        self.gate = Gate::Paced {
            armed: then == Then::Wake,
        };
        Turn {
            write: left > 0,
            then,
        }
    }
}
