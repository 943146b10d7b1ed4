//! The records of ranks as one: what each has left behind is completed, and all of it is merged.
//!
//! It measures nothing and waits for nobody. Invariant: a rank whose record cannot be used costs that rank, and is
//! named.

use super::folders::{RENDEZVOUS, rank_directories};
use crate::finish::Ended;
use crate::kept::KeptRun;
use crate::merge::merge;
use anyhow::{Result, bail};
use infermeter_core::text::short_hash;
use infermeter_ranks::meeting::{LAUNCH, gathering};
use infermeter_ranks::store;
use infermeter_record::{RecordState, RunDirectory, read_manifest};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Ranks that were put together.
#[derive(Debug)]
pub struct Gathered {
    /// The run that they are together.
    pub ended: Ended,
    /// Ranks of which nothing could be used: which, and why.
    pub unusable: Vec<String>,
}

/// Completes the records of ranks that were cut off, and merges all into the directory of the whole.
///
/// # Errors
/// When no rank has measured anything, and when the merged record cannot be written.
pub fn gather(whole: &Path) -> Result<Gathered> {
    let mut ranks = Sorted {
        usable: rank_directories(whole)?,
        unusable: Vec::new(),
    };
    ranks.keep(&has_record);
    if let Some(run) = Belongs::most(whole, &ranks.usable) {
        ranks.keep(&|rank| run.has(rank));
    }
    ranks.refuse_nothing(whole)?;
    let error = match merge(&ranks.usable, whole) {
        Ok(ended) => return Ok(ranks.gathered(ended)),
        Err(error) => error,
    };
    // One of them may be to blame: each is read to its end, which takes as long as merging them.
    let before = ranks.usable.len();
    ranks.keep(&is_readable);
    if ranks.usable.len() == before || ranks.usable.is_empty() {
        return Err(error);
    }
    let ended = merge(&ranks.usable, whole)?;
    Ok(ranks.gathered(ended))
}

/// Directories of ranks, by whether they can be used.
struct Sorted {
    usable: Vec<PathBuf>,
    /// The others, and why not.
    unusable: Vec<String>,
}

impl Sorted {
    /// Keeps those that pass.
    fn keep(&mut self, look: &dyn Fn(&Path) -> Result<()>) {
        for directory in std::mem::take(&mut self.usable) {
            match look(&directory) {
                Ok(()) => self.usable.push(directory),
                Err(error) => {
                    let of = directory.display();
                    self.unusable.push(format!("{of}: {error:#}"));
                }
            }
        }
    }

    fn refuse_nothing(&self, whole: &Path) -> Result<()> {
        if !self.usable.is_empty() {
            return Ok(());
        }
        let why = match self.unusable.is_empty() {
            true => String::new(),
            false => format!(": {}", self.unusable.join("; ")),
        };
        bail!(
            "{} holds no rank that has measured anything{why}",
            whole.display()
        )
    }

    fn gathered(self, ended: Ended) -> Gathered {
        Gathered {
            ended,
            unusable: self.unusable,
        }
    }
}

/// What a record is of. All ranks of a launch have the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Belongs {
    run_id: String,
    plan_hash: String,
}

impl Belongs {
    fn of(rank: &Path) -> Result<Self> {
        let manifest = read_manifest(rank)?;
        Ok(Self {
            run_id: manifest.run_id,
            plan_hash: manifest.plan_hash,
        })
    }

    /// What the launch was, where the ranks have left that; `None` where it cannot be read.
    fn launch(whole: &Path) -> Option<Self> {
        let place = whole.join(RENDEZVOUS);
        // A place that is opened is made.
        let store = place.join(LAUNCH).is_file().then(|| store::folder(&place));
        let seen = gathering(&*store?.ok()?).ok().flatten()?;
        Some(Self {
            run_id: seen.launch.run_id,
            plan_hash: seen.launch.plan_hash,
        })
    }

    /// The run that these are merged to: that of the launch, or else the one that most of them are of, of equals that of
    /// the lowest rank. `None` where there are none.
    fn most(whole: &Path, ranks: &[PathBuf]) -> Option<Self> {
        let all: Vec<Self> = ranks
            .iter()
            .filter_map(|rank| Self::of(rank).ok())
            .collect();
        if let Some(launch) = Self::launch(whole).filter(|launch| all.contains(launch)) {
            return Some(launch);
        }
        let mut counts: BTreeMap<&Self, usize> = BTreeMap::new();
        all.iter()
            .for_each(|of| *counts.entry(of).or_default() += 1);
        all.iter().rev().max_by_key(|of| counts[of]).cloned()
    }

    /// Whether the record of a rank is of it.
    fn has(&self, rank: &Path) -> Result<()> {
        let own = Self::of(rank)?;
        let pairs = [
            ("run id", &own.run_id, &self.run_id),
            ("plan hash", &own.plan_hash, &self.plan_hash),
        ];
        match pairs.into_iter().find(|(_, own, all)| own != all) {
            None => Ok(()),
            Some((what, own, all)) => bail!(
                "it is of another run: its {what} is {}, and that of the others {}",
                short_hash(own),
                short_hash(all)
            ),
        }
    }
}

/// Whether there is a record, by a look at its files.
fn has_record(directory: &Path) -> Result<()> {
    read_manifest(directory)?;
    match RunDirectory::open(directory)?.state()? {
        RecordState::Finished | RecordState::NeedsRecovery => Ok(()),
        RecordState::Empty => bail!("it ended before its first request"),
    }
}

/// Whether its record can be read, once it is completed.
fn is_readable(directory: &Path) -> Result<()> {
    KeptRun::open(directory)?.judge(None).map(drop)
}
