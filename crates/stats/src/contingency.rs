//! Exact tests of two shares: of pairs (McNemar 1947), and of two groups (Fisher 1935).
//!
//! Both are conditional on what both sides have in all, so no large sample is assumed. Invariant: a probability is in
//! `[0, 1]`, and equal shares are never significant.

use statrs::function::gamma::ln_gamma;

/// Relative slack within which two tables are taken for equally likely.
const SLACK: f64 = 1e-7;

/// The two-sided p-value of McNemar's exact test: of the pairs that differ, `first` are so in one way and `second` in the
/// other. Under the hypothesis each way is as likely: a binomial with one half.
pub fn mcnemar(first: u64, second: u64) -> f64 {
    let (n, fewer) = (first + second, first.min(second));
    if n == 0 || first == second {
        return 1.0;
    }
    let below: f64 = (0..=fewer)
        .map(|k| (ln_choose(n, k) - n as f64 * 2_f64.ln()).exp())
        .sum();
    (2.0 * below).min(1.0)
}

/// The one-sided p-value of Fisher's exact test: how likely it is that the first group has `hits` of `of` or more, where both
/// groups share one rate and have `hits + other_hits` in all. 1 where a group is empty, or has more hits than members.
pub fn fisher_greater(hits: u64, of: u64, other_hits: u64, other_of: u64) -> f64 {
    if of == 0 || other_of == 0 || hits > of || other_hits > other_of {
        return 1.0;
    }
    let (all_hits, all) = (hits + other_hits, of + other_of);
    let most = all_hits.min(of);
    let whole = ln_choose(all, all_hits);
    let likely = |k: u64| (ln_choose(of, k) + ln_choose(other_of, all_hits - k) - whole).exp();
    let sum: f64 = (hits..=most)
        .filter(|k| all_hits - k <= other_of)
        .map(likely)
        .sum();
    (sum * (1.0 - SLACK)).clamp(0.0, 1.0)
}

fn ln_choose(n: u64, k: u64) -> f64 {
    let factorial = |n: u64| ln_gamma(n as f64 + 1.0);
    factorial(n) - factorial(k) - factorial(n - k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-6, "{value} {expected}");
    }

    #[test]
    fn pairs_that_differ_one_way_are_told_from_chance() {
        close(mcnemar(0, 5), 2.0 / 32.0);
        close(mcnemar(1, 9), 2.0 * 11.0 / 1024.0);
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(4, 4), 1.0);
        assert_eq!(mcnemar(3, 8), mcnemar(8, 3));
    }

    #[test]
    fn fisher_is_the_tail_of_the_hypergeometric() {
        // 3 of 4 against 1 of 4: (16 + 1) / 70.
        close(fisher_greater(3, 4, 1, 4), 17.0 / 70.0);
        // The tea: 4 of 4 against 0 of 4.
        close(fisher_greater(4, 4, 0, 4), 1.0 / 70.0);
        close(fisher_greater(0, 10, 0, 10), 1.0);
        assert_eq!(fisher_greater(0, 0, 3, 5), 1.0);
        assert!(fisher_greater(20, 2_000, 0, 2_000) < 1e-5);
    }
}
