//! One benchmark run: the simulator on one core, the real client on another, both as processes of
//! their own, and what they wrote read back.
//!
//! Judges nothing. Invariant: both processes have ended when a run is returned.

use super::waits::{Sampler, Waits};
use crate::running::{Running, ready_url};
use anyhow::{Context, Result, bail};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::RunManifest;
use infermeter_mock::truth::{self, Truth};
use infermeter_record::{read_manifest, read_records};
use infermeter_sys::affinity;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

/// What a run left.
#[derive(Debug)]
pub struct BenchRun {
    /// `run.json`.
    pub manifest: RunManifest,
    /// Rows of `requests.parquet`.
    pub records: Vec<RequestRecord>,
    /// The simulator's own log.
    pub truth: Truth,
    /// When the client's worker waited for a core.
    pub waits: Waits,
}

/// Path of the release binary.
pub fn binary() -> Result<PathBuf> {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    let path = target.join("release/infermeter");
    if !path.exists() {
        bail!(
            "{} is missing: run `cargo build --release` first",
            path.display()
        );
    }
    Ok(path)
}

/// Runs the simulator with `mock_args` on the first core and the client with `run_args` on the
/// last one; `directory` must exist and is used for the files. `{url}` in `run_args` is where the simulator listens.
///
/// # Errors
/// When a process cannot be started or leaves no record.
pub fn bench_run(mock_args: &[&str], run_args: &[&str], directory: &Path) -> Result<BenchRun> {
    let (first, last) = two_cores()?;
    let binary = binary()?;
    let truth_file = directory.join("truth.jsonl");
    let run_dir = directory.join("run");
    let mut mock = Command::new(&binary);
    mock.arg("mock")
        .args(mock_args)
        .args(["--port", "0", "--cores", &first.to_string(), "--truth"])
        .arg(&truth_file);
    mock.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut server = Running(on_core(first, move || mock.spawn())?);
    let url = ready_url(&mut server.0)?;
    let mut client = Command::new(&binary);
    client
        .arg("run")
        .arg(&url)
        .args(
            run_args
                .iter()
                .map(|argument| argument.replace("{url}", &url)),
        )
        .arg("--quiet")
        .arg("--out")
        .arg(&run_dir);
    let mut client = Running(on_core(last, move || client.stdout(Stdio::null()).spawn())?);
    let sampler = Sampler::start(client.0.id(), first);
    let ended = client.0.wait().context("waiting for the client");
    let waits = sampler.end();
    ended?;
    server.end()?;
    let manifest = read_manifest(&run_dir)?;
    let records = read_records(&run_dir)?;
    let truth = truth::read(&truth_file)?;
    std::fs::remove_dir_all(&run_dir)?;
    std::fs::remove_file(&truth_file)?;
    Ok(BenchRun {
        manifest,
        records,
        truth,
        waits,
    })
}

/// The first and the last core that the process may use.
fn two_cores() -> Result<(usize, usize)> {
    let cores = affinity::allowed_cores();
    match cores.as_slice() {
        [first, .., last] => Ok((*first, *last)),
        _ => bail!(
            "this benchmark needs two cores, the process may use {}",
            cores.len()
        ),
    }
}

/// A simulator on the first core; it ends with its handle.
pub struct Server {
    _process: Running,
    url: String,
}

impl Server {
    /// Where it listens.
    ///
    /// # Errors
    /// When it serves something else than plain HTTP at an address.
    pub fn address(&self) -> Result<SocketAddr> {
        let address = self.url.strip_prefix("http://").unwrap_or_default();
        address.parse().with_context(|| self.url.clone())
    }
}

/// Starts a simulator with `mock_args` on the first core; the scheduler keeps others off it as far
/// as it can.
///
/// # Errors
/// When it does not start.
pub fn start_mock(mock_args: &[&str]) -> Result<Server> {
    let (first, _) = two_cores()?;
    let mut mock = Command::new(binary()?);
    mock.arg("mock").args(mock_args);
    mock.args(["--port", "0", "--cores", &first.to_string()]);
    mock.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = Running(on_core(first, move || mock.spawn())?);
    let url = ready_url(&mut process.0)?;
    Ok(Server {
        _process: process,
        url,
    })
}

/// Runs the client against the embedded simulator: `infermeter run mock:PRESET`, which puts the
/// two on cores of their own by itself.
///
/// # Errors
/// When the client cannot be started or leaves no record.
pub fn embedded_run(
    preset: &str,
    run_args: &[&str],
    directory: &Path,
) -> Result<(RunManifest, Vec<RequestRecord>)> {
    let run_dir = directory.join("run");
    let mut client = Command::new(binary()?);
    client
        .arg("run")
        .arg(format!("mock:{preset}"))
        .args(run_args);
    client
        .arg("--quiet")
        .arg("--out")
        .arg(&run_dir)
        .stdout(Stdio::null());
    client.status().context("cannot start infermeter")?;
    let manifest = read_manifest(&run_dir)?;
    let records = read_records(&run_dir)?;
    std::fs::remove_dir_all(&run_dir)?;
    Ok((manifest, records))
}

/// Starts a process on one core: a child inherits the affinity of the thread that starts it.
///
/// # Errors
/// When it cannot be started there.
pub fn on_core(
    core: usize,
    start: impl FnOnce() -> std::io::Result<Child> + Send,
) -> Result<Child> {
    thread::scope(|scope| {
        let started = scope.spawn(move || {
            affinity::restrict_to(&[core])?;
            start()
        });
        match started.join() {
            Ok(child) => child.context("cannot start infermeter"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
