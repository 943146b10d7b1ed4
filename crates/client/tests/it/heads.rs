//! Response heads and framings, those that smuggle and those that lie included.

use infermeter_client::http::{HttpError, HttpEvent, MediaType, ResponseDecoder};
use infermeter_client::limits::Limits;

/// Body and whether the connection stays, or the error.
fn decode(bytes: &[u8]) -> Result<(u16, String, bool), HttpError> {
    let mut decoder = ResponseDecoder::new(&Limits::DEFAULT);
    let mut input = bytes;
    let mut body = Vec::new();
    while let Some(event) = decoder.next(&mut input)? {
        if let HttpEvent::Body(bytes) = event {
            body.extend_from_slice(bytes);
        }
    }
    let keep_alive = decoder.keep_alive();
    decoder.eof()?;
    let body = String::from_utf8(body).expect("test bodies are text");
    Ok((decoder.head().status, body, keep_alive))
}

#[track_caller]
fn check(name: &str, expect: Result<(u16, &str, bool), &str>) {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/http");
    let bytes = std::fs::read(format!("{dir}/{name}.http")).expect("a seed of this name");
    let expect = expect.map(|(status, body, keep)| (status, body.to_owned(), keep));
    let got = decode(&bytes).map_err(|error| error.to_string());
    assert_eq!(got, expect.map_err(str::to_owned), "{name}");
}

#[test]
fn well_formed() {
    check("chunked", Ok((200, "hello, world...", true)));
    check("length", Ok((200, "hello", true)));
    check("until-close", Ok((200, "hello", false)));
    check("interim", Ok((204, "", true)));
    check("close", Ok((200, "", false)));
    check("bare-lf-head", Ok((200, "hi", true)));
}

#[test]
fn bytes_behind_the_end_forbid_reuse() {
    check("leftover", Ok((200, "hello", false)));
}

#[test]
fn transfer_encoding_wins_over_length_but_ends_the_connection() {
    check("te-and-cl", Ok((200, "hi", false)));
}

#[test]
fn framing_in_doubt_is_refused() {
    check(
        "te-space-before-colon",
        Err("malformed response head: invalid header name"),
    );
    check(
        "te-xchunked",
        Err("transfer coding `xchunked` is not supported"),
    );
    check(
        "te-twice",
        Err("transfer coding `chunked` is not supported"),
    );
    check(
        "te-gzip",
        Err("transfer coding `gzip, chunked` is not supported"),
    );
    check(
        "cl-twice",
        Err("unusable framing: content-length is given twice"),
    );
    check(
        "cl-list",
        Err("unusable framing: content-length is not a number"),
    );
    check(
        "cl-sign",
        Err("unusable framing: content-length is not a number"),
    );
    check(
        "cl-overflow",
        Err("unusable framing: content-length is not a number"),
    );
    check(
        "folded",
        Err("malformed response head: invalid header name"),
    );
    check(
        "size-overflow",
        Err("malformed chunked body: a chunk size overflows"),
    );
    check(
        "size-bare-lf",
        Err("malformed chunked body: a chunk size is not hexadecimal"),
    );
    check(
        "size-sign",
        Err("malformed chunked body: a chunk size is missing"),
    );
    check(
        "data-without-crlf",
        Err("malformed chunked body: a chunk's data ends without CRLF"),
    );
    check(
        "switching",
        Err("unusable framing: the server switched protocols unasked"),
    );
    check(
        "not-http",
        Err("malformed response head: invalid HTTP version"),
    );
}

#[test]
fn facts_of_the_head() {
    let mut decoder = ResponseDecoder::new(&Limits::DEFAULT);
    let mut input = &b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream;charset=utf-8\r\n\
        Server: \x1b[31mvllm\r\nKeep-Alive: timeout=5, max=100\r\nContent-Length: 0\r\n\r\n"[..];
    // httparse refuses the escape character in a value.
    assert!(decoder.next(&mut input).is_err());
    let mut decoder = ResponseDecoder::new(&Limits::DEFAULT);
    let mut input = &b"HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream;charset=utf-8\r\n\
        Server: vllm\r\nKeep-Alive: timeout=5, max=100\r\nContent-Length: 0\r\n\r\n"[..];
    assert_eq!(decoder.next(&mut input), Ok(Some(HttpEvent::Head)));
    let head = decoder.head();
    assert_eq!(head.media_type(), MediaType::EventStream);
    assert_eq!(head.server.as_deref(), Some("vllm"));
    assert_eq!(head.keep_alive_timeout_s, Some(5));
}

#[test]
fn limits_are_errors_of_their_own() {
    let limits = Limits {
        head_bytes: 100,
        body_bytes: 10,
        ..Limits::DEFAULT
    };
    let check = |bytes: &[u8], expect: HttpError| {
        let mut decoder = ResponseDecoder::new(&limits);
        let mut input = bytes;
        let error = loop {
            match decoder.next(&mut input) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no limit was reached"),
                Err(error) => break error,
            }
        };
        assert_eq!(error, expect);
        assert_eq!(error.reason().as_str(), "limit_exceeded");
    };
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "x".repeat(100));
    check(long.as_bytes(), HttpError::HeadTooLong(100));
    let many = format!("HTTP/1.1 200 OK\r\n{}", "a:\r\n".repeat(30));
    let many = many.as_bytes();
    check(many, HttpError::HeadTooLong(100));
    check(
        b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n",
        HttpError::BodyTooLong(10),
    );
    check(
        b"HTTP/1.1 200 OK\r\n\r\n0123456789a",
        HttpError::BodyTooLong(10),
    );
    let interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(17);
    check(interim.as_bytes(), HttpError::TooManyInterim);
    let mut extension = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2;".to_vec();
    extension.extend_from_slice(&[b'x'; 5000]);
    check(&extension, HttpError::ExtensionTooLong);
    let mut trailers = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n".to_vec();
    trailers.extend_from_slice(&b"a: b\r\n".repeat(50));
    check(&trailers, HttpError::HeadTooLong(100));
}

#[test]
fn too_many_header_fields() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(101));
    assert_eq!(decode(many.as_bytes()), Err(HttpError::TooManyHeaders));
}

#[test]
fn a_close_inside_is_an_error() {
    for (bytes, expect) in [
        (&b""[..], HttpError::EofInHead),
        (b"HTTP/1.1 200 OK\r\n", HttpError::EofInHead),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nx",
            HttpError::EofInBody,
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n",
            HttpError::EofInBody,
        ),
    ] {
        assert_eq!(decode(bytes), Err(expect));
    }
}
