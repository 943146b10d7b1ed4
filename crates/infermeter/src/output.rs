//! Standard output and standard error. A reader that went away (`| head`) is no error.
//!
//! Invariant: a message or a JSON value steers no terminal, whatever file or server its words are from.

use infermeter_core::text::{inert_json, inert_lines};
use serde::Serialize;
use std::io::Write;

/// Prints text as it is.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Prints a value as JSON.
pub fn json(value: &impl Serialize) {
    let value = serde_json::to_value(value).unwrap_or_default();
    print(&inert_json(&format!("{value:#}\n")));
}

/// Prints a value as JSON in one line.
pub(crate) fn json_line(value: &impl Serialize) {
    let text = serde_json::to_string(value).unwrap_or_default();
    print(&inert_json(&format!("{text}\n")));
}

/// Prints a line on standard error.
pub fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", inert_lines(text));
}

/// Prints an error with its causes, once each.
pub fn complain(error: &anyhow::Error) {
    let mut text = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    note(&format!("error: {text}"));
}
