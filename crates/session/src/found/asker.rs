//! Who asks a target before the load. Of several processes that share a load, rank 0 asks what is asked once: what the
//! server says of itself, of its GPUs and its replicas, and whether it caches responses. Every one asks what it needs to
//! send: where the server is, the model's name, and which fields are accepted.
//!
//! Invariant: no two processes ask under one name.

use super::{duration, limits};
use crate::cache_probe;
use crate::experiment::{Experiment, Probing};
use crate::replicas;
use crate::run_id::salt_of;
use crate::server_metrics::{Asking, Readable};
use anyhow::Result;
use infermeter_client::encode::RequestShape;
use infermeter_core::environment::{CacheTrial, EngineFacts};
use infermeter_probe::response_cache::PROMPTS;
use infermeter_probe::target::{Control, Limits};
use std::time::Duration;

/// Longest time for an answer of the trial of response caching.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(60);

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    /// The run's id, which all processes of a run share.
    pub run_id: String,
    /// Its number among them, 0 of one alone.
    pub rank: u32,
}

impl Asker {
    fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// What its questions are called.
    pub(super) fn name(&self) -> String {
        match self.rank {
            0 => self.run_id.clone(),
            rank => format!("{}-rank-{rank}", self.run_id),
        }
    }

    /// Looks for what rank 0 alone looks for; else tells why nobody does here.
    pub(super) fn once<T>(&self, look: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        match self.is_first() {
            true => look(),
            false => Err("rank 0 reads it".to_owned()),
        }
    }

    /// Who tells of replicas, where anybody is to.
    pub(super) fn replicas(
        &self,
        experiment: &Experiment,
        asking: &Asking<'_>,
    ) -> Option<Result<Readable, String>> {
        match self.is_first() {
            true => replicas::find(experiment, asking),
            false => None,
        }
    }

    /// What is known of the engine; nothing where nothing is to be asked.
    pub(super) fn engine(&self, experiment: &Experiment, control: &mut Control) -> EngineFacts {
        let never = experiment.target.probing == Probing::Never || experiment.is_simulated();
        match self.is_first() && !never {
            true => control.engine(),
            false => EngineFacts::default(),
        }
    }

    /// Tries whether the server caches responses, where that is asked for.
    ///
    /// # Errors
    /// When no prompts can be made for it.
    pub(super) fn response_cache(
        &self,
        experiment: &Experiment,
        control: &mut Control,
        shape: &RequestShape,
    ) -> Result<Option<CacheTrial>> {
        if !self.is_first() {
            return Ok(None);
        }
        control.limit(limits_of_trial(experiment));
        let tried = cache_probe::trial(experiment, control, shape, salt_of(&self.run_id));
        control.limit(limits(experiment));
        tried
    }
}

/// Limits of the trial: its answers are longer than those of other questions.
fn limits_of_trial(experiment: &Experiment) -> Limits {
    let each = TRIAL_TIMEOUT.min(duration(experiment.client.timeout));
    Limits {
        each,
        all: each.saturating_mul(2 * PROMPTS as u32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(rank: u32) -> Asker {
        Asker {
            run_id: "0011".to_owned(),
            rank,
        }
    }

    #[test]
    fn rank_0_asks_under_the_name_of_the_run_and_asks_for_all() {
        assert_eq!(asker(0).name(), "0011");
        assert_eq!(asker(12).name(), "0011-rank-12");
        assert_eq!(asker(0).once(|| Ok(7)), Ok(7));
        let asked: Result<u32, String> = asker(1).once(|| panic!("asked twice"));
        assert_eq!(asked, Err("rank 0 reads it".to_owned()));
    }
}
