//! A run that is on disk: recovered where it was cut off, and judged from its record.
//!
//! Measures nothing and prints nothing. Invariant: every figure comes from the record; what a run says of
//! itself in its summary is never read back.

use crate::answers::References;
use crate::finish::write_readings;
use crate::judged::Judged;
use crate::{altered, settle};
use anyhow::{Result, bail};
use infermeter_analysis::{Run, raised};
use infermeter_core::finding::Severity;
use infermeter_core::plan::Until;
use infermeter_core::run::{ClientHealth, Progress, RunManifest, RunState, Window};
use infermeter_core::schedule::Phase;
use infermeter_metrics::collect::Collected;
use infermeter_metrics::facts::RequestFacts;
use infermeter_record::{
    CutOff, LeftOpen, ParquetRecords, RecordState, RunDirectory, Tail, free_room, read_manifest,
    read_server_metrics, read_spans, seal, write_manifest,
};
use std::path::{Path, PathBuf};

/// A run on disk.
#[derive(Debug)]
pub struct KeptRun {
    directory: PathBuf,
    /// What it says of itself. Changes are judged, and written with [`Self::judge`]'s result alone.
    pub manifest: RunManifest,
}

/// A judged run with all that its record holds.
#[derive(Debug)]
pub struct WholeRun {
    /// Its figures and findings.
    pub judged: Judged,
    /// Facts of its requests, and tallies of its token-level series.
    pub collected: Collected,
    /// Its record.
    pub records: ParquetRecords,
}

impl KeptRun {
    /// Opens the run of a directory; a journal that was left there becomes its record.
    ///
    /// # Errors
    /// When the directory holds no run, or its files cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let directory = RunDirectory::open(path)?;
        let mut manifest = read_manifest(directory.path())?;
        altered::note(directory.path(), &mut manifest)?;
        match directory.state()? {
            RecordState::Finished => {}
            RecordState::NeedsRecovery => {
                recover(&directory, &mut manifest)?;
                free_room(directory.path());
                // The journal is gone: what it told must not depend on the rest going well.
                write_manifest(directory.path(), &manifest)?;
            }
            RecordState::Empty => bail!(
                "{} has a run.json but no record: the run ended before its first request, or the \
                 record was removed; restore it from a copy, or run again",
                path.display()
            ),
        }
        Ok(Self {
            directory: path.to_owned(),
            manifest,
        })
    }

    /// Where it is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Judges it; `until` is a precision that runs together are to reach.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn judge(self, until: Option<&Until>) -> Result<Judged> {
        let (run, records) = self.read()?;
        Ok(Judged::of(run, &records, until)?)
    }

    /// Judges it, and reads what its charts show.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn pictured(self) -> Result<Judged> {
        let (run, records) = self.read()?;
        Ok(Judged::pictured(run, &records)?)
    }

    /// Judges it, and keeps what single requests are told from.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub fn whole(self) -> Result<WholeRun> {
        let (run, records) = self.read()?;
        let (judged, collected) = Judged::with_collected(run, &records)?;
        Ok(WholeRun {
            judged,
            collected,
            records,
        })
    }

    /// What it says of itself; its end is inferred from its rows where it could not say it.
    ///
    /// # Errors
    /// When its files cannot be read.
    pub(crate) fn into_manifest(self) -> Result<RunManifest> {
        match self.manifest.progress {
            Some(_) => Ok(self.manifest),
            None => Ok(self.read()?.0.manifest),
        }
    }

    fn read(self) -> Result<(Run, ParquetRecords)> {
        let records = ParquetRecords::open(&self.directory)?;
        let mut run = Run::read(self.manifest, &records)?;
        run.server = read_server_metrics(&self.directory)?;
        run.spans = read_spans(&self.directory)?;
        if run.manifest.progress.is_none() {
            infer_end(&mut run.manifest, &run.collected.requests);
        }
        Ok((run, records))
    }
}

/// Turns a journal that a run left behind into its record.
fn recover(directory: &RunDirectory, manifest: &mut RunManifest) -> Result<()> {
    let killed = manifest.state == RunState::Running;
    let left_open = match killed {
        true => LeftOpen::Cancelled,
        false => LeftOpen::LeftOut,
    };
    let converted = settle::settle(directory.path(), manifest, left_open, References::default())?;
    write_readings(directory.path())?;
    manifest.seal = Some(seal(directory.path())?);
    let lost = match converted.tail {
        Tail::Clean => "to its end".to_owned(),
        Tail::Torn {
            at_byte,
            lost_bytes,
        } => {
            format!("to byte {at_byte}; {lost_bytes} bytes of a batch cut short were left out")
        }
    };
    let (severity, message) = if killed {
        manifest.state = RunState::Interrupted;
        let message = "the run did not end by itself; its record was recovered from the journal";
        (Severity::Warning, message)
    } else {
        let message = "the run ended without completing its record; it was completed afterwards";
        (Severity::Note, message)
    };
    let cut_off = converted
        .cut_off
        .as_ref()
        .map_or_else(String::new, in_flight);
    manifest.run_findings.push(raised::RECOVERED.weighing(
        severity,
        message,
        format!("{} requests, read {lost}{cut_off}", converted.records),
        "where requests are missing, read the figures as those of a shorter run",
    ));
    Ok(())
}

/// What a killed run had begun.
fn in_flight(cut: &CutOff) -> String {
    let seconds = |ns: i64| format!("{:.1} s", ns as f64 / 1e9);
    let waiting = match cut.waiting {
        0 => String::new(),
        n => format!(", {n} waited for a connection"),
    };
    let flying = match cut.in_flight {
        0 => "none was in flight".to_owned(),
        n => format!(
            "{n} were in flight, for {} at the median and {} at most, and count as cancelled \
             (run_killed)",
            seconds(cut.median_age_ns),
            seconds(cut.longest_age_ns)
        ),
    };
    format!(
        "; at {}, the last instant on record, {flying}{waiting}",
        seconds(cut.as_of.0)
    )
}

/// What can be said about the end of a run that could not say it itself.
fn infer_end(manifest: &mut RunManifest, requests: &[RequestFacts]) {
    let ended = requests
        .iter()
        .filter_map(|r| r.closed)
        .max()
        .unwrap_or_default();
    manifest.state = RunState::Interrupted;
    manifest.progress = Some(Progress {
        scheduled: requests.len() as u64,
        drain_not_reached: 0,
        unfinished_sessions: Vec::new(),
        drain_without_load: false,
        ended,
        interrupted: true,
        recovered: true,
        counted: None,
    });
    manifest.client_health.get_or_insert_with(|| ClientHealth {
        kernel_stamps: true,
        ..ClientHealth::default()
    });
    if manifest.window.is_none() {
        // A closed loop knows its window when it ends: here it begins with the first measured
        // request.
        let measured = requests.iter().filter(|r| r.phase == Phase::Measure);
        let start = measured.map(|r| r.intended).min();
        manifest.window = start.map(|start| Window { start, end: ended });
    }
    if let Some(window) = &mut manifest.window {
        window.end = window.end.min(ended.max(window.start.plus(1)));
    }
}
