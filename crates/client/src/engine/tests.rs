//! The dispatcher over a protocol with many requests on one connection, which is what HTTP/2 will be to it:
//! only [`crate::exchange`] knows how many there are.

use super::{Destinations, Engine, EngineConfig, Route};
use crate::answer::KeepTexts;
use crate::dialect::Dialect;
use crate::exchange::Exchange;
use crate::exchange::frames::{Frames, OWN, frame};
use crate::prepared::Prepared;
use crate::response::{Expect, Numbers};
use crate::reuse::Reuse;
use infermeter_core::clock::{Clock, monotonic_ns};
use infermeter_core::record::{Outcome, Reason, RequestRecord};
use infermeter_core::request::RequestSpec;
use infermeter_core::run::IoBackend;
use infermeter_core::schedule::Phase;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

const SECOND: i64 = 1_000_000_000;
const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";

fn engine(address: SocketAddr) -> Engine {
    let config = EngineConfig {
        to: Arc::new(Destinations::one(Route::to(address, None))),
        clock: Clock::starting_in(0),
        io: IoBackend::Epoll,
        kernel_stamps: false,
        audit_send: false,
        max_connections: 1,
        first_connection: 0,
        connection_stride: 1,
        connect_timeout: 20 * SECOND,
        timeout: 20 * SECOND,
        first_token_timeout: None,
        idle_timeout: None,
        keepalive: 20 * SECOND,
        spare_connections: 0,
        reuse: Reuse::Tried,
        retry_stale: false,
        budget: Arc::default(),
        burn: 0,
        spin: 0,
    };
    let mut engine = Engine::new(config, Arc::default()).expect("an engine");
    engine.speak = || Exchange::Frames(Frames::default());
    engine
}

fn send(engine: &mut Engine, id: u64) {
    let prepared = Prepared {
        spec: RequestSpec::alone(id, 1, 2),
        bytes: format!("request {id}").into_bytes(),
        expect: Expect {
            dialect: Dialect::default(),
            numbers: Numbers::NONE,
            streaming: true,
            keep_texts: KeepTexts::No,
            output_tokens: 2,
        },
        waited: None,
        next: Vec::new(),
        address: None,
        pause_ns: 0,
    };
    let now = engine.now();
    engine.send(prepared, Phase::Measure, now);
}

/// Waits for the end of everything; the records in id order.
fn finish(engine: &mut Engine) -> Vec<RequestRecord> {
    let deadline = monotonic_ns() + 60 * SECOND;
    while engine.in_flight() > 0 {
        assert!(monotonic_ns() < deadline, "waited in vain");
        let soon = engine.now().plus(10_000_000);
        engine.poll(soon).expect("polls");
    }
    let mut records = Vec::new();
    engine.take_done(&mut records);
    records.sort_by_key(|record| record.id);
    records
}

/// Serves one connection: `answer` gets the numbers of three streams and says what is written.
fn serve(answer: impl FnOnce([u32; 3], &mut TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let numbers = [(); 3].map(|()| {
            let (number, bytes) = read_frame(&mut stream);
            assert!(bytes.starts_with(b"request "), "{bytes:?}");
            number
        });
        answer(numbers, &mut stream);
    });
    address
}

fn read_frame(stream: &mut TcpStream) -> (u32, Vec<u8>) {
    let mut head = [0; 8];
    stream.read_exact(&mut head).expect("a frame's head");
    let word = |at: usize| u32::from_be_bytes(head[at..at + 4].try_into().expect("four bytes"));
    let mut bytes = vec![0; word(4) as usize];
    stream.read_exact(&mut bytes).expect("its bytes");
    (word(0), bytes)
}

fn event(text: &str) -> String {
    format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
}

const LAST: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                    data: [DONE]\n\n";

