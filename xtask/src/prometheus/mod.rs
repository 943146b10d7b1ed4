//! `cargo xtask prometheus`: a run with `--expose`, scraped by a real Prometheus beside the engine's page.
//!
//! `promtool` looks at the page, what Prometheus holds at the end is compared with the record, and every query of the
//! Grafana dashboard is asked. Needs `prometheus` and `promtool`, in the path or below `target/prometheus`; without
//! them nothing is scraped, which is said. Invariant: every process that it starts has ended when it returns.

mod end;
mod queries;
mod server;
mod web;

pub use queries::DASHBOARD;

use crate::ci::scratch_directory;
use crate::command::found;
use crate::running::{PROGRAM, Running, build_program, ready_url};
use anyhow::{Context, Result, bail};
use infermeter_core::clock::realtime_ns;
use server::{Job, Server};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where `.ci/run` unpacks the package, without its service.
const UNPACKED: &str = "target/prometheus/usr/bin";
/// The simulator: drafts, so that the queries about speculation have something to say.
const MOCK: [&str; 7] = [
    "mock",
    "--preset",
    "llama-8b-h100",
    "--set",
    "speculative-acceptance=0.7,0.5",
    "--port",
    "0",
];
/// Long enough for a few scrapes of each phase, with a load that a debug build carries.
const LOAD: &str = "--rate 15 --duration 15s --warmup 3s --workload fixed:64,24 --expose=127.0.0.1:0 \
                    --expose-linger 60s";
/// Finds something once Prometheus has the figures of a run that has ended.
const ENDED: &str = "last_over_time(infermeter_run_phase{phase=\"ended\"}[10m]) == 1";
/// What infermeter says in front of its page's URL.
const SAID: &str = "live metrics at http://";

/// Runs, scrapes, compares.
pub fn run() -> Result<()> {
    let (Some(prometheus), Some(promtool)) = (program("prometheus"), program("promtool")) else {
        println!("    no prometheus and promtool here: nothing was scraped");
        return Ok(());
    };
    build_program()?;
    for last in [false, true] {
        match scraped(&prometheus, &promtool)? {
            Scraped::ToTheEnd => break,
            Scraped::InPart if last => bail!(
                "twice Prometheus came too late for the last figures: the page's threads give way to all others, and \
                 this machine is busy"
            ),
            Scraped::InPart => println!("    the last figures were not scraped: once more"),
        }
    }
    Ok(())
}

/// How much of a run Prometheus has.
enum Scraped {
    /// Its last figures as well, which are those of the record.
    ToTheEnd,
    /// Not those.
    InPart,
}

/// One run, scraped and compared.
fn scraped(prometheus: &Path, promtool: &Path) -> Result<Scraped> {
    let directory = scratch_directory("prometheus");
    std::fs::create_dir_all(&directory)?;
    let mut simulator = Running(simulator()?);
    let url = ready_url(&mut simulator.0)?;
    let record = directory.join("run");
    let mut run = Load::start(&url, &record)?;
    let jobs = jobs(&run.page, after_scheme(&url));
    let server = Server::start(prometheus, &directory, &jobs)?;
    let began_s = realtime_ns() as f64 / 1e9;
    run.wait_for_measurement()?;
    check_page(promtool, &run.page)?;
    run.end()?;
    let scraped = match server.instant(ENDED)?.is_empty() {
        true => Scraped::InPart,
        false => {
            end::compare(&server, &record)?;
            queries::ask_everything(&server, began_s)?;
            Scraped::ToTheEnd
        }
    };
    drop(server);
    std::fs::remove_dir_all(&directory)?;
    Ok(scraped)
}

/// The client's page, and the pages that the simulator at `engine` has.
fn jobs<'a>(client: &'a str, engine: &'a str) -> Vec<Job<'a>> {
    let job = |name, target, path| Job { name, target, path };
    let mut jobs = vec![
        job("infermeter", client, "/metrics"),
        job("engine", engine, "/metrics"),
    ];
    let gpu = job("gpu", engine, "/dcgm/metrics");
    if web::get(engine, gpu.path).is_ok() {
        jobs.push(gpu);
    }
    jobs
}

/// Where a program is.
fn program(name: &str) -> Option<PathBuf> {
    let unpacked = Path::new(UNPACKED).join(name);
    found(name).or_else(|| unpacked.is_file().then_some(unpacked))
}

fn simulator() -> Result<std::process::Child> {
    let mut mock = Command::new(PROGRAM);
    mock.args(MOCK).stdout(Stdio::piped()).stderr(Stdio::null());
    mock.spawn().context("cannot start the simulator")
}

fn after_scheme(url: &str) -> &str {
    url.strip_prefix("http://").unwrap_or(url)
}

/// `promtool check metrics` has nothing to say of the page.
fn check_page(promtool: &Path, address: &str) -> Result<()> {
    let page = web::get(address, "/metrics")?;
    let mut check = Command::new(promtool);
    check
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut check = check
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start promtool")?;
    let mut input = check
        .stdin
        .take()
        .context("promtool has no standard input")?;
    input.write_all(page.as_bytes())?;
    drop(input);
    let output = check.wait_with_output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if !output.status.success() || !said.trim().is_empty() {
        bail!(
            "promtool check metrics ended with {}:\n{said}",
            output.status
        );
    }
    let lines = page.lines().filter(|line| !line.starts_with('#')).count();
    println!(
        "    promtool check metrics: clean, {lines} samples, {} bytes",
        page.len()
    );
    Ok(())
}

/// A run that goes on.
struct Load {
    process: Running,
    errors: BufReader<std::process::ChildStderr>,
    /// Where its page is: host and port.
    page: String,
}

impl Load {
    fn start(target: &str, record: &Path) -> Result<Self> {
        let mut run = Command::new(PROGRAM);
        run.args(["run", target])
            .args(LOAD.split_whitespace())
            .arg("--out")
            .arg(record);
        run.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = Running(run.spawn().context("cannot start infermeter")?);
        let errors = process
            .0
            .stderr
            .take()
            .context("it has no standard error")?;
        let mut errors = BufReader::new(errors);
        let mut line = String::new();
        while !line.contains(SAID) {
            line.clear();
            if errors.read_line(&mut line)? == 0 {
                bail!("infermeter ended without a word of its page");
            }
        }
        let page = line.split_once(SAID).map_or("", |(_, page)| page.trim());
        let page = page.strip_suffix("/metrics").unwrap_or(page).to_owned();
        Ok(Self {
            process,
            errors,
            page,
        })
    }

    /// Until a few measured requests have ended.
    fn wait_for_measurement(&mut self) -> Result<()> {
        loop {
            let page = web::get(&self.page, "/metrics")?;
            let measured = page.lines().any(|line| {
                line.starts_with("infermeter_requests_total{")
                    && line.contains("phase=\"measure\"")
                    && line.contains("outcome=\"completed\"")
                    && !line.ends_with(" 0.0")
            });
            if measured {
                return Ok(());
            }
            std::thread::sleep(web::PAUSE);
        }
    }

    /// Until it has ended by itself. How it went is not looked at: a busy machine may spoil it.
    fn end(mut self) -> Result<()> {
        let mut said = String::new();
        self.errors.read_to_string(&mut said)?;
        let status = self.process.0.wait()?;
        match status.code() {
            Some(0 | 1 | 3 | 5) => Ok(()),
            _ => bail!("the run ended with {status}: {said}"),
        }
    }
}
