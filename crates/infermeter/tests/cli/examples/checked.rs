//! A command line held against the tables of flags, without running what it asks for.

use crate::process::{command, ran};
use infermeter::cli::{self, Given, Subcommand, Then};
use infermeter::commands::COMMANDS;
use infermeter_core::gate::FailIf;
use infermeter_core::key::{Asked, Key, Keyed, ValueKind, broken};
use infermeter_core::plan::Plan;
use infermeter_core::slo::{Measure, Slo};
use infermeter_core::units::Span;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::process::{Command, Stdio};

/// Words of a shell that are no program, and programs that every system has.
const OF_SHELLS: [&str; 26] = [
    "case", "esac", "if", "then", "else", "fi", "for", "while", "do", "done", "in", "*", "echo",
    "cd", "export", "exit", "sleep", "wait", "kill", "trap", "mkdir", "cat", "set", "head", "grep",
    "test",
];
/// Commands of which a plan is made before anything is sent.
const OF_A_PLAN: [&str; 4] = ["run", "sweep", "search", "compare"];
/// Values as prose has them.
const STAND_INS: [&str; 4] = ["$URL", "URL", "TARGET", "$TARGET"];

/// What is wrong with a command, where something is; `others` are programs that nobody checks.
pub fn problem(words: &[String], others: &[String], folder: &Path) -> Option<String> {
    let program = words[0].as_str();
    let label = program.chars().all(|c| c.is_ascii_digit());
    match program {
        "infermeter" => {
            of_ours(words, folder).map(|problem| format!("{problem}: {}", words.join(" ")))
        }
        "jq" => of_jq(words),
        _ if label || OF_SHELLS.contains(&program) || others.iter().any(|name| name == program) => {
            None
        }
        _ => Some(format!(
            "`{program}` is another program: name it behind `others`, or skip the block"
        )),
    }
}

fn of_ours(words: &[String], folder: &Path) -> Option<String> {
    let words: Vec<String> = words
        .iter()
        .filter(|word| *word != "...")
        .map(|word| match STAND_INS.contains(&word.as_str()) {
            true => "http://localhost:8000".to_owned(),
            false => word.clone(),
        })
        .collect();
    if let Err(problem) = read(&words) {
        return Some(problem);
    }
    let measures = words
        .get(1)
        .is_some_and(|name| OF_A_PLAN.contains(&name.as_str()));
    if let Some(behind) = behind(&words) {
        return of_ours(&behind, folder);
    }
    let saved = words.iter().any(|word| word.starts_with("runs/")) && words[1] == "compare";
    let resumed = words.iter().any(|word| word == "--resume");
    match measures && !saved && !resumed {
        true => plan_problem(&words, folder),
        false => None,
    }
}

/// The command that stands behind `--` of a command that starts others.
fn behind(words: &[String]) -> Option<Vec<String>> {
    let starter = words.get(1)?;
    let at = words.iter().position(|word| word == "--")?;
    let own = std::iter::once("infermeter".to_owned()).chain(words[at + 1..].iter().cloned());
    // `bench` gives the target itself.
    let target = (starter == "bench").then(|| "http://localhost:8000".to_owned());
    match starter.as_str() {
        "bench" | "launch" => Some(own.chain(target).collect()),
        _ => None,
    }
}

/// Why no plan can be made of a command line.
pub fn plan_problem(words: &[String], folder: &Path) -> Option<String> {
    let own = words
        .iter()
        .skip(1)
        .filter(|word| *word != "--dry-run" && *word != "--print-config");
    let arguments: Vec<String> = own.cloned().chain(["--print-config".to_owned()]).collect();
    let mut command = command(&arguments);
    command.current_dir(folder);
    let ran = ran(command);
    (ran.code != Some(0)).then(|| format!("{}{}", ran.err.trim(), ran.out.trim()))
}

/// Reads a command line as the program does, and every value of it.
fn read(words: &[String]) -> Result<(), String> {
    match cli::parse(words, &COMMANDS) {
        Ok(invocation) => values(&keys_of(words), &invocation.given),
        // Help was asked for.
        Err(refused) if refused.code == 0 => Ok(()),
        Err(refused) => Err(refused.text),
    }
}

/// The keys of the command that is named.
pub fn keys_of(words: &[String]) -> Vec<&'static Key> {
    let mut commands: &'static [Subcommand] = &COMMANDS;
    for word in words.iter().skip(1) {
        match commands
            .iter()
            .find(|command| command.name == word)
            .map(|command| command.then)
        {
            Some(Then::Subcommands(further)) => commands = further,
            Some(Then::Flags { keys, .. }) => return keys(),
            None => return Vec::new(),
        }
    }
    Vec::new()
}

/// The flags of the command that is named, as they are written, other spellings among them.
pub fn flags_of(words: &[String]) -> Vec<String> {
    let keys = keys_of(words);
    let names = keys.iter().flat_map(|key| {
        let others = key.aliases.iter().map(|alias| (*alias).to_owned());
        std::iter::once(format!("--{}", key.name)).chain(others)
    });
    names.collect()
}

