//! Which cores a thread may run on.

use crate::raw::calls;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use std::io;

/// Cores the calling thread may run on, ascending.
pub fn allowed_cores() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU)
            .filter(|core| set.is_set(*core))
            .collect(),
        Err(_) => (0..std::thread::available_parallelism().map_or(1, usize::from)).collect(),
    }
}

/// Restricts the calling thread (and threads and processes it starts later) to `cores`.
pub fn restrict_to(cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Has the calling thread run only where no other wants to: any other takes its core at once, which a
/// nice value does not promise. Where that is refused its priority is lowered as far as it goes.
pub fn run_when_idle() {
    if calls::run_when_idle().is_err() {
        yield_to_others();
    }
}

/// Lowers the calling thread's priority as far as it goes: for work that must not disturb.
pub fn yield_to_others() {
    // On Linux the nice value belongs to the thread; a failure leaves the priority as it was.
    let _ = rustix::process::setpriority_process(None, 19);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_runs_when_idle_still_runs() {
        let policy = std::thread::spawn(|| {
            run_when_idle();
            let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("readable");
            // Behind the name in parentheses; the policy is field 41.
            let behind = stat.rsplit_once(')').expect("a name").1.to_owned();
            behind.split_whitespace().nth(38).map(str::to_owned)
        });
        let policy = policy.join().expect("it ended");
        assert_eq!(policy.as_deref(), Some("5"), "SCHED_IDLE");
    }
}
