//! Plain GET requests to servers of this machine.
//!
//! Knows no TLS and follows nothing. Invariant: an answer is read whole or is an error.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Between two looks at something that is not there yet.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The body of the page at a path.
///
/// # Errors
/// When nobody answers, or with another status than 200.
pub(super) fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| address.to_owned())?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // Version 1.0: no chunks come back.
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream
        .read_to_end(&mut answer)
        .with_context(|| format!("{address}{path}"))?;
    let answer = String::from_utf8(answer).context("an answer that is no text")?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("an answer without a head")?;
    let line = head.lines().next().unwrap_or_default();
    if !line.contains(" 200") {
        bail!("{address}{path}: {line}\n{body}");
    }
    Ok(body.to_owned())
}

/// A path with the values of its query.
pub(super) fn path(base: &str, values: &[(&str, &str)]) -> String {
    let mut path = base.to_owned();
    for (index, (name, value)) in values.iter().enumerate() {
        path.push(if index == 0 { '?' } else { '&' });
        path.push_str(name);
        path.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                    path.push(char::from(byte));
                }
                // Writing to a text cannot fail.
                _ => {
                    let _ = write!(path, "%{byte:02X}");
                }
            }
        }
    }
    path
}

/// The `data` of an answer of Prometheus' API.
///
/// # Errors
/// When it is none, or one that tells an error.
pub(super) fn data(address: &str, path: &str) -> Result<Value> {
    let mut answer: Value = serde_json::from_str(&get(address, path)?)?;
    if answer["status"] != "success" {
        bail!("{path}: {answer}");
    }
    Ok(answer["data"].take())
}
