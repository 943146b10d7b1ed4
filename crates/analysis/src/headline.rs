//! The head of a summary: one distribution for each metric, from the origin that the load model makes the
//! headline, and how long a run would have to be to carry a percentile of all of them.
//!
//! Computes no figure of its own.

use crate::distribution::Distribution;
use crate::percentile::Percentile;
use crate::summary::Summary;

impl Summary {
    /// The distributions at the head, by name.
    pub fn headline(&self) -> Vec<(&'static str, &Distribution)> {
        let (latency, origin) = (&self.latency, self.headline_origin);
        let all = [
            ("TTFT", latency.ttft.from(origin)),
            ("TPOT", latency.tpot.as_ref()),
            ("ITL", latency.itl.as_ref().or(latency.chunk_gap.as_ref())),
            ("NTPOT", latency.ntpot.from(origin)),
            ("E2E", latency.e2e.from(origin)),
        ];
        let there = all.into_iter();
        there.filter_map(|(name, d)| Some((name, d?))).collect()
    }

    /// Seconds of window that a run at this load needs, about, until every metric at the head carries
    /// `percentile`, at the dependence seen here. Absent where all do, and without a window.
    pub fn seconds_to_carry(&self, percentile: Percentile) -> Option<f64> {
        let headline = self.headline();
        let longer = headline.iter().filter_map(|(_, distribution)| {
            let cell = distribution.cell(percentile)?;
            Some(cell.needed? as f64 / cell.n as f64)
        });
        let longest = longer.fold(1.0, f64::max);
        (longest > 1.0).then_some(self.window_s? * longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::summarize_log;
    use infermeter_metrics::fixture::Run;

    #[test]
    fn a_percentile_that_is_carried_needs_no_longer_run() {
        let (_, summary) = summarize_log(&Run::steady(1_300, 20.0, 12).build());
        let needs = |percent| {
            let percentile = Percentile::new(percent).expect("a percentile");
            summary.seconds_to_carry(percentile)
        };
        assert_eq!(needs(50.0), None);
        let (window, longer) = (summary.window_s.expect("a window"), needs(99.9));
        assert!(longer.expect("p99.9 needs more") > 5.0 * window);
    }
}
