//! Answers that come faster than anyone reads: nothing may be lost, reordered or counted twice.

use crate::engine_support::{Driver, end};
use crate::support::{Ask, engine_config, io};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::run::IoBackend;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Events of the answer: more bytes than the least number of buffers of a ring holds, several
/// times over.
const EVENTS: usize = 4_000;
const EVENT_BYTES: usize = 1_000;
/// A socket that takes nothing after so many attempts in a row is full.
const ATTEMPTS: usize = 20_000;

/// The `n`th event, of [`EVENT_BYTES`] bytes.
fn event(n: usize) -> String {
    let start = format!(r#"data: {{"choices":[{{"index":0,"delta":{{"content":"{n} "#);
    let end = "\"}}]}\n\n";
    let padding = "x".repeat(EVENT_BYTES - start.len() - end.len());
    format!("{start}{padding}{end}")
}

/// Answers one request; says so when the client's side is full and the rest is still to come.
fn flood(listener: TcpListener, full: SyncSender<()>) -> JoinHandle<()> {
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 4096];
        let n = stream.read(&mut request).expect("a request");
        assert!(n > 0);
        let mut answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_vec();
        (0..EVENTS).for_each(|n| answer.extend(event(n).bytes()));
        answer.extend(b"data: [DONE]\n\n");
        let written = write_until_full(&mut stream, &answer);
        full.send(()).expect("the test waits");
        stream.set_nonblocking(false).expect("blocking");
        stream
            .write_all(&answer[written..])
            .expect("the client reads");
    })
}

fn write_until_full(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    stream.set_nonblocking(true).expect("non-blocking");
    let (mut written, mut refused) = (0, 0);
    while refused < ATTEMPTS && written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(n) => (written, refused) = (written + n, 0),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                refused += 1;
                thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
    written
}

fn check(record: &RequestRecord) {
    assert_eq!(end(record), (Outcome::Completed, None));
    assert_eq!(record.chunks.len(), EVENTS);
    let instants: Vec<_> = record.chunks.iter().map(|chunk| chunk.at).collect();
    assert!(instants.is_sorted());
    for chunk in &record.chunks {
        assert!(
            chunk.lower <= chunk.at && chunk.at <= chunk.seen,
            "{chunk:?}"
        );
    }
}

#[test]
fn an_answer_beyond_all_buffers_arrives_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let mut config = engine_config(listener.local_addr().expect("bound"));
    config.max_connections = 1;
    let (full, is_full) = sync_channel(1);
    let server = flood(listener, full);
    let mut driver = Driver::with(config);
    driver.open_ahead(1);
    driver.send(Ask::tokens(EVENTS as u32));
    is_full.recv().expect("the server writes");
    let record = driver.finish().remove(0);
    check(&record);
    assert_eq!(server.join().ok(), Some(()));
    let starved = driver.engine.health().buffers_out;
    assert_eq!(starved > 0, io() == IoBackend::Uring, "{starved}");
}
