//! The directory of a calibration that goes on: its ledger, and the rungs that are in it.
//!
//! A rung's record is large and needs its simulator's log, so the ledger keeps the rung's figures alone. The
//! directory lies among the system's temporary files and goes when the ladder has been climbed. Invariant: a
//! rung that a signal cut short does not count when the ladder is climbed on.

use super::cite::this_machine;
use super::ladder::{Ladder, RungAt, RungPoint};
use super::measure::Settings;
use crate::book::{Asked, Book, Header};
use crate::kept_experiment::same;
use crate::receiving::Receiving;
use crate::run_id::random_run_id;
use anyhow::{Context, Result};
use infermeter_core::certificate::{Rung, Spoiler};
use infermeter_core::run::FORMAT_VERSION;
use schemars::JsonSchema;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// A ladder that is climbed.
#[derive(Debug)]
pub struct Climb {
    /// Where.
    pub directory: PathBuf,
    /// Its book.
    pub book: Book,
    /// The rungs that were measured before.
    pub points: Vec<RungPoint>,
}

impl Climb {
    /// Begins one.
    ///
    /// # Errors
    /// When there is no room for its files.
    pub fn begin(header: &Header) -> Result<Self> {
        let name = format!("infermeter-calibrate-{}", random_run_id()?);
        let directory = std::env::temp_dir().join(name);
        fs::create_dir(&directory).with_context(|| {
            format!(
                "{} cannot be made: set TMPDIR to a directory with room",
                directory.display()
            )
        })?;
        Ok(Self {
            book: Book::create(&directory, header)?,
            directory,
            points: Vec::new(),
        })
    }

    /// Goes on with the one in a directory.
    ///
    /// # Errors
    /// Where it is another one, and where another process climbs it.
    pub fn resume(directory: &Path, header: &Header) -> Result<Self> {
        same(directory, &Book::header(directory)?, header)?;
        let (book, read) = Book::reopen::<RungAt, Rung>(directory)?;
        let whole = read
            .ended
            .into_iter()
            .take_while(|line| is_whole(&line.seen));
        Ok(Self {
            directory: directory.to_owned(),
            book,
            points: whole
                .map(|line| RungPoint {
                    number: line.number,
                    at: line.at,
                    replicate: line.replicate,
                    seen: line.seen,
                })
                .collect(),
        })
    }
}

/// No signal cut it short.
fn is_whole(rung: &Rung) -> bool {
    let spoilt = rung.spoilt.as_ref();
    spoilt.is_none_or(|spoilt| spoilt.by != Spoiler::Interrupt)
}

/// A calibration as it is on disk.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct KeptLadder {
    /// Version of the format.
    pub format_version: u32,
    /// What has been measured, in order.
    pub rungs: Vec<Rung>,
    /// Names of the rungs that have not been.
    pub missing: Vec<String>,
    /// Why it did not go on, where it said so.
    pub stopped: Option<String>,
}

/// The calibration in a directory; absent where the experiment there is of another kind.
///
/// # Errors
/// Where there is no experiment, and where its files cannot be read.
pub fn kept(directory: &Path) -> Result<Option<KeptLadder>> {
    let Asked::Rungs { ladder } = Book::header(directory)?.asked else {
        return Ok(None);
    };
    let mut read = Book::read::<RungAt, Rung>(directory)?;
    let rungs: Vec<Rung> = read.ended.into_iter().map(|line| line.seen).collect();
    let is_there = |name: &String| {
        let mut whole = rungs.iter().filter(|rung| is_whole(rung));
        whole.any(|rung| rung.name == *name)
    };
    Ok(Some(KeptLadder {
        format_version: FORMAT_VERSION,
        missing: ladder.into_iter().filter(|name| !is_there(name)).collect(),
        stopped: read.stopped.pop().map(|stopped| stopped.why),
        rungs,
    }))
}

/// What a calibration is: its rungs, how they are measured, and the machine.
///
/// # Errors
/// When it has no JSON form.
pub fn header(ladder: &Ladder, settings: &Settings, receiving: &Receiving) -> Result<Header> {
    let rungs: Vec<String> = ladder.specs.iter().map(ToString::to_string).collect();
    let what = serde_json::json!({
        "rungs": rungs,
        "repeats": ladder.repeats(),
        "duration": settings.duration,
        "warmup": settings.warmup,
        "threads": settings.threads,
        "burn": settings.burn,
        "io": receiving.name(),
        "machine": this_machine(),
    });
    let hash = Sha256::digest(serde_json::to_vec(&what)?);
    let hash = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Header::new(hash, Asked::Rungs { ladder: rungs }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::EndedLine;
    use crate::calibrate::fixture::good;

    #[test]
    fn what_was_measured_is_there_and_the_rest_is_named() {
        let scratch = tempfile::tempdir().expect("a directory");
        let names = ["streams:10x50", "streams:100x50"];
        let asked = Asked::Rungs {
            ladder: names.map(str::to_owned).to_vec(),
        };
        let header = Header::new("hash".to_owned(), asked);
        let mut book = Book::create(scratch.path(), &header).expect("a book");
        let at = RungAt {
            index: 0,
            spec: names[0].parse().expect("a rung"),
        };
        let line = EndedLine {
            number: 1,
            at: &at,
            replicate: 0,
            seen: good(names[0], 500.0, 20.0),
        };
        book.ended(line).expect("entered");
        drop(book);
        let found = kept(scratch.path()).expect("readable").expect("a ladder");
        let measured: Vec<&str> = found.rungs.iter().map(|rung| &*rung.name).collect();
        assert_eq!(
            (measured, found.missing),
            (vec![names[0]], vec![names[1].to_owned()])
        );
    }
}
