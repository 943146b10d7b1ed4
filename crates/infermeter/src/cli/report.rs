//! Flags of `report`.
//!
//! Does not check values. Invariant: each flag has its doc comment, which is its help.

use super::ShowArgs;
use clap::Args;
use std::path::PathBuf;

/// Flags of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Directory that `run` wrote
    pub run_dir: PathBuf,
    /// How it is shown.
    #[command(flatten)]
    pub show: ShowArgs,
    /// Print every figure of every metric below the summary
    #[arg(long)]
    pub full: bool,
    /// Objective to judge instead of the run's own (repeatable)
    #[arg(long, value_name = "SLO")]
    pub slo: Vec<String>,
    /// When tokens are due, as in 500ms/50ms, instead of the run's own
    #[arg(long, value_name = "TTFT/GAP")]
    pub fluidity: Option<String>,
    /// Exit 3 for Questionable, too
    #[arg(long)]
    pub strict: bool,
}
