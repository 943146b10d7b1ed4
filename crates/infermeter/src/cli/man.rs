//! Man pages: what the tables have, one page a command, in the man macros of roff.
//!
//! Nothing is rendered here; `man` does that. Invariant: every flag that `--help` shows stands in the page of its
//! command, with the same words, and nothing else is said of it.

mod roff;

use super::args::{self, Detail};
use super::{Subcommand, Then};
use infermeter_core::key::{Form, Key, ValueKind};
use roff::Roff;

/// What the program does, in a line.
const ABOUT: &str = "measure LLM inference servers, and say whether the result can be believed";
/// The heading of flags that have none of their own.
const GENERAL: &str = "General";

/// A man page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManPage {
    /// The command's words, without the program's name; empty: the program.
    pub command: Vec<&'static str>,
    /// Its text.
    pub text: String,
}

impl ManPage {
    /// `infermeter-history-add`.
    pub fn name(&self) -> String {
        name(&self.command)
    }
}

/// The pages of a program with these commands, its own first.
pub(crate) fn pages(program: &'static [Subcommand]) -> Vec<ManPage> {
    let mut pages = vec![ManPage {
        command: Vec::new(),
        text: of_program(program),
    }];
    below(&[], program, &mut pages);
    pages
}

fn below(path: &[&'static str], commands: &'static [Subcommand], pages: &mut Vec<ManPage>) {
    for command in commands {
        let words: Vec<&'static str> = path.iter().copied().chain([command.name]).collect();
        pages.push(ManPage {
            text: of_command(command, &words),
            command: words.clone(),
        });
        if let Then::Subcommands(further) = command.then {
            below(&words, further, pages);
        }
    }
}

fn name(words: &[&'static str]) -> String {
    let parts = std::iter::once("infermeter").chain(words.iter().copied());
    parts.collect::<Vec<&str>>().join("-")
}

fn of_program(program: &'static [Subcommand]) -> String {
    let mut page = begun(&[], ABOUT);
    page.section("SYNOPSIS");
    page.line(&format!(
        "{} {}",
        roff::bold("infermeter"),
        roff::italic("COMMAND")
    ));
    page.section("DESCRIPTION");
    page.paragraph("infermeter sends a load to a server of a language model over HTTP, stamps in the kernel when each \
        token arrives, and prints each figure with its sample size and its interval. Each run ends with a verdict: Valid, \
        Questionable or Invalid, with evidence and advice.");
    page.section("COMMANDS");
    listed(&mut page, &[], program);
    page.section("EXIT STATUS");
    page.paragraph(args::EXIT_CODES.trim_start_matches("Exit codes: "));
    page.ended()
}

fn of_command(command: &'static Subcommand, words: &[&'static str]) -> String {
    let mut page = begun(words, command.about);
    page.section("SYNOPSIS");
    page.line(&synopsis(command, words));
    page.section("DESCRIPTION");
    page.paragraph(&format!("{}.", command.about.trim_end_matches('.')));
    if !command.notes.is_empty() {
        page.paragraph(command.notes);
    }
    match command.then {
        Then::Subcommands(further) => {
            page.section("COMMANDS");
            listed(&mut page, words, further);
        }
        Then::Flags { keys, .. } => options(&mut page, &keys()),
    }
    if !command.examples.is_empty() {
        page.section("EXAMPLES");
        page.code(command.examples);
    }
    page.section("SEE ALSO");
    page.line(&format!(
        "{}(1)",
        roff::bold(&name(&words[..words.len() - 1]))
    ));
    page.ended()
}

fn begun(words: &[&'static str], about: &str) -> Roff {
    let name = name(words);
    let mut page = Roff::titled(&name, env!("CARGO_PKG_VERSION"));
    page.section("NAME");
    page.line(&format!(
        "{} \\- {}",
        roff::escaped(&name),
        roff::escaped(about)
    ));
    page
}

/// A command's name and what may follow it.
fn synopsis(command: &Subcommand, words: &[&str]) -> String {
    let mut parts = vec![roff::bold("infermeter")];
    parts.extend(words.iter().map(|word| roff::bold(word)));
    let keys = match command.then {
        Then::Subcommands(_) => {
            parts.push(roff::italic("COMMAND"));
            return parts.join(" ");
        }
        Then::Flags { keys, .. } => keys(),
    };
    let needed = keys.iter().filter(|key| key.form == Form::RequiredFlag);
    parts.extend(needed.map(|key| flag(key)));
    parts.push(format!("[{}]", roff::italic("OPTION")));
    parts.extend(keys.iter().filter_map(|key| {
        let dots = if key.many { "..." } else { "" };
        let word = roff::italic(key.value_name);
        match key.form {
            Form::Required => Some(format!("{word}{dots}")),
            Form::Positional => Some(format!("[{word}{dots}]")),
            Form::Flag | Form::RequiredFlag | Form::Joined => None,
        }
    }));
    parts.join(" ")
}

/// The commands of a list, with the names of their pages.
fn listed(page: &mut Roff, path: &[&'static str], commands: &'static [Subcommand]) {
    for command in commands {
        let words: Vec<&'static str> = path.iter().copied().chain([command.name]).collect();
        page.entry(&format!("{}(1)", roff::bold(&name(&words))), command.about);
    }
}

/// Words without a flag, then flags by heading, in the order of the table.
fn options(page: &mut Roff, keys: &[&'static Key]) {
    let positional = |key: &&&'static Key| matches!(key.form, Form::Positional | Form::Required);
    let words: Vec<&&'static Key> = keys.iter().filter(positional).collect();
    if !words.is_empty() {
        page.section("ARGUMENTS");
        for key in words {
            page.entry(&roff::italic(key.value_name), &said(key));
        }
    }
    let flags: Vec<&&'static Key> = keys
        .iter()
        .filter(|key| !positional(key) && !key.hidden)
        .collect();
    let mut headings: Vec<&str> = Vec::new();
    for key in &flags {
        if !headings.contains(&key.heading) {
            headings.push(key.heading);
        }
    }
    page.section("OPTIONS");
    for heading in headings {
        if heading != GENERAL {
            page.subsection(heading);
        }
        for key in flags.iter().filter(|key| key.heading == heading) {
            page.entry(&flag(key), &said(key));
        }
    }
}

/// `--rate R`, `--html[=FILE]`, `--json`.
fn flag(key: &Key) -> String {
    let name = roff::bold(&format!("--{}", key.name));
    let value = roff::italic(key.value_name);
    match (key.kind, key.bare) {
        (ValueKind::Switch, _) => name,
        (_, "") => format!("{name} {value}"),
        (_, _) => format!("{name}[={value}]"),
    }
}

/// What the help says, what is allowed, and what else the flag is called.
fn said(key: &Key) -> String {
    let mut text = args::help(key, Detail::All);
    let mut add = |sentence: &str| {
        text.push_str(if text.ends_with(['.', ']']) {
            " "
        } else {
            ". "
        });
        text.push_str(sentence);
    };
    if let Some(range) = key.range {
        add(&format!("Allowed: {}", range.words(key.kind)));
    }
    if !key.aliases.is_empty() {
        add(&format!("Also written {}", key.aliases.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests;
