//! `cargo xtask msrv`: everything is checked by the oldest compiler that `Cargo.toml` promises.
//!
//! Needs rustup, which installs that toolchain where it is missing. Invariant: what was not checked is an error, unless that
//! compiler is the one here, with which other steps check. That documents name the same version says `cargo xtask tidy`.

use crate::command::{found, quiet, said};
use crate::tidy::msrv::stated;
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Apart from what other compilers build.
const FOLDER: &str = "target/msrv";

/// Checks with that toolchain.
///
/// # Errors
/// When the code does not build with it, and where it is neither here nor can be installed.
pub fn run() -> Result<()> {
    let manifest = std::fs::read_to_string("Cargo.toml").context("Cargo.toml")?;
    let version = stated(&manifest).context("Cargo.toml states no `rust-version`")?;
    if is_current(&version)? {
        println!("    Rust {version} is the compiler here: clippy and tests check with it");
        return Ok(());
    }
    if found("rustup").is_none() {
        bail!("another compiler than Rust {version} is here, and no rustup that has that one");
    }
    if !is_here(&version) {
        let install = ["toolchain", "install", &version, "--profile", "minimal"];
        said("rustup", &install)
            .with_context(|| format!("Rust {version} is not here, and rustup cannot install it"))?;
    }
    let mut check = Command::new("rustup");
    check.args([
        "run",
        &version,
        "cargo",
        "check",
        "--workspace",
        "--all-targets",
    ]);
    check.args(["--all-features", "--locked", "--target-dir", FOLDER]);
    // What started this task says which toolchain it is of.
    for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC"] {
        check.env_remove(variable);
    }
    let status = check.status().context("cannot start rustup")?;
    if !status.success() {
        bail!("the workspace does not build with Rust {version}, which Cargo.toml promises");
    }
    println!("    the workspace builds with Rust {version}");
    Ok(())
}

/// The compiler that built this task is of that version.
fn is_current(version: &str) -> Result<bool> {
    let said = said("rustc", &["--version"])?;
    Ok(said.starts_with(&format!("rustc {version}.")))
}

fn is_here(version: &str) -> bool {
    quiet(Command::new("rustup").args(["run", version, "rustc", "--version"]))
}
