//! Paths in code, and the trees of paths that `use` has.
//!
//! Reads what stands there; it does not know what a path leads to.

/// The path that begins here, or those of the tree that does, one by one.
pub(super) fn paths_at(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    expand(text, &[], &mut found);
    found
}

/// Reads one path or tree of paths; returns the bytes that it takes.
fn expand(text: &str, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &text[at..];
        if rest.starts_with('*') {
            at += 1;
            break;
        }
        if rest.starts_with('{') {
            at += 1;
            loop {
                at += expand(&text[at..], &path, found);
                let rest = text[at..].trim_start();
                at = text.len() - rest.len();
                match rest.chars().next() {
                    Some(',') => at += 1,
                    Some('}') => return at + 1,
                    _ => return at,
                }
            }
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let word: String = rest.chars().take_while(|c| is_word(*c)).collect();
        at += word.len();
        if !word.is_empty() {
            path.push(word);
        }
        if !text[at..].starts_with("::") {
            break;
        }
        at += 2;
    }
    if path.len() > before.len() || path.len() > 1 {
        found.push(path);
    }
    // `as name` and `*` do not matter to who is used.
    let rest = &text[at..];
    let end = rest.find([',', '}', ';', '\n']).unwrap_or(0);
    at + match rest.trim_start().starts_with("as ") {
        true => end,
        false => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let found: Vec<String> = paths_at(text).iter().map(|path| path.join("::")).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn trees_are_taken_apart() {
        check("a::b(c)", &["a::b"]);
        check(
            "a::{self, b::{C as D, E}, f::*};",
            &["a::self", "a::b::C", "a::b::E", "a::f"],
        );
        check("a::{\n    B,\n    C,\n};\nx::y", &["a::B", "a::C"]);
    }
}
