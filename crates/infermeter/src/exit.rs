//! Exit codes. Precedence: 130, 4, 3, 1, 5, 0; 2 ends a command before any of them.

/// Everything went as asked.
pub const OK: u8 = 0;
/// An objective was missed.
pub const MISSED: u8 = 1;
/// The command line or a file is wrong.
pub const USAGE: u8 = 2;
/// The measurement is Invalid (Questionable, too, under `--strict`).
pub const INVALID: u8 = 3;
/// The target could not be reached, or every request failed.
pub const TARGET: u8 = 4;
/// An objective could not be decided for want of data.
pub const UNDECIDED: u8 = 5;
/// Stopped by a signal; the report is written.
pub const INTERRUPTED: u8 = 130;

/// The gravest first.
const PRECEDENCE: [u8; 6] = [INTERRUPTED, TARGET, INVALID, MISSED, UNDECIDED, OK];

/// The gravest of several codes of measurements; 0 of none.
pub fn gravest(codes: &[u8]) -> u8 {
    let found = PRECEDENCE.into_iter().find(|code| codes.contains(code));
    found.unwrap_or(OK)
}

/// An error that ends the command with a certain exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct ExitError {
    /// The exit code.
    pub code: u8,
    /// What is wrong and what to do.
    pub message: String,
}

impl ExitError {
    /// The target cannot be used.
    pub fn target(message: impl Into<String>) -> Self {
        Self {
            code: TARGET,
            message: message.into(),
        }
    }

    /// Stopped before anything was measured.
    pub fn interrupted(message: impl Into<String>) -> Self {
        Self {
            code: INTERRUPTED,
            message: message.into(),
        }
    }
}

/// The exit code of an error that ended a command.
pub fn code_of(error: &anyhow::Error) -> u8 {
    error.downcast_ref::<ExitError>().map_or(USAGE, |e| e.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_code_is_not_the_greatest() {
        assert_eq!(gravest(&[]), OK);
        assert_eq!(gravest(&[OK, UNDECIDED]), UNDECIDED);
        assert_eq!(gravest(&[UNDECIDED, MISSED]), MISSED);
        assert_eq!(gravest(&[UNDECIDED, INVALID, MISSED]), INVALID);
        assert_eq!(gravest(&[TARGET, UNDECIDED]), TARGET);
        assert_eq!(gravest(&[TARGET, INTERRUPTED]), INTERRUPTED);
    }
}
