//! `--workers`: processes of this program on this machine, each of which sends a part of a load.
//!
//! They are started, told when to stop, and waited for; how they get on is told on; what they measure is theirs. The simulator, where it is the
//! target, is started once, here, and serves all of them. Cores that are not the simulator's are shared out in
//! neighbouring blocks, as equal as can be; more workers than cores share them, and then none is pinned and none waits
//! busily. Invariant: a worker gets its plan through a pipe, so that no secret stands on a command line.

use super::facts::facts;
use super::folders::{RENDEZVOUS, directory_of};
use super::part::CoresOf;
use super::reported::Heard;
use crate::experiment::{Experiment, Server};
use crate::failure::{Cause, Failure};
use crate::host::Host;
use crate::mock_child::MockChild;
use crate::observer::Observer;
use anyhow::{Context, Result, bail};
use infermeter_core::plan::Plan;
use infermeter_core::schedule::Slice;
use infermeter_core::text::inert_lines;
use infermeter_core::units::Span;
use infermeter_ranks::meeting::failed_for;
use infermeter_ranks::store;
use infermeter_sys::{affinity, signals};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

/// This program, whatever became of its file.
const PROGRAM: &str = "/proc/self/exe";
/// Most of what a worker says that is kept, bytes.
const SAID_BYTES: u64 = 16 << 10;
/// How often workers and signals are looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Looks between two at how they get on.
const LOOKS_PER_SNAPSHOT: u32 = 10;

/// What a worker is told beside its plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkerTold {
    /// Its part.
    pub slice: Slice,
    /// Where it meets the others: the whole path of a folder.
    pub rendezvous: PathBuf,
    /// Its directory, which does not exist yet.
    pub directory: PathBuf,
    /// URL of the simulator, where that is the target.
    #[serde(default)]
    pub simulator: Option<String>,
    /// Other workers run on its cores, too.
    pub shares_cores: bool,
    /// How long it waits for the others.
    pub timeout: Span,
    /// Whether the run begins without those that do not come.
    pub without_missing: bool,
    /// The process that started it: it stops when that one is gone.
    pub parent: u32,
}

impl WorkerTold {
    /// Whose cores it runs on.
    pub(crate) fn cores(&self) -> CoresOf {
        match self.shares_cores {
            true => CoresOf::Several,
            false => CoresOf::Itself,
        }
    }
}

/// What workers are started for.
#[derive(Debug)]
pub struct WorkersAsked<'a> {
    /// How many.
    pub count: u32,
    /// What they measure together.
    pub plan: &'a Plan,
    /// The same.
    pub experiment: &'a Experiment,
    /// The directory of the whole, which exists, with nothing in it.
    pub directory: &'a Path,
    /// How long they wait for each other.
    pub timeout: Span,
    /// Whether the run begins without those that do not come.
    pub without_missing: bool,
}

/// Workers that go on.
#[derive(Debug)]
pub struct Workers {
    all: Vec<Worker>,
    /// Where they meet.
    rendezvous: PathBuf,
    simulator: Option<MockChild>,
    heard: Heard,
    crowded: bool,
    cores: usize,
}

#[derive(Debug)]
struct Worker {
    slice: Slice,
    child: Child,
    said: Option<JoinHandle<String>>,
}

/// How a worker ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerEnd {
    /// Its part.
    pub slice: Slice,
    /// Its exit code; absent where a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it said on standard error.
    pub said: String,
}

impl Workers {
    /// Starts them, and the simulator before them where it is the target.
    ///
    /// # Errors
    /// When one cannot be started: those before it are ended.
    pub fn start(host: &Host, asked: &WorkersAsked<'_>) -> Result<Self> {
        let rendezvous = meeting_folder(asked.directory)?;
        let cores = host.cores(asked.experiment.is_simulated());
        let simulator = match &asked.experiment.target.server {
            Server::Simulator(target) => {
                let spans = spans_of(asked.experiment)?;
                Some(MockChild::start(
                    host.program(),
                    target,
                    &cores.mock,
                    spans,
                )?)
            }
            Server::Served(_) => None,
        };
        let shares = shared_out(&cores.client, asked.count);
        let mut workers = Self {
            all: Vec::new(),
            rendezvous,
            simulator,
            heard: Heard::of(asked.count),
            crowded: cores.client.len() < asked.count as usize,
            cores: cores.client.len(),
        };
        for (slice, own) in Slice::all(asked.count).zip(shares) {
            let told = workers.told(asked, slice);
            let worker = Worker::start(asked.plan, &told, &own, &workers.heard)?;
            workers.all.push(worker);
        }
        Ok(workers)
    }

