//! A command that serves: started in a process group of its own, and ended with all that it started.
//!
//! It asks the server nothing. Invariants: the origin of its clock is read before the command exists; nothing of the
//! group is left when it is stopped or dropped, but for what has left the group by itself; a group that has ended is
//! sent nothing, since its number may be another's by then.

use super::log::Log;
use crate::failure::{Cause, Failure};
use crate::redact::redact_command;
use anyhow::{Context, Result};
use infermeter_core::clock::monotonic_ns;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_sys::signals;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How often an end is looked for.
const LOOK: Duration = Duration::from_millis(5);
/// A group that was killed is gone within this: more is a process that hangs in the kernel.
const KILLED: Span = Span::seconds(5);
/// Longest tail of a log in an error, bytes of a line.
const TOLD_BYTES: usize = 300;
/// File with the process group and the start of its first process, beside the log, while it serves.
const GROUP_FILE: &str = "server.pid";

/// How a server is started and stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSpec {
    /// For `sh -c`.
    pub command: String,
    /// What stops it, for `sh -c`; absent: SIGTERM to its group.
    pub stop: Option<String>,
    /// Time for each step of stopping it.
    pub grace: Span,
}

/// A command that runs.
#[derive(Debug)]
pub(crate) struct Served {
    spec: ServeSpec,
    child: Child,
    group: Pid,
    log: Log,
    begun_ns: i64,
    status: Option<ExitStatus>,
    /// Its first process was reaped, and no other one was in the group then or later.
    gone: bool,
    group_file: PathBuf,
    stopped: bool,
}

/// How a server was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// In words.
    pub how: String,
    /// What did not go as it should.
    pub problem: Option<String>,
}

