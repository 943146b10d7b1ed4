//! The simulated link between sockets and engine: bytes wait here until they come out.
//!
//! Towards the engine received bytes are held back; towards the client what an answer or a refusal
//! has to say. Stamps are those of the true writes; the engine's instants are not shifted. Nothing
//! here costs anything while the link is off and nothing is on it.

use super::Server;
use super::connection::{Connection, Inbound, MAX_OUTPUT, Packet, Wire};
use super::output::send_answer;
use super::slots::ConnectionId;
use crate::answer::{Then, Turn};
use crate::truth::{Arrival, RequestEnd};
use infermeter_core::clock::monotonic_ns;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Up,
    Down,
}

/// Everything on the link, the first to come out on top.
#[derive(Debug, Default)]
pub(super) struct Releases(BinaryHeap<Reverse<(i64, u64, Way)>>);

impl Releases {
    /// When the next piece comes out.
    pub fn next(&self) -> Option<i64> {
        self.0.peek().map(|Reverse((out_ns, ..))| *out_ns)
    }

    fn push(&mut self, out_ns: i64, id: ConnectionId, way: Way) {
        self.0.push(Reverse((out_ns, id.token(), way)));
    }

    fn pop_due(&mut self, now_ns: i64) -> Option<(ConnectionId, Way)> {
        let Reverse((out_ns, token, way)) = *self.0.peek()?;
        if out_ns > now_ns {
            return None;
        }
        self.0.pop();
        Some((ConnectionId::of_token(token), way))
    }
}

/// Bytes go over the link: it is on, or earlier bytes are still on it.
fn holds(connection: &Connection, link_is_off: bool) -> bool {
    !link_is_off || connection.outbound() > 0
}

impl Server {
    /// Whether what this connection sends goes over the link.
    pub(super) fn is_linked(&mut self, id: ConnectionId) -> bool {
        let off = self.config.link.is_off();
        self.connections
            .get(id)
            .is_some_and(|connection| holds(connection, off))
    }

    /// Whether received bytes go over the link.
    pub(super) fn is_linked_inwards(&mut self, id: ConnectionId) -> bool {
        let off = self.config.link.is_off();
        let inbound = self.connections.get(id).map_or(0, |c| c.inbound());
        !off || inbound > 0
    }

    /// Puts a turn's bytes on the link; what follows them follows when they come out. The instant.
    pub(super) fn post_turn(&mut self, id: ConnectionId, turn: Turn) -> Option<i64> {
        let mut then = turn.then;
        match then {
            Then::Stall | Then::Close | Then::Reset => self.leave_engine(id),
            // Pauses are the server's, not the link's.
            Then::Wake => {
                self.wake_later(id);
                then = Then::GoOn;
            }
            Then::GoOn | Then::Done => {}
        }
        let answer = self.connections.get(id)?.answer.as_mut()?;
        let (bytes, tokens) = if turn.write {
            answer.take_pending()
        } else {
            (Vec::new(), 0)
        };
        if bytes.is_empty() && then == Then::GoOn {
            return None;
        }
        self.post(id, bytes, Some(tokens), then)
    }

    /// Puts bytes that belong to no answer on the link.
    pub(super) fn post_bytes(&mut self, id: ConnectionId, bytes: &[u8]) -> bool {
        self.post(id, bytes.to_vec(), None, Then::GoOn).is_some()
    }

    /// The instant; `None` where the client has left too much unread.
    fn post(
        &mut self,
        id: ConnectionId,
        bytes: Vec<u8>,
        tokens: Option<u32>,
        then: Then,
    ) -> Option<i64> {
        let connection = self.connections.get(id)?;
        let wire = connection.wire.get_or_insert_with(Box::<Wire>::default);
        if wire.outbound_bytes > MAX_OUTPUT + bytes.len() {
            self.close(id, RequestEnd::SlowReader);
            return None;
        }
        let now_ns = monotonic_ns();
        let key = self.config.seed ^ (id.token() << 1);
        let out_ns = wire.down.pass(&self.config.link, now_ns, bytes.len(), key);
        wire.outbound_bytes += bytes.len();
        wire.outbound.push_back(Packet {
            out_ns,
            bytes,
            tokens,
            then,
        });
        self.releases.push(out_ns, id, Way::Down);
        Some(now_ns)
    }

    /// Puts received bytes on the link towards the engine; none for the end of the connection.
    pub(super) fn hold_back(&mut self, id: ConnectionId, bytes: Vec<u8>, arrival: Arrival) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if bytes.is_empty() {
            // The end would stay readable until it comes out.
            let _ = self.waiter.poll.remove(connection.fd());
        }
        let wire = connection.wire.get_or_insert_with(Box::<Wire>::default);
        let key = self.config.seed ^ (id.token() << 1 | 1);
        let out_ns = wire
            .up
            .pass(&self.config.link, arrival.at_ns, bytes.len(), key);
        wire.inbound_bytes += bytes.len();
        wire.inbound.push_back(Inbound {
            out_ns,
            bytes,
            arrival,
        });
        self.releases.push(out_ns, id, Way::Up);
        self.bound_unserved(id);
    }

    /// Lets out of the link what has come to its end.
    pub(super) fn release_due(&mut self) {
        while let Some((id, way)) = self.releases.pop_due(monotonic_ns()) {
            match way {
                Way::Down => self.release_packet(id),
                Way::Up => self.release_inbound(id),
            }
        }
    }

    fn release_packet(&mut self, id: ConnectionId) {
        let Some(packet) = self.next_packet(id) else {
            return;
        };
        let now_ns = monotonic_ns();
        debug_assert!(packet.out_ns <= now_ns);
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let answer = connection
            .answer
            .as_ref()
            .filter(|_| packet.tokens.is_some());
        let byte_wise = answer.is_some_and(|answer| answer.is_byte_wise());
        let result = send_answer(connection, &packet.bytes, byte_wise);
        if let (Some(tokens), Some(answer)) = (packet.tokens, &mut connection.answer) {
            answer.written_later(now_ns, packet.bytes.len(), tokens);
        }
        if !self.after_send(id, result) {
            return;
        }
        if packet.tokens.is_some() {
            self.follow_turn(id, packet.then);
        }
        self.follow_course(id);
    }

    fn next_packet(&mut self, id: ConnectionId) -> Option<Packet> {
        let wire = self.connections.get(id)?.wire.as_mut()?;
        let packet = wire.outbound.pop_front()?;
        wire.outbound_bytes -= packet.bytes.len();
        Some(packet)
    }

    fn release_inbound(&mut self, id: ConnectionId) {
        let Some(wire) = self.connections.get(id).and_then(|c| c.wire.as_mut()) else {
            return;
        };
        let Some(inbound) = wire.inbound.pop_front() else {
            return;
        };
        wire.inbound_bytes -= inbound.bytes.len();
        if inbound.bytes.is_empty() {
            return self.close(id, RequestEnd::Disconnect);
        }
        let arrival = Arrival {
            link_in_ns: Some(inbound.out_ns),
            ..inbound.arrival
        };
        self.take_bytes(id, &inbound.bytes, arrival);
    }
}
