//! `run --repeat` and `run --until`: several runs of one plan, in the directory of an experiment.

use super::gate::Gating;
use crate::several::{self, Several};
use crate::show::Shown;
use crate::together::Repeated;
use anyhow::Result;
use infermeter_core::plan::Plan;
use infermeter_protocol::{ProtocolSpec, Repeat};
use infermeter_session::load::Load;
use std::path::Path;

/// Measures the runs that are not there yet, and shows what all of them say.
///
/// # Errors
/// When a run cannot be started or its files cannot be written; the runs before it stay.
pub fn run(
    plan: &Plan,
    load: Load,
    resume: Option<&Path>,
    gating: Option<Gating>,
    shown: Shown,
) -> Result<u8> {
    let requests = load.expected_requests();
    let protocol = Repeat::of(plan, requests)?;
    let several = Several {
        planned: vec![(plan.clone(), load)],
        spec: ProtocolSpec::Repeat { requests },
        resume,
        before: None,
        gating,
        dry_run: false,
        shown,
    };
    several::measure(several, &protocol, &Repeated)
}
