//! `cargo xtask msrv`: everything is checked by the oldest compiler that `Cargo.toml` promises.
//!
//! Needs rustup, which installs that toolchain where it is missing; where neither is possible, that is said. That documents
//! name the same version says `cargo xtask tidy`.

use crate::tidy::msrv::stated;
use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

/// Apart from what other compilers build.
const FOLDER: &str = "target/msrv";

/// Checks with that toolchain.
///
/// # Errors
/// When the code does not build with it.
pub fn run() -> Result<()> {
    let manifest = std::fs::read_to_string("Cargo.toml").context("Cargo.toml")?;
    let version = stated(&manifest).context("Cargo.toml states no `rust-version`")?;
    if is_current(&version)? {
        println!("    Rust {version} is the compiler here: it has checked everything already");
        return Ok(());
    }
    if !is_here(&version) && !install(&version) {
        println!(
            "    Rust {version} is not here, and rustup cannot install it: nothing was checked"
        );
        return Ok(());
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
    let output = Command::new("rustc").arg("--version").output();
    let said = output.context("cannot start rustc")?.stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    Ok(said.starts_with(&format!("rustc {version}.")))
}

fn is_here(version: &str) -> bool {
    quiet(Command::new("rustup").args(["run", version, "rustc", "--version"]))
}

fn install(version: &str) -> bool {
    quiet(Command::new("rustup").args(["toolchain", "install", version, "--profile", "minimal"]))
}

fn quiet(command: &mut Command) -> bool {
    let run = command.stdout(Stdio::null()).stderr(Stdio::null());
    run.status().is_ok_and(|status| status.success())
}