#[test]
fn many_requests_share_a_connection_and_their_answers_interleave() {
    let address = serve(|[a, b, c], stream| {
        let mut wire = Vec::new();
        for number in [c, a, b] {
            wire.extend(frame(number, HEAD.as_bytes()));
        }
        for text in ["one", "two"] {
            for number in [b, c, a] {
                wire.extend(frame(number, event(text).as_bytes()));
            }
        }
        wire.extend(frame(OWN, b"are you there?"));
        for number in [a, b, c] {
            wire.extend(frame(number, LAST.as_bytes()));
        }
        // One write in two parts, cut inside of a frame's head.
        let (first, rest) = wire.split_at(wire.len() / 2 + 3);
        stream.write_all(first).expect("room");
        stream.write_all(rest).expect("room");
        assert_eq!(read_frame(stream), (OWN, b"are you there?".to_vec()));
        for number in [c, b, a] {
            stream.write_all(&frame(number, b"")).expect("room");
        }
        let _ = stream.read(&mut [0]);
    });
    let mut engine = engine(address);
    (0..3).for_each(|id| send(&mut engine, id));
    let records = finish(&mut engine);
    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!(record.outcome, Outcome::Completed, "{record:?}");
        assert_eq!((record.chunks.len(), record.connection), (2, Some(0)));
        assert!(record.sent.is_some() && record.address == Some(0));
    }
    let opened_for = records.iter().map(|r| r.new_connection);
    let opened_for: Vec<_> = opened_for.collect();
    assert_eq!(opened_for, [Some(true), Some(false), Some(false)]);
    assert_eq!(engine.health().connections_opened, 1);
    assert_eq!(engine.idle_connections(), 1);
    // A stamp is that of the read's last byte: a chunk with another stream's bytes behind it may be older.
    let first = records.iter().find(|r| r.chunks[0].at == r.chunks[1].at);
    assert!(first.is_none_or(|r| r.chunks[0].lower <= r.chunks[0].at));
}

#[test]
fn a_connection_that_breaks_takes_all_its_requests_along() {
    let address = serve(|[a, _, _], stream| {
        let wire = [HEAD, &event("one"), LAST].concat();
        stream.write_all(&frame(a, wire.as_bytes())).expect("room");
        stream.write_all(&frame(a, b"")).expect("room");
    });
    let mut engine = engine(address);
    (0..3).for_each(|id| send(&mut engine, id));
    let records = finish(&mut engine);
    let reasons: Vec<_> = records
        .iter()
        .map(|r| r.error.as_ref().map(|e| e.reason))
        .collect();
    assert_eq!(reasons[0], None, "{records:?}");
    assert!(
        reasons[1].is_some() && reasons[1] == reasons[2],
        "{reasons:?}"
    );
    assert_eq!((engine.in_flight(), engine.idle_connections()), (0, 0));
}

#[test]
fn a_request_that_is_given_up_leaves_the_others_alone() {
    let address = serve(|[a, b, c], stream| {
        let (number, bytes) = read_frame(stream);
        assert!(number == a && bytes.is_empty(), "the server is told");
        let wire = [HEAD, &event("one"), LAST].concat();
        for number in [a, b, c] {
            stream
                .write_all(&frame(number, wire.as_bytes()))
                .expect("room");
            stream.write_all(&frame(number, b"")).expect("room");
        }
        let _ = stream.read(&mut [0]);
    });
    let mut engine = engine(address);
    (0..3).for_each(|id| send(&mut engine, id));
    let first = engine.streams.all()[0];
    let deadline = monotonic_ns() + 60 * SECOND;
    while engine
        .streams
        .get_mut(first)
        .is_some_and(|r| r.record.sent.is_none())
    {
        assert!(monotonic_ns() < deadline, "waited in vain");
        let soon = engine.now().plus(10_000_000);
        engine.poll(soon).expect("polls");
    }
    let (now, why) = (
        engine.now(),
        super::ends::error(Reason::Interrupted, "enough"),
    );
    engine.abort(first, Outcome::Cancelled, why, now);
    let outcomes: Vec<Outcome> = finish(&mut engine).iter().map(|r| r.outcome).collect();
    let expect = [Outcome::Cancelled, Outcome::Completed, Outcome::Completed];
    assert_eq!(outcomes, expect);
    assert_eq!(engine.idle_connections(), 1);
}
