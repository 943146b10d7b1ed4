//! The requests of a result as series: in order of sending, lengths, two modes.

use crate::facts::{Facts, Request, Statistics};

/// Completed requests by send instant where all have one, else as the file has them.
pub(crate) fn in_order(facts: &Facts) -> Vec<&Request> {
    let mut requests: Vec<&Request> = facts.completed().collect();
    if requests.iter().all(|r| r.start_s.is_some()) {
        requests
            .sort_by(|a, b| f64::total_cmp(&a.start_s.unwrap_or(0.0), &b.start_s.unwrap_or(0.0)));
    }
    requests
}

/// Whether every completed request has its send instant.
pub(crate) fn is_timed(facts: &Facts) -> bool {
    facts.completed().all(|r| r.start_s.is_some())
}

/// Prompt lengths: as stated, else of the requests.
pub(crate) fn input_lengths(facts: &Facts) -> Option<Statistics> {
    let of = |r: &Request| r.input_tokens;
    facts
        .tokens
        .input_lengths
        .clone()
        .or_else(|| lengths(facts, of))
}

/// Output lengths: as stated, else of the requests.
pub(crate) fn output_lengths(facts: &Facts) -> Option<Statistics> {
    let of = |r: &Request| r.output_tokens;
    facts
        .tokens
        .output_lengths
        .clone()
        .or_else(|| lengths(facts, of))
}

fn lengths(facts: &Facts, of: fn(&Request) -> Option<f64>) -> Option<Statistics> {
    let values: Option<Vec<f64>> = facts.completed().map(of).collect();
    let values = values.filter(|v| !v.is_empty())?;
    Some(Statistics::of_values(&values)).filter(|s| !s.is_empty())
}

/// How well one cut in two explains a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Split {
    /// Share of the variance between the two parts.
    pub(crate) explained: f64,
    /// Share of the smaller part.
    pub(crate) smaller: f64,
    /// Medians of both parts.
    pub(crate) medians: (f64, f64),
}

/// The cut of log values with the greatest variance between its parts (Otsu 1979, IEEE
/// Transactions on Systems, Man and Cybernetics 9(1)); `None` for values that are not positive or
/// all equal.
pub(crate) fn best_split(values: &[f64]) -> Option<Split> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| *v > 0.0).collect();
    if sorted.len() < 2 || sorted.len() < values.len() {
        return None;
    }
    sorted.sort_unstable_by(f64::total_cmp);
    let logs: Vec<f64> = sorted.iter().map(|v| v.ln()).collect();
    let n = logs.len() as f64;
    let total: f64 = logs.iter().sum();
    let mean = total / n;
    let variance = logs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    if sorted.first() == sorted.last() {
        return None;
    }
    let mut low = 0.0;
    let mut best = (0.0, 1);
    for (i, x) in logs.iter().enumerate().take(logs.len() - 1) {
        low += x;
        let share = (i + 1) as f64 / n;
        let apart = low / (i + 1) as f64 - (total - low) / (n - (i + 1) as f64);
        let between = share * (1.0 - share) * apart * apart;
        if between > best.0 {
            best = (between, i + 1);
        }
    }
    let (between, cut) = best;
    let share = cut as f64 / n;
    Some(Split {
        explained: between / variance,
        smaller: share.min(1.0 - share),
        medians: (sorted[cut / 2], sorted[cut + (sorted.len() - cut) / 2]),
    })
}

#[cfg(test)]
mod tests {
    use super::best_split;

    #[test]
    fn two_modes_are_told_from_one() {
        // Evenly spread logs: 0.75 by theory.
        let uniform: Vec<f64> = (0..1000).map(|i| (f64::from(i) / 1000.0).exp()).collect();
        let split = best_split(&uniform).expect("varies");
        assert!((split.explained - 0.75).abs() < 0.01, "{split:?}");
        let two: Vec<f64> = (0..1000)
            .map(|i| if i % 4 == 0 { 500.0 } else { 50.0 } + f64::from(i % 7))
            .collect();
        let split = best_split(&two).expect("varies");
        assert!(split.explained > 0.98 && (split.smaller - 0.25).abs() < 1e-9);
        assert!((split.medians.0 - 53.0).abs() < 1.5 && (split.medians.1 - 503.0).abs() < 1.5);
        assert_eq!(best_split(&[5.0; 20]), None);
        assert_eq!(best_split(&[0.0, 1.0]), None);
    }
}
