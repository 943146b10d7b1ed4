//! Blanks comments, strings and character literals of Rust source, so that what is left is code.
//!
//! It is no parser: it knows where text starts and ends, nothing else. Invariant: the result has
//! the length and the line breaks of the source.

/// The source with everything but code replaced by spaces.
pub(super) fn mask(source: &str) -> String {
    let mut masked = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let (length, is_code) = match text_length(rest) {
            Some(length) => (length, false),
            None => (first.len_utf8(), true),
        };
        let (piece, after) = rest.split_at(length);
        if is_code {
            masked.push_str(piece);
        } else {
            let blank = |b: u8| if b == b'\n' { '\n' } else { ' ' };
            masked.extend(piece.bytes().map(blank));
        }
        rest = after;
    }
    masked
}

/// Length of the comment or literal that starts here, if one does.
fn text_length(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    match rest.as_bytes()[0] {
        b'"' => Some(quoted_length(rest, '"')),
        b'\'' => character_length(rest),
        b'r' => raw_string_length(rest),
        _ => None,
    }
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length up to the closing quote, backslashes skipping what follows them.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// A character literal, told from a lifetime by its closing quote.
fn character_length(rest: &str) -> Option<usize> {
    let second = rest.chars().nth(1)?;
    let end = 1 + second.len_utf8();
    let is_literal = second == '\\' || rest[end..].starts_with('\'');
    is_literal.then(|| quoted_length(rest, '\''))
}

/// `r"..."` or `r#"..."#`. No identifier can stand before: edition 2021 reserves such prefixes.
fn raw_string_length(rest: &str) -> Option<usize> {
    let hashes = rest[1..].bytes().take_while(|b| *b == b'#').count();
    let open = 1 + hashes;
    if rest.as_bytes().get(open) != Some(&b'"') {
        return None;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = &rest[open + 1..];
    let length = body.find(&close).map_or(body.len(), |at| at + close.len());
    Some(open + 1 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: &str) {
        let masked = mask(source);
        assert_eq!(masked.len(), source.len());
        assert_eq!(
            masked.split_whitespace().collect::<Vec<_>>().join(" "),
            expect
        );
    }

    #[test]
    fn text_is_blanked_and_code_is_kept() {
        check("let a = 1; // unsafe", "let a = 1;");
        check("a /* b /* c */ d */ e", "a e");
        check(r#"f("x\"y", b"z") g"#, "f( , b ) g");
        check("f(r#\"a \"quoted\" b\"#, 1)", "f( , 1)");
        check(r"f('{', '\'', '\u{1f}') {", "f( , , ) {");
        check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
        check("let r = r#type;", "let r = r#type;");
        check("let s = \"é\n}\";", "let s = ;");
    }
}
