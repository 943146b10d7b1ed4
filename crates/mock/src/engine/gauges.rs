//! Load over time: what a metrics page and a benchmark ask of an engine.
//!
//! Filled from elapsed time, not from intentions: a value counts for as long as it stood.

/// A value over time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gauge {
    value: u64,
    max: u64,
    since_ns: i64,
    started_ns: Option<i64>,
    integral: f64,
}

impl Gauge {
    /// The value is `value` from `now_ns` on. An instant before the last change counts as that.
    pub fn set(&mut self, now_ns: i64, value: u64) {
        if self.started_ns.is_none() {
            self.started_ns = Some(now_ns);
            self.since_ns = now_ns;
        }
        let now_ns = now_ns.max(self.since_ns);
        self.integral += self.value as f64 * (now_ns - self.since_ns) as f64;
        self.since_ns = now_ns;
        self.value = value;
        self.max = self.max.max(value);
    }

    /// The present value.
    pub fn value(&self) -> u64 {
        self.value
    }

    /// The largest value so far.
    pub fn max(&self) -> u64 {
        self.max
    }

    /// Time average from the first to the last change; `None` where no time has passed.
    pub fn mean(&self) -> Option<f64> {
        let elapsed = self.since_ns - self.started_ns?;
        (elapsed > 0).then(|| self.integral / elapsed as f64)
    }
}

/// The engine's gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Gauges {
    /// Sequences in slots.
    pub running: Gauge,
    /// Requests that wait, for whatever reason.
    pub waiting: Gauge,
    /// Those of them that the last step passed over because every adapter slot is in use. The
    /// others wait for capacity.
    pub deferred: Gauge,
    /// Blocks of the KV cache that sequences hold.
    pub kv_used: Gauge,
    /// Blocks of the KV cache; 0 without one.
    pub kv_total: Gauge,
}

/// Present values of the gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Load {
    pub running: u64,
    pub waiting: u64,
    pub deferred: u64,
    pub kv_used: u64,
    pub kv_total: u64,
}

impl Load {
    /// Running and waiting.
    pub fn requests(&self) -> u64 {
        self.running + self.waiting
    }
}

impl Gauges {
    /// The load is `load` from `now_ns` on.
    pub(super) fn set(&mut self, now_ns: i64, load: Load) {
        self.running.set(now_ns, load.running);
        self.waiting.set(now_ns, load.waiting);
        self.deferred.set(now_ns, load.deferred);
        self.kv_used.set(now_ns, load.kv_used);
        self.kv_total.set(now_ns, load.kv_total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_for_as_long_as_it_stood() {
        let mut gauge = Gauge::default();
        assert_eq!(gauge.mean(), None);
        gauge.set(1_000_000_000, 4);
        gauge.set(2_000_000_000, 0);
        gauge.set(1_500_000_000, 1); // before the last change
        gauge.set(4_000_000_000, 0);
        assert_eq!((gauge.value(), gauge.max()), (0, 4));
        assert!((gauge.integral / 1e9 - 6.0).abs() < 1e-12);
        assert!((gauge.mean().expect("three seconds") - 2.0).abs() < 1e-12);
    }
}
