//! The buckets of one histogram, as the samples of a page bring them.
//!
//! Invariant: of several ranks the first that speaks counts, and buckets that are no histogram give none.

use crate::prometheus::Sample;
use infermeter_core::server::ServerHistogram;

/// Buckets of a histogram: real ones have about thirty.
const BUCKETS_LIMIT: usize = 512;

/// Upper bounds with their counts, and the sums.
#[derive(Debug, Default)]
pub(super) struct Buckets {
    rank: Option<String>,
    bounded: Vec<(f64, f64)>,
    all: Option<f64>,
    sum: Option<f64>,
}

impl Buckets {
    /// Adds a sample of a rank; `false` where there is no room for it.
    pub(super) fn add(&mut self, sample: &Sample<'_>, rank: &str, scale: f64) -> bool {
        if self.rank.get_or_insert_with(|| rank.to_owned()) != rank {
            return true;
        }
        let value = sample.value;
        if sample.name.ends_with("_sum") {
            self.sum.get_or_insert(value * scale);
        } else if sample.name.ends_with("_count") {
            self.all.get_or_insert(value);
        } else if let Some(bound) = sample.label("le").and_then(|le| le.parse::<f64>().ok()) {
            if bound == f64::INFINITY {
                self.all = Some(value);
            } else if self.bounded.len() == BUCKETS_LIMIT {
                return false;
            } else {
                self.bounded.push((bound * scale, value));
            }
        }
        true
    }

    /// What they are together; `None` where that is no histogram.
    pub(super) fn histogram(&self) -> Option<ServerHistogram> {
        let mut bounded = self.bounded.clone();
        bounded.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (le, mut counts): (Vec<f64>, Vec<f64>) = bounded.into_iter().unzip();
        counts.push(self.all?);
        ServerHistogram::new(le, counts, self.sum)
    }
}
