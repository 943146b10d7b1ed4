//! Pauses of answers: which is to be woken when.
//!
//! Nothing is taken out when an answer ends early: a wake for an answer that is gone finds nobody.

use super::Server;
use super::slots::ConnectionId;
use crate::engine::SequenceId;
use infermeter_core::clock::monotonic_ns;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One wake to come, by its instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Wake {
    at_ns: i64,
    connection: u64,
    sequence: SequenceId,
}

/// All wakes to come.
#[derive(Debug, Default)]
pub(super) struct Delays {
    wakes: BinaryHeap<Reverse<Wake>>,
}

impl Delays {
    /// The next instant that something is to be woken at.
    pub fn next_ns(&self) -> Option<i64> {
        self.wakes.peek().map(|Reverse(wake)| wake.at_ns)
    }

    fn due(&mut self, now_ns: i64) -> Option<Wake> {
        self.next_ns().filter(|at_ns| *at_ns <= now_ns)?;
        self.wakes.pop().map(|Reverse(wake)| wake)
    }
}

impl Server {
    /// The answer of a connection is to be woken after its pause.
    pub(super) fn wake_later(&mut self, id: ConnectionId) {
        let Some(answer) = self.connections.get(id).and_then(|c| c.answer.as_ref()) else {
            return;
        };
        self.delays.wakes.push(Reverse(Wake {
            at_ns: monotonic_ns().saturating_add(answer.pause_ns()),
            connection: id.token(),
            sequence: answer.id(),
        }));
    }

    /// Wakes the answers whose pause is over.
    pub(super) fn wake_delayed(&mut self) {
        if self.delays.wakes.is_empty() {
            return;
        }
        // An answer that pauses again is due after this instant.
        let now_ns = monotonic_ns();
        while let Some(wake) = self.delays.due(now_ns) {
            let id = ConnectionId::of_token(wake.connection);
            let answer = self.connections.get(id).and_then(|c| c.answer.as_mut());
            if let Some(answer) = answer.filter(|answer| answer.id() == wake.sequence) {
                let turn = answer.wake();
                self.perform(id, turn, monotonic_ns());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wakes_come_in_the_order_of_their_instants() {
        let mut delays = Delays::default();
        for at_ns in [30, 10, 20] {
            delays.wakes.push(Reverse(Wake {
                at_ns,
                connection: 0,
                sequence: SequenceId(1),
            }));
        }
        assert_eq!(delays.next_ns(), Some(10));
        let mut due = |now_ns| delays.due(now_ns).map(|wake| wake.at_ns);
        assert_eq!(
            (due(5), due(25), due(25), due(25)),
            (None, Some(10), Some(20), None)
        );
    }
}
