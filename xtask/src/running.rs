//! Processes that tasks start, and the simulator among them.
//!
//! Invariant: none outlives its handle.

use crate::ci::cargo_program;
use crate::command::succeed;
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};

/// The program, as [`build_program`] leaves it.
pub const PROGRAM: &str = "target/debug/infermeter";

/// Builds the program, for what is run.
///
/// Of the whole workspace and beside a test: with its features, so that what the tests are built from is not built anew
/// where they are built in the same folder, as by default.
///
/// # Errors
/// When it does not build.
pub fn build_program() -> Result<()> {
    let mut build = Command::new(cargo_program());
    build.args(["build", "--quiet", "--workspace"]);
    build.args(["--bin", "infermeter", "--test", "cli"]);
    // Named, since CARGO_TARGET_DIR may be another folder: the program in this one would be older, or none.
    build.args(["--target-dir", "target"]);
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
