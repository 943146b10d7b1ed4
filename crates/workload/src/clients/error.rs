//! Why a profile of clients cannot be used.
//!
//! Invariant: text from the file is inert in messages.

use super::MAX_CLIENTS;
use crate::pairs::PairsError;
use infermeter_core::text::inert;

/// Why a profile of clients cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("--clients {profile}: {problem}")]
pub struct ClientsError {
    profile: String,
    problem: Problem,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("cannot be read: {0}; give the name of a file, or `synthetic` for the bundled profile")]
    Read(std::io::Error),
    #[error("line {line}: {what}")]
    Syntax { line: usize, what: String },
    #[error("format-version {0} is not known: this version reads 1")]
    Version(u32),
    #[error("no client: write one [[client]] at least, with its name, rate and lengths")]
    Empty,
    #[error("more than {MAX_CLIENTS} clients")]
    TooMany,
    #[error("more than 1,000 classes: give clients a common `class`")]
    TooManyClasses,
    #[error("two clients are called `{0}`: names must differ")]
    Twice(String),
    #[error("client `{client}`: {what}")]
    Client { client: String, what: String },
    #[error("client `{client}`: {source}")]
    Pairs {
        client: String,
        source: Box<PairsError>,
    },
}

impl Problem {
    /// The error of the profile called `profile`.
    pub fn within(self, profile: &str) -> ClientsError {
        ClientsError {
            profile: inert(profile, 200),
            problem: self,
        }
    }
}
