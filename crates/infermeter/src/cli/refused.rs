//! Command lines with nothing to run: help and version as they are, and what is wrong in one line.

use super::{Subcommand, Then};
use crate::exit;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use infermeter_core::key::{Hint, Key, hint};

/// What is said instead of running something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The text.
    pub text: String,
    /// The exit code; 0 where help or the version was asked for.
    pub code: u8,
}

impl Refused {
    /// Something is wrong with the command line.
    pub(super) fn usage(wrong: &str) -> Self {
        Self {
            text: format!("{wrong}; see --help"),
            code: exit::USAGE,
        }
    }

    pub(super) fn by_clap(
        error: &clap::Error,
        words: &[String],
        program: &'static [Subcommand],
    ) -> Self {
        let text = error.render().to_string();
        if !error.use_stderr() {
            return Self {
                text,
                code: exit::OK,
            };
        }
        if error.kind() == ErrorKind::UnknownArgument
            && let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidArg)
        {
            return Self::usage(&unknown(name, &keys(words, program)));
        }
        // Behind what is wrong clap has its usage, or where to find it.
        let wrong = text.split("\n\nUsage:").next().unwrap_or_default();
        let wrong = wrong.split("\n\nFor more information").next();
        Self::usage(&one_line(wrong.unwrap_or_default()))
    }
}

/// A flag that the command does not have, and what may be meant.
fn unknown(name: &str, keys: &[&'static Key]) -> String {
    let found = format!("error: unexpected argument '{name}' found");
    let flag = name.starts_with('-').then(|| hint(name, keys)).flatten();
    match flag {
        Some(Hint::Key(key)) => format!("{found}; a similar argument exists: '--{key}'"),
        Some(Hint::Tip(tip)) => format!("{found}; {tip}"),
        None => found,
    }
}

/// The keys of the command that a command line names.
fn keys(words: &[String], program: &'static [Subcommand]) -> Vec<&'static Key> {
    let mut commands = program;
    for word in words.iter().skip(1) {
        match commands.iter().find(|c| c.name == word).map(|c| c.then) {
            Some(Then::Subcommands(further)) => commands = further,
            Some(Then::Flags { keys, .. }) => return keys(),
            None => {}
        }
    }
    Vec::new()
}

fn one_line(text: &str) -> String {
    let mut line = String::new();
    for part in text.lines().map(str::trim).filter(|part| !part.is_empty()) {
        match line.chars().last() {
            None => {}
            Some(':') => line.push(' '),
            Some(_) => line.push_str("; "),
        }
        line.push_str(part);
    }
    line
}
