//! What may stand where on a command line, as every shell's script needs it.
//!
//! Values that no table of flags knows (the simulator's presets, the schemas) come from outside. Invariant: every command
//! of the program is there once, with every spelling of each of its flags.

use crate::cli::args::spellings;
use crate::cli::{Subcommand, Then};
use infermeter_core::key::{Form, Key, ValueKind};

/// Names that are no part of a table of flags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    /// Presets of the simulator.
    pub presets: Vec<&'static str>,
    /// Published schemas.
    pub schemas: Vec<&'static str>,
}

/// A command, with what may follow its name.
#[derive(Debug, Clone)]
pub(super) struct Offered {
    /// Its words, with blanks between; empty: the program.
    pub path: String,
    /// Further commands.
    pub commands: Vec<Named>,
    /// Flags, those that are not shown among them.
    pub flags: Vec<OfferedFlag>,
    /// Words without a flag, in order; the last may come again.
    pub words: Vec<OfferedWord>,
}

/// A name, and what it does.
#[derive(Debug, Clone)]
pub(super) struct Named {
    /// The name.
    pub name: String,
    /// What it does, in a line.
    pub about: String,
}

/// A flag.
#[derive(Debug, Clone)]
pub(super) struct OfferedFlag {
    /// With its dashes.
    pub name: String,
    /// What it does, in a sentence.
    pub about: String,
    /// What stands for its value in the help.
    pub value_name: &'static str,
    /// What follows it.
    pub takes: Takes,
    /// It may be given several times.
    pub many: bool,
    /// The help has it.
    pub shown: bool,
}

/// A word without a flag.
#[derive(Debug, Clone)]
pub(super) struct OfferedWord {
    /// What stands for it in the help.
    pub value_name: &'static str,
    /// What it may be.
    pub values: Values,
    /// It may come several times.
    pub many: bool,
}

/// What follows a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing.
    Nothing,
    /// A value behind `=`, or nothing.
    Perhaps(Values),
    /// A value.
    Value(Values),
}

/// What a value may be, as far as a shell can know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Values {
    /// Words.
    pub words: Vec<String>,
    /// Paths.
    pub paths: Paths,
}

/// Paths that a value may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Paths {
    /// None.
    #[default]
    None,
    /// Folders.
    Folders,
    /// Files and folders.
    Files,
}

impl Paths {
    /// As scripts call them.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Folders => "folders",
            Self::Files => "files",
        }
    }
}

impl Values {
    /// There is nothing to complete.
    pub fn is_nothing(&self) -> bool {
        self.words.is_empty() && self.paths == Paths::None
    }
}

impl Offered {
    /// The flags that the help has.
    pub fn shown(&self) -> impl Iterator<Item = &OfferedFlag> {
        self.flags.iter().filter(|flag| flag.shown)
    }

    /// The flags whose value is the next word.
    pub fn taking(&self) -> impl Iterator<Item = &OfferedFlag> {
        self.flags
            .iter()
            .filter(|flag| matches!(flag.takes, Takes::Value(_)))
    }

    /// What can be completed, each under what it stands behind: a flag, or the number of a word.
    pub fn values(&self) -> Vec<(String, &Values)> {
        let words = self.words.iter().zip(1..);
        let words = words.map(|(word, at)| (format!("{} {at}", self.path), &word.values));
        let flags = self.flags.iter().filter_map(|flag| match &flag.takes {
            Takes::Nothing => None,
            Takes::Perhaps(values) | Takes::Value(values) => {
                Some((format!("{} {}", self.path, flag.name), values))
            }
        });
        let all = words.chain(flags);
        all.filter(|(_, values)| !values.is_nothing()).collect()
    }
}

/// Every command of a program, the program itself first.
pub(super) fn offered(program: &'static [Subcommand], names: &Names) -> Vec<Offered> {
    let mut all = Vec::new();
    group("", program, &Within { program, names }, &mut all);
    // clap makes this command itself.
    let help = Named {
        name: "help".to_owned(),
        about: "Print help of a command".to_owned(),
    };
    if let Some(first) = all.first_mut() {
        first.commands.push(help);
    }
    all.push(Offered {
        path: "help".to_owned(),
        commands: Vec::new(),
        flags: Vec::new(),
        words: vec![OfferedWord {
            value_name: "COMMAND",
            values: Values {
                words: every_name(program),
                paths: Paths::None,
            },
            many: true,
        }],
    });
    all
}

/// What values are looked up in.
struct Within<'a> {
    program: &'static [Subcommand],
    names: &'a Names,
}

