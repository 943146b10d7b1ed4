//! Random series for tests: one congruential generator, shared bit for bit with
//! `tests/golden/generate.py`, and a single-server queue with a known answer.

/// A 64-bit linear congruential generator (Knuth's MMIX constants); good enough for tests.
pub struct Lcg(pub u64);

impl Lcg {
    /// A uniform in [0, 1), from the upper 53 bits.
    pub fn uniform(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// An exponential with mean `mean`.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }
}

/// `n` uniforms.
pub fn uniforms(seed: u64, n: usize) -> Vec<f64> {
    let mut lcg = Lcg(seed);
    (0..n).map(|_| lcg.uniform()).collect()
}

/// `n` steps of x = phi x + uniform, from 0.
pub fn ar1(seed: u64, n: usize, phi: f64) -> Vec<f64> {
    let mut x = 0.0;
    let step = |u| {
        x = phi * x + u;
        x
    };
    uniforms(seed, n).into_iter().map(step).collect()
}

/// Sojourn times of `n` customers of a stationary M/M/1 queue with service rate 1, in order of
/// arrival: each is exponential with mean 1 / (1 - load), so every quantile is known.
pub fn mm1_sojourns(seed: u64, n: usize, load: f64) -> Vec<f64> {
    let mut lcg = Lcg(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut sojourn = lcg.exponential(1.0 / (1.0 - load));
    let mut next = || {
        let now = sojourn;
        sojourn = (sojourn - lcg.exponential(1.0 / load)).max(0.0) + lcg.exponential(1.0);
        now
    };
    (0..n).map(|_| next()).collect()
}

/// Waiting and sojourn times of `n` customers of a queue with `slots` servers, Poisson arrivals and
/// uniform service with mean 1, first come, first served, after a thousand others.
pub fn slotted(seed: u64, n: usize, slots: usize, load: f64) -> (Vec<f64>, Vec<f64>) {
    let mut lcg = Lcg(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    let mut free_at = vec![0.0_f64; slots];
    let (mut now, mut waits, mut sojourns) = (0.0, Vec::new(), Vec::new());
    for customer in 0..n + 1_000 {
        now += lcg.exponential(1.0 / (load * slots as f64));
        let free = (0..slots).fold(0, |best, at| {
            if free_at[at] < free_at[best] {
                at
            } else {
                best
            }
        });
        let wait = (free_at[free] - now).max(0.0);
        let service = 0.5 + lcg.uniform();
        free_at[free] = now + wait + service;
        if customer >= 1_000 {
            waits.push(wait + 0.05 * lcg.exponential(1.0));
            sojourns.push(wait + service);
        }
    }
    (waits, sojourns)
}
