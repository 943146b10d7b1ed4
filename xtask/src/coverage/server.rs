//! Queues to try statistics on: a server with slots (M/G/c), and one with a single slot (M/M/1).
//!
//! Times are seconds. Invariant: a series depends on its seed alone, and begins after a warm-up.

use super::random::Random;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Mean service time of the slotted server, seconds.
const SERVICE_S: f64 = 4.0;

/// Standard deviation of the logarithm of service times and of prefills.
const SIGMA: f64 = 0.5;

/// Mean time of a request's own prefill, seconds: what TTFT is without waiting.
const PREFILL_S: f64 = 0.2;

/// Slots of the server.
pub const SLOTS: usize = 64;

/// Requests per second that fill every slot.
pub const CAPACITY_PER_S: f64 = SLOTS as f64 / SERVICE_S;

/// Seconds before the first measured request: a hundred mean services.
const WARMUP_S: f64 = 400.0;

/// What one run of a server saw, in order of arrival.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Served {
    /// Instants of arrival, seconds since the first measured one.
    pub arrived_s: Vec<f64>,
    /// Waiting for a slot.
    pub wait_s: Vec<f64>,
    /// Waiting for a slot and prefill.
    pub ttft_s: Vec<f64>,
    /// Waiting for a slot and service.
    pub e2e_s: Vec<f64>,
}

/// `n` requests at `load` times the capacity: Poisson arrivals, lognormal service, first come,
/// first served.
pub fn slotted(seed: u64, n: usize, load: f64) -> Served {
    let mut random = Random::new(seed);
    let mut free_at: BinaryHeap<Reverse<u64>> = (0..SLOTS).map(|_| Reverse(0)).collect();
    let mut served = Served::default();
    let mut now = 0.0;
    while served.e2e_s.len() < n {
        now += random.exponential(1.0 / (load * CAPACITY_PER_S));
        // Bits of non-negative floats order as the floats do.
        let free = free_at
            .pop()
            .map_or(0.0, |Reverse(bits)| f64::from_bits(bits));
        let wait = (free - now).max(0.0);
        let service = random.lognormal(SERVICE_S, SIGMA);
        free_at.push(Reverse((now + wait + service).to_bits()));
        let prefill = random.lognormal(PREFILL_S, SIGMA);
        if now >= WARMUP_S {
            served.arrived_s.push(now - WARMUP_S);
            served.wait_s.push(wait);
            served.ttft_s.push(wait + prefill);
            served.e2e_s.push(wait + service);
        }
    }
    served
}

/// Sojourn times of `n` customers of a stationary M/M/1 queue with service rate 1: exponential
/// with mean 1 / (1 - load), so every quantile is known.
pub fn single(seed: u64, n: usize, load: f64) -> Vec<f64> {
    let mut random = Random::new(seed);
    let mut sojourn = random.exponential(1.0 / (1.0 - load));
    let mut next = || {
        let now = sojourn;
        let gap = random.exponential(1.0 / load);
        sojourn = (sojourn - gap).max(0.0) + random.exponential(1.0);
        now
    };
    (0..n).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_server_only_serves() {
        let served = slotted(1, 20_000, 0.1);
        let mean = served.e2e_s.iter().sum::<f64>() / 20_000.0;
        assert!((mean / SERVICE_S - 1.0).abs() < 0.02, "{mean}");
        assert_eq!(served, slotted(1, 20_000, 0.1));
        assert!(served.arrived_s.is_sorted());
    }

    #[test]
    fn a_single_server_keeps_its_known_mean() {
        let sojourns = single(2, 200_000, 0.6);
        let mean = sojourns.iter().sum::<f64>() / 200_000.0;
        assert!((mean - 2.5).abs() < 0.15, "{mean}");
    }
}
