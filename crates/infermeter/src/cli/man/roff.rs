//! A text in the man macros of roff, as both groff and mandoc read them.
//!
//! Invariant: no text of a table is taken for a command of roff: backslashes, dashes and what begins a line with a dot or an
//! apostrophe are escaped.

/// A page that is being written.
#[derive(Debug, Clone)]
pub(super) struct Roff(String);

impl Roff {
    /// A page of section 1. It has no date: the same program makes the same page.
    pub fn titled(name: &str, version: &str) -> Self {
        let name = escaped(&name.to_ascii_uppercase());
        Self(format!(
            ".TH \"{name}\" \"1\" \"\" \"infermeter {version}\" \"infermeter manual\"\n.nh\n.ad l\n"
        ))
    }

    /// A heading.
    pub fn section(&mut self, heading: &str) {
        self.0.push_str(&format!(".SH {heading}\n"));
    }

    /// A heading within a section.
    pub fn subsection(&mut self, heading: &str) {
        self.0.push_str(&format!(".SS {}\n", escaped(heading)));
    }

    /// A line of roff, as it stands.
    pub fn line(&mut self, roff: &str) {
        self.0.push_str(roff);
        self.0.push('\n');
    }

    /// A paragraph of plain text.
    pub fn paragraph(&mut self, text: &str) {
        self.begin_paragraph();
        self.line(&protected(&escaped(text)));
    }

    /// A term of roff, and plain text beside it.
    pub fn entry(&mut self, term: &str, text: &str) {
        self.0.push_str(".TP\n");
        self.line(term);
        self.line(&protected(&escaped(text)));
    }

    /// Lines as they stand, in a paragraph each.
    pub fn code(&mut self, lines: &[&str]) {
        for line in lines {
            self.begin_paragraph();
            self.0.push_str(".nf\n");
            self.line(&protected(&escaped(line)));
            self.0.push_str(".fi\n");
        }
    }

    /// A heading begins one by itself.
    fn begin_paragraph(&mut self) {
        let last = self.0.lines().last().unwrap_or_default();
        if !last.starts_with(".S") {
            self.0.push_str(".PP\n");
        }
    }

    /// The text.
    pub fn ended(self) -> String {
        self.0
    }
}

/// Plain text in bold.
pub(super) fn bold(text: &str) -> String {
    format!("\\fB{}\\fR", escaped(text))
}

/// Plain text in italics.
pub(super) fn italic(text: &str) -> String {
    format!("\\fI{}\\fR", escaped(text))
}

/// Plain text without what roff would take for its own. A dash stays a dash that can be copied.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '\n' => escaped.push(' '),
            // Quotes that stay what they are, wherever the page is shown.
            '\'' => escaped.push_str("\\(aq"),
            '^' => escaped.push_str("\\(ha"),
            '~' => escaped.push_str("\\(ti"),
            '`' => escaped.push_str("\\(ga"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line that begins no command.
fn protected(line: &str) -> String {
    match line.starts_with('.') {
        true => format!("\\&{line}"),
        false => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let check = |text: &str, expect: &str| assert_eq!(escaped(text), expect);
        check("--rate", "\\-\\-rate");
        check("a\\b", "a\\eb");
        check("'ttft.p99<500ms'", "\\(aqttft.p99<500ms\\(aq");
        let mut page = Roff::titled("a-b", "1.0");
        page.paragraph(".not a command");
        let text = page.ended();
        assert!(
            text.starts_with(".TH \"A\\-B\" \"1\" \"\" \"infermeter 1.0\""),
            "{text}"
        );
        assert!(text.ends_with(".PP\n\\&.not a command\n"), "{text}");
    }
}
