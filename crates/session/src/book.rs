//! The book of an experiment: what its ledger says, typed.
//!
//! The file's form is [`infermeter_record::Ledger`]'s. Invariant: what has ended is entered before anything
//! else begins; nothing entered is ever taken back, only followed by a later entry of the same number.

use crate::failure::Cause;
use anyhow::{Result, bail};
use infermeter_core::plan::Plan;
use infermeter_core::text::inert;
use infermeter_protocol::ProtocolSpec;
use infermeter_record::{Ledger, LedgerContents};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::Path;

/// Version of the ledger's entries. In the first, runs were those of one plan that is repeated.
pub const FORMAT_VERSION: u32 = 2;

/// What an experiment is: the first line of its ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Version of what follows.
    pub format_version: u32,
    /// Version of infermeter.
    pub infermeter_version: String,
    /// Over everything that is measured; who goes on with it has to have the same.
    pub hash: String,
    /// What is asked for.
    pub asked: Asked,
}

/// What an experiment asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one of them in a process"
)]
pub enum Asked {
    /// Runs, as a protocol asks for them.
    Runs(AskedRuns),
    /// Rungs of a calibration.
    Rungs {
        /// What each is, and how all are measured.
        ladder: Vec<String>,
    },
}

/// Runs that are asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AskedRuns {
    /// The plans that coordinates name by their number, secrets replaced by `***`.
    pub variants: Vec<Plan>,
    /// What decides over the runs.
    pub protocol: ProtocolSpec,
}

impl Header {
    /// Of an experiment that begins.
    pub fn new(hash: String, asked: Asked) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
            hash,
            asked,
        }
    }
}

/// One line behind the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "line", rename_all = "snake_case")]
#[schemars(rename = "LineOf{Entry}")]
pub(crate) enum Line<At, Entry> {
    /// Something has ended.
    Ended(EndedLine<At, Entry>),
    /// Something could not be measured.
    Stopped(Stopped),
}

/// Something has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "EndedLineOf{Entry}")]
pub struct EndedLine<At, Entry> {
    /// Its number, from 1.
    pub number: usize,
    /// Its coordinates.
    pub at: At,
    /// How many there were at the same coordinates before it.
    pub replicate: usize,
    /// What is kept of it.
    pub seen: Entry,
}

/// Something could not be measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// The number that it would have had.
    pub number: usize,
    /// Whose fault that is.
    pub cause: Cause,
    /// Why.
    pub why: String,
}

/// The ledger of an experiment, or of something that needs none.
#[derive(Debug)]
pub struct Book(Option<Ledger>);

/// What a ledger says.
#[derive(Debug, Clone, PartialEq)]
pub struct Read<At, Entry> {
    /// What the experiment is.
    pub header: Header,
    /// What has ended, by number; of several entries of one number the last.
    pub ended: Vec<EndedLine<At, Entry>>,
    /// What could not be measured, where nothing of its number or of a lower one has ended since.
    pub stopped: Vec<Stopped>,
}

impl Book {
    /// None is kept: there is one thing to measure.
    pub fn none() -> Self {
        Self(None)
    }

