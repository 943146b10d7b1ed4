//! What is refused, and that what is not comes out as it came, in whatever pieces.

use super::*;
use infermeter_core::clock::Offset;
use infermeter_core::record::StampSource;
use proptest::prelude::*;

fn at(ns: i64) -> Stamp {
    Stamp {
        at: Offset(ns),
        seen: Offset(ns),
        lower: Offset(ns),
        source: StampSource::Program,
    }
}

fn screen() -> Screen {
    Screen::new(Most {
        head_bytes: 512,
        headers: 8,
        body_bytes: 1000,
    })
}

/// What comes out of `input`, given in one read and byte by byte alike.
fn read(input: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::new();
    let whole = screen().take(input, at(1), &mut out).map(|()| out);
    let (mut screen, mut out) = (screen(), Vec::new());
    let single = input
        .iter()
        .try_for_each(|byte| screen.take(&[*byte], at(1), &mut out))
        .map(|()| out);
    // What no head can be is refused at its first bytes where they come alone; the reason is then another.
    assert_eq!(whole.is_ok(), single.is_ok(), "{whole:?} {single:?}");
    if let (Ok(whole), Ok(single)) = (&whole, &single) {
        assert_eq!(whole, single);
    }
    whole
}

fn refused(input: &str, status: u16) {
    match read(input.as_bytes()) {
        Err(refusal) => assert_eq!(refusal.status(), status, "{input:?}: {refusal:?}"),
        Ok(_) => panic!("taken: {input:?}"),
    }
}

fn taken(input: &str) {
    assert_eq!(read(input.as_bytes()).as_deref(), Ok(input.as_bytes()));
}

#[test]
fn sound_requests_come_out_as_they_are() {
    taken("GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n");
    taken("GET / HTTP/1.0\r\n\r\n");
    taken("POST /x?y=z HTTP/1.1\r\nhost:a\r\ncontent-length: 5\r\n\r\nhello");
    taken(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    taken(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
    );
    taken(
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nchecksum: 1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    let behind_lines = b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(read(behind_lines).as_deref(), Ok(&behind_lines[4..]));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let post =
        |fields: &str| format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n0\r\n\r\nGET /x");
    for fields in [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: 5, 5",
        "Content-Length: +5",
        "Content-Length: -1",
        "Content-Length: 0x5",
        "Content-Length: 5 5",
        "Content-Length:",
        "Content-Length: 99999999999999999999",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer_Encoding: chunked",
        "Content_Length: 5",
        "Content-Length : 5",
        "Transfer-Encoding\t: chunked",
        " Content-Length: 5",
        "X: y\r\n Content-Length: 5",
        "X: y\r\n\tz",
        "X: y\nContent-Length: 5",
        "X: y\rContent-Length: 5",
        "X: y\0",
        "X: \x7f",
        ": x",
        "no colon",
        "Host: b",
        "X\u{e9}: y",
    ] {
        refused(&post(fields), 400);
    }
    for fields in [
        "Transfer-Encoding: identity",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding:",
    ] {
        refused(&post(fields), 501);
    }
    refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    refused("GET / HTTP/1.1\r\n\r\n", 400);
}

#[test]
fn request_lines_have_one_form() {
    for line in [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /",
        "GET\t/ HTTP/1.1",
        "GET / http/1.1",
        "G\u{e9}T / HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET * HTTP/1.1",
        " GET / HTTP/1.1",
        "GET / x HTTP/1.1",
    ] {
        refused(&format!("{line}\r\nHost: a\r\n\r\n"), 400);
    }
    for line in [
        "GET / HTTP/2.0",
        "GET / HTTP/1.2",
        "PRI * HTTP/2.0",
        "GET / HTTP/0.9",
    ] {
        refused(&format!("{line}\r\nHost: a\r\n\r\n"), 505);
    }
    for line in [
        "GET http://other/ HTTP/1.1",
        "CONNECT other:443 HTTP/1.1",
        "GET other/ HTTP/1.1",
    ] {
        refused(&format!("{line}\r\nHost: a\r\n\r\n"), 421);
    }
    refused("\x16\x03\x01\x02", 400);
    refused(&"A".repeat(40), 400);
    refused("\r\n\r\n\r\nGET / HTTP/1.1\r\n", 400);
}

#[test]
fn chunks_are_read_strictly() {
    for body in [
        "\r\n",
        "g\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "00000000000000005\r\nhello\r\n0\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\n folded: x\r\n\r\n",
        "0\r\nx: y\n\r\n",
        ";\r\n",
    ] {
        let head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        refused(&format!("{head}{body}"), 400);
    }
}

#[test]
fn limits_are_limits() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\n";
    refused(&format!("{head}X: {}\r\n\r\n", "y".repeat(512)), 431);
    refused(&format!("{head}X: {}", "y".repeat(512)), 431);
    refused(&format!("{head}{}\r\n", "X: y\r\n".repeat(8)), 431);
    refused(&format!("{head}Content-Length: 1001\r\n\r\n"), 413);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    refused(&format!("{chunked}3e9\r\n"), 413);
    refused(&format!("{chunked}1\r\nx\r\n3e8\r\n"), 413);
    refused(&format!("{chunked}0\r\nx: {}", "y".repeat(600)), 431);
    refused(&format!("{chunked}0;{}", "y".repeat(300)), 400);
}

#[test]
fn arrivals_carry_the_stamps_of_first_and_last_byte() {
    let (mut screen, mut out) = (screen(), Vec::new());
    let parts: [&[u8]; 4] = [
        b"POST / HTTP/1.1\r\n",
        b"Host: a\r\nContent-Length: 4\r\n\r\n",
        b"ab",
        b"cdGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for (ns, part) in (1..).zip(parts) {
        screen.take(part, at(ns), &mut out).expect("sound");
    }
    let stamps = |screen: &mut Screen| {
        let arrival = screen.next_arrival().expect("a request");
        (arrival.first.at.0, arrival.last.get().map(|last| last.at.0))
    };
    assert_eq!(stamps(&mut screen), (1, Some(4)));
    assert_eq!(stamps(&mut screen), (4, Some(4)));
    assert!(screen.is_between_requests());
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused_and_never_changed(
        input in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        crate::fuzzing::screen(&input);
    }
}

/// Seeds with bytes changed here and there: nearly sound requests find more than random ones.
#[test]
fn nearly_sound_requests_are_read_alike_however_they_are_cut() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/screen");
    let mut seeds = 0;
    for file in std::fs::read_dir(directory).expect("the seeds") {
        let seed = std::fs::read(file.expect("a file").path()).expect("readable");
        crate::fuzzing::screen(&seed);
        for at in 0..seed.len() {
            for byte in [0, b'\r', b'\n', b' ', b':', b'0', b'f', b';', 0xff] {
                let mut changed = seed.clone();
                changed[at] = byte;
                crate::fuzzing::screen(&changed);
            }
        }
        seeds += 1;
    }
    assert!(seeds >= 5, "{seeds}");
}
