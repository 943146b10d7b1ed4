//! Process limits and figures.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors: the soft limit after raising it as far as allowed towards `wanted`.
pub fn raise_fd_limit(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let soft = limit.current.unwrap_or(u64::MAX);
    if soft >= wanted {
        return soft;
    }
    let raised = wanted.min(limit.maximum.unwrap_or(u64::MAX));
    let new = Rlimit {
        current: Some(raised),
        maximum: limit.maximum,
    };
    if setrlimit(Resource::Nofile, new).is_ok() {
        raised
    } else {
        soft
    }
}

/// Peak resident memory of this process (`VmHWM`), bytes.
pub fn peak_rss_bytes() -> Option<u64> {
    status_kib("VmHWM:").map(|kib| kib * 1024)
}

fn status_kib(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_process_has_memory() {
        assert!(peak_rss_bytes().expect("on Linux") > 100_000);
        assert!(raise_fd_limit(64) >= 64);
    }
}
