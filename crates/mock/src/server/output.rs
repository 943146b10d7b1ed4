//! From the engine to bytes: bursts of tokens, each stream one write.

use super::Server;
use super::connection::{Course, SendError};
use super::slots::ConnectionId;
use crate::answer::{Then, Turn};
use crate::engine::Emission;
use crate::truth::RequestEnd;
use infermeter_core::clock::monotonic_ns;
use infermeter_sys::poll::Interest;
use infermeter_sys::socket;

impl Server<'_> {
    /// Completes the engine's step if it is due and writes its burst.
    pub(super) fn complete_step(&mut self) {
        let mut emissions = std::mem::take(&mut self.emissions);
        emissions.clear();
        if let Some(report) = self.engine.step(monotonic_ns(), &mut emissions) {
            self.counting.stats.steps += 1;
            let mut first_ns = None;
            for emission in &emissions {
                let written_ns = self.deliver(*emission);
                first_ns = first_ns.or(written_ns);
            }
            if let Some(first_ns) = first_ns {
                self.counting.step_lateness.add(first_ns - report.end_ns);
                self.counting.burst.add(monotonic_ns() - first_ns);
            }
        }
        self.emissions = emissions;
        // Nobody asks for them yet; without this they would pile up.
        self.events.clear();
        self.engine.take_events(&mut self.events);
    }

    /// Gives a token to its answer; the instant of its write, if there was one.
    fn deliver(&mut self, emission: Emission) -> Option<i64> {
        let id = self.connections.id_at(emission.id.0 as u32)?;
        let connection = self.connections.get(id)?;
        let answer = connection
            .answer
            .as_mut()
            .filter(|answer| answer.id() == emission.id)?;
        if emission.finish.is_some() {
            connection.in_engine = false;
        }
        let turn = answer.take(emission);
        self.perform(id, turn)
    }

    /// Begins the answer that a connection has just been given.
    pub(super) fn begin_answer(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let Some(answer) = &mut connection.answer else {
            return;
        };
        let turn = answer.begin(self.early_head, self.config.role_chunk);
        self.perform(id, turn);
    }

    /// Writes what a turn made and does what follows from it. The instant of the write.
    fn perform(&mut self, id: ConnectionId, turn: Turn) -> Option<i64> {
        let mut written_ns = None;
        if turn.write {
            written_ns = Some(self.write_pending(id)?);
        }
        match turn.then {
            Then::GoOn => {}
            Then::Done => self.complete_answer(id),
            Then::Stall => self.leave_engine(id),
            Then::Close => self.cut_connection(id),
            Then::Reset => {
                if let Some(connection) = self.connections.get(id) {
                    // Without the option the client sees an orderly end: the fault is the cut.
                    let _ = socket::reset_on_close(&connection.fd());
                }
                self.close(id, RequestEnd::Fault);
            }
        }
        written_ns
    }

    /// Writes an answer's pending bytes; `None` when that ended the connection.
    fn write_pending(&mut self, id: ConnectionId) -> Option<i64> {
        let connection = self.connections.get(id)?;
        let mut answer = connection.answer.take()?;
        let now_ns = monotonic_ns();
        let result = connection.send(answer.pending());
        answer.written(now_ns);
        connection.answer = Some(answer);
        self.after_send(id, result).then_some(now_ns)
    }

    /// Writes bytes that belong to no answer; false when that ended the connection.
    pub(super) fn send(&mut self, id: ConnectionId, bytes: &[u8]) -> bool {
        let Some(connection) = self.connections.get(id) else {
            return false;
        };
        let result = connection.send(bytes);
        self.after_send(id, result)
    }

    fn after_send(&mut self, id: ConnectionId, result: Result<(), SendError>) -> bool {
        match result {
            Ok(()) => self.watch_room(id),
            Err(SendError::Gone) => {
                self.close(id, RequestEnd::Disconnect);
                false
            }
            Err(SendError::TooSlow) => {
                self.close(id, RequestEnd::SlowReader);
                false
            }
        }
    }

    /// Watches for room exactly while there is output left; false when the connection is gone.
    fn watch_room(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get(id) else {
            return false;
        };
        let wanted = !connection.is_flushed();
        if wanted == connection.watches_room {
            return true;
        }
        connection.watches_room = wanted;
        let interest = if wanted {
            Interest::ReadWrite
        } else {
            Interest::Read
        };
        if self
            .poll
            .modify(connection.fd(), id.token(), interest)
            .is_err()
        {
            self.close(id, RequestEnd::Disconnect);
            return false;
        }
        true
    }

    /// The socket has room.
    pub(super) fn flush(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if connection.is_flushed() {
            return;
        }
        let result = connection.flush();
        if self.after_send(id, result) {
            self.follow_course(id);
        }
    }

    fn complete_answer(&mut self, id: ConnectionId) {
        self.leave_engine(id);
        let Some(answer) = self.connections.get(id).and_then(|c| c.answer.take()) else {
            return;
        };
        let keeps_alive = answer.keeps_alive();
        self.log_end(*answer, RequestEnd::Finished);
        if keeps_alive {
            // A pipelined request may have waited. It is served behind the burst.
            self.resumable.push(id);
        } else {
            self.set_course(id, Course::CloseAfterOutput);
        }
    }

    /// Ends the connection behind an answer cut short.
    fn cut_connection(&mut self, id: ConnectionId) {
        self.leave_engine(id);
        if let Some(answer) = self.connections.get(id).and_then(|c| c.answer.take()) {
            self.log_end(*answer, RequestEnd::Fault);
        }
        self.set_course(id, Course::CloseAfterOutput);
    }

    /// Takes an answer's sequence out of the engine if it is still there.
    fn leave_engine(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if std::mem::replace(&mut connection.in_engine, false)
            && let Some(answer) = &connection.answer
        {
            self.engine.cancel(answer.id());
        }
    }

    pub(super) fn set_course(&mut self, id: ConnectionId, course: Course) {
        if let Some(connection) = self.connections.get(id) {
            connection.course = course;
            self.follow_course(id);
        }
    }

    fn follow_course(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if !connection.is_flushed() {
            return;
        }
        match connection.course {
            Course::Open | Course::Lingering => {}
            Course::CloseAfterOutput => self.close(id, RequestEnd::Disconnect),
            Course::LingerAfterOutput => {
                connection.end_output();
                connection.input = Vec::new();
                connection.course = Course::Lingering;
            }
        }
    }
}
