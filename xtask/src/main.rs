//! Project tasks, run as `cargo xtask NAME`. Each task is one file and prints what it does.
//!
//! Nothing here is part of the instrument. Invariant: a task that finds something wrong ends with
//! an error, so that its exit status can be relied on.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tasks report on the terminal; the workspace denies it for libraries"
)]

mod browser;
mod ci;
mod coverage;
mod dashboard;
mod docs;
mod fuzz;
mod kills;
mod prometheus;
mod readers;
mod running;
mod selfbench;
mod smoke;
mod tidy;
mod treatments;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask TASK

  browser    pages, opened in a headless browser: console, policy, marks, sorting, accessibility; [PAGE...]
  ci         everything that continuous integration checks, in order, stopping at the first failure
  coverage   how often intervals hold the truth, by simulation: [NAME] [quick|full|COUNT] [WORDS OF ROWS]
  dashboard  the Grafana dashboard, held against Grafana's published schema
  docs       the parts of the book that are made from tables of the code
  fuzz       broken bytes for everything that reads them: [--seconds N] [TARGET...]
  kills      live sweeps and comparisons, killed and continued: [--kills N] PROGRAM
  prometheus --expose, scraped by a real Prometheus and compared with the record; the dashboard's queries
  readers    exports, opened by pandas, junitparser and llm-d's schema
  selfbench  the figures the instrument is held to: [NAME...] [--repeats=N]
  smoke      the README's first command with a shorter run, in a temporary directory
  tidy       the project's own rules: crate arrows, sizes, forbidden words, docs and their links
  treatments live comparisons with a treatment that is off, and on: [--trials N] PROGRAM";

fn main() -> ExitCode {
    match run_task() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_task() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (task, rest) = match arguments.split_first() {
        Some((task, rest)) => (task.as_str(), rest),
        None => ("help", &[][..]),
    };
    if let (
        "ci" | "dashboard" | "docs" | "prometheus" | "readers" | "smoke" | "tidy",
        Some(extra),
    ) = (task, rest.first())
    {
        bail!("cargo xtask {task} takes no argument, got `{extra}`");
    }
    match task {
        "ci" => ci::run(),
        "coverage" => coverage::run(rest),
        "dashboard" => dashboard::run(),
        "docs" => docs::run(),
        "fuzz" => fuzz::run(rest),
        "kills" => kills::run(rest),
        "selfbench" => selfbench::run(rest),
        "browser" => browser::run(rest),
        "prometheus" => prometheus::run(),
        "readers" => readers::run(),
        "smoke" => smoke::run(),
        "tidy" => tidy::run(),
        "treatments" => treatments::run(rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => bail!("unknown task `{other}`\n\n{USAGE}"),
    }
}
