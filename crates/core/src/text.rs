//! Text from outside made inert: nothing that a server says may steer a terminal or a page. And the
//! word, which is ours.

/// A word of our own: borrowed where it is made, owned where it was read from a file.
pub type Word = std::borrow::Cow<'static, str>;

/// Longest name that a message repeats, bytes.
const NAME_BYTES: usize = 80;

/// Ranks that a message names one by one.
const RANKS_NAMED: usize = 8;

/// Digits of a hash that a message repeats: few enough to read, and no two of one launch begin alike by chance.
const HASH_DIGITS: usize = 12;

/// Replaces control characters (escape sequences, line breaks, bidirectional overrides) by
/// visible stand-ins and cuts to `max_bytes` at a character border.
pub fn inert(text: &str, max_bytes: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max_bytes));
    for c in text.chars() {
        let c = inert_char(c);
        if out.len() + c.len_utf8() > max_bytes {
            break;
        }
        out.push(c);
    }
    out
}

fn inert_char(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        c if steers(c) => '\u{fffd}',
        c => c,
    }
}

/// A terminal or a page may act on it instead of showing it.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// [`inert`] for a message of several lines: line breaks stay, and nothing is cut.
pub fn inert_lines(text: &str) -> String {
    let keep = |c| if c == '\n' { c } else { inert_char(c) };
    text.chars().map(keep).collect()
}

/// JSON text that is the same value and steers nothing: what would is written as `\u....`. (Only
/// strings can hold such characters; those below U+0020 are escaped in JSON anyway.)
pub fn inert_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && steers(c) {
            // All of them are in the basic plane: one unit each.
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// [`inert`] for bytes that may not be UTF-8.
pub fn inert_bytes(bytes: &[u8], max_bytes: usize) -> String {
    let end = bytes.len().min(max_bytes.saturating_mul(2));
    inert(&String::from_utf8_lossy(&bytes[..end]), max_bytes)
}

/// A text of whoever as a field of CSV: inert, at most so many bytes, in quotes where it needs them. One that a
/// spreadsheet would take for a formula gets an apostrophe in front.
pub fn csv_field(text: &str, max_bytes: usize) -> String {
    let text = inert(text, max_bytes);
    let text = match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text,
    };
    // A semicolon separates fields where the comma is the decimal mark.
    match text.contains([',', ';', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

/// `A`, `A and B`, `A, B and C`.
pub fn listed(words: &[String]) -> String {
    match words.split_last() {
        None => String::new(),
        Some((one, [])) => one.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// `rank 3`; `ranks 1, 2 and 5`; `ranks 0, 1, 2, 3, 4, 5, 6, 7 and 14 more`.
pub fn ranks(all: &[u32]) -> String {
    let mut named: Vec<String> = all.iter().take(RANKS_NAMED).map(u32::to_string).collect();
    match all.len().saturating_sub(RANKS_NAMED) {
        0 => {}
        more => named.push(format!("{more} more")),
    }
    let noun = if all.len() == 1 { "rank" } else { "ranks" };
    format!("{noun} {}", listed(&named))
}

/// The beginning of a hash or an id, by which people tell two apart.
pub fn short_hash(hash: &str) -> &str {
    hash.get(..HASH_DIGITS).unwrap_or(hash)
}

/// "Did you mean": the known name nearest to `name`, if it is likely to be meant.
pub fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    known
        .map(|candidate| (strsim::jaro_winkler(&name, candidate), candidate))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// What is said of a name that is not among those that there are, with the one that may be meant.
pub fn not_one_of(name: &str, names: &[&str]) -> String {
    let near = closest(name, names.iter().copied());
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let names = names.join(", ");
    format!("`{}` is not one of {names}{near}", inert(name, NAME_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_there_is_told_what_is() {
        let check = |name: &str, expect: &str| {
            assert_eq!(not_one_of(name, &["rate", "duration"]), expect);
        };
        check(
            "raet",
            "`raet` is not one of rate, duration; did you mean `rate`?",
        );
        check("zzz\u{1b}", "`zzz\u{fffd}` is not one of rate, duration");
        let long = not_one_of(&"x".repeat(500), &["rate"]);
        assert!(long.len() < 120, "{long}");
    }

    #[test]
    fn fields_are_quoted_inert_and_no_formulas() {
        let check = |text: &str, expect: &str| assert_eq!(csv_field(text, 32_000), expect);
        check("plain", "plain");
        check("a,b", "\"a,b\"");
        check("a;=1+1", "\"a;=1+1\"");
        check("say \"no\"", "\"say \"\"no\"\"\"");
        check(
            "=HYPERLINK(\"http://x\")",
            "\"'=HYPERLINK(\"\"http://x\"\")\"",
        );
        check("@cmd", "'@cmd");
        check("-1+1", "'-1+1");
        assert!(!csv_field("a\u{1b}[31m", 100).contains('\u{1b}'));
        assert!(csv_field(&"x".repeat(100_000), 32_000).len() < 33_000);
    }

    #[test]
    fn ranks_are_named_or_counted() {
        let first = |n: u32| ranks(&(0..n).collect::<Vec<u32>>());
        assert_eq!(ranks(&[4]), "rank 4");
        assert_eq!(ranks(&[1, 2, 5]), "ranks 1, 2 and 5");
        assert_eq!(first(8), "ranks 0, 1, 2, 3, 4, 5, 6 and 7");
        assert_eq!(first(11), "ranks 0, 1, 2, 3, 4, 5, 6, 7 and 3 more");
    }

    #[test]
    fn a_hash_is_known_by_its_beginning() {
        assert_eq!(short_hash("0123456789abcdef"), "0123456789ab");
        assert_eq!(short_hash("abc"), "abc");
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["rate", "duration", "concurrency"];
        assert_eq!(
            closest("concurency", known.into_iter()),
            Some("concurrency")
        );
        assert_eq!(closest("zzz", known.into_iter()), None);
    }

    #[test]
    fn escape_sequences_lose_their_power() {
        assert_eq!(
            inert("a\u{1b}[31mred\nb\u{202e}", 100),
            "a\u{fffd}[31mred b\u{fffd}"
        );
    }

    #[test]
    fn a_message_keeps_its_lines_and_loses_the_rest() {
        assert_eq!(
            inert_lines("one\n\u{9b}31mtwo\r\u{1b}"),
            "one\n\u{fffd}31mtwo \u{fffd}"
        );
    }

    #[test]
    fn json_that_is_inert_is_the_same_value() {
        let value = serde_json::json!({"a\u{85}": "\u{1b}[31m\u{202e}\u{7f}\n"});
        let text = inert_json(&format!("{value:#}"));
        assert!(!text.chars().any(|c| c != '\n' && steers(c)), "{text}");
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).ok(),
            Some(value)
        );
    }

    #[test]
    fn cuts_at_a_character_border() {
        assert_eq!(inert("aé", 2), "a");
    }
}
