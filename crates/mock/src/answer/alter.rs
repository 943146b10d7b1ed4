//! Events with other lines than a good server's: broken, or legal and rare.

use crate::fault::{Fault, LineEnds, Malformation};

/// Appends an event (`data: ...`, a blank line behind it) as a fault leaves it. `struck`: it is the
/// event that a malformation is meant for.
pub(super) fn alter(out: &mut Vec<u8>, event: &[u8], fault: Option<Fault>, struck: bool) {
    match fault {
        Some(Fault::Malformed(kind)) if struck => malform(out, event, kind),
        Some(Fault::LineEnds(ends)) => {
            for byte in event {
                match (byte, ends) {
                    (b'\n', LineEnds::Crlf) => out.extend_from_slice(b"\r\n"),
                    (b'\n', LineEnds::Cr) => out.push(b'\r'),
                    _ => out.push(*byte),
                }
            }
        }
        Some(Fault::Comments) => {
            out.extend_from_slice(b": keep-alive\n\n");
            out.extend_from_slice(event);
        }
        Some(Fault::Pings) => {
            out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
            out.extend_from_slice(event);
        }
        _ => out.extend_from_slice(event),
    }
}

fn malform(out: &mut Vec<u8>, event: &[u8], kind: Malformation) {
    match kind {
        Malformation::BadJson => {
            out.extend_from_slice(&event[..event.len() / 2]);
            out.extend_from_slice(b"\n\n");
        }
        Malformation::NoBlankLine => {
            out.extend_from_slice(event.strip_suffix(b"\n").unwrap_or(event));
        }
        Malformation::NoDataPrefix => {
            // The name of an event may stand in a line before its data.
            const PREFIX: &[u8] = b"data: ";
            let at = event.windows(PREFIX.len()).position(|part| part == PREFIX);
            let (before, behind) = event.split_at(at.unwrap_or(0));
            out.extend_from_slice(before);
            out.extend_from_slice(behind.strip_prefix(PREFIX).unwrap_or(behind));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(fault: &str, expect: &str) {
        let mut out = Vec::new();
        let fault = fault.parse().expect("a fault");
        alter(&mut out, b"data: {\"a\":1}\n\n", Some(fault), true);
        assert_eq!(String::from_utf8(out).expect("text"), expect);
    }

    #[test]
    fn lines_are_changed_as_named() {
        check("malformed=bad-json", "data: {\n\n");
        check("malformed=no-blank-line", "data: {\"a\":1}\n");
        check("malformed=no-data-prefix", "{\"a\":1}\n\n");
        check("line-ends=crlf", "data: {\"a\":1}\r\n\r\n");
        check("line-ends=cr", "data: {\"a\":1}\r\r");
        check("comments", ": keep-alive\n\ndata: {\"a\":1}\n\n");
        check(
            "pings",
            "event: ping\ndata: {\"type\":\"ping\"}\n\ndata: {\"a\":1}\n\n",
        );
        check("no-done", "data: {\"a\":1}\n\n");
    }
}
