//! `environment` of run.json: the client's host, the target, what the user declares.

use crate::load::Load;
use crate::place::{Cores, Size};
use infermeter_core::declared::Declared;
use infermeter_core::plan::{History, Plan, Sessions};
use infermeter_probe::host::{governors, host_facts};
use infermeter_workload::TraceFacts;
use serde_json::Value;
use serde_json::json;

/// Facts that go with a run. What is unknown is null.
pub fn environment(
    plan: &Plan,
    target: &Value,
    load: &Load,
    (cores, size): (&Cores, Size),
    salt: u64,
) -> Value {
    json!({
        "client": {
            "host": host_facts(),
            "threads": size.threads,
            "cores": cores.client,
            "governors": governors(&cores.client),
            "mock_cores": cores.mock,
            "max_connections": size.max_connections,
            "connections_bound_by": size.bound_by,
            "connections_opened_ahead": size.open_ahead,
        },
        "target": target,
        "workload": {
            "tokenizer": load.workload.tokenizer().name(),
            "salt": salt,
            "sha256": load.workload.hash(),
            "identity": identity(plan),
            "schedule_sha256": load.schedule_hash(),
            "sent_sha256": null,
            "template_tokens": load.template_tokens,
            "trace": load.workload.trace_facts(),
            "left_out": load.workload.trace_facts().map(TraceFacts::left_out),
            "texts_before_repeating": load.workload.texts_before_repeating(),
            "shared_prefix_share": load.workload.shared_prefix_share(load.measured_ids()),
            "expected_prompt_tokens": load.workload.expected_tokens().input,
            "expected_output_tokens": load.workload.expected_tokens().output,
        },
        "declared": Declared::of_plan(plan),
    })
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
