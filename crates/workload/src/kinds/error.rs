//! Why requests cannot carry what a plan asks for.
//!
//! Invariant: text from a file is inert in messages.

use infermeter_core::text::inert;
use std::path::{Path, PathBuf};

/// Why requests cannot carry what a plan asks for.
#[derive(Debug, thiserror::Error)]
pub enum KindsError {
    /// A file cannot be read.
    #[error("{flag}: {} cannot be read: {source}", path.display())]
    Read {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{flag}: {} holds {what}", path.display())]
    Holds {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// What it holds instead.
        what: String,
    },
    /// Definitions of tools that are none.
    #[error("--tools: {0}")]
    Tools(String),
    /// A choice that no definition allows.
    #[error("--tool-choice: {0}")]
    ToolChoice(String),
    /// Answers cannot have two forms.
    #[error("--schema, --regex and --grammar exclude each other: give one")]
    TwoFormats,
    /// Images have one origin.
    #[error("--images and --image exclude each other: give one")]
    TwoImages,
    /// A kind is named twice.
    #[error("--kind {0} is given twice: add up the weights")]
    Twice(&'static str),
    /// A kind without what it needs.
    #[error("--kind {kind} needs {flags}")]
    Missing {
        /// The kind.
        kind: &'static str,
        /// What gives it.
        flags: &'static str,
    },
    /// Something that no kind uses.
    #[error(
        "--kind names no {kind}, so {flags} would not be used: add --kind {kind}=WEIGHT, or leave it \
         away"
    )]
    Unused {
        /// The kind that would use it.
        kind: &'static str,
        /// What was given.
        flags: &'static str,
    },
    /// Too many combinations.
    #[error("{0} classes, kinds and adapters together, more than 1,000: leave some of them out")]
    TooManyClasses(usize),
}

impl KindsError {
    pub(super) fn holds(flag: &'static str, path: &Path, what: &str) -> Self {
        Self::Holds {
            flag,
            path: path.to_owned(),
            what: inert(what, 200),
        }
    }
}
