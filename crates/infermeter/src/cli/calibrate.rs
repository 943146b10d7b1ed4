//! The flags of `calibrate`.

use super::ShowArgs;
use clap::Args;
use std::path::PathBuf;

/// Flags of `calibrate`.
#[derive(Debug, Args, Default)]
pub struct CalibrateArgs {
    /// A short ladder, about half a minute
    #[arg(long, conflicts_with_all = ["full", "null", "rung"])]
    pub quick: bool,
    /// A long ladder with longer rungs, about ten minutes
    #[arg(long, conflicts_with_all = ["null", "rung"])]
    pub full: bool,
    /// Only the ceilings: how many requests and events per second the client can do at all
    #[arg(long, conflicts_with = "rung")]
    pub null: bool,
    /// Measure this load instead of a ladder, as in streams:100x50 (repeatable)
    #[arg(long, value_name = "LOAD")]
    pub rung: Vec<String>,
    /// Leave out rungs that ask for more events per second
    #[arg(long, value_name = "R")]
    pub max_events: Option<f64>,
    /// Measured time of a rung [default: 3s; 1500ms with --quick, 10s with --full]
    #[arg(long, value_name = "TIME")]
    pub duration: Option<infermeter_core::units::Span>,
    /// Measure each rung so often and keep the one with the median error
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub repeat: u32,
    /// Client threads [default: as run: one for each of its cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Receive with: auto, uring or epoll, as run does
    #[arg(long, value_name = "IO", default_value = "auto", value_parser = io)]
    pub io: infermeter_core::plan::Io,
    /// Busy-wait after each chunk: artificial client load that shows what kernel stamps buy
    #[arg(long, value_name = "TIME")]
    pub burn: Option<infermeter_core::units::Span>,
    /// Go on with a ladder that was cut off, in the directory that it named; the other flags as before
    #[arg(long, value_name = "DIR")]
    pub resume: Option<PathBuf>,
    /// Write the certificate here [default: INFERMETER_CALIBRATION, else
    /// $XDG_STATE_HOME/infermeter/calibration.json]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How it is shown.
    #[command(flatten)]
    pub show: ShowArgs,
    /// No progress
    #[arg(long)]
    pub quiet: bool,
}

/// `--io` of a command without a plan.
fn io(text: &str) -> Result<infermeter_core::plan::Io, String> {
    use infermeter_core::plan::Io;
    match text {
        "auto" => Ok(Io::Auto),
        "uring" => Ok(Io::Uring),
        "epoll" => Ok(Io::Epoll),
        _ => Err("one of auto, uring, epoll".to_owned()),
    }
}
