//! An answer as it is told: what it says, and how long it is.

use crate::content::Script;
use crate::length::AnswerLength;

/// An answer that is told, from its first token on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    /// What it says.
    pub script: Script,
    /// How long it is.
    pub length: AnswerLength,
}
