//! Flags that are no keys of the plan, a table for each subcommand. `run` and `workload make` have the
//! plan's keys, too.
//!
//! Adding a flag means adding an entry. Invariant: values are checked by their types, ranges and rules
//! when they are read, so a command trusts them.

mod audit;
mod bench;
mod bundle;
mod calibrate;
mod capacity;
mod coldstart;
mod compare;
mod completions;
mod doctor;
mod export;
mod gate;
mod history;
mod import;
mod launch;
mod list;
mod man;
mod measured;
mod merge;
mod metering;
mod mock;
mod monitor;
mod page;
mod plot;
mod proxy;
mod report;
mod run;
mod schema;
mod search;
mod served;
mod shadow;
mod show;
mod sweep;
mod workload;

pub use audit::AuditArgs;
pub use bench::BenchArgs;
pub use bundle::{BundleArgs, VerifyArgs};
pub use calibrate::CalibrateArgs;
pub use capacity::CapacityArgs;
pub use coldstart::ColdstartArgs;
pub use compare::CompareArgs;
pub use completions::CompletionsArgs;
pub use doctor::DoctorArgs;
pub use export::ExportArgs;
pub use gate::{BaselineArgs, FailIfArgs, GateArgs, Inconclusive};
pub use history::{HistoryAddArgs, HistoryListArgs, HistoryShowArgs, HistoryTrendArgs};
pub use import::ImportArgs;
pub use launch::{KubernetesArgs, LaunchArgs, SlurmArgs};
pub use list::ListArgs;
pub use man::ManArgs;
pub use measured::MeasureArgs;
pub use merge::MergeArgs;
pub use metering::MeteringArgs;
pub use mock::MockArgs;
pub use monitor::MonitorArgs;
pub use page::PageArgs;
pub use plot::PlotArgs;
pub use proxy::ProxyArgs;
pub use report::ReportArgs;
pub use run::RunArgs;
pub use schema::SchemaArgs;
pub use search::SearchArgs;
pub use served::ServedArgs;
pub use shadow::{Awaited, ObserveArgs, RecordArgs, ShadowArgs};
pub use show::ShowArgs;
pub use sweep::SweepArgs;
pub use workload::{
    ConvertArgs, ConvertTo, HeadArgs, ImportLogArgs, ImportTexts, InspectArgs, MakeArgs,
};

use infermeter_core::key::{Key, Keyed, Place};
use infermeter_core::plan::Plan;

/// The keys of one table.
pub fn keys<T: Keyed>() -> Vec<&'static Key> {
    T::KEYS.iter().collect()
}

/// The keys of a table, and those that say how a result is shown.
pub(crate) fn with_show<T: Keyed>() -> Vec<&'static Key> {
    [keys::<T>(), keys::<ShowArgs>()].concat()
}

/// The keys of a command that measures: those of a plan, those of all such commands, its own.
pub(crate) fn measured<T: Keyed>(place: Place) -> Vec<&'static Key> {
    [with_plan::<T>(place), keys::<MeasureArgs>()].concat()
}

/// The same where the result may be written as a page.
pub(crate) fn with_page<T: Keyed>() -> Vec<&'static Key> {
    [with_show::<T>(), keys::<PageArgs>()].concat()
}

/// The keys of a command that takes the plan of a run and measures nothing: not those that say how a run is kept and
/// shown.
pub(crate) fn of_run_unmeasured<T: Keyed>() -> Vec<&'static Key> {
    let mut all = with_plan::<T>(Place::Run);
    all.retain(|key| !key.showing);
    [all, keys::<ShowArgs>()].concat()
}

/// The keys of a command that measures the plan of a run again and again: not those of one result, nor those that
/// repeat it themselves.
pub(crate) fn of_run_repeated<T: Keyed>() -> Vec<&'static Key> {
    let mut all = with_plan::<T>(Place::Run);
    all.retain(|key| !NOT_REPEATED.contains(&key.name));
    all
}

/// Keys of a plan that say what is done with one result, or how often it is measured.
pub(crate) const NOT_REPEATED: [&str; 6] = ["repeat", "until", "html", "full", "notes", "live"];

/// The keys of a command that starts a server and sends a load of its own: not those that decide how often, nor those
/// of a run's page.
pub(crate) fn of_run_started<T: Keyed>() -> Vec<&'static Key> {
    let mut all = with_plan::<T>(Place::Run);
    all.retain(|key| !NOT_STARTED.contains(&key.name));
    all
}

/// Keys of a plan that a command with a load of its own does not have.
pub(crate) const NOT_STARTED: [&str; 4] = ["until", "full", "live", "expose"];

/// The keys of a table behind the plan's keys that stand at `place`.
pub(crate) fn with_plan<T: Keyed>(place: Place) -> Vec<&'static Key> {
    let own = keys::<T>();
    let mut all: Vec<&Key> = Plan::KEYS
        .iter()
        .filter(|key| key.places.contains(&place))
        .collect();
    all.extend(own);
    all
}
