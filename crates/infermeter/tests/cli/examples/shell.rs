//! Shell text as simple commands: enough of a shell's grammar for what a page shows.

/// A word, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// Without its quotes.
    pub text: String,
    /// Its first byte.
    pub begin: usize,
    /// The byte behind it.
    pub end: usize,
}

/// A command with its words: none of the operators, redirections and assignments around it.
#[derive(Debug, Clone, PartialEq)]
pub struct Simple {
    /// The words; there is one at least.
    pub words: Vec<Word>,
}

impl Simple {
    /// Whether it runs this program, wherever that lies.
    pub fn is_of(&self, program: &str) -> bool {
        name(&self.words[0].text) == program
    }

    /// The words' texts, the program without its folder.
    pub fn texts(&self) -> Vec<String> {
        let mut texts: Vec<String> = self.words.iter().map(|word| word.text.clone()).collect();
        texts[0] = name(&texts[0]).to_owned();
        texts
    }
}

/// The commands of a text, in order.
pub fn commands(text: &str) -> Vec<Simple> {
    let mut reader = Reader {
        text,
        at: 0,
        words: Vec::new(),
        commands: Vec::new(),
        redirected: false,
    };
    while let Some(c) = reader.peek() {
        reader.step(c);
    }
    reader.end();
    reader.commands
}

/// The name of a program, without the folder that it lies in.
fn name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    words: Vec<Word>,
    commands: Vec<Simple>,
    /// The next word is a file.
    redirected: bool,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn step(&mut self, c: char) {
        let rest = &self.text[self.at..];
        match c {
            '\\' if rest.starts_with("\\\n") => self.at += 2,
            ' ' | '\t' => self.at += 1,
            '#' => self.at += rest.find('\n').unwrap_or(rest.len()),
            '\n' | ';' | '|' | '&' | '(' | ')' => {
                self.end();
                self.at += 1;
            }
            '>' | '<' => {
                self.redirected = true;
                self.at += rest.len() - rest.trim_start_matches(['>', '<', '&']).len();
            }
            _ => self.word(),
        }
    }

    fn word(&mut self) {
        let begin = self.at;
        let mut text = String::new();
        while let Some(c) = self.peek() {
            let rest = &self.text[self.at + c.len_utf8()..];
            match c {
                ' ' | '\t' | '\n' | ';' | '|' | '&' | '(' | ')' | '<' | '>' => break,
                '\\' if rest.starts_with('\n') => break,
                '\\' => {
                    text.extend(rest.chars().next());
                    self.at += 1 + rest.chars().next().map_or(0, char::len_utf8);
                }
                '\'' | '"' => {
                    let inner = rest.find(c).unwrap_or(rest.len());
                    text.push_str(&rest[..inner]);
                    self.at += inner + 2;
                }
                c => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        self.at = self.at.min(self.text.len());
        // The 2 of `2>` is no word.
        let number = text.parse::<u8>().is_ok() && self.text[self.at..].starts_with('>');
        if !number && !std::mem::take(&mut self.redirected) {
            let end = self.at;
            self.words.push(Word { text, begin, end });
        }
    }

    fn end(&mut self) {
        self.redirected = false;
        let mut words = std::mem::take(&mut self.words);
        let assigned = |word: &Word| {
            let name = word.text.split_once('=').map_or("", |(name, _)| name);
            !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        };
        let own = words
            .iter()
            .position(|word| !assigned(word))
            .unwrap_or(words.len());
        words.drain(..own);
        if !words.is_empty() {
            self.commands.push(Simple { words });
        }
    }
}

#[test]
fn text_is_taken_apart() {
    let check = |text: &str, expect: &[&[&str]]| {
        let found: Vec<Vec<String>> = commands(text).iter().map(Simple::texts).collect();
        assert_eq!(found, expect, "{text}");
    };
    check("a b 'c d' \"e $f\"\n", &[&["a", "b", "c d", "e $f"]]);
    check("a \\\n  --b c # d\ne", &[&["a", "--b", "c"], &["e"]]);
    check(
        "a > b.txt 2>&1 | c && d; e",
        &[&["a"], &["c"], &["d"], &["e"]],
    );
    check("A=b c d >> e\n\n", &[&["c", "d"]]);
    check("a 'x?y&z' b=c", &[&["a", "x?y&z", "b=c"]]);
    check(
        "case $? in\n  0) echo ok ;;\nesac",
        &[&["case", "$?", "in"], &["0"], &["echo", "ok"], &["esac"]],
    );
}
