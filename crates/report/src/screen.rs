//! Colour and width of a screen.
//!
//! It does not look at the environment: who prints says what there is.

use crate::characters::Charset;

/// What a document is rendered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Use ANSI colours. Everything is readable without.
    pub color: bool,
    /// Columns to wrap at; at least `Screen::LEAST` are used.
    pub width: usize,
    /// The characters that it shows.
    pub charset: Charset,
}

impl Default for Screen {
    /// A file: no colour, 100 columns.
    fn default() -> Self {
        Self {
            color: false,
            width: 100,
            charset: Charset::Unicode,
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

impl Screen {
    /// Columns below which nothing is laid out any more.
    pub(crate) const LEAST: usize = 40;

    /// Columns beyond which prose is hard to read; tables use all there are.
    const PROSE: usize = 120;

    /// The columns in use.
    pub(crate) fn columns(self) -> usize {
        self.width.max(Self::LEAST)
    }

    /// The columns that running text uses.
    pub(crate) fn prose(self) -> usize {
        self.columns().min(Self::PROSE)
    }

    /// `text` in the colour of `role`.
    pub(crate) fn paint(self, role: Role, text: &str) -> String {
        if !self.color || text.is_empty() {
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
}