    fn told(&self, asked: &WorkersAsked<'_>, slice: Slice) -> WorkerTold {
        let simulator = self.simulator.as_ref();
        WorkerTold {
            slice,
            rendezvous: self.rendezvous.clone(),
            directory: directory_of(asked.directory, slice.index()),
            simulator: simulator.map(|mock| mock.url.clone()),
            shares_cores: self.crowded,
            timeout: asked.timeout,
            without_missing: asked.without_missing,
            parent: std::process::id(),
        }
    }

    /// How cores are shared, for people.
    pub fn on_cores(&self) -> String {
        let (workers, cores) = (self.all.len(), self.cores);
        let of = match cores {
            1 => "1 core".to_owned(),
            n => format!("{n} cores"),
        };
        match self.crowded {
            true => format!("{workers} workers share {of}: none has one of its own"),
            false => format!("{workers} workers on {of}, each with its own"),
        }
    }

    /// Waits until all have ended, in the order of their ends; passes signals on, and tells how they get on, and of each
    /// end.
    ///
    /// # Errors
    /// When a process cannot be waited for.
    pub fn wait(
        mut self,
        observer: &dyn Observer,
        ended: &mut dyn FnMut(&WorkerEnd),
    ) -> Result<Vec<WorkerEnd>> {
        let (mut ends, mut passed_on, mut looks) = (Vec::new(), 0, 0_u32);
        while !self.all.is_empty() {
            let signals = signals::count();
            while passed_on < signals {
                self.all.iter().for_each(Worker::interrupt);
                passed_on += 1;
            }
            let mut left = Vec::with_capacity(self.all.len());
            for mut worker in self.all.drain(..) {
                match worker.child.try_wait().context("a worker is lost")? {
                    None => left.push(worker),
                    Some(status) => {
                        let end = worker.end(status);
                        if !end.is_whole() {
                            end.tell_others(&self.rendezvous);
                            // Something will be said.
                            observer.progress_ended();
                        }
                        ended(&end);
                        ends.push(end);
                    }
                }
            }
            self.all = left;
            looks = looks.wrapping_add(1);
            if looks.is_multiple_of(LOOKS_PER_SNAPSHOT) {
                match self.heard.together() {
                    Some(snapshot) => observer.progress(&snapshot),
                    None => observer.progress_ended(),
                }
            }
            std::thread::sleep(LOOK);
        }
        observer.progress_ended();
        if let Some(simulator) = self.simulator.take() {
            // What was measured does not depend on how it ends.
            let _ = simulator.end();
        }
        Ok(ends)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.all {
            // It may have ended by itself.
            let _ = worker.child.kill();
            let _ = worker.child.wait();
        }
    }
}

impl Worker {
    fn start(plan: &Plan, told: &WorkerTold, cores: &[usize], heard: &Heard) -> Result<Self> {
        let directory = || format!("--out {}", told.directory.display());
        let told_as = serde_json::to_string(told).with_context(directory)?;
        let mut command = Command::new(PROGRAM);
        command
            .arg0("infermeter")
            .args(["run", "--as-worker", &told_as])
            // Ctrl-C in a terminal reaches the whole group: workers are told once, by their parent.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = started_on(cores, &mut command).context("a worker could not be started")?;
        if let Some(stdout) = child.stdout.take() {
            heard.listen(told.slice, stdout);
        }
        if let Some(mut stdin) = child.stdin.take() {
            // One that ended before it could read says why on standard error.
            let _ = stdin.write_all(&serde_json::to_vec(plan)?);
        }
        let said = child.stderr.take().map(|stderr| {
            std::thread::spawn(move || {
                let mut said = Vec::new();
                // What comes behind is read, so that the worker is not held up, and forgotten.
                let mut stderr = stderr;
                let _ = (&mut stderr).take(SAID_BYTES).read_to_end(&mut said);
                let _ = std::io::copy(&mut stderr, &mut std::io::sink());
                String::from_utf8_lossy(&said).into_owned()
            })
        });
        Ok(Self {
            slice: told.slice,
            child,
            said,
        })
    }

