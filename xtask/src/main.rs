//! Project tasks, run as `cargo xtask NAME`. Each task is one file and prints what it does.
//!
//! Nothing here is part of the instrument. Invariant: a task that finds something wrong ends with
//! an error, so that its exit status can be relied on.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tasks report on the terminal; the workspace denies it for libraries"
)]

mod book;
mod browser;
mod ci;
mod command;
mod coverage;
mod dashboard;
mod docs;
mod fuzz;
mod kills;
mod launchers;
mod msrv;
mod prometheus;
mod python;
mod readers;
mod release;
mod running;
mod selfbench;
mod smoke;
mod tidy;
mod treatments;
mod venv;

use anyhow::{Result, bail};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask TASK

  book       the book as a site, where mdBook is installed, and its links
  browser    pages, opened in a headless browser: console, policy, marks, sorting, accessibility; [PAGE...]
  ci         everything that continuous integration checks, in order, stopping at the first failure; --full: launchers, too
  coverage   how often intervals hold the truth, by simulation: [NAME] [quick|full|COUNT] [WORDS OF ROWS]
  dashboard  the Grafana dashboard, held against Grafana's published schema
  docs       the parts of the book that are made from tables of the code
  fuzz       broken bytes for everything that reads them: [--seconds N] [TARGET...]
  kills      live sweeps and comparisons, killed and continued: [--kills N] PROGRAM
  launchers  ranks under Slurm, in two networks, and Open MPI, compared with one process; manifests: [--program PATH] [NAME...]
  msrv       everything, checked by the oldest compiler that Cargo.toml promises
  prometheus --expose, scraped by a real Prometheus and compared with the record; the dashboard's queries
  python     the Python module, its types and notebook; the Action, the GitLab snippet, the bill of materials
  readers    exports, opened by pandas, junitparser and llm-d's schema
  release    the checklist of a release, run: binaries, wheels, packages, sizes; --dry-run [--twice] [--only NAME,...]
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
        "book" | "dashboard" | "docs" | "msrv" | "prometheus" | "python" | "readers" | "smoke"
        | "tidy",
        Some(extra),
    ) = (task, rest.first())
    {
        bail!("cargo xtask {task} takes no argument, got `{extra}`");
    }
    match task {
        "ci" => ci::run(rest),
        "coverage" => coverage::run(rest),
        "dashboard" => dashboard::run(),
        "docs" => docs::run(),
        "fuzz" => fuzz::run(rest),
        "kills" => kills::run(rest),
        "launchers" => launchers::run(rest),
        launchers::TASK => launchers::serve(rest),
        "selfbench" => selfbench::run(rest),
        "book" => book::run(),
        "browser" => browser::run(rest),
        "msrv" => msrv::run(),
        "prometheus" => prometheus::run(),
        "python" => python::run(),
        "readers" => readers::run(),
        "release" => release::run(rest),
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
