//! When requests really left, where the kernel was asked to stamp that (`--audit-send`).
//!
//! Does not correct anything: latencies count from `send_start` with or without the audit.

use crate::milliseconds::to_ms;
use crate::population::Population;
use crate::token_series::TimedSamples;

/// Departures of the measured requests that were sent.
#[derive(Debug, Clone, Default)]
pub struct Departures {
    /// Departure - `send_start` of requests on connections that were open, milliseconds.
    pub behind_send: TimedSamples,
    /// Departure - `sent` (the return of the write), milliseconds; below 0 where the kernel was
    /// done before the write returned.
    pub behind_write: TimedSamples,
    /// Requests with a stamp.
    pub stamped: u64,
    /// Requests that were written and have none.
    pub missing: u64,
}

/// Collects departures.
pub fn departures(population: &Population<'_>) -> Departures {
    let mut result = Departures::default();
    for record in population.records() {
        let (Some(start), Some(sent)) = (record.send_start, record.sent) else {
            continue;
        };
        let Some(left) = record.left else {
            result.missing += 1;
            continue;
        };
        result.stamped += 1;
        result.behind_write.push(to_ms(left.since(sent)), left.0);
        if record.new_connection == Some(false) {
            result.behind_send.push(to_ms(left.since(start)), left.0);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::departures;
    use crate::fixture::{Run, facts, ms};
    use crate::population::Population;

    #[test]
    fn new_connections_count_from_the_write_alone() {
        let mut run = Run::open(1.0, 10);
        for id in 0..3 {
            run.stream(id, ms(20), ms(50), 2);
        }
        let mut log = run.build();
        for record in &mut log.records {
            record.sent = record.send_start.map(|at| at.plus(ms(2)));
            record.left = record.send_start.map(|at| at.plus(ms(1)));
            record.new_connection = Some(false);
        }
        log.records[1].new_connection = Some(true);
        log.records[2].left = None;
        let found = departures(&Population::of(&facts(&log)));
        assert_eq!(found.behind_send.values, [1.0]);
        assert_eq!(found.behind_write.values, [-1.0, -1.0]);
        assert_eq!((found.stamped, found.missing), (2, 1));
    }
}
