//! Calls with their texts (`--texts plain`): lines of Mooncake's form with `messages` or `text_input`.
//!
//! Invariant: texts are written as the log has them, in the form of the chat API; sessions are numbers all the same.

use super::call::Said;
use super::chat::with_content;
use super::spill::Packed;
use std::io::{self, Write};

/// The member of a line that holds what a call says.
pub(super) fn member(said: &Said<'_>) -> Vec<u8> {
    match said {
        Said::Messages(json) => format!("\"messages\":{}", with_content(json)).into_bytes(),
        Said::Text(text) => {
            let text = serde_json::Value::from(&**text);
            format!("\"text_input\":{text}").into_bytes()
        }
    }
}

/// Writes a line; `offset_ns` is absent where the log has no instants, `delay_ns` where the call waits for
/// none or for several.
pub(super) fn write(
    out: &mut dyn Write,
    call: &Packed,
    offset_ns: Option<i64>,
    delay_ns: Option<i64>,
) -> io::Result<()> {
    let mut line = vec![b'{'];
    line.extend_from_slice(&call.said);
    let ms = |ns: i64| ns / 1_000_000;
    for (name, value) in [
        ("timestamp", offset_ns.map(ms)),
        ("output_length", call.output_tokens.map(i64::from)),
        ("session_id", call.session.map(i64::from)),
        ("delay", delay_ns.map(ms)),
    ] {
        if let Some(value) = value {
            write!(line, ",\"{name}\":{value}")?;
        }
    }
    line.extend_from_slice(b"}\n");
    // A text may hold line breaks only as escapes, messages as JSON between their parts as well.
    let end = line.len() - 1;
    line[..end]
        .iter_mut()
        .filter(|byte| **byte == b'\n')
        .for_each(|byte| *byte = b' ');
    out.write_all(&line)
}
