//! `infermeter metering TRUTH METERED`: what a gateway metered beside what the simulator served.
//!
//! Reads, and writes nothing.

use crate::cli::tables::MeteringArgs;
use crate::show::Shown;
use crate::{exit, input};
use anyhow::{Context, Result, bail};
use infermeter_audit::metering::{
    CutRequests, MeteredColumns, ServedEnd, ServedRequest, metering as compared,
};
use infermeter_mock::truth::{self, RequestEnd, Truth, TruthRequest};
use std::path::Path;

/// Largest file of what was metered, bytes: it is read as a whole.
const LARGEST: u64 = 2 << 30;

/// Runs the subcommand.
///
/// # Errors
/// When a file cannot be read, or is not what it is to be.
pub(crate) fn metering(args: &MeteringArgs, shown: Shown) -> Result<u8> {
    let columns = match &args.map {
        Some(path) => columns(path)?,
        None => MeteredColumns::default(),
    };
    let opened = input::paths(&[args.truth.clone(), args.metered.clone()])?;
    let truth = truth::read(&opened[0]).with_context(|| args.truth.display().to_string())?;
    let bytes = read(&opened[1]).with_context(|| args.metered.display().to_string())?;
    let rows = columns
        .read(&bytes)
        .with_context(|| args.metered.display().to_string())?;
    let cut = match args.without_cut {
        true => CutRequests::LeftOut,
        false => CutRequests::Count,
    };
    let found = compared(&served(&truth), &rows, cut);
    shown.print(|| infermeter_report::of_metering(&found), || &found);
    Ok(match found.agrees {
        true => exit::OK,
        false => exit::MISSED,
    })
}

fn columns(path: &Path) -> Result<MeteredColumns> {
    let named = || format!("--map {}", path.display());
    let text = std::fs::read_to_string(input::path(path)?).with_context(named)?;
    MeteredColumns::parse(&text).with_context(named)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let length = std::fs::metadata(path)?.len();
    if length > LARGEST {
        bail!("{length} bytes are more than the {LARGEST} that are read: split it");
    }
    Ok(std::fs::read(path)?)
}

fn served(truth: &Truth) -> Vec<ServedRequest> {
    let model = &truth.header.model;
    let request = |request: &TruthRequest| ServedRequest {
        request_id: request.request_id.clone(),
        model: request.adapter.as_ref().unwrap_or(model).clone(),
        prompt_tokens: request.prompt_tokens.map(u64::from),
        cached_tokens: u64::from(request.cached_tokens),
        output_tokens: u64::from(request.output_tokens),
        end: match request.end {
            RequestEnd::Finished => ServedEnd::Whole,
            RequestEnd::Refused => ServedEnd::Refused,
            RequestEnd::Fault
            | RequestEnd::Disconnect
            | RequestEnd::SlowReader
            | RequestEnd::Stopped => ServedEnd::Cut,
        },
    };
    truth.requests.iter().map(request).collect()
}
