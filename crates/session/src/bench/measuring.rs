//! One measurement: this program once more, with the words that were given.
//!
//! A process of its own, so that whatever becomes of it is a row, and that its record is what it would be alone.
//! Invariant: it has ended when this returns; a signal to us is handed on to it once.

use crate::serve::LOOK;
use anyhow::{Context, Result};
use infermeter_core::text::inert_bytes;
use infermeter_sys::signals;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Bytes of what it said last that are told.
const SAID_BYTES: usize = 2_000;

/// A measurement.
pub(super) struct Measuring<'a> {
    pub program: &'a Path,
    pub words: &'a [String],
    /// Where what it prints goes.
    pub directory: &'a Path,
}

/// How it ended.
pub(super) struct Ended {
    /// Its exit code; absent where a signal killed it.
    pub code: Option<i32>,
    /// What it complained of.
    pub said: String,
    /// The server's end, where that came first.
    pub server_died: Option<String>,
}

impl Measuring<'_> {
    /// Runs it to its end. Where the server ends first, it is told to end, too.
    ///
    /// # Errors
    /// When it cannot be started, and when a signal came to us: it has ended then, and its record is on disk.
    pub fn run(&self, alive: &mut dyn FnMut() -> Result<()>) -> Result<Ended> {
        let out = |name: &str| {
            let path = self.directory.join(name);
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))
        };
        let mut child = Command::new(self.program)
            .args(self.words)
            // Ctrl-C comes to us alone, and is handed on.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out("measured.out")?)
            .stderr(out("measured.err")?)
            .spawn()
            .context("this program could not be started once more")?;
        let mut told = signals::count();
        let mut server_died = None;
        let status = loop {
            if let Some(status) = child
                .try_wait()
                .context("the measurement cannot be awaited")?
            {
                break status;
            }
            if server_died.is_none()
                && let Err(error) = alive()
            {
                server_died = Some(format!("while it was measured, {error:#}"));
                interrupt(&child);
            }
            if signals::count() > told {
                told = signals::count();
                interrupt(&child);
            }
            std::thread::sleep(LOOK);
        };
        crate::serve::unless_signalled()?;
        let said = std::fs::read(self.directory.join("measured.err")).unwrap_or_default();
        Ok(Ended {
            code: status.code(),
            said: last_words(&said, status.code()),
            server_died,
        })
    }
}

/// As Ctrl-C does, but for this: what a script starts in the background ignores SIGINT.
fn interrupt(child: &Child) {
    // It may have ended by itself.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
}

/// What it complained of: the last line with an error, else the last one.
fn last_words(said: &[u8], code: Option<i32>) -> String {
    let tail = &said[said.len().saturating_sub(SAID_BYTES)..];
    let text = String::from_utf8_lossy(tail);
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let error = text.lines().rfind(|line| line.starts_with("error: "));
    let last = error
        .or_else(|| lines.next_back())
        .unwrap_or("it said nothing");
    let code = code.map_or_else(|| "a signal".to_owned(), |code| format!("exit code {code}"));
    format!(
        "the measurement failed, or left no record ({code}): {}",
        inert_bytes(last.as_bytes(), SAID_BYTES)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_what_is_told() {
        let said = b"Run 1\nerror: target cannot be reached\n  is it up?\n";
        let told = last_words(said, Some(4));
        assert!(
            told.ends_with("(exit code 4): error: target cannot be reached"),
            "{told}"
        );
        assert!(last_words(b"", None).contains("a signal"));
    }

    #[test]
    fn a_server_that_dies_ends_the_measurement() {
        let directory = tempfile::tempdir().expect("a directory");
        let words = [
            "-c".to_owned(),
            "trap 'exit 130' TERM; while :; do sleep 0.02; done".to_owned(),
        ];
        let measuring = Measuring {
            program: Path::new("/bin/sh"),
            words: &words,
            directory: directory.path(),
        };
        let mut looks = 0;
        let ended = measuring.run(&mut || {
            looks += 1;
            match looks < 20 {
                true => Ok(()),
                false => anyhow::bail!("it ended by itself"),
            }
        });
        let ended = ended.expect("ended");
        assert_eq!(ended.code, Some(130));
        assert!(ended.server_died.expect("why").contains("ended by itself"));
    }
}
