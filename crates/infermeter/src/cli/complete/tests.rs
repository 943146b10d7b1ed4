//! The tables as scripts: what is in them, and what bash makes of them.

use super::offered::{Offered, Paths, Takes, offered, paths};
use super::*;
use crate::commands::COMMANDS;
use std::fs;
use std::path::Path;
use std::process::Command;

fn names() -> Names {
    Names {
        presets: vec!["fixed", "llama-8b-h100"],
        schemas: vec!["run", "run.json"],
    }
}

const ALL: [Shell; 5] = [
    Shell::Bash,
    Shell::Zsh,
    Shell::Fish,
    Shell::Powershell,
    Shell::Elvish,
];

#[test]
fn every_script_has_every_command_and_its_values() {
    for shell in ALL {
        let script = script(shell, &COMMANDS, &names());
        for place in ["@COMMANDS@", "@VALUES@", "@FLAGS@"] {
            assert!(!script.contains(place), "{shell:?} {place}");
        }
        for command in &COMMANDS {
            assert!(script.contains(command.name), "{shell:?} {}", command.name);
        }
        for part in [
            "rate-profile",
            "poisson",
            "mock:llama-8b-h100",
            "run.json",
            "powershell",
        ] {
            let part = match shell {
                // Colons mean something in its lists.
                Shell::Zsh => part.replace(':', "\\:"),
                _ => part.to_owned(),
            };
            assert!(script.contains(&part), "{shell:?} {part}");
        }
    }
}

/// What is known of one command.
fn of(path: &str) -> Offered {
    let all = offered(&COMMANDS, &names());
    let found = all.into_iter().find(|offered| offered.path == path);
    found.unwrap_or_else(|| panic!("no `{path}`"))
}

#[test]
fn other_spellings_are_known_and_not_shown() {
    let run = of("run");
    let flag = |name: &str| run.flags.iter().find(|flag| flag.name == name);
    let takes = |name: &str| flag(name).is_some_and(|flag| matches!(flag.takes, Takes::Value(_)));
    assert!(takes("--rate") && takes("--qps") && takes("-c") && takes("--url"));
    assert!(!takes("--json") && !takes("--html"));
    let shown: Vec<&str> = run.shown().map(|flag| flag.name.as_str()).collect();
    assert!(
        shown.contains(&"--rate") && !shown.contains(&"--qps"),
        "{shown:?}"
    );
}

#[test]
fn values_complete_by_kind_and_by_what_stands_for_them() {
    let check = |path: &str, place: &str, words: &[&str], expect: Paths| {
        let offered = of(path);
        let place = format!("{path} {place}");
        let values = offered.values();
        let found = values.iter().find(|(known, _)| *known == place);
        let (_, values) = found.unwrap_or_else(|| panic!("no {place}"));
        for word in words {
            assert!(
                values.words.iter().any(|known| known == word),
                "{place}: {values:?}"
            );
        }
        assert_eq!(values.paths, expect, "{place}");
    };
    check("run", "--endpoint", &["chat", "embeddings"], Paths::None);
    check("run", "1", &["mock:fixed", "http://"], Paths::None);
    check("run", "2", &["mock:llama-8b-h100"], Paths::None);
    check("compare", "1", &["mock:fixed"], Paths::Folders);
    check("run", "--trace", &[], Paths::Files);
    check("run", "--tokenizer", &["o200k"], Paths::Files);
    check("run", "--resume", &[], Paths::Folders);
    check("mock", "--preset", &["llama-8b-h100"], Paths::None);
    check("report", "1", &[], Paths::Folders);
    check("metering", "2", &[], Paths::Files);
    check("schema", "1", &["run.json"], Paths::None);
    check("man", "1", &["run", "history", "add"], Paths::None);
    check("help", "1", &["run"], Paths::None);
    check("completions", "1", &["elvish"], Paths::None);
    assert_eq!(paths("NAME|FILE"), Paths::Files);
    assert_eq!(paths("DIR|BUNDLE"), Paths::Files);
    assert_eq!(paths("SWEEP_DIR"), Paths::Folders);
    assert_eq!(paths("PROFILE"), Paths::None);
}

/// The script of a shell as a file that goes with the test.
fn written(folder: &Path, shell: Shell) -> String {
    let path = folder.join("script");
    fs::write(&path, script(shell, &COMMANDS, &names())).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn the_shells_can_read_their_scripts() {
    let folder = tempfile::tempdir().expect("a directory");
    for (shell, program) in [
        (Shell::Bash, "bash"),
        (Shell::Zsh, "zsh"),
        (Shell::Fish, "fish"),
    ] {
        let path = written(folder.path(), shell);
        // A shell that is not installed reads nothing.
        if let Ok(output) = Command::new(program).args(["-n", &path]).output() {
            assert!(output.status.success(), "{program}: {output:?}");
        }
    }
}

/// What bash offers for these words; the last one is being typed.
#[track_caller]
fn bash(words: &[&str], expect: &[&str]) {
    let folder = tempfile::tempdir().expect("a directory");
    let path = written(folder.path(), Shell::Bash);
    let run = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
        COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'; _infermeter; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["--norc", "-c", run, "bash", &path])
        .args(words)
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let replies: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(replies, expect, "{words:?}: {output:?}");
}

#[test]
fn bash_completes_commands_flags_and_values() {
    bash(&["infermeter", "ru"], &["run"]);
    bash(&["infermeter", "history", "t"], &["trend"]);
    bash(
        &["infermeter", "run", "--rat"],
        &["--rate", "--rate-profile"],
    );
    let apis = [
        "chat",
        "completions",
        "messages",
        "responses",
        "embeddings",
        "rerank",
    ];
    bash(&["infermeter", "run", "--endpoint", ""], &apis);
    bash(
        &["infermeter", "run", "--endpoint", "=", "co"],
        &["completions"],
    );
    bash(&["infermeter", "run", "--rate", ""], &[]);
    // bash takes these apart, and wants what stands behind the last colon.
    bash(
        &["infermeter", "run", "mock", ":", "ll"],
        &["llama-8b-h100"],
    );
    bash(
        &["infermeter", "run", "moc"],
        &["mock:fixed", "mock:llama-8b-h100"],
    );
    // The value of a flag that is not shown is not the target.
    bash(
        &[
            "infermeter",
            "run",
            "-c",
            "4",
            "http",
            "://a",
            ":",
            "80",
            "--arrival",
            "g",
        ],
        &["gamma"],
    );
    bash(&["infermeter", "help", "swe"], &["sweep"]);
}

#[test]
fn bash_completes_paths() {
    let folder = tempfile::tempdir().expect("a directory");
    fs::create_dir(folder.path().join("runs")).expect("created");
    fs::write(folder.path().join("rows.csv"), "").expect("written");
    let begin = folder.path().join("r").to_str().expect("UTF-8").to_owned();
    let runs = format!("{begin}uns");
    bash(&["infermeter", "report", &begin], &[&runs]);
    let rows = format!("{begin}ows.csv");
    bash(
        &["infermeter", "run", "--trace", &format!("{begin}ows")],
        &[&rows],
    );
}
