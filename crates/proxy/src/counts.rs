//! What a proxy has done so far: counters, and the time that requests and events spent inside it.
//!
//! Written by the proxy's threads with relaxed atomics, read at any time by anyone. Invariant: counters only grow, but
//! for those named `now`; a dwell is never below its true value by more than the stamps are off.

use schemars::JsonSchema;
use serde::Serialize;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Counters of a proxy.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Count,)* }

        /// What a proxy has done so far.
        #[derive(Debug, Clone, PartialEq, Serialize, JsonSchema, Default)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
            /// Bytes of bodies that are kept now: of open requests, and of those that the observer has not let go.
            pub now_kept_bytes: u64,
            /// The breaker of the shadow.
            pub breaker: BreakerState,
            /// Time inside the proxy of requests.
            pub request_dwell: DwellSummary,
            /// Time inside the proxy of answers' pieces.
            pub event_dwell: DwellSummary,
        }

        impl Counters {
            fn fill(&self, counts: &mut Counts) {
                $(counts.$name = self.$name.get();)*
            }
        }
    };
}

counters! {
    /// Connections of users that were accepted.
    connections,
    /// Connections of users that are open now.
    now_connections,
    /// Connections beyond the limit.
    connections_refused,
    /// Connections whose TLS session did not come about.
    tls_failed,
    /// Requests whose head was complete and taken.
    requests,
    /// Requests that are open now.
    now_requests,
    /// Requests that are no acceptable HTTP (400, 501, 505).
    refused_malformed,
    /// Requests with an absolute target, or CONNECT: this is no open proxy (421).
    refused_open_proxy,
    /// Heads beyond their limit (431).
    refused_head_too_large,
    /// Bodies beyond their limit (413).
    refused_body_too_large,
    /// Users that were too slow (408, or cut).
    users_too_slow,
    /// Answers that came whole.
    completed,
    /// Users that went away before the end of an answer.
    users_gone,
    /// Requests answered with 502: the primary gave nothing.
    bad_gateway,
    /// Requests answered with 504: the primary was too slow.
    gateway_timeout,
    /// Answers that the primary cut off.
    cut_by_primary,
    /// Answers that the primary let hang until their time was over.
    stalled_by_primary,
    /// Requests that the drain cut off.
    cut_by_drain,
    /// Pieces of answers that were passed on.
    events,
    /// Connections to the primary that were opened.
    primary_connections,
    /// Connections to the shadow that were opened.
    shadow_connections,
    /// Requests that the share chose for the shadow.
    shadow_chosen,
    /// Requests that were sent to the shadow.
    shadow_sent,
    /// Of those, the ones in flight now.
    now_shadow,
    /// Answers of the shadow that came whole.
    shadow_completed,
    /// Requests that failed at the shadow.
    shadow_failed,
    /// Chosen, but the breaker was open.
    shadow_withheld_breaker,
    /// Chosen, but beyond the rate, the number in flight or the bytes.
    shadow_withheld_budget,
    /// Chosen, but could not be sent: too long, not rewritable, cut off, draining.
    shadow_withheld_other,
    /// How often the breaker opened.
    breaker_opened,
    /// Requests handed to the observer.
    observed,
    /// Requests that the observer had no room for: its channel was full or closed.
    not_observed,
    /// Bodies that were not kept because they pass a limit.
    bodies_not_kept,
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    /// For what is counted now: one fewer.
    pub(crate) fn one_less(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Where the circuit breaker of the shadow stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests go to the shadow.
    #[default]
    Closed,
    /// None do.
    Open,
    /// One is there as a probe, or will be.
    HalfOpen,
}

/// Everything that is counted in one proxy.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) counters: Counters,
    pub(crate) kept_bytes: AtomicU64,
    pub(crate) breaker: AtomicU64,
    pub(crate) request_dwell: Dwell,
    pub(crate) event_dwell: Dwell,
}

impl Tally {
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts {
            now_kept_bytes: self.kept_bytes.load(Relaxed),
            breaker: match self.breaker.load(Relaxed) {
                0 => BreakerState::Closed,
                1 => BreakerState::Open,
                _ => BreakerState::HalfOpen,
            },
            request_dwell: self.request_dwell.summary(),
            event_dwell: self.event_dwell.summary(),
            ..Counts::default()
        };
        self.counters.fill(&mut counts);
        counts
    }

    pub(crate) fn set_breaker(&self, state: BreakerState) {
        let number = match state {
            BreakerState::Closed => 0,
            BreakerState::Open => 1,
            BreakerState::HalfOpen => 2,
        };
        self.breaker.store(number, Relaxed);
    }
}

