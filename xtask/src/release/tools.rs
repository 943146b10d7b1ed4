//! Other programs: whether they are here, what they say, and whether they have succeeded.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a program is.
pub fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|place| place.is_file())
}

/// What a program prints, without the line break at its end.
///
/// # Errors
/// When it cannot be started or fails.
pub fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(program);
    command.args(arguments);
    output(&mut command)
}

/// What a command prints, without the line break at its end.
///
/// # Errors
/// When it cannot be started or fails; with what it says.
pub fn output(command: &mut Command) -> Result<String> {
    let line = line(command);
    let output = command
        .output()
        .with_context(|| format!("cannot start `{line}`"))?;
    let told = String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned();
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!(
            "`{line}` ended with {}: {told} {}",
            output.status,
            errors.trim()
        );
    }
    Ok(told)
}

/// Runs a command that tells the user itself how it goes.
///
/// # Errors
/// When it cannot be started or fails.
pub fn succeed(command: &mut Command) -> Result<()> {
    let line = line(command);
    println!("    {line}");
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("`{line}` ended with {status}"),
    }
}

fn line(command: &Command) -> String {
    let words = command.get_args().map(|word| word.to_string_lossy());
    let program = command.get_program().to_string_lossy();
    [program]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

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
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
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
