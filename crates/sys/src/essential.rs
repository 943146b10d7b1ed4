//! What nothing can be measured without: an event loop, and a timer in it.
//!
//! Everything else that is asked of a kernel (stamps, io_uring, affinity, scheduling) has something to fall back on, which is
//! recorded. Invariant: a kernel or a sandbox that lacks one of these is told before anything is sent, in words.

use crate::poll::Poll;
use crate::timer::Timer;
use std::io;

/// What a kernel does not give, and infermeter has no other way for.
#[derive(Debug, thiserror::Error)]
#[error(
    "this kernel (Linux {release}) gives no {call}: {cause}. infermeter needs Linux 3.17 or later, and a sandbox that \
     allows epoll and timerfd"
)]
pub struct Missing {
    call: &'static str,
    release: String,
    cause: io::Error,
}

/// Tries each.
///
/// # Errors
/// Naming the first that is not there.
pub fn check() -> Result<(), Missing> {
    Poll::new().map_err(|cause| missing("epoll", cause))?;
    Timer::new().map_err(|cause| missing("timerfd", cause))?;
    Ok(())
}

fn missing(call: &'static str, cause: io::Error) -> Missing {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease");
    let release = release.map_or("unknown".to_owned(), |text| text.trim().to_owned());
    Missing {
        call,
        release,
        cause,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_what_it_takes() {
        assert!(check().is_ok());
    }

    #[test]
    fn what_is_missing_is_named_with_what_is_needed() {
        let text = missing("timerfd", io::Error::from_raw_os_error(38)).to_string();
        for words in ["no timerfd", "not implemented", "Linux 3.17 or later"] {
            assert!(text.contains(words), "{text}");
        }
    }
}
