//! Servers and users of the tests: blocking, one thread for each connection, strict where it matters.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Nothing that works takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A message as it came: its head, and its body undone of the coding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// The body ended as its head says it does.
    pub(crate) is_whole: bool,
}

impl Message {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn first_line(&self) -> &str {
        self.head.lines().next().unwrap_or("")
    }

    pub(crate) fn status(&self) -> u16 {
        let code = self.first_line().split(' ').nth(1);
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    }
}

/// Reads one message; `None` where the connection ends before one.
pub(crate) fn read_message(input: &mut BufReader<TcpStream>) -> Option<Message> {
    let mut message = Message::default();
    loop {
        let mut line = String::new();
        if input.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        message.head.push_str(&line);
    }
    let is_answer = message.head.starts_with("HTTP/");
    if is_answer && (100..200).contains(&message.status()) {
        return Some(message);
    }
    if message.header("transfer-encoding").is_some() {
        message.is_whole = read_chunks(input, &mut message.body).is_some();
    } else if let Some(length) = message.header("content-length") {
        let length: usize = length.parse().expect("a length");
        let mut taken = input.take(length as u64);
        let _ = taken.read_to_end(&mut message.body);
        message.is_whole = message.body.len() == length;
    } else if is_answer {
        message.is_whole = input.read_to_end(&mut message.body).is_ok();
    } else {
        message.is_whole = true;
    }
    Some(message)
}

fn read_chunks(input: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        let size = usize::from_str_radix(line.strip_suffix("\r\n")?, 16).ok()?;
        let mut taken = input.take(size as u64);
        let read = taken.read_to_end(body).ok()?;
        if read < size {
            return None;
        }
        let mut end = String::new();
        input.read_line(&mut end).ok()?;
        match (size, end.as_str()) {
            (0, "\r\n") => return Some(()),
            (1.., "\r\n") => {}
            _ => return None,
        }
    }
}

/// What a server does with its connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Stays,
    Closes,
}

/// A server that runs until the test ends.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Message>>>,
    gone: Arc<AtomicUsize>,
}

impl Server {
    /// Answers each request with `answer`.
    pub(crate) fn start(
        answer: impl Fn(&Message, &mut TcpStream) -> Then + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let server = Self {
            address: listener.local_addr().expect("bound"),
            asked: Arc::default(),
            gone: Arc::default(),
        };
        let (serving, answer) = (server.clone(), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (server, answer) = (serving.clone(), Arc::clone(&answer));
                thread::spawn(move || {
                    server.serve(stream, &*answer);
                    server.gone.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        server
    }

    /// One that answers everything with these bytes.
    pub(crate) fn saying(answer: &str) -> Self {
        let answer = answer.as_bytes().to_vec();
        Self::start(move |_, stream| match stream.write_all(&answer) {
            Ok(()) => Then::Stays,
            Err(_) => Then::Closes,
        })
    }

    /// One that answers with its name.
    pub(crate) fn named(name: &str) -> Self {
        let length = name.len();
        Self::saying(&format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{name}"
        ))
    }

    fn serve(&self, mut stream: TcpStream, answer: &dyn Fn(&Message, &mut TcpStream) -> Then) {
        stream.set_nodelay(true).expect("a socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let mut input = BufReader::new(stream.try_clone().expect("a socket"));
        while let Some(message) = read_message(&mut input) {
            self.asked.lock().expect("no panic").push(message.clone());
            if answer(&message, &mut stream) == Then::Closes {
                return;
            }
        }
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Message> {
        self.asked.lock().expect("no panic").clone()
    }

    /// Waits until so many of its connections have ended.
    pub(crate) fn wait_gone(&self, count: usize) {
        until(|| self.gone.load(Ordering::SeqCst) >= count);
    }
}

/// Waits until it is so.
pub(crate) fn until(mut is_so: impl FnMut() -> bool) {
    let tries = PATIENCE.as_millis() / 2;
    for _ in 0..tries {
        if is_so() {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
    panic!("it never became so");
}

/// A user's connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    input: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_nodelay(true).expect("a socket");
        let input = BufReader::new(stream.try_clone().expect("a socket"));
        Self { stream, input }
    }

    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("it reads");
    }

    /// The next answer, if there is one.
    pub(crate) fn answer(&mut self) -> Option<Message> {
        read_message(&mut self.input)
    }

    pub(crate) fn ask(&mut self, text: &str) -> Message {
        self.send(text);
        self.answer().expect("an answer")
    }

    /// Bytes up to and with `end`.
    pub(crate) fn read_past(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let mut byte = [0];
            match self.input.read(&mut byte) {
                Ok(1) => text.extend(byte),
                _ => panic!("it ended: {:?}", String::from_utf8_lossy(&text)),
            }
        }
        String::from_utf8(text).expect("text")
    }

    /// Everything until the connection ends, and how.
    pub(crate) fn rest(&mut self) -> (Vec<u8>, std::io::Result<usize>) {
        let mut bytes = Vec::new();
        let end = self.input.read_to_end(&mut bytes);
        (bytes, end)
    }
}

pub(crate) const GET: &str = "GET /v1/models HTTP/1.1\r\nHost: user\r\n\r\n";

/// A request with a body.
pub(crate) fn post(body: &str) -> String {
    let length = body.len();
    format!("POST /v1/x HTTP/1.1\r\nHost: user\r\nContent-Length: {length}\r\n\r\n{body}")
}
