//! Exit codes. Precedence: 130, 4, 3, 1, 5, 0; 2 ends a command before any of them.

use infermeter_analysis::{SloStatus, Summary, all_failed, objectives};
use infermeter_core::finding::Verdict;
use infermeter_core::run::RunState;
use infermeter_session::failure::Cause;

/// Everything went as asked.
pub const OK: u8 = 0;
/// An objective was missed, or a gate fails.
pub(crate) const MISSED: u8 = 1;
/// The command line or a file is wrong.
pub const USAGE: u8 = 2;
/// The measurement is Invalid (Questionable, too, under `--strict`).
pub(crate) const INVALID: u8 = 3;
/// The target could not be reached, or every request failed.
pub(crate) const TARGET: u8 = 4;
/// An objective could not be decided for want of data, or a gate is inconclusive.
pub(crate) const UNDECIDED: u8 = 5;
/// Stopped by a signal; the report is written.
pub(crate) const INTERRUPTED: u8 = 130;

/// The gravest first.
const PRECEDENCE: [u8; 6] = [INTERRUPTED, TARGET, INVALID, MISSED, UNDECIDED, OK];

/// The gravest of several codes of measurements; 0 of none.
pub(crate) fn gravest(codes: &[u8]) -> u8 {
    let found = PRECEDENCE.into_iter().find(|code| codes.contains(code));
    found.unwrap_or(OK)
}

/// The codes of what is so.
pub(crate) fn of_what_is_so<const N: usize>(codes: [(bool, u8); N]) -> Vec<u8> {
    let so = codes.into_iter().filter(|(is_so, _)| *is_so);
    so.map(|(_, code)| code).collect()
}

/// The exit code of an error that ended a command.
pub fn code_of(error: &anyhow::Error) -> u8 {
    of_cause(Cause::of(error))
}

/// The exit code of what kept something from being measured.
pub(crate) fn of_cause(cause: Cause) -> u8 {
    match cause {
        Cause::Usage => USAGE,
        Cause::Invalid => INVALID,
        Cause::Target => TARGET,
        Cause::Interrupted => INTERRUPTED,
    }
}

/// The exit code of a verdict.
pub(crate) fn of_verdict(verdict: Verdict, strict: bool) -> u8 {
    let worst_accepted = match strict {
        true => Verdict::Valid,
        false => Verdict::Questionable,
    };
    match verdict > worst_accepted {
        true => INVALID,
        false => OK,
    }
}

/// The exit code of a run that was judged.
pub(crate) fn of_run(state: RunState, summary: &Summary, verdict: Verdict, strict: bool) -> u8 {
    if state == RunState::Interrupted {
        INTERRUPTED
    } else if all_failed(summary) {
        TARGET
    } else if of_verdict(verdict, strict) == INVALID {
        INVALID
    } else {
        match objectives(summary) {
            Some(SloStatus::Missed) => MISSED,
            Some(SloStatus::Undecided) => UNDECIDED,
            Some(SloStatus::Met) | None => OK,
        }
    }
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
        let so = of_what_is_so([(false, TARGET), (true, INVALID), (true, MISSED)]);
        assert_eq!(so, [INVALID, MISSED]);
    }
}
