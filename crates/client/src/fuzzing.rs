//! Entry points of the fuzz targets, also run over their seeds as ordinary tests: each decodes
//! the same bytes whole and in pieces and asserts that nothing differs, and compares the fast
//! ways with the plain ones.
//!
//! They are for tests alone: they panic where a property is broken.

use crate::answer::{Answer, EventStamp, KeepTexts, Room};
use crate::dialect::Dialect;
use crate::http::{Head, HttpError, HttpEvent, ResponseDecoder};
use crate::json::pieces::Pieces;
use crate::json::{Cursor, append_decoded};
use crate::limits::{Limits, MAX_JSON_DEPTH};
use crate::response::{Expect, Numbers, ReadResult, ReadStamp, ResponseReader};
use crate::sse::{SseDecoder, SseError, Tail};
use infermeter_core::clock::Offset;
use infermeter_core::plan::Endpoint;
use infermeter_core::record::{RequestRecord, StampSource};
use infermeter_core::schedule::Phase;

/// Sizes of the pieces that inputs are cut into; the first is never reached.
const PIECES: [usize; 5] = [usize::MAX, 1, 2, 7, 61];

/// Limits small enough to be met by fuzzed inputs.
const SMALL: Limits = Limits {
    head_bytes: 512,
    body_bytes: 2048,
    event_bytes: 64,
    ..Limits::DEFAULT
};

#[derive(Debug, PartialEq)]
struct HttpTrace {
    head: Head,
    body: Vec<u8>,
    keep_alive: bool,
}

/// HTTP responses: the same head, body, end and error however reads split the bytes.
pub fn http(data: &[u8]) {
    let whole = http_trace(data, usize::MAX);
    for piece in PIECES {
        assert_eq!(http_trace(data, piece), whole, "in pieces of {piece}");
    }
}

fn http_trace(data: &[u8], piece: usize) -> Result<HttpTrace, HttpError> {
    let mut decoder = ResponseDecoder::new(&SMALL);
    let mut body = Vec::new();
    for mut input in data.chunks(piece) {
        while let Some(event) = decoder.next(&mut input)? {
            if let HttpEvent::Body(bytes) = event {
                assert!(!bytes.is_empty());
                body.extend_from_slice(bytes);
            }
        }
        assert!(input.is_empty() || decoder.ended(), "input is left over");
    }
    let keep_alive = decoder.keep_alive();
    decoder.eof()?;
    Ok(HttpTrace {
        head: decoder.head().clone(),
        body,
        keep_alive,
    })
}

type Events = Vec<(Vec<u8>, Vec<u8>)>;

/// Event streams: the same events, tail and error however reads split the bytes.
pub fn sse(data: &[u8]) {
    let whole = sse_trace(data, usize::MAX);
    for piece in PIECES {
        assert_eq!(sse_trace(data, piece), whole, "in pieces of {piece}");
    }
}

fn sse_trace(data: &[u8], piece: usize) -> (Events, Result<Option<Vec<u8>>, SseError>) {
    let mut decoder = SseDecoder::new(SMALL.event_bytes);
    let mut events = Vec::new();
    for mut input in data.chunks(piece) {
        loop {
            match decoder.next(&mut input) {
                Ok(Some(event)) => events.push((event.name.to_vec(), event.data.to_vec())),
                Ok(None) => break,
                Err(error) => return (events, Err(error)),
            }
        }
        assert!(input.is_empty());
    }
    let tail = match decoder.tail() {
        Tail::Nothing => None,
        Tail::Incomplete(data) => Some(data.to_vec()),
    };
    (events, Ok(tail))
}

/// The API whose answer an input may be: what is altered of a seed stays with its API.
fn dialect_of(data: &[u8]) -> Dialect {
    let has = |part: &[u8]| memchr::memmem::find(data, part).is_some();
    Dialect::of(match () {
        () if has(b"\"response.") => Endpoint::Responses,
        () if has(b"message_start") || has(b"content_block") => Endpoint::Messages,
        () => Endpoint::Chat,
    })
}

/// Whole answers: the same record however reads split the bytes, and the same chunks with and
/// without the comparison of events with their predecessor.
pub fn answer(data: &[u8]) {
    let whole = answer_trace(data, usize::MAX);
    for piece in PIECES {
        let (result, record) = answer_trace(data, piece);
        check_record(&record);
        assert_eq!(result, whole.0, "in pieces of {piece}");
        assert_eq!(without_stamps(record), without_stamps(whole.1.clone()));
    }
    assert_eq!(
        event_trace(data, true),
        event_trace(data, false),
        "fast and slow way"
    );
}

/// Whether the walk in pieces takes a document.
fn in_pieces(data: &[u8], piece: usize) -> bool {
    let mut pieces = Pieces::default();
    pieces.reset();
    let taken = data
        .chunks(piece)
        .try_for_each(|bytes| pieces.take(bytes, &mut |_| {}));
    taken.and_then(|()| pieces.end(&mut |_| {})).is_ok()
}

fn answer_trace(data: &[u8], piece: usize) -> (ReadResult, RequestRecord) {
    let expect = Expect {
        dialect: dialect_of(data),
        streaming: true,
        keep_texts: KeepTexts::Always,
        output_tokens: 4,
        numbers: Numbers::NONE,
    };
    trace_of(expect, "text/event-stream", data, piece)
}

