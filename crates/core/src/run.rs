//! A finished (or interrupted) run as values: what `report` recomputes everything from.

use crate::certificate::Citation;
use crate::clock::{Clock, Offset};
use crate::finding::{Finding, Verdict};
use crate::gap::Gaps;
use crate::plan::Plan;
use crate::record::RequestRecord;
use crate::seed::Seeds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of `run.json` and of the record's schema.
pub const FORMAT_VERSION: u32 = 1;

/// The measured window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside.
    pub start: Offset,
    /// First instant past it.
    pub end: Offset,
}

impl Window {
    /// Length in seconds.
    pub fn seconds(&self) -> f64 {
        self.end.since(self.start) as f64 / 1e9
    }

    /// Whether an instant lies inside.
    pub fn contains(&self, at: Offset) -> bool {
        at >= self.start && at < self.end
    }
}

/// The load model, as labelled everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadModel {
    /// Arrivals from a schedule.
    OpenLoop,
    /// A fixed number of slots; latency is self-throttled.
    ClosedLoop,
}

/// How the run went, as the runner saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Requests with a record (every arrival reached, every slot's send).
    pub scheduled: u64,
    /// Drain arrivals that the run ended before, and turns of sessions under way.
    pub drain_not_reached: u64,
    /// Sessions under way with turns that the run ended before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unfinished_sessions: Vec<u64>,
    /// The trace ended before the drain did.
    pub drain_without_load: bool,
    /// When the run ended.
    pub ended: Offset,
    /// A signal ended it early, or the record was recovered from its journal.
    pub interrupted: bool,
    /// The record was recovered from a journal: requests in flight at the end are missing.
    pub recovered: bool,
}

/// What the client received with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IoBackend {
    /// epoll, and a receive call per read.
    #[default]
    Epoll,
    /// io_uring: arrivals complete by themselves.
    Uring,
}

/// One client thread's own behaviour between the run's origin and its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadHealth {
    /// CPU time, user and system, nanoseconds.
    pub cpu_ns: i64,
    /// Time runnable but not running (`/proc/thread-self/schedstat`), nanoseconds; absent where
    /// the kernel does not say.
    pub run_queue_wait_ns: Option<i64>,
    /// Wall time, nanoseconds.
    pub wall_ns: i64,
    /// Reads that returned bytes.
    pub reads: u64,
    /// Of those, without a kernel stamp.
    pub reads_without_stamp: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Connections opened.
    pub connections_opened: u64,
    /// Idle connections dropped: closed by the server, unexpectedly readable, or past keep-alive.
    pub connections_discarded: u64,
    /// Answers whose body did not end within a second of their end mark.
    #[serde(default)]
    pub bodies_without_end: u64,
    /// Connections closed after one answer because the server closes each then, whatever it says.
    #[serde(default)]
    pub connections_single_use: u64,
    /// Times a request was due and its body was not ready.
    pub bodies_late: u64,
    /// Times a request waited for a connection because of the cap.
    pub waits_for_cap: u64,
    /// Greatest jump of the real-time clock against the monotonic one, nanoseconds.
    pub clock_step_ns: i64,
    /// io_uring: times a receive ended for want of a buffer and was started again.
    #[serde(default)]
    pub buffers_out: u64,
    /// Times in which the thread did not go through its loop.
    #[serde(default, skip_serializing_if = "Gaps::is_empty")]
    pub gaps: Gaps,
}

/// The generator's view of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientHealth {
    /// One entry per worker thread.
    pub threads: Vec<ThreadHealth>,
    /// CPU time of the whole process between origin and end, nanoseconds.
    pub process_cpu_ns: i64,
    /// Peak resident memory of the process (`VmHWM`), bytes.
    pub peak_rss_bytes: Option<u64>,
    /// Kernel receive stamps worked in the self-test before the run.
    pub kernel_stamps: bool,
    /// Cores the process may run on.
    pub cores: u32,
    /// What the workers received with.
    #[serde(default)]
    pub io: IoBackend,
    /// The recorder could not write (disk full, say); the text says what happened.
    pub recorder_error: Option<String>,
    /// What it could not write in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unwritten: Option<Unwritten>,
}

/// Records that could not be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwritten {
    /// How many are missing.
    pub records: u64,
    /// Measured requests of the run, missing or not.
    pub measured: u64,
    /// When writing failed first.
    pub since: Option<Offset>,
}

/// A request made outside the load: probes, model list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    /// SHA-256 of the plan's JSON (secrets replaced; without `out`, `json`, `quiet` and `full`), hex.
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
    /// How the run went; absent while running.
    pub progress: Option<Progress>,
    /// Host, target and declared facts.
    pub environment: serde_json::Value,
    /// The calibration certificate of this machine, where there is one.
    #[serde(default)]
    pub calibration: Option<Citation>,
    /// Requests made outside the load.
    pub control_requests: Vec<ControlRequest>,
    /// Findings made before or during the run (probes, preparation), input to the verdict.
    pub run_findings: Vec<Finding>,
    /// The generator's view of itself; absent while running.
    pub client_health: Option<ClientHealth>,
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

/// A run read back or just measured: the manifest and its records in id order.
#[derive(Debug, Clone, PartialEq)]
pub struct RunLog {
    /// What was planned and what the runner saw.
    pub manifest: RunManifest,
    /// One record per scheduled request, in id order.
    pub records: Vec<RequestRecord>,
}
