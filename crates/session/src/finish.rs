//! From journal to record, and to a judged run: what every way of measuring has in common once the load
//! has ended.
//!
//! Nothing is measured here. Invariant: where the record cannot be written (a full disk), the journal
//! stays, what it holds is judged all the same, and the reason is handed on.

use crate::failure::{Cause, Failure};
use crate::judged::Judged;
use crate::measure::Measured;
use crate::settle;
use anyhow::Result;
use infermeter_analysis::{Run, raised};
use infermeter_core::finding::Finding;
use infermeter_core::plan::Until;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::RunManifest;
use infermeter_core::source::RecordSource;
use infermeter_record::{
    JOURNAL_FILE, JournalReader, JournalRecords, LeftOpen, PARQUET_FILE, ParquetRecords,
    RecordError, read_server_metrics, read_spans, seal, write_manifest, write_server_metrics,
};
use infermeter_sys::limits;
use std::path::Path;

/// A run that has ended and was judged.
#[derive(Debug)]
pub struct Ended {
    /// The run, judged.
    pub judged: Judged,
    /// Why its record is not complete.
    pub unwritten: Option<anyhow::Error>,
}

/// Converts the record and judges it. Where it cannot be converted (a full disk), the journal
/// stays, what it holds is judged all the same, and the reason is handed on.
///
/// # Errors
/// When neither record nor journal can be read.
pub(crate) fn finish(measured: Measured, directory: &Path, until: Option<&Until>) -> Result<Ended> {
    let Measured {
        mut manifest,
        room,
        journal,
        references,
        ..
    } = measured;
    let path = directory.join(JOURNAL_FILE);
    if !path.exists() {
        manifest.run_findings.push(removed(directory));
        let records = JournalRecords::of_file(journal, path)?;
        let judged = judged(manifest, directory, &records, until)?;
        return Ok(Ended {
            judged,
            unwritten: Some(gone(directory)),
        });
    }
    // What the run knows of itself comes first: the record may find no room any more.
    let written = write_manifest(directory, &manifest).or_else(|error| {
        let kept = room.write(&manifest);
        kept.map_err(|_| error)
    });
    let converted = written
        .map_err(anyhow::Error::from)
        .and_then(|()| settle::settle(directory, &manifest, LeftOpen::LeftOut, references));
    if let Some(health) = &mut manifest.client_health {
        // The conversion has had its peak, too. Set before judging: `report` must find the same.
        health.peak_rss_bytes = limits::peak_rss_bytes();
    }
    let judged = match converted {
        Ok(_) => judged(
            manifest,
            directory,
            &ParquetRecords::open(directory)?,
            until,
        )?,
        Err(_) => judged(
            manifest,
            directory,
            &JournalRecords::of_file(journal, path)?,
            until,
        )?,
    };
    let mut judged = judged;
    let written = converted.and_then(|_| {
        write_readings(directory)?;
        judged.manifest.seal = Some(seal(directory)?);
        Ok(write_manifest(directory, &judged.manifest)?)
    });
    let unwritten = written.err().map(|error| unfinished(&error, directory));
    Ok(Ended { judged, unwritten })
}

/// The readings of the server's metrics as a table, where there are any.
///
/// # Errors
/// When they cannot be read or written.
pub(crate) fn write_readings(directory: &Path) -> Result<()> {
    if let Some(server) = read_server_metrics(directory)? {
        write_server_metrics(directory, &server)?;
    }
    Ok(())
}

/// Judges what these records hold, with what lies beside them in the directory.
///
/// # Errors
/// When something there cannot be read.
pub(crate) fn judged<S: RecordSource<Error = RecordError>>(
    manifest: RunManifest,
    directory: &Path,
    records: &S,
    until: Option<&Until>,
) -> Result<Judged> {
    let mut run = Run::read(manifest, records)?;
    run.server = read_server_metrics(directory)?;
    run.spans = read_spans(directory)?;
    Ok(Judged::of(run, records, until)?)
}

/// What the journal holds, in id order.
///
/// # Errors
/// When it cannot be read.
pub fn journal_records(directory: &Path) -> Result<Vec<RequestRecord>> {
    let mut reader = JournalReader::open(directory)?;
    let mut records = Vec::new();
    while let Some(batch) = reader.next_batch()? {
        records.extend(batch);
    }
    records.sort_by_key(|record| record.id);
    records.dedup_by_key(|record| record.id);
    Ok(records)
}

/// The error, and where the records are that it leaves behind.
pub(crate) fn unfinished(error: &anyhow::Error, directory: &Path) -> anyhow::Error {
    let journal = directory.join(JOURNAL_FILE).exists();
    let file = if journal { JOURNAL_FILE } else { PARQUET_FILE };
    let directory = directory.display();
    // The command line was right: what was measured cannot be relied on as it stands.
    let cause = match Cause::of(error) {
        Cause::Usage => Cause::Invalid,
        other => other,
    };
    let message = format!(
        "{error:#}\n  the records are in {directory}/{file}; once the disk has room, \
         `infermeter report {directory}` completes the rest"
    );
    Failure::of(cause, message).into()
}

/// The record has no name any more: its figures are printed, and that is all that is left of it.
fn gone(directory: &Path) -> anyhow::Error {
    let directory = directory.display();
    let message = format!(
        "{directory} was removed while the run wrote its record there: nothing is left of it but \
         what is printed; run again, and leave the directory alone until the run ends"
    );
    Failure::of(Cause::Invalid, message).into()
}

fn removed(directory: &Path) -> Finding {
    raised::RECORD_REMOVED.found(
        "The record was removed while the run wrote it: these figures cannot be computed again.",
        format!("{} is gone.", directory.display()),
        "Run again, and leave the directory alone until the run ends.",
    )
}
