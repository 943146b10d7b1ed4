//! Request bodies in chunks (RFC 9112, 7.1).

use super::{HttpError, MAX_BODY, MAX_HEAD, malformed};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Size,
    Data(usize),
    /// The line end behind a chunk's data.
    DataEnd,
    /// Trailer fields, which are dropped.
    Trailer,
}

/// Decoder of one body.
#[derive(Debug)]
pub(super) struct ChunkDecoder {
    part: Part,
    body: Vec<u8>,
    trailer_bytes: usize,
}

/// Longest chunk-size line with its extensions, bytes.
const MAX_SIZE_LINE: usize = 256;

impl ChunkDecoder {
    pub(super) fn new() -> Self {
        Self {
            part: Part::Size,
            body: Vec::new(),
            trailer_bytes: 0,
        }
    }

    /// Bytes decoded so far.
    pub(super) fn held(&self) -> usize {
        self.body.len()
    }

    /// Takes what it can from `input`; the body once it is whole.
    pub(super) fn advance(&mut self, input: &mut Vec<u8>) -> Result<Option<Vec<u8>>, HttpError> {
        let mut at = 0;
        let result = self.walk(input, &mut at);
        input.drain(..at);
        result
    }

    fn walk(&mut self, input: &[u8], at: &mut usize) -> Result<Option<Vec<u8>>, HttpError> {
        loop {
            let rest = &input[*at..];
            match self.part {
                Part::Data(left) => {
                    let taken = left.min(rest.len());
                    self.body.extend_from_slice(&rest[..taken]);
                    *at += taken;
                    if taken < left {
                        self.part = Part::Data(left - taken);
                        return Ok(None);
                    }
                    self.part = Part::DataEnd;
                }
                Part::Size | Part::DataEnd | Part::Trailer => {
                    let Some(line_end) = rest.iter().position(|b| *b == b'\n') else {
                        return self.check_open_line(rest.len()).map(|()| None);
                    };
                    *at += line_end + 1;
                    let line = rest[..line_end].trim_ascii_end();
                    if self.take_line(line)? {
                        return Ok(Some(std::mem::take(&mut self.body)));
                    }
                }
            }
        }
    }

    fn check_open_line(&self, len: usize) -> Result<(), HttpError> {
        let limit = match self.part {
            Part::Trailer => MAX_HEAD,
            _ => MAX_SIZE_LINE,
        };
        if len > limit {
            return Err(malformed("endless line between chunks"));
        }
        Ok(())
    }

    /// Takes one line; true when it was the body's last.
    fn take_line(&mut self, line: &[u8]) -> Result<bool, HttpError> {
        match self.part {
            Part::DataEnd if line.is_empty() => self.part = Part::Size,
            Part::DataEnd => return Err(malformed("a chunk longer than announced")),
            Part::Trailer if line.is_empty() => return Ok(true),
            Part::Trailer => {
                self.trailer_bytes += line.len();
                if self.trailer_bytes > MAX_HEAD {
                    return Err(malformed("endless trailer"));
                }
            }
            Part::Size | Part::Data(_) => {
                let size = size_of_chunk(line)?;
                if size > MAX_BODY - self.body.len() {
                    return Err(HttpError::BodyTooLong);
                }
                self.part = if size == 0 {
                    Part::Trailer
                } else {
                    Part::Data(size)
                };
            }
        }
        Ok(false)
    }
}

fn size_of_chunk(line: &[u8]) -> Result<usize, HttpError> {
    let digits = line.split(|b| *b == b';').next().unwrap_or_default();
    let text = std::str::from_utf8(digits.trim_ascii()).unwrap_or_default();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(malformed("a chunk size is not a number"));
    }
    usize::from_str_radix(text, 16).map_err(|_| HttpError::BodyTooLong)
}
