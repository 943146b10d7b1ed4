//! What a search is asked for: the flags of `search` that are no keys of the plan.

use super::rule::SearchRule;
use infermeter_core::keys;

keys! {
    /// What a search is asked for.
    pub struct SearchSpec {
        from: f64 = 1.0, Load, "RATE",
            "The first rate, requests per second; it doubles from there"
            .common().example("2").above(0.0);
        to: f64 = 10_000.0, Load, "RATE",
            "No rate above this is tried"
            .common().example("200").above(0.0);
        precision: f64 = 0.045, Load, "SHARE",
            "Half the width of the answer's 95 % interval at which the search ends, as a share of the rate"
            .common().example("0.03").least(0.001).most(0.5);
        max_runs: u32 = 16, Load, "N",
            "Runs near the answer, at most; then it is undecided"
            .example("24").least(3.0).most(99.0);
    }
}

impl SearchSpec {
    /// The rule that it is held to.
    pub fn rule(&self) -> SearchRule {
        SearchRule {
            from: self.from,
            to: self.to,
            precision: self.precision,
            most_runs: self.max_runs as usize,
        }
    }
}