fn trace_of(
    expect: Expect,
    content_type: &str,
    data: &[u8],
    piece: usize,
) -> (ReadResult, RequestRecord) {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\n\r\n");
    let mut reader = ResponseReader::new(expect);
    let mut now = 0;
    let mut stamp = || {
        now += 10;
        ReadStamp {
            at: Offset(now),
            seen: Offset(now + 1),
            lower: Offset(now - 10),
            source: StampSource::Kernel,
        }
    };
    let mut result = reader.read(head.as_bytes(), stamp());
    for bytes in data.chunks(piece) {
        if result == ReadResult::NeedMore {
            result = reader.read(bytes, stamp());
        }
    }
    if result == ReadResult::NeedMore {
        result = reader.closed_by_peer(stamp());
    }
    let mut record = RequestRecord::unsent(0, 0, Phase::Measure, Offset::ZERO, 0, 0);
    reader.fill(&mut record);
    (result, record)
}

fn check_record(record: &RequestRecord) {
    let texts = record.texts.as_ref().expect("texts were asked for");
    assert_eq!(texts.ends.len(), record.chunks.len());
    assert!(texts.ends.is_sorted());
    assert!(std::str::from_utf8(&texts.bytes).is_ok());
    assert!(record.chunks.is_sorted_by_key(|chunk| chunk.read));
    assert!(
        record
            .chunks
            .iter()
            .all(|c| c.lower <= c.at && c.at <= c.seen)
    );
    let known = record.chunks.iter().filter(|c| c.token_count().is_some());
    let known = known.count();
    assert!(known == 0 || known == record.chunks.len());
    assert_eq!(record.token_source.is_none(), record.chunks.is_empty());
}

fn without_stamps(mut record: RequestRecord) -> RequestRecord {
    for chunk in &mut record.chunks {
        (chunk.at, chunk.seen, chunk.lower, chunk.read) =
            (Offset::ZERO, Offset::ZERO, Offset::ZERO, 0);
    }
    (record.finished, record.closed) = (None, None);
    record
}

fn event_trace(data: &[u8], fast: bool) -> RequestRecord {
    let mut decoder = SseDecoder::new(Limits::DEFAULT.event_bytes);
    let mut answer = Answer::default();
    let room = Room {
        chunks_ahead: 4,
        most_chunks: 1000,
        most_text: usize::MAX,
    };
    answer.reset(dialect_of(data), KeepTexts::Always, room);
    let stamp = EventStamp {
        at: Offset::ZERO,
        seen: Offset::ZERO,
        lower: Offset::ZERO,
        read: 0,
    };
    let mut input = data;
    while let Ok(Some(event)) = decoder.next(&mut input) {
        if !fast {
            answer.forget_template();
        }
        if answer.event(event, stamp).is_err() {
            break;
        }
    }
    let mut record = RequestRecord::unsent(0, 0, Phase::Measure, Offset::ZERO, 0, 0);
    answer.fill(&mut record);
    record
}

/// Lists of numbers: the same record and error however reads split the bytes.
pub fn list(data: &[u8]) {
    let numbers = Numbers {
        items: 2,
        results: 2,
        base64: false,
    };
    for (endpoint, base64) in [
        (Endpoint::Embeddings, false),
        (Endpoint::Embeddings, true),
        (Endpoint::Rerank, false),
    ] {
        let expect = Expect {
            dialect: Dialect::of(endpoint),
            streaming: false,
            keep_texts: KeepTexts::No,
            output_tokens: 0,
            numbers: Numbers { base64, ..numbers },
        };
        let whole = trace_of(expect, "application/json", data, usize::MAX);
        for piece in PIECES {
            let (result, record) = trace_of(expect, "application/json", data, piece);
            assert_eq!(result, whole.0, "in pieces of {piece}");
            assert_eq!(without_stamps(record), without_stamps(whole.1.clone()));
        }
    }
}

/// JSON: the walker accepts what serde_json accepts, and decodes strings as it does.
pub fn json(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    let walked = cursor.skip().and_then(|()| cursor.end());
    for piece in PIECES {
        assert_eq!(
            in_pieces(data, piece),
            walked.is_ok(),
            "in pieces of {piece}"
        );
    }
    let parsed = serde_json::from_slice::<serde_json::Value>(data);
    match (walked, &parsed) {
        (Ok(()), Ok(_)) | (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) => {
            let brackets = data.iter().filter(|b| matches!(b, b'[' | b'{')).count();
            assert!(brackets > usize::from(MAX_JSON_DEPTH), "refused: {error}");
        }
        (Ok(()), Err(error)) => {
            // Text that is not Unicode and numbers beyond f64 are no concern of the walker, and it goes
            // deeper.
            let text = error.to_string();
            let known = [
                "surrogate",
                "hex escape",
                "code point",
                "number out of range",
                "recursion limit",
            ];
            assert!(known.iter().any(|k| text.contains(k)), "accepted: {text}");
        }
    }
    if let Ok(serde_json::Value::String(expected)) = parsed {
        let mut cursor = Cursor::new(data);
        let text = cursor.string().expect("a string");
        let mut decoded = Vec::new();
        append_decoded(text.span.of(data), text.escaped, &mut decoded);
        assert_eq!(decoded, expected.as_bytes());
    }
}
