//! What else happens while a rung is measured: the simulator's thread, other work on the machine,
//! the hypervisor. Read from `/proc` before and after, never in between.
//!
//! Invariant: what the system does not tell is absent.

use infermeter_core::clock::{monotonic_ns, process_cpu_ns};
use std::fs;

/// Nanoseconds of a tick in `/proc`: `USER_HZ` is 100 on every Linux that this runs on.
const TICK_NS: i64 = 10_000_000;

/// Counters at one instant, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Counters {
    wall: i64,
    /// Cores in user or system mode, or stolen; interrupts are left out, since those of the
    /// loopback are the rung's own.
    cores_busy: Option<i64>,
    own_cpu: i64,
    /// All threads of the simulator.
    mock_cpu: Option<i64>,
    /// Its serving thread: on a core, and waiting for one.
    mock_thread: Option<(i64, i64)>,
}

/// Looks at the simulator and the rest of the machine around a rung.
#[derive(Debug)]
pub struct Bystanders {
    mock_pid: u32,
    cores: Vec<usize>,
    before: Counters,
}

/// What they did meanwhile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Seen {
    /// CPU time / wall time of the simulator's serving thread.
    pub mock_busy: Option<f64>,
    /// Its time runnable but not running / wall time.
    pub mock_wait_share: Option<f64>,
    /// Cores, of those in use here, kept busy by others or stolen.
    pub foreign_cores: Option<f64>,
}

impl Bystanders {
    /// Looks for the first time. `cores` are those of client and simulator together.
    pub fn watch(mock_pid: u32, cores: &[usize]) -> Self {
        Self {
            mock_pid,
            cores: cores.to_vec(),
            before: counters(mock_pid, cores),
        }
    }

    /// Looks again.
    pub fn seen(&self) -> Seen {
        between(self.before, counters(self.mock_pid, &self.cores))
    }
}

fn between(before: Counters, after: Counters) -> Seen {
    let wall = (after.wall - before.wall).max(1) as f64;
    let thread = before.mock_thread.zip(after.mock_thread);
    let busy = before.cores_busy.zip(after.cores_busy);
    let mock = before.mock_cpu.zip(after.mock_cpu);
    let foreign = busy.zip(mock).map(|(busy, mock)| {
        let own = after.own_cpu - before.own_cpu + mock.1 - mock.0;
        (busy.1 - busy.0 - own).max(0) as f64 / wall
    });
    Seen {
        mock_busy: thread.map(|(then, now)| (now.0 - then.0) as f64 / wall),
        mock_wait_share: thread.map(|(then, now)| (now.1 - then.1) as f64 / wall),
        foreign_cores: foreign,
    }
}

fn counters(mock_pid: u32, cores: &[usize]) -> Counters {
    let read = |path: &str| fs::read_to_string(path).ok();
    let of_mock = |file: &str| read(&format!("/proc/{mock_pid}/{file}"));
    Counters {
        wall: monotonic_ns(),
        cores_busy: read("/proc/stat").and_then(|text| cores_busy_ns(&text, cores)),
        own_cpu: process_cpu_ns(),
        mock_cpu: of_mock("stat").and_then(|text| process_cpu_of(&text)),
        mock_thread: of_mock("schedstat").and_then(|text| thread_times(&text)),
    }
}

/// User, nice, system and steal of `cores` in `/proc/stat`, nanoseconds.
fn cores_busy_ns(text: &str, cores: &[usize]) -> Option<i64> {
    let mut ticks = 0;
    for core in cores {
        let name = format!("cpu{core} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name))?;
        let fields: Vec<i64> = line
            .split_whitespace()
            .map_while(|field| field.parse().ok())
            .collect();
        // user nice system idle iowait irq softirq steal
        ticks += fields.get(..3)?.iter().sum::<i64>() + fields.get(7)?;
    }
    Some(ticks * TICK_NS)
}

/// utime + stime of `/proc/PID/stat`, nanoseconds. The name, in brackets, may hold anything.
fn process_cpu_of(text: &str) -> Option<i64> {
    let (_, behind_name) = text.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<i64>().ok();
    Some((ticks()? + ticks()?) * TICK_NS)
}

/// Time on a core and time waiting for one, nanoseconds (`/proc/PID/schedstat`).
fn thread_times(text: &str) -> Option<(i64, i64)> {
    let mut fields = text.split_whitespace().map(|field| field.parse().ok());
    Some((fields.next()??, fields.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_proc_are_read() {
        let stat = "cpu  9 9 9 9\ncpu0 100 1 50 7 7 7 7 3 0 0\ncpu1 10 0 5 7 7 7 7 0 0 0\n";
        assert_eq!(cores_busy_ns(stat, &[0]), Some(154 * TICK_NS));
        assert_eq!(cores_busy_ns(stat, &[0, 1]), Some(169 * TICK_NS));
        assert_eq!(cores_busy_ns(stat, &[2]), None);
        let process = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0\n";
        assert_eq!(process_cpu_of(process), Some(42 * TICK_NS));
        assert_eq!(thread_times("5 7 1\n"), Some((5, 7)));
        assert_eq!(thread_times("5\n"), None);
    }

    #[test]
    fn others_are_what_is_left() {
        let before = Counters {
            wall: 0,
            cores_busy: Some(0),
            own_cpu: 0,
            mock_cpu: Some(0),
            mock_thread: Some((0, 0)),
        };
        let after = Counters {
            wall: 1_000,
            cores_busy: Some(900),
            own_cpu: 300,
            mock_cpu: Some(400),
            mock_thread: Some((390, 10)),
        };
        let seen = between(before, after);
        assert_eq!(seen.foreign_cores, Some(0.2));
        assert_eq!(seen.mock_busy, Some(0.39));
        assert_eq!(seen.mock_wait_share, Some(0.01));
        let blind = Counters {
            mock_cpu: None,
            ..after
        };
        assert_eq!(between(before, blind).foreign_cores, None);
    }
}
