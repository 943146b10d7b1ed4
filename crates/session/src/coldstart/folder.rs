//! The folder of starts: what is asked, a line for each start, and a directory with its log.
//!
//! ```text
//! FOLDER/coldstart.jsonl            what was asked, then a line for each start, each synced
//! FOLDER/start-001/server.log       what the server wrote
//! FOLDER/result.json                the result, once all starts are there
//! ```
//!
//! Measures nothing. Invariant: a folder holds starts of one question alone.

use super::{CacheState, Going};
use crate::aside::one_aside;
use crate::history;
use crate::run_id::{default_directory, random_run_id};
use anyhow::{Context, Result, bail};
use infermeter_analysis::cold_start::ColdRepeat;
use infermeter_core::clock::realtime_ns;
use infermeter_core::units::Span;
use infermeter_record::{CheckedLines, LinesRead};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// The lines.
const LINES_FILE: &str = "coldstart.jsonl";

/// What starts are asked: those of one folder are asked the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ColdAsked {
    /// The command that serves, as it was given, secrets hidden; absent of a server that is there already.
    pub serve: Option<String>,
    /// The server, secrets hidden.
    pub target: String,
    /// The state of caches that was asked for; absent where nothing was said.
    pub cache: Option<CacheState>,
    /// How long the light load goes on behind the first answer.
    pub settle: Span,
    /// The time without requests, or the first of them; absent where none was asked for.
    pub idle: Option<Span>,
    /// The requests of the light load, as `--workload` has them.
    pub workload: String,
    /// The model that was asked for; absent where the server's first is.
    #[serde(default)]
    pub model: Option<String>,
    /// The API, as `--endpoint` has it; empty where an earlier version did not keep it.
    #[serde(default)]
    pub endpoint: String,
    /// Directories that are emptied before each start.
    #[serde(default)]
    pub cache_dir: Vec<PathBuf>,
    /// Files and directories whose pages are dropped before each start.
    #[serde(default)]
    pub cache_file: Vec<PathBuf>,
    /// The command that runs before each start, secrets hidden; absent without one.
    #[serde(default)]
    pub before: Option<String>,
    /// The server is left idle until it is cold.
    #[serde(default)]
    pub idle_until_cold: bool,
    /// The longest of those times; absent where it is not left idle so.
    #[serde(default)]
    pub idle_most: Option<Span>,
    /// Path of the health page; empty where an earlier version did not keep it.
    #[serde(default)]
    pub health: String,
    /// Time for a start to get to its first answer; absent where an earlier version did not keep it.
    #[serde(default)]
    pub start_timeout: Option<Span>,
    /// Phases of the user's own, as `--phase` has them.
    #[serde(default)]
    pub phases: Vec<String>,
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Asked(Box<ColdAsked>),
    Start(Box<ColdRepeat>),
}

/// A folder that is written.
pub(super) struct Folder {
    path: PathBuf,
    lines: CheckedLines,
    /// The time without requests behind which a server was cold.
    pub cold_after: Option<Span>,
}

/// What the lines of a folder say.
struct Said {
    asked: Option<ColdAsked>,
    repeats: Vec<ColdRepeat>,
}

impl Said {
    fn of(read: &LinesRead, path: &Path) -> Result<Self> {
        let mut said = Self {
            asked: None,
            repeats: Vec::new(),
        };
        for (number, text) in &read.entries {
            let line: Result<Line, serde_json::Error> = serde_json::from_str(text);
            let place = || format!("{}/{LINES_FILE}, line {number}", path.display());
            match line.with_context(place)? {
                Line::Asked(asked) => said.asked = Some(*asked),
                Line::Start(repeat) => said.repeats.push(*repeat),
            }
        }
        Ok(said)
    }
}

/// Starts that are on disk.
#[derive(Debug)]
pub struct KeptStarts {
    /// What was asked.
    pub asked: ColdAsked,
    /// The starts that are there, in order.
    pub repeats: Vec<ColdRepeat>,
    /// Lines that cannot be believed, as what a killed process left of one.
    pub damaged: usize,
}

