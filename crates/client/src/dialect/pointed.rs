//! An API of another form, whose requests a body template writes: where text, usage and the end stand in
//! its answers is said by JSON pointers (RFC 6901).
//!
//! It knows no API, and reads nothing but what the pointers lead to. Invariant: a pointer is checked when it
//! is read; a walk along it allocates nothing.

use super::Wire;
use crate::answer::facts::{Choice, EventFacts, Usage};
use crate::features::Features;
use crate::json::{Cursor, JsonError, Span, Text};
use infermeter_core::plan::Endpoint;
use infermeter_core::request::RequestContent;
use infermeter_core::text::inert;

/// Most steps of a pointer.
const MAX_STEPS: usize = 32;

/// Why a text is no pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It does not begin with a slash.
    #[error(
        "`{0}` does not begin with a slash: a JSON pointer names members from the outside in, as in \
         /message/content or /choices/0/text"
    )]
    NoSlash(String),
    /// An escape that is none.
    #[error("`{0}` has a `~` that is neither ~0 (a tilde) nor ~1 (a slash)")]
    Escape(String),
    /// It goes too deep.
    #[error("`{0}` has more than {MAX_STEPS} steps")]
    TooDeep(String),
}

/// A place in a JSON document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(Vec<Vec<u8>>);

impl std::str::FromStr for Pointer {
    type Err = PointerError;

    fn from_str(text: &str) -> Result<Self, PointerError> {
        let shown = || inert(text, 100);
        let Some(steps) = text.strip_prefix('/') else {
            return Err(PointerError::NoSlash(shown()));
        };
        let steps: Vec<&str> = steps.split('/').collect();
        if steps.len() > MAX_STEPS {
            return Err(PointerError::TooDeep(shown()));
        }
        let escapes = |step: &str| {
            step.split('~')
                .skip(1)
                .all(|rest| rest.starts_with(['0', '1']))
        };
        if !steps.iter().all(|step| escapes(step)) {
            return Err(PointerError::Escape(shown()));
        }
        let name = |step: &&str| step.replace("~1", "/").replace("~0", "~").into_bytes();
        Ok(Self(steps.iter().map(name).collect()))
    }
}

impl Pointer {
    /// The value it leads to, if there is one.
    fn find(&self, document: &[u8]) -> Result<Option<Span>, JsonError> {
        let mut cursor = Cursor::new(document);
        let mut found = None;
        descend(&mut cursor, &self.0, &mut found)?;
        cursor.end()?;
        Ok(found)
    }
}

/// Walks one value; what the steps lead to is noted.
fn descend(
    cursor: &mut Cursor<'_>,
    steps: &[Vec<u8>],
    found: &mut Option<Span>,
) -> Result<(), JsonError> {
    let Some((step, rest)) = steps.split_first() else {
        *found = Some(cursor.skip_span()?);
        return Ok(());
    };
    match cursor.peek() {
        Some(b'{') => cursor.object(|cursor, key| match cursor.key(key) == step.as_slice() {
            true => descend(cursor, rest, found),
            false => cursor.skip(),
        }),
        Some(b'[') => {
            let index = std::str::from_utf8(step)
                .ok()
                .and_then(|step| step.parse().ok());
            cursor.array(|cursor, at| match Some(at) == index {
                true => descend(cursor, rest, found),
                false => cursor.skip(),
            })
        }
        _ => cursor.skip(),
    }
}

/// Where things stand in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointers {
    /// The text of an event, or of an answer that is not streamed.
    pub text: Pointer,
    /// The number of output tokens.
    pub usage: Option<Pointer>,
    /// What is there when the answer is complete: true, or a word that says why. Absent: it ends with its
    /// body.
    pub end: Option<Pointer>,
}

/// The dialect that pointers describe.
#[derive(Debug)]
pub(super) struct Pointed {
    pub(super) endpoint: Endpoint,
    pub(super) pointers: Pointers,
}

impl Pointed {
    fn read(&self, document: &[u8]) -> Result<EventFacts, JsonError> {
        let mut facts = EventFacts::default();
        let text = self.pointers.text.find(document)?;
        let text = text.and_then(|span| string(document, span));
        let usage = value(&self.pointers.usage, document)?;
        let completion = usage.and_then(|span| Cursor::new(span.of(document)).count().ok()?);
        let end = value(&self.pointers.end, document)?;
        let end = end.filter(|span| !matches!(span.of(document), b"null" | b"false" | b"\"\""));
        facts.is_own = text.is_some() || completion.is_some() || end.is_some();
        facts.is_end = end.is_some();
        facts.is_last = self.pointers.end.is_none() && facts.is_own;
        facts.usage = completion.map(|completion| Usage {
            completion: Some(completion),
            ..Usage::default()
        });
        facts.error = error(document)?;
        facts.choice = (text.is_some() || end.is_some()).then(|| Choice {
            content: text,
            finish: end.and_then(|span| string(document, span)),
            ..Choice::default()
        });
        Ok(facts)
    }
}

