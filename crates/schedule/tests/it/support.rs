//! What several tests compute from samples.

/// Kolmogorov-Smirnov: sqrt(n) times the greatest distance between empirical and given
/// distribution; above 2.23 with probability 1e-4 (2 exp(-2 x^2)).
pub fn ks(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let distances = sample.iter().enumerate().map(|(i, x)| {
        let f = cdf(*x);
        (f - i as f64 / n).abs().max(((i + 1) as f64 / n - f).abs())
    });
    distances.fold(0.0, f64::max) * n.sqrt()
}

/// Mean and unbiased variance.
pub fn mean_and_variance(sample: &[f64]) -> (f64, f64) {
    let n = sample.len() as f64;
    let mean = sample.iter().sum::<f64>() / n;
    let squares: f64 = sample.iter().map(|x| (x - mean).powi(2)).sum();
    (mean, squares / (n - 1.0))
}
