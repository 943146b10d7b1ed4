//! JSON that comes in pieces: a walk that needs no more of a document than the bytes at hand, for answers
//! too large to be held.
//!
//! It keeps the beginnings of keys and short values, and builds nothing. Invariant: what it hands out does
//! not depend on where the pieces are cut, and it takes what [`super::Cursor`] takes.

use super::JsonError;
use crate::limits::MAX_JSON_DEPTH;

/// Bytes kept of a key or a value: longer than every name that is looked for and every count.
const KEPT: usize = 40;

/// What was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bit<'a> {
    /// An object begins.
    Object,
    /// An array begins.
    Array,
    /// The innermost of them ends.
    Close,
    /// The name of a member, its first bytes.
    Key(&'a [u8]),
    /// A string ended.
    Text(Ended<'a>),
    /// A number, its first bytes.
    Number(&'a [u8]),
    /// `true`, `false` or `null`.
    Word(&'a [u8]),
}

/// A string behind its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ended<'a> {
    /// Its first bytes as they are written.
    pub(crate) begins: &'a [u8],
    /// Its characters, an escape counted as one and a byte of others as one.
    pub(crate) length: u64,
    /// Its last two bytes.
    pub(crate) tail: [u8; 2],
}

/// Where the walk stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Value,
    FirstItem,
    FirstKey,
    Key,
    Colon,
    After,
    Text,
    Escape,
    Unicode(u8),
    Number(Digits),
    Word,
    Done,
}

/// How far a number has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    Exponent,
    Sign,
    Power,
}

impl Digits {
    /// Behind one more byte; `None` where the number has ended before it.
    fn then(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Some(Self::Whole),
            (Self::Zero | Self::Whole, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::Sign),
            (Self::Exponent | Self::Sign | Self::Power, b'0'..=b'9') => Some(Self::Power),
            _ => None,
        }
    }

    fn may_end(self) -> bool {
        matches!(
            self,
            Self::Zero | Self::Whole | Self::Fraction | Self::Power
        )
    }
}

/// The walk.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    state: State,
    depth: u8,
    /// One bit for each depth: an object, not an array.
    objects: [u64; 4],
    /// The string at hand is a key.
    is_key: bool,
    kept: Vec<u8>,
    length: u64,
    tail: [u8; 2],
    /// Bytes of the document before those at hand.
    before: usize,
}

impl Pieces {
    /// Ready for the next document; the buffer is kept.
    pub(crate) fn reset(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        kept.clear();
        kept.reserve(KEPT);
        *self = Self {
            kept,
            ..Self::default()
        };
    }

    /// Takes the next bytes.
    pub(crate) fn take(
        &mut self,
        bytes: &[u8],
        on: &mut impl FnMut(Bit<'_>),
    ) -> Result<(), JsonError> {
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let taken = self.step(rest, on);
            at += taken.map_err(|what| JsonError {
                what,
                at: self.before + at,
            })?;
        }
        self.before += bytes.len();
        Ok(())
    }

