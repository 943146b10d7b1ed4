//! The inside of JSON strings: finding its end while validating it, and decoding escapes.

/// Scans from behind an opening quote to the closing one, or to the end of the input. Length and
/// whether an escape occurs; `Err` is the position of a control character or a bad escape.
pub(super) fn scan(bytes: &[u8]) -> Result<(usize, bool), usize> {
    let mut at = 0;
    let mut escaped = false;
    loop {
        at += plain_prefix(bytes.get(at..).unwrap_or_default());
        match bytes.get(at) {
            None | Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                at += escape_length(bytes.get(at + 1..).unwrap_or_default()).ok_or(at)? + 1;
            }
            Some(_) => return Err(at),
        }
    }
}

/// Bytes before the first quote, backslash or control character; eight at a time.
#[inline]
pub(super) fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut length = 0;
    let (words, tail) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        // A byte below n (n <= 128) borrows from its high bit in `word - ONES * n`; a byte with
        // its own high bit set is excluded by `!word`. Only the lowest hit is exact.
        let quote = word ^ (ONES * 0x22);
        let backslash = word ^ (ONES * 0x5c);
        let hits = (word.wrapping_sub(ONES * 0x20) & !word)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        let hits = hits & HIGHS;
        if hits != 0 {
            return length + (hits.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length
        + tail
            .iter()
            .position(|b| matches!(b, b'"' | b'\\' | 0..0x20))
            .unwrap_or(tail.len())
}

/// Length of the escape behind its backslash.
fn escape_length(rest: &[u8]) -> Option<usize> {
    match rest.first()? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(1),
        b'u' => rest
            .get(1..5)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .then_some(5),
        _ => None,
    }
}

/// Appends the text of a scanned string body: escapes decoded, what is no Unicode text (lone
/// surrogates, invalid UTF-8) replaced by U+FFFD. What is appended is always UTF-8.
pub(crate) fn append_decoded(body: &[u8], escaped: bool, out: &mut Vec<u8>) {
    if !escaped {
        append_utf8(body, out);
        return;
    }
    let mut rest = body;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at(at);
        append_utf8(plain, out);
        let (decoded, used) = decode_escape(escape);
        append_utf8(decoded.encode_utf8(&mut [0; 4]).as_bytes(), out);
        rest = escape.get(used..).unwrap_or_default();
    }
    append_utf8(rest, out);
}

fn append_utf8(bytes: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(bytes) {
        Ok(_) => out.extend_from_slice(bytes),
        Err(_) => out.extend_from_slice(String::from_utf8_lossy(bytes).as_bytes()),
    }
}

/// Decodes the escape at the start; the character and the bytes used (a surrogate pair takes
/// both halves).
fn decode_escape(escape: &[u8]) -> (char, usize) {
    let simple = match escape.get(1) {
        Some(b'u') => {
            let first = unit(escape).unwrap_or(0xfffd);
            let second = escape.get(6..).and_then(unit);
            return match (char::from_u32(first), second) {
                (Some(c), _) => (c, 6),
                (None, Some(low @ 0xdc00..0xe000)) if first < 0xdc00 => {
                    let code = 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
                    (char::from_u32(code).unwrap_or('\u{fffd}'), 12)
                }
                (None, _) => ('\u{fffd}', 6),
            };
        }
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(other) => char::from(*other),
        None => '\u{fffd}',
    };
    (simple, 2)
}

/// The code unit of a `\uXXXX` at the start.
fn unit(escape: &[u8]) -> Option<u32> {
    let digits = escape.strip_prefix(b"\\u")?.get(..4)?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
