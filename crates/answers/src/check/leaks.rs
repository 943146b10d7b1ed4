//! What should not be seen in an answer: reasoning, calls as they are written, and tokens of templates.
//!
//! Invariant: who speaks of such a token, in quotes or in a block of code, leaks nothing.

/// Tokens that are written with other signs than `<|` and `|>`.
const TOKENS: [&str; 15] = [
    "<think>",
    "</think>",
    "<thinking>",
    "</thinking>",
    "◁think▷",
    "◁/think▷",
    "[THINK]",
    "[/THINK]",
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "<tool_call>",
    "</tool_call>",
    "<start_of_turn>",
    "<end_of_turn>",
];
/// The word that a template puts between reasoning and answer, where its tokens were left out.
const BARE: &str = "assistantfinal";
/// Characters between `<|` and `|>`.
const LONGEST_NAME: usize = 32;
/// A fence of a block of code.
const FENCE: &str = "```";

/// Nothing of it can be seen.
pub(super) fn is_blank(text: &str) -> bool {
    let unseen = |c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    text.chars().all(unseen)
}

/// It shows reasoning, or a token of a template.
pub(super) fn leaks(content: &str) -> bool {
    let (mut place, mut in_code) = (0, false);
    let signs = ['<', '[', '◁', '`'];
    while let Some(found) = content[place..].find(signs) {
        let at = place + found;
        let rest = &content[at..];
        if rest.starts_with(FENCE) {
            in_code = !in_code;
            place = at + FENCE.len();
            continue;
        }
        if !in_code && is_token(rest) && !is_quoted(&content[..at]) {
            return true;
        }
        place = at + rest.chars().next().map_or(1, char::len_utf8);
    }
    content.contains(BARE)
}

fn is_token(rest: &str) -> bool {
    TOKENS.iter().any(|token| rest.starts_with(token)) || is_special(rest)
}

/// `<|name|>`, with plain bars or with wide ones.
fn is_special(rest: &str) -> bool {
    let bar = ['|', '｜'].into_iter().find_map(|bar| {
        let behind = rest.strip_prefix('<')?.strip_prefix(bar)?;
        Some((bar, behind))
    });
    let Some((bar, behind)) = bar else {
        return false;
    };
    let is_name = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':' | '▁');
    let name: usize = behind
        .chars()
        .take(LONGEST_NAME)
        .take_while(is_name)
        .map(char::len_utf8)
        .sum();
    let end = behind[name..].strip_prefix(bar);
    name > 0 && end.is_some_and(|end| end.starts_with('>'))
}

fn is_quoted(before: &str) -> bool {
    let last = before.chars().next_back();
    last.is_some_and(|c| matches!(c, '`' | '"' | '\'' | '“' | '‘' | '«' | '「'))
}
