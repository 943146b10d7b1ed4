//! Feeding responses to a reader, and one-line summaries of what it learnt.

use infermeter_client::KeepTexts;
use infermeter_client::dialect::Dialect;
use infermeter_client::response::{Expect, ReadResult, ReadStamp, ResponseReader};
use infermeter_core::clock::Offset;
use infermeter_core::plan::Endpoint;
use infermeter_core::record::{ChunkTexts, RequestRecord, StampSource, TokenSource};
use infermeter_core::schedule::Phase;

pub const STREAM: Expect = Expect {
    dialect: Dialect::of(Endpoint::Chat),
    streaming: true,
    keep_texts: KeepTexts::Always,
    output_tokens: 8,
    numbers: infermeter_client::response::Numbers::NONE,
};

/// Stamps of read `n`, counted from 1: at 100 n, seen one later, not before the read before it.
pub fn stamp(n: i64) -> ReadStamp {
    ReadStamp {
        at: Offset(100 * n),
        seen: Offset(100 * n + 1),
        lower: Offset(100 * (n - 1)),
        source: StampSource::Kernel,
    }
}

pub fn empty_record() -> RequestRecord {
    RequestRecord::unsent(7, 0, Phase::Measure, Offset::ZERO, 10, 8)
}

/// Feeds one read per part, then a close where the response has not ended.
pub fn feed(expect: Expect, parts: &[&[u8]]) -> (ReadResult, RequestRecord) {
    let mut reader = ResponseReader::new(expect);
    let mut result = ReadResult::NeedMore;
    let mut n = 0;
    for part in parts.iter().filter(|part| !part.is_empty()) {
        n += 1;
        if result == ReadResult::NeedMore {
            result = reader.read(part, stamp(n));
        }
    }
    if result == ReadResult::NeedMore {
        result = reader.closed_by_peer(stamp(n + 1));
    }
    let mut record = empty_record();
    reader.fill(&mut record);
    (result, record)
}

pub fn head(status: &str, content_type: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n").into_bytes()
}

/// A response with a length-delimited body.
pub fn response(status: &str, content_type: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = head(status, content_type);
    bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A good event stream, one HTTP chunk for every 40 bytes.
pub fn chunked_stream(body: &[u8]) -> Vec<u8> {
    let mut bytes = head("200 OK", "text/event-stream; charset=utf-8");
    bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
    for piece in body.chunks(40) {
        bytes.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// One line for the row and one per chunk.
pub fn summary(record: &RequestRecord) -> String {
    let count = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
    let mut out = record.outcome.as_str().to_owned();
    if let Some(error) = &record.error {
        out.push_str(&format!(" {} ({})", error.reason.as_str(), error.text));
    }
    if let Some(reason) = &record.finish_reason {
        out.push_str(&format!(" finish={reason}"));
    }
    for (name, n) in [
        ("prompt", record.prompt_tokens),
        ("output", record.output_tokens),
        ("cached", record.cached_tokens),
        ("reasoning", record.reasoning_tokens),
    ] {
        if n.is_some() {
            out.push_str(&format!(" {name}={}", count(n)));
        }
    }
    if let Some(source) = record.token_source {
        out.push_str(&format!(" tokens={}", source.as_str()));
    }
    if let Some(text) = record.oddities.text() {
        out.push_str(&format!(" {text}"));
    }
    if let Some(names) = &record.unknown_members {
        out.push_str(&format!(" unknown={names}"));
    }
    let none = ChunkTexts::default();
    let texts = record.texts.as_ref().unwrap_or(&none);
    for (i, chunk) in record.chunks.iter().enumerate() {
        let kind = chunk.kind.as_str();
        let text = texts.get(i);
        out.push_str(&format!("\n{kind} {} {text:?}", count(chunk.token_count())));
    }
    out
}

/// What must not depend on how reads split the bytes.
pub fn facts(record: &RequestRecord) -> (String, Option<TokenSource>, Option<ChunkTexts>) {
    (summary(record), record.token_source, record.texts.clone())
}
