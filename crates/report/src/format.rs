//! The forms in which a document is shown.
//!
//! A new form is a file with a function from a document to text, and a row here.

use crate::document::Document;
use crate::screen::Screen;
use crate::{html, markdown, terminal};

/// A form of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For a terminal, wrapped at its width.
    #[default]
    Terminal,
    /// For an issue, a pull request or a page.
    Markdown,
    /// A page that needs nothing else.
    Html,
}

impl Format {
    /// Every form.
    pub const ALL: [Self; 3] = [Self::Terminal, Self::Markdown, Self::Html];

    /// Its name, as `--format` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }

    /// The document in this form. Ends with a line break.
    pub fn render(self, document: &Document, screen: Screen) -> String {
        match self {
            Self::Terminal => terminal::render(document, screen),
            Self::Markdown => markdown::render(document),
            Self::Html => html::render(document),
        }
    }
}
