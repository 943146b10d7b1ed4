//! Which cores a thread may run on.

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

/// Lowers the calling thread's priority as far as it goes: for work that must not disturb.
pub fn yield_to_others() {
    // On Linux the nice value belongs to the thread; a failure leaves the priority as it was.
    let _ = rustix::process::setpriority_process(None, 19);
}
