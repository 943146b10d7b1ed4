//! Open MPI: `mpirun` starts the ranks, and its environment says which is which.
//!
//! Invariant: it listens inside a network namespace of its own.

use super::namespace::{self, Namespace};
use super::{Bench, Outcome, load, missing, simulator};
use anyhow::{Context, Result};

const RANKS: usize = 3;

/// Measures with three ranks.
///
/// # Errors
/// When they do not measure what one process does.
pub(super) fn run(bench: &Bench) -> Result<Outcome> {
    if let Some(name) = missing(&["mpirun"]).or_else(|| missing(&namespace::PROGRAMS)) {
        return Ok(Outcome::LeftOut(format!("there is no {name} in PATH")));
    }
    let space = match Namespace::alone("mpi") {
        Ok(space) => space,
        Err(error) => return Ok(Outcome::LeftOut(format!("{error:#}"))),
    };
    let (_simulator, url) = simulator::started(bench, &space)?;
    let whole = bench.directory.join("whole");
    let mut mpi = space.contained("node-a", "mpirun");
    mpi.args([
        "--allow-run-as-root",
        "--oversubscribe",
        "-n",
        &RANKS.to_string(),
    ])
    .args([
        "--mca",
        "oob_tcp_if_include",
        "lo",
        "--mca",
        "btl",
        "self,vader",
    ])
    .arg(&bench.infermeter)
    .args(load::words(&url))
    .arg("--rendezvous")
    .arg(bench.directory.join("meeting"))
    .arg("--out")
    .arg(&whole);
    let ran = mpi.output().context("cannot start mpirun")?;
    let said = [ran.stdout, ran.stderr].concat();
    load::measured(ran.status.code(), &String::from_utf8_lossy(&said))?;
    let alone = load::alone(bench, &space, &url)?;
    let seen = load::compare(&whole, &alone, RANKS, "Open MPI")?;
    Ok(Outcome::Passed(seen))
}
