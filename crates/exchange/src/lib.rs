//! Results to other tools' files, and from them.
//!
//! run -> [`export`] -> files of another tool; its file -> [`import`] -> manifest and records
//!
//! Opens no file and prints nothing. Invariants: a name is translated by what it means (the tables are those of
//! `audit`); what a format cannot carry is named; what a file does not say is absent, never 0.

pub mod export;
pub mod import;
