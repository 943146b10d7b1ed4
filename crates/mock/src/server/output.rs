//! From the engine to bytes: bursts of tokens, each stream one write.

use super::Server;
use super::connection::{Connection, Course, SendError};
use super::slots::ConnectionId;
use crate::answer::{Answer, Then, Turn};
use crate::engine::Emission;
use crate::metrics::Progress;
use crate::truth::RequestEnd;
use infermeter_core::clock::monotonic_ns;
use infermeter_sys::poll::Interest;
use infermeter_sys::socket;

impl Server {
    /// Completes the engine's step if it is due and writes its burst.
    pub(super) fn complete_step(&mut self) {
        let mut emissions = std::mem::take(&mut self.emissions);
        emissions.clear();
        if let Some(report) = self.engine.step(monotonic_ns(), &mut emissions) {
            self.note_events();
            self.counting.stats.steps += 1;
            self.note_events();
            let (prompt, tokens) = (report.prefill_tokens, report.tokens);
            self.metrics.step(report.replica, prompt, tokens);
            let mut first_ns = None;
            for emission in &emissions {
                let written_ns = self.deliver(*emission);
                first_ns = first_ns.or(written_ns);
            }
            if let Some(first_ns) = first_ns {
                let (late_ns, burst_ns) = (first_ns - report.end_ns, monotonic_ns() - first_ns);
                self.counting.step_lateness.add(late_ns);
                self.counting.burst.add(burst_ns);
                self.metrics.burst(late_ns, burst_ns);
            }
        }
        self.emissions = emissions;
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
        let now_ns = monotonic_ns();
        self.note_tokens(emission, now_ns);
        self.perform(id, turn, now_ns)
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
        self.perform(id, turn, monotonic_ns());
    }

    /// Writes what a turn made and does what follows from it. `now_ns` was read just before. The
    /// instant of the write.
    pub(super) fn perform(&mut self, id: ConnectionId, turn: Turn, now_ns: i64) -> Option<i64> {
        if self.is_linked(id) {
            return self.post_turn(id, turn);
        }
        let mut written_ns = None;
        if turn.write {
            written_ns = Some(self.write_pending(id, now_ns)?);
        }
        self.follow_turn(id, turn.then);
        written_ns
    }

    /// Does what follows a turn's bytes.
    pub(super) fn follow_turn(&mut self, id: ConnectionId, then: Then) {
        match then {
            Then::GoOn => {}
            Then::Wake => self.wake_later(id),
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
    }

    /// Writes an answer's pending bytes; `None` when that ended the connection.
    fn write_pending(&mut self, id: ConnectionId, now_ns: i64) -> Option<i64> {
        let connection = self.connections.get(id)?;
        let mut answer = connection.answer.take()?;
        let result = send_answer(connection, answer.pending(), answer.is_byte_wise());
        answer.written(now_ns);
        connection.answer = Some(answer);
        self.after_send(id, result).then_some(now_ns)
    }

    /// Writes bytes that belong to no answer; false when that ended the connection.
    pub(super) fn send(&mut self, id: ConnectionId, bytes: &[u8]) -> bool {
        if self.is_linked(id) {
            return self.post_bytes(id, bytes);
        }
        let Some(connection) = self.connections.get(id) else {
            return false;
        };
        let result = connection.send(bytes);
        self.after_send(id, result)
    }

    pub(super) fn after_send(&mut self, id: ConnectionId, result: Result<(), SendError>) -> bool {
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
    pub(super) fn watch_room(&mut self, id: ConnectionId) -> bool {
        let Some(connection) = self.connections.get(id) else {
            return false;
        };
        let wanted = !connection.is_written();
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
            .waiter
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
        if connection.is_written() {
            return;
        }
        let result = connection.flush();
        if self.after_send(id, result) {
            self.follow_course(id);
        }
    }

    fn complete_answer(&mut self, id: ConnectionId) {
        self.leave_engine(id);
        let Some((answer, progress)) = self.take_answer(id) else {
            return;
        };
        let keeps_alive = answer.keeps_alive();
        self.log_end(*answer, progress, RequestEnd::Finished);
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
        if let Some((answer, progress)) = self.take_answer(id) {
            self.log_end(*answer, progress, RequestEnd::Fault);
        }
        self.set_course(id, Course::CloseAfterOutput);
    }

    /// Takes the answer off its connection, with what its sequence has gone through.
    fn take_answer(&mut self, id: ConnectionId) -> Option<(Box<Answer>, Option<Progress>)> {
        let connection = self.connections.get(id)?;
        let answer = connection.answer.take()?;
        if let Some(progress) = &connection.progress {
            connection.last_used_ns = progress.last_ns;
        }
        Some((answer, connection.progress.take()))
    }

    /// Takes an answer's sequence out of the engine if it is still there.
    pub(super) fn leave_engine(&mut self, id: ConnectionId) {
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

    pub(super) fn follow_course(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if !connection.is_flushed() {
            return;
        }
        match connection.course {
            Course::Open | Course::Lingering => {}
            Course::CloseAfterOutput => {
                connection.end_session();
                self.close(id, RequestEnd::Disconnect);
            }
            Course::LingerAfterOutput => {
                connection.end_output();
                connection.input = Vec::new();
                connection.course = Course::Lingering;
            }
        }
    }
}

/// Sends an answer's bytes, one by one where a fault says so.
pub(super) fn send_answer(
    connection: &mut Connection,
    bytes: &[u8],
    byte_wise: bool,
) -> Result<(), SendError> {
    if !byte_wise {
        return connection.send(bytes);
    }
    bytes.chunks(1).try_for_each(|byte| connection.send(byte))
}
