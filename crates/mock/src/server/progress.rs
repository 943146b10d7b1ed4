//! What the engine says about a sequence on its way: into the metrics and the truth log.

use super::Server;
use super::connection::Connection;
use crate::engine::{Emission, EngineEvent, EngineRequest, SequenceId};
use crate::metrics::Progress;

impl Server {
    /// Takes what has happened in the engine since the last call.
    pub(super) fn note_events(&mut self) {
        let mut events = std::mem::take(&mut self.events);
        self.engine.take_events(&mut events);
        for event in events.drain(..) {
            self.note_event(event);
        }
        self.events = events;
    }

    fn note_event(&mut self, event: EngineEvent) {
        match event {
            EngineEvent::Admitted {
                id,
                at_ns,
                cached_tokens,
                replica,
            } => {
                let Some(connection) = connection_of(&mut self.connections, id) else {
                    return;
                };
                let (Some(answer), Some(progress)) =
                    (&mut connection.answer, &mut connection.progress)
                else {
                    return;
                };
                if progress.admitted_ns.is_some() {
                    return;
                }
                answer.admitted(cached_tokens);
                progress.admitted_ns = Some(at_ns);
                progress.cached_tokens = cached_tokens;
                progress.replica = replica;
                let truth = answer.truth();
                truth.admitted_ns = Some(at_ns);
                truth.cached_tokens = cached_tokens;
                truth.replica = replica;
            }
            EngineEvent::Prefilled { id, at_ns } => {
                if let Some(connection) = connection_of(&mut self.connections, id)
                    && let Some(answer) = &mut connection.answer
                {
                    // Again behind a preemption: the first time is the one that counts.
                    answer.truth().prefilled_ns.get_or_insert(at_ns);
                }
            }
            EngineEvent::Preempted { id, at_ns } => {
                if let Some(connection) = connection_of(&mut self.connections, id)
                    && let (Some(answer), Some(progress)) =
                        (&mut connection.answer, &mut connection.progress)
                {
                    answer.truth().preempted_ns.push(at_ns);
                    progress.preemptions += 1;
                }
            }
        }
    }

    /// Tokens of a sequence were there at `at_ns`.
    pub(super) fn note_tokens(&mut self, emission: Emission, at_ns: i64) {
        if let Some(connection) = connection_of(&mut self.connections, emission.id)
            && let Some(progress) = &mut connection.progress
        {
            progress.finish = emission.finish.or(progress.finish);
            self.metrics.tokens(progress, at_ns, emission.tokens);
        }
    }
}

/// The connection whose answer is the sequence, if it is still there.
fn connection_of(connections: &mut super::slots::Slots, id: SequenceId) -> Option<&mut Connection> {
    let at = connections.id_at(id.0 as u32)?;
    connections
        .get(at)
        .filter(|connection| connection.answer.as_ref().is_some_and(|a| a.id() == id))
}

impl Connection {
    /// Its answer's sequence goes to the engine, with the adapter of that name.
    pub(super) fn enter_engine(&mut self, request: &EngineRequest, adapter: Option<String>) {
        if let Some(answer) = &mut self.answer {
            answer.truth().adapter = adapter;
        }
        self.in_engine = true;
        self.progress = Some(Progress {
            arrived_ns: self.arrival.engine_ns(),
            prompt_tokens: request.prompt_tokens,
            max_tokens: request.output_tokens,
            adapter: request.adapter,
            trace: self.trace,
            ..Progress::default()
        });
    }
}
