//! A series of yes/no observations in time order, packed into words.
//!
//! Packing makes one autocovariance a population count over n / 64 words, so thousands of lags of
//! a long series stay affordable.

use crate::long_run_variance::{AutocovarianceSource, LongRun, long_run};

/// Word operations spent on lags before the series is aggregated; about 0.1 s.
const WORD_BUDGET: usize = 1 << 27;

/// A yes/no series, one bit each, zero-padded at the end.
pub(crate) struct Indicator {
    words: Vec<u64>,
    /// Set bits before each word.
    ones_before_word: Vec<usize>,
    n: usize,
    ones: usize,
}

impl Indicator {
    /// The series `holds(x)` over `values`.
    pub(crate) fn new(values: &[f64], holds: impl Fn(f64) -> bool) -> Self {
        let words: Vec<u64> = values
            .chunks(64)
            .map(|chunk| {
                chunk
                    .iter()
                    .enumerate()
                    .fold(0, |word, (bit, &x)| word | (u64::from(holds(x)) << bit))
            })
            .collect();
        let mut ones = 0;
        let mut ones_before_word = Vec::with_capacity(words.len());
        for word in &words {
            ones_before_word.push(ones);
            ones += word.count_ones() as usize;
        }
        Self {
            words,
            ones_before_word,
            n: values.len(),
            ones,
        }
    }

    /// I(x <= q), or I(x < q) where the former never varies because ties or failures reach the
    /// end of the sample.
    pub(crate) fn at_or_below(values: &[f64], q: f64) -> Self {
        let inclusive = Self::new(values, |x| x <= q);
        if inclusive.is_constant() {
            Self::new(values, |x| x < q)
        } else {
            inclusive
        }
    }

    /// Whether the series never changes.
    pub(crate) fn is_constant(&self) -> bool {
        self.ones == 0 || self.ones == self.n
    }

    /// Its long-run variance; `None` when the series never changes.
    pub(crate) fn long_run(&self) -> Option<LongRun> {
        if self.is_constant() {
            return None;
        }
        let max_lag = (self.n / 2).min((WORD_BUDGET / self.words.len()).max(64));
        Some(long_run(self, max_lag))
    }

    /// Number of t with both x_t and x_{t + lag} set.
    fn pairs(&self, lag: usize) -> usize {
        let (offset, shift) = (lag / 64, lag % 64);
        let ahead = &self.words[offset..];
        let count = |word: u64| word.count_ones() as usize;
        if shift == 0 {
            return self
                .words
                .iter()
                .zip(ahead)
                .map(|(a, b)| count(a & b))
                .sum();
        }
        let inner: usize = ahead
            .windows(2)
            .zip(&self.words)
            .map(|(pair, word)| count(word & (pair[0] >> shift | pair[1] << (64 - shift))))
            .sum();
        let last = self.words.len() - 1;
        inner + count(self.words[last - offset] & (self.words[last] >> shift))
    }

    /// Set bits among the first `count`.
    fn ones_before(&self, count: usize) -> usize {
        let (word, bits) = (count / 64, count % 64);
        if word == self.words.len() {
            return self.ones;
        }
        let partial = self.words[word] & ((1 << bits) - 1);
        self.ones_before_word[word] + partial.count_ones() as usize
    }
}

impl AutocovarianceSource for Indicator {
    fn len(&self) -> usize {
        self.n
    }

    /// Sum over t of (x_t - m)(x_{t+lag} - m), expanded so that only counts are needed.
    fn autocovariance(&self, lag: usize) -> f64 {
        let n = self.n as f64;
        let mean = self.ones as f64 / n;
        let head = self.ones_before(self.n - lag) as f64;
        let tail = (self.ones - self.ones_before(lag)) as f64;
        let products = self.pairs(lag) as f64 - mean * (head + tail);
        (products + (self.n - lag) as f64 * mean * mean) / n
    }

    fn batch_mean(&self, start: usize, end: usize) -> f64 {
        (self.ones_before(end) - self.ones_before(start)) as f64 / (end - start) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(n: usize, step: usize) -> Vec<f64> {
        (0..n)
            .map(|i| if i * i % step < step / 3 { 1.0 } else { 0.0 })
            .collect()
    }

    /// Every lag of lengths around the word size, against the plain sum.
    #[test]
    fn autocovariance_equals_the_plain_sum() {
        for n in [2, 3, 63, 64, 65, 127, 128, 129, 200] {
            let values = series(n, 7);
            let indicator = Indicator::new(&values, |x| x <= 0.5);
            let bits: Vec<f64> = values
                .iter()
                .map(|&x| f64::from(u8::from(x <= 0.5)))
                .collect();
            let mean = bits.iter().sum::<f64>() / n as f64;
            for lag in 0..n {
                let products = bits
                    .iter()
                    .zip(&bits[lag..])
                    .map(|(a, b)| (a - mean) * (b - mean));
                let plain = products.sum::<f64>() / n as f64;
                let packed = indicator.autocovariance(lag);
                assert!(
                    (packed - plain).abs() < 1e-12,
                    "n {n} lag {lag}: {packed} {plain}"
                );
            }
        }
    }

    /// Correlation beyond the lags allowed falls back on batch means and is not lost.
    #[test]
    fn long_correlation_survives_a_short_lag_limit() {
        let values: Vec<f64> = (0..40_000)
            .map(|i| f64::from(u8::from(i / 700 % 3 == 0)))
            .collect();
        let indicator = Indicator::new(&values, |x| x <= 0.5);
        let full = long_run(&indicator, 20_000).by_lags;
        let limited = long_run(&indicator, 40).by_lags;
        assert!(
            full > 200.0 && (limited / full - 1.0).abs() < 0.1,
            "{limited} for {full}"
        );
    }
}