impl Wire for Pointed {
    fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    fn called(&self) -> &'static str {
        "what --answer-text points at"
    }

    fn sign(&self) -> &'static str {
        "anything at the place that --answer-text names"
    }

    fn end(&self) -> &'static str {
        "what --answer-end names"
    }

    /// The template says what a request holds.
    fn said(&self) -> &'static [&'static str] {
        &[]
    }

    fn push_said(&self, _: &str, _: &RequestContent, _: &mut Vec<u8>) -> bool {
        false
    }

    fn lengths(&self) -> &'static [&'static str] {
        &[]
    }

    fn rungs(&self, _: bool) -> Vec<Features> {
        vec![Features::default()]
    }

    fn is_pointed(&self) -> bool {
        true
    }

    fn event(&self, data: &[u8]) -> Result<EventFacts, JsonError> {
        self.read(data)
    }

    /// An answer in one piece has no need of a mark of its end.
    fn whole(&self, body: &[u8]) -> Result<EventFacts, JsonError> {
        self.read(body)
    }
}

/// The value that a pointer leads to.
fn value(pointer: &Option<Pointer>, document: &[u8]) -> Result<Option<Span>, JsonError> {
    pointer
        .as_ref()
        .map_or(Ok(None), |pointer| pointer.find(document))
}

/// A value as a text, where it is one. Positions count from the start of the document.
fn string(document: &[u8], span: Span) -> Option<Text> {
    let text = Cursor::new(span.of(document)).string().ok()?;
    Some(Text {
        span: Span {
            start: span.start + text.span.start,
            end: span.start + text.span.end,
        },
        ..text
    })
}

/// `error`, where it is something: all APIs have it at this place.
fn error(document: &[u8]) -> Result<Option<Span>, JsonError> {
    let mut cursor = Cursor::new(document);
    let mut error = None;
    cursor.object(|cursor, key| {
        let span = cursor.skip_span()?;
        if key.span.of(document) == b"error" && !matches!(span.of(document), b"null" | b"false") {
            error = Some(span);
        }
        Ok(())
    })?;
    Ok(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Pointer {
        text.parse().expect("a pointer")
    }

    #[test]
    fn pointers_lead_where_serde_jsons_do() {
        let document = br#"{"a":{"b":[1,{"c/d":"x","e~":2}],"":null},"f":"\u0041"}"#;
        let tree: serde_json::Value = serde_json::from_slice(document).expect("JSON");
        for text in [
            "/a/b/0",
            "/a/b/1/c~1d",
            "/a/b/1/e~0",
            "/a/",
            "/f",
            "/a/b/2",
            "/f/0",
            "/x",
            "/a/b/c",
        ] {
            let found = pointer(text).find(document).expect("JSON");
            let found = found.map(|span| {
                serde_json::from_slice::<serde_json::Value>(span.of(document)).expect("a value")
            });
            assert_eq!(found.as_ref(), tree.pointer(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_pointer_says_why() {
        let why = |text: &str| text.parse::<Pointer>().expect_err("refused").to_string();
        assert!(why("message/content").contains("does not begin with a slash"));
        assert!(why("").contains("does not begin with a slash"));
        assert!(why("/a~2").contains("neither ~0"));
        assert!(why("/a~").contains("neither ~0"));
        assert!(why(&"/a".repeat(40)).contains("more than 32 steps"));
    }

    #[test]
    fn lines_of_ollama() {
        let pointed = Pointed {
            endpoint: Endpoint::Chat,
            pointers: Pointers {
                text: pointer("/message/content"),
                usage: Some(pointer("/eval_count")),
                end: Some(pointer("/done_reason")),
            },
        };
        let line = br#"{"model":"m","message":{"role":"assistant","content":" a"},"done":false}"#;
        let facts = pointed.event(line).expect("JSON");
        let text = facts
            .choice
            .and_then(|choice| choice.content)
            .expect("a text");
        assert_eq!((text.span.of(line), facts.is_end), (&b" a"[..], false));
        let last =
            br#"{"message":{"content":""},"done":true,"done_reason":"length","eval_count":7}"#;
        let facts = pointed.event(last).expect("JSON");
        let finish = facts
            .choice
            .and_then(|choice| choice.finish)
            .expect("a word");
        assert_eq!((finish.span.of(last), facts.is_end), (&b"length"[..], true));
        assert_eq!(facts.usage.and_then(|usage| usage.completion), Some(7));
        let other = pointed
            .event(br#"{"response":"a","done":false}"#)
            .expect("JSON");
        assert!(!other.is_own);
        assert!(
            pointed
                .event(br#"{"error":"no"}"#)
                .expect("JSON")
                .error
                .is_some()
        );
    }
}
