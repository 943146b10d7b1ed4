//! From bytes to the engine: reading, decoding, answering what needs no engine.

use super::connection::{Course, InputError, MAX_PIPELINED};
use super::slots::ConnectionId;
use super::{LINGER_NS, READS_PER_TURN, Server};
use crate::answer::{Answer, Opening};
use crate::api::{Ask, Reception, Route, authorize, may_change};
use crate::engine::SequenceId;
use crate::fault::{Fault, FaultRule, Occasion};
use crate::http::{HttpError, Progress, Request};
use crate::refusal::Refusal;
use crate::render::{self, Content, ReplyTo};
use crate::tls;
use crate::truth::{Arrival, ArrivalSource, RequestEnd, TruthRequest};
use infermeter_core::clock::{monotonic_ns, realtime_ns};
use infermeter_core::plan::Endpoint;
use infermeter_core::seed::splitmix64;
use infermeter_sys::stamp::{self, Received};
use std::io;

impl Server {
    /// Reads what a connection has and serves the requests that are whole.
    pub(super) fn read(&mut self, id: ConnectionId) {
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.connections.get(id) else {
                return;
            };
            match stamp::receive(connection.fd(), &mut self.read_buffer) {
                Ok(Received { len: 0, .. }) => return self.end_input(id),
                Ok(received) => {
                    self.take_received(id, received);
                    if received.len < self.read_buffer.len() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.close(id, RequestEnd::Disconnect),
            }
        }
    }

    /// The client has ended the connection, or its half of it: as servers of this kind do, both
    /// are taken for its leaving.
    fn end_input(&mut self, id: ConnectionId) {
        if self.is_linked_inwards(id) {
            self.hold_back(id, Vec::new(), Arrival::seen_at(monotonic_ns()));
        } else {
            self.close(id, RequestEnd::Disconnect);
        }
    }

    fn take_received(&mut self, id: ConnectionId, received: Received) {
        let arrival = self.arrival_of(received);
        if self.is_linked_inwards(id) {
            let bytes = self.read_buffer[..received.len].to_vec();
            return self.hold_back(id, bytes, arrival);
        }
        let buffer = std::mem::take(&mut self.read_buffer);
        self.take_bytes(id, &buffer[..received.len], arrival);
        self.read_buffer = buffer;
    }

