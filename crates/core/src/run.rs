//! A finished (or interrupted) run as values: what `report` recomputes everything from.

use crate::certificate::Citation;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::finding::{Finding, Verdict};
use crate::plan::Plan;
use crate::record::RequestRecord;
use crate::schedule::ScheduleFacts;
use crate::seed::Seeds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod clients;
mod health;
mod imported;
mod progress;
mod rank;
mod solo;

pub use crate::schedule::{LoadModel, Window};
pub use clients::ClientRun;
pub use health::{ClientHealth, IoBackend, ThreadHealth, Unwritten};
pub use imported::Imported;
pub use progress::{Counted, Progress};
pub use rank::{ClockOffset, OffsetSource, RankFacts};
pub use solo::{EvalFile, ReferenceAnswers, ReferencePasses, Solo, SoloAnswer, SoloEnd, SoloPass};

/// Version of `run.json` and of the record's schema.
pub const FORMAT_VERSION: u32 = 1;

/// A request made outside the load: probes, model list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ControlRequest {
    /// Its `x-request-id`.
    pub request_id: String,
    /// `GET /v1/models`.
    pub request: String,
    /// HTTP status, or none when there was no answer.
    pub status: Option<u16>,
    /// What it was for and what came of it.
    pub result: String,
}

/// State of a run directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Started, not ended (or ended without a chance to say so).
    Running,
    /// Ended as planned.
    Finished,
    /// Ended by a signal, or recovered from its journal.
    Interrupted,
}

/// `run.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunManifest {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of infermeter.
    pub infermeter_version: String,
    /// Random 128-bit id, hex; prefix of every `x-request-id`.
    pub run_id: String,
    /// State of the directory.
    pub state: RunState,
    /// The plan, secrets replaced by `***`.
    pub plan: Plan,
    /// SHA-256 of the plan's JSON (secrets replaced; without where it goes and how it is shown), hex.
    pub plan_hash: String,
    /// Both seeds.
    pub seeds: Seeds,
    /// The model asked for.
    pub model: String,
    /// The load model.
    pub load_model: LoadModel,
    /// Requests per second asked for over the window (open loop).
    pub rate_asked: Option<f64>,
    /// Where requests were sent, by [`crate::record::RequestRecord::address`]; empty in records from before
    /// there could be several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Names of the classes, by [`crate::request::ClassIndex`].
    pub classes: Vec<String>,
    /// Origins of the clock.
    pub clock: Clock,
    /// The measured window (in a closed loop known at the end).
    pub window: Option<Window>,
    /// What the schedule says must come of it; absent from records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleFacts>,
    /// How the run went; absent while running.
    pub progress: Option<Progress>,
    /// Host, target and declared facts.
    #[serde(default, deserialize_with = "crate::environment::or_none")]
    pub environment: Environment,
    /// The calibration certificate of this machine, where there is one.
    #[serde(default)]
    pub calibration: Option<Citation>,
    /// Where it comes from, if another tool measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// Requests made outside the load.
    pub control_requests: Vec<ControlRequest>,
    /// Findings made before or during the run (probes, preparation), input to the verdict.
    pub run_findings: Vec<Finding>,
    /// The generator's view of itself; absent while running.
    pub client_health: Option<ClientHealth>,
    /// Each client's part, where several share the load; `progress` and `client_health` are then those
    /// of all together. Empty with one client, whose part these two are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientRun>,
    /// Which of several processes that share the load measured this; absent of a run alone, and of ranks that
    /// were merged, where each client has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<RankFacts>,
    /// Files of questions with answers that ride in the load.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evals: Vec<EvalFile>,
    /// What was asked with nothing else in flight; absent where nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solo: Option<Solo>,
    /// The verdict; absent while running.
    pub verdict: Option<Verdict>,
    /// All findings.
    pub findings: Vec<Finding>,
    /// The summary, as `--json` prints it.
    pub summary: Option<serde_json::Value>,
    /// SHA-256 of each file of the record by its name, and of this one without this member; absent
    /// while running, and from records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seal: Option<BTreeMap<String, String>>,
}

impl RunManifest {
    /// The instant of offset 0, nanoseconds since the Unix epoch; absent of an import whose file does not say it.
    pub fn begun_ns(&self) -> Option<i64> {
        let imported = self.imported.as_ref();
        let is_known = imported.is_none_or(|imported| imported.has_date);
        is_known.then_some(self.clock.realtime_origin_ns)
    }
}

/// A run read back or just measured: the manifest and its records in id order.
#[derive(Debug, Clone, PartialEq)]
pub struct RunLog {
    /// What was planned and what the runner saw.
    pub manifest: RunManifest,
    /// One record per scheduled request, in id order.
    pub records: Vec<RequestRecord>,
}
