//! How the system's clock is kept, as the kernel knows it. Changes nothing.

use crate::raw::calls;
use std::io;

/// What keeps the clock right, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Discipline {
    /// Somebody (NTP, PTP, the hypervisor's daemon) keeps it.
    pub synchronised: bool,
    /// The kernel's bound of how far off it is, microseconds.
    pub bound_us: i64,
}

/// Asks the kernel.
///
/// # Errors
/// Where a sandbox forbids the question.
pub fn discipline() -> io::Result<Discipline> {
    let timex = calls::clock_discipline()?;
    Ok(Discipline {
        synchronised: timex.status & libc::STA_UNSYNC == 0,
        bound_us: timex.maxerror,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_no_less_than_nothing() {
        // A sandbox may refuse.
        if let Ok(seen) = discipline() {
            assert!(seen.bound_us >= 0, "{seen:?}");
        }
    }
}
