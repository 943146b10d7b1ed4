//! Errors that say whose they are: the plan's, the target's, the measurement's, or nobody's.
//!
//! Not here: exit codes, which are the front end's. An error of any other type is one of the plan or of a
//! file that it names.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kept something from being measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A plan, a flag or a file is wrong.
    Usage,
    /// What was measured cannot be relied on as it stands.
    Invalid,
    /// The target cannot be used.
    Target,
    /// A signal came.
    Interrupted,
}

/// An error with its cause.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    /// Whose it is.
    pub cause: Cause,
    /// What is wrong and what to do.
    pub message: String,
}

impl Failure {
    /// The target cannot be used.
    pub fn target(message: impl Into<String>) -> Self {
        Self::of(Cause::Target, message)
    }

    /// Stopped before anything was measured.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self::of(Cause::Interrupted, message)
    }

    /// An error of a cause.
    pub fn of(cause: Cause, message: impl Into<String>) -> Self {
        Self {
            cause,
            message: message.into(),
        }
    }
}

impl Cause {
    /// The cause of an error; [`Cause::Usage`] where it does not say.
    pub fn of(error: &anyhow::Error) -> Self {
        error
            .downcast_ref::<Failure>()
            .map_or(Self::Usage, |failure| failure.cause)
    }
}