impl Served {
    /// Starts it; what it writes goes to `server.log` in `directory`.
    ///
    /// # Errors
    /// When there is no shell, or the log cannot be written.
    pub fn start(spec: &ServeSpec, directory: &Path) -> Result<Self> {
        let path = directory.join("server.log");
        let (reader, writer) = std::io::pipe().context("no pipe for the server's log")?;
        let errors = writer.try_clone().context("no pipe for the server's log")?;
        let log = Log::follow(reader, &path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", &spec.command])
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(writer)
            .stderr(errors);
        let begun_ns = monotonic_ns();
        let child = command.spawn().context("--serve: sh cannot be started")?;
        let group = Pid::from_child(&child);
        let group_file = directory.join(GROUP_FILE);
        // For who finds the server alive after this process was killed.
        let started = start_of(group).unwrap_or_default();
        let _ = std::fs::write(&group_file, format!("{} {started}\n", child.id()));
        Ok(Self {
            spec: spec.clone(),
            child,
            group,
            log,
            begun_ns,
            status: None,
            gone: false,
            group_file,
            stopped: false,
        })
    }

    /// When it was started, monotonic nanoseconds: just before.
    pub fn begun_ns(&self) -> i64 {
        self.begun_ns
    }

    /// What it writes.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// An error where it has ended by itself. A command that ends well and has `--stop` has started something that
    /// goes on, as containers do.
    ///
    /// # Errors
    /// With its status and its last words.
    pub(crate) fn is_alive(&mut self) -> Result<()> {
        self.look();
        match self.status {
            Some(status) if !(status.success() && self.spec.stop.is_some()) => {
                Err(Failure::of(Cause::Target, self.last_words(status)).into())
            }
            _ => Ok(()),
        }
    }

    fn look(&mut self) {
        if self.status.is_none()
            && let Ok(Some(status)) = self.child.try_wait()
        {
            self.status = Some(status);
            self.note_end();
            // What it wrote last is on its way through the pipe.
            std::thread::sleep(LOOK * 4);
        }
        self.note_end();
    }

    /// While somebody is in a group, a zombie too, its number is nobody else's.
    fn note_end(&mut self) {
        self.gone |= self.status.is_some() && test_kill_process_group(self.group).is_err();
    }

    /// Sends a signal to what is left of the group.
    fn signal(&mut self, signal: Signal) {
        self.note_end();
        if !self.gone {
            // Gone between two looks is as good.
            let _ = kill_process_group(self.group, signal);
        }
    }

    fn last_words(&self, status: ExitStatus) -> String {
        let command = inert(&redact_command(&self.spec.command), TOLD_BYTES);
        let mut said = format!("--serve: `{command}` ended by itself ({status})");
        said.push_str(&told(&self.log));
        said
    }

    /// Stops it: by `--stop` where that is given, else by SIGTERM to its group, and at last by SIGKILL.
    pub fn stop(mut self) -> Stopped {
        self.stopped = true;
        self.look();
        let ended = self.status.is_some();
        let mut problem = None;
        if let Some(stop) = self.spec.stop.clone() {
            problem = by_command(&stop, self.spec.grace).err();
            if problem.is_none() && self.gone_within(self.spec.grace) {
                return self.how("by --stop", None);
            }
        } else if ended && !self.group_is_there() {
            return self.how("it had ended by itself", None);
        }
        if self.gone {
            return self.how("it had ended by itself", problem);
        }
        for (signal, grace, how) in [
            (Signal::TERM, self.spec.grace, "by SIGTERM"),
            (Signal::KILL, KILLED, "by SIGKILL"),
        ] {
            self.signal(signal);
            if self.gone_within(grace) {
                return self.how(how, problem);
            }
        }
        let left = "a process of its group is there even after SIGKILL".to_owned();
        self.how("not", Some(left))
    }

    fn how(&self, how: &str, problem: Option<String>) -> Stopped {
        let _ = std::fs::remove_file(&self.group_file);
        Stopped {
            how: how.to_owned(),
            problem,
        }
    }

    /// Waits for the end of the whole group. A second signal to us waits no longer.
    fn gone_within(&mut self, grace: Span) -> bool {
        let until_ns = monotonic_ns().saturating_add(grace.ns());
        loop {
            self.look();
            if self.status.is_some() && !self.group_is_there() {
                return true;
            }
            if monotonic_ns() >= until_ns || signals::count() > 1 {
                return false;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn group_is_there(&self) -> bool {
        !self.gone && test_kill_process_group(self.group).is_ok() && lives(self.group)
    }
}

/// What a killed process left of a server in a directory, as the end of a message. A number that is another process's
/// by now is not told.
pub(crate) fn left_behind(directory: &Path) -> Option<String> {
    let text = std::fs::read_to_string(directory.join(GROUP_FILE)).ok()?;
    let (group, then) = text.trim().split_once(' ')?;
    let group = Pid::from_raw(group.parse().ok()?)?;
    let is_it = start_of(group)? == then;
    (is_it && lives(group)).then(|| {
        format!(
            " (an earlier start of this folder has left process group {0}: kill -- -{0})",
            group.as_raw_nonzero()
        )
    })
}

/// When a process was started, in ticks since the machine was: what tells it from another one of its number.
fn start_of(process: Pid) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).ok()?;
    // Behind the name, which may hold anything, the state is the third field of proc(5), and this the 22nd.
    let (_, behind) = stat.rsplit_once(')')?;
    behind.split_ascii_whitespace().nth(19).map(str::to_owned)
}

/// Whether a process of the group lives. Where the first process of a container waits for nobody, what has ended stays
/// in its group as a zombie.
fn lives(group: Pid) -> bool {
    let Ok(all) = std::fs::read_dir("/proc") else {
        return true;
    };
    let group = group.as_raw_nonzero().to_string();
    all.flatten().any(|entry| {
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // Behind the name, which may hold anything: state, parent, group.
        let behind = stat.rsplit_once(')').map_or("", |(_, behind)| behind);
        let fields: Vec<&str> = behind.split_ascii_whitespace().take(3).collect();
        matches!(fields.as_slice(), [state, _, of] if *of == group && !matches!(*state, "Z" | "X"))
    })
}

impl Drop for Served {
    fn drop(&mut self) {
        if !self.stopped {
            self.look();
            self.signal(Signal::KILL);
            let _ = self.child.wait();
            let _ = std::fs::remove_file(&self.group_file);
        }
    }
}

/// The last lines of a log, below an error.
pub(crate) fn told(log: &Log) -> String {
    let tail = log.tail();
    match tail.is_empty() {
        true => "; it wrote nothing".to_owned(),
        false => {
            let lines = tail.iter().map(|line| inert(line, TOLD_BYTES));
            format!(
                "; its last lines:\n  {}",
                lines.collect::<Vec<_>>().join("\n  ")
            )
        }
    }
}

/// Runs a command to its end, for at most so long.
///
/// # Errors
/// In words, where it fails or does not end.
pub(crate) fn by_command(command: &str, most: Span) -> Result<(), String> {
    let mut shell = Command::new("sh");
    // Standard output holds the result, and nothing else.
    shell
        .args(["-c", command])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let shown = inert(&redact_command(command), TOLD_BYTES);
    let failed = |why: String| format!("`{shown}`: {why}");
    let mut child = shell
        .spawn()
        .map_err(|error| failed(format!("sh cannot be started: {error}")))?;
    let until_ns = monotonic_ns().saturating_add(most.ns());
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(failed(format!("it failed ({status})"))),
            Ok(None) if monotonic_ns() < until_ns && signals::count() < 2 => {
                std::thread::sleep(LOOK);
            }
            Ok(None) => {
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                let _ = child.wait();
                return Err(failed(format!("it did not end within {most}")));
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(command: &str, stop: Option<&str>) -> ServeSpec {
        ServeSpec {
            command: command.to_owned(),
            stop: stop.map(str::to_owned),
            grace: Span::seconds(10),
        }
    }

    fn started(spec: &ServeSpec) -> (Served, tempfile::TempDir) {
        let directory = tempfile::tempdir().expect("a directory");
        let served = Served::start(spec, directory.path()).expect("started");
        (served, directory)
    }

    /// Waits until its log says something.
    fn said(served: &Served, word: &str) {
        while !served.log().tail().iter().any(|line| line.contains(word)) {
            std::thread::sleep(LOOK);
        }
    }

    #[test]
    fn a_group_ends_with_its_children() {
        let (served, directory) = started(&spec("sleep 100 & echo child $!; wait", None));
        said(&served, "child");
        let child: i32 = served.log().tail()[0]
            .trim_start_matches("child ")
            .parse()
            .expect("a pid");
        let left = left_behind(directory.path()).expect("it is there");
        assert!(left.contains("kill -- -"), "{left}");
        assert_eq!(served.stop().how, "by SIGTERM");
        let child = Pid::from_raw(child).expect("a pid");
        // Gone, or a zombie that its new parent has not taken yet.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
        assert!(stat.map_or(true, |text| text.contains(") Z ")));
        assert!(!directory.path().join(GROUP_FILE).exists());
        let log = std::fs::read_to_string(directory.path().join("server.log")).expect("a log");
        assert!(log.starts_with("child "), "{log}");
    }

    #[test]
    fn a_group_that_has_ended_is_sent_nothing_and_its_number_is_not_told() {
        let (mut served, directory) = started(&spec("exit 0", Some("exit 7")));
        while served.status.is_none() {
            served.is_alive().expect("a launcher");
        }
        // A group of somebody else that has got its number, as it were.
        let mut other = Command::new("sleep")
            .arg("100")
            .process_group(0)
            .spawn()
            .expect("started");
        served.group = Pid::from_child(&other);
        let file = directory.path().join(GROUP_FILE);
        std::fs::write(&file, format!("{} 1\n", other.id())).expect("written");
        assert_eq!(left_behind(directory.path()), None);
        let stopped = served.stop();
        assert_eq!(stopped.how, "it had ended by itself");
        assert!(
            stopped
                .problem
                .expect("a problem")
                .contains("exit status: 7")
        );
        assert!(other.try_wait().expect("a look").is_none(), "it lives");
        other.kill().expect("killed");
        other.wait().expect("reaped");
    }

    #[test]
    fn one_that_ignores_sigterm_is_killed() {
        let mut stubborn = spec("trap '' TERM; echo up; while :; do sleep 0.05; done", None);
        stubborn.grace = Span::millis(50);
        let (served, _directory) = started(&stubborn);
        said(&served, "up");
        assert_eq!(served.stop().how, "by SIGKILL");
    }

    #[test]
    fn an_end_by_itself_is_an_error_with_its_last_words() {
        let (mut served, _directory) = started(&spec("echo no GPU here >&2; exit 3", None));
        let error = loop {
            match served.is_alive() {
                Ok(()) => std::thread::sleep(LOOK),
                Err(error) => break error,
            }
        };
        assert_eq!(Cause::of(&error), Cause::Target);
        let text = error.to_string();
        assert!(
            text.contains("exit status: 3") && text.contains("no GPU here"),
            "{text}"
        );
        assert_eq!(served.stop().how, "it had ended by itself");
    }

    #[test]
    fn a_launcher_that_ends_well_serves_on_and_a_stop_that_fails_is_told() {
        let (mut launched, _directory) = started(&spec("exit 0", Some("true")));
        while launched.status.is_none() {
            launched.is_alive().expect("it serves on");
        }
        assert!(launched.gone, "its group is nobody's from here on");
        assert_eq!(launched.stop().how, "by --stop");
        let (served, _directory) = started(&spec("echo up; sleep 100", Some("exit 7")));
        said(&served, "up");
        let stopped = served.stop();
        assert_eq!(stopped.how, "by SIGTERM");
        let problem = stopped.problem.expect("a problem");
        assert!(problem.contains("exit status: 7"), "{problem}");
    }
}
