//! A body written by the user for an API of another form: JSON with placeholders.
//!
//! It knows no API. A text that is a placeholder and nothing else becomes the value itself (a number,
//! a list); inside a longer text the value's own text stands.
//!
//! Invariant: what it writes is JSON, whatever the values are: a template that could write anything
//! else is refused when it is read.

use super::write::{push_inside, push_name};
use infermeter_core::text::{closest, inert};
use serde_json::{Map, Value};

/// What stands for a value of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// The prompt's text.
    Prompt,
    /// The list of messages.
    Messages,
    /// The model, or the request's adapter.
    Model,
    /// Tokens of the answer asked for.
    MaxTokens,
    /// Whether a stream is asked for.
    Stream,
    /// The request's id.
    Id,
}

impl Placeholder {
    const ALL: [(&'static str, Self); 6] = [
        ("prompt", Self::Prompt),
        ("messages", Self::Messages),
        ("model", Self::Model),
        ("max_tokens", Self::MaxTokens),
        ("stream", Self::Stream),
        ("id", Self::Id),
    ];

    /// It can stand inside a longer text.
    fn is_text(self) -> bool {
        self != Self::Messages
    }
}

/// A piece of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it stands.
    Bytes(Vec<u8>),
    /// A value in JSON.
    Value(Placeholder),
    /// A value's text inside a JSON string.
    Inside(Placeholder),
}

/// A member of the body's object.
pub(super) type TemplateMember = (String, Vec<Piece>);

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is not JSON.
    #[error(
        "line {line}: no JSON: {what}; write a JSON object in which texts hold placeholders, as in \
         {{\"inputs\": \"{{{{prompt}}}}\", \"max_new_tokens\": \"{{{{max_tokens}}}}\"}}"
    )]
    Json {
        /// Its line.
        line: usize,
        /// What the parser says.
        what: String,
    },
    /// It is JSON, and no object.
    #[error("a JSON object is needed")]
    NoObject,
    /// A placeholder that means nothing.
    #[error(
        "`{{{{{name}}}}}` is not a placeholder{near}; known are prompt, messages, model, max_tokens, \
         stream, id"
    )]
    Unknown {
        /// As written, inert.
        name: String,
        /// `; did you mean X?`, or nothing.
        near: String,
    },
    /// A list inside a text.
    #[error("`{{{{messages}}}}` is a list: it cannot stand inside a longer text")]
    List,
    /// Braces that never close.
    #[error("`{{{{` without `}}}}` in the text `{0}`")]
    Open(String),
    /// All requests would say the same.
    #[error("it has neither {{{{prompt}}}} nor {{{{messages}}}}: nothing would be asked")]
    NoPrompt,
}

/// A body with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTemplate {
    members: Vec<TemplateMember>,
}

impl BodyTemplate {
    /// Reads a template. Numbers and lists may stand without quotes: `{"n": {{max_tokens}}}`.
    ///
    /// # Errors
    /// When it is not a JSON object, names a placeholder that is none, or has no prompt.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let value: Value = serde_json::from_str(&quoted(text)).map_err(|error| {
            let said = error.to_string();
            let what = said.split(" at line ").next().unwrap_or(&said);
            TemplateError::Json {
                line: error.line(),
                what: inert(what, 200),
            }
        })?;
        let Value::Object(object) = value else {
            return Err(TemplateError::NoObject);
        };
        let members = object
            .iter()
            .map(|(name, value)| Ok((name.clone(), pieces(value)?)))
            .collect::<Result<Vec<_>, TemplateError>>()?;
        let asks = |piece: &Piece| {
            matches!(
                piece,
                Piece::Value(Placeholder::Prompt | Placeholder::Messages)
                    | Piece::Inside(Placeholder::Prompt)
            )
        };
        if !members.iter().any(|(_, pieces)| pieces.iter().any(asks)) {
            return Err(TemplateError::NoPrompt);
        }
        Ok(Self { members })
    }

    /// Its members that hold no placeholder, at any depth: what every request says.
    pub fn literals(&self) -> Value {
        let of = |pieces: &[Piece]| match pieces {
            [Piece::Bytes(bytes)] => serde_json::from_slice(bytes).unwrap_or_default(),
            // A placeholder somewhere inside: its neighbours are read with a null in its place.
            pieces => {
                let mut text = Vec::new();
                for piece in pieces {
                    match piece {
                        Piece::Bytes(bytes) => text.extend_from_slice(bytes),
                        Piece::Value(_) => text.extend_from_slice(b"null"),
                        Piece::Inside(_) => {}
                    }
                }
                serde_json::from_slice(&text).unwrap_or_default()
            }
        };
        let members = self.members.iter();
        members
            .map(|(name, pieces)| (name.clone(), of(pieces)))
            .collect::<Map<String, Value>>()
            .into()
    }

    /// The list of messages stands in it, with all that messages hold.
    pub fn has_messages(&self) -> bool {
        let messages = Piece::Value(Placeholder::Messages);
        self.members
            .iter()
            .any(|(_, pieces)| pieces.contains(&messages))
    }

    /// The model stands in it.
    pub(super) fn has_model(&self) -> bool {
        let model = |piece: &Piece| {
            matches!(
                piece,
                Piece::Value(Placeholder::Model) | Piece::Inside(Placeholder::Model)
            )
        };
        self.members
            .iter()
            .any(|(_, pieces)| pieces.iter().any(model))
    }

    /// Its members, those of `more` in the place of their namesakes or behind.
    pub(super) fn with(&self, more: &Map<String, Value>) -> Vec<TemplateMember> {
        let mut members = self.members.clone();
        for (name, value) in more {
            let bytes = vec![Piece::Bytes(value.to_string().into_bytes())];
            match members.iter_mut().find(|(own, _)| own == name) {
                Some((_, pieces)) => *pieces = bytes,
                None => members.push((name.clone(), bytes)),
            }
        }
        members
    }
}

