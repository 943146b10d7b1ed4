//! One Rust file taken apart as far as the rules need it: code without text, and which lines are
//! test code.
//!
//! Follows `#[cfg(test)]` (and `cfg(any(test, ..))`), nothing subtler.

use super::mask::mask;

/// A Rust file.
pub(super) struct RustSource {
    /// The source as it stands.
    pub raw: String,
    /// The source with comments and literals blanked, same length.
    pub code: String,
    /// For each line, whether it is test code.
    pub test_lines: Vec<bool>,
    /// Modules declared for tests alone that live in files of their own.
    pub test_modules: Vec<String>,
}

impl RustSource {
    pub fn new(raw: &str) -> Self {
        let code = mask(raw);
        let mut source = Self {
            raw: raw.to_owned(),
            test_lines: vec![false; code.lines().count()],
            test_modules: Vec::new(),
            code,
        };
        source.find_test_code();
        source
    }

    pub fn mark_all_as_test(&mut self) {
        self.test_lines.fill(true);
    }

    /// Lines that are not test code, with their numbers from 1.
    pub fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines().filter(|(number, _)| !self.is_test(*number))
    }

    /// Every line of code, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().map(|(i, line)| (i + 1, line))
    }

    /// Whether a line (from 1) is test code.
    pub fn is_test(&self, line: usize) -> bool {
        self.test_lines.get(line - 1).copied().unwrap_or(false)
    }

    /// The number (from 1) of the line that holds a byte.
    pub fn line_of(&self, at: usize) -> usize {
        1 + self.code[..at].matches('\n').count()
    }

    /// The variants of `enum name`, in order; empty where there is no such enum.
    pub fn variants(&self, name: &str) -> Vec<String> {
        let head = format!("enum {name} {{");
        let Some(at) = self.code.find(&head) else {
            return Vec::new();
        };
        let open = at + head.len() - 1;
        let body = &self.code[open + 1..block_end(&self.code, open) - 1];
        let mut variants = Vec::new();
        let mut depth = 0_i32;
        for line in body.lines() {
            let word: String = line
                .trim()
                .chars()
                .take_while(|c| c.is_alphanumeric())
                .collect();
            if depth == 0 && word.starts_with(char::is_uppercase) {
                variants.push(word);
            }
            depth += line.matches(['{', '(']).count() as i32;
            depth -= line.matches(['}', ')']).count() as i32;
        }
        variants
    }

    fn find_test_code(&mut self) {
        let mut from = 0;
        while let Some(found) = self.code[from..].find("#[cfg(") {
            let start = from + found;
            let end = start + self.code[start..].find(']').map_or(1, |at| at + 1);
            from = end;
            let condition = &self.code[start..end];
            if !has_word(condition, "test") || condition.contains("not(") {
                continue;
            }
            let item = self.code[end..].trim_start();
            let item = item.strip_prefix("pub ").unwrap_or(item);
            let declaration = item.split(['{', ';']).next().unwrap_or("");
            let is_declaration = item[declaration.len()..].starts_with(';');
            if let Some(module) = declaration.strip_prefix("mod ").filter(|_| is_declaration) {
                self.test_modules.push(module.trim().to_owned());
            }
            let stop = item_end(&self.code, end);
            let lines = self.line_of(start)..=self.line_of(stop - 1);
            self.test_lines[lines.start() - 1..*lines.end()].fill(true);
            from = stop;
        }
    }
}

/// Whether `word` stands in `text` as a whole identifier.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// One past the end of the item that starts at or after `from`: its block's brace or its semicolon.
pub(super) fn item_end(code: &str, from: usize) -> usize {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return block_end(code, at),
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// One past the brace that closes the one at `open`.
fn block_end(code: &str, open: usize) -> usize {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_are_found() {
        let source = RustSource::new(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() { }\n}\nfn c() {}\n\
             #[cfg(any(test, feature = \"x\"))]\npub mod fixture;\n#[cfg(not(test))]\nfn d() {}\n",
        );
        let test: Vec<usize> = (1..=10).filter(|n| source.is_test(*n)).collect();
        assert_eq!(test, [2, 3, 4, 5, 7, 8]);
        assert_eq!(source.test_modules, ["fixture"]);
    }

    #[test]
    fn variants_are_listed() {
        let source = RustSource::new(
            "pub enum Reason {\n    /// One.\n    First,\n    Second { a: u32 },\n    Third {\n        \
             A: u32,\n    },\n}\n",
        );
        assert_eq!(source.variants("Reason"), ["First", "Second", "Third"]);
        assert!(source.variants("Other").is_empty());
    }
}
