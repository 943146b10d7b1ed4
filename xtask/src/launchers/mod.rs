//! `cargo xtask launchers`: runs of several ranks under the engines that really start them, each compared with one
//! process that measured the same plan.
//!
//! Needs root for network namespaces of its own, in which everything listens, and the programs of each engine; what is
//! not there is said, and its part left out. Nothing is installed. Invariant: no process and no namespace outlives the
//! task, whatever fails, and no port of the machine is taken.

mod kubernetes;
mod load;
mod mpi;
mod namespace;
mod simulator;
mod slurm;

pub use simulator::{TASK, serve};

use crate::ci::scratch_directory;
use crate::command::found;
use crate::running::{PROGRAM, build_program};
use anyhow::{Context, Result, bail};
use std::path::PathBuf;

/// One engine, or one way to start it.
struct Part {
    name: &'static str,
    run: fn(&Bench) -> Result<Outcome>,
}

/// How a part ended, where nothing is wrong.
enum Outcome {
    /// It was tried: what was seen.
    Passed(String),
    /// What it takes is not here.
    LeftOut(String),
}

/// What every part has.
struct Bench {
    /// The program that measures.
    infermeter: PathBuf,
    /// Files of the part.
    directory: PathBuf,
}

const PARTS: [Part; 4] = [
    Part {
        name: "slurm",
        run: slurm::on_one_machine,
    },
    Part {
        name: "namespaces",
        run: slurm::over_a_network,
    },
    Part {
        name: "mpi",
        run: mpi::run,
    },
    Part {
        name: "k8s",
        run: kubernetes::run,
    },
];

/// Runs the parts that are named, or all: `[--program PATH] [NAME...]`.
///
/// # Errors
/// For the first part that fails, with the directory of its files.
pub fn run(arguments: &[String]) -> Result<()> {
    let (program, names) = match arguments {
        [flag, path, names @ ..] if flag == "--program" => (Some(PathBuf::from(path)), names),
        names => (None, names),
    };
    let known = PARTS.map(|part| part.name).join(", ");
    if let Some(name) = names
        .iter()
        .find(|name| PARTS.iter().all(|part| part.name != *name))
    {
        bail!("unknown launcher `{name}`: one of {known}");
    }
    let program = match program {
        Some(program) => program,
        None => built()?,
    };
    let infermeter = program
        .canonicalize()
        .with_context(|| format!("{}", program.display()))?;
    for part in PARTS {
        if !names.is_empty() && names.iter().all(|name| name != part.name) {
            continue;
        }
        let bench = Bench {
            infermeter: infermeter.clone(),
            directory: scratch_directory(&format!("launch-{}", part.name)),
        };
        part.tried(&bench)?;
    }
    Ok(())
}

impl Part {
    fn tried(&self, bench: &Bench) -> Result<()> {
        let directory = &bench.directory;
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let outcome = (self.run)(bench)
            .with_context(|| format!("{}: its files are in {}", self.name, directory.display()))?;
        match outcome {
            Outcome::Passed(seen) => println!("    {}: {seen}", self.name),
            Outcome::LeftOut(why) => println!("    {}: left out: {why}", self.name),
        }
        std::fs::remove_dir_all(directory)
            .with_context(|| format!("cannot remove {}", directory.display()))
    }
}

fn built() -> Result<PathBuf> {
    build_program()?;
    Ok(PROGRAM.into())
}

/// The first of these programs that is not in PATH.
fn missing(programs: &[&'static str]) -> Option<&'static str> {
    programs.iter().find(|name| found(name).is_none()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(missing(&["sh"]), None);
        assert_eq!(
            missing(&["sh", "no-such-program-here"]),
            Some("no-such-program-here")
        );
    }
}
