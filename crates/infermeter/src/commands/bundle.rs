//! `infermeter bundle DIR`: the record of a run or an experiment as one archive.
//!
//! Invariant: a file that is there already is not written over, and a directory is left as it was.

use crate::cli::tables::BundleArgs;
use crate::{exit, output, page};
use anyhow::{Context, Result};
use infermeter_core::number::counted;
use infermeter_session::bundle::{self, Texts};
use std::path::PathBuf;

/// Runs the subcommand.
///
/// # Errors
/// When the directory holds no complete record, or the archive cannot be written.
pub(crate) fn bundle(args: &BundleArgs) -> Result<u8> {
    let out = match &args.out {
        Some(out) => out.clone(),
        None => PathBuf::from(format!("{}.tar.gz", bundle::name_of(&args.run_dir))),
    };
    page::check_file(&out).context("--out")?;
    let texts = match args.texts {
        true => Texts::Kept,
        false => Texts::LeftOut,
    };
    let made = bundle::bundle(&args.run_dir, &out, texts)?;
    let files = counted(made.files.len() as u64, "file");
    output::print(&format!("{} in {}\n", files, out.display()));
    for changed in &made.changed {
        output::note(&format!("changed: {}: {}", changed.path, changed.why));
    }
    for left_out in &made.left_out {
        output::note(&format!("left out: {}: {}", left_out.path, left_out.why));
    }
    Ok(exit::OK)
}