/// Up to here a bucket is 1 us wide.
const FINE: usize = 4096;
/// Beyond, this many buckets for each doubling: their width is below 1.6 % of the value.
const PER_DOUBLING: usize = 64;
/// Doublings beyond [`FINE`]: to 4096 us * 2^20, more than an hour.
const DOUBLINGS: usize = 20;
const BUCKETS: usize = FINE + PER_DOUBLING * DOUBLINGS + 1;

/// How long things stayed inside the proxy.
#[derive(Debug)]
pub(crate) struct Dwell {
    buckets: Box<[AtomicU64]>,
    most_ns: AtomicI64,
}

impl Default for Dwell {
    fn default() -> Self {
        Self {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            most_ns: AtomicI64::new(0),
        }
    }
}

/// Times inside the proxy, from the stamp of the last byte in until the write call that passed it on returned.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema, Default)]
pub struct DwellSummary {
    /// How many.
    pub count: u64,
    /// Median, microseconds: the upper edge of its bucket of 1 us (1.6 % beyond 4 ms); absent where there is none.
    pub p50_us: Option<f64>,
    /// The same at 99 %.
    pub p99_us: Option<f64>,
    /// The same at 99.9 %.
    pub p999_us: Option<f64>,
    /// The longest, microseconds.
    pub max_us: Option<f64>,
}

impl Dwell {
    pub(crate) fn add(&self, ns: i64) {
        let at = bucket(ns);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Relaxed);
        }
        self.most_ns.fetch_max(ns, Relaxed);
    }

    fn summary(&self) -> DwellSummary {
        let counts: Vec<u64> = self.buckets.iter().map(|b| b.load(Relaxed)).collect();
        let count: u64 = counts.iter().sum();
        let most = self.most_ns.load(Relaxed) as f64 / 1e3;
        // By nearest rank: the value is one that was seen, up to the bucket's width.
        let at = |share: f64| {
            let rank = ((share * count as f64).ceil() as u64).max(1);
            let mut before = 0;
            let found = counts.iter().position(|in_bucket| {
                before += in_bucket;
                before >= rank
            });
            found.filter(|_| count > 0).map(|at| upper_us(at).min(most))
        };
        DwellSummary {
            count,
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: (count > 0).then_some(most),
        }
    }
}

fn bucket(ns: i64) -> usize {
    let us = usize::try_from(ns.max(0) / 1000).unwrap_or(usize::MAX);
    if us < FINE {
        return us;
    }
    let doubling = us.ilog2() as usize - FINE.ilog2() as usize;
    if doubling >= DOUBLINGS {
        return BUCKETS - 1;
    }
    // us lies in [FINE, 2 FINE) << doubling.
    let within = (us >> doubling) - FINE;
    FINE + doubling * PER_DOUBLING + within * PER_DOUBLING / FINE
}

/// The upper edge of a bucket, microseconds.
fn upper_us(bucket: usize) -> f64 {
    if bucket < FINE {
        return (bucket + 1) as f64;
    }
    let (doubling, within) = (
        (bucket - FINE) / PER_DOUBLING,
        (bucket - FINE) % PER_DOUBLING,
    );
    let step = FINE / PER_DOUBLING;
    ((FINE + (within + 1) * step) as f64) * 2_f64.powi(i32::try_from(doubling).unwrap_or(i32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_within_a_bucket_of_the_exact_ones() {
        let dwell = Dwell::default();
        for us in 1..=100_000_i64 {
            dwell.add(us * 1000);
        }
        let summary = dwell.summary();
        assert_eq!(summary.count, 100_000);
        for (got, exact) in [
            (summary.p50_us, 50_000.0),
            (summary.p99_us, 99_000.0),
            (summary.p999_us, 99_900.0),
        ] {
            let got = got.expect("there are values");
            assert!(got >= exact && got <= exact * 1.017, "{got} for {exact}");
        }
        assert_eq!(summary.max_us, Some(100_000.0));
    }

    #[test]
    fn fine_values_are_exact_to_a_microsecond_and_none_are_absent() {
        let dwell = Dwell::default();
        assert_eq!(dwell.summary(), DwellSummary::default());
        dwell.add(41_500);
        dwell.add(-5);
        let summary = dwell.summary();
        assert_eq!((summary.p50_us, summary.p99_us), (Some(1.0), Some(41.5)));
    }

    #[test]
    fn buckets_grow_with_the_value_and_hold_any() {
        let mut last = 0;
        for shift in 0..62 {
            let at = bucket(1_i64 << shift);
            assert!(at >= last && at < BUCKETS, "{shift}");
            last = at;
        }
        assert_eq!(bucket(i64::MAX), BUCKETS - 1);
    }
}
