//! `infermeter import FILE`: single requests of another tool's result become a run directory.
//!
//! Measures nothing. Invariant: a directory that is there already is refused; one that could not be completed is
//! removed again.

use super::audit::mapping;
use crate::audit::{bytes_of, read_bytes};
use crate::cli::tables::ImportArgs;
use crate::show::{self, Shown};
use crate::{exit, input, output};
use anyhow::{Context, Result, bail};
use infermeter_analysis::{Run, raised};
use infermeter_audit::facts::Facts;
use infermeter_core::clock::realtime_ns;
use infermeter_core::finding::Finding;
use infermeter_core::number::counted;
use infermeter_core::run::{Imported, RunLog};
use infermeter_core::text::inert;
use infermeter_exchange::import::{self, Origin};
use infermeter_record::{ParquetRecords, RecordsWriter, RunDirectory, seal, write_manifest};
use infermeter_report::Notes;
use infermeter_session::judged::Judged;
use infermeter_session::run_id::{default_directory, random_run_id};
use infermeter_workload::parse_timestamp;
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::Path;

/// Runs the subcommand. Ends with 0 where the run was written, whatever it is worth.
///
/// # Errors
/// When the file cannot be read, lists no requests, or the directory cannot be written.
pub(crate) fn import(args: &ImportArgs, shown: Shown) -> Result<u8> {
    let named = || args.file.display().to_string();
    let mapping = args.map.as_deref().map(mapping).transpose()?;
    let path = input::path(&args.file)?;
    is_there(&path)?;
    let bytes = bytes_of(&path)?;
    let results = read_bytes(&bytes, mapping.as_ref()).with_context(named)?;
    let begun_ns = args.begun.as_deref().map(begun).transpose()?;
    let digest = Sha256::digest(&bytes);
    drop(bytes);
    let origin = || -> Result<Origin> {
        Ok(Origin {
            file: file_name(&args.file),
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            run_id: random_run_id()?,
            begun_ns,
            infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    };
    let logs = logs(&results, &origin).with_context(named)?;
    let several = logs.len() > 1;
    let first = &logs[0].manifest.run_id;
    let folder = args.out.clone();
    let folder = folder.unwrap_or_else(|| default_directory(realtime_ns(), first));
    for (index, log) in logs.into_iter().enumerate() {
        let path = match several {
            true => folder.join(format!("result-{:02}", index + 1)),
            false => folder.clone(),
        };
        let judged = write(log, &path)?;
        let document = |form: Shown| show::of_run(&judged, form.view(false), Notes::Named);
        shown.print(|| document(shown), || show::output_of_run(&judged));
        shown.print_place(false, &format!("Imported into {}", path.display()));
    }
    Ok(exit::OK)
}

/// An instant, nanoseconds since the Unix epoch.
fn begun(text: &str) -> Result<i64> {
    parse_timestamp(text).with_context(|| {
        let text = inert(text, 60);
        format!("--begun: `{text}` is no instant: write it as in 2026-11-20T09:30:00Z")
    })
}

/// Refuses a folder, and what is not there.
fn is_there(path: &Path) -> Result<()> {
    let shown = path.display();
    match path.metadata() {
        Ok(found) if found.is_dir() => bail!(
            "{shown} is a folder: name the file in it that lists single requests; the folder of a run needs no import"
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!(
                "there is no file {shown}: name a result of another tool that lists single requests"
            )
        }
        _ => Ok(()),
    }
}

/// The runs of a file; results without single requests are left out where others have them.
fn logs(results: &[Facts], origin: &dyn Fn() -> Result<Origin>) -> Result<Vec<RunLog>> {
    let mut logs = Vec::new();
    let mut refused = Vec::new();
    for facts in results {
        match import::run(facts, &origin()?) {
            Ok(log) => logs.push(log),
            Err(error) => refused.push(match facts.source.is_empty() {
                true => anyhow::Error::from(error),
                false => anyhow::Error::from(error).context(facts.source.clone()),
            }),
        }
    }
    if logs.is_empty() {
        bail!(refused.into_iter().next().context("it holds no result")?);
    }
    for error in refused {
        output::note(&format!("left out: {error:#}"));
    }
    Ok(logs)
}

fn file_name(path: &Path) -> String {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| path.display().to_string())
}

/// Writes a run into a new directory, judged.
fn write(log: RunLog, path: &Path) -> Result<Judged> {
    let directory = RunDirectory::create(path)?;
    let written = fill(log, directory.path());
    if written.is_err() {
        // What is half a record is none.
        let _ = std::fs::remove_dir_all(directory.path());
    }
    written
}

fn fill(log: RunLog, directory: &Path) -> Result<Judged> {
    let RunLog {
        mut manifest,
        records,
    } = log;
    let mut writer = RecordsWriter::create(directory, &manifest.classes)?;
    for record in records {
        writer.append(record)?;
    }
    writer.finish()?;
    manifest
        .run_findings
        .extend(manifest.imported.as_ref().map(finding));
    let records = ParquetRecords::open(directory)?;
    let run = Run::read(manifest, &records)?;
    let mut judged = Judged::of(run, &records, None)?;
    judged.manifest.seal = Some(seal(directory)?);
    write_manifest(directory, &judged.manifest)?;
    Ok(judged)
}

/// What a reader has to know before any figure.
fn finding(from: &Imported) -> Finding {
    let version = from.tool_version.as_ref().map(|v| format!(" {v}"));
    let part = from.part.as_ref().map(|part| format!(", {part}"));
    raised::IMPORTED.found(
        format!(
            "Measured by {}{}: its instants are taken as they stand, and much that the verdict rests on is \
             not known.",
            from.tool,
            version.unwrap_or_default()
        ),
        format!(
            "{}{}; {}. {}",
            from.file,
            part.unwrap_or_default(),
            counted(from.remarks.len() as u64, "remark"),
            from.remarks.join(" ")
        ),
        "Run `infermeter audit` on the file for the whole checklist, and compare it only with runs that were \
         measured alike.",
    )
}
