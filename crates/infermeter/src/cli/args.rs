//! The tables as clap's commands and arguments.
//!
//! Every spelling of a key is an argument of its own, so that messages can repeat what was written.
//! Invariant: only the shown spelling of a key is in the help.

use super::{Subcommand, Then};
use clap::{Arg, ArgAction, Command};
use infermeter_core::key::{Form, Key, ValueKind};

/// Exit codes, below the help of the program.
pub(super) const EXIT_CODES: &str = "Exit codes: 0 ok, 1 objective missed or gate failed, 2 usage, 3 measurement invalid, \
    4 target unreachable or all requests failed, 5 objective or gate undecided for want of data, \
    130 interrupted (report written).";

/// Examples that `-h` shows.
const FEW_EXAMPLES: usize = 3;

/// How much help shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// `-h`: what most people need.
    Common,
    /// `--help`: everything.
    All,
}

impl Detail {
    /// What a command line asks for, where it asks for help.
    pub(super) fn of(words: &[String]) -> Self {
        let long = |word: &String| word == "--help";
        match words.iter().any(long) || words.get(1).is_some_and(|word| word == "help") {
            true => Self::All,
            false => Self::Common,
        }
    }
}

/// The whole command line.
pub(super) fn program(commands: &'static [Subcommand], detail: Detail) -> Command {
    let program = Command::new("infermeter")
        .about("Measures LLM inference servers, and says whether the result can be believed")
        .version(env!("CARGO_PKG_VERSION"))
        .propagate_version(true)
        .max_term_width(100)
        .after_help(EXIT_CODES);
    with_subcommands(program, commands, detail)
}

fn with_subcommands(command: Command, commands: &'static [Subcommand], detail: Detail) -> Command {
    command
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(commands.iter().map(|sub| subcommand(sub, detail)))
}

fn subcommand(sub: &'static Subcommand, detail: Detail) -> Command {
    let command = Command::new(sub.name).about(sub.about);
    let keys = match sub.then {
        Then::Subcommands(further) => return with_subcommands(command, further, detail),
        Then::Flags { keys, .. } => keys(),
    };
    let picked = keys.iter().any(|key| key.common);
    let shown = |key: &Key| detail == Detail::All || key.common || !picked;
    let args = keys.iter().flat_map(|key| args(key, shown(key), detail));
    command.args(args).after_help(ending(sub, picked, detail))
}

/// Notes and examples.
fn ending(sub: &Subcommand, picked: bool, detail: Detail) -> String {
    let examples = match detail {
        Detail::All => sub.examples,
        Detail::Common => &sub.examples[..sub.examples.len().min(FEW_EXAMPLES)],
    };
    let mut parts: Vec<String> = Vec::new();
    if !sub.notes.is_empty() {
        parts.push(sub.notes.to_owned());
    }
    if !examples.is_empty() {
        parts.push(format!("Examples:\n  {}", examples.join("\n  ")));
    }
    if picked && detail == Detail::Common {
        parts.push("--help shows every flag, by group.".to_owned());
    }
    parts.join("\n\n")
}

/// How a key may be written: its name, and other flags with their dashes.
pub(super) fn spellings(key: &Key) -> impl Iterator<Item = &'static str> {
    std::iter::once(key.name).chain(key.aliases.iter().copied())
}

fn args(key: &'static Key, shown: bool, detail: Detail) -> impl Iterator<Item = Arg> {
    spellings(key).map(move |spelling| {
        let own = spelling == key.name;
        let arg = arg(key, spelling).hide(!shown || !own || key.hidden);
        match own {
            true => arg.help(help(key, detail)),
            false => arg,
        }
    })
}

fn arg(key: &'static Key, spelling: &'static str) -> Arg {
    let arg = Arg::new(spelling);
    let positional = spelling == key.name && matches!(key.form, Form::Positional | Form::Required);
    let (long, short) = match (spelling.strip_prefix("--"), spelling.strip_prefix('-')) {
        (Some(long), _) => (Some(long), None),
        (None, Some(letter)) => (None, letter.chars().next()),
        (None, None) => (Some(spelling).filter(|_| !positional), None),
    };
    let arg = arg.long(long).short(short);
    let required = matches!(key.form, Form::Required | Form::RequiredFlag);
    // One spelling is enough.
    let arg = match (required && spelling == key.name, key.aliases) {
        (false, _) => arg,
        (true, []) => arg.required(true),
        (true, aliases) => arg.required_unless_present_any(aliases.iter().copied()),
    };
    let arg = match key.heading {
        "General" => arg,
        heading => arg.help_heading(heading),
    };
    if key.kind == ValueKind::Switch {
        return arg.action(ArgAction::SetTrue);
    }
    let several = key.many || key.form == Form::Joined;
    let arg = match (several, positional) {
        (true, true) => arg.action(ArgAction::Append).num_args(1..),
        (true, false) => arg.action(ArgAction::Append),
        (false, _) => arg.action(ArgAction::Set),
    };
    let arg = match key.dashes {
        true => arg.allow_hyphen_values(true),
        false => arg.allow_negative_numbers(key.kind == ValueKind::Whole),
    };
    let arg = arg.value_name(key.value_name);
    match key.bare {
        "" => arg,
        bare => arg
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value(bare),
    }
}

/// What the help says of a key.
pub(super) fn help(key: &Key, detail: Detail) -> String {
    let mut text = key.help.to_owned();
    if (key.many || key.form == Form::Joined) && key.form != Form::Required {
        text.push_str(" (repeatable)");
    }
    let more = plain(key.more);
    if detail == Detail::All && !more.is_empty() {
        text.push_str(if text.ends_with('.') { " " } else { ". " });
        text.push_str(more.trim_end_matches('.'));
    }
    let absent = key.absence();
    if !absent.is_empty() {
        text.push_str(&format!(" [default: {absent}]"));
    }
    text
}

/// Markdown as plain text: `[see](page.md)` becomes `see`, sentences that only lead to a page go.
fn plain(markdown: &str) -> String {
    let sentences = markdown.split_inclusive(". ");
    let kept = sentences.filter(|sentence| !sentence.starts_with("See ["));
    kept.collect::<String>()
        .replace('`', "")
        .trim_end()
        .to_owned()
}
