//! `infermeter verify BUNDLE|DIR`: every figure computed again, beside the one that is stated.
//!
//! A bundle is unpacked into a temporary directory, which is removed afterwards. Invariant: nothing in a directory
//! that is verified changes.

use super::report;
use crate::cli::tables::{ReportArgs, VerifyArgs};
use crate::exit;
use crate::page::Delivery;
use crate::show::Shown;
use crate::told::ANSWER;
use anyhow::{Context, Result, anyhow};
use infermeter_analysis::{Recomputed, Verified, VerifiedFile, VerifiedPart};
use infermeter_core::run::FORMAT_VERSION;
use infermeter_record::{FileProblem, Unpacked, unpack};
use infermeter_session::book::{Asked, Book};
use infermeter_session::directories::{is_experiment, runs_at};
use infermeter_session::kept_experiment::strangers;
use infermeter_session::verify;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use std::cell::RefCell;
use std::path::Path;

/// Runs the subcommand.
///
/// # Errors
/// When there is neither a record nor a bundle that can be read.
pub(crate) fn verify(args: &VerifyArgs, shown: Shown) -> Result<u8> {
    let mut verified = Verified {
        record: args.record.display().to_string(),
        recomputed_by: env!("CARGO_PKG_VERSION").to_owned(),
        ..Verified::default()
    };
    match args.record.is_dir() {
        true => record(&args.record, &mut verified)?,
        false => {
            let place = tempfile::tempdir().context("no place to unpack it to")?;
            let unpacked = unpack(&args.record, place.path())?;
            files(&unpacked, &mut verified);
            record(place.path(), &mut verified)?;
        }
    }
    shown.print(
        || infermeter_report::of_verified(&verified),
        || to_json(&verified),
    );
    Ok(match verified.holds() {
        true => exit::OK,
        false => exit::MISSED,
    })
}

/// What was verified, for programs.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct VerifyOutput<'a> {
    /// Version of the format.
    format_version: u32,
    /// Nothing is stated that is not so.
    holds: bool,
    /// What was looked at.
    #[serde(flatten)]
    verified: &'a Verified,
}

fn to_json(verified: &Verified) -> Value {
    let output = VerifyOutput {
        format_version: FORMAT_VERSION,
        holds: verified.holds(),
        verified,
    };
    serde_json::to_value(output).unwrap_or_default()
}

/// What the archive says of its files.
fn files(unpacked: &Unpacked, verified: &mut Verified) {
    let manifest = &unpacked.manifest;
    let bad = |problem: &&(String, FileProblem)| problem.1 != FileProblem::Unlisted;
    verified.listed = (manifest.files.len() - unpacked.problems.iter().filter(bad).count()) as u64;
    for (path, problem) in &unpacked.problems {
        verified.file_problems.push(VerifiedFile {
            path: path.clone(),
            problem: match problem {
                FileProblem::Changed => "it is not what bundle.json has the digest of",
                FileProblem::Missing => "bundle.json has it, and it is not there",
                FileProblem::Unlisted => "bundle.json does not have it; it was not unpacked",
            }
            .to_owned(),
        });
    }
    for file in manifest.changed.iter().chain(&manifest.left_out) {
        verified.left_out.push(VerifiedFile {
            path: file.path.clone(),
            problem: file.why.clone(),
        });
    }
}

/// Its runs, and what is stated over them.
fn record(directory: &Path, verified: &mut Verified) -> Result<()> {
    if !is_experiment(directory) {
        return run(directory, "", verified);
    }
    for path in runs_at(directory)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        run(&path, &name, verified)?;
    }
    answer(directory, verified)
}

fn run(directory: &Path, name: &str, verified: &mut Verified) -> Result<()> {
    match verify::seal(directory, name) {
        Ok((good, problems)) => {
            verified.sealed += good;
            for problem in problems {
                if !verified
                    .file_problems
                    .iter()
                    .any(|known| known.path == problem.path)
                {
                    verified.file_problems.push(problem);
                }
            }
        }
        // There is nothing to compute, either.
        Err(error) if name.is_empty() => return Err(error),
        Err(_) => {}
    }
    verified.parts.push(verify::run(directory, name));
    Ok(())
}

/// The answer of an experiment, as its file states it.
fn answer(directory: &Path, verified: &mut Verified) -> Result<()> {
    let header = Book::header(directory)?;
    let Asked::Runs(asked) = &header.asked else {
        return Ok(());
    };
    let runs: Vec<&str> = verified.parts.iter().map(|run| run.name.as_str()).collect();
    for (path, problem) in strangers(directory, &runs)? {
        let problem = problem.to_owned();
        verified.file_problems.push(VerifiedFile { path, problem });
    }
    let file = super::list_entry::answer_file(&asked.protocol);
    let part = VerifiedPart {
        name: file.to_owned(),
        stated_by: header.infermeter_version.clone(),
        recomputed: None,
        unreadable: String::new(),
    };
    let unreadable = |part: &VerifiedPart| part.recomputed.is_none();
    let found = match verified.parts.iter().find(|part| unreadable(part)) {
        // To compute it, a run that was cut off would be completed.
        Some(run) => Err(anyhow!("{} cannot be read", run.name)),
        None => compared(directory, file, &header.infermeter_version),
    };
    verified.parts.push(match found {
        Ok(recomputed) => VerifiedPart {
            recomputed: Some(recomputed),
            ..part
        },
        Err(error) => VerifiedPart {
            unreadable: infermeter_core::text::inert(&format!("{error:#}"), 600),
            ..part
        },
    });
    Ok(())
}

fn compared(directory: &Path, file: &str, stated_by: &str) -> Result<Recomputed> {
    let text = std::fs::read_to_string(directory.join(file))
        .with_context(|| format!("{file}: no answer is stated"))?;
    let stated: Value = serde_json::from_str(&text).with_context(|| file.to_owned())?;
    let found = RefCell::new(Value::Null);
    let keep = |value: Value| drop(found.replace(value));
    let of = ReportArgs {
        run_dir: directory.to_owned(),
        ..ReportArgs::defaults()
    };
    report::report(&of, &Delivery::Valued(&keep))?;
    let mut recomputed = Recomputed::default();
    let mut now = found.into_inner();
    // Answers of older versions have no such line.
    if stated.get(ANSWER).is_none()
        && let Some(members) = now.as_object_mut()
    {
        members.remove(ANSWER);
    }
    let versions = verify::versions(stated_by);
    recomputed.of("", &stated, &now, versions, &verify::PASSING);
    Ok(recomputed)
}
