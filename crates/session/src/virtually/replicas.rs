//! The number of replicas in virtual time, read at whole seconds as a page would be, where the simulator scales itself.
//!
//! Invariant: what is read is what a live run's thread would read: all replicas that are there, loading and draining
//! ones too.

use crate::server_metrics::place_of;
use anyhow::Result;
use infermeter_core::clock::Offset;
use infermeter_core::environment::MetricsPlace;
use infermeter_core::run::Window;
use infermeter_core::schedule::Phase;
use infermeter_core::server::{
    PageDetail, Quantity, ReadingCause, SERVER_METRICS_VERSION, ServerEngine, ServerReading,
    ServerWatch, WatchedPage,
};
use infermeter_mock::Config;
use infermeter_mock::engine::Fleet;
use infermeter_record::ServerMetricsWriter;
use std::path::Path;

/// From one reading to the next, nanoseconds.
const INTERVAL_NS: i64 = 1_000_000_000;

/// What was read.
#[derive(Debug, Default)]
pub(super) struct Replicas {
    counts: Vec<(i64, u32)>,
}

impl Replicas {
    /// From one reading to the next; never where the simulator keeps its size.
    pub fn interval_ns(config: &Config) -> i64 {
        config.autoscale.map_or(i64::MAX, |_| INTERVAL_NS)
    }

    /// For the record, where they are read.
    pub fn place(config: &Config) -> Option<MetricsPlace> {
        config.autoscale.map(|_| place_of(vec![page()], Vec::new()))
    }

    /// Reads them.
    pub fn note(&mut self, at_ns: i64, fleet: &Fleet) {
        self.counts.push((at_ns, fleet.replica_counts(at_ns).all()));
    }

    /// Writes what was read into a run's directory; nothing where nothing was.
    pub fn write(&self, directory: &Path, window: Option<Window>) -> Result<()> {
        if self.counts.is_empty() {
            return Ok(());
        }
        let watch = ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            pages: vec![page()],
            interval_ns: INTERVAL_NS,
        };
        let mut writer = ServerMetricsWriter::create(directory, &watch)?;
        for (at_ns, count) in &self.counts {
            let at = Offset(*at_ns);
            let phase = match window {
                Some(window) if at < window.start => Phase::Warmup,
                Some(window) if at >= window.end => Phase::Drain,
                Some(_) | None => Phase::Measure,
            };
            writer.append(&ServerReading {
                asked_ns: at,
                answered_ns: at,
                phase,
                cause: ReadingCause::Interval,
                skipped: 0,
                page: 0,
                error: None,
                figures: [(Quantity::Replicas, f64::from(*count))].into(),
                detail: PageDetail::default(),
            })?;
        }
        Ok(())
    }
}

fn page() -> WatchedPage {
    WatchedPage {
        engine: ServerEngine::Replicas,
        url: "mock: in virtual time".to_owned(),
    }
}
