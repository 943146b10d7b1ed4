//! Colour, width, and lines of text.

use infermeter_core::text::inert;

/// How to render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Use ANSI colours. Everything is readable without.
    pub color: bool,
    /// Columns to wrap at; at least 60 are used.
    pub width: usize,
    /// Which figures are shown.
    pub view: View,
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// The summary.
    #[default]
    Summary,
    /// The summary, and below it every figure of every metric.
    Full,
}

impl Default for Style {
    /// No colour, 110 columns.
    fn default() -> Self {
        Self {
            color: false,
            width: 110,
            view: View::Summary,
        }
    }
}

/// What a piece of text is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Heading,
    Good,
    Doubtful,
    Bad,
    Aside,
}

impl Style {
    /// `text` in the colour of `role`.
    pub(crate) fn paint(self, role: Role, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        let code = match role {
            Role::Heading => "1",
            Role::Good => "32",
            Role::Doubtful => "33",
            Role::Bad => "31",
            Role::Aside => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// The columns in use.
    pub(crate) fn columns(self) -> usize {
        self.width.max(60)
    }

    /// `text` made inert and broken into lines that fit behind an indent of `indent` columns.
    pub(crate) fn wrap(self, indent: usize, text: &str) -> Vec<String> {
        let room = self.columns().saturating_sub(indent).max(20);
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in inert(text, 4096).split_whitespace() {
            let long = line.chars().count() + 1 + word.chars().count() > room;
            if long && !line.is_empty() {
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
        lines
    }

    /// A heading on its own line.
    pub(crate) fn heading(self, text: &str) -> String {
        self.paint(Role::Heading, text)
    }

    /// `  label       text`, wrapped under itself.
    pub(crate) fn entry(self, label: &str, text: &str) -> Vec<String> {
        let wrapped = self.wrap(LABEL_WIDTH + 2, text);
        let lines = wrapped.iter().enumerate();
        lines
            .map(|(i, line)| {
                let label = if i == 0 { label } else { "" };
                let width = LABEL_WIDTH - 1;
                format!("  {label:<width$} {line}")
            })
            .collect()
    }
}

/// Columns of the labels at the left.
pub(crate) const LABEL_WIDTH: usize = 14;

#[cfg(test)]
mod tests {
    use super::Style;

    #[test]
    fn wrapping_keeps_words_and_disarms_escapes() {
        let style = Style {
            width: 60,
            ..Style::default()
        };
        let lines = style.wrap(30, "one two three four five six seven eight \u{1b}[31mnine");
        assert_eq!(lines[0], "one two three four five six");
        assert!(
            lines
                .iter()
                .all(|l| l.chars().count() <= 30 && !l.contains('\u{1b}'))
        );
    }
}
