//! Traffic that GoReplay wrote (`.gor`): raw requests of HTTP and their answers, in the order they passed.
//!
//! Form as documented: a line `KIND ID TIME [LATENCY]`, the bytes as they passed, and a line of three monkeys.
//! Invariant: a request becomes one call, with the answer's counts where its answer follows within
//! [`MOST_OPEN`] requests and [`MOST_OPEN_BYTES`].

use super::batch::Body;
use super::call::{Any, Call, Said, between, instant};
use super::left_out::{Place, Reason};
use super::litellm::Usage;
use super::records::{MAX_RECORD, Record};
use super::sink::Sink;
use std::borrow::Cow;
use std::collections::VecDeque;

/// What divides payloads: a line of its own.
const DIVIDER: &[u8] = "\u{1f435}\u{1f648}\u{1f649}".as_bytes();
/// Most requests that wait for their answers.
const MOST_OPEN: usize = 4_096;
/// Most bytes of what they say: one may be as long as a record.
const MOST_OPEN_BYTES: usize = MAX_RECORD;

/// A request whose answer has not passed.
#[derive(Debug)]
struct Open {
    id: String,
    at_ns: i64,
    place: Place,
    model: Option<String>,
    said: Option<Owned>,
}

#[derive(Debug)]
enum Owned {
    Messages(String),
    Text(String),
}

/// The payload being read, and requests that wait.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    place: Place,
    bytes: Vec<u8>,
    long: bool,
    open: VecDeque<Open>,
    open_bytes: usize,
}

/// The first line of a payload.
struct Head<'a> {
    kind: &'a str,
    id: &'a str,
    at_ns: i64,
}

