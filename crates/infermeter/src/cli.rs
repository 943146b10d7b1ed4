//! The command line, made from tables of keys: a subcommand is a row of the program's table, a flag
//! is an entry of the table that it belongs to, and the words on a command line become [`Given`].
//!
//! Values stay text here; they are read once, in `values`. Invariant: help, suggestions and
//! parsing know nothing that does not stand in a table.

mod args;
pub(crate) mod complete;
pub(crate) mod man;
mod refused;
pub(crate) mod tables;

pub use refused::Refused;

use crate::values;
use anyhow::{Context, Result, anyhow};
use args::Detail;
use clap::ArgMatches;
use clap::parser::ValueSource;
use infermeter_core::key::{Asked, Form, Key, Keyed, ValueKind, broken};
use serde_json::Value;

/// A subcommand.
#[derive(Debug, Clone, Copy)]
pub struct Subcommand {
    /// What it is called.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// What `--help` ends with, before the examples.
    pub notes: &'static str,
    /// Whole command lines; `-h` shows the first three.
    pub examples: &'static [&'static str],
    /// What follows its name.
    pub then: Then,
}

/// What follows the name of a subcommand.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    /// Another name.
    Subcommands(&'static [Subcommand]),
    /// Flags.
    Flags {
        /// Their keys.
        keys: fn() -> Vec<&'static Key>,
        /// What is done then; the answer is the exit code.
        run: fn(&Given) -> Result<u8>,
    },
}

/// A flag that was given.
#[derive(Debug, Clone, PartialEq)]
pub struct Flag {
    /// Name of its key.
    pub key: &'static str,
    /// As its user wrote it.
    pub written: String,
    /// Text, a list of texts, or true.
    pub value: Value,
}

/// The flags that were given, each key once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// In the order of the table.
    pub flags: Vec<Flag>,
}

impl Given {
    /// The flags of a table, read: defaults where nothing was given, ranges and rules checked.
    ///
    /// # Errors
    /// Naming the flag at fault.
    pub fn read<T: Keyed>(&self) -> Result<T> {
        self.read_over(&T::defaults())
    }

    /// The same over other values than the defaults.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(crate) fn read_over<T: Keyed>(&self, below: &T) -> Result<T> {
        let mut values = values::map_of(below);
        for flag in &self.flags {
            let Some(key) = T::KEYS.iter().find(|key| key.name == flag.key) else {
                continue;
            };
            let value = values::read::<T>(key, flag.value.clone());
            values.insert(
                key.name.to_owned(),
                value.with_context(|| flag.written.clone())?,
            );
        }
        let asked = Asked {
            values: &values,
            given: &|key| self.flags.iter().any(|flag| flag.key == key),
        };
        if let Some(message) = broken(T::KEYS, asked) {
            return Err(anyhow!(self.in_users_words(message)));
        }
        Ok(serde_json::from_value(Value::Object(values))?)
    }

    /// A message that names flags, with the spelling that was used for each.
    fn in_users_words(&self, message: String) -> String {
        let other = |flag: &&Flag| flag.written.trim_start_matches('-') != flag.key;
        self.flags.iter().filter(other).fold(message, |said, flag| {
            said.replace(&format!("--{}", flag.key), &flag.written)
        })
    }

    /// Adds what one spelling of a key has brought.
    fn add(&mut self, key: &'static Key, written: &str, value: Value) -> Result<(), String> {
        let Some(flag) = self.flags.iter_mut().find(|flag| flag.key == key.name) else {
            self.flags.push(Flag {
                key: key.name,
                written: written.to_owned(),
                value,
            });
            return Ok(());
        };
        match (&mut flag.value, value) {
            (Value::Array(all), Value::Array(more)) => all.extend(more),
            _ => {
                return Err(format!(
                    "{written} and {} are the same flag: give one",
                    flag.written
                ));
            }
        }
        Ok(())
    }
}

/// What a command line asks for.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// What to run.
    pub run: fn(&Given) -> Result<u8>,
    /// With what.
    pub given: Given,
}

/// Reads a command line of a program with these commands, the program's name first.
///
/// # Errors
/// Where there is nothing to run: help was asked for, or something is wrong.
pub fn parse(words: &[String], program: &'static [Subcommand]) -> Result<Invocation, Refused> {
    let detail = Detail::of(words);
    let mut command = args::program(program, detail);
    let matches = command.try_get_matches_from_mut(words);
    let matches = matches.map_err(|error| Refused::by_clap(&error, words, program))?;
    let (mut commands, mut matches): (&[Subcommand], &ArgMatches) = (program, &matches);
    loop {
        let named = matches.subcommand().and_then(|(name, inner)| {
            let found = commands.iter().find(|command| command.name == name)?;
            Some((found, inner))
        });
        // clap has checked that there is one.
        let (found, inner) = named.ok_or_else(|| Refused::usage("error: no subcommand"))?;
        match found.then {
            Then::Subcommands(further) => (commands, matches) = (further, inner),
            Then::Flags { keys, run } => {
                let given = given(&keys(), inner)
                    .map_err(|wrong| Refused::usage(&format!("error: {wrong}")))?;
                return Ok(Invocation { run, given });
            }
        }
    }
}