    /// Bytes have reached the engine's side.
    pub(super) fn take_bytes(&mut self, id: ConnectionId, bytes: &[u8], arrival: Arrival) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        if connection.course != Course::Open {
            return;
        }
        connection.arrival = arrival;
        connection.last_used_ns = arrival.seen_ns;
        match connection.take_input(bytes) {
            Ok(tls::Received::Open) => {}
            Ok(tls::Received::End) | Err(InputError::Gone) => {
                return self.close(id, RequestEnd::Disconnect);
            }
            Err(InputError::NoTls) => {
                self.counting.stats.tls_errors += 1;
                return self.close(id, RequestEnd::Disconnect);
            }
        }
        if connection.answer.is_some() && connection.input.len() > MAX_PIPELINED {
            return self.close(id, RequestEnd::Disconnect);
        }
        if self.watch_room(id) {
            self.serve_input(id);
        }
        self.bound_unserved(id);
    }

    /// Counts what a connection has sent without its being a whole request. All connections together
    /// have so much room and no more: the one that passes it is refused.
    pub(super) fn bound_unserved(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let now = connection.count_unserved();
        let before = std::mem::replace(&mut connection.unserved, now);
        self.unserved = self.unserved + now - before;
        if self.unserved <= self.config.max_unserved || now <= before {
            return;
        }
        self.counting.stats.unserved_refusals += 1;
        let room = self.config.max_unserved;
        self.refuse_bytes(id, &HttpError::NoRoom(room));
        if let Some(connection) = self.connections.get(id) {
            connection.drop_unserved();
            self.bound_unserved(id);
        }
    }

    /// The kernel's stamp on the monotonic clock, or the program's where there is none.
    fn arrival_of(&self, received: Received) -> Arrival {
        let seen = Arrival::seen_at(monotonic_ns());
        match received.realtime_ns {
            Some(realtime_ns) => Arrival {
                at_ns: self.pairing.to_monotonic(realtime_ns).min(seen.seen_ns),
                source: ArrivalSource::Kernel,
                ..seen
            },
            None => seen,
        }
    }

    /// Serves whole requests of a connection's input, one at a time.
    pub(super) fn serve_input(&mut self, id: ConnectionId) {
        loop {
            let Some(connection) = self.connections.get(id) else {
                return;
            };
            if connection.answer.is_some() || connection.course != Course::Open {
                return;
            }
            match connection.reader.advance(&mut connection.input) {
                Ok(Progress::Incomplete) => return,
                Ok(Progress::Continue) => {
                    self.send(id, b"HTTP/1.1 100 Continue\r\n\r\n");
                    return;
                }
                Ok(Progress::Complete(request)) => self.serve_request(id, &request),
                Err(error) => return self.refuse_bytes(id, &error),
            }
        }
    }

    /// Serves the requests that waited behind answers finished by the engine's last step.
    pub(super) fn resume_waiting(&mut self) {
        while let Some(id) = self.resumable.pop() {
            self.serve_input(id);
            self.bound_unserved(id);
        }
    }

    fn refuse_bytes(&mut self, id: ConnectionId, error: &HttpError) {
        self.counting.stats.bad_requests += 1;
        let to = ReplyTo {
            request_id: None,
            http10: false,
            keep_alive: false,
        };
        if self.send(id, &refusal_bytes(&Refusal::of_http(error), &to)) {
            self.set_course(id, Course::LingerAfterOutput);
            self.lingering.push_back((monotonic_ns() + LINGER_NS, id));
        }
    }

    fn serve_request(&mut self, id: ConnectionId, request: &Request) {
        self.counting.stats.requests += 1;
        let head = &request.head;
        let to = ReplyTo {
            request_id: head.request_id.clone(),
            http10: head.http10,
            keep_alive: head.keep_alive,
        };
        let route = authorize(&self.config, head).and_then(|()| Route::of(head));
        let route = route.and_then(|route| {
            may_change(&self.config, route, head)?;
            Ok(route)
        });
        match route {
            Ok(Route::Generate(endpoint)) => self.generate(id, endpoint, request, to),
            Ok(route) => self.serve_control(id, route, request, &to),
            Err(refusal) => self.respond(id, &refusal, &to),
        }
    }

    pub(super) fn respond_json(&mut self, id: ConnectionId, body: &str, to: &ReplyTo) {
        let mut out = Vec::with_capacity(body.len() + 256);
        let content = Content::json(body.as_bytes());
        render::whole(&mut out, 200, content, body.len(), "", to);
        self.finish_response(id, &out, to.keep_alive);
    }

    pub(super) fn respond(&mut self, id: ConnectionId, refusal: &Refusal, to: &ReplyTo) {
        self.finish_response(id, &refusal_bytes(refusal, to), to.keep_alive);
    }

    pub(super) fn finish_response(&mut self, id: ConnectionId, bytes: &[u8], keep_alive: bool) {
        if self.send(id, bytes) && !keep_alive {
            self.set_course(id, Course::CloseAfterOutput);
        }
    }

    fn generate(&mut self, id: ConnectionId, endpoint: Endpoint, request: &Request, to: ReplyTo) {
        self.counting.stats.generations += 1;
        self.serial = self.serial.wrapping_add(1);
        if let Some(connection) = self.connections.get(id) {
            connection.trace = request.head.trace;
        }
        let request_id = match &to.request_id {
            Some(given) => given.clone(),
            None => format!(
                "mock-{:016x}",
                splitmix64(self.config.seed ^ u64::from(self.serial))
            ),
        };
        let to = ReplyTo {
            request_id: Some(request_id.clone()),
            ..to
        };
        if let Some(refusal) = self.not_ready() {
            self.counting.stats.not_ready += 1;
            return self.refuse_generation(id, &refusal, &request_id, &to);
        }
        match self.read_ask(endpoint, request) {
            Ok((ask, fault)) => self.begin(id, ask, fault, &request_id, to),
            Err(refusal) => self.refuse_generation(id, &refusal, &request_id, &to),
        }
    }

    /// The request and its fault; refusals by fault included.
    fn read_ask(
        &mut self,
        endpoint: Endpoint,
        request: &Request,
    ) -> Result<(Ask, Option<Fault>), Refusal> {
        let fault = match &request.head.fault {
            Some(text) => Some(
                text.parse()
                    .map_err(|error: crate::FaultError| Refusal::bad_request(error.to_string()))?,
            ),
            None => FaultRule::first(
                &self.config.faults,
                Occasion {
                    ordinal: self.counting.stats.generations,
                    seed: self.config.seed,
                    since_start_ns: monotonic_ns() - self.started_ns,
                },
            ),
        };
        let reception = Reception {
            config: &self.config,
            block_size: self.block_size,
            others: u32::try_from(self.counting.in_flight).unwrap_or(u32::MAX),
            desk: &mut self.desk,
        };
        let mut ask = Ask::received(endpoint, &request.body, reception)?;
        self.counting.stats.faults_injected += u64::from(fault.is_some());
        // One-token presets stay as they are.
        let has_length = self.config.preset.answer_limit.is_none() && endpoint.generates();
        if let Some(fault) = fault.filter(|_| has_length) {
            ask.length = fault.changed(ask.length);
        }
        match fault {
            Some(Fault::Status(status)) => Err(Refusal::by_fault(status)),
            Some(Fault::EscapedError) => Err(Refusal::escaped()),
            Some(Fault::Html(status)) => Err(Refusal::page(status)),
            _ => Ok((ask, fault)),
        }
    }

    fn refuse_generation(
        &mut self,
        id: ConnectionId,
        refusal: &Refusal,
        request_id: &str,
        to: &ReplyTo,
    ) {
        let arrival = self.connections.get(id).map(|c| c.arrival);
        self.counting.stats.count_end(RequestEnd::Refused);
        if let (Some(truth), Some(arrival)) = (&mut self.truth, arrival) {
            truth.push(TruthRequest::new(
                request_id,
                arrival,
                None,
                refusal.status(),
                0,
            ));
        }
        self.respond(id, refusal, to);
    }

    fn begin(
        &mut self,
        id: ConnectionId,
        ask: Ask,
        fault: Option<Fault>,
        request_id: &str,
        to: ReplyTo,
    ) {
        let sequence = SequenceId(u64::from(self.serial) << 32 | u64::from(id.index));
        let Some(connection) = self.connections.get(id) else {
            return;
        };
        let arrival = connection.arrival;
        let engine_request = ask.engine_request(sequence);
        let adapters = &self.config.content.adapters;
        let model = ask
            .adapter
            .and_then(|place| adapters.get(place as usize))
            .map_or(self.config.model_name(), String::as_str);
        let adapter = engine_request.adapter.map(|_| model.to_owned());
        connection.answer = Some(Box::new(Answer::new(Opening {
            id: sequence,
            ask,
            fault,
            to,
            request_id,
            model,
            content: &self.config.content,
            prompt_tokens_details: self.config.prompt_tokens_details,
            created_s: realtime_ns() / 1_000_000_000,
            arrival,
        })));
        self.counting.begin();
        if fault != Some(Fault::Empty) {
            connection.enter_engine(&engine_request, adapter);
            if let Err(full) = self.engine.arrive(arrival.engine_ns(), engine_request) {
                return self.refuse_full(id, full);
            }
        }
        self.begin_answer(id);
    }
}

fn refusal_bytes(refusal: &Refusal, to: &ReplyTo) -> Vec<u8> {
    let body = refusal.body();
    let mut out = Vec::with_capacity(body.len() + 256);
    let content = Content {
        kind: refusal.content_type(),
        body,
    };
    let (status, header) = (refusal.status(), refusal.header());
    render::whole(&mut out, status, content, body.len(), header, to);
    out
}
