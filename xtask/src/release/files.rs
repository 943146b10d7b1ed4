//! Files of a release: copied, written, listed, and their digests.

use crate::command::said;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// Copies a file into a folder, which is made where it is missing.
///
/// # Errors
/// When it cannot be read or written.
pub fn put(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::copy(from, to).with_context(|| format!("{} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Writes a text into a folder, which is made where it is missing.
///
/// # Errors
/// When it cannot be written.
pub fn write(to: &Path, text: &str) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    fs::write(to, text).with_context(|| to.display().to_string())
}

/// The files of a folder, in order of their names.
///
/// # Errors
/// When it cannot be read.
pub fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        files.push(entry?.path());
    }
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

/// SHA-256 of a file, hex.
///
/// # Errors
/// When it cannot be read.
pub fn digest(path: &Path) -> Result<String> {
    let line = said("sha256sum", &[&path.display().to_string()])?;
    let digest = line.split_whitespace().next().unwrap_or("");
    // A name with a backslash or a line break has a backslash in front of the line.
    Ok(digest.trim_start_matches('\\').to_owned())
}