/// The folder holds starts.
pub fn is_coldstart(folder: &Path) -> bool {
    folder.join(LINES_FILE).is_file()
}

/// The starts of a folder; nothing is changed there.
///
/// # Errors
/// When they cannot be read.
pub fn kept(folder: &Path) -> Result<KeptStarts> {
    let read = CheckedLines::read(&folder.join(LINES_FILE))?;
    let read = read.with_context(|| format!("{} holds no starts", folder.display()))?;
    let said = Said::of(&read, folder)?;
    Ok(KeptStarts {
        asked: said
            .asked
            .context("its first line, which says what was asked, is not there")?,
        repeats: said.repeats,
        damaged: read.damaged.len(),
    })
}

/// Where starts go that were told no place.
///
/// # Errors
/// When the system has no randomness.
pub fn default_folder() -> Result<PathBuf> {
    Ok(default_directory(realtime_ns(), &random_run_id()?))
}

impl Folder {
    /// Opens it, with the starts that are there.
    ///
    /// # Errors
    /// Where it is there and should not be, or the other way round; where it holds something else, or other starts.
    pub fn open(path: &Path, asked: &ColdAsked, going: Going) -> Result<(Self, Vec<ColdRepeat>)> {
        let shown = path.display();
        match (going, path.join(LINES_FILE).is_file()) {
            (Going::New, _) if path.exists() => {
                bail!("{shown} exists: name another folder, or go on there with --resume {shown}")
            }
            (Going::On, false) => bail!("--resume: {shown} holds no starts of `coldstart`"),
            (Going::New | Going::On, _) => {}
        }
        history::takes(path)?;
        fs::create_dir_all(path).with_context(|| format!("cannot create {shown}"))?;
        let (lines, read) = CheckedLines::open(&path.join(LINES_FILE))?;
        if let Some(damaged) = read.damaged.first() {
            bail!(
                "{shown}/{LINES_FILE}, line {}: {}",
                damaged.line,
                damaged.why
            );
        }
        let mut folder = Self {
            path: path.to_owned(),
            lines,
            cold_after: None,
        };
        let said = Said::of(&read, path)?;
        said.repeats.iter().for_each(|repeat| folder.note(repeat));
        match said.asked {
            None => folder.lines.add(&Line::Asked(Box::new(asked.clone())))?,
            Some(before) if before != *asked => bail!(
                "--resume: {shown} holds other starts: {}",
                differs(&before, asked)
            ),
            Some(_) => {}
        }
        Ok((folder, said.repeats))
    }

    fn note(&mut self, repeat: &ColdRepeat) {
        let cold = repeat
            .after_idle
            .as_ref()
            .filter(|_| repeat.failed.is_none());
        self.cold_after = cold.map(|idle| idle.idle).or(self.cold_after);
    }

    /// Adds a start; it is on disk afterwards.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is left then.
    pub fn add(&mut self, repeat: &ColdRepeat) -> Result<()> {
        Ok(self.lines.add(&Line::Start(Box::new(repeat.clone())))?)
    }

    /// Where a start's directory is, or will be.
    pub fn place(&self, number: u32) -> PathBuf {
        self.path.join(name(number))
    }

    /// The directory of a start, made anew: what a killed process left there is set aside.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn of_start(&self, number: u32) -> Result<PathBuf> {
        let directory = self.place(number);
        if directory.exists() {
            one_aside(&self.path, &name(number))?;
        }
        fs::create_dir(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        Ok(directory)
    }
}

/// What the directory of a start is called.
fn name(number: u32) -> String {
    format!("start-{number:03}")
}

