//! How often a search finds the highest rate, and with how many requests.
//!
//! The rule of `infermeter search` on the engine simulator in virtual time, beside what other tools do: the
//! rate doubles until a run of a fixed length misses, then the gap is halved until it is five per cent wide.
//! Both measure with the same simulator, and of both every request that was sent is counted. A margin here is
//! that of the objective's percentile, as the summary of a run has it; the rest of the analysis, which does
//! not enter the decision, is left out.

use super::Scale;
use super::replicate::replicate;
use super::search_load::{Measured, Server, wanted};
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_analysis::highest_rate::Probe;
use infermeter_protocol::search::rule::{Dwell, Ending, Next, SearchRule};

/// Searches for each server.
const SEARCHES: u64 = 200;

/// The first search's seed. No search had been tried with it or with one above it when the rule was chosen.
const SEEDS: u64 = 3_000_000;

/// Windows of the other way, seconds, the shortest first.
const FIXED_S: [f64; 6] = [60.0, 180.0, 300.0, 600.0, 1_200.0, 2_400.0];

/// How near a rate has to be, relatively.
const NEAR: f64 = 0.05;

/// The share of searches that have to be so near.
const OFTEN: f64 = 0.95;

/// What the defaults of the command are.
const RULE: SearchRule = SearchRule {
    from: 1.0,
    to: 10_000.0,
    precision: 0.045,
    most_runs: 16,
};

/// A rate that was found.
struct Found {
    rate: f64,
    low: f64,
    high: f64,
    sent: u64,
}

impl Found {
    fn is_near(&self, truth: f64) -> bool {
        (self.rate / truth - 1.0).abs() <= NEAR
    }
}

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    for server in wanted(table)? {
        let found = replicate(scale.of(SEARCHES), |seed| search(&server, SEEDS + seed));
        let truth = server.truth;
        let near = found.iter().filter(|f| f.is_near(truth)).count();
        let name = format!("{} ({truth:.2}/s)", server.name);
        let figure = format!("search: within 5 %, {name}");
        table.share(&figure, near, found.len(), Target::AtLeast(OFTEN));
        let covers = found.iter().filter(|f| (f.low..=f.high).contains(&truth));
        let figure = format!("search: the 95 % interval holds the truth, {name}");
        table.share(&figure, covers.count(), found.len(), Target::AtLeast(0.9));
        against_fixed(scale, table, &server, &found);
    }
    Ok(())
}

/// The same with runs of a fixed length, up to the shortest that is near as often.
fn against_fixed(scale: Scale, table: &mut Table, server: &Server, found: &[Found]) {
    let spent = median(found);
    for window_s in FIXED_S {
        let fixed = replicate(scale.of(SEARCHES), |seed| {
            bisect(server, SEEDS + seed, window_s)
        });
        let near = fixed.iter().filter(|f| f.is_near(server.truth)).count();
        let figure = format!(
            "doubling and bisection, {window_s} s: within 5 %, {}",
            server.name
        );
        table.share(&figure, near, fixed.len(), Target::None);
        let reached = near as f64 >= OFTEN * fixed.len() as f64;
        if reached || Some(&window_s) == FIXED_S.last() {
            let figure = format!(
                "search: {spent} requests (median) over {} with {window_s} s, {}",
                median(&fixed),
                server.name
            );
            let share = spent as f64 / median(&fixed) as f64;
            table.value(&figure, share, fixed.len(), Target::AtMost(0.4));
            return;
        }
    }
}

fn median(found: &[Found]) -> u64 {
    let mut sent: Vec<u64> = found.iter().map(|f| f.sent).collect();
    sent.sort_unstable();
    sent[sent.len() / 2]
}

fn search(server: &Server, seed: u64) -> Found {
    let (mut probes, mut sent) = (Vec::new(), 0);
    loop {
        match RULE.next(&probes) {
            Next::Run(order) => {
                let run = seed * 1_000 + probes.len() as u64;
                let measured = server.measure(order.rate, order.dwell, run);
                sent += measured.sent;
                probes.push(Probe {
                    rate: order.rate,
                    trials: measured.trials.into_iter().map(Some).collect(),
                });
            }
            Next::End(Ending::Found { rate } | Ending::Undecided { rate }) => {
                return Found {
                    rate: rate.rate,
                    low: rate.low,
                    high: rate.high,
                    sent,
                };
            }
            Next::End(
                Ending::Below { rate, .. } | Ending::Above { rate } | Ending::NoSample { rate },
            ) => {
                return Found {
                    rate,
                    low: rate,
                    high: rate,
                    sent,
                };
            }
        }
    }
}

/// Doubling, then halving. The warm-up is the default of `run`.
fn bisect(server: &Server, seed: u64, window_s: f64) -> Found {
    let dwell = Dwell {
        warmup_s: if window_s <= 60.0 { 10.0 } else { 30.0 },
        window_s,
    };
    let (mut run, mut sent) = (1_000_000_000 + seed * 1_000, 0);
    let mut meets = |rate: f64| {
        let measured: Measured = server.measure(rate, dwell, run);
        run += 1;
        sent += measured.sent;
        measured.trials.iter().all(|trial| trial.margin <= 0.0)
    };
    let (mut low, mut high) = (RULE.from / 4.0, RULE.from);
    while high < RULE.to && meets(high) {
        (low, high) = (high, high * 2.0);
    }
    while high / low > 1.0 + NEAR {
        let middle = (low * high).sqrt();
        match meets(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    Found {
        rate: (low * high).sqrt(),
        low,
        high,
        sent,
    }
}
