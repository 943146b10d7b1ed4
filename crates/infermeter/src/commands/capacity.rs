//! `infermeter capacity EXPERIMENT`: what a load needs, from runs at several rates.
//!
//! Measures nothing and writes nothing. Invariant: without an answer (no level meets the objectives) it says what
//! was measured, and exits as a run that missed its objectives.

use crate::capacity::{Gathered, gather};
use crate::cli::tables::CapacityArgs;
use crate::inspect::Gathered as Rows;
use crate::page::Delivery;
use crate::{exit, input};
use anyhow::{Context, Result, bail};
use infermeter_analysis::capacity::{Asked, Capacity, Demand};
use infermeter_session::dataset_file::DatasetFile;
use infermeter_session::fleet;
use infermeter_workload::TraceOptions;
use std::path::Path;

/// Seeds what a profile draws.
const SEED: u64 = 1;

/// Runs the subcommand.
///
/// # Errors
/// Where no load is given, or the runs cannot be used.
pub(crate) fn capacity(args: &CapacityArgs, delivery: &Delivery<'_>) -> Result<u8> {
    let demand = demand(args)?;
    if args.target_rate.is_none() && demand.is_none() {
        bail!("what load? give --target-rate, --target-profile or --target-trace");
    }
    let gathered = gather(&args.paths, &args.slo)?;
    let asked = asked(args, &gathered, demand.as_ref());
    let mut found = Capacity::of(
        asked,
        gathered.objectives(),
        gathered.levels(),
        demand.as_ref(),
    );
    found.not_covered.extend(gathered.left_out);
    if !args.linear {
        fleet::simulate(&gathered.runs, &mut found);
    }
    delivery.deliver(None, |_| infermeter_report::of_capacity(&found), || &found)?;
    Ok(match found.instance {
        Some(_) => exit::OK,
        None => exit::MISSED,
    })
}

/// What is asked; without a target rate, the peak of the load.
fn asked(args: &CapacityArgs, gathered: &Gathered, demand: Option<&Demand>) -> Asked {
    let peak = || {
        let hours = demand.into_iter().flat_map(|demand| &demand.hours);
        let peak = hours.map(|hour| hour.peak).fold(0.0, f64::max);
        vec![peak]
    };
    Asked {
        target_rates: args.target_rate.clone().map_or_else(peak, |rates| rates.0),
        growth: args.growth,
        headroom: args.headroom.0,
        gpu_hour: args.gpu_hour.or(gathered.gpu_hour()),
        gpus_per_instance: args.gpus_per_instance.or(gathered.gpus()),
        kwh: args.kwh.or(gathered.kwh()),
    }
}

/// The load that changes over the day, where one is given.
fn demand(args: &CapacityArgs) -> Result<Option<Demand>> {
    match (&args.target_profile, &args.target_trace) {
        (Some(_), Some(_)) => bail!("--target-profile and --target-trace are two loads: give one"),
        (Some(profile), None) => Ok(Some(Demand::of_profile(profile, SEED))),
        (None, Some(trace)) => of_trace(trace)
            .with_context(|| format!("--target-trace {}", trace.display()))
            .map(Some),
        (None, None) => Ok(None),
    }
}

fn of_trace(trace: &Path) -> Result<Demand> {
    let source = DatasetFile::open(&input::path(trace)?)?;
    let (rows, _) = Rows::read(source.path(), &TraceOptions::default())?;
    if rows.times.is_empty() {
        bail!("it has no arrivals");
    }
    Ok(Demand::of_arrivals(&rows.times))
}
