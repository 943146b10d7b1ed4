//! Words of a shell's command line, and what the shell fills in.
//!
//! Of bash, which runs the scripts; no other shell's rules. Invariant: a shell that reads a quoted text has one word, and it
//! is the text.

use super::LAUNCH;

/// Words that mean something to the shell where a command stands.
const RESERVED: [&str; 18] = [
    "!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until",
    "while", "function", "select", "time", "coproc",
];

/// A text as one word. What needs no quotes gets none.
pub(super) fn quoted(text: &str) -> String {
    // No `=` and no `~`: in front of a command they would be an assignment and a home.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+:,./-".contains(c);
    let bare = !text.is_empty() && text.chars().all(plain) && !RESERVED.contains(&text);
    match bare {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The same where `{launch}` stands for a variable of the shell.
pub(super) fn with_launch(text: &str, variable: &str) -> String {
    let parts = text.split(LAUNCH).map(|part| match part {
        "" => String::new(),
        part => quoted(part),
    });
    let filled = format!("\"${{{variable}}}\"");
    parts.collect::<Vec<String>>().join(&filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// What a shell makes of a line: its words, by `printf`.
    fn words(line: &str) -> Vec<String> {
        let script = format!("LAUNCH='7 x'; printf '%s\\0' {line}");
        let ran = Command::new("bash").args(["-c", &script]).output();
        let ran = ran.expect("a shell");
        assert!(ran.status.success(), "{line}: {ran:?}");
        let text = String::from_utf8(ran.stdout).expect("UTF-8");
        let mut words: Vec<String> = text.split('\0').map(str::to_owned).collect();
        assert_eq!(words.pop().as_deref(), Some(""));
        words
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_shell_reads_every_word_as_it_was(
            // Everything but NUL, which no command line can hold; what a shell looks at is frequent.
            all in prop::collection::vec("([ '\"$`\\\\!*?~#&|;<>(){}=\n\t-]|[^\0]){0,12}", 1..8)
        ) {
            let line: Vec<String> = all.iter().map(|word| quoted(word)).collect();
            prop_assert_eq!(words(&line.join(" ")), all);
        }

        #[test]
        fn what_is_filled_in_is_one_word_with_what_stands_around_it(
            before in "[^\0]{0,6}", behind in "[^\0]{0,6}"
        ) {
            prop_assume!(!before.contains(LAUNCH) && !behind.contains(LAUNCH));
            let text = format!("{before}{{launch}}{behind}");
            prop_assume!(text.matches(LAUNCH).count() == 1);
            let expect = vec![format!("{before}7 x{behind}")];
            prop_assert_eq!(words(&with_launch(&text, "LAUNCH")), expect);
        }
    }

    #[test]
    fn what_needs_no_quotes_has_none() {
        let check = |text: &str, expect: &str| assert_eq!(quoted(text), expect);
        check("http://host:8000", "http://host:8000");
        check("--rate", "--rate");
        check("ttft.p99<500ms", "'ttft.p99<500ms'");
        check("it's", r"'it'\''s'");
        check("", "''");
        check("if", "'if'");
        check("A=b", "'A=b'");
    }

    #[test]
    fn a_quoted_word_is_a_command_and_nothing_else() {
        for name in RESERVED.iter().chain(&["A=b", "~", "a b"]) {
            // A program may have such a name: none is looked for.
            let script = format!("PATH=/none; {}", quoted(name));
            let ran = Command::new("bash").args(["-c", &script]).output();
            // 127: there is no such command; a word of the shell would end otherwise.
            let code = ran.expect("a shell").status.code();
            assert_eq!(code, Some(127), "{name}");
        }
    }

    #[test]
    fn a_place_is_filled_in() {
        let check = |text: &str, expect: &str| assert_eq!(with_launch(text, "ID"), expect);
        check("/shared/{launch}", "/shared/\"${ID}\"");
        check("{launch}", "\"${ID}\"");
        check("a b/{launch}/c", "'a b/'\"${ID}\"/c");
        check("/fixed", "/fixed");
    }
}
