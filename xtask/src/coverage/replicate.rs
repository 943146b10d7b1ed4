//! Replicates on all cores: the results come in order of the seeds, whatever the threads did.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// `one(replicate)` for the replicates `0..count`, in order.
pub fn replicate<T: Send>(count: u64, one: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicU64::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let replicate = next.fetch_add(1, Ordering::Relaxed);
            if replicate >= count {
                return done;
            }
            done.push((replicate, one(replicate)));
        }
    };
    let mut all: Vec<(u64, T)> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
        let results = workers.into_iter().filter_map(|w| w.join().ok());
        results.flatten().collect()
    });
    assert_eq!(all.len() as u64, count, "a replicate panicked");
    all.sort_unstable_by_key(|(replicate, _)| *replicate);
    all.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::replicate;

    #[test]
    fn results_are_in_order() {
        let squares = replicate(100, |i| i * i);
        assert_eq!(squares, (0..100).map(|i| i * i).collect::<Vec<_>>());
        assert!(replicate(0, |i| i).is_empty());
    }
}
