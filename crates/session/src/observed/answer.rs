//! One side of a request that went through a proxy becomes a record, by the client's own decoders.
//!
//! It opens no socket and counts no tokens. Invariants: what a record says follows from the bytes and stamps alone, as
//! if the client had received them; an answer that cannot be read is none, and says why.

use super::question::Question;
use infermeter_client::response::{ReadResult, ReadStamp, ResponseReader};
use infermeter_core::clock::Offset;
use infermeter_core::record::MAX_ERROR_TEXT;
use infermeter_core::record::{Outcome, Reason, RequestError, RequestRecord, StampSource};
use infermeter_core::schedule::Phase;
use infermeter_core::text::inert;
use infermeter_proxy::{Outcome as Ended, Seen, Side, Stamp};

/// Headers of an answer that the decoders look at.
pub(crate) const ANSWER_HEADERS: [&str; 5] = [
    "content-type",
    "content-encoding",
    "location",
    "openai-processing-ms",
    "retry-after",
];

/// Why an answer is in no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Unread {
    /// Its bytes were not kept.
    NotKept,
    /// It is coded (gzip), as the user's client asked.
    Coded,
    /// It has several choices, which one record cannot hold.
    SeveralChoices,
}

impl Unread {
    /// In words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NotKept => "beyond the bytes that are kept",
            Self::Coded => "coded answers",
            Self::SeveralChoices => "answers with several choices",
        }
    }
}

/// Reads answers, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    reader: Option<ResponseReader>,
}

impl Answers {
    /// The record of one side, its texts with it.
    pub(crate) fn record(
        &mut self,
        seen: &Seen,
        side: &Side,
        question: &Question,
    ) -> Result<RequestRecord, Unread> {
        if !side.kept && side.body_len > 0 {
            return Err(Unread::NotKept);
        }
        let is_good = side.status == Some(200);
        if is_good && header(side, "content-encoding").is_some_and(|coding| coding != "identity") {
            return Err(Unread::Coded);
        }
        if is_good && question.choices > 1 {
            return Err(Unread::SeveralChoices);
        }
        let mut record = begun(seen, side, question);
        let expect = question.expect();
        let reader = self
            .reader
            .get_or_insert_with(|| ResponseReader::new(expect));
        reader.reset(expect);
        read(reader, side);
        reader.fill(&mut record);
        ended(&mut record, side);
        Ok(record)
    }
}

/// What is known before the answer.
fn begun(seen: &Seen, side: &Side, question: &Question) -> RequestRecord {
    let intended = seen.last_byte_in.unwrap_or(seen.first_byte_in);
    let asked = question.output_tokens.unwrap_or(0);
    let mut record = RequestRecord::unsent(seen.number, 0, Phase::Measure, intended, 0, asked);
    let was_sent = !matches!(side.outcome, Ended::RequestTooLarge);
    let start = send_start(side, intended);
    // What was opened during the upload took no time of what is counted from here.
    let is_counted = side.connected.is_none_or(|at| at >= start);
    record.send_start = was_sent.then_some(start);
    record.attempts = u8::from(was_sent);
    record.connected = side.connected.filter(|_| is_counted);
    record.tls_done = side.tls_done.filter(|_| is_counted);
    record.sent = side.sent_last;
    record.address = side.address.map(|_| 0);
    record.connection = side.connection;
    record.new_connection = side.connection.map(|_| side.new_connection);
    record.items = question.items();
    record
}

/// When the request was there to be sent: the primary's side begins with its head, and the user's upload is no time of
/// the server, nor in the shadow's. An answer that came before the upload's end is counted from the beginning.
fn send_start(side: &Side, whole: Offset) -> Offset {
    match side.head {
        Some(head) if head.at < whole => side.begun,
        _ => side.begun.max(whole),
    }
}

/// Hands the answer to the decoder as a response whose end is that of its connection: transfer codings are undone.
fn read(reader: &mut ResponseReader, side: &Side) {
    let (Some(status), Some(head)) = (side.status, side.head) else {
        return;
    };
    let mut bytes = format!("HTTP/1.1 {status} \r\n");
    for name in ANSWER_HEADERS {
        if let Some(value) = header(side, name) {
            let value = value.replace(['\r', '\n', '\0'], " ");
            bytes += &format!("{name}: {value}\r\n");
        }
    }
    bytes += "connection: close\r\n\r\n";
    reader.read(bytes.as_bytes(), stamp(head));
    for piece in &side.pieces {
        if !matches!(
            reader.read(&piece.bytes, stamp(piece.stamp)),
            ReadResult::NeedMore
        ) {
            break;
        }
    }
    if side.outcome == Ended::Complete {
        reader.closed_by_peer(ReadStamp {
            at: side.closed,
            seen: side.closed,
            lower: side.closed,
            source: StampSource::Program,
        });
    }
}

/// How it ended, where the answer's own bytes do not say so.
fn ended(record: &mut RequestRecord, side: &Side) {
    let (outcome, reason) = match side.outcome {
        // The decoder has said how.
        Ended::Complete => return,
        Ended::ClientGone => (Outcome::Cancelled, Reason::UserGone),
        Ended::ClientTooSlow => (Outcome::Cancelled, Reason::UserGone),
        Ended::RequestTooLarge => (Outcome::NotSent, Reason::LimitExceeded),
        Ended::ConnectFailed => (Outcome::Failed, Reason::ConnectFailed),
        Ended::ClosedBeforeAnswer if !side.new_connection => {
            (Outcome::Failed, Reason::StaleConnection)
        }
        Ended::ClosedBeforeAnswer | Ended::CutWithinAnswer => {
            (Outcome::Failed, Reason::Disconnected)
        }
        Ended::BadAnswer => (Outcome::Failed, Reason::HttpProtocol),
        Ended::UpstreamTooSlow if record.chunks.is_empty() => {
            (Outcome::TimedOut, Reason::FirstTokenTimeout)
        }
        Ended::UpstreamTooSlow => (Outcome::TimedOut, Reason::IdleTimeout),
        Ended::Drained => (Outcome::Cancelled, Reason::DrainEnded),
    };
    record.outcome = outcome;
    record.closed = Some(record.closed.map_or(side.closed, |at| at.max(side.closed)));
    record.error = Some(RequestError {
        reason,
        text: inert(side.problem.as_deref().unwrap_or(""), MAX_ERROR_TEXT),
    });
}

fn header<'a>(side: &'a Side, name: &str) -> Option<&'a str> {
    let found = side.headers.iter().find(|header| header.name == name);
    found.map(|header| header.value.trim())
}

fn stamp(of: Stamp) -> ReadStamp {
    ReadStamp {
        at: of.at,
        seen: of.seen,
        lower: of.lower,
        source: of.source,
    }
}

/// When the request had left the proxy: latencies of both sides are counted from here, so that the proxy's own work,
/// of which the primary's side has more, is in neither.
pub(crate) fn origin(side: &Side) -> Offset {
    side.sent_last.unwrap_or(side.begun)
}

#[cfg(test)]
mod tests;
