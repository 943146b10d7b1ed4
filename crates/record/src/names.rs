//! The name of what is sealed and holds the seal. Files that are only sealed have theirs where they are written.

/// The manifest's name in a run directory.
pub const MANIFEST_FILE: &str = "run.json";
