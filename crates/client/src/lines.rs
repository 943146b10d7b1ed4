//! JSON lines decoder, sans-IO: each line that is not blank is an event without a name. A line that lies
//! whole in the input is handed out without a copy; one that is split over reads is gathered in a bounded
//! buffer.
//!
//! It does not know what a line means. Invariant: the lines depend on the bytes alone, never on how reads
//! split them.

use crate::limits::KEPT_BUFFER;
use crate::sse::SseError;
use memchr::memchr;

/// Decodes one stream.
#[derive(Debug)]
pub(crate) struct LineDecoder {
    limit: usize,
    line: Vec<u8>,
    /// The gathered line was handed out.
    handed: bool,
}

impl LineDecoder {
    /// A decoder of lines of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            handed: false,
        }
    }

    /// Ready for the next stream; its buffer is kept.
    pub(crate) fn reset(&mut self) {
        self.line.clear();
        self.line.shrink_to(KEPT_BUFFER);
        self.handed = false;
    }

    /// The next line that is not blank; `None` when the input is used up.
    ///
    /// # Errors
    /// A line is too long.
    pub(crate) fn next<'a, 'i: 'a>(
        &'a mut self,
        input: &mut &'i [u8],
    ) -> Result<Option<&'a [u8]>, SseError> {
        if std::mem::take(&mut self.handed) {
            self.line.clear();
        }
        while let Some(end) = memchr(b'\n', input) {
            let (line, rest) = input.split_at(end);
            *input = rest.get(1..).unwrap_or_default();
            self.check(line.len())?;
            if !self.line.is_empty() {
                self.line.extend_from_slice(line);
                if self.line.trim_ascii().is_empty() {
                    self.line.clear();
                    continue;
                }
                self.handed = true;
                return Ok(Some(self.line.trim_ascii()));
            }
            if !line.trim_ascii().is_empty() {
                return Ok(Some(line.trim_ascii()));
            }
        }
        self.check(input.len())?;
        self.line.extend_from_slice(input);
        *input = &[];
        Ok(None)
    }

    /// What stands behind the last line break.
    pub(crate) fn tail(&self) -> &[u8] {
        if self.handed {
            return &[];
        }
        self.line.trim_ascii()
    }

    /// Bytes that are held.
    pub(crate) fn held(&self) -> usize {
        self.line.len()
    }

    fn check(&self, more: usize) -> Result<(), SseError> {
        match self.line.len() + more > self.limit {
            true => Err(SseError::EventTooLong(self.limit)),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LineDecoder;

    #[test]
    fn lines_do_not_depend_on_the_reads() {
        let bytes = b"{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\"";
        for piece in 1..=bytes.len() {
            let mut decoder = LineDecoder::new(100);
            let mut lines = Vec::new();
            for mut input in bytes.chunks(piece) {
                while let Some(line) = decoder.next(&mut input).expect("short lines") {
                    lines.push(line.to_vec());
                }
            }
            assert_eq!(
                lines,
                [&b"{\"a\":1}"[..], b"{\"b\":2}"],
                "pieces of {piece}"
            );
            assert_eq!(decoder.tail(), b"{\"c\"");
        }
    }

    #[test]
    fn a_line_has_a_limit() {
        let mut decoder = LineDecoder::new(4);
        assert!(decoder.next(&mut &b"12345"[..]).is_err());
        let mut decoder = LineDecoder::new(4);
        assert!(decoder.next(&mut &b"12345\n"[..]).is_err());
    }
}
