//! The chunked transfer coding (RFC 9112, 7.1), byte by byte for its framing, slices for data.
//!
//! Extensions and trailers are skipped. Chunk-size lines and chunks end with CRLF, nothing else.

use super::{HttpError, take};
use crate::limits::MAX_CHUNK_EXTENSION;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Step {
    #[default]
    FirstDigit,
    Digits,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    TrailerStart,
    TrailerLine,
    LastLf,
    Ended,
}

/// Where in a chunked body the decoder stands.
#[derive(Debug, Default)]
pub(super) struct Chunked {
    step: Step,
    left: u64,
    skipped: u32,
    trailer_bytes: usize,
}

/// What comes next in a chunked body.
pub(super) enum Piece<'i> {
    /// More input is needed.
    Nothing,
    /// A chunk-size line has begun.
    SizeLine,
    /// Data of a chunk.
    Data(&'i [u8]),
    /// The last chunk and the trailers are over.
    End,
}

impl Chunked {
    /// Decodes on. `trailer_limit` bounds the trailer section's bytes.
    pub(super) fn next<'i>(
        &mut self,
        input: &mut &'i [u8],
        trailer_limit: usize,
    ) -> Result<Piece<'i>, HttpError> {
        loop {
            if self.step == Step::Data {
                let length = usize::try_from(self.left).unwrap_or(usize::MAX);
                let Some(data) = take(input, length) else {
                    return Ok(Piece::Nothing);
                };
                self.left -= data.len() as u64;
                if self.left == 0 {
                    self.step = Step::DataCr;
                }
                return Ok(Piece::Data(data));
            }
            let Some((&byte, rest)) = input.split_first() else {
                return Ok(Piece::Nothing);
            };
            *input = rest;
            let first = self.step == Step::FirstDigit;
            self.step = self.framing_byte(byte)?;
            if self.trailer_bytes > trailer_limit {
                return Err(HttpError::HeadTooLong(trailer_limit));
            }
            if self.step == Step::Ended {
                return Ok(Piece::End);
            }
            if first {
                return Ok(Piece::SizeLine);
            }
        }
    }

    fn framing_byte(&mut self, byte: u8) -> Result<Step, HttpError> {
        Ok(match self.step {
            Step::FirstDigit => {
                self.left = hex(byte).ok_or(HttpError::Chunk("a chunk size is missing"))?;
                Step::Digits
            }
            Step::Digits => match (hex(byte), byte) {
                (Some(digit), _) => {
                    self.left = self
                        .left
                        .checked_mul(16)
                        .ok_or(HttpError::Chunk("a chunk size overflows"))?
                        + digit;
                    Step::Digits
                }
                (None, b'\r') => Step::SizeLf,
                (None, b';' | b' ' | b'\t') => {
                    self.skipped = 0;
                    Step::Extension
                }
                (None, _) => return Err(HttpError::Chunk("a chunk size is not hexadecimal")),
            },
            Step::Extension => match byte {
                b'\r' => Step::SizeLf,
                b'\n' => return Err(HttpError::Chunk("a bare line feed in a chunk-size line")),
                _ if self.skipped >= MAX_CHUNK_EXTENSION => {
                    return Err(HttpError::ExtensionTooLong);
                }
                _ => {
                    self.skipped += 1;
                    Step::Extension
                }
            },
            Step::SizeLf if byte == b'\n' && self.left == 0 => Step::TrailerStart,
            Step::SizeLf if byte == b'\n' => Step::Data,
            Step::SizeLf => return Err(HttpError::Chunk("a chunk-size line ends without CRLF")),
            Step::DataCr if byte == b'\r' => Step::DataLf,
            Step::DataLf if byte == b'\n' => Step::FirstDigit,
            Step::DataCr | Step::DataLf => {
                return Err(HttpError::Chunk("a chunk's data ends without CRLF"));
            }
            Step::TrailerStart if byte == b'\r' => Step::LastLf,
            Step::TrailerStart if byte == b'\n' => Step::Ended,
            Step::TrailerStart | Step::TrailerLine => {
                self.trailer_bytes += 1;
                if byte == b'\n' {
                    Step::TrailerStart
                } else {
                    Step::TrailerLine
                }
            }
            Step::LastLf if byte == b'\n' => Step::Ended,
            Step::LastLf => return Err(HttpError::Chunk("the trailers end without CRLF")),
            Step::Data | Step::Ended => self.step,
        })
    }
}

fn hex(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}
