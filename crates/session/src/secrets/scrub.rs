//! Finds secrets in what a server says, in the forms that a careless server, proxy or logger gives
//! them: another case, percent, JSON or HTML escapes (also twice), base64 at any alignment, hex, and
//! broken by characters that nobody sees.
//!
//! It knows no plan. Invariant: what is found is a range of the text as it stands, so that what is left
//! is the server's own words.

mod view;

use crate::redact::HIDDEN;
use infermeter_core::record::{ChunkKind, ChunkTexts};
use std::ops::Range;
use view::View;

/// From this length on a secret is found even if white space breaks it: shorter ones would be found in
/// words that stand beside each other.
const LONG: usize = 12;

/// One secret, in the forms in which it is looked for.
#[derive(Clone)]
pub(super) struct Pattern {
    /// As it stands.
    plain: String,
    /// Without invisible characters and case; then without escapes as well.
    folded: Vec<String>,
    /// Characters of base64 that depend on the secret alone, for each alignment and alphabet.
    base64: Vec<String>,
    is_long: bool,
}

impl Pattern {
    pub(super) fn new(secret: &str) -> Self {
        let view = View::of(secret).visible();
        let mut folded = vec![view.text().to_lowercase()];
        let decoded = view.decoded().decoded().visible().text().to_lowercase();
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        folded.extend([decoded, hex]);
        folded.retain(|form| !form.trim().is_empty());
        folded.dedup();
        Self {
            plain: secret.to_owned(),
            folded,
            base64: base64_forms(secret.as_bytes()),
            is_long: secret.len() >= LONG,
        }
    }

    /// The secret itself.
    pub(super) fn plain(&self) -> &str {
        &self.plain
    }
}

/// Bytes of a text that are looked at together: a view takes many times its text's memory.
const WINDOW: usize = 64 << 10;
/// Bytes that windows share for each byte of the longest secret: every character twice escaped and
/// followed by an invisible one, itself escaped.
const SHARED: usize = 24;

/// Where the secrets stand in a text, in order, apart from each other.
pub(super) fn find(patterns: &[Pattern], text: &str) -> Vec<Range<usize>> {
    let longest = patterns.iter().map(|p| p.plain.len()).max().unwrap_or(0);
    let shared = longest.saturating_mul(SHARED);
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut start: usize = 0;
    loop {
        let end = text.floor_char_boundary(start.saturating_add(WINDOW.max(2 * shared)));
        let window = text.get(start..end).unwrap_or_default();
        let ranges = find_in(patterns, window).into_iter();
        found.extend(ranges.map(|range| start + range.start..start + range.end));
        if end >= text.len() {
            return merged(found);
        }
        start = text.floor_char_boundary(end - shared);
    }
}

fn find_in(patterns: &[Pattern], text: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    for pattern in patterns {
        let plain = text.match_indices(&pattern.plain);
        found.extend(plain.map(|(at, secret)| at..at + secret.len()));
    }
    let visible = View::of(text).visible();
    let has_escapes = text.contains(['%', '\\', '&']);
    let decoded = has_escapes.then(|| visible.decoded().decoded().visible());
    for view in [Some(&visible), decoded.as_ref()].into_iter().flatten() {
        let tight = view.without_spaces();
        let (folded, tight_folded, exact) = (view.folded(), tight.folded(), tight.exact());
        for pattern in patterns {
            for form in &pattern.folded {
                found.extend(folded.ranges(form));
                if pattern.is_long {
                    found.extend(tight_folded.ranges(form));
                }
            }
            for form in &pattern.base64 {
                let ranges = exact.ranges(form);
                found.extend(ranges.map(|range| whole_run(text, range)));
            }
        }
    }
    found
}

