//! What measures: an experiment in, a record out.
//!
//! Two do it, [`crate::live::Live`] over sockets and [`crate::virtually::Virtual`] in virtual time. Both
//! leave a journal and a `run.json` in the run's directory, and everything after that is the same for
//! both (`finish`): so what decides over several runs is tested on the second without waiting.

use crate::answers::References;
use crate::experiment::Experiment;
use crate::ranked::Part;
use crate::run_id::RunIdentity;
use anyhow::Result;
use infermeter_core::plan::Plan;
use infermeter_core::run::RunManifest;
use infermeter_record::ManifestRoom;
use std::fs::File;
use std::path::PathBuf;

/// Where a run goes, and by which name: what of it is no part of the experiment.
#[derive(Debug, Clone)]
pub struct Site {
    /// What was asked for, in the user's words: `run.json` keeps it.
    pub plan: Plan,
    /// Id and salt.
    pub identity: RunIdentity,
    /// The run's directory, which exists.
    pub directory: PathBuf,
    /// The part of the load that is measured here; absent: all of it.
    pub part: Option<Part>,
}

/// Measures experiments, one after the other.
pub trait Measure {
    /// Measures one; the journal and `run.json` are in the site's directory afterwards.
    ///
    /// # Errors
    /// When the target cannot be used, a file cannot be written, or a worker cannot go on. Failed requests
    /// are records.
    fn measure(&mut self, experiment: &Experiment, site: &Site) -> Result<Measured>;

    /// Looks whether the target that was just measured is still there.
    ///
    /// # Errors
    /// When nobody accepts a connection any more.
    fn look_again(&self, _experiment: &Experiment) -> Result<()> {
        Ok(())
    }
}

/// A run that has ended.
#[derive(Debug)]
pub struct Measured {
    /// `run.json`, as far as it is known without the record.
    pub manifest: RunManifest,
    /// A signal ended it.
    pub interrupted: bool,
    /// Room for that `run.json`.
    pub(crate) room: ManifestRoom,
    /// The journal, by whatever name.
    pub(crate) journal: File,
    /// Answers asked for alone, which those under load are held against.
    pub(crate) references: References,
}
