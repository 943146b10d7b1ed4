//! The crates as packages, the way a registry would take them.
//!
//! They are not built from there: a package's dependencies are the others, which no registry has yet.

use super::{Outcome, Release, files};
use crate::ci::cargo_program;
use crate::command;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// Below the folder in which cargo builds.
const FOLDER: &str = "target/package";
/// What the build script of the program reads: in the repository a link out of the package.
const SCHEMA: &str = "schemas/run.json";

pub(super) fn step(release: &Release) -> Result<Outcome> {
    let mut package = Command::new(cargo_program());
    package.args([
        "package",
        "--workspace",
        "--exclude",
        "xtask",
        "--no-verify",
        "--allow-dirty",
    ]);
    package.args(["--locked", "--quiet", "--target-dir", "target"]);
    println!("    {}", command::line(&package));
    command::succeed(&mut package)?;
    let suffix = format!("-{}.crate", release.version);
    let mut packages = files::listed(Path::new(FOLDER))?;
    packages.retain(|path| path.to_string_lossy().ends_with(&suffix));
    let crates = std::fs::read_dir("crates")?.count();
    if packages.len() != crates {
        bail!(
            "{} packages in {FOLDER}, of {crates} crates",
            packages.len()
        );
    }
    let program = format!("infermeter{suffix}");
    let listed = command::said("tar", &["-tzf", &format!("{FOLDER}/{program}")])?;
    if !listed.lines().any(|line| line.ends_with(SCHEMA)) {
        bail!("{program} lacks {SCHEMA}, without which it does not build");
    }
    files::put(
        &Path::new(FOLDER).join(&program),
        &release.out.join(&program),
    )?;
    Ok(Outcome::Done(format!(
        "{crates} packages; to build from them: cargo package --workspace --exclude xtask"
    )))
}
