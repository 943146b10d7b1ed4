//! The embedded simulator as a child process, on cores of its own, ended with the run.

use crate::failure::{Cause, Failure};
use crate::mock_settings::MockTarget;
use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// First words of the line that the simulator prints once it serves.
pub const READY: &str = "serving on ";

/// Variables that the simulator may need to start at all. The others are not its affair: keys and
/// passwords stand among them.
const INHERITED: [&str; 5] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "RUST_BACKTRACE",
    "LLVM_PROFILE_FILE",
];

/// A running simulator. Dropping it ends the process.
#[derive(Debug)]
pub(crate) struct MockChild {
    child: Child,
    /// Kept open: a closed pipe would be an error for the child.
    _stdout: BufReader<ChildStdout>,
    /// Its URL.
    pub url: String,
}

impl MockChild {
    /// Starts `program mock` on a free port and waits until it serves. `target` is its preset
    /// with its parameters; `spans` is where it sends spans of its requests.
    ///
    /// # Errors
    /// What the child said, when it does not come up.
    pub fn start(
        program: &Path,
        target: &MockTarget,
        cores: &[usize],
        spans: Option<SocketAddr>,
    ) -> Result<Self> {
        let mut flags = vec!["--preset".to_owned(), target.preset.clone()];
        for setting in &target.set {
            flags.extend(["--set".to_owned(), setting.clone()]);
        }
        if let Some(address) = spans {
            flags.extend(["--spans".to_owned(), address.to_string()]);
        }
        Self::start_with(program, &flags, cores)
    }

    /// Starts `program mock` with `flags` on a free port and waits until it serves.
    ///
    /// # Errors
    /// What the child said, when it does not come up.
    pub(crate) fn start_with(program: &Path, flags: &[String], cores: &[usize]) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("mock").args(flags).args(["--port", "0"]);
        command.args(["--exit-with-parent", &std::process::id().to_string()]);
        if !cores.is_empty() {
            let list: Vec<String> = cores.iter().map(ToString::to_string).collect();
            command.args(["--cores", &list.join(",")]);
        }
        command.env_clear();
        let kept = INHERITED
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.envs(kept);
        // A group of its own: Ctrl-C is for the client, which still has answers in flight.
        let mut child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("the simulator could not be started")?;
        let stdout = child
            .stdout
            .take()
            .context("the simulator has no standard output")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout
            .read_line(&mut line)
            .context("the simulator could not be read")?;
        let Some(url) = line.trim().strip_prefix(READY).map(str::to_owned) else {
            let mut said = String::new();
            if let Some(mut stderr) = child.stderr.take() {
                let _ = stderr.read_to_string(&mut said);
            }
            let _ = child.wait();
            let said = said.trim();
            let said = said.strip_prefix("error: ").unwrap_or(said);
            return Err(Failure::of(Cause::Usage, said).into());
        };
        Ok(Self {
            child,
            _stdout: stdout,
            url,
        })
    }

    /// The simulator's process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end (it writes its last lines) and waits.
    ///
    /// # Errors
    /// When it cannot be asked or waited for.
    pub fn end(mut self) -> Result<()> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT)
            .context("the simulator could not be ended")?;
        self.child
            .wait()
            .context("the simulator could not be ended")?;
        Ok(())
    }
}

impl Drop for MockChild {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
