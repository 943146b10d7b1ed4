//! `cargo xtask ci`: what continuous integration runs, step by step.
//!
//! Installs nothing. Invariant: a step starts only when all before it have passed, so the last
//! lines of the output name the failure.

use crate::{
    book, browser, dashboard, fuzz, launchers, msrv, prometheus, python, readers, smoke, tidy,
};
use anyhow::{Context, Result, bail};
use infermeter_core::clock::monotonic_ns;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// One step: its name, and what it does.
struct Step {
    name: &'static str,
    action: Action,
}

/// What a step does.
enum Action {
    /// A cargo command that has to succeed, and a variable of its environment.
    Cargo(
        &'static [&'static str],
        Option<(&'static str, &'static str)>,
    ),
    /// A task of this program.
    Task(fn() -> Result<()>),
}

/// Cheap steps first: formatting and tidiness fail within seconds.
const STEPS: [Step; 13] = [
    cargo("fmt", &["fmt", "--all", "--check"]),
    Step {
        name: "tidy",
        action: Action::Task(tidy::run),
    },
    cargo(
        "clippy",
        &[
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ],
    ),
    cargo("test", &["test", "--workspace"]),
    Step {
        name: "fuzz",
        action: Action::Task(fuzz::short),
    },
    Step {
        name: "browser",
        action: Action::Task(|| browser::run(&[])),
    },
    Step {
        name: "readers",
        action: Action::Task(readers::run),
    },
    Step {
        name: "python",
        action: Action::Task(python::run),
    },
    Step {
        name: "dashboard",
        action: Action::Task(dashboard::run),
    },
    Step {
        name: "prometheus",
        action: Action::Task(prometheus::run),
    },
    Step {
        name: "doc",
        action: Action::Cargo(
            &["doc", "--workspace", "--no-deps"],
            Some(("RUSTDOCFLAGS", "-D warnings")),
        ),
    },
    Step {
        name: "book",
        action: Action::Task(book::run),
    },
    Step {
        name: "smoke",
        action: Action::Task(smoke::run),
    },
];

/// What takes minutes, or a machine of one's own: with `--full` alone.
const FULL: [Step; 2] = [
    Step {
        name: "msrv",
        action: Action::Task(msrv::run),
    },
    Step {
        name: "launchers",
        action: Action::Task(|| launchers::run(&[])),
    },
];

const fn cargo(name: &'static str, arguments: &'static [&'static str]) -> Step {
    Step {
        name,
        action: Action::Cargo(arguments, None),
    }
}

/// Runs every step, with `--full` the long ones, too; the first failure ends it.
///
/// # Errors
/// For another argument, and for the first step that fails.
pub fn run(arguments: &[String]) -> Result<()> {
    let further: &[Step] = match arguments {
        [] => &[],
        [flag] if flag == "--full" => &FULL,
        _ => bail!("cargo xtask ci [--full]: it takes no other argument"),
    };
    let start = monotonic_ns();
    let count = STEPS.len() + further.len();
    for (index, step) in STEPS.iter().chain(further).enumerate() {
        let title = format!("[{}/{count}] {}", index + 1, step.name);
        println!("==> {title}");
        let begin = monotonic_ns();
        step.action.perform().with_context(|| {
            let seconds = seconds_since(begin);
            format!("{title} failed after {seconds:.1} s; the steps after it were not run")
        })?;
        println!("<== {title}: ok, {:.1} s", seconds_since(begin));
    }
    println!("all {count} steps passed, {:.1} s", seconds_since(start));
    Ok(())
}

impl Action {
    fn perform(&self) -> Result<()> {
        match self {
            Self::Task(task) => task(),
            Self::Cargo(arguments, variable) => {
                let mut command = Command::new(cargo_program());
                command.args(*arguments);
                if let Some((name, value)) = variable {
                    command.env(name, value);
                }
                let line = format!("cargo {}", arguments.join(" "));
                println!("    {line}");
                let status = command
                    .status()
                    .with_context(|| format!("cannot start `{line}`"))?;
                if !status.success() {
                    bail!("`{line}` ended with {status}");
                }
                Ok(())
            }
        }
    }
}

/// The cargo that runs this program.
pub fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// A path for the output of one task of one process, outside the tree.
pub fn scratch_directory(task: &str) -> PathBuf {
    env::temp_dir().join(format!("infermeter-xtask-{task}-{}", std::process::id()))
}

fn seconds_since(begin_ns: i64) -> f64 {
    (monotonic_ns() - begin_ns) as f64 / 1e9
}