/// The text with placeholders outside of strings put into quotes: no JSON has `{{` there.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let (mut in_string, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if !in_string && let Some(end) = rest.starts_with("{{").then(|| rest.find("}}")).flatten() {
            let (placeholder, after) = rest.split_at(end + 2);
            out.push('"');
            out.push_str(placeholder);
            out.push('"');
            rest = after;
            continue;
        }
        match c {
            _ if escaped => escaped = false,
            '\\' if in_string => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

fn pieces(value: &Value) -> Result<Vec<Piece>, TemplateError> {
    let mut out = Pieces::default();
    out.value(value)?;
    Ok(out.done())
}

/// Pieces being put together.
#[derive(Default)]
struct Pieces {
    done: Vec<Piece>,
    bytes: Vec<u8>,
}

impl Pieces {
    fn value(&mut self, value: &Value) -> Result<(), TemplateError> {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => {
                self.bytes.push(b'[');
                for (i, value) in list.iter().enumerate() {
                    self.comma(i);
                    self.value(value)?;
                }
                self.bytes.push(b']');
                Ok(())
            }
            Value::Object(members) => {
                self.bytes.push(b'{');
                for (i, (name, value)) in members.iter().enumerate() {
                    self.comma(i);
                    push_name(&mut self.bytes, name);
                    self.value(value)?;
                }
                self.bytes.push(b'}');
                Ok(())
            }
            other => {
                self.bytes.extend_from_slice(other.to_string().as_bytes());
                Ok(())
            }
        }
    }

    fn comma(&mut self, place: usize) {
        if place > 0 {
            self.bytes.push(b',');
        }
    }

    /// A text: one placeholder, or words and placeholders.
    fn text(&mut self, text: &str) -> Result<(), TemplateError> {
        let parts = parts(text)?;
        if let [Part::Placeholder(only)] = parts.as_slice() {
            self.push(Piece::Value(*only));
            return Ok(());
        }
        self.bytes.push(b'"');
        for part in parts {
            match part {
                Part::Words(words) => push_inside(&mut self.bytes, words),
                Part::Placeholder(one) if one.is_text() => self.push(Piece::Inside(one)),
                Part::Placeholder(_) => return Err(TemplateError::List),
            }
        }
        self.bytes.push(b'"');
        Ok(())
    }

    fn push(&mut self, piece: Piece) {
        if !self.bytes.is_empty() {
            self.done
                .push(Piece::Bytes(std::mem::take(&mut self.bytes)));
        }
        self.done.push(piece);
    }

    fn done(mut self) -> Vec<Piece> {
        if !self.bytes.is_empty() {
            self.done.push(Piece::Bytes(self.bytes));
        }
        self.done
    }
}

/// A part of a text.
enum Part<'t> {
    Words(&'t str),
    Placeholder(Placeholder),
}

fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateError> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else {
            return Err(TemplateError::Open(inert(text, 80)));
        };
        if !before.is_empty() {
            parts.push(Part::Words(before));
        }
        parts.push(Part::Placeholder(named(name.trim())?));
        rest = after;
    }
    if !rest.is_empty() || parts.is_empty() {
        parts.push(Part::Words(rest));
    }
    Ok(parts)
}

fn named(name: &str) -> Result<Placeholder, TemplateError> {
    let known = Placeholder::ALL.iter().find(|(known, _)| *known == name);
    known.map(|(_, placeholder)| *placeholder).ok_or_else(|| {
        let near = closest(name, Placeholder::ALL.iter().map(|(known, _)| *known));
        TemplateError::Unknown {
            name: inert(name, 60),
            near: near.map_or_else(String::new, |near| format!("; did you mean `{near}`?")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let error = BodyTemplate::parse(text).expect_err("must be refused");
        let said = error.to_string();
        assert!(said.starts_with(expect), "{said}");
    }

    #[test]
    fn what_is_no_template_says_why() {
        refused("{\n\"a\": }", "line 2: no JSON: expected value");
        refused("[\"{{prompt}}\"]", "a JSON object is needed");
        refused(
            "{\"a\": \"{{promt}}\"}",
            "`{{promt}}` is not a placeholder; did you mean `prompt`?",
        );
        refused("{\"a\": \"so: {{messages}}\"}", "`{{messages}}` is a list");
        refused("{\"a\": \"{{prompt\"}", "`{{` without `}}` in the text");
        refused(
            "{\"a\": \"{{max_tokens}}\"}",
            "it has neither {{prompt}} nor",
        );
    }

    #[test]
    fn placeholders_may_stand_without_quotes() {
        let text = r#"{"a": {{ prompt }}, "b": "say \"{{id}}\" {", "c": [{{max_tokens}}, 1]}"#;
        let template = BodyTemplate::parse(text).expect("a template");
        let names: Vec<&str> = template.members.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(template.members[0].1, [Piece::Value(Placeholder::Prompt)]);
        let b = &template.members[1].1;
        assert_eq!(b[0], Piece::Bytes(b"\"say \\\"".to_vec()));
        assert_eq!(b[1], Piece::Inside(Placeholder::Id));
        assert_eq!(b[2], Piece::Bytes(b"\\\" {\"".to_vec()));
    }
}
