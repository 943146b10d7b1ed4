//! Independent pieces of work on all cores.
//!
//! Invariant: results come in the order of the items, whatever the number of threads.

/// Fewer values than this are not worth a thread.
const WORTH_A_THREAD: usize = 20_000;

/// `work` of each item, over series of about `values` values each.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    values: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = if values < WORTH_A_THREAD {
        1
    } else {
        cores.min(items.len())
    };
    if threads < 2 {
        return items.iter().map(work).collect();
    }
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        let work = &work;
        let started: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let own = items.iter().enumerate().skip(first).step_by(threads);
                    own.map(|(index, item)| (index, work(item))).collect()
                })
            })
            .collect();
        for thread in started {
            let done: Vec<(usize, R)> = match thread.join() {
                Ok(done) => done,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            for (index, result) in done {
                results[index] = Some(result);
            }
        }
    });
    results.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::{WORTH_A_THREAD, map};

    #[test]
    fn results_keep_the_order_of_the_items() {
        let items: Vec<usize> = (0..37).collect();
        let expect: Vec<usize> = items.iter().map(|i| i * i).collect();
        for values in [0, WORTH_A_THREAD] {
            assert_eq!(map(&items, values, |i| i * i), expect);
        }
    }
}
