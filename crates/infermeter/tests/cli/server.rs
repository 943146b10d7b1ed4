//! A small HTTP server whose every answer a test writes itself.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// One request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// Request line and header lines.
    pub head: String,
    pub body: String,
    /// Number of the connection it came on, from 0.
    pub connection: usize,
    /// Requests before it on that connection.
    pub earlier: usize,
}

impl Request {
    /// Method and path.
    pub fn what(&self) -> &str {
        let line = self.head.lines().next().unwrap_or_default();
        line.strip_suffix(" HTTP/1.1").unwrap_or(line)
    }

    /// A header's value, the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// A trial before the load, or a question.
    pub fn is_probe(&self) -> bool {
        let id = self.header("x-request-id").unwrap_or_default();
        id.contains("-probe-")
    }

    pub fn is_generation(&self) -> bool {
        self.what().starts_with("POST")
    }
}

/// What happens to the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Keep,
    Close,
}

/// A server on a free port, for the rest of the process.
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Serves: `answer` writes each answer itself.
    pub fn start<A>(answer: A) -> Self
    where
        A: Fn(&Request, &mut TcpStream) -> Then + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (answer, log) = (Arc::new(answer), Arc::clone(&seen));
        std::thread::spawn(move || {
            let count = AtomicUsize::new(0);
            for stream in listener.incoming() {
                let (answer, log) = (Arc::clone(&answer), Arc::clone(&log));
                let connection = count.fetch_add(1, Ordering::Relaxed);
                let Ok(stream) = stream else { continue };
                std::thread::spawn(move || converse(stream, connection, &*answer, &log));
            }
        });
        Self { url, seen }
    }

    /// The requests so far, probes included.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().expect("no panic").clone()
    }

    /// The generation requests so far.
    pub fn generations(&self) -> Vec<Request> {
        let mut seen = self.seen();
        seen.retain(Request::is_generation);
        seen
    }
}

fn converse(
    stream: TcpStream,
    connection: usize,
    answer: &dyn Fn(&Request, &mut TcpStream) -> Then,
    log: &Mutex<Vec<Request>>,
) {
    let Ok(mut out) = stream.try_clone() else {
        return;
    };
    let mut input = BufReader::new(stream);
    let mut earlier = 0;
    while let Some(request) = read(&mut input, connection, earlier) {
        log.lock().expect("no panic").push(request.clone());
        if answer(&request, &mut out) == Then::Close {
            return;
        }
        earlier += 1;
    }
}

/// Reads one request; `None` when the peer is done.
pub fn read(input: &mut impl BufRead, connection: usize, earlier: usize) -> Option<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if input.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut request = Request {
        head,
        body: String::new(),
        connection,
        earlier,
    };
    let length = request.header("content-length").unwrap_or("0");
    let mut body = vec![0; length.parse().ok()?];
    input.read_exact(&mut body).ok()?;
    request.body = String::from_utf8(body).ok()?;
    Some(request)
}

/// Writes a whole answer.
pub fn reply(out: &mut impl Write, status: &str, content_type: &str, body: &str) -> Then {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\r\n"
    );
    send(out, &format!("{head}{body}"))
}

/// Writes; a peer that has gone is no matter.
pub fn send(out: &mut impl Write, text: &str) -> Then {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Then::Keep,
        Err(_) => Then::Close,
    }
}

/// Writes a stream of these events, each without its line end.
pub fn reply_events(out: &mut impl Write, events: &[&str]) -> Then {
    let body: String = events.iter().map(|e| format!("data: {e}\n\n")).collect();
    reply(out, "200 OK", "text/event-stream", &body)
}

/// A chunk with text, a finish, usage for `tokens` tokens, and the end mark.
pub const TEXT: &str =
    r#"{"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}"#;
pub const FINISH: &str = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}"#;
pub const USAGE: &str =
    r#"{"choices":[],"usage":{"prompt_tokens":27,"completion_tokens":4,"total_tokens":31}}"#;
pub const DONE: &str = "[DONE]";
pub const MODELS: &str = r#"{"object":"list","data":[{"id":"small","owned_by":"tests"}]}"#;

/// A good answer to any request: four tokens to a generation.
pub fn good(request: &Request, out: &mut impl Write) -> Then {
    match request.what() {
        "GET /v1/models" => reply(out, "200 OK", "application/json", MODELS),
        what if what.starts_with("POST") => {
            reply_events(out, &[TEXT, TEXT, TEXT, TEXT, FINISH, USAGE, DONE])
        }
        _ => reply(out, "404 Not Found", "application/json", "{}"),
    }
}
