//! The script for zsh: a function for each command, over `_arguments`.
//!
//! Invariant: a specification stands between single quotes, and what `_arguments` reads in it is escaped.

use super::offered::{Offered, OfferedFlag, OfferedWord, Paths, Takes, Values};
use super::{filled, joined};

const TEXT: &str = include_str!("zsh.zsh");

/// The script.
pub(super) fn script(all: &[Offered]) -> String {
    let functions: String = all.iter().map(function).collect();
    filled(TEXT, &functions, "")
}

fn function(offered: &Offered) -> String {
    let name = match offered.path.as_str() {
        "" => "_infermeter".to_owned(),
        path => format!("_infermeter_{}", path.replace(' ', "_")),
    };
    let (begin, specs) = match offered.commands.is_empty() {
        false => (format!("_infermeter_one_of {name}"), commands(offered)),
        true => (
            "_arguments -S $_infermeter_always".to_owned(),
            specs(offered),
        ),
    };
    let mut text = format!("{name}() {{\n    {begin}");
    for spec in specs {
        text.push_str(&format!(" \\\n        '{}'", spec.replace('\'', "'\\''")));
    }
    text + "\n}\n\n"
}

fn commands(offered: &Offered) -> Vec<String> {
    let commands = offered.commands.iter();
    let one = commands.map(|one| format!("{}:{}", one.name, one.about.replace(':', "\\:")));
    one.collect()
}

fn specs(offered: &Offered) -> Vec<String> {
    let given = |flag: &&OfferedFlag| !["--help", "--version"].contains(&flag.name.as_str());
    let flags = offered.flags.iter().filter(given).map(flag);
    let words = offered.words.iter().zip(1..);
    let words = words.map(|(one, at)| word(one, at));
    flags.chain(words).collect()
}

fn flag(flag: &OfferedFlag) -> String {
    // A flag that is known and not offered has a mark of its own.
    let hidden = if flag.shown { "" } else { "!" };
    let star = if flag.many { "*" } else { "" };
    let begin = format!("{hidden}{star}{}", flag.name);
    let about = escaped(&flag.about);
    let value_name = escaped(flag.value_name);
    // Behind `=` for a long one, in the next word or at once for a letter.
    let joint = if flag.name.starts_with("--") {
        "="
    } else {
        "+"
    };
    match &flag.takes {
        Takes::Nothing => format!("{begin}[{about}]"),
        Takes::Value(values) => {
            format!("{begin}{joint}[{about}]:{value_name}:{}", action(values))
        }
        Takes::Perhaps(values) => format!("{begin}=-[{about}]::{value_name}:{}", action(values)),
    }
}

fn word(word: &OfferedWord, at: usize) -> String {
    let place = match word.many {
        true => "*".to_owned(),
        false => at.to_string(),
    };
    format!(
        "{place}:{}:{}",
        escaped(word.value_name),
        action(&word.values)
    )
}

/// What completes a value.
fn action(values: &Values) -> String {
    let words: Vec<String> = values
        .words
        .iter()
        .map(|word| word.replace(':', "\\:"))
        .collect();
    match (words.is_empty(), values.paths) {
        (true, Paths::None) => " ".to_owned(),
        (true, Paths::Folders) => "_files -/".to_owned(),
        (true, Paths::Files) => "_files".to_owned(),
        (false, Paths::None) => format!("({})", joined(&words)),
        // With a blank in front it is called as it stands here.
        (false, paths) => format!(
            " _infermeter_words_or {} {}",
            paths.as_str(),
            joined(&words)
        ),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if matches!(c, '[' | ']' | ':' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
