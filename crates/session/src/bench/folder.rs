//! The folder of a bench: what is asked, a row for each configuration in each round, and their directories.
//!
//! ```text
//! FOLDER/bench.jsonl                        what was asked, then a row for each start, each synced
//! FOLDER/c001-NAME/round-01/server.log      what the server wrote
//! FOLDER/c001-NAME/round-01/measured/       the record of its run, or of its experiment
//! FOLDER/c001-NAME/round-01/measured.err    what the measurement said meanwhile
//! FOLDER/result.json                        the result
//! ```
//!
//! Measures nothing. Invariant: a folder holds rows of one question alone.

use super::Configuration;
use crate::aside::one_aside;
use crate::coldstart::Going;
use crate::history;
use anyhow::{Context, Result, bail};
use infermeter_analysis::cold_start::{ColdInstant, ColdPhase, ReachedAt};
use infermeter_record::CheckedLines;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

/// Version of the format of a row, and of the result.
pub const BENCH_VERSION: u32 = 1;

/// The lines.
const LINES_FILE: &str = "bench.jsonl";

/// What a bench is asked: the rows of one folder are asked the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BenchAsked {
    /// The command that serves, with its placeholders, secrets hidden.
    pub serve: String,
    /// The command of each configuration, in order, secrets hidden.
    pub commands: Vec<String>,
    /// The server, secrets hidden.
    pub target: String,
    /// The words that measure it, without where the record goes and the seed, secrets hidden.
    pub measured_by: Vec<String>,
    /// The seed of the first round; each further round has the next.
    pub seed: u64,
}

/// How a start of a configuration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BenchState {
    /// There is the record of a whole measurement.
    Measured,
    /// The server did not get to its first answer.
    NotStarted,
    /// The measurement left no record, failed (exit code 4, say), or left one that cannot be read.
    NotMeasured,
    /// The server ended while it was measured.
    ServerDied,
}

/// One start of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BenchRow {
    /// Version of the format.
    pub format_version: u32,
    /// The configuration, from 1.
    pub configuration: usize,
    /// The round, from 1.
    pub round: u32,
    /// What the configuration has of its own.
    pub name: String,
    /// The command that served it, secrets hidden.
    pub command: String,
    /// When it was started, nanoseconds of Unix time.
    pub begun_ns: i64,
    /// How it ended.
    pub state: BenchState,
    /// Why it was not measured, with the server's last words; absent where it was.
    pub why: Option<String>,
    /// The exit code of the measurement; absent where there was none, or a signal killed it.
    pub exit_code: Option<i32>,
    /// What the start got to, milliseconds since the command was started.
    pub reached: Vec<ReachedAt>,
    /// Phases from the log.
    pub phases: Vec<ColdPhase>,
    /// Lines of the log in which the server tells how it is configured.
    pub config_lines: Vec<String>,
    /// Its directory, in that of the bench.
    pub directory: PathBuf,
    /// How the server was stopped.
    pub stopped: String,
    /// Bytes of the log that are not in its file.
    pub log_bytes_lost: u64,
}

impl BenchRow {
    /// It is of this configuration in this round.
    pub fn is_of(&self, configuration: usize, round: u32) -> bool {
        self.configuration == configuration && self.round == round
    }

    /// When its start got to an instant, milliseconds.
    pub fn at(&self, instant: ColdInstant) -> Option<f64> {
        let found = self.reached.iter().find(|at| at.instant == instant);
        found.map(|at| at.at_ms)
    }
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Asked(Box<BenchAsked>),
    Row(Box<BenchRow>),
}

/// A folder that is written.
pub(super) struct Folder {
    path: PathBuf,
    lines: CheckedLines,
}

/// The directory of a row.
pub(super) struct RowPlace {
    pub path: PathBuf,
    /// Below the folder.
    pub name: PathBuf,
}

impl Folder {
    /// Opens it, with the last row of each configuration in each round.
    ///
    /// # Errors
    /// Where it is there and should not be, or the other way round; where it holds something else, or another bench.
    pub fn open(path: &Path, asked: &BenchAsked, going: Going) -> Result<(Self, Vec<BenchRow>)> {
        let shown = path.display();
        match (going, path.join(LINES_FILE).is_file()) {
            (Going::New, _) if path.exists() => {
                bail!("{shown} exists: name another folder, or go on there with --resume {shown}")
            }
            (Going::On, false) => bail!("--resume: {shown} holds no bench"),
            (Going::New | Going::On, _) => {}
        }
        history::takes(path)?;
        fs::create_dir_all(path).with_context(|| format!("cannot create {shown}"))?;
        let (mut lines, read) = CheckedLines::open(&path.join(LINES_FILE))?;
        if let Some(damaged) = read.damaged.first() {
            bail!(
                "{shown}/{LINES_FILE}, line {}: {}",
                damaged.line,
                damaged.why
            );
        }
        let mut rows: Vec<BenchRow> = Vec::new();
        let mut known = false;
        for (number, text) in &read.entries {
            let line: Result<Line, serde_json::Error> = serde_json::from_str(text);
            match line.with_context(|| format!("{shown}/{LINES_FILE}, line {number}"))? {
                Line::Asked(before) => {
                    known = true;
                    if *before != *asked {
                        bail!(
                            "--resume: {shown} holds another bench: command, target, configurations, seed and what \
                             stands behind -- have to be as before"
                        );
                    }
                }
                Line::Row(row) => {
                    rows.retain(|other| !other.is_of(row.configuration, row.round));
                    rows.push(*row);
                }
            }
        }
        if !known {
            lines.add(&Line::Asked(Box::new(asked.clone())))?;
        }
        let folder = Self {
            path: path.to_owned(),
            lines,
        };
        Ok((folder, rows))
    }

    /// Adds a row; it is on disk afterwards.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is left then.
    pub fn add(&mut self, row: &BenchRow) -> Result<()> {
        Ok(self.lines.add(&Line::Row(Box::new(row.clone())))?)
    }

    /// Where a row's directory is, or will be.
    pub fn place(&self, configuration: &Configuration, round: u32) -> PathBuf {
        self.path.join(configuration.directory()).join(name(round))
    }

    /// The directory of a row, made anew: what was there is set aside.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn of_row(&self, configuration: &Configuration, round: u32) -> Result<RowPlace> {
        let of_configuration = PathBuf::from(configuration.directory());
        let above = self.path.join(&of_configuration);
        let name = name(round);
        if above.join(&name).exists() {
            one_aside(&above, &name)?;
        }
        let path = above.join(&name);
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(RowPlace {
            path,
            name: of_configuration.join(name),
        })
    }
}

/// What the directory of a round is called.
fn name(round: u32) -> String {
    format!("round-{round:02}")
}
