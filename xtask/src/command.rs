//! Other programs, run to their end: whether they are here, what they say, and whether they have succeeded.
//!
//! What goes on while a task does something else is in `running.rs`. Invariant: a command that has failed is named whole, with
//! what it said where nobody saw it.

use anyhow::{Context, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};

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
        let said = format!("{told} {}", errors.trim());
        bail!("`{line}` ended with {}: {}", output.status, said.trim());
    }
    Ok(told)
}

/// Runs a command that tells the user itself how it goes.
///
/// # Errors
/// When it cannot be started or fails.
pub fn succeed(command: &mut Command) -> Result<()> {
    let line = line(command);
    let status = command
        .status()
        .with_context(|| format!("cannot start `{line}`"))?;
    match status.success() {
        true => Ok(()),
        false => bail!("`{line}` ended with {status}"),
    }
}

/// A command of which nothing is shown: it has succeeded.
pub fn quiet(command: &mut Command) -> bool {
    let run = command.stdout(Stdio::null()).stderr(Stdio::null());
    run.status().is_ok_and(|status| status.success())
}

/// A command, as it would be typed.
pub fn line(command: &Command) -> String {
    let words = command.get_args().map(|word| word.to_string_lossy());
    let program = command.get_program().to_string_lossy();
    [program]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_here_or_not() {
        assert!(found("sh").is_some_and(|place| place.is_absolute()));
        assert_eq!(found("no-such-program-here"), None);
    }

    #[test]
    fn a_command_that_fails_says_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo why >&2; exit 3"]);
        let error = output(&mut command).expect_err("it fails");
        assert!(
            format!("{error}").ends_with("exit status: 3: why"),
            "{error}"
        );
        let error = succeed(&mut command).expect_err("it fails");
        assert!(format!("{error}").starts_with("`sh -c echo why"), "{error}");
        assert!(!quiet(&mut command));
        assert_eq!(said("echo", &["x"]).expect("it prints"), "x");
    }
}
