//! Processes that tasks start, and the simulator among them.
//!
//! Invariant: none outlives its handle.

use crate::ci::cargo_program;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or fails.
pub fn succeed(command: &mut Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let status = command
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} ended with {status}");
    }
    Ok(())
}

/// Builds the program, for what is run.
///
/// Of the whole workspace and beside a test: with its features, so that what the tests are built from is not built anew.
///
/// # Errors
/// When it does not build.
pub fn build_program() -> Result<()> {
    let mut build = Command::new(cargo_program());
    build.args(["build", "--quiet", "--workspace"]);
    build.args(["--bin", "infermeter", "--test", "cli"]);
    succeed(&mut build)
}

/// A process that does not outlive its handle.
pub struct Running(pub Child);

impl Running {
    /// Asks it to end (SIGINT: it writes its last lines) and waits.
    ///
    /// # Errors
    /// When it cannot be asked or waited for.
    pub fn end(&mut self) -> Result<()> {
        let pid = i32::try_from(self.0.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        }
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// Where a simulator that was just started serves.
///
/// # Errors
/// When it does not start.
pub fn ready_url(server: &mut Child) -> Result<String> {
    let stdout = server
        .stdout
        .take()
        .context("the simulator has no standard output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    match line.trim().strip_prefix("serving on ") {
        Some(url) => Ok(url.to_owned()),
        None => bail!("the simulator did not start: {line}"),
    }
}
