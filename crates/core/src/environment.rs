//! `environment` of run.json: the client's host, the target, the workload, and what the user declares.
//!
//! It finds nothing out. Invariants: what nobody knows is absent, and null in the file; members that this
//! version does not know stay where they are when the file is written again.

mod client;
mod engine;
mod host;
mod target;
mod trace;
mod trial;
mod workload;

pub use client::{Bound, ClientSide, Received};
pub use engine::{EngineFacts, Evidence};
pub use host::HostFacts;
pub use target::{
    MetricsPlace, ModelFacts, PrefixCounters, PrefixCountersOfRun, RequestFields, TargetSide,
    UnreadPage,
};
pub use trace::{Fate, MemberUse, SkipReason, Skipped, Touched, TraceRead};
pub use trial::{AnswerTimes, CachePair, CacheTrial};
pub use workload::WorkloadSide;

use crate::declared::Declared;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// Members of another version, as they are in the file.
pub type OtherMembers = serde_json::Map<String, serde_json::Value>;

/// Facts that go with a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Environment {
    /// Where the client runs, and with what.
    pub client: ClientSide,
    /// What was found out about the server.
    pub target: TargetSide,
    /// What was sent.
    pub workload: WorkloadSide,
    /// What the user says of the server.
    pub declared: Declared,
    /// Of another version.
    #[serde(flatten)]
    pub other: OtherMembers,
}

/// An environment where there may be none.
pub(crate) fn or_none<'de, D: Deserializer<'de>>(from: D) -> Result<Environment, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[track_caller]
    fn read(value: Value) -> Environment {
        serde_json::from_value(value).expect("an environment")
    }

    #[test]
    fn members_of_another_version_stay() {
        let value = json!({
            "client": {"threads": 2, "weather": "rain", "host": {"cores": 4, "colour": "grey"}},
            "target": {"fields": {"probed": true, "logprobs": false}, "moons": [1, 2]},
            "workload": {"trace": {"format": "vllm", "rows": 3, "mood": null}},
            "more": {"a": 1.5},
        });
        let read = read(value.clone());
        assert_eq!(read.client.threads, Some(2));
        let written = serde_json::to_value(&read).expect("JSON");
        for place in [
            "/client/weather",
            "/client/host/colour",
            "/client/host/cores",
            "/target/fields/logprobs",
            "/target/moons",
            "/workload/trace/mood",
            "/workload/trace/rows",
            "/more",
        ] {
            assert_eq!(written.pointer(place), value.pointer(place), "{place}");
        }
    }

    #[test]
    fn what_nobody_knows_is_null_and_no_zero() {
        let written = serde_json::to_value(Environment::default()).expect("JSON");
        assert_eq!(written["client"]["threads"], Value::Null);
        assert_eq!(written["target"]["loopback"], Value::Null);
        assert_eq!(read(written), Environment::default());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let environment = Environment {
            target: TargetSide {
                server_metrics: Some(MetricsPlace::NotAvailable {
                    not_available: "status 404".to_owned(),
                }),
                ..TargetSide::default()
            },
            declared: Declared {
                hardware: crate::declared::Statement::parse(
                    crate::declared::Subject::Hardware,
                    "gpu=H100, count=8",
                )
                .ok(),
                ..Declared::default()
            },
            ..Environment::default()
        };
        let text = serde_json::to_string(&environment).expect("JSON");
        let read: Environment = serde_json::from_str(&text).expect("an environment");
        assert_eq!(read, environment);
        assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
    }
}
