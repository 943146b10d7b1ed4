//! Words of command lines as they are kept and printed: the values of flags and variables that name a secret are hidden.
//!
//! Knows no program's flags: a name tells. Reads the quotes of a shell and nothing else of it. Invariant: words without
//! such a name, and the space between words, stay as they are.

use super::{HIDDEN, redact_header, redact_path, redact_url, redact_value};
use serde_json::Value;

/// Ends of the parts of a name that mark a secret: `--api-key`, `HF_TOKEN`; not `--max-tokens`, not `--tokenizer`.
const SECRET: [&str; 11] = [
    "key",
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "auth",
    "credential",
    "credentials",
    "cookie",
    "bearer",
];
/// Last parts of names that say where a secret is, and not what it is.
const PLACES: [&str; 4] = ["file", "path", "env", "dir"];

/// What the value of a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Header,
    Json,
    Path,
    Secret,
}

/// A command line of this program, word by word.
pub fn redact_words(words: &[String]) -> Vec<String> {
    let mut before = None;
    words.iter().map(|word| shown(word, &mut before)).collect()
}

/// A text for `sh -c`.
pub fn redact_command(text: &str) -> String {
    let mut before = None;
    let mut made = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.trim_start();
        made.push_str(&rest[..rest.len() - word.len()]);
        let end = end_of_word(word);
        if end > 0 {
            made.push_str(&shown(&word[..end], &mut before));
        }
        rest = &word[end..];
    }
    made
}

/// Where the first word of a text ends: at white space outside quotes.
fn end_of_word(text: &str) -> usize {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            _ if escaped => escaped = false,
            (None | Some('"'), '\\') => escaped = true,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, _) if c.is_whitespace() => return at,
            (None | Some(_), _) => {}
        }
    }
    text.len()
}

/// A word as it is shown; `before` is what the word before it says of it.
fn shown(word: &str, before: &mut Option<Holds>) -> String {
    if let Some(holds) = before.take()
        && !word.starts_with("--")
    {
        return hidden(holds, word);
    }
    if let Some(inner) = quoted(word)
        && inner.contains(char::is_whitespace)
    {
        // As behind `sh -c`.
        let quote = &word[..1];
        return format!("{quote}{}{quote}", redact_command(inner));
    }
    let bare = word.trim_start_matches(['"', '\'']);
    let (name, value) = match bare.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (bare, None),
    };
    let is_flag = name.starts_with('-');
    match (holds(name), value) {
        (Some(holds), Some(value)) => format!("{name}={}", hidden(holds, value)),
        (Some(holds), None) if is_flag => {
            *before = Some(holds);
            word.to_owned()
        }
        // Its value may stand in the same word: -H'Name: value'.
        _ if name.starts_with("-H") && bare.contains(':') => format!("-H{HIDDEN}"),
        _ if word.contains("://") || has_user(word) => redact_url(word),
        _ => word.to_owned(),
    }
}

/// `user:password@host`.
fn has_user(word: &str) -> bool {
    word.split_once('@')
        .is_some_and(|(user, _)| user.contains(':'))
}

/// What stands between the quotes of a word that is quoted as a whole.
fn quoted(word: &str) -> Option<&str> {
    let of = |quote: char| word.strip_prefix(quote)?.strip_suffix(quote);
    of('\'').or_else(|| of('"'))
}

fn holds(name: &str) -> Option<Holds> {
    if name == "-H" {
        return Some(Holds::Header);
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let name = name.to_ascii_lowercase().replace('_', "-");
    let name = name.trim_start_matches('-');
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    let mut parts = name.split('-');
    let is_place = parts
        .clone()
        .next_back()
        .is_some_and(|last| PLACES.contains(&last));
    let is_secret = parts.any(|part| SECRET.iter().any(|end| part.ends_with(end)));
    match name {
        "header" | "headers" => Some(Holds::Header),
        "extra-body" | "extra-request-body" => Some(Holds::Json),
        "endpoint-path" => Some(Holds::Path),
        _ => (is_secret && !is_place).then_some(Holds::Secret),
    }
}

fn hidden(holds: Holds, value: &str) -> String {
    match holds {
        Holds::Header => redact_header(value.trim_matches(['"', '\''])),
        Holds::Json => match serde_json::from_str::<Value>(quoted(value).unwrap_or(value)) {
            Ok(mut members) => {
                redact_value(&mut members);
                members.to_string()
            }
            Err(_) => HIDDEN.to_owned(),
        },
        Holds::Path => redact_path(value),
        Holds::Secret => HIDDEN.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        assert_eq!(redact_command(text), expect);
    }

    #[test]
    fn what_names_a_secret_is_hidden_in_words_of_this_program() {
        let words = [
            "run",
            "http://me:pw@host/v1",
            "--header",
            "Authorization: Bearer abc",
            "--header=X-Tenant: def",
            "-H",
            "X-Key: ghi",
            "--extra-body",
            r#"{"api_key": "jkl", "top_p": 1}"#,
            "--endpoint-path",
            "/chat?api-key=mno",
            "--api-key-file",
            "key.txt",
            "--rate",
            "5",
        ];
        let shown = redact_words(&words.map(str::to_owned)).join(" ");
        for secret in ["pw", "abc", "def", "ghi", "jkl", "mno"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        for plain in [
            "***@host/v1",
            "top_p",
            "key.txt",
            "--rate 5",
            "Authorization: ***",
        ] {
            assert!(shown.contains(plain), "{plain}: {shown}");
        }
    }

    #[test]
    fn what_names_a_secret_is_hidden_in_a_command() {
        check(
            "exec vllm serve m  --api-key sk-1 --port 8000",
            "exec vllm serve m  --api-key *** --port 8000",
        );
        check("vllm --api-key='a b' -x", "vllm --api-key=*** -x");
        check("HF_TOKEN=hf_1 vllm serve m", "HF_TOKEN=*** vllm serve m");
        check(
            "docker run -e HF_TOKEN=hf_1 image",
            "docker run -e HF_TOKEN=*** image",
        );
        check(
            r#"sh -c "vllm --hf-token 'x y' {flags}""#,
            r#"sh -c "vllm --hf-token *** {flags}""#,
        );
        check(r#"vllm --api-key "a\" b" x"#, "vllm --api-key *** x");
    }

    #[test]
    fn what_names_none_stays_as_it_is() {
        for text in [
            "vllm serve llama --max-tokens 5 --tokenizer t --kv-cache-dtype fp8 {flags}",
            r#"X=${HOME} serve --json '{"a": 1}'  --ssl-keyfile k --use-auth --port 1"#,
            "infermeter mock --port 8000 || exit 1",
            "it's not closed",
            "",
        ] {
            check(text, text);
        }
    }
}
