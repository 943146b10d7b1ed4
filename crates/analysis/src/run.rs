//! A run as judgement sees it: its manifest, and what the first reading of its records gave.

use infermeter_core::run::{RunLog, RunManifest};
use infermeter_core::server::ServerReadings;
use infermeter_core::source::RecordSource;
use infermeter_core::spans::SpansReceived;
use infermeter_metrics::collect::{Collected, collect};

/// A run whose records were read once.
#[derive(Debug, Clone)]
pub struct Run {
    /// What was planned and what the runner saw.
    pub manifest: RunManifest,
    /// Facts about its requests, and tallies of its token-level series.
    pub collected: Collected,
    /// What the server said of itself meanwhile; absent where it was not read.
    pub server: Option<ServerReadings>,
    /// What spans of its requests said; absent where none were asked for.
    pub spans: Option<SpansReceived>,
}

impl Run {
    /// Reads the records for the first time; readings of the server are added afterwards. The objectives of the manifest's plan are those that
    /// can be judged afterwards.
    ///
    /// # Errors
    /// Those of the source.
    pub fn read<S: RecordSource + ?Sized>(
        manifest: RunManifest,
        source: &S,
    ) -> Result<Self, S::Error> {
        let collected = collect(&manifest, source)?;
        Ok(Self {
            manifest,
            collected,
            server: None,
            spans: None,
        })
    }

    /// A run that is held in memory.
    pub fn of(log: &RunLog) -> Self {
        let Ok(run) = Self::read(log.manifest.clone(), log);
        run
    }
}

#[cfg(test)]
mod tests;