/// What was given of these keys.
fn given(keys: &[&'static Key], matches: &ArgMatches) -> Result<Given, String> {
    let mut given = Given::default();
    for key in keys {
        for spelling in args::spellings(key) {
            if matches.value_source(spelling) == Some(ValueSource::CommandLine) {
                let written = match spelling == key.name {
                    true => key.written(),
                    false => spelling.to_owned(),
                };
                given.add(key, &written, value(key, spelling, matches))?;
            }
        }
    }
    Ok(given)
}

fn value(key: &Key, id: &str, matches: &ArgMatches) -> Value {
    if key.kind == ValueKind::Switch {
        return true.into();
    }
    let texts = matches
        .get_many::<String>(id)
        .into_iter()
        .flatten()
        .cloned();
    let mut texts: Vec<String> = texts.collect();
    match (key.form, key.many) {
        (Form::Joined, _) => texts.join(", ").into(),
        (_, true) => texts.into(),
        (_, false) => texts.pop().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::COMMANDS;
    use infermeter_core::keys;

    fn parse(words: &[String]) -> Result<Invocation, Refused> {
        super::parse(words, &COMMANDS)
    }

    /// Words as a shell splits them, quotes in front and behind alone.
    fn words(line: &str) -> Vec<String> {
        let words = line
            .split(' ')
            .map(|word| word.trim_matches('\'').to_owned());
        words.collect()
    }

    fn every(commands: &'static [Subcommand]) -> Vec<&'static Subcommand> {
        let further = |command: &'static Subcommand| match command.then {
            Then::Subcommands(further) => every(further),
            Then::Flags { .. } => vec![command],
        };
        commands.iter().flat_map(further).collect()
    }

    #[test]
    fn the_tables_make_a_command_line() {
        args::program(&COMMANDS, Detail::All).debug_assert();
        args::program(&COMMANDS, Detail::Common).debug_assert();
    }

    #[test]
    fn examples_can_be_run() {
        for command in every(&COMMANDS) {
            let own = command
                .examples
                .iter()
                .filter(|line| line.starts_with("infermeter"));
            for line in own {
                let line = line.split(" > ").next().unwrap_or(line);
                assert!(parse(&words(line)).is_ok(), "{line}");
            }
        }
    }

    #[test]
    fn every_flag_has_an_example_that_is_read() {
        for command in every(&COMMANDS) {
            let Then::Flags { keys, .. } = command.then else {
                continue;
            };
            for key in keys()
                .into_iter()
                .filter(|key| key.kind != ValueKind::Switch)
            {
                assert!(!key.example.is_empty(), "{} {}", command.name, key.name);
            }
        }
        let words = words("infermeter calibrate --duration 2s --repeat 3 --io epoll --out c.json");
        let given = parse(&words).expect("sound").given;
        let args: tables::CalibrateArgs = given.read().expect("read");
        assert_eq!((args.duration, args.repeat), ("2s".parse().ok(), 3));
        let words = [
            "infermeter mock --cores 0,2 --port 99999",
            "infermeter calibrate --quick --rung null:1",
            "infermeter calibrate --repeat 100",
            "infermeter mock --tls-cert c.pem",
            "infermeter workload inspect --rate 5",
        ];
        let said = words.map(|line| {
            let given = parse(&self::words(line)).expect("parsed").given;
            let problems = [
                given.read::<tables::MockArgs>().err(),
                given.read::<tables::CalibrateArgs>().err(),
                given.read::<tables::InspectArgs>().err(),
            ];
            let all = problems.into_iter().flatten().map(|e| format!("{e:#}"));
            all.last().unwrap_or_default()
        });
        assert_eq!(
            said,
            [
                "--port: `99999` is too large",
                "--quick and --rung exclude each other: give one",
                "--repeat: 100 must be at least 1 and at most 99",
                "--tls-cert needs --tls-key",
                "--rate needs --clients",
            ]
        );
    }

    #[test]
    fn one_key_is_given_once() {
        let twice = parse(&words("infermeter run --rate 5 --qps 6")).expect_err("twice");
        assert!(
            twice.text.contains("--qps and --rate are the same flag"),
            "{}",
            twice.text
        );
        let lists = parse(&words("infermeter run --header a:b -H c:d")).expect("a list");
        assert_eq!(
            lists.given.flags[0].value,
            serde_json::json!(["a:b", "c:d"])
        );
    }

    keys! {
        /// A table of its own.
        pub struct Optional {
            place: Option<String> = None, General, "PLACE", "Where"
                .form(Form::Positional).example("here");
            trace_io: Option<String> = None, General, "HOW", "How"
                .example("fast").bare("plain");
        }
    }

    #[test]
    fn an_option_with_an_optional_value_swallows_no_target() {
        const COMMANDS: [Subcommand; 1] = [Subcommand {
            name: "go",
            about: "",
            notes: "",
            examples: &[],
            then: Then::Flags {
                keys: tables::keys::<Optional>,
                run: |_| Ok(0),
            },
        }];
        let read = |line: &str| {
            let program = args::program(&COMMANDS, Detail::All);
            let matches = program.try_get_matches_from(words(line)).expect("sound");
            let (_, matches) = matches.subcommand().expect("one");
            let given = given(&tables::keys::<Optional>(), matches).expect("sound");
            let values: Optional = given.read().expect("read");
            (
                values.trace_io.unwrap_or_default(),
                values.place.unwrap_or_default(),
            )
        };
        let text = |how: &str, place: &str| (how.to_owned(), place.to_owned());
        assert_eq!(read("infermeter go --trace-io here"), text("plain", "here"));
        assert_eq!(
            read("infermeter go --trace-io=fast here"),
            text("fast", "here")
        );
        assert_eq!(read("infermeter go here"), text("", "here"));
    }
}
