//! What keeps a generation out: an engine that is not there, a full queue. And idle connections.

use super::Server;
use super::slots::ConnectionId;
use crate::engine::{EngineState, QueueFull};
use crate::refusal::Refusal;
use crate::truth::RequestEnd;
use infermeter_core::clock::monotonic_ns;

/// Idle connections are looked for this often.
const SWEEP_NS: i64 = 100_000_000;

impl Server {
    /// The refusal of generations while the engine loads. One that is away wakes for them.
    pub(super) fn not_ready(&self) -> Option<Refusal> {
        match self.engine.state(monotonic_ns()) {
            EngineState::Loading => Some(Refusal::not_ready("the engine is loading")),
            EngineState::Waking | EngineState::Asleep | EngineState::Ready => None,
        }
    }

    /// What `/health` says while nothing is served: an engine that is away answers, since it would
    /// wake for a request.
    pub(super) fn unhealthy(&self) -> Option<Refusal> {
        match self.engine.state(monotonic_ns()) {
            EngineState::Loading => Some(Refusal::not_ready("the engine is loading")),
            EngineState::Waking => Some(Refusal::not_ready("the engine is waking up")),
            EngineState::Asleep | EngineState::Ready => None,
        }
    }

    /// The queue is full: the answer just begun becomes a refusal.
    pub(super) fn refuse_full(&mut self, id: ConnectionId, full: QueueFull) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        connection.in_engine = false;
        connection.progress = None;
        let Some(mut answer) = connection.answer.take() else {
            return;
        };
        let refusal = Refusal::queue_full(self.config.full_status, &full.to_string());
        answer.truth().status = refusal.status();
        let to = answer.reply_to().clone();
        self.counting.stats.queue_refusals += 1;
        self.log_end(*answer, None, RequestEnd::Refused);
        self.respond(id, &refusal, &to);
    }

    /// Closes connections that have been idle for too long.
    pub(super) fn sweep_idle(&mut self, now_ns: i64) {
        let timeout_ns = self.config.keepalive_timeout.ns();
        if timeout_ns == 0 || now_ns < self.next_sweep_ns {
            return;
        }
        self.next_sweep_ns = now_ns + SWEEP_NS;
        for id in self.connections.ids() {
            let Some(connection) = self.connections.get(id) else {
                continue;
            };
            if connection.is_idle() && now_ns - connection.last_used_ns >= timeout_ns {
                self.counting.stats.idle_closed += 1;
                self.close(id, RequestEnd::Disconnect);
            }
        }
    }
}
