//! `environment` of run.json: the client's host, the target, what the user declares.

use crate::experiment::Experiment;
use crate::load::Load;
use crate::place::Placement;
use infermeter_core::environment::{ClientSide, Environment, TargetSide, TraceRead, WorkloadSide};
use infermeter_probe::host::{governors, host_facts};
use infermeter_workload::TraceFacts;

/// Facts that go with a run.
pub(crate) fn environment(
    experiment: &Experiment,
    target: &TargetSide,
    load: &Load,
    place: Placement<'_>,
    salt: u64,
) -> Environment {
    let Placement { cores, size } = place;
    Environment {
        client: ClientSide {
            host: Some(host_facts()),
            threads: Some(size.threads),
            cores: cores.client.clone(),
            governors: governors(&cores.client),
            mock_cores: cores.mock.clone(),
            max_connections: Some(size.max_connections),
            connections_bound_by: Some(size.bound_by),
            connections_opened_ahead: Some(size.open_ahead),
            ..ClientSide::default()
        },
        target: target.clone(),
        workload: sent(experiment, load, salt),
        declared: experiment.target.declared.clone(),
        ..Environment::default()
    }
}

fn sent(experiment: &Experiment, load: &Load, salt: u64) -> WorkloadSide {
    let file = load.workload.trace_facts();
    let expected = load.workload.expected_tokens();
    WorkloadSide {
        tokenizer: Some(load.workload.tokenizer().name().to_owned()),
        salt: Some(salt),
        sha256: Some(load.workload.hash()),
        identity: Some(identity(experiment).to_owned()),
        schedule_sha256: load.schedule_hash(),
        template_tokens: load.template_tokens,
        trace: file.cloned().map(TraceRead::from),
        left_out: file.map(TraceFacts::left_out),
        texts_before_repeating: load.workload.texts_before_repeating(),
        shared_prefix_share: load.workload.shared_prefix_share(load.measured_ids()),
        expected_prompt_tokens: Some(expected.input),
        expected_output_tokens: Some(expected.output),
        ..WorkloadSide::default()
    }
}

/// What two runs with the same hashes have in common.
fn identity(experiment: &Experiment) -> &'static str {
    match experiment.requests.texts.has_live_history() {
        true => "void beyond first turns: later ones hold the server's words",
        false => "the same requests, but for the salt",
    }
}
