//! Exchanges made by hand, for tests.

use infermeter_core::clock::Offset;
use infermeter_core::record::StampSource;
use infermeter_proxy::{Body, Header, Held, Outcome, Piece, Seen, Side, Stamp};

pub(super) const MS: i64 = 1_000_000;

pub(super) fn stamp(ms: i64) -> Stamp {
    Stamp {
        at: Offset(ms * MS),
        seen: Offset(ms * MS + 1_000),
        lower: Offset(ms * MS),
        source: StampSource::Kernel,
    }
}

pub(super) fn header(name: &str, value: &str) -> Header {
    Header {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

/// An event with a word.
pub(super) fn event(word: &str) -> String {
    format!(
        "data: {{\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{word}\"}}}}]}}\n\n"
    )
}

/// The end of a stream, with usage.
pub(super) fn end(prompt: u32, tokens: u32) -> String {
    format!(
        "data: {{\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n\
         data: {{\"id\":\"1\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{tokens},\"total_tokens\":{}}}}}\n\n\
         data: [DONE]\n\n",
        prompt + tokens
    )
}

/// A side that begins at `begun` and streams these pieces, each 10 ms after the one before.
pub(super) fn side(begun_ms: i64, pieces: &[String]) -> Side {
    let at = |number: usize| begun_ms + 20 + 10 * number as i64;
    let piece = |(number, text): (usize, &String)| Piece {
        stamp: stamp(at(number)),
        written: None,
        bytes: text.clone().into_bytes().into(),
    };
    Side {
        address: Some(([127, 0, 0, 1], 8000).into()),
        connection: Some(0),
        new_connection: false,
        begun: Offset(begun_ms * MS),
        connected: None,
        tls_done: None,
        sent_first: Some(Offset(begun_ms * MS + 1)),
        sent_last: Some(Offset(begun_ms * MS + 2)),
        head: Some(stamp(begun_ms + 15)),
        status: Some(200),
        headers: vec![header("content-type", "text/event-stream")],
        pieces: pieces.iter().enumerate().map(piece).collect(),
        kept: true,
        held: Held::default(),
        body_len: pieces.iter().map(|text| text.len() as u64).sum(),
        closed: Offset(at(pieces.len().saturating_sub(1)) * MS),
        outcome: Outcome::Complete,
        problem: None,
    }
}

/// A chat request at `at_ms` and its answer.
pub(super) fn seen(number: u64, at_ms: i64, body: &str, primary: Side) -> Seen {
    Seen {
        number,
        first_byte_in: Offset(at_ms * MS),
        last_byte_in: Some(Offset(at_ms * MS)),
        stamp_source: StampSource::Kernel,
        method: "POST".to_owned(),
        path: "/v1/chat/completions".to_owned(),
        headers: Vec::new(),
        body: Body {
            len: body.len() as u64,
            bytes: Some(body.to_owned().into_bytes().into()),
            held: Held::default(),
        },
        primary,
        shadow: None,
        withheld: None,
    }
}
