//! Reads and their stamps: which read completes a chunk, what its lower bound is, when a response
//! has ended and what becomes of the connection.

use crate::support::{STREAM, chunked_stream, empty_record, feed, head, response, stamp};
use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::limits::Limits;
use infermeter_client::response::{Expect, ReadResult, ReadStamp, ResponseReader};
use infermeter_core::clock::Offset;
use infermeter_core::plan::Endpoint;
use infermeter_core::record::{Outcome, Reason, StampSource};

const A: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
const B: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\n";
const END: &str = "data: [DONE]\n\n";

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

fn stream_head() -> String {
    let head = String::from_utf8(head("200 OK", "text/event-stream")).expect("ASCII");
    head + "transfer-encoding: chunked\r\n\r\n"
}

/// `at - lower` of each chunk, after these reads.
#[track_caller]
fn check_widths(parts: &[&str], expect: &[i64]) {
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    let (_, record) = feed(STREAM, &parts);
    let widths: Vec<i64> = record.chunks.iter().map(|c| c.at.since(c.lower)).collect();
    assert_eq!(widths, expect);
}

#[test]
fn a_chunk_is_exact_only_where_its_last_byte_is_the_reads_last() {
    let head = stream_head();
    let (a, b, end) = (chunk(A), chunk(B), chunk(END));
    check_widths(&[&head, &a, &b, &end], &[0, 0]);
    check_widths(&[&head, &format!("{a}{b}"), &end], &[100, 0]);
    check_widths(&[&head, &a, &format!("{b}{end}")], &[0, 100]);
    // The chunk's own CRLF may follow or not; the next chunk's size line may not.
    check_widths(
        &[&head, a.trim_end_matches("\r\n"), "\r\n", &b, &end],
        &[0, 0],
    );
    check_widths(
        &[&head, &format!("{a}{}", &b[..2]), &b[2..], &end],
        &[100, 0],
    );
    check_widths(&[&head, &a, &format!("{b}0\r\n\r\n")], &[0, 100]);
    // An event cut by a chunk's border.
    let (left, right) = A.split_at(20);
    check_widths(
        &[
            &head,
            &chunk(left),
            &format!("{}{}", chunk(right), &end[..1]),
        ],
        &[100],
    );
    // Without chunked framing.
    let plain = String::from_utf8(head_until_close()).expect("ASCII");
    check_widths(&[&plain, A, &format!("{B}{A}"), END], &[0, 100, 0]);
    check_widths(&[&plain, &format!("{A}:")], &[100]);
}

fn head_until_close() -> Vec<u8> {
    let mut bytes = head("200 OK", "text/event-stream");
    bytes.extend_from_slice(b"\r\n");
    bytes
}

#[test]
fn crlf_events_are_exact_and_complete_at_the_carriage_return() {
    let plain = String::from_utf8(head_until_close()).expect("ASCII");
    let crlf = A.replace('\n', "\r\n");
    check_widths(&[&plain, &crlf, END], &[0]);
    let (left, right) = crlf.split_at(crlf.len() - 1);
    check_widths(&[&plain, left, right, END], &[0]);
}

#[test]
fn reads_are_numbered_and_stamped() {
    let head = stream_head();
    let a = chunk(A);
    let (left, right) = a.split_at(30);
    let parts = [
        &head,
        left,
        right,
        &(chunk(B) + &chunk(A)),
        &chunk(END),
        "0\r\n\r\n",
    ];
    let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    let (result, record) = feed(STREAM, &parts);
    assert_eq!(result, ReadResult::Done { keep_alive: true });
    let reads: Vec<u32> = record.chunks.iter().map(|c| c.read).collect();
    assert_eq!(reads, [2, 3, 3]);
    assert_eq!(record.first_byte, Some(Offset(100)));
    assert_eq!(record.first_byte_seen, Some(Offset(101)));
    assert_eq!(record.chunks[0].at, Offset(300));
    assert_eq!(record.chunks[0].seen, Offset(301));
    assert_eq!(record.finished, Some(Offset(400)));
    assert_eq!(record.closed, Some(Offset(600)));
    assert_eq!(record.stamp_source, Some(StampSource::Kernel));
    assert_eq!(record.outcome, Outcome::Completed);
    assert_eq!(record.status, Some(200));
}

#[test]
fn one_read_with_the_programs_stamp_makes_the_row_the_programs() {
    let mut reader = ResponseReader::new(STREAM);
    reader.read(&head_until_close(), stamp(1));
    let program = ReadStamp {
        source: StampSource::Program,
        ..stamp(2)
    };
    reader.read(A.as_bytes(), program);
    reader.read(END.as_bytes(), stamp(3));
    assert_eq!(reader.chunks_so_far(), 1);
    assert_eq!(reader.first_token_at(), Some(Offset(200)));
    assert_eq!(reader.last_read_at(), Some(Offset(300)));
    assert_eq!(
        reader.closed_by_peer(stamp(4)),
        ReadResult::Done { keep_alive: false }
    );
    let mut record = empty_record();
    reader.fill(&mut record);
    assert_eq!(record.stamp_source, Some(StampSource::Program));
    // The close carries no byte: the last byte came with the read before.
    assert_eq!(record.closed, Some(Offset(300)));
}

