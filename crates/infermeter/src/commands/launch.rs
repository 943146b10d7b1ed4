//! `infermeter launch`: what a cluster's own engine needs to start the ranks of a run, printed or handed to it.
//!
//! Invariant: a command for the ranks that `run` would refuse is refused before anything is printed or handed over.

use super::COMMANDS;
use crate::cli::Given;
use crate::cli::tables::{KubernetesArgs, LaunchArgs, SlurmArgs};
use crate::launch::{Checked, kubernetes, slurm};
use crate::{exit, output};
use anyhow::{Context, Result, anyhow, bail};
use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

/// A program that takes what is launched on its standard input.
struct Engine {
    program: &'static str,
    arguments: &'static [&'static str],
}

const SBATCH: Engine = Engine {
    program: "sbatch",
    arguments: &[],
};
/// `create`, where `apply` would leave a job that has ended as it is and say nothing.
const KUBECTL: Engine = Engine {
    program: "kubectl",
    arguments: &["create", "-f", "-"],
};

/// Runs `launch slurm`.
///
/// # Errors
/// For a wrong command line here or behind `--`, and where sbatch is not there or refuses.
pub(super) fn slurm(given: &Given) -> Result<u8> {
    let (launch, asked): (LaunchArgs, SlurmArgs) = (given.read()?, given.read()?);
    let ranks = checked(&launch)?;
    let script = slurm::script(&launch, &asked, &ranks)?;
    hand_over(&launch, &SBATCH, &script)
}

/// Runs `launch k8s`.
///
/// # Errors
/// For a wrong command line here or behind `--`, and where kubectl is not there or refuses.
pub(super) fn kubernetes(given: &Given) -> Result<u8> {
    let (launch, asked): (LaunchArgs, KubernetesArgs) = (given.read()?, given.read()?);
    let ranks = checked(&launch)?;
    let manifests = kubernetes::manifests(&launch, &asked, &ranks)?;
    for note in kubernetes::notes(&asked, &ranks) {
        output::note(&format!("note: {note}"));
    }
    hand_over(&launch, &KUBECTL, &manifests)
}

fn checked(launch: &LaunchArgs) -> Result<Checked> {
    let ranks = launch.ranks.context("--ranks: how many?")?;
    Checked::of(&launch.measured_by, ranks, &COMMANDS)
}

/// Prints it, or has the engine read it.
fn hand_over(launch: &LaunchArgs, engine: &Engine, text: &str) -> Result<u8> {
    match launch.submit {
        false => output::print(text),
        true => engine.take(text)?,
    }
    Ok(exit::OK)
}

impl Engine {
    /// What it prints goes where this command prints.
    fn take(&self, text: &str) -> Result<()> {
        let Self { program, arguments } = self;
        let started = Command::new(program)
            .args(*arguments)
            .stdin(Stdio::piped())
            .spawn();
        let mut process = started.map_err(|error| match error.kind() {
            ErrorKind::NotFound => anyhow!(
                "--submit: there is no {program} in PATH here: leave --submit out, and hand what is printed to {program} \
                 where it is"
            ),
            _ => anyhow!("--submit: {program} cannot be started: {error}"),
        })?;
        if let Some(mut input) = process.stdin.take() {
            // One that ends early says why itself.
            let _ = input.write_all(text.as_bytes());
        }
        let status = process.wait().with_context(|| (*program).to_owned())?;
        match status.success() {
            true => Ok(()),
            false => bail!("--submit: {program} refused it ({status}); what it said stands above"),
        }
    }
}