fn group(path: &str, commands: &'static [Subcommand], within: &Within<'_>, all: &mut Vec<Offered>) {
    let named = commands.iter().map(|command| Named {
        name: command.name.to_owned(),
        about: command.about.to_owned(),
    });
    all.push(Offered {
        path: path.to_owned(),
        commands: named.collect(),
        flags: always().collect(),
        words: Vec::new(),
    });
    for command in commands {
        let below = format!("{path} {}", command.name).trim_start().to_owned();
        match command.then {
            Then::Subcommands(further) => group(&below, further, within, all),
            Then::Flags { keys, .. } => all.push(leaf(below, &keys(), within)),
        }
    }
}

fn leaf(path: String, keys: &[&'static Key], within: &Within<'_>) -> Offered {
    let (mut flags, mut words) = (Vec::new(), Vec::new());
    for key in keys {
        let values = values(&path, key, within);
        for spelling in spellings(key) {
            let own = spelling == key.name;
            match own && matches!(key.form, Form::Positional | Form::Required) {
                true => words.push(OfferedWord {
                    value_name: key.value_name,
                    values: values.clone(),
                    many: key.many,
                }),
                false => flags.push(flag(key, spelling, values.clone())),
            }
        }
    }
    flags.extend(always());
    Offered {
        path,
        commands: Vec::new(),
        flags,
        words,
    }
}

fn flag(key: &Key, spelling: &str, values: Values) -> OfferedFlag {
    let own = spelling == key.name;
    let takes = match (key.kind, key.bare) {
        (ValueKind::Switch, _) => Takes::Nothing,
        (_, "") => Takes::Value(values),
        (_, _) => Takes::Perhaps(values),
    };
    OfferedFlag {
        name: match own {
            true => format!("--{spelling}"),
            false => spelling.to_owned(),
        },
        about: sentence(key.help),
        value_name: key.value_name,
        takes,
        many: key.many || key.form == Form::Joined,
        shown: own && !key.hidden,
    }
}

/// What every command has.
fn always() -> impl Iterator<Item = OfferedFlag> {
    let of = |name: &str, about: &str| OfferedFlag {
        name: name.to_owned(),
        about: about.to_owned(),
        value_name: "",
        takes: Takes::Nothing,
        many: false,
        shown: true,
    };
    [of("--help", "Print help"), of("--version", "Print version")].into_iter()
}

/// The first sentence of a help.
fn sentence(help: &str) -> String {
    let first = help.split(". ").next().unwrap_or(help);
    first.trim_end_matches('.').to_owned()
}

/// What the value of a key may be.
fn values(path: &str, key: &Key, within: &Within<'_>) -> Values {
    let words: Vec<String> = match (path, key.kind) {
        ("man", _) if key.form == Form::Positional => every_name(within.program),
        ("schema", _) if key.form == Form::Positional => owned(&within.names.schemas),
        (_, ValueKind::OneOf(all)) => owned(all),
        (_, _) => key
            .offers
            .iter()
            .flat_map(|word| completed(word, within.names))
            .collect(),
    };
    // The sides of a comparison may be runs that were saved.
    let side = path == "compare" && key.form == Form::Positional;
    let paths = match side {
        true => Paths::Folders,
        false => paths(key.value_name),
    };
    Values { words, paths }
}

/// A word that is offered; behind `mock:` stand the simulator's presets.
fn completed(word: &str, names: &Names) -> Vec<String> {
    match word {
        "mock:" => names.presets.iter().map(|p| format!("mock:{p}")).collect(),
        word => vec![word.to_owned()],
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// The paths that a value may be, by what stands for it in the help.
pub(super) fn paths(value_name: &str) -> Paths {
    const FILES: [&str; 5] = ["FILE", "BUNDLE", "TRUTH", "METERED", "PATHS"];
    const FOLDERS: [&str; 6] = [
        "DIR",
        "RUN_DIR",
        "SWEEP_DIR",
        "FOLDER",
        "EXPERIMENT",
        "RUNS",
    ];
    let parts = || value_name.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
    match (
        parts().any(|part| FILES.contains(&part)),
        parts().any(|part| FOLDERS.contains(&part)),
    ) {
        (true, _) => Paths::Files,
        (false, true) => Paths::Folders,
        (false, false) => Paths::None,
    }
}

/// Every name of a command, once.
fn every_name(commands: &'static [Subcommand]) -> Vec<String> {
    let mut names = Vec::new();
    for command in commands {
        let further = match command.then {
            Then::Subcommands(further) => every_name(further),
            Then::Flags { .. } => Vec::new(),
        };
        for name in std::iter::once(command.name.to_owned()).chain(further) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