/// What of two questions is not the same.
fn differs(before: &ColdAsked, now: &ColdAsked) -> String {
    let of = |asked: &ColdAsked| match serde_json::to_value(asked) {
        Ok(serde_json::Value::Object(map)) => map,
        _ => serde_json::Map::new(),
    };
    let (before, now) = (of(before), of(now));
    let unlike = before
        .iter()
        .filter(|(key, value)| now.get(*key) != Some(value));
    let said = unlike.map(|(key, value)| {
        let now = now.get(key).cloned().unwrap_or_default();
        format!("{key} was {value}, and is {now} now")
    });
    said.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::empty;
    use super::*;

    fn asked() -> ColdAsked {
        ColdAsked {
            serve: Some("serve".to_owned()),
            target: "http://localhost:8000".to_owned(),
            cache: Some(CacheState::Warm),
            settle: Span::seconds(10),
            idle: None,
            workload: "fixed:128,32".to_owned(),
            model: None,
            endpoint: "chat".to_owned(),
            cache_dir: Vec::new(),
            cache_file: Vec::new(),
            before: None,
            idle_until_cold: false,
            idle_most: None,
            health: "/health".to_owned(),
            start_timeout: Some(Span::seconds(1_800)),
            phases: Vec::new(),
        }
    }

    #[test]
    fn starts_that_are_asked_otherwise_are_other_starts() {
        let check = |change: fn(&mut ColdAsked), said: &str| {
            let mut now = asked();
            change(&mut now);
            let differs = differs(&asked(), &now);
            assert!(differs.starts_with(said), "{differs}");
        };
        check(|now| now.model = Some("m".to_owned()), "model was null");
        check(
            |now| now.endpoint = "completions".to_owned(),
            "endpoint was",
        );
        check(
            |now| now.cache_dir.push("/tmp/a/b".into()),
            "cache_dir was []",
        );
        check(|now| now.cache_file.push("/m".into()), "cache_file was []");
        check(|now| now.before = Some("x".to_owned()), "before was null");
        check(
            |now| now.idle_until_cold = true,
            "idle_until_cold was false",
        );
        check(
            |now| now.idle_most = Some(Span::seconds(1)),
            "idle_most was",
        );
        check(|now| now.health = "/up".to_owned(), "health was");
        check(|now| now.start_timeout = None, "start_timeout was");
        check(|now| now.phases.push("a=b".to_owned()), "phases was []");
        // A line of a version that kept less can be read.
        let line =
            r#"{"serve":null,"target":"t","cache":null,"settle":"1s","idle":null,"workload":"w"}"#;
        let old: ColdAsked = serde_json::from_str(line).expect("it can be read");
        assert_eq!((old.endpoint.as_str(), old.start_timeout), ("", None));
    }

    #[test]
    fn starts_are_there_after_a_kill_and_go_on_as_they_were_asked() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("starts");
        let (mut folder, none) = Folder::open(&path, &asked(), Going::New).expect("new");
        assert!(none.is_empty());
        folder.add(&empty(1)).expect("added");
        let first = folder.of_start(2).expect("made");
        fs::write(first.join("server.log"), "cut off").expect("written");
        drop(folder);
        let torn = path.join(LINES_FILE);
        let text = fs::read_to_string(&torn).expect("lines");
        fs::write(&torn, format!("{text}{{\"crc32\":\"12")).expect("torn");
        let seen = kept(&path).expect("it can be read");
        assert_eq!(
            (seen.asked, seen.repeats.len(), seen.damaged),
            (asked(), 1, 1)
        );
        let (mut folder, there) = Folder::open(&path, &asked(), Going::On).expect("on");
        assert_eq!(there.iter().map(|r| r.number).collect::<Vec<_>>(), [1]);
        let again = folder.of_start(2).expect("made anew");
        assert!(!again.join("server.log").exists());
        folder.add(&empty(2)).expect("added");
        drop(folder);
        let refused = |asked: &ColdAsked, going: Going, word: &str| {
            let error = Folder::open(&path, asked, going).err().expect(word);
            assert!(format!("{error:#}").contains(word), "{error:#}");
        };
        refused(&asked(), Going::New, "--resume");
        let other = ColdAsked {
            settle: Span::seconds(9),
            ..asked()
        };
        refused(&other, Going::On, "settle was \"10s\", and is \"9s\" now");
        let nowhere = directory.path().join("nowhere");
        assert!(Folder::open(&nowhere, &asked(), Going::On).is_err());
    }
}
