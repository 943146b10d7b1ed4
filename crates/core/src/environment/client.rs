//! The client's side: host, threads, cores, connections, and what it receives with.

use super::{HostFacts, OtherMembers};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the client runs, and with what.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ClientSide {
    /// The machine.
    pub host: Option<HostFacts>,
    /// Worker threads.
    pub threads: Option<usize>,
    /// Cores of the client.
    pub cores: Vec<usize>,
    /// Their frequency governors, each once.
    pub governors: Vec<String>,
    /// Cores of the embedded simulator.
    pub mock_cores: Vec<usize>,
    /// Most connections at once.
    pub max_connections: Option<usize>,
    /// What bounds them.
    pub connections_bound_by: Option<Bound>,
    /// Connections opened before the clock starts.
    pub connections_opened_ahead: Option<usize>,
    /// What it receives with.
    pub io: Option<Received>,
    /// Of another version.
    #[serde(flatten)]
    pub other: OtherMembers,
}

/// What bounds the number of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// `--max-connections`.
    Plan,
    /// The hard limit of open files.
    Descriptors,
    /// The range of local ports.
    Ports,
}

/// The way of receiving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Received {
    /// `epoll` or `io_uring`.
    pub receives_with: String,
    /// Why this one.
    pub because: String,
}
