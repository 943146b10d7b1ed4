//! When another process waited for a core, seen from outside: its busiest thread's run-queue wait,
//! sampled every millisecond.
//!
//! A wait is known to have been served between two samples; the whole span in which it can have
//! been is kept. Invariant: spans are sorted and do not overlap.

use infermeter_core::clock::monotonic_ns;
use infermeter_sys::affinity;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Time between two samples.
const PERIOD: Duration = Duration::from_millis(1);
/// Samples between two looks for new threads.
const RESCAN: u32 = 100;
/// Waits shorter than this are part of any machine's day, nanoseconds.
const LEAST_WAIT_NS: i64 = 20_000;

/// Spans in which the thread waited, nanoseconds of the monotonic clock.
#[derive(Debug, Default)]
pub struct Waits(Vec<(i64, i64)>);

impl Waits {
    /// Whether an instant lies in a span.
    pub fn contain(&self, at: i64) -> bool {
        let next = self.0.partition_point(|(_, end)| *end < at);
        self.0.get(next).is_some_and(|(start, _)| *start <= at)
    }

    fn add(&mut self, start: i64, end: i64) {
        match self.0.last_mut() {
            Some(last) if start <= last.1 => last.1 = end,
            _ => self.0.push((start, end)),
        }
    }
}

/// One thread of the other process.
struct Watched {
    file: File,
    cpu_ns: i64,
    waited_ns: i64,
    sampled: i64,
    waits: Waits,
}

impl Watched {
    fn open(path: &std::path::Path) -> Option<Self> {
        let mut watched = Self {
            file: File::open(path.join("schedstat")).ok()?,
            cpu_ns: 0,
            waited_ns: 0,
            sampled: monotonic_ns(),
            waits: Waits::default(),
        };
        (watched.cpu_ns, watched.waited_ns) = watched.read()?;
        Some(watched)
    }

    /// CPU time and run-queue wait so far.
    fn read(&self) -> Option<(i64, i64)> {
        let mut buffer = [0; 96];
        let n = self.file.read_at(&mut buffer, 0).ok()?;
        let text = std::str::from_utf8(&buffer[..n]).ok()?;
        let mut fields = text.split_ascii_whitespace().map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    }

    fn sample(&mut self) {
        let Some((cpu_ns, waited_ns)) = self.read() else {
            return;
        };
        let now = monotonic_ns();
        let waited = waited_ns - self.waited_ns;
        if waited >= LEAST_WAIT_NS {
            // Counted when it ended; it may have begun before the last sample.
            self.waits.add(self.sampled - waited, now);
        }
        (self.cpu_ns, self.waited_ns, self.sampled) = (cpu_ns, waited_ns, now);
    }
}

/// Watches a process until told to end.
#[derive(Debug)]
pub struct Sampler {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Waits>,
}

impl Sampler {
    /// Watches the threads of process `pid` from `core`.
    pub fn start(pid: u32, core: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            // Without a core of its own it only disturbs more.
            let _ = affinity::restrict_to(&[core]);
            watch(pid, &stopped)
        });
        Self { stop, thread }
    }

    /// Ends and returns the waits of the busiest thread.
    pub fn end(self) -> Waits {
        self.stop.store(true, Ordering::Release);
        self.thread.join().unwrap_or_default()
    }
}

fn watch(pid: u32, stop: &AtomicBool) -> Waits {
    let mut threads: BTreeMap<std::ffi::OsString, Watched> = BTreeMap::new();
    let mut samples = 0_u32;
    while !stop.load(Ordering::Acquire) {
        if samples.is_multiple_of(RESCAN) {
            let tasks = fs::read_dir(format!("/proc/{pid}/task"));
            for task in tasks.into_iter().flatten().flatten() {
                if !threads.contains_key(&task.file_name())
                    && let Some(watched) = Watched::open(&task.path())
                {
                    threads.insert(task.file_name(), watched);
                }
            }
        }
        samples = samples.wrapping_add(1);
        threads.values_mut().for_each(Watched::sample);
        thread::sleep(PERIOD);
    }
    let busiest = threads.into_values().max_by_key(|watched| watched.cpu_ns);
    busiest.map_or_else(Waits::default, |watched| watched.waits)
}

#[cfg(test)]
mod tests {
    use super::Waits;

    #[test]
    fn spans_that_touch_become_one() {
        let mut waits = Waits::default();
        for (start, end) in [(10, 20), (15, 30), (40, 50)] {
            waits.add(start, end);
        }
        assert_eq!(waits.0, [(10, 30), (40, 50)]);
        let inside: Vec<i64> = (0..60).step_by(5).filter(|at| waits.contain(*at)).collect();
        assert_eq!(inside, [10, 15, 20, 25, 30, 40, 45, 50]);
    }
}
