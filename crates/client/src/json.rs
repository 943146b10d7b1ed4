//! A pull walker over one JSON value: validates (RFC 8259) and hands out positions, without
//! allocating and without building a tree. Text is decoded apart, only where it is kept.
//!
//! It does not check that strings are UTF-8, does not decode escapes in keys, and hands out
//! repeated keys as often as they come.
//!
//! Invariant: a walk that returns `Ok` has seen valid JSON no deeper than
//! [`MAX_JSON_DEPTH`](crate::limits::MAX_JSON_DEPTH), syntax between the parts included.

pub(crate) mod pieces;
mod text;

pub(crate) use text::append_decoded;

use crate::limits::MAX_JSON_DEPTH;

/// Where a walk failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at}")]
pub(crate) struct JsonError {
    /// What is wrong.
    pub(crate) what: &'static str,
    /// Position in the document.
    pub(crate) at: usize,
}

/// A piece of the document, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    /// First byte.
    pub(crate) start: usize,
    /// Behind the last byte.
    pub(crate) end: usize,
}

impl Span {
    /// The bytes it covers.
    pub(crate) fn of(self, document: &[u8]) -> &[u8] {
        document.get(self.start..self.end).unwrap_or_default()
    }

    /// It covers nothing.
    pub(crate) fn is_empty(self) -> bool {
        self.start >= self.end
    }
}

/// A string of the document: what stands between its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Text {
    /// The bytes between the quotes.
    pub(crate) span: Span,
    /// They hold an escape.
    pub(crate) escaped: bool,
}

/// A walk over one document.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    document: &'a [u8],
    at: usize,
    depth: u8,
}

impl<'a> Cursor<'a> {
    /// A walk from the start.
    pub(crate) fn new(document: &'a [u8]) -> Self {
        Self {
            document,
            at: 0,
            depth: 0,
        }
    }