#[test]
fn a_reader_is_as_good_as_new_after_a_reset() {
    let bytes = chunked_stream(format!("{A}{B}{END}").as_bytes());
    let mut reader = ResponseReader::new(STREAM);
    let mut first = None;
    for _ in 0..3 {
        assert_eq!(
            reader.read(&bytes, stamp(1)),
            ReadResult::Done { keep_alive: true }
        );
        let mut record = empty_record();
        reader.fill(&mut record);
        assert_eq!(first.get_or_insert_with(|| record.clone()), &record);
        reader.reset(STREAM);
    }
    // Left in the middle of everything.
    reader.read(&bytes[..bytes.len() / 2], stamp(1));
    reader.reset(STREAM);
    assert_eq!(
        reader.read(&bytes, stamp(1)),
        ReadResult::Done { keep_alive: true }
    );
}

#[test]
fn bytes_behind_the_response_forbid_reuse() {
    let mut bytes = chunked_stream(format!("{A}{END}").as_bytes());
    bytes.push(b'H');
    let (result, record) = feed(STREAM, &[&bytes]);
    assert_eq!(result, ReadResult::Done { keep_alive: false });
    assert_eq!(record.outcome, Outcome::Completed);
    bytes.pop();
    let mut reader = ResponseReader::new(STREAM);
    assert_eq!(
        reader.read(&bytes, stamp(1)),
        ReadResult::Done { keep_alive: true }
    );
    assert_eq!(
        reader.read(b"x", stamp(2)),
        ReadResult::Done { keep_alive: false }
    );
}

#[track_caller]
fn check_close(bytes: &str, expect: Result<(), Reason>) {
    let (result, record) = feed(STREAM, &[bytes.as_bytes()]);
    match (result, expect) {
        (ReadResult::Done { keep_alive: false }, Ok(())) => {}
        (ReadResult::Failed(error), Err(reason)) => {
            assert_eq!(error.reason, reason, "{}", error.text);
            assert_eq!(record.outcome, Outcome::Failed);
            assert_eq!(record.error, Some(error));
        }
        (result, _) => panic!("{result:?}"),
    }
}

#[test]
fn a_close_ends_what_it_may_and_breaks_the_rest() {
    let head = stream_head();
    check_close("", Err(Reason::Disconnected));
    check_close("HTTP/1.1 200 OK\r\n", Err(Reason::Disconnected));
    check_close(&head, Err(Reason::Truncated));
    check_close(&format!("{head}{}", chunk(A)), Err(Reason::Truncated));
    // Every token and the end mark came: only the framing's last bytes are missing.
    check_close(&format!("{head}{}{}", chunk(A), chunk(END)), Ok(()));
    let plain = String::from_utf8(head_until_close()).expect("ASCII");
    check_close(&format!("{plain}{A}{END}"), Ok(()));
    check_close(&format!("{plain}{A}"), Err(Reason::Truncated));
}

#[test]
fn a_row_cut_off_by_the_caller_keeps_its_facts() {
    let mut reader = ResponseReader::new(STREAM);
    reader.read(stream_head().as_bytes(), stamp(1));
    reader.read(chunk(A).as_bytes(), stamp(2));
    let mut record = empty_record();
    record.outcome = Outcome::TimedOut;
    reader.fill(&mut record);
    assert_eq!(record.outcome, Outcome::TimedOut);
    assert_eq!(record.closed, None);
    assert_eq!(record.chunks.len(), 1);
    assert_eq!(record.finished, Some(Offset(200)));
}

#[track_caller]
fn check_limit(limits: Limits, body: &str) {
    let mut reader = ResponseReader::with_limits(STREAM, limits);
    let bytes = response("200 OK", "text/event-stream", body.as_bytes());
    match reader.read(&bytes, stamp(1)) {
        ReadResult::Failed(error) => assert_eq!(error.reason, Reason::LimitExceeded),
        other => panic!("{other:?}"),
    }
}

#[test]
fn endless_answers_meet_limits() {
    let body = format!("{A}{B}{A}{END}");
    let default = Limits::DEFAULT;
    check_limit(
        Limits {
            chunks: 2,
            ..default
        },
        &body,
    );
    check_limit(
        Limits {
            body_bytes: 100,
            ..default
        },
        &body,
    );
    check_limit(
        Limits {
            event_bytes: 50,
            ..default
        },
        &body,
    );
}

#[test]
fn texts_are_kept_as_asked() {
    let two = format!("{A}{B}{END}");
    let settled = "data: {\"choices\":[],\"usage\":{\"completion_tokens\":2}}\n\n";
    let known = format!("{A}{B}{settled}{END}");
    for (keep_texts, body, kept) in [
        (KeepTexts::No, &two, false),
        (KeepTexts::UntilSettled, &two, true),
        (KeepTexts::UntilSettled, &known, false),
        (KeepTexts::Always, &known, true),
    ] {
        let expect = Expect {
            dialect: Dialect::of(Endpoint::Chat),
            keep_texts,
            ..STREAM
        };
        let (_, record) = feed(expect, &[&chunked_stream(body.as_bytes())]);
        assert_eq!(record.texts.is_some(), kept, "{keep_texts:?}");
    }
}
