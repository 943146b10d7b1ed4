//! The machine that the client runs on.

use super::OtherMembers;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the client runs on. Each fact is absent where the system does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct HostFacts {
    /// CPU model name.
    pub cpu: Option<String>,
    /// Cores of the host that are on line.
    pub cores: Option<usize>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Frequency governor of the first core.
    pub governor: Option<String>,
    /// Kernel clock source.
    pub clock_source: Option<String>,
    /// The hypervisor or product that this host is a guest of; absent on bare metal, too.
    pub virtualization: Option<String>,
    /// Memory, bytes.
    pub memory_bytes: Option<u64>,
    /// cgroup v2 CPU limit (`cpu.max`).
    pub cgroup_cpu_max: Option<String>,
    /// cgroup v2 memory limit (`memory.max`).
    pub cgroup_memory_max: Option<String>,
    /// Soft limit of file descriptors.
    pub fd_limit: Option<u64>,
    /// Local ports for outgoing connections.
    pub local_ports: Option<(u16, u16)>,
    /// Load average over the last minute, as text.
    pub load_average: Option<String>,
    /// Of another version.
    #[serde(flatten)]
    pub other: OtherMembers,
}
