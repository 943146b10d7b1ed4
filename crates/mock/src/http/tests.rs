//! Request heads and bodies, whole and in pieces.

use super::*;

/// Feeds `bytes` in pieces of `piece`; the requests that come out.
fn read(bytes: &[u8], piece: usize) -> Result<Vec<Request>, HttpError> {
    let mut reader = RequestReader::new();
    let mut input = Vec::new();
    let mut requests = Vec::new();
    for part in bytes.chunks(piece) {
        input.extend_from_slice(part);
        while let Progress::Complete(request) = reader.advance(&mut input)? {
            requests.push(request);
        }
    }
    Ok(requests)
}

fn check(text: &str, bodies: &[&str]) {
    for piece in [1, 2, 3, 7, text.len()] {
        let requests = read(text.as_bytes(), piece).expect("well-formed");
        let got: Vec<_> = requests
            .iter()
            .map(|r| String::from_utf8_lossy(&r.body))
            .collect();
        assert_eq!(got, bodies, "in pieces of {piece}");
    }
}

fn check_refused(text: &str, status: u16) {
    for piece in [1, 5, text.len()] {
        let error = read(text.as_bytes(), piece).expect_err("not acceptable");
        assert_eq!(error.status(), status, "{error}");
    }
}

#[test]
fn bodies_by_length_and_in_chunks_and_pipelined() {
    check("GET / HTTP/1.1\r\n\r\n", &[""]);
    check("\r\nGET / HTTP/1.1\n\n", &[""]);
    check(
        "POST /a HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc\
         POST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nde",
        &["abc", "de"],
    );
    check(
        "POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n\
         3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nt: 1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        &["abcde", ""],
    );
}

#[test]
fn heads_are_read() {
    let text = "POST http://h:1/v1/x?q=1 HTTP/1.1\r\nX-Request-Id: r-7\r\nAuthorization: Bearer k\r\n\
                x-mock-fault: no-done\r\nConnection: Close\r\n\r\n";
    let head = read(text.as_bytes(), 9)
        .expect("well-formed")
        .remove(0)
        .head;
    assert_eq!(
        (head.method.as_str(), head.path.as_str()),
        ("POST", "/v1/x")
    );
    assert_eq!(head.request_id.as_deref(), Some("r-7"));
    assert_eq!(head.authorization.as_deref(), Some("Bearer k"));
    assert_eq!(head.fault.as_deref(), Some("no-done"));
    assert!(!head.keep_alive);
    let old = read(b"GET / HTTP/1.0\r\n\r\n", 4)
        .expect("well-formed")
        .remove(0)
        .head;
    assert!(old.http10 && !old.keep_alive);
}

#[test]
fn what_is_no_request_is_refused() {
    check_refused("\u{1}\u{2}garbage\r\n\r\n", 400);
    check_refused("POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400);
    check_refused(
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        400,
    );
    check_refused(
        "POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        400,
    );
    check_refused("POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 400);
    check_refused(
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
        400,
    );
    check_refused(
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n",
        400,
    );
    check_refused("POST / HTTP/1.1\r\ncontent-length: 67108865\r\n\r\n", 413);
    check_refused(
        "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nfffffffff\r\n",
        413,
    );
    check_refused(
        &format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(MAX_HEAD)),
        431,
    );
}

#[test]
fn a_client_that_waits_for_continue_is_told_once() {
    let mut reader = RequestReader::new();
    let mut input =
        b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n".to_vec();
    assert_eq!(reader.advance(&mut input), Ok(Progress::Continue));
    assert_eq!(reader.advance(&mut input), Ok(Progress::Incomplete));
    input.extend_from_slice(b"ab");
    assert!(matches!(
        reader.advance(&mut input),
        Ok(Progress::Complete(_))
    ));
}