/// It begins as a file of payloads.
pub(super) fn begins(line: &[u8]) -> bool {
    head(line).is_some_and(|head| head.id.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn head(line: &[u8]) -> Option<Head<'_>> {
    let mut parts = std::str::from_utf8(line).ok()?.split(' ');
    let (kind, id, at) = (parts.next()?, parts.next()?, parts.next()?);
    let at_ns = instant(at.parse().ok()).ok()??;
    matches!(kind, "1" | "2" | "3").then_some(Head { kind, id, at_ns })
}

impl Payloads {
    /// Takes a line.
    pub fn read(&mut self, record: &Record<'_>, sink: &mut Sink<'_>) -> Result<(), Reason> {
        if record.bytes == DIVIDER {
            return self.ended(sink);
        }
        if self.bytes.is_empty() {
            self.place = record.place;
        }
        self.long |= self.bytes.len() + record.bytes.len() > MAX_RECORD;
        if !self.long {
            self.bytes.extend_from_slice(record.bytes);
            self.bytes.push(b'\n');
        }
        Ok(())
    }

    /// The file has ended: what is open has no answer in it.
    pub fn finish(&mut self, sink: &mut Sink<'_>) {
        if !self.bytes.is_empty() {
            sink.records += 1;
            sink.leave(Reason::CutOff, self.place);
            self.bytes.clear();
        }
        while let Some(open) = self.take_open(0) {
            open.call(None, None, sink);
        }
    }

    fn ended(&mut self, sink: &mut Sink<'_>) -> Result<(), Reason> {
        let bytes = std::mem::take(&mut self.bytes);
        sink.records += 1;
        if std::mem::take(&mut self.long) {
            return Err(Reason::TooLong);
        }
        let end = bytes
            .iter()
            .position(|byte| *byte == b'\n')
            .ok_or(Reason::Broken)?;
        let head = head(&bytes[..end]).ok_or(Reason::Broken)?;
        let payload = &bytes[end + 1..];
        match head.kind {
            "1" => {
                let open = self.request(&head, payload)?;
                self.wait(open);
                while let Some(open) = self.passed_by() {
                    open.call(None, None, sink);
                }
                Ok(())
            }
            "2" => {
                let known = self.open.iter().position(|open| open.id == head.id);
                let open = known
                    .and_then(|at| self.take_open(at))
                    .ok_or(Reason::Unpaired)?;
                if !payload
                    .split(|byte| *byte == b' ')
                    .nth(1)
                    .is_some_and(|s| s.starts_with(b"2"))
                {
                    return Err(Reason::Failed);
                }
                open.call(Some(head.at_ns), usage(payload), sink);
                Ok(())
            }
            // An answer of the server that the traffic was replayed to.
            _ => Err(Reason::NoCall),
        }
    }

    /// Has a request wait for its answer.
    fn wait(&mut self, open: Open) {
        self.open_bytes += open.bytes();
        self.open.push_back(open);
    }

    /// The first of more requests than wait.
    fn passed_by(&mut self) -> Option<Open> {
        let beyond = self.open.len() > MOST_OPEN || self.open_bytes > MOST_OPEN_BYTES;
        beyond.then(|| self.take_open(0))?
    }

    /// Takes a request out of those that wait.
    fn take_open(&mut self, at: usize) -> Option<Open> {
        let open = self.open.remove(at)?;
        self.open_bytes -= open.bytes();
        Some(open)
    }

    fn request(&self, head: &Head<'_>, payload: &[u8]) -> Result<Open, Reason> {
        if !payload.starts_with(b"POST ") {
            return Err(Reason::NoCall);
        }
        let body = payload
            .iter()
            .position(|byte| *byte == b'{')
            .ok_or(Reason::NoCall)?;
        // What follows the object is the line break of the payload's end.
        let mut objects =
            serde_json::Deserializer::from_slice(&payload[body..]).into_iter::<Body<'_>>();
        let body = objects.next().and_then(Result::ok).ok_or(Reason::NoCall)?;
        let said = match body.said()? {
            Said::Messages(json) => Owned::Messages(json.into_owned()),
            Said::Text(text) => Owned::Text(text.into_owned()),
        };
        Ok(Open {
            id: head.id.to_owned(),
            at_ns: head.at_ns,
            place: self.place,
            model: body.model.and_then(Any::text).map(Cow::into_owned),
            said: Some(said),
        })
    }
}

impl Open {
    /// Bytes of what it says.
    fn bytes(&self) -> usize {
        match &self.said {
            Some(Owned::Messages(text) | Owned::Text(text)) => text.len(),
            None => 0,
        }
    }

    fn call(self, end_ns: Option<i64>, usage: Option<Usage<'_>>, sink: &mut Sink<'_>) {
        // What cannot be is absent: the request is a call all the same.
        let usage = usage.as_ref();
        let said = self.said.map(|said| match said {
            Owned::Messages(json) => Said::Messages(json.into()),
            Owned::Text(text) => Said::Text(text.into()),
        });
        sink.call(
            Call {
                at_ns: Some(self.at_ns),
                duration_ns: between(Some(self.at_ns), end_ns),
                input_tokens: usage.and_then(|usage| usage.input().ok().flatten()),
                output_tokens: usage.and_then(|usage| usage.output().ok().flatten()),
                cached_tokens: usage.and_then(|usage| usage.cached().ok().flatten()),
                class: self.model.map(Cow::Owned),
                said,
                ..Call::default()
            },
            self.place,
        );
    }
}

/// The last object of usage in an answer, a stream or not.
fn usage(payload: &[u8]) -> Option<Usage<'_>> {
    let name = b"\"usage\"";
    let at = payload
        .windows(name.len())
        .rposition(|window| window == name)?;
    let rest = &payload[at + name.len()..];
    let open = rest
        .iter()
        .position(|byte| *byte == b'{')
        .filter(|open| *open < 8)?;
    let mut objects = serde_json::Deserializer::from_slice(&rest[open..]).into_iter();
    objects.next()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_requests_wait_within_a_limit() {
        let mut payloads = Payloads::default();
        let mut wait = |id: &str, bytes: usize| {
            payloads.wait(Open {
                id: id.to_owned(),
                at_ns: 0,
                place: Place::default(),
                model: None,
                said: Some(Owned::Text("x".repeat(bytes))),
            });
            payloads.passed_by().map(|open| open.id)
        };
        assert_eq!(wait("a", MOST_OPEN_BYTES / 2), None);
        assert_eq!(wait("b", MOST_OPEN_BYTES / 2), None);
        assert_eq!(wait("c", 1).as_deref(), Some("a"));
        assert_eq!(wait("d", MOST_OPEN_BYTES / 4), None);
        assert_eq!(
            payloads.take_open(0).map(|open| open.id).as_deref(),
            Some("b")
        );
        assert_eq!(payloads.open_bytes, 1 + MOST_OPEN_BYTES / 4);
    }
}