    /// The document has ended.
    pub(crate) fn end(&mut self, on: &mut impl FnMut(Bit<'_>)) -> Result<(), JsonError> {
        let ended = match self.state {
            State::Number(digits) if self.depth == 0 => self.end_number(digits, on),
            State::Word if self.depth == 0 => self.end_word(on),
            _ => Ok(()),
        };
        let ended = ended.and(match self.state {
            State::Done => Ok(()),
            _ => Err("the document breaks off"),
        });
        ended.map_err(|what| JsonError {
            what,
            at: self.before,
        })
    }

    /// Takes as much as belongs together; how many bytes.
    fn step(&mut self, rest: &[u8], on: &mut impl FnMut(Bit<'_>)) -> Result<usize, &'static str> {
        let Some(&byte) = rest.first() else {
            return Ok(0);
        };
        match self.state {
            State::Text => return self.text(rest, on),
            State::Escape | State::Unicode(_) => return self.escaped(byte).map(|()| 1),
            State::Number(digits) => return self.number(rest, digits, on),
            State::Word if byte.is_ascii_alphabetic() => {
                self.keep(&[byte]);
                return Ok(1);
            }
            State::Word => return self.end_word(on).map(|()| 0),
            _ if matches!(byte, b' ' | b'\n' | b'\r' | b'\t') => return Ok(1),
            _ => {}
        }
        match (self.state, byte) {
            (State::FirstItem, b']') | (State::FirstKey, b'}') => self.close(on),
            (State::FirstKey | State::Key, b'"') => self.begin_text(true),
            (State::Colon, b':') => self.state = State::Value,
            (State::Value | State::FirstItem, _) => self.begin_value(byte, on)?,
            (State::After, b',') if self.in_object() => self.state = State::Key,
            (State::After, b',') => self.state = State::Value,
            (State::After, b'}') if self.in_object() => self.close(on),
            (State::After, b']') if !self.in_object() => self.close(on),
            (State::FirstKey | State::Key, _) => return Err("a string is missing"),
            (State::Colon, _) => return Err("a colon is missing"),
            (State::After, _) => return Err("an object or an array goes on wrongly"),
            (State::Done, _) => return Err("more than one value"),
            // Taken above.
            (
                State::Text | State::Escape | State::Unicode(_) | State::Number(_) | State::Word,
                _,
            ) => {}
        }
        Ok(1)
    }

    fn begin_value(&mut self, byte: u8, on: &mut impl FnMut(Bit<'_>)) -> Result<(), &'static str> {
        match byte {
            b'{' => self.open(true, on)?,
            b'[' => self.open(false, on)?,
            b'"' => self.begin_text(false),
            b'-' => self.begin(byte, State::Number(Digits::Minus)),
            b'0' => self.begin(byte, State::Number(Digits::Zero)),
            b'1'..=b'9' => self.begin(byte, State::Number(Digits::Whole)),
            // `NaN`, which Python writes for what is not a number, is none of JSON's words.
            b'a'..=b'z' | b'A'..=b'Z' => self.begin(byte, State::Word),
            _ => return Err("not a value"),
        }
        Ok(())
    }

    fn begin(&mut self, byte: u8, state: State) {
        self.kept.clear();
        self.kept.push(byte);
        self.state = state;
    }

    fn begin_text(&mut self, is_key: bool) {
        self.kept.clear();
        (self.length, self.tail) = (0, [0; 2]);
        (self.is_key, self.state) = (is_key, State::Text);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = KEPT.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept
            .extend_from_slice(bytes.get(..room).unwrap_or_default());
    }

    fn text(&mut self, rest: &[u8], on: &mut impl FnMut(Bit<'_>)) -> Result<usize, &'static str> {
        let plain = super::text::plain_prefix(rest);
        let piece = rest.get(..plain).unwrap_or_default();
        self.keep(piece);
        self.length += plain as u64;
        match piece {
            [] => {}
            [only] => self.tail = [self.tail[1], *only],
            [.., last_but_one, last] => self.tail = [*last_but_one, *last],
        }
        match rest.get(plain) {
            None => return Ok(plain),
            Some(b'\\') => {
                self.keep(b"\\");
                self.state = State::Escape;
            }
            Some(b'"') => self.end_text(on),
            // What is wrong is at the byte behind, however the document was cut.
            Some(_) if plain > 0 => return Ok(plain),
            Some(_) => return Err("a malformed string"),
        }
        Ok(plain + 1)
    }

    fn end_text(&mut self, on: &mut impl FnMut(Bit<'_>)) {
        if self.is_key {
            on(Bit::Key(&self.kept));
            self.state = State::Colon;
            return;
        }
        on(Bit::Text(Ended {
            begins: &self.kept,
            length: self.length,
            tail: self.tail,
        }));
        self.behind_value();
    }

    fn escaped(&mut self, byte: u8) -> Result<(), &'static str> {
        self.keep(&[byte]);
        let left = match (self.state, byte) {
            (State::Escape, b'u') => 4,
            (State::Escape, b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 0,
            (State::Unicode(left), _) if byte.is_ascii_hexdigit() => left - 1,
            _ => return Err("a malformed string"),
        };
        if left == 0 {
            self.length += 1;
            self.tail = [self.tail[1], 0];
            self.state = State::Text;
        } else {
            self.state = State::Unicode(left);
        }
        Ok(())
    }

    fn number(
        &mut self,
        rest: &[u8],
        mut digits: Digits,
        on: &mut impl FnMut(Bit<'_>),
    ) -> Result<usize, &'static str> {
        for (taken, byte) in rest.iter().enumerate() {
            match digits.then(*byte) {
                Some(next) => digits = next,
                None if taken == 0 => return self.end_number(digits, on).map(|()| 0),
                None => {
                    self.keep(rest.get(..taken).unwrap_or_default());
                    self.state = State::Number(digits);
                    return Ok(taken);
                }
            }
        }
        self.keep(rest);
        self.state = State::Number(digits);
        Ok(rest.len())
    }

    fn end_number(
        &mut self,
        digits: Digits,
        on: &mut impl FnMut(Bit<'_>),
    ) -> Result<(), &'static str> {
        if !digits.may_end() {
            return Err("a number breaks off");
        }
        on(Bit::Number(&self.kept));
        self.behind_value();
        Ok(())
    }

    fn end_word(&mut self, on: &mut impl FnMut(Bit<'_>)) -> Result<(), &'static str> {
        if !matches!(&*self.kept, b"true" | b"false" | b"null") {
            return Err("an unknown word");
        }
        on(Bit::Word(&self.kept));
        self.behind_value();
        Ok(())
    }

    fn behind_value(&mut self) {
        self.state = if self.depth == 0 {
            State::Done
        } else {
            State::After
        };
    }

    fn open(&mut self, object: bool, on: &mut impl FnMut(Bit<'_>)) -> Result<(), &'static str> {
        if self.depth >= MAX_JSON_DEPTH {
            return Err("nested too deeply");
        }
        self.depth += 1;
        let (word, bit) = self.place();
        if let Some(word) = self.objects.get_mut(word) {
            *word = *word & !bit | if object { bit } else { 0 };
        }
        self.state = if object {
            State::FirstKey
        } else {
            State::FirstItem
        };
        on(if object { Bit::Object } else { Bit::Array });
        Ok(())
    }

    fn close(&mut self, on: &mut impl FnMut(Bit<'_>)) {
        self.depth -= 1;
        on(Bit::Close);
        self.behind_value();
    }

    fn in_object(&self) -> bool {
        let (word, bit) = self.place();
        self.objects.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Where the innermost bracket's bit is.
    fn place(&self) -> (usize, u64) {
        (usize::from(self.depth / 64), 1 << (self.depth % 64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(document: &[u8], piece: usize) -> Result<Vec<String>, JsonError> {
        let mut pieces = Pieces::default();
        pieces.reset();
        let mut met = Vec::new();
        let mut on = |bit: Bit<'_>| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            met.push(match bit {
                Bit::Object => "{".to_owned(),
                Bit::Array => "[".to_owned(),
                Bit::Close => "end".to_owned(),
                Bit::Key(name) => format!("{}:", text(name)),
                Bit::Text(ended) => format!("'{}' {}", text(ended.begins), ended.length),
                Bit::Number(digits) | Bit::Word(digits) => text(digits),
            });
        };
        for bytes in document.chunks(piece) {
            pieces.take(bytes, &mut on)?;
        }
        pieces.end(&mut on)?;
        Ok(met)
    }

    #[test]
    fn what_is_met_does_not_depend_on_the_pieces() {
        let document =
            br#" {"data":[{"index":0,"embedding":[-1.5e-3,0,12]}], "a\"b": "x\u00e9\/y=",
            "t":true, "n":null,"e":[],"o":{}} "#;
        let whole = walked(document, usize::MAX).expect("JSON");
        assert_eq!(
            whole.join(" "),
            "{ data: [ { index: 0 embedding: [ -1.5e-3 0 12 end end end a\\\"b: \
             'x\\u00e9\\/y=' 5 t: true n: null e: [ end o: { end end"
        );
        for piece in 1..9 {
            assert_eq!(walked(document, piece), Ok(whole.clone()), "{piece}");
        }
    }

    #[test]
    fn it_takes_what_the_cursor_takes() {
        for document in [
            "1",
            "-0.5E+7",
            "01",
            "1.",
            "-",
            "\"a",
            "\"\\x\"",
            "nul",
            "NaN",
            "[1,]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":1,}",
            "{\"a\":1]",
            "[}",
            "",
            " ",
            "{} {}",
            "true",
            "[[[]]]",
            "\"\u{1}\"",
            "{\"a\":[1,{\"b\":\"\\\\\"}]}",
            "1e5",
            "[-]",
            "2 ",
        ] {
            let mut cursor = super::super::Cursor::new(document.as_bytes());
            let taken = cursor.skip().and_then(|()| cursor.end()).is_ok();
            for piece in [1, 2, 100] {
                let walked = walked(document.as_bytes(), piece).is_ok();
                assert_eq!(walked, taken, "{document} in pieces of {piece}");
            }
        }
        let deep = "[".repeat(201);
        assert!(walked(deep.as_bytes(), 7).is_err());
    }
}
