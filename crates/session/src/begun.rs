//! `run.json` as far as it is known before the clock starts.

use crate::experiment::Experiment;
use crate::load::Load;
use crate::measure::Site;
use crate::redact::redact;
use infermeter_answers::questions::Questions;
use infermeter_core::clock::Clock;
use infermeter_core::environment::Environment;
use infermeter_core::finding::Finding;
use infermeter_core::run::{ControlRequest, FORMAT_VERSION, RunManifest, RunState};

/// What is known of both sides by then.
#[derive(Debug)]
pub(crate) struct Sides {
    /// The model's name.
    pub model: String,
    /// Client, target, workload and what is declared.
    pub environment: Environment,
    /// What the target's addresses are called.
    pub addresses: Vec<String>,
    /// Control requests made.
    pub control: Vec<ControlRequest>,
    /// Doubts.
    pub findings: Vec<Finding>,
}

/// The first `run.json` of a run.
pub(crate) fn manifest(
    experiment: &Experiment,
    load: &Load,
    site: &Site,
    sides: Sides,
) -> RunManifest {
    let seeds = experiment.requests.seeds;
    RunManifest {
        format_version: FORMAT_VERSION,
        infermeter_version: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: site.identity.id.clone(),
        state: RunState::Running,
        plan: redact(&site.plan),
        plan_hash: experiment.hash(),
        seeds,
        model: sides.model,
        load_model: load.model(),
        rate_asked: load.rate_asked(seeds.schedule),
        addresses: sides.addresses,
        classes: load.workload.classes().to_vec(),
        clock: Clock::starting_in(0),
        window: load.schedule.window(),
        schedule: Some(load.schedule.facts()),
        progress: None,
        environment: sides.environment,
        calibration: None,
        imported: None,
        control_requests: sides.control,
        run_findings: sides.findings,
        client_health: None,
        clients: Vec::new(),
        rank: site.part.as_ref().map(|part| part.facts.clone()),
        evals: load
            .workload
            .questions()
            .map(Questions::evals)
            .unwrap_or_default(),
        solo: None,
        verdict: None,
        findings: Vec::new(),
        summary: None,
        seal: None,
    }
}
