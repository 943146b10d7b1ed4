//! `environment` of run.json: the client's host, the target, what the user declares.

use crate::load::Load;
use crate::place::{Cores, Size};
use infermeter_core::declared::Declared;
use infermeter_core::environment::{ClientSide, Environment, TargetSide, TraceRead, WorkloadSide};
use infermeter_core::plan::{History, Plan, Sessions};
use infermeter_probe::host::{governors, host_facts};
use infermeter_workload::TraceFacts;

/// Facts that go with a run.
pub(crate) fn environment(
    plan: &Plan,
    target: &TargetSide,
    load: &Load,
    (cores, size): (&Cores, Size),
    salt: u64,
) -> Environment {
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
        workload: sent(plan, load, salt),
        declared: Declared::of_plan(plan),
        ..Environment::default()
    }
}

fn sent(plan: &Plan, load: &Load, salt: u64) -> WorkloadSide {
    let file = load.workload.trace_facts();
    let expected = load.workload.expected_tokens();
    WorkloadSide {
        tokenizer: Some(load.workload.tokenizer().name().to_owned()),
        salt: Some(salt),
        sha256: Some(load.workload.hash()),
        identity: Some(identity(plan).to_owned()),
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
fn identity(plan: &Plan) -> &'static str {
    let live = |sessions: Sessions| sessions.history == History::Live;
    match plan.sessions() {
        Ok(sessions) if sessions.is_some_and(live) => {
            "void beyond first turns: later ones hold the server's words"
        }
        _ => "the same requests, but for the salt",
    }
}
