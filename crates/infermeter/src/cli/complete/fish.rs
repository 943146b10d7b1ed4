//! The script for fish: a line for each thing that may be completed, with the command that it is of.
//!
//! Invariant: texts stand between single quotes.

use super::offered::{Offered, OfferedFlag, OfferedWord, Paths, Takes, Values};
use super::{filled, joined};

const TEXT: &str = include_str!("fish.fish");
const FLAGS: &str = "@FLAGS@";
const FOLDERS: &str = "'(__fish_complete_directories)'";

/// The script.
pub(super) fn script(all: &[Offered]) -> String {
    let paths = all.iter().filter(|offered| !offered.path.is_empty());
    let paths: Vec<String> = paths
        .map(|offered| quoted(&format!(" {}", offered.path)))
        .collect();
    let lines: String = all.iter().map(lines).collect();
    filled(TEXT, &joined(&paths), "").replace(FLAGS, lines.trim_end())
}

fn lines(offered: &Offered) -> String {
    // Paths begin with a blank there.
    let path = match offered.path.as_str() {
        "" => String::new(),
        path => format!(" {path}"),
    };
    let begin = format!("complete -c infermeter -n '__infermeter_at \"{path}\"'");
    let commands = offered.commands.iter().map(|command| {
        format!(
            "{begin} -a {} -d {}\n",
            command.name,
            quoted(&command.about)
        )
    });
    let words = offered.words.last().into_iter();
    let words = words.flat_map(|last| word(&begin, last));
    let flags = offered.shown().map(|one| flag(&begin, one));
    commands.chain(words).chain(flags).collect()
}

fn word(begin: &str, word: &OfferedWord) -> Vec<String> {
    let more = completing(&word.values);
    match more.is_empty() {
        true => Vec::new(),
        false => vec![format!("{begin}{more}\n")],
    }
}

fn flag(begin: &str, flag: &OfferedFlag) -> String {
    let name = flag.name.trim_start_matches('-');
    let (needs, more) = match &flag.takes {
        Takes::Nothing => ("", String::new()),
        Takes::Perhaps(values) => ("", completing(values)),
        // -x forbids files, -r alone does not.
        Takes::Value(values) if values.paths == Paths::Files => (" -r", completing(values)),
        Takes::Value(values) => (" -x", completing(values)),
    };
    format!(
        "{begin} -l {name}{needs}{more} -d {}\n",
        quoted(&flag.about)
    )
}

/// The flags that say what a value may be.
fn completing(values: &Values) -> String {
    let paths = match values.paths {
        Paths::None => String::new(),
        Paths::Files => " -F".to_owned(),
        Paths::Folders => format!(" -a {FOLDERS}"),
    };
    match values.words.is_empty() {
        true => paths,
        false => format!("{paths} -a {}", quoted(&joined(&values.words))),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
