//! Random numbers from a seed that the caller gives: splitmix64.

use statrs::distribution::{ContinuousCDF, Normal};

/// splitmix64.
pub(crate) struct SplitMix(pub u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, by multiplication (Lemire 2019, without the rejection: the bias is below
    /// n / 2^64).
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }

    /// A number between 0 and 1, neither of them.
    pub(crate) fn inside(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Standard normal, by inversion.
    pub(crate) fn normal(&mut self) -> f64 {
        Normal::standard().inverse_cdf(self.inside())
    }
}