    fn interrupt(&self) {
        // One that has ended meanwhile hears nothing.
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
    }

    fn end(mut self, status: ExitStatus) -> WorkerEnd {
        let said = self.said.take().and_then(|said| said.join().ok());
        WorkerEnd {
            slice: self.slice,
            code: status.code(),
            signal: status.signal(),
            said: said.unwrap_or_default(),
        }
    }
}

impl WorkerEnd {
    /// It measured its part to the end, or as far as a signal let it.
    pub fn is_whole(&self) -> bool {
        matches!(self.code, Some(0 | 130))
    }

    /// What went wrong, for people.
    pub fn why(&self) -> String {
        let said = self.said.trim();
        let said = said.strip_prefix("error: ").unwrap_or(said);
        match (self.signal, said) {
            (Some(signal), _) => format!("signal {signal} ended it"),
            (None, "") => format!("it ended with code {}", self.code.unwrap_or(-1)),
            (None, said) => inert_lines(said),
        }
    }

    /// Tells the others, as it would have itself, so that none waits for it. Where it has, that stands.
    fn tell_others(&self, rendezvous: &Path) {
        // They find out by themselves, in the time that they wait for each other.
        if let Ok(place) = store::folder(rendezvous) {
            failed_for(place, &facts(self.slice, "workers", None), &self.why());
        }
    }

    /// The error of a run of which nothing was measured: that of the worker that ended first, which the others have
    /// heard of.
    pub fn error_of(ends: &[Self]) -> anyhow::Error {
        let Some(first) = ends.iter().find(|end| !end.is_whole()) else {
            return Failure::interrupted("stopped before the first request").into();
        };
        let cause = match first.code {
            Some(3) => Cause::Invalid,
            Some(4) => Cause::Target,
            _ => Cause::Usage,
        };
        let who = match first.signal {
            Some(_) => format!("worker {}: ", first.slice.index()),
            None => String::new(),
        };
        Failure::of(cause, format!("{who}{}", first.why())).into()
    }
}

/// The folder where workers meet, made, by its whole path: a directory may be called `s3:`, and is no object store.
fn meeting_folder(whole: &Path) -> Result<PathBuf> {
    let folder = whole.join(RENDEZVOUS);
    let made = fs::create_dir(&folder).and_then(|()| fs::canonicalize(&folder));
    made.with_context(|| format!("cannot create {}", folder.display()))
}

/// Where the simulator sends its spans: the first worker receives them, under an address that is known before.
fn spans_of(experiment: &Experiment) -> Result<Option<SocketAddr>> {
    let Some(at) = experiment.target.spans else {
        return Ok(None);
    };
    let address = at.address_of_simulator();
    if address.port() == 0 {
        bail!(
            "--spans with --workers and the simulator: give an address and a port, as in --spans=127.0.0.1:4318"
        );
    }
    Ok(Some(address))
}

/// Starts a process that may run on these cores alone, and whatever it starts.
fn started_on(cores: &[usize], command: &mut Command) -> std::io::Result<Child> {
    let own = affinity::allowed_cores();
    // Pinning is a help, not a need: a sandbox may forbid it.
    let _ = affinity::restrict_to(cores);
    let child = command.spawn();
    let _ = affinity::restrict_to(&own);
    child
}

