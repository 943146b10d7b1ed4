//! What else happens while a rung is measured: the simulator's thread, other work on the machine,
//! the hypervisor. Read from `/proc` before and after, never in between.
//!
//! Other work is the lesser of two figures, each of which errs upwards. What the cores in use were
//! busy with beside the two sides is sampled by most kernels at their ticks: steps of whole
//! milliseconds fall on the ticks, and count too much. What all other processes ran is exact, but
//! they may have run on other cores.
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
    /// Cores in user or system mode; interrupts are left out, since those of the loopback are the
    /// rung's own.
    cores_busy: Option<i64>,
    /// Stolen from these cores.
    stolen: Option<i64>,
    /// All processes but the two sides, with what their ended children ran.
    others_cpu: Option<i64>,
    own_cpu: i64,
    /// All threads of the simulator.
    mock_cpu: Option<i64>,
    /// Its serving thread: on a core, and waiting for one.
    mock_thread: Option<(i64, i64)>,
}

/// Looks at the simulator and the rest of the machine around a rung.
#[derive(Debug)]
pub(crate) struct Bystanders {
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
    let grown = |of: fn(&Counters) -> Option<i64>| Some(of(&after)? - of(&before)?);
    let own = grown(|c| c.mock_cpu).map(|mock| after.own_cpu - before.own_cpu + mock);
    let sampled = grown(|c| c.cores_busy)
        .zip(own)
        .map(|(busy, own)| busy - own);
    let foreign = sampled
        .zip(grown(|c| c.others_cpu))
        .map(|(sampled, others)| {
            let stolen = grown(|c| c.stolen).unwrap_or(0);
            (sampled.min(others).max(0) + stolen) as f64 / wall
        });
    Seen {
        mock_busy: thread.map(|(then, now)| (now.0 - then.0) as f64 / wall),
        mock_wait_share: thread.map(|(then, now)| (now.1 - then.1) as f64 / wall),
        foreign_cores: foreign,
    }
}

fn counters(mock_pid: u32, cores: &[usize]) -> Counters {
    let read = |path: &str| fs::read_to_string(path).ok();
    let stat = read("/proc/stat");
    let of_mock = |file: &str| read(&format!("/proc/{mock_pid}/{file}"));
    Counters {
        wall: monotonic_ns(),
        cores_busy: stat
            .as_deref()
            .and_then(|text| cores_ns(text, cores, &[0, 1, 2])),
        stolen: stat.as_deref().and_then(|text| cores_ns(text, cores, &[7])),
        others_cpu: others_cpu_ns(&[mock_pid, std::process::id()]),
        own_cpu: process_cpu_ns(),
        mock_cpu: of_mock("stat").and_then(|text| process_cpu_of(&text)),
        mock_thread: of_mock("schedstat").and_then(|text| thread_times(&text)),
    }
}

/// What all processes ran except `sides`, nanoseconds. A process that ends meanwhile stays counted:
/// its parent has its time.
fn others_cpu_ns(sides: &[u32]) -> Option<i64> {
    let processes = fs::read_dir("/proc").ok()?.filter_map(|entry| {
        let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        (!sides.contains(&pid)).then(|| process_and_children_cpu_of(&text))?
    });
    Some(processes.sum())
}

/// The sum of some fields of `cores` in `/proc/stat` (user nice system idle iowait irq softirq
/// steal), nanoseconds.
pub(crate) fn cores_ns(text: &str, cores: &[usize], wanted: &[usize]) -> Option<i64> {
    let mut ticks = 0;
    for core in cores {
        let name = format!("cpu{core} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name))?;
        let fields: Vec<i64> = line
            .split_whitespace()
            .map_while(|field| field.parse().ok())
            .collect();
        for field in wanted {
            ticks += fields.get(*field)?;
        }
    }
    Some(ticks * TICK_NS)
}

/// utime + stime of `/proc/PID/stat`, nanoseconds.
fn process_cpu_of(text: &str) -> Option<i64> {
    cpu_fields(text, 2)
}

/// utime + stime + cutime + cstime, nanoseconds.
fn process_and_children_cpu_of(text: &str) -> Option<i64> {
    cpu_fields(text, 4)
}

/// The first fields about CPU time in `/proc/PID/stat`. The name, in brackets, may hold anything.
fn cpu_fields(text: &str, count: usize) -> Option<i64> {
    let (_, behind_name) = text.rsplit_once(')')?;
    let fields = behind_name.split_whitespace().skip(11).take(count);
    let ticks: Option<Vec<i64>> = fields.map(|field| field.parse().ok()).collect();
    let ticks = ticks.filter(|ticks| ticks.len() == count)?;
    Some(ticks.iter().sum::<i64>() * TICK_NS)
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
        assert_eq!(cores_ns(stat, &[0], &[0, 1, 2]), Some(151 * TICK_NS));
        assert_eq!(cores_ns(stat, &[0, 1], &[7]), Some(3 * TICK_NS));
        assert_eq!(cores_ns(stat, &[2], &[0]), None);
        let process = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 30 12 4 1\n";
        assert_eq!(process_cpu_of(process), Some(42 * TICK_NS));
        assert_eq!(process_and_children_cpu_of(process), Some(47 * TICK_NS));
        assert!(others_cpu_ns(&[]).is_some_and(|ns| ns > 0));
        assert_eq!(thread_times("5 7 1\n"), Some((5, 7)));
        assert_eq!(thread_times("5\n"), None);
    }

    #[test]
    fn others_are_what_is_left() {
        let before = Counters {
            wall: 0,
            cores_busy: Some(0),
            stolen: Some(0),
            others_cpu: Some(5_000),
            own_cpu: 0,
            mock_cpu: Some(0),
            mock_thread: Some((0, 0)),
        };
        let after = Counters {
            wall: 1_000,
            cores_busy: Some(850),
            stolen: Some(50),
            others_cpu: Some(6_000),
            own_cpu: 300,
            mock_cpu: Some(400),
            mock_thread: Some((390, 10)),
        };
        let seen = between(before, after);
        assert_eq!(seen.foreign_cores, Some(0.2));
        assert_eq!(seen.mock_busy, Some(0.39));
        assert_eq!(seen.mock_wait_share, Some(0.01));
        let aliased = Counters {
            others_cpu: Some(5_010),
            ..after
        };
        assert_eq!(between(before, aliased).foreign_cores, Some(0.06));
        let blind = Counters {
            mock_cpu: None,
            ..after
        };
        assert_eq!(between(before, blind).foreign_cores, None);
    }
}
