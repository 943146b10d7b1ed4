//! Markers: short words that no text holds by chance, one for each request that is asked to say one.
//!
//! Invariant: a marker that is made is found again, whatever stands around it.

use infermeter_core::seed::splitmix64;

/// Letters and digits that are not taken for each other.
const LETTERS: &[u8; 29] = b"ABCDEFGHJKLMNPQRTUVWXYZ234679";

/// Bytes of a marker: `[[` six characters, a dash, six, `]]`.
const LENGTH: usize = 17;

/// The marker of a key.
pub fn marker(key: u64) -> String {
    let mut bits = splitmix64(key ^ 0x6d61_726b_6d61_726b);
    let mut text = String::from("[[");
    for place in 0..12 {
        if place == 6 {
            text.push('-');
            bits = splitmix64(bits);
        }
        text.push(char::from(LETTERS[(bits % LETTERS.len() as u64) as usize]));
        bits /= LETTERS.len() as u64;
    }
    text.push_str("]]");
    text
}

/// All markers of a text, in order.
pub(crate) fn find_all(text: &str) -> impl Iterator<Item = &str> {
    let starts = text.match_indices("[[").map(|(start, _)| start);
    starts.filter_map(|start| {
        let found = text.get(start..start + LENGTH)?;
        is_marker(found.as_bytes()).then_some(found)
    })
}

fn is_marker(bytes: &[u8]) -> bool {
    let is_letter =
        |range: std::ops::Range<usize>| bytes[range].iter().all(|b| LETTERS.contains(b));
    bytes.len() == LENGTH
        && bytes.ends_with(b"]]")
        && bytes[8] == b'-'
        && is_letter(2..8)
        && is_letter(9..15)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_is_made_is_found_and_differs() {
        let made: BTreeSet<String> = (0..2_000).map(marker).collect();
        assert_eq!(made.len(), 2_000);
        for marker in made.iter().take(50) {
            let text = format!("Sure: **{marker}**, {marker}. [[not one]] [[");
            assert_eq!(find_all(&text).collect::<Vec<_>>(), [marker, marker]);
        }
    }
}
