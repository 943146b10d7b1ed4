//! A Slurm of our own: a controller and two nodes, each on a host name and with processes of its own, in one network
//! namespace or in two with a cable between them. What `launch slurm` prints is submitted to it.
//!
//! Invariant: everything listens inside the namespaces.

mod cluster;

use super::namespace::{self, Namespace};
use super::{Bench, Outcome, load, missing, simulator};
use crate::command::output;
use anyhow::{Context, Result, bail};
use cluster::{Cluster, Node};
use std::path::Path;

const RANKS: usize = 4;

/// Both nodes in one network.
///
/// # Errors
/// When the ranks do not measure what one process does.
pub(super) fn on_one_machine(bench: &Bench) -> Result<Outcome> {
    if let Some(why) = left_out() {
        return Ok(Outcome::LeftOut(why));
    }
    let space = match Namespace::alone("slurm") {
        Ok(space) => space,
        Err(error) => return Ok(Outcome::LeftOut(format!("{error:#}"))),
    };
    tried(bench, [&space, &space])
}

/// Each node in a network of its own, as on two machines.
///
/// # Errors
/// As [`on_one_machine`].
pub(super) fn over_a_network(bench: &Bench) -> Result<Outcome> {
    if let Some(why) = left_out() {
        return Ok(Outcome::LeftOut(why));
    }
    match Namespace::joined() {
        Ok([first, second]) => tried(bench, [&first, &second]),
        Err(error) => Ok(Outcome::LeftOut(format!("{error:#}"))),
    }
}

fn left_out() -> Option<String> {
    let slurm = cluster::PROGRAMS;
    let name = missing(&slurm).or_else(|| missing(&namespace::PROGRAMS))?;
    Some(format!("there is no {name} in PATH"))
}

fn tried(bench: &Bench, spaces: [&Namespace; 2]) -> Result<Outcome> {
    let (_simulator, url) = simulator::started(bench, spaces[0])?;
    let nodes = [
        Node::new("node-a", spaces[0], 0),
        Node::new("node-b", spaces[1], 1),
    ];
    let cluster = Cluster::start(&bench.directory, nodes)?;
    let whole = submitted(bench, &cluster, &url)?;
    let alone = load::alone(bench, spaces[0], &url)?;
    let seen = load::compare(&whole, &alone, RANKS, "Slurm")?;
    Ok(Outcome::Passed(seen))
}

/// Has `launch slurm --submit` start the ranks, and waits: the directory of the merged record.
fn submitted(bench: &Bench, cluster: &Cluster<'_>, url: &str) -> Result<std::path::PathBuf> {
    let directory = &bench.directory;
    let folder = |name: &str| directory.join(name).join("{launch}").display().to_string();
    let log = directory.join("job.log");
    let mut launch = cluster.command(&bench.infermeter);
    launch
        .current_dir(directory)
        .args(["launch", "slurm", "--submit", "--time", "5m"])
        .args([
            "--ranks",
            &RANKS.to_string(),
            "--ranks-per-node",
            "2",
            "--cpus-per-rank",
            "1",
        ])
        .args([
            "--rendezvous",
            &folder("meetings"),
            "--out",
            &folder("runs"),
        ])
        .arg(format!("--sbatch=--output={}", log.display()))
        .arg("--program")
        .arg(&bench.infermeter)
        .arg("--")
        .args(load::words(url));
    let said = output(&mut launch)?;
    let id = said.split_whitespace().last().unwrap_or_default();
    if id.parse::<u32>().is_err() {
        bail!("sbatch named no job: {said}");
    }
    let code = cluster.ended(id)?;
    let log = std::fs::read_to_string(&log).unwrap_or_default();
    load::measured(Some(code), &log)?;
    let whole = directory.join("runs").join(id);
    there(&whole).with_context(|| log)?;
    Ok(whole)
}

fn there(directory: &Path) -> Result<()> {
    match directory.join("run.json").is_file() {
        true => Ok(()),
        false => bail!("there is no record in {}", directory.display()),
    }
}
