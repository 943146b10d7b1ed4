//! How often the flag `correlated` is raised at 85 and at 60 % load: on the server with slots, to which
//! the targets belong, and on the engine, where TTFT queues behind prefill as at a single server.

use super::Scale;
use super::engine::{Extent, Simulator};
use super::replicate::replicate;
use super::server::{CAPACITY_PER_S, slotted};
use super::table::{Table, Target};
use anyhow::Result;
use infermeter_stats::correlated;

/// Runs of each load and length.
const REPETITIONS: u64 = 1_000;
const ENGINE_REPETITIONS: u64 = 200;

/// Runs the rows.
pub fn run(scale: Scale, table: &mut Table) -> Result<()> {
    for (load, target) in [(0.85, Target::AtLeast(0.95)), (0.6, Target::AtMost(0.02))] {
        for seconds in [300, 600] {
            let n = (load * CAPACITY_PER_S * f64::from(seconds)) as usize;
            let flags = replicate(scale.of(REPETITIONS), |seed| {
                let served = slotted(seed, n, load);
                [&served.ttft_s, &served.e2e_s].map(|s| correlated(s).unwrap_or(false))
            });
            let percent = load * 100.0;
            for (at, name) in ["TTFT", "E2E"].into_iter().enumerate() {
                let raised = flags.iter().filter(|row| row[at]).count();
                // Service hides the waiting in E2E at any load: only its false flags are bounded.
                let target = if at == 1 && load > 0.8 {
                    Target::None
                } else {
                    target
                };
                let figure = format!("flag on {name}, {percent:.0} % load, {seconds} s");
                table.share(&figure, raised, flags.len(), target);
            }
        }
    }
    on_the_engine(scale, table)
}

fn on_the_engine(scale: Scale, table: &mut Table) -> Result<()> {
    let simulator = Simulator::new(None)?;
    let flags = replicate(scale.of(ENGINE_REPETITIONS), |seed| {
        let run = simulator.run(seed, Extent::Seconds(300), 0.6);
        [&run.ttft_s, &run.e2e_s].map(|s| correlated(s).unwrap_or(false))
    });
    for (at, name) in ["TTFT", "E2E"].into_iter().enumerate() {
        let raised = flags.iter().filter(|row| row[at]).count();
        let figure = format!("flag on {name}, engine at 60 %, 300 s");
        table.share(&figure, raised, flags.len(), Target::None);
    }
    Ok(())
}
