//! Messages as exporters send them, and what is answered.

use super::wire::WireSpan;
use super::*;
use crate::fuzzing;
use infermeter_core::spans::SpanTimes;
use std::io::{Read, Write};
use std::net::TcpStream;

fn seed(name: &str) -> Vec<u8> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/seeds/otlp");
    std::fs::read(format!("{dir}/{name}")).expect("a seed of this name")
}

/// The trace of W3C's example.
const TRACE: [u8; 16] = [
    0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36,
];

fn vllm() -> WireSpan {
    let times = SpanTimes {
        ttft: Some(120_000_000),
        queue: Some(12_500_000),
        prefill: Some(100_000_000),
        decode: Some(1_130_000_000),
        e2e: Some(1_250_000_000),
        first_step: None,
    };
    WireSpan {
        trace: Some(TRACE),
        span: "00f067aa0ba902b7".parse().ok(),
        name: "llm_request".to_owned(),
        lasted_ns: Some(1_250_000_000),
        told: super::names::Told { times, bad: 0 },
    }
}

#[test]
fn a_span_of_vllm_in_both_forms() {
    let json = read(&seed("vllm.json"), Form::Json).expect("OTLP");
    assert_eq!((json.spans.as_slice(), json.more), ([vllm()].as_slice(), 0));
    let protobuf = read(&seed("vllm.bin"), Form::Protobuf).expect("OTLP");
    assert_eq!(protobuf, json);
}

#[test]
fn names_of_other_generations_and_values_that_are_no_times() {
    let export = read(&seed("genai.json"), Form::Json).expect("OTLP");
    let [first, second] = &export.spans[..] else {
        panic!("two spans: {export:?}");
    };
    let expect = SpanTimes {
        ttft: Some(250_000_000),
        e2e: Some(2_000_000_000),
        ..SpanTimes::default()
    };
    assert_eq!((first.told.times, first.told.bad), (expect, 2));
    assert_eq!(
        (first.trace, first.lasted_ns),
        (Some(TRACE), Some(1_250_000_000))
    );
    assert_eq!(*second, WireSpan::default());
}

#[track_caller]
fn refused(bytes: &[u8], form: Form, expect: &str) {
    let error = read(bytes, form).expect_err("must be refused").to_string();
    assert!(error.contains(expect), "{error}");
}

#[test]
fn what_is_no_otlp_says_why() {
    refused(b"\x0a\x05ab", Form::Protobuf, "it ends inside a field");
    refused(b"\x0b", Form::Protobuf, "unknown wire type");
    refused(b"\x02\x00", Form::Protobuf, "impossible number");
    refused(&[0x08; 1], Form::Protobuf, "it ends inside a field");
    refused(
        b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        Form::Protobuf,
        "longer than ten bytes",
    );
    refused(b"[]x", Form::Json, "not OTLP traces as JSON");
    refused(br#"{"resourceSpans":7}"#, Form::Json, "not OTLP");
    // Nothing is a message without spans.
    assert_eq!(read(b"", Form::Protobuf), Ok(Export::default()));
    assert_eq!(read(b"{}", Form::Json), Ok(Export::default()));
}

#[test]
fn a_message_has_a_most_of_spans() {
    let most = super::wire::MAX_SPANS_PER_MESSAGE;
    let spans = vec!["{}"; most + 3].join(",");
    let json = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{spans}]}}]}}]}}"#);
    let export = read(json.as_bytes(), Form::Json).expect("OTLP");
    assert_eq!((export.spans.len(), export.more), (most, 3));
    // The same as protobuf: empty spans are two bytes each.
    let spans = [0x12, 0].repeat(most + 3);
    let nested = |tag: u8, inner: &[u8]| {
        let mut out = vec![tag];
        let mut length = inner.len();
        while length >= 0x80 {
            out.push(length as u8 | 0x80);
            length >>= 7;
        }
        out.push(length as u8);
        out.extend_from_slice(inner);
        out
    };
    let message = nested(0x0a, &nested(0x12, &spans));
    let export = read(&message, Form::Protobuf).expect("OTLP");
    assert_eq!((export.spans.len(), export.more), (most, 3));
}

#[test]
fn seeds_keep_the_properties_however_they_are_cut() {
    for name in ["vllm.json", "vllm.bin", "genai.json"] {
        let seed = seed(name);
        fuzzing::otlp(&seed);
        for end in 0..seed.len() {
            fuzzing::otlp(&seed[..end]);
        }
        for at in 0..seed.len() {
            let mut altered = seed.clone();
            altered[at] = altered[at].wrapping_add(0x55);
            fuzzing::otlp(&altered);
        }
    }
}

/// Posts a body over a socket; the status and the answer's body.
fn post(address: SocketAddr, content_type: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\ncontent-type: {content_type}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(body).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.expect("a head");
    let status = String::from_utf8_lossy(&answer[9..12]).parse();
    (status.expect("a status"), answer[end + 4..].to_vec())
}

#[test]
fn spans_of_the_run_are_written_and_the_rest_is_counted() {
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    let receiver = SpanReceiver::listen(loopback).expect("a free port");
    let address = receiver.address();
    let key = TraceKey::of_run("a run");
    let own = key
        .parent(7)
        .trace
        .map(|byte| format!("{byte:02x}"))
        .concat();
    let json = String::from_utf8(seed("vllm.json")).expect("text");
    let json = json.replace("4bf92f3577b34da6a3ce929d0e0e4736", &own);
    // Before a run nothing is kept.
    assert_eq!(post(address, "application/json", json.as_bytes()).0, 200);
    let written = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&written);
    receiver.begin(
        key,
        Box::new(move |spans: Vec<RequestSpan>| kept.lock().expect("whole").extend(spans)),
    );
    let accepted = post(address, "application/json; charset=utf-8", json.as_bytes());
    assert_eq!(accepted, (200, b"{}".to_vec()));
    assert_eq!(post(address, "application/json", json.as_bytes()).0, 200);
    let foreign = post(address, "application/x-protobuf", &seed("vllm.bin"));
    assert_eq!(foreign, (200, Vec::new()));
    let nameless = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}"#;
    let partly = post(address, "application/json", nameless);
    let said = br#"{"partialSuccess":{"rejectedSpans":"1"}}"#;
    assert_eq!(partly, (200, said.to_vec()));
    assert_eq!(post(address, "application/json", b"{").0, 400);
    assert_eq!(post(address, "application/grpc", b"").0, 415);
    assert_eq!(receiver.requests(), 1);
    let tally = receiver.end();
    let expect = SpanTally {
        messages: 4,
        refused: 1,
        spans: 4,
        kept: 1,
        foreign: 1,
        repeated: 1,
        malformed: 1,
        ..SpanTally::default()
    };
    assert_eq!(tally, expect);
    let written = written.lock().expect("whole");
    assert_eq!((written.len(), written[0].request), (1, 7));
    assert_eq!(written[0].times, vllm().told.times);
}

#[test]
fn a_partial_success_as_protobuf() {
    assert_eq!(protobuf::response(0), Vec::<u8>::new());
    // Field 1 of 3 bytes: field 1, the number 300.
    assert_eq!(protobuf::response(300), [0x0a, 3, 0x08, 0xac, 0x02]);
}