/// The cores of each of so many workers: neighbours, as equal in number as can be; with fewer cores than workers one
/// of them in turn.
fn shared_out(cores: &[usize], workers: u32) -> Vec<Vec<usize>> {
    let workers = workers as usize;
    let share = |worker: usize| match cores.len() {
        0 => Vec::new(),
        few if few < workers => vec![cores[worker % few]],
        all => cores[worker * all / workers..(worker + 1) * all / workers].to_vec(),
    };
    (0..workers).map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ranked::testing::{RUN_ID, launched};

    #[test]
    fn cores_are_shared_out_in_blocks() {
        let check = |cores: &[usize], expect: &[&[usize]]| {
            assert_eq!(shared_out(cores, expect.len() as u32), expect);
        };
        check(&[4, 5, 6, 7], &[&[4, 5], &[6, 7]]);
        check(&[0, 1, 2, 3, 4], &[&[0], &[1, 2], &[3, 4]]);
        check(&[2, 3], &[&[2], &[3]]);
        check(&[2, 3], &[&[2], &[3], &[2]]);
        check(&[], &[&[], &[]]);
    }

    fn end(code: Option<i32>, signal: Option<i32>, said: &str) -> WorkerEnd {
        WorkerEnd {
            slice: Slice::new(1, 2).expect("a slice"),
            code,
            signal,
            said: said.to_owned(),
        }
    }

    #[test]
    fn the_first_worker_that_failed_says_why() {
        let heard = end(Some(2), None, "error: rank 1 failed: no route");
        let cause = end(Some(4), None, "error: no route to host\n");
        let error = WorkerEnd::error_of(&[end(Some(0), None, ""), cause, heard]);
        assert_eq!(error.to_string(), "no route to host");
        assert_eq!(Cause::of(&error), Cause::Target);
        let killed = WorkerEnd::error_of(&[end(None, Some(9), "")]);
        assert_eq!(killed.to_string(), "worker 1: signal 9 ended it");
        let stopped = WorkerEnd::error_of(&[end(Some(130), None, "")]);
        assert_eq!(Cause::of(&stopped), Cause::Interrupted);
        assert_eq!(end(Some(101), None, " ").why(), "it ended with code 101");
    }

    #[test]
    fn a_worker_that_is_gone_is_known_where_the_others_wait() {
        let scratch = tempfile::tempdir().expect("a directory");
        let place = scratch.path().join("rendezvous");
        launched(&place, 2, RUN_ID, "0");
        end(None, Some(9), "").tell_others(&place);
        let store = store::folder(&place).expect("a folder");
        let seen = infermeter_ranks::meeting::gathering(&*store).expect("readable");
        let seen = seen.expect("a launch");
        assert_eq!(seen.awaited(), [0]);
        assert_eq!(seen.failed[0].why, "signal 9 ended it");
    }

    #[test]
    fn workers_meet_in_a_folder_by_its_whole_path() {
        let scratch = tempfile::tempdir().expect("a directory");
        let whole = scratch.path().join("s3:").join("bucket");
        fs::create_dir_all(&whole).expect("made");
        let roundabout = scratch
            .path()
            .join("s3:")
            .join("..")
            .join("s3:")
            .join("bucket");
        let folder = meeting_folder(&roundabout).expect("made");
        assert!(folder.is_absolute() && folder.is_dir());
        assert_eq!(
            folder,
            fs::canonicalize(whole.join(RENDEZVOUS)).expect("there")
        );
        let twice = meeting_folder(&whole).expect_err("it is there");
        assert!(twice.to_string().contains("cannot create"), "{twice}");
    }

    #[test]
    fn what_a_worker_is_told_is_read_as_it_was_written() {
        let told = WorkerTold {
            slice: Slice::new(2, 4).expect("a slice"),
            rendezvous: "/out/rendezvous".into(),
            directory: directory_of(Path::new("out"), 2),
            simulator: Some("http://127.0.0.1:1".to_owned()),
            shares_cores: true,
            timeout: Span::seconds(9),
            without_missing: false,
            parent: 1,
        };
        assert_eq!(told.directory, Path::new("out/ranks/2"));
        let text = serde_json::to_string(&told).expect("JSON");
        assert_eq!(serde_json::from_str::<WorkerTold>(&text).ok(), Some(told));
    }
}
