//! What was seen of a host and of a target.
//!
//! It judges nothing. Invariant: a fact that nobody could read is an error that says why, or absent; no number
//! stands for it.

use infermeter_core::certificate::Citation;
use infermeter_core::environment::{HostFacts, TargetSide};
use infermeter_core::finding::Finding;

/// Something that was read, or why it could not be.
pub type Fact<T> = Result<T, String>;

/// The host, and what the client has of it.
#[derive(Debug, Clone)]
pub struct HostSeen {
    /// What goes into the record of every run.
    pub facts: HostFacts,
    /// The cores.
    pub cores: OwnCores,
    /// The CPU quota of the cgroup, or of one above it.
    pub quota: Fact<Quota>,
    /// What the cores did for a moment.
    pub load: Fact<CoreLoad>,
    /// The processor raises its frequency by itself.
    pub boost: Option<bool>,
    /// Memory that can be had, bytes.
    pub memory: Fact<u64>,
    /// The system's clock.
    pub clock: Fact<Discipline>,
    /// Descriptors and ports.
    pub room: Room,
    /// Ports that wait for stray packets of connections that have ended.
    pub time_wait: Fact<u64>,
    /// The kernel stamps what arrives.
    pub stamps: bool,
    /// io_uring.
    pub uring: Uring,
    /// What a run would cite of the certificate of this machine.
    pub calibration: Option<Citation>,
}

/// Cores that this process may use.
#[derive(Debug, Clone)]
pub struct OwnCores {
    /// Their numbers, ascending.
    pub allowed: Vec<usize>,
    /// Their frequency governors, each once; none without frequency scaling.
    pub governors: Vec<String>,
    /// The numbers that share one physical core, a list for each physical core.
    pub physical: Fact<Vec<Vec<usize>>>,
}

/// CPU time that is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quota {
    /// The least quota, in cores; absent without one.
    pub cores: Option<f64>,
    /// Time for which it was used up since the cgroup is there, seconds.
    pub throttled_s: f64,
    /// The same while this was looked at, seconds.
    pub throttled_now_s: f64,
}

/// What the allowed cores did meanwhile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoreLoad {
    /// For how long, seconds.
    pub seconds: f64,
    /// Cores that others kept busy.
    pub others: f64,
    /// Share of the time that the hypervisor took.
    pub stolen: f64,
    /// The core with the most time in interrupts.
    pub interrupted: usize,
    /// Its share of time in them.
    pub interrupt_share: f64,
    /// Its interrupts per second; absent where the kernel does not count them.
    pub interrupts_per_s: Option<f64>,
    /// Share of the last ten seconds in which something waited for a core.
    pub pressure: Option<f64>,
}

/// How the system's clock is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discipline {
    /// Something keeps it right.
    pub synchronised: bool,
    /// How far off it can be at most, as the kernel reckons, milliseconds.
    pub bound_ms: f64,
}

/// Connections that are possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Descriptors that this process may have, after it has asked for more.
    pub descriptors: u64,
    /// Of these, for other things than connections.
    pub reserved: u64,
    /// Connections that the plan asks for; absent where it does not say.
    pub asked: Option<u64>,
}

/// io_uring here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uring {
    /// It received something, or why not.
    pub tried: Result<(), String>,
    /// `kernel.io_uring_disabled`; absent where the kernel has no such switch.
    pub disabled: Option<u32>,
    /// A filter stands over the system calls of this process.
    pub filtered: Option<bool>,
}

/// A target.
#[derive(Debug, Clone)]
pub struct TargetSeen {
    /// As it was named, without credentials.
    pub name: String,
    /// It is the embedded simulator.
    pub simulated: bool,
    /// Its requests go through TLS.
    pub tls: bool,
    /// Its addresses that accept connections; else why there are none.
    pub reached: Fact<Vec<Reached>>,
    /// How long its name took to resolve, milliseconds; absent of an address.
    pub resolved_ms: Option<f64>,
    /// What it said; else why it cannot be measured.
    pub answered: Fact<Answered>,
    /// What there is on this host to read a GPU with.
    pub gpu: Gpu,
}

/// A connection to one address.
#[derive(Debug, Clone, PartialEq)]
pub struct Reached {
    /// The address.
    pub name: String,
    /// How long the connection took, milliseconds.
    pub connect_ms: f64,
    /// How long all that came before requests took after that, milliseconds; else what went wrong.
    pub raised: Fact<f64>,
}

/// What a target said.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What goes into the record of a run.
    pub facts: TargetSide,
    /// The model that would be asked.
    pub model: String,
    /// Requests that were answered.
    pub answers: usize,
    /// Its API generates text.
    pub generates: bool,
    /// Figures that its metrics page has, by name.
    pub figures: Vec<String>,
    /// Doubts, which a run would have, too.
    pub doubts: Vec<Finding>,
}

/// What there is on this host to read a GPU with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gpu {
    /// The control device of NVIDIA's driver is there.
    pub device: bool,
    /// Where NVIDIA's library for management is.
    pub library: Option<String>,
    /// The version of NVIDIA's driver.
    pub driver: Option<String>,
    /// The compute device of AMD's driver is there.
    pub amd: bool,
}