    /// Begins that of an experiment, in its directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(directory: &Path, header: &Header) -> Result<Self> {
        Ok(Self(Some(Ledger::create(directory, header)?)))
    }

    /// Goes on with that of an experiment.
    ///
    /// # Errors
    /// Where there is none, where another process writes it, and where it is of another version.
    pub(crate) fn reopen<At, Entry>(directory: &Path) -> Result<(Self, Read<At, Entry>)>
    where
        At: DeserializeOwned,
        Entry: DeserializeOwned,
    {
        let (ledger, contents) = Ledger::reopen(directory)?;
        Ok((Self(Some(ledger)), understood(directory, contents)?))
    }

    /// What that of an experiment says.
    ///
    /// # Errors
    /// As `reopen`, but that another process may write it.
    pub fn read<At, Entry>(directory: &Path) -> Result<Read<At, Entry>>
    where
        At: DeserializeOwned,
        Entry: DeserializeOwned,
    {
        understood(directory, Ledger::read(directory)?)
    }

    /// What the experiment of a directory is.
    ///
    /// # Errors
    /// Where there is none.
    pub fn header(directory: &Path) -> Result<Header> {
        header(directory, &Ledger::read(directory)?)
    }

    /// Something has ended.
    ///
    /// # Errors
    /// When it cannot be entered.
    pub fn ended<At: Serialize, Entry: Serialize>(
        &mut self,
        line: EndedLine<&At, Entry>,
    ) -> Result<()> {
        self.enter(&Line::Ended(line))
    }

    /// Something could not be measured.
    ///
    /// # Errors
    /// When that cannot be entered.
    pub fn stopped(&mut self, number: usize, error: &anyhow::Error) -> Result<()> {
        let why = format!("{error:#}");
        let lines: Vec<&str> = why.lines().map(str::trim).collect();
        self.enter(&Line::<(), ()>::Stopped(Stopped {
            number,
            cause: Cause::of(error),
            why: inert(&lines.join("; "), 2_000),
        }))
    }

    /// Why something could not be measured, where that is what a line of a ledger says.
    pub(crate) fn why_of(line: &mut Value) -> Option<&mut Value> {
        let is_stopped = line.get("line").is_some_and(|kind| kind == "stopped");
        line.get_mut("why").filter(|_| is_stopped)
    }

    fn enter(&mut self, line: &impl Serialize) -> Result<()> {
        match &mut self.0 {
            Some(ledger) => Ok(ledger.append(line)?),
            None => Ok(()),
        }
    }
}

fn header(directory: &Path, contents: &LedgerContents) -> Result<Header> {
    let version = contents.header["format_version"].as_u64().unwrap_or(0);
    if version > u64::from(FORMAT_VERSION) {
        bail!(
            "{}: its ledger has format version {version}, this infermeter reads up to \
             {FORMAT_VERSION}: use a newer infermeter",
            directory.display()
        );
    }
    let mut header = contents.header.clone();
    if version == 1 {
        of_one_plan(&mut header["asked"]);
    }
    serde_json::from_value(header).map_err(|error| unreadable(directory, &error))
}

/// Runs as the first version has them.
fn of_one_plan(asked: &mut Value) {
    if asked["kind"] == "runs" {
        *asked = json!({
            "kind": "runs",
            "variants": [asked["plan"]],
            "protocol": {"name": "repeat", "requests": asked["requests"]},
        });
    }
}

fn understood<At, Entry>(directory: &Path, contents: LedgerContents) -> Result<Read<At, Entry>>
where
    At: DeserializeOwned,
    Entry: DeserializeOwned,
{
    let mut read = Read {
        header: header(directory, &contents)?,
        ended: Vec::<EndedLine<At, Entry>>::new(),
        stopped: Vec::new(),
    };
    for entry in contents.entries {
        match serde_json::from_value(entry).map_err(|error| unreadable(directory, &error))? {
            Line::Ended(line) => {
                read.stopped.retain(|stopped| stopped.number < line.number);
                match read.ended.iter_mut().find(|l| l.number == line.number) {
                    Some(earlier) => *earlier = line,
                    None => read.ended.push(line),
                }
            }
            Line::Stopped(stopped) => {
                read.stopped
                    .retain(|earlier| earlier.number < stopped.number);
                read.stopped.push(stopped);
            }
        }
    }
    read.ended.sort_by_key(|line| line.number);
    Ok(read)
}

fn unreadable(directory: &Path, error: &serde_json::Error) -> anyhow::Error {
    anyhow::anyhow!(
        "{}: its ledger cannot be read: {}; restore it from a copy",
        directory.display(),
        inert(&error.to_string(), 300)
    )
}
