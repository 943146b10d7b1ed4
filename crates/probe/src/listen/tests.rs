//! A client that speaks well, and others that do not.

use super::*;
use std::io::Read;

fn small() -> Limits {
    Limits {
        body_bytes: 64,
        connections: 2,
        patience: Duration::from_secs(5),
        cores: Vec::new(),
    }
}

fn echo() -> Listening {
    let address = SocketAddr::from(([127, 0, 0, 1], 0));
    listen(address, small(), |asked| Reply {
        status: 200,
        content_type: "text/plain",
        body: [
            asked.method.as_bytes(),
            asked.path().as_bytes(),
            asked.content_type.unwrap_or("-").as_bytes(),
            asked.body,
        ]
        .join(&b' '),
    })
    .expect("a free port")
}

/// Sends `bytes`, and reads until the other side closes.
fn ask(server: &Listening, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("a listener");
    stream.write_all(bytes).expect("room for a request");
    stream
        .shutdown(Shutdown::Write)
        .expect("an open connection");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    reply
}

fn check(bytes: &[u8], expect: &[&str]) {
    let server = echo();
    let reply = ask(&server, bytes);
    for part in expect {
        assert!(reply.contains(part), "{part:?} in {reply:?}");
    }
}

#[test]
fn requests_are_answered_until_one_closes() {
    let two = b"GET /a?b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\nConnection: close\r\n\r\n";
    check(
        two,
        &[
            "200 OK",
            "GET /a - ",
            "keep-alive",
            "GET /c - ",
            "connection: close",
        ],
    );
}

#[test]
fn bodies_by_length_and_by_chunks() {
    let sized =
        b"POST /x HTTP/1.1\r\ncontent-type: Text/Plain; charset=x\r\ncontent-length: 3\r\n\r\nabc";
    check(sized, &["POST /x text/plain abc"]);
    let chunks = b"POST /x HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;e=1\r\nabc\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n";
    check(chunks, &["POST /x - abcde"]);
}

#[test]
fn a_body_in_gzip_is_undone_and_bounded() {
    let packed = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).expect("memory");
        let body = encoder.finish().expect("memory");
        let head = format!(
            "POST / HTTP/1.1\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    };
    check(&packed("hello"), &["POST / - hello"]);
    check(&packed(&"a".repeat(65)), &["413 Content Too Large"]);
}

#[test]
fn what_is_no_request_is_refused() {
    check(b"\x16\x03\x01\x02\r\n\r\n", &["400 Bad Request", "no HTTP"]);
    check(b"POST / HTTP/1.1\r\ncontent-length: 65\r\n\r\n", &["413"]);
    check(b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", &["400"]);
    check(
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        &["400"],
    );
    check(
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
        &["400"],
    );
    check(
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        &["413"],
    );
    check(
        b"POST / HTTP/1.1\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\na",
        &["415"],
    );
    let long = format!(
        "GET / HTTP/1.1\r\na: {}\r\n\r\n",
        "b".repeat(request::MAX_HEAD)
    );
    check(long.as_bytes(), &["431"]);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(65));
    check(many.as_bytes(), &["431"]);
}

#[test]
fn a_client_that_waits_is_told_to_go_on() {
    let waits = b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1\r\n\r\na";
    check(waits, &["100 Continue", "POST / - a"]);
}

#[test]
fn connections_are_bounded_and_counted() {
    let server = echo();
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).expect("a listener");
            stream
                .write_all(b"GET / HTTP/1.1\r\n\r\n")
                .expect("room for a request");
            let mut first = [0; 12];
            stream.read_exact(&mut first).expect("a reply");
            stream
        })
        .collect();
    let reply = ask(&server, b"");
    assert!(reply.contains("503 Service Unavailable"), "{reply:?}");
    drop(held);
    assert_eq!(
        server.heard(),
        Heard {
            requests: 2,
            malformed: 0,
            refused: 1
        }
    );
}

#[test]
fn it_stops_with_connections_open() {
    let server = echo();
    let mut idle = TcpStream::connect(server.address()).expect("a listener");
    idle.write_all(b"GET / HTTP/1.1\r\n\r\nGET")
        .expect("room for a request");
    let mut first = [0; 12];
    idle.read_exact(&mut first).expect("a reply");
    drop(server);
    let mut rest = Vec::new();
    let _ = idle.read_to_end(&mut rest);
    assert!(rest.ends_with(b"GET / - "), "{rest:?}");
}

#[test]
fn a_port_in_use_is_an_error() {
    let first = echo();
    let second = listen(first.address(), small(), |_| Reply::text(200, ""));
    assert_eq!(
        second.map(|_| ()).map_err(|e| e.kind()),
        Err(io::ErrorKind::AddrInUse)
    );
}
