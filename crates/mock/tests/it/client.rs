//! A small blocking HTTP client that keeps what it sees.

use infermeter_mock::{Config, MockHandle, Preset, spawn_in_thread};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A configuration of the `fixed` preset with short times.
pub fn fast() -> Config {
    let mut config = Config::new(Preset::parse("fixed").expect("a preset"));
    config.ttft = Some("2ms".parse().expect("a span"));
    config.step = Some("1ms".parse().expect("a span"));
    config
}

pub fn start(config: Config) -> MockHandle {
    spawn_in_thread(config).expect("a simulator on loopback")
}

pub struct Connection {
    reader: BufReader<TcpStream>,
}

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a JSON body")
    }

    /// Data of the events.
    pub fn events(&self) -> Vec<String> {
        self.body
            .split_terminator("\n\n")
            .map(|event| event.strip_prefix("data: ").expect("data").to_owned())
            .collect()
    }

    /// Events but `[DONE]`, parsed.
    pub fn chunks(&self) -> Vec<Value> {
        self.events()
            .iter()
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).expect("a JSON event"))
            .collect()
    }

    /// The visible texts of a chat stream's events.
    pub fn texts(&self) -> Vec<String> {
        self.chunks()
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect()
    }
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("loopback");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a socket option");
        Self {
            reader: BufReader::new(stream),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("written");
    }

    pub fn post(&mut self, path: &str, extra_headers: &str, body: &str) {
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: mock\r\ncontent-type: application/json\r\n\
             {extra_headers}content-length: {length}\r\n\r\n{body}"
        );
        self.send(request.as_bytes());
    }

    pub fn get(&mut self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: mock\r\n\r\n").as_bytes());
        self.response().expect("a response")
    }

    pub fn chat(&mut self, extra_headers: &str, body: &str) -> Response {
        self.post("/v1/chat/completions", extra_headers, body);
        self.response().expect("a response")
    }

    /// Status and headers.
    pub fn head(&mut self) -> std::io::Result<Response> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).expect("a status line");
        let mut response = Response {
            status: status.parse().expect("a status"),
            headers: Vec::new(),
            body: String::new(),
        };
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some((key, value)) => response.headers.push((key.to_owned(), value.to_owned())),
                None => return Ok(response),
            }
        }
    }

    /// A whole response.
    pub fn response(&mut self) -> std::io::Result<Response> {
        let mut response = self.head()?;
        let mut body = Vec::new();
        if let Some(length) = response.header("content-length") {
            body.resize(length.parse().expect("a length"), 0);
            self.reader.read_exact(&mut body)?;
        } else {
            while let Some(chunk) = self.chunk()? {
                body.extend_from_slice(&chunk);
            }
        }
        response.body = String::from_utf8(body).expect("text");
        Ok(response)
    }

    /// The next chunk of a chunked body; `None` at its end.
    pub fn chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let size = usize::from_str_radix(&self.line()?, 16).expect("a chunk size");
        let mut data = vec![0; size + 2];
        self.reader.read_exact(&mut data)?;
        data.truncate(size);
        Ok((size > 0).then_some(data))
    }

    /// Everything until the server ends the connection.
    pub fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest)?;
        Ok(rest)
    }

    fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        match line.strip_suffix("\r\n") {
            Some(text) => Ok(text.to_owned()),
            None => Err(std::io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Connection {
    /// Ends the client's half of the connection.
    pub fn end_sending(&self) {
        let socket = self.reader.get_ref();
        socket.shutdown(Shutdown::Write).expect("an open socket");
    }

    /// Sends as far as the server listens: one that has closed is no error.
    pub fn try_send(&mut self, bytes: &[u8]) {
        let _ = self.reader.get_mut().write_all(bytes);
    }
}

/// A chat request's body.
pub fn chat_body(stream: bool, max_tokens: u32) -> String {
    let options = if stream {
        r#","stream_options":{"include_usage":true}"#
    } else {
        ""
    };
    format!(
        r#"{{"messages":[{{"role":"user","content":" one two, three."}}],"stream":{stream}{options},"max_tokens":{max_tokens},"ignore_eos":true}}"#
    )
}

impl Connection {
    /// Whether bytes wait to be read.
    pub fn has_bytes(&mut self) -> bool {
        let mut byte = [0; 1];
        let socket = self.reader.get_ref();
        socket.set_nonblocking(true).expect("a socket option");
        let peeked = socket.peek(&mut byte);
        socket.set_nonblocking(false).expect("a socket option");
        !self.reader.buffer().is_empty() || peeked.is_ok_and(|n| n > 0)
    }

    /// Whether the server has given the connection up.
    pub fn is_cut(&mut self) -> bool {
        // A peer that has closed answers bytes with a reset, which the next write reports.
        let sent = self.reader.get_mut().write_all(b"\r\n");
        sent.is_err()
    }
}