fn values(keys: &[&'static Key], given: &Given) -> Result<(), String> {
    let mut values = Map::new();
    for key in keys {
        values.insert(key.name.to_owned(), (key.default)());
    }
    for flag in &given.flags {
        let key = keys.iter().find(|key| key.name == flag.key).expect("a key");
        let value = shaped(key, &flag.value).and_then(|value| {
            typed(key, &value)?;
            Ok(value)
        });
        let value = value.map_err(|why| format!("{}: {why}", flag.written))?;
        values.insert(key.name.to_owned(), value);
    }
    // Rules of the plan's own keys are asked of a whole plan.
    let own: Vec<Key> = keys
        .iter()
        .filter(|key| !is_of_plan(key))
        .map(|key| **key)
        .collect();
    let asked = Asked {
        values: &values,
        given: &|name| given.flags.iter().any(|flag| flag.key == name),
    };
    broken(&own, asked).map_or(Ok(()), Err)
}

/// The entry is one of the plan's table.
fn is_of_plan(key: &Key) -> bool {
    Plan::KEYS
        .iter()
        .any(|other| other.name == key.name && other.help == key.help)
}

/// A value as text in the form of its field.
fn shaped(key: &Key, value: &Value) -> Result<Value, String> {
    if let Value::Array(all) = value {
        let texts = all.iter().filter_map(Value::as_str);
        let parts = texts.flat_map(|text| match key.kind {
            ValueKind::Whole => text.split(',').collect(),
            _ => vec![text],
        });
        return parts.map(|text| shaped(key, &Value::from(text))).collect();
    }
    let Some(text) = value.as_str() else {
        return Ok(value.clone());
    };
    let number = |what: &str| {
        text.parse::<serde_json::Number>()
            .map(Value::Number)
            .map_err(|_| format!("`{text}` is not {what}"))
    };
    match key.kind {
        ValueKind::Number => number("a number"),
        ValueKind::Whole => number("a whole number").and_then(|value| match value.is_u64() {
            true => Ok(value),
            false => Err(format!("`{text}` is not a whole number")),
        }),
        ValueKind::Time => match text.parse::<Span>() {
            Ok(_) => Ok(value.clone()),
            Err(error) => Err(error.to_string()),
        },
        ValueKind::OneOf(names) if !names.contains(&text) => {
            Err(format!("`{text}` is not one of {}", names.join(", ")))
        }
        ValueKind::Object => serde_json::from_str(text).map_err(|error| error.to_string()),
        ValueKind::OneOf(_) | ValueKind::Text | ValueKind::Switch => Ok(value.clone()),
    }
}

/// Reads a value as what its field is, where that is known here.
fn typed(key: &Key, value: &Value) -> Result<(), String> {
    let texts = || match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().into_iter().collect::<Vec<&str>>(),
    };
    let each = |read: fn(&str) -> Result<(), String>| texts().into_iter().try_for_each(read);
    match key.name {
        "slo" => each(|text| {
            text.parse::<Slo>()
                .map(drop)
                .map_err(|error| error.to_string())
        }),
        "figure" => each(|text| {
            text.parse::<Measure>()
                .map(drop)
                .map_err(|error| error.to_string())
        }),
        "fail-if" => each(|text| {
            text.parse::<FailIf>()
                .map(drop)
                .map_err(|error| error.to_string())
        }),
        name if is_of_plan(key) => serde_json::from_value::<Plan>(json!({ name: value }))
            .map(drop)
            .map_err(|error| error.to_string()),
        _ => Ok(()),
    }
}

/// Has `jq` read an expression, where it is installed.
fn of_jq(words: &[String]) -> Option<String> {
    let expression = words.iter().skip(1).find(|word| !word.starts_with('-'))?;
    let output = Command::new("jq")
        .args(["-n", &format!("def f: ({expression}); empty")])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let errors = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    (!output.status.success()).then_some(errors)
}

#[test]
fn what_is_wrong_is_found() {
    let check = |line: &str, expect: &str| {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let problem = problem(&words, &["curl".to_owned()], Path::new("."));
        match expect {
            "" => assert_eq!(problem, None, "{line}"),
            part => assert!(
                problem.as_ref().is_some_and(|p| p.contains(part)),
                "{line}: {problem:?}"
            ),
        }
    };
    check("infermeter run URL --rate 20 --duration 60s", "");
    check("infermeter run URL --rat 20 --duration 60s", "--rat");
    check("infermeter run URL --rate x --duration 60s", "not a number");
    check("infermeter report RUN_DIR --slo ttft.p99<1s", "");
    check("infermeter report RUN_DIR --slo ttft.p9<1q", "--slo");
    check("infermeter mock --port 99 --tls-cert a.pem", "--tls-key");
    check("infermeter histroy list x", "histroy");
    check("infermeter export a --format vlm --out x", "not one of");
    check(
        "infermeter bench --url http://a --serve s -- run --rate 5 --duration 5",
        "--duration",
    );
    check("curl -X PATCH localhost:8000", "");
    check("wget x", "another program");
}
