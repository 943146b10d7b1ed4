//! Characters that stand for broken bytes.
//!
//! Invariant: a text that speaks of such a character, in quotes, is sound.

/// It holds characters that stand for broken bytes, or that control terminals. The last character of an answer that was
/// cut may be half of one.
pub(super) fn has_broken(text: &str, cut: bool) -> bool {
    let text = match cut {
        true => text.trim_end_matches('\u{fffd}'),
        false => text,
    };
    let mut before = None;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if is_broken(character) && !is_quoted(before, characters.peek().copied()) {
            return true;
        }
        before = Some(character);
    }
    false
}

fn is_broken(character: char) -> bool {
    let control = character.is_control() && !matches!(character, '\n' | '\r' | '\t' | '\u{c}');
    character == '\u{fffd}' || control
}

fn is_quoted(before: Option<char>, behind: Option<char>) -> bool {
    let opens = |c| matches!(c, '"' | '\'' | '`' | '(' | '“' | '‘' | '«' | '„');
    let closes = |c| matches!(c, '"' | '\'' | '`' | ')' | '”' | '’' | '»' | '“');
    before.is_some_and(opens) && behind.is_some_and(closes)
}
