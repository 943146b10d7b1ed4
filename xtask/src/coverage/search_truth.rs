//! The true answers of the servers that searches are tried on.
//!
//! A rate meets a percentile's limit where, in the long run, no more requests than the percentile allows are beyond
//! it. So no percentile of a finite run is looked at, which a queue's rare bad minutes bend, but the share of all
//! requests of many long runs that are beyond. It is measured around where it crosses what is allowed; a line
//! through its log odds over the logarithm of the rate says where. Invariant: nothing is taken from the answers
//! that are checked, not even where to look.

use super::Scale;
use super::replicate::replicate;
use super::search_load::{Server, wanted};
use super::table::{Table, Target};
use anyhow::{Context, Result};
use infermeter_protocol::search::rule::Dwell;

/// Runs at each rate.
const RUNS: u64 = 8;

/// The runs that count: long against a queue's memory, which is minutes near saturation.
const LONG: Dwell = Dwell {
    warmup_s: 200.0,
    window_s: 2_500.0,
};

/// The runs that say where to look.
const COARSE: Dwell = Dwell {
    warmup_s: 60.0,
    window_s: 600.0,
};

/// Rates around the answer, as shares of it.
const AROUND: [f64; 7] = [0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06];

/// How far an answer in use may be off.
const WITHIN: f64 = 0.01;

/// A seed that no search has.
const SEEDS: u64 = 5_000_000_000;

/// Finds each answer, and holds the one in use against it.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    for server in wanted(table)? {
        let near = near(&server);
        let found = crossing(&server, near, scale.of_truth(RUNS))
            .with_context(|| format!("{}: no crossing around {near}", server.name))?;
        let figure = format!(
            "the rate in use, {:.3}/s, is off from {found:.3}/s, {}",
            server.truth, server.name
        );
        let runs = AROUND.len() * scale.of_truth(RUNS) as usize;
        let off = (server.truth / found - 1.0).abs();
        table.value(&figure, off, runs, Target::AtMost(WITHIN));
    }
    Ok(())
}

/// Where to look: doubling, then halving until the gap is three per cent wide.
fn near(server: &Server) -> f64 {
    let meets = |rate: f64| {
        let beyond = server.measure(rate, COARSE, SEEDS).beyond;
        beyond.iter().all(|share| *share <= server.allowed())
    };
    let (mut low, mut high) = (0.5, 1.0);
    while meets(high) {
        (low, high) = (high, 2.0 * high);
    }
    while high / low > 1.03 {
        let middle = (low * high).sqrt();
        match meets(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    (low * high).sqrt()
}

/// The lowest rate at which a limit's share of requests beyond it is what is allowed.
fn crossing(server: &Server, near: f64, runs: u64) -> Option<f64> {
    let count = AROUND.len() as u64;
    let measured = replicate(count * runs, |number| {
        let rate = near * AROUND[(number % count) as usize];
        server.measure(rate, LONG, SEEDS + 1 + number).beyond
    });
    let limits = measured.first()?.len();
    let of_limit = |limit: usize| {
        let shares = (0..AROUND.len()).map(|at| {
            let own = measured.iter().skip(at).step_by(AROUND.len());
            own.map(|beyond| beyond[limit]).sum::<f64>() / runs as f64
        });
        crossing_of(&shares.collect::<Vec<f64>>(), server.allowed())
    };
    let lowest = (0..limits).filter_map(of_limit).reduce(f64::min)?;
    Some(near * lowest)
}

/// Where shares at [`AROUND`] cross what is allowed; `None` where they are far from it, or do not grow.
fn crossing_of(shares: &[f64], allowed: f64) -> Option<f64> {
    let log_odds = |share: f64| (share / (1.0 - share)).ln();
    let points: Vec<_> = AROUND
        .iter()
        .zip(shares)
        .filter(|(_, share)| (0.1 * allowed..0.5).contains(*share))
        .map(|(at, share)| [at.ln(), log_odds(*share)])
        .collect();
    let mean =
        |of: &dyn Fn(&[f64; 2]) -> f64| points.iter().map(of).sum::<f64>() / points.len() as f64;
    let (x, y) = (mean(&|p| p[0]), mean(&|p| p[1]));
    let slope = mean(&|p| (p[0] - x) * (p[1] - y)) / mean(&|p| (p[0] - x).powi(2));
    let at = x + (log_odds(allowed) - y) / slope;
    let inside = AROUND[0].ln()..AROUND[AROUND.len() - 1].ln();
    (slope > 0.0 && inside.contains(&at)).then(|| at.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_log_odds_is_inverted() {
        let odds = |at: f64| 0.01 / 0.99 * (at / 1.01).powf(20.0);
        let shares = AROUND.map(|at| odds(at) / (1.0 + odds(at)));
        let found = crossing_of(&shares, 0.01).expect("a crossing");
        assert!((found - 1.01).abs() < 1e-9, "{found}");
        assert_eq!(crossing_of(&[0.0; 7], 0.01), None);
    }
}