/// The text with `***` in the place of these ranges.
pub(super) fn without(text: &str, ranges: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in ranges {
        out.push_str(text.get(from..range.start).unwrap_or_default());
        out.push_str(HIDDEN);
        from = range.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// The texts of an answer's chunks without the secrets, also where one is spread over several chunks;
/// `Some(None)`: they cannot be kept. `None`: there is no secret in them.
pub(super) fn texts_without(
    patterns: &[Pattern],
    texts: &ChunkTexts,
    kinds: impl Fn(usize) -> Option<ChunkKind>,
) -> Option<Option<ChunkTexts>> {
    let Ok(text) = std::str::from_utf8(&texts.bytes) else {
        let lossy = String::from_utf8_lossy(&texts.bytes);
        return (!find(patterns, &lossy).is_empty()).then_some(None);
    };
    // Answers are put together by kind: what is apart here may stand together there.
    let split = ChunkKind::ALL.iter().any(|kind| {
        let of_kind = (0..texts.ends.len()).filter(|i| kinds(*i) == Some(*kind));
        let joined: String = of_kind.map(|i| texts.get(i)).collect();
        joined.len() < text.len() && !find(patterns, &joined).is_empty()
    });
    let ranges = find(patterns, text);
    if ranges.is_empty() {
        return split.then_some(None);
    }
    if split {
        return Some(None);
    }
    let moved = |end: &u32| {
        let end = *end as usize;
        let mut shift = 0_isize;
        for range in ranges.iter().take_while(|range| range.start < end) {
            // Where a chunk ends inside a secret, the stand-in is the first chunk's.
            let gone = range.end.min(end) - range.start;
            shift += HIDDEN.len() as isize - gone as isize;
        }
        u32::try_from(end.saturating_add_signed(shift)).unwrap_or(u32::MAX)
    };
    Some(Some(ChunkTexts {
        bytes: without(text, &ranges).into_bytes(),
        ends: texts.ends.iter().map(moved).collect(),
    }))
}

/// The characters of base64 that a secret determines alone, whatever stands before and behind it.
fn base64_forms(secret: &[u8]) -> Vec<String> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        let first = (before * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        for alphabet in ["+/", "-_"] {
            let text = base64(&bytes, alphabet.as_bytes());
            let core = text.get(first..last).unwrap_or_default().to_owned();
            if !core.is_empty() && !forms.contains(&core) {
                forms.push(core);
            }
        }
    }
    forms
}

/// Base64 without padding; the last two characters of the alphabet differ between its forms.
fn base64(bytes: &[u8], last: &[u8]) -> String {
    const FIRST: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let sign = |index: usize| {
        let sign = FIRST.get(index).or_else(|| last.get(index - FIRST.len()));
        char::from(sign.copied().unwrap_or(b'='))
    };
    let mut out = String::new();
    let (mut bits, mut held) = (0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        held += 8;
        while held >= 6 {
            held -= 6;
            out.push(sign((bits >> held & 63) as usize));
        }
    }
    if held > 0 {
        out.push(sign((bits << (6 - held) & 63) as usize));
    }
    out
}

/// A range of base64 with what is of the same piece: its ends hold parts of the secret, too.
fn whole_run(text: &str, range: Range<usize>) -> Range<usize> {
    let is_sign = |b: &u8| b.is_ascii_alphanumeric() || b"+/-_=".contains(b);
    let (before, behind) = (
        &text.as_bytes()[..range.start],
        &text.as_bytes()[range.end..],
    );
    let before = before.iter().rev().take_while(|b| is_sign(b)).count();
    let behind = behind.iter().take_while(|b| is_sign(b)).count();
    range.start - before..range.end + behind
}

fn merged(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut out: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-Live/42+éß?kEy";

    fn clean(text: &str) -> String {
        let patterns = [Pattern::new(KEY)];
        without(text, &find(&patterns, text))
    }

    #[track_caller]
    fn hidden(echo: &str) {
        let said = clean(&format!("bad key <{echo}>, try again"));
        assert_eq!(said, "bad key <***>, try again", "{echo}");
    }

    #[test]
    fn echoes_in_the_usual_encodings_are_found() {
        hidden(KEY);
        hidden(&KEY.to_uppercase().replace("SS", "ß"));
        hidden(&KEY.to_lowercase());
        let percent: String = KEY.bytes().map(|b| format!("%{b:02X}")).collect();
        hidden(&percent);
        hidden(&percent.replace('%', "%25"));
        hidden("sk-Live%2F42%2B%c3%a9%C3%9F%3FkEy");
        let json: String = KEY
            .encode_utf16()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect();
        hidden(&json);
        hidden(&KEY.replace('/', "\\/"));
        let html: String = KEY.chars().map(|c| format!("&#{};", c as u32)).collect();
        hidden(&html);
        hidden(&KEY.replace('+', "&#x2B;"));
        let hex: String = KEY.bytes().map(|b| format!("{b:02X}")).collect();
        hidden(&hex);
    }

    #[test]
    fn characters_that_nobody_sees_hide_nothing() {
        for sign in [
            "\u{200b}",
            "\u{ad}",
            "\u{2060}",
            "\u{feff}",
            "\u{fffd}",
            "\u{e0041}",
        ] {
            let broken: Vec<String> = KEY.chars().map(String::from).collect();
            hidden(&broken.join(sign));
        }
        hidden(&KEY.replace("42", "4 2"));
        hidden(&KEY.replace("42", "4%E2%80%8B2"));
        hidden(&KEY.replace("42", "4\\u200b2"));
    }

    #[test]
    fn base64_is_found_at_any_alignment() {
        for before in ["", "a", "ab", "user:", "Bearer "] {
            for last in ["+/", "-_"] {
                let bytes = format!("{before}{KEY}{before}");
                hidden(&base64(bytes.as_bytes(), last.as_bytes()));
            }
        }
    }

    #[test]
    fn a_long_text_is_looked_at_piece_by_piece() {
        let percent: String = KEY.bytes().map(|b| format!("%{b:02X}")).collect();
        // Across the first border, across the next, and at the end.
        let near = "é".repeat((WINDOW - 20) / 2);
        let text = format!("{near}{KEY}{near}{percent} {near}{KEY}");
        assert_eq!(clean(&text), format!("{near}***{near}*** {near}***"));
    }

    #[test]
    fn short_secrets_leave_words_alone() {
        let patterns = [Pattern::new("secret")];
        let text = "sec ret, secrecy and a secre";
        assert!(find(&patterns, text).is_empty());
        assert_eq!(
            clean("nothing here: sk-Live/42"),
            "nothing here: sk-Live/42"
        );
    }

    #[test]
    fn a_secret_spread_over_chunks_is_hidden_in_all_of_them() {
        let patterns = [Pattern::new("abcdefgh")];
        let texts = ChunkTexts {
            bytes: b"say abcdefgh now".to_vec(),
            ends: vec![4, 6, 9, 13, 16],
        };
        let kinds = |_| Some(ChunkKind::Text);
        let clean = texts_without(&patterns, &texts, kinds)
            .flatten()
            .expect("texts");
        assert_eq!(clean.bytes, b"say *** now");
        let parts: Vec<&str> = (0..5).map(|i| clean.get(i)).collect();
        assert_eq!(parts, ["say ", "***", "", " ", "now"]);
        // In turns with another kind: together in the saved answer, apart in the stream.
        let kinds = |i| {
            Some(if i == 2 {
                ChunkKind::Reasoning
            } else {
                ChunkKind::Text
            })
        };
        let texts = ChunkTexts {
            bytes: b"abcdXXefgh".to_vec(),
            ends: vec![2, 4, 6, 10],
        };
        assert_eq!(texts_without(&patterns, &texts, kinds), Some(None));
        let harmless = ChunkTexts {
            bytes: b"word".to_vec(),
            ends: vec![4],
        };
        assert_eq!(texts_without(&patterns, &harmless, kinds), None);
    }
}
