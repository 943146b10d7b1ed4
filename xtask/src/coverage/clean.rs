//! How many clean runs carry a warning or an error of a statistical check.
//!
//! Records of the engine simulator in virtual time, with a client that makes no mistake, go through
//! the summary and every check, as those of a real run do. So whatever is raised is raised falsely.

use super::Scale;
use super::engine::{Extent, Simulator, WARMUP_NS};
use super::planted::slow_down;
use super::replicate::replicate;
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_analysis::{checks, judge, summarize_log};
use infermeter_core::clock::Offset;
use infermeter_core::finding::Severity;
use infermeter_core::run::{RunLog, Window};
use infermeter_metrics::fixture;
use infermeter_stats::clopper_pearson;
use std::collections::BTreeMap;

/// Clean runs, over all loads and lengths.
const RUNS: u64 = 1_000;

/// Sequences that the engine runs at once: fewer than the preset's, so that short runs are small
/// samples.
pub const SEQUENCES: u32 = 64;

/// Shares of the capacity, and lengths of the window in seconds.
const LOADS: [f64; 3] = [0.3, 0.5, 0.7];
const SECONDS: [i64; 2] = [60, 300];

/// Seeds begin at these: one set in view of which the rules were chosen, one that nobody had seen.
const SEEDS: [(u64, &str); 2] = [(0, ""), (1_000_000, ", fresh seeds")];

/// Runs in which the server slows down, per load.
const SLOWING_RUNS: u64 = 100;

/// How much slower it is at the end of the window, and the share that must be found.
const SLOWING: [(f64, Target); 2] = [(0.5, Target::None), (1.0, Target::AtLeast(0.9))];

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    let simulator = Simulator::new(Some(SEQUENCES))?;
    for (first, set) in SEEDS {
        clean(scale, table, &simulator, first, set)?;
    }
    for (by, target) in SLOWING {
        for load in LOADS {
            let runs = replicate(scale.of(SLOWING_RUNS), |seed| {
                let mut log = run_log(&simulator, seed, load, 300);
                slow_down(&mut log, |at| 1.0 + by * at);
                raised(&log)
            });
            let found = runs.iter().filter(|r| r.finds_slowing()).count();
            let figure = format!(
                "a server that slows by {:.0} % in the window found, {:.0} % load, 300 s",
                by * 100.0,
                load * 100.0
            );
            table.share(&figure, found, runs.len(), target);
        }
    }
    Ok(())
}

/// The rows of one set of seeds.
fn clean(
    scale: Scale,
    table: &mut Table,
    simulator: &Simulator,
    first: u64,
    set: &str,
) -> Result<()> {
    let runs = replicate(scale.of(RUNS), |seed| {
        let load = LOADS[(seed % 3) as usize];
        let seconds = SECONDS[(seed / 3 % 2) as usize];
        raised(&run_log(simulator, first + seed, load, seconds))
    });
    let mut codes: BTreeMap<&str, usize> = BTreeMap::new();
    runs.iter()
        .flat_map(|raised| &raised.grave)
        .for_each(|code| *codes.entry(code).or_default() += 1);
    let fired = runs.iter().filter(|r| !r.grave.is_empty()).count();
    let bimodal = runs.iter().filter(|r| r.is_bimodal).count();
    let list: Vec<String> = codes
        .iter()
        .map(|(code, n)| format!("{code} {n}"))
        .collect();
    let which = if list.is_empty() {
        String::new()
    } else {
        format!(" ({})", list.join(", "))
    };
    let figure = format!("clean runs with a warning or an error{which}{set}");
    table.share(&figure, fired, runs.len(), Target::AtMost(0.01));
    let upper = clopper_pearson(fired as f64, runs.len() as f64, 0.95)?.high;
    let figure = format!("the same, upper 95 % bound (Clopper-Pearson){set}");
    let upper = upper.unwrap_or(1.0);
    table.value(&figure, upper, runs.len(), Target::AtMost(0.02));
    let figure = format!("the same runs with the note `pooled-bimodal`{set}");
    table.share(&figure, bimodal, runs.len(), Target::AtMost(0.01));
    Ok(())
}

/// What is raised about a run.
#[derive(Debug, Default, PartialEq)]
pub struct Raised {
    /// Codes of warnings and errors.
    pub grave: Vec<String>,
    /// There is the note about two modes.
    is_bimodal: bool,
}

impl Raised {
    /// A finding says that the server became slower.
    fn finds_slowing(&self) -> bool {
        let mut codes = self.grave.iter();
        codes.any(|c| c == checks::SERVER_SLOWS_DOWN.code)
    }
}

pub fn raised(log: &RunLog) -> Raised {
    let (run, summary) = summarize_log(log);
    let findings = judge(&run, &summary);
    let grave = findings.iter().filter(|f| f.severity != Severity::Note);
    Raised {
        grave: grave.map(|f| f.code.to_string()).collect(),
        is_bimodal: findings.iter().any(|f| checks::POOLED_BIMODAL.is_of(f)),
    }
}

/// The record of a run whose client makes no mistake.
pub fn run_log(simulator: &Simulator, seed: u64, load: f64, seconds: i64) -> RunLog {
    let rate = load * simulator.capacity_per_s;
    let start = Offset(WARMUP_NS);
    let window = Window {
        start,
        end: start.plus(seconds * 1_000_000_000),
    };
    let mut run = fixture::Run::open(rate, seconds);
    let records = simulator.records(seed, Extent::Seconds(seconds), load);
    let ended = records
        .iter()
        .filter_map(|r| r.closed)
        .max()
        .unwrap_or(window.end);
    run.records().extend(records);
    let manifest = run.manifest();
    manifest.window = Some(window);
    manifest.plan.warmup = format!("{}s", WARMUP_NS / 1_000_000_000).parse().ok();
    if let Some(progress) = &mut manifest.progress {
        progress.ended = ended.max(window.end);
    }
    run.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_stats::two_modes;

    /// Neither load nor length of a clean run makes a second mode.
    #[test]
    fn clean_latencies_have_one_mode() {
        let simulator = Simulator::new(Some(SEQUENCES)).expect("a preset");
        for seed in 0..30 {
            let load = LOADS[(seed % 3) as usize];
            let run = simulator.run(seed, Extent::Seconds(SECONDS[0]), load);
            assert_eq!(two_modes(&run.ttft_s), Ok(None), "TTFT {seed}");
            assert_eq!(two_modes(&run.e2e_s), Ok(None), "E2E {seed}");
        }
    }

    /// A small form of the table; and a run with something wrong, so that silence says something.
    #[test]
    fn clean_runs_are_silent_and_a_broken_one_is_not() {
        let simulator = Simulator::new(Some(SEQUENCES)).expect("a preset");
        for (seed, load) in LOADS.into_iter().enumerate() {
            let log = run_log(&simulator, seed as u64, load, 60);
            assert_eq!(raised(&log), Raised::default());
        }
        let mut slowing = run_log(&simulator, 0, 0.5, 300);
        slow_down(&mut slowing, |at| 1.0 + at);
        let found = raised(&slowing);
        assert!(found.finds_slowing(), "{found:?}");
        let mut log = run_log(&simulator, 7, 0.5, 60);
        for record in log.records.iter_mut().filter(|r| r.send_start.is_some()) {
            record.send_start = record.send_start.map(|at| at.plus(200_000_000));
        }
        assert!(
            raised(&log).grave.contains(&"send-lag".to_owned()),
            "{:?}",
            raised(&log)
        );
    }
}
