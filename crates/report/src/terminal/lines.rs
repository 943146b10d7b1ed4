//! Text broken into lines by the columns that it takes on a screen.
//!
//! Invariants: words stay whole, what [`JOIN`] joins stays on one line, and a line is wider than the
//! room only where a single word is.

use crate::number::JOIN;
use crate::screen::{Role, Screen};
use infermeter_core::text::inert;
use unicode_width::UnicodeWidthStr;

/// Longest text of one piece, bytes.
const MOST_BYTES: usize = 4_096;

/// Columns that `text` takes.
pub(super) fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` on one line, steering nothing.
pub(super) fn plain(text: &str) -> String {
    inert(text, MOST_BYTES).replace(JOIN, " ")
}

/// `text` filled up to `columns` on the right.
pub(super) fn padded(text: &str, columns: usize) -> String {
    let room = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(room))
}

/// The lines of `text`, each of at most `room` columns where its words allow it.
pub(super) fn wrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in inert(text, MOST_BYTES)
        .split(' ')
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() && width(&line) + 1 + width(word) > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    for line in &mut lines {
        *line = line.replace(JOIN, " ");
    }
    lines
}

/// Text that hangs behind what begins its first line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hanging<'a> {
    /// What begins the first line, unpainted.
    pub head: &'a str,
    /// What the head is.
    pub head_role: Option<Role>,
    /// Columns in front of the text.
    pub indent: usize,
    /// What the text is.
    pub role: Option<Role>,
}

impl Hanging<'_> {
    /// The lines of `text`. A head wider than the indent has a line of its own, and so has one beside
    /// which the first word does not fit.
    pub(super) fn lines(self, text: &str, screen: Screen) -> Vec<String> {
        let paint = |role: Option<Role>, text: &str| match role {
            Some(role) => screen.paint(role, text),
            None => text.to_owned(),
        };
        let columns = screen.prose();
        let wrapped = wrap(text, columns.saturating_sub(self.indent).max(1));
        let fits = |line: &String| self.indent + width(line) <= columns;
        let head = paint(self.head_role, self.head.trim_end());
        let beside = width(self.head) <= self.indent && wrapped.first().is_none_or(fits);
        let mut lines = Vec::new();
        if !beside {
            let text = self.head.trim_start();
            let indent = width(self.head) - width(text);
            lines.extend(paragraph(text, indent, self.head_role, screen));
        }
        for (i, line) in wrapped.iter().enumerate() {
            // A word that is too long for its room moves to the left.
            let indent = self.indent.min(columns.saturating_sub(width(line)));
            let text = paint(self.role, line);
            lines.push(if beside && i == 0 {
                let gap = self.indent - width(self.head.trim_end());
                format!("{head}{}{text}", " ".repeat(gap))
            } else {
                format!("{}{text}", " ".repeat(indent))
            });
        }
        if lines.is_empty() && !head.is_empty() {
            lines.push(head);
        }
        lines
    }
}

/// A paragraph behind `indent` columns.
pub(super) fn paragraph(
    text: &str,
    indent: usize,
    role: Option<Role>,
    screen: Screen,
) -> Vec<String> {
    let hanging = Hanging {
        head: "",
        head_role: None,
        indent,
        role,
    };
    hanging.lines(text, screen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrapping_keeps_words_and_disarms_escapes() {
        let lines = wrap("one two three four five six seven eight \u{1b}[31mnine", 30);
        assert_eq!(lines[0], "one two three four five six");
        let fits = |l: &String| width(l) <= 30 && !l.contains('\u{1b}');
        assert!(lines.iter().all(fits), "{lines:?}");
    }

    #[test]
    fn a_number_keeps_its_unit_and_an_interval_is_whole() {
        let text = format!("TTFT 41.2{JOIN}ms [40.1,{JOIN}42.3] over all");
        assert_eq!(
            wrap(&text, 12),
            ["TTFT 41.2 ms", "[40.1, 42.3]", "over all"]
        );
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(wrap("聊天 补全 模型", 9), ["聊天 补全", "模型"]);
        assert_eq!(padded("聊天", 6), "聊天  ");
    }

    #[test]
    fn a_word_too_long_for_its_room_moves_to_the_left() {
        let hanging = Hanging {
            head: "  Target",
            head_role: None,
            indent: 16,
            role: None,
        };
        let screen = Screen {
            width: 40,
            ..Screen::default()
        };
        let long = "a".repeat(34);
        let expect = [
            "  Target".to_owned(),
            format!("      {long}"),
            format!("{:16}and more", ""),
        ];
        assert_eq!(hanging.lines(&format!("{long} and more"), screen), expect);
    }
}
