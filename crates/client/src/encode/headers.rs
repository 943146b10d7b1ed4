//! Headers that a user adds, checked once: afterwards none of them can end the head early, change
//! the framing, or show its value in a message.

use std::fmt;

/// Headers that are ours alone: framing, hop by hop, and the id that joins records to logs.
const RESERVED: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Why a header cannot be sent. Values are never shown: they may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Not of the form `Name: value`.
    #[error("a header must be written `Name: value`")]
    NoColon,
    /// The name is no token.
    #[error("`{0}` is not a header name (letters, digits and !#$%&'*+-.^_`|~)")]
    Name(String),
    /// The value holds a line break, another control character or a non-ASCII one.
    #[error("the value of header `{0}` has a line break, control or non-ASCII character")]
    Value(String),
    /// The header is set by infermeter itself.
    #[error("header `{0}` is set by infermeter itself")]
    Reserved(String),
}

/// Checked headers in the order given. Its `Debug` form shows names only.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Checks and adds one header; white space around the value is dropped.
    ///
    /// # Errors
    /// The header cannot be sent as it is.
    pub fn push(&mut self, name: &str, value: &str) -> Result<(), HeaderError> {
        let shown = || infermeter_core::text::inert(name, 60);
        if name.is_empty() || !name.bytes().all(is_token_byte) {
            return Err(HeaderError::Name(shown()));
        }
        let value = value.trim_matches([' ', '\t']);
        if !value.bytes().all(|b| matches!(b, b'\t' | b' '..=b'~')) {
            return Err(HeaderError::Value(shown()));
        }
        if RESERVED
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
        {
            return Err(HeaderError::Reserved(shown()));
        }
        self.0.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Checks and adds a header written `Name: value`.
    ///
    /// # Errors
    /// There is no colon, or the header cannot be sent as it is.
    pub fn push_line(&mut self, line: &str) -> Result<(), HeaderError> {
        let (name, value) = line.split_once(':').ok_or(HeaderError::NoColon)?;
        self.push(name.trim(), value)
    }

    /// A header of this name is there, whatever its case.
    pub fn has(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| (name, "***"));
        f.debug_map().entries(names).finish()
    }
}

impl TryFrom<Vec<(String, String)>> for Headers {
    type Error = HeaderError;

    fn try_from(pairs: Vec<(String, String)>) -> Result<Self, HeaderError> {
        let mut headers = Self::default();
        for (name, value) in pairs {
            headers.push(&name, &value)?;
        }
        Ok(headers)
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
