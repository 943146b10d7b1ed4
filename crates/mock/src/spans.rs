//! Spans of the requests that the simulator has served, as an engine with tracing on sends them: OTLP over HTTP,
//! as protobuf, in batches, from a thread of the lowest priority.
//!
//! Each request that names a trace and is sampled gets two spans: the front end's, in names of the GenAI
//! conventions 0.1.0, and the engine's, in vLLM's. Their times are those of the engine's events and of the first
//! token's write, as in the truth log. Nothing is sent of a request that did not finish. Invariant: neither a slow
//! receiver nor one that is away holds up a step; spans that could not be sent are counted.

mod message;

use crate::metrics::Progress;
use infermeter_core::clock::RealtimePairing;
use infermeter_core::spans::TraceParent;
use message::message;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Spans of so many requests leave at once, as exporters have it by default.
const BATCH: usize = 256;
/// They leave after this at the latest. Engines wait for seconds; nobody gains from that here.
const DELAY: Duration = Duration::from_millis(200);
/// Longest wait for a receiver, each time.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest answer that is read, bytes.
const ANSWER: u64 = 4_096;

/// A request that has finished. Instants are `CLOCK_MONOTONIC` nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traced {
    /// What the request said of its trace.
    pub parent: TraceParent,
    /// What it went through.
    pub progress: Progress,
    /// Planned end of the step that computed the last of its prompt.
    pub prefilled_ns: Option<i64>,
}

/// Spans sent, and those that could not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub sent: u64,
    pub lost: u64,
}

/// The event loop's end.
#[derive(Debug)]
pub(crate) struct SpanSender {
    batch: Vec<Traced>,
    requests: Sender<Vec<Traced>>,
    thread: JoinHandle<Sent>,
}

impl SpanSender {
    /// Sends to `receiver`, from a thread of its own.
    pub fn start(receiver: SocketAddr, model: &str) -> io::Result<Self> {
        let (requests, received) = channel();
        let model = model.to_owned();
        let thread = std::thread::Builder::new()
            .name("mock-spans".to_owned())
            .spawn(move || {
                infermeter_sys::affinity::yield_to_others();
                send_until_closed(receiver, &model, &received)
            })?;
        Ok(Self {
            batch: Vec::new(),
            requests,
            thread,
        })
    }

    /// Takes a request that has finished, if it named a trace that is sampled.
    pub fn push(&mut self, progress: &Progress, prefilled_ns: Option<i64>) {
        if let Some(parent) = progress.trace.filter(|parent| parent.sampled) {
            self.batch.push(Traced {
                parent,
                progress: *progress,
                prefilled_ns,
            });
        }
    }

    /// Hands what has ended since the last call to the thread. For the end of a turn of the loop.
    pub fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            // A thread that is gone says so in `finish`.
            let _ = self.requests.send(batch);
        }
    }

    /// Sends the rest, and waits for that.
    pub fn finish(mut self) -> Sent {
        self.hand_over();
        drop(self.requests);
        self.thread.join().unwrap_or_default()
    }
}

fn send_until_closed(receiver: SocketAddr, model: &str, received: &Receiver<Vec<Traced>>) -> Sent {
    let mut sent = Sent::default();
    let mut waiting: Vec<Traced> = Vec::new();
    loop {
        let next = match waiting.is_empty() {
            true => received.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => received.recv_timeout(DELAY),
        };
        let is_over = next == Err(RecvTimeoutError::Disconnected);
        let is_late = next == Err(RecvTimeoutError::Timeout);
        waiting.extend(next.unwrap_or_default());
        let is_due = is_over || is_late || waiting.len() >= BATCH;
        if is_due && !waiting.is_empty() {
            let pairing = RealtimePairing::now();
            for batch in waiting.chunks(BATCH) {
                let spans = 2 * batch.len() as u64;
                match post(receiver, &message(batch, model, &pairing)) {
                    Ok(()) => sent.sent += spans,
                    Err(_) => sent.lost += spans,
                }
            }
            waiting.clear();
        }
        if is_over {
            return sent;
        }
    }
}

/// Posts a message on a connection of its own.
fn post(receiver: SocketAddr, body: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&receiver, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: {receiver}\r\ncontent-type: application/x-protobuf\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.take(ANSWER).read_to_end(&mut answer)?;
    match answer.starts_with(b"HTTP/1.1 200") {
        true => Ok(()),
        false => Err(io::Error::other("the receiver of spans refused them")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn progress(parent: &str) -> Progress {
        Progress {
            arrived_ns: 1_000,
            admitted_ns: Some(2_000),
            first_ns: Some(5_000),
            last_ns: 9_000,
            trace: TraceParent::parse(parent),
            ..Progress::default()
        }
    }

    /// Takes one message and answers it; its head and its body.
    fn take(listener: &TcpListener) -> (String, Vec<u8>) {
        let (stream, _) = listener.accept().expect("a sender");
        let mut input = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            input.read_line(&mut line).expect("a line");
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().expect("a length");
            }
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let mut body = vec![0; length];
        input.read_exact(&mut body).expect("a body");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
        input.get_mut().write_all(answer).expect("answered");
        (head, body)
    }

    #[test]
    fn sampled_requests_are_sent_and_others_are_not() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let taken = std::thread::spawn(move || take(&listener));
        let mut sender = SpanSender::start(address, "m").expect("a thread");
        sender.push(&progress(PARENT), Some(4_000));
        sender.push(&progress(&PARENT.replace("-01", "-00")), Some(4_000));
        sender.push(&progress("none"), Some(4_000));
        assert_eq!(sender.finish(), Sent { sent: 2, lost: 0 });
        let (head, body) = taken.join().expect("taken");
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        let holds = |text: &str| {
            body.windows(text.len())
                .filter(|w| *w == text.as_bytes())
                .count()
        };
        assert_eq!((holds("llm_request"), holds("chat m")), (1, 1));
        // 1 us in the queue, 2 us of prefill, 1 us of the first step.
        for (name, seconds) in [
            ("gen_ai.latency.time_in_queue", 1e-6_f64),
            ("gen_ai.latency.time_in_model_prefill", 2e-6),
            ("infermeter.latency.time_in_first_step", 1e-6),
        ] {
            // The value follows: a message of nine bytes, its field a double.
            let value = [&b"\x12\x09\x21"[..], &seconds.to_le_bytes()].concat();
            let pair = [name.as_bytes(), &value].concat();
            assert!(body.windows(pair.len()).any(|w| w == pair), "{name}");
        }
    }

    #[test]
    fn what_nobody_takes_is_lost_and_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        drop(listener);
        let mut sender = SpanSender::start(address, "m").expect("a thread");
        sender.push(&progress(PARENT), None);
        assert_eq!(sender.finish(), Sent { sent: 0, lost: 2 });
    }
}
