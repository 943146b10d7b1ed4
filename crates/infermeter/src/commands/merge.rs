//! `infermeter merge DIR...`: what the ranks of one run left becomes that run, and is shown as one.
//!
//! Measures nothing, and changes no directory of a rank but to complete the journal of one that was killed. Invariant: a
//! run that is there already is not written over, unless it was merged from ranks that lie in it.

use crate::cli::tables::MergeArgs;
use crate::output;
use crate::page::Delivery;
use crate::show::{self, Shown};
use anyhow::{Result, bail};
use infermeter_core::number::counted;
use infermeter_session::judged::Judged;
use infermeter_session::kept::KeptRun;
use infermeter_session::merge::{self, Doubts, merge_with};
use infermeter_session::ranked::is_of_ranks;
use std::path::{Path, PathBuf};

/// Runs the subcommand.
///
/// # Errors
/// When the directories are not those of one run's ranks, and when a record cannot be read or written.
pub(crate) fn merge(args: &MergeArgs, delivery: &Delivery<'_>) -> Result<u8> {
    let out = out(args)?;
    let ended = match args.force {
        true => merge_with(&args.parts, &out, Doubts::Note)?,
        false => merge::merge(&args.parts, &out)?,
    };
    if let Some(error) = ended.unwritten {
        return Err(error);
    }
    let judged = with_charts(ended.judged, &out, delivery)?;
    let notes = show::notes(args.notes);
    let document = |form: Shown| show::of_run(&judged, form.view(args.full), notes);
    delivery.deliver(Some(&out), document, || show::output_of_run(&judged))?;
    let ranks = judged.manifest.clients.len().max(1);
    output::note(&format!(
        "Merged {} into {}",
        counted(ranks as u64, "rank"),
        out.display()
    ));
    Ok(show::exit_code(&judged, args.strict))
}

/// Where the merged run goes.
fn out(args: &MergeArgs) -> Result<PathBuf> {
    match (&args.out, args.parts.as_slice()) {
        (Some(out), _) => Ok(out.clone()),
        (None, [around]) if is_of_ranks(around) => Ok(around.clone()),
        (None, _) => bail!("--out is missing: name the directory of the merged run"),
    }
}

/// With what its charts show, where they will be seen: for that the record is read once more.
fn with_charts(judged: Judged, out: &Path, delivery: &Delivery<'_>) -> Result<Judged> {
    match delivery.draws() {
        true => KeptRun::open(out)?.pictured(),
        false => Ok(judged),
    }
}
