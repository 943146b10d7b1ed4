//! `cargo xtask tidy`: rules of the project that no compiler knows, as checks over its files.
//!
//! Each rule is a function from the tree to problems; it changes nothing. Invariant: every problem
//! is printed before the task fails, so that one run shows all of them.

mod arrows;
mod book;
mod circles;
mod code;
mod coverage;
mod formats;
mod functions;
mod mask;
pub mod msrv;
mod paths;
mod public;
mod rust_source;
mod text;
mod tree;
mod tuples;

use anyhow::{Result, bail};
use tree::Tree;

/// How much a problem weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    /// Printed.
    Warning,
    /// Fails the task.
    Error,
}

/// One breach of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Problem {
    /// File, with the line where there is one, or the thing that is wrong.
    place: String,
    severity: Severity,
    message: String,
}

impl Problem {
    fn error(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            severity: Severity::Error,
            message: message.into(),
        }
    }

    fn warning(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message)
        }
    }
}

/// Checks everything.
pub fn run() -> Result<()> {
    let tree = Tree::read()?;
    let mut problems = arrows::check(&tree)?;
    for rule in [
        text::check,
        code::check,
        functions::check,
        tuples::check,
        circles::check,
        public::check,
        book::check,
        coverage::check,
        formats::check,
        msrv::check,
    ] {
        problems.append(&mut rule(&tree));
    }
    problems.sort();
    let mut errors = 0;
    for problem in &problems {
        let label = match problem.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        errors += usize::from(problem.severity == Severity::Error);
        println!("    {label}: {}: {}", problem.place, problem.message);
    }
    let warnings = problems.len() - errors;
    if errors > 0 {
        bail!(
            "tidy: {errors} errors, {warnings} warnings in {} files",
            tree.files.len()
        );
    }
    println!("    tidy: {} files, {warnings} warnings", tree.files.len());
    Ok(())
}