    /// Asserts that nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("more than one value"),
        }
    }

    /// The next byte that is not white space, not taken.
    #[inline]
    pub(crate) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.document.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    /// Position of the next value, white space skipped.
    pub(crate) fn value_start(&mut self) -> usize {
        self.peek();
        self.at
    }

    /// Position behind what was taken last.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Bytes of a key.
    #[inline]
    pub(crate) fn key(&self, key: Text) -> &'a [u8] {
        self.of(key.span)
    }

    /// Bytes of a piece of the document.
    pub(crate) fn of(&self, span: Span) -> &'a [u8] {
        self.document.get(span.start..span.end).unwrap_or_default()
    }

    /// An error here.
    pub(crate) fn fail<T>(&self, what: &'static str) -> Result<T, JsonError> {
        Err(JsonError { what, at: self.at })
    }

    /// Walks an object; `member` is called behind each key and must take the value.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Text) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.open(b'{', "an object is missing")?;
        if self.peek() == Some(b'}') {
            return self.close();
        }
        loop {
            let key = self.string()?;
            if self.peek() != Some(b':') {
                return self.fail("a colon is missing");
            }
            self.at += 1;
            member(self, key)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => return self.close(),
                _ => return self.fail("an object goes on wrongly"),
            }
        }
    }

    /// Walks an array; `item` is called before each value, with its index, and must take it.
    pub(crate) fn array(
        &mut self,
        mut item: impl FnMut(&mut Self, u32) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.open(b'[', "an array is missing")?;
        if self.peek() == Some(b']') {
            return self.close();
        }
        let mut index = 0;
        loop {
            item(self, index)?;
            index = index.saturating_add(1);
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => return self.close(),
                _ => return self.fail("an array goes on wrongly"),
            }
        }
    }

    fn open(&mut self, bracket: u8, missing: &'static str) -> Result<(), JsonError> {
        if self.peek() != Some(bracket) {
            return self.fail(missing);
        }
        if self.depth >= MAX_JSON_DEPTH {
            return self.fail("nested too deeply");
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) -> Result<(), JsonError> {
        self.depth -= 1;
        self.at += 1;
        Ok(())
    }

    /// Takes any value.
    pub(crate) fn skip(&mut self) -> Result<(), JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(|cursor, _| cursor.skip()),
            Some(b'[') => self.array(|cursor, _| cursor.skip()),
            Some(b'n') => self.literal(b"null"),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.fail("not a value"),
            None => self.fail("a value is missing"),
        }
    }

    /// Takes a value; where it is.
    pub(crate) fn skip_span(&mut self) -> Result<Span, JsonError> {
        let start = self.value_start();
        self.skip()?;
        Ok(Span {
            start,
            end: self.at,
        })
    }

    /// Takes a string; null is `None`, another kind of value is an error.
    #[inline]
    pub(crate) fn string_or_null(&mut self) -> Result<Option<Text>, JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(Some),
            Some(b'n') => self.literal(b"null").map(|()| None),
            _ => self.fail("a value that is neither string nor null where text belongs"),
        }
    }

    /// Takes any value; a whole number from 0 to below 2^32 - 1 is handed out, written as an integer or
    /// not (`8.0`, `1e1`: servers that count in JavaScript or Lua).
    pub(crate) fn count(&mut self) -> Result<Option<u32>, JsonError> {
        let digits = self.skip_span()?.of(self.document);
        if !digits.iter().all(u8::is_ascii_digit) {
            return Ok(whole_number(digits));
        }
        let mut count = 0_u64;
        for digit in digits {
            count = (count * 10 + u64::from(digit - b'0')).min(1 << 40);
        }
        Ok(u32::try_from(count).ok().filter(|n| *n != u32::MAX))
    }

    /// Takes any value; the length of an array is handed out.
    pub(crate) fn array_length(&mut self) -> Result<Option<u32>, JsonError> {
        if self.peek() != Some(b'[') {
            self.skip()?;
            return Ok(None);
        }
        let mut length = 0;
        self.array(|cursor, index| {
            length = index.saturating_add(1);
            cursor.skip()
        })?;
        Ok(Some(length))
    }

    fn literal(&mut self, literal: &'static [u8]) -> Result<(), JsonError> {
        let rest = self.document.get(self.at..).unwrap_or_default();
        if !rest.starts_with(literal) {
            return self.fail("an unknown word");
        }
        self.at += literal.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        self.take_if(b"-");
        match self.document.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits()?,
            _ => return self.fail("a number without digits"),
        }
        if self.take_if(b".") {
            self.digits()?;
        }
        if self.take_if(b"eE") {
            self.take_if(b"+-");
            self.digits()?;
        }
        Ok(())
    }

    fn take_if(&mut self, any: &[u8]) -> bool {
        let taken = self.document.get(self.at).is_some_and(|b| any.contains(b));
        self.at += usize::from(taken);
        taken
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.document.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
        if start == self.at {
            return self.fail("a number breaks off");
        }
        Ok(())
    }

    /// Takes a string.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<Text, JsonError> {
        if self.peek() != Some(b'"') {
            return self.fail("a string is missing");
        }
        let start = self.at + 1;
        let rest = self.document.get(start..).unwrap_or_default();
        match text::scan(rest) {
            Ok((length, escaped)) if rest.get(length) == Some(&b'"') => {
                self.at = start + length + 1;
                let end = start + length;
                Ok(Text {
                    span: Span { start, end },
                    escaped,
                })
            }
            Ok(_) => self.fail("a string does not end"),
            Err(offset) => {
                self.at = start + offset;
                self.fail("a malformed string")
            }
        }
    }
}

/// The whole number that a JSON value is, where it is one.
pub(crate) fn whole_number(value: &[u8]) -> Option<u32> {
    let number: f64 = std::str::from_utf8(value).ok()?.parse().ok()?;
    let is_count = number.fract() == 0.0 && (0.0..f64::from(u32::MAX)).contains(&number);
    is_count.then_some(number as u32)
}

/// Whether the bytes hold an escape, if they are the whole inside of a JSON string.
#[inline]
pub(crate) fn string_body(bytes: &[u8]) -> Option<bool> {
    let (length, escaped) = text::scan(bytes).ok()?;
    (length == bytes.len()).then_some(escaped)
}
