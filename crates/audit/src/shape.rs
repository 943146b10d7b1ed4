//! The requests of a result as series: in order of sending, lengths.

use crate::facts::{Facts, Request, Statistics};

/// What is missing where a file lists a sample of its requests.
pub(crate) const ALL_REQUESTS: &str = "data of every request";

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
