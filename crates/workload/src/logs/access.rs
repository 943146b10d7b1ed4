//! Access logs of Envoy and nginx in JSON: when requests to a model came, and nothing else of them.
//!
//! Names of the two servers' own variables. Invariant: paths that lead to no model are counted apart.

use super::call::{Any, Call, duration_of, instant, instant_of, tokens};
use super::left_out::{Place, Reason};
use super::sink::Sink;
use serde::Deserialize;

/// Parts of paths that ask a model for text.
const ASKS: [&str; 6] = [
    "/completions",
    "/messages",
    "/responses",
    "/generate",
    ":generateContent",
    "/invocations",
];

#[derive(Deserialize)]
struct Line<'a> {
    // Envoy.
    #[serde(borrow)]
    start_time: Option<Any<'a>>,
    #[serde(borrow, alias = ":path")]
    path: Option<Any<'a>>,
    #[serde(borrow)]
    response_code: Option<Any<'a>>,
    #[serde(borrow)]
    duration: Option<Any<'a>>,
    // nginx, which writes the time at which a request ended.
    #[serde(borrow)]
    msec: Option<Any<'a>>,
    #[serde(borrow)]
    time_iso8601: Option<Any<'a>>,
    #[serde(borrow)]
    time: Option<Any<'a>>,
    #[serde(borrow)]
    status: Option<Any<'a>>,
    #[serde(borrow)]
    request: Option<Any<'a>>,
    #[serde(borrow)]
    request_uri: Option<Any<'a>>,
    #[serde(borrow)]
    uri: Option<Any<'a>>,
    #[serde(borrow)]
    request_time: Option<Any<'a>>,
}

/// Reads a request.
pub(super) fn read(bytes: &[u8], place: Place, sink: &mut Sink<'_>) -> Result<(), Reason> {
    let line: Line<'_> = serde_json::from_slice(bytes).map_err(|_| Reason::Broken)?;
    let path = line.path.or(line.request_uri).or(line.uri).or(line.request);
    let path = path.and_then(Any::text);
    if path.is_some_and(|path| !ASKS.iter().any(|asks| path.contains(asks))) {
        return Err(Reason::NoCall);
    }
    let status = tokens(line.response_code.or(line.status))?;
    if status.is_some_and(|status| !(200..300).contains(&status)) {
        return Err(Reason::Failed);
    }
    let (at_ns, duration_ns) = match line.start_time {
        Some(start) => (
            instant_of(Some(start), 1_000_000_000)?,
            duration_of(line.duration, 1_000_000),
        ),
        None => {
            let length = duration_of(line.request_time, 1_000_000_000);
            let end = instant_of(line.msec.or(line.time_iso8601).or(line.time), 1_000_000_000)?;
            (instant(end.map(|end| end - length.unwrap_or(0)))?, length)
        }
    };
    at_ns.ok_or(Reason::NoTime)?;
    sink.call(
        Call {
            at_ns,
            duration_ns,
            ..Call::default()
        },
        place,
    );
    Ok(())
}
