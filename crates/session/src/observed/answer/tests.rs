//! Answers as a proxy sees them, and the records that they become.

use super::super::fixture::{MS, end, event, header, seen, side};
use super::*;

const BODY: &str =
    r#"{"model":"m","stream":true,"max_tokens":8,"messages":[{"role":"user","content":"Hi"}]}"#;

fn record(side: Side) -> Result<RequestRecord, Unread> {
    let seen = seen(7, 100, BODY, side);
    let question = Question::of(&seen).expect("a question");
    Answers::default().record(&seen, &seen.primary, &question)
}

#[test]
fn a_stream_becomes_chunks_usage_and_an_end() {
    let pieces = [event("one"), event(" two"), end(5, 2)];
    let record = record(side(101, &pieces)).expect("a record");
    assert_eq!((record.id, record.outcome), (7, Outcome::Completed));
    assert_eq!(record.send_start, Some(Offset(101 * MS)));
    let chunks: Vec<i64> = record.chunks.iter().map(|chunk| chunk.at.0 / MS).collect();
    assert_eq!(chunks, [121, 131]);
    assert_eq!(
        (record.prompt_tokens, record.output_tokens),
        (Some(5), Some(2))
    );
    assert_eq!(record.finish_reason.as_deref(), Some("stop"));
    assert_eq!(record.requested_output_tokens, 8);
    assert_eq!(record.stamp_source, Some(StampSource::Kernel));
    assert_eq!(record.texts.expect("texts").bytes, b"one two");
}

#[test]
fn an_upload_is_no_time_of_the_server() {
    let begun_at = |upload_ends: i64, connected: Option<i64>| {
        let mut side = side(101, &[event("one"), end(5, 1)]);
        side.new_connection = connected.is_some();
        side.connected = connected.map(|ms| Offset(ms * MS));
        side.tls_done = side.connected;
        let mut seen = seen(7, 100, BODY, side);
        seen.last_byte_in = Some(Offset(upload_ends * MS));
        let question = Question::of(&seen).expect("a question");
        let record = Answers::default().record(&seen, &seen.primary, &question);
        let record = record.expect("a record");
        assert_eq!(record.connected, record.tls_done);
        let ms = |at: Option<Offset>| at.map(|at| at.0 / MS);
        (ms(record.send_start), ms(record.connected))
    };
    assert_eq!(begun_at(100, Some(102)), (Some(101), Some(102)));
    // The head began at 101, its body was whole at 110, the answer came at 116.
    assert_eq!(begun_at(110, Some(102)), (Some(110), None));
    assert_eq!(begun_at(110, Some(112)), (Some(110), Some(112)));
    assert_eq!(begun_at(110, None), (Some(110), None));
    // It did not wait for the body.
    assert_eq!(begun_at(130, None), (Some(101), None));
}

#[test]
fn the_way_it_ended_is_the_way_of_its_side() {
    let cut = |outcome: Ended| {
        let mut side = side(101, &[event("one")]);
        side.outcome = outcome;
        side.problem = Some("what went wrong".to_owned());
        let record = record(side).expect("a record");
        (record.outcome, record.error.expect("an error").reason)
    };
    assert_eq!(
        cut(Ended::CutWithinAnswer),
        (Outcome::Failed, Reason::Disconnected)
    );
    assert_eq!(
        cut(Ended::ClientGone),
        (Outcome::Cancelled, Reason::UserGone)
    );
    assert_eq!(
        cut(Ended::UpstreamTooSlow),
        (Outcome::TimedOut, Reason::IdleTimeout)
    );
    let mut refused = side(101, &["{\"error\":{\"message\":\"no\"}}".to_owned()]);
    refused.status = Some(503);
    refused.headers = vec![header("content-type", "application/json")];
    let record = record(refused).expect("a record");
    let error = record.error.expect("an error");
    assert_eq!(
        (record.status, error.reason),
        (Some(503), Reason::HttpStatus)
    );
}

#[test]
fn what_cannot_be_read_is_no_failure() {
    let mut coded = side(101, &[event("one")]);
    coded.headers.push(header("content-encoding", "gzip"));
    assert_eq!(record(coded), Err(Unread::Coded));
    let mut long = side(101, &[event("one")]);
    long.pieces.clear();
    long.kept = false;
    assert_eq!(record(long), Err(Unread::NotKept));
    let body = BODY.replace("\"stream\"", "\"n\":2,\"stream\"");
    let seen = seen(7, 100, &body, side(101, &[event("one"), end(5, 1)]));
    let question = Question::of(&seen).expect("a question");
    let found = Answers::default().record(&seen, &seen.primary, &question);
    assert_eq!(found, Err(Unread::SeveralChoices));
}

#[test]
fn an_answer_in_one_piece_has_no_first_token() {
    let text = r#"{"id":"1","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"one two"},"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}"#;
    let mut whole = side(101, &[text.to_owned()]);
    whole.headers = vec![header("content-type", "application/json")];
    let body = BODY.replace("true", "false");
    let seen = seen(7, 100, &body, whole);
    let question = Question::of(&seen).expect("a question");
    let record = Answers::default()
        .record(&seen, &seen.primary, &question)
        .expect("a record");
    assert_eq!(
        (record.outcome, record.output_tokens),
        (Outcome::Completed, Some(2))
    );
}
