//! The texts of `/proc` and `/sys` that a run does not read for its record.
//!
//! Reads no file but through [`read`]. Invariant: a text that is not as it should be has no figure.

use infermeter_analysis::doctor::Fact;
use std::fs;

/// A file of `/proc` or `/sys`; else its name and what the system says.
pub(super) fn read(path: &str) -> Fact<String> {
    fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))
}

/// What a file's text says.
pub(super) fn said<T>(path: &str, parse: impl FnOnce(&str) -> Option<T>) -> Fact<T> {
    parse(&read(path)?).ok_or_else(|| format!("{path} does not say"))
}

/// `0-1,4`: numbers of cores.
pub(super) fn core_list(text: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for part in text.trim().split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        // More cores than any kernel is built for.
        if last < first || last > 65_536 {
            return None;
        }
        cores.extend(first..=last);
    }
    Some(cores)
}

/// Sockets in TIME_WAIT, of `/proc/net/sockstat`.
pub(super) fn time_wait(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("TCP:"))?;
    let mut words = line.split_whitespace();
    words.find(|word| *word == "tw")?;
    words.next()?.parse().ok()
}

/// Memory that can be had, bytes, of `/proc/meminfo`.
pub(super) fn memory_available(text: &str) -> Option<u64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

/// Share of the last ten seconds in which something waited, of `/proc/pressure/cpu`.
pub(super) fn pressure(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let mut words = line.split_whitespace();
    let percent: f64 = words
        .find_map(|word| word.strip_prefix("avg10="))?
        .parse()
        .ok()?;
    Some(percent / 100.0)
}

/// Interrupts of a core since the system is up, of `/proc/interrupts`.
pub(super) fn interrupts(text: &str, core: usize) -> Option<u64> {
    let mut lines = text.lines();
    let name = format!("CPU{core}");
    let mut heads = lines.next()?.split_whitespace();
    let column = heads.position(|head| head == name)?;
    let of_line =
        |line: &str| -> Option<u64> { line.split_whitespace().nth(column + 1)?.parse().ok() };
    let counts = lines.filter_map(of_line);
    Some(counts.fold(0, u64::saturating_add))
}

/// Whether a filter stands over the system calls of a process, of its `status`.
pub(super) fn is_filtered(text: &str) -> Option<bool> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Seccomp:"))?;
    Some(line.trim() != "0")
}

/// Whether the processor raises its frequency by itself, of Intel's switch and of all others'.
pub(super) fn boost(no_turbo: Option<&str>, boost: Option<&str>) -> Option<bool> {
    match (no_turbo.map(str::trim), boost.map(str::trim)) {
        (Some("0"), _) | (None, Some("1")) => Some(true),
        (Some("1"), _) | (None, Some("0")) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores() {
        assert_eq!(core_list("0-1,4\n"), Some(vec![0, 1, 4]));
        assert_eq!(core_list("7"), Some(vec![7]));
        for bad in ["", "a", "3-1", "0-", "0-99999999"] {
            assert_eq!(core_list(bad), None, "{bad}");
        }
    }

    #[test]
    fn sockets_memory_and_pressure() {
        let sockstat =
            "sockets: used 290\nTCP: inuse 12 orphan 0 tw 1834 alloc 20 mem 3\nUDP: inuse 2\n";
        assert_eq!(time_wait(sockstat), Some(1_834));
        assert_eq!(time_wait("TCP: inuse 12\n"), None);
        let memory = "MemTotal:       16384000 kB\nMemFree:  100 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(memory_available(memory), Some(2 << 20));
        assert_eq!(memory_available("MemTotal: 1 kB\n"), None);
        let waiting =
            "some avg10=12.50 avg60=1.00 avg300=0.10 total=99\nfull avg10=0.00 avg60=0 total=0\n";
        assert_eq!(pressure(waiting), Some(0.125));
        assert_eq!(pressure("full avg10=1\n"), None);
    }

    #[test]
    fn interrupts_are_summed_by_column() {
        let text = "           CPU0       CPU2\n  0:         22          5   IO-APIC   2-edge  timer\n \
                    NMI:          1          2   Non-maskable\nERR:          0\n";
        assert_eq!(interrupts(text, 0), Some(23));
        assert_eq!(interrupts(text, 2), Some(7));
        assert_eq!(interrupts(text, 1), None);
        assert_eq!(interrupts("", 0), None);
    }

    #[test]
    fn filters_and_turbo() {
        assert_eq!(
            is_filtered("Name: x\nSeccomp:\t2\nSeccomp_filters:\t1\n"),
            Some(true)
        );
        assert_eq!(is_filtered("Seccomp:\t0\n"), Some(false));
        assert_eq!(is_filtered("Name: x\n"), None);
        assert_eq!(boost(Some("0\n"), None), Some(true));
        assert_eq!(boost(Some("1\n"), Some("1")), Some(false));
        assert_eq!(boost(None, Some("0\n")), Some(false));
        assert_eq!(boost(None, None), None);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let why = said("/proc/no-such-file", time_wait).expect_err("none");
        assert!(
            why.starts_with("/proc/no-such-file cannot be read: "),
            "{why}"
        );
        let why = said("/proc/self/status", time_wait).expect_err("another form");
        assert_eq!(why, "/proc/self/status does not say");
    }
}
