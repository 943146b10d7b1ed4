//! Charts.

pub(crate) mod characters;
