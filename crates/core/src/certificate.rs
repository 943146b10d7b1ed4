//! The calibration certificate: how far a client machine's own instants were from the truth, by
//! load, and what a run cites of it.
//!
//! Plain values. Measuring them is `infermeter calibrate`, comparing a run with them is `analysis`.
//!
//! Invariant: an error figure that its sample cannot carry is absent, never 0.

use crate::record::StampSource;
use crate::units::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the certificate's file.
pub const FORMAT_VERSION: u32 = 1;

/// Error bounds for which the highest load is looked for, microseconds.
pub const BOUNDS_US: [f64; 2] = [100.0, 1_000.0];

/// What was measured, on which machine, by which client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Version of infermeter that measured.
    pub infermeter_version: String,
    /// When, UTC: `2026-11-22T16:40:00Z`.
    pub created: String,
    /// Where.
    pub machine: Machine,
    /// With which settings of the client.
    pub client: ClientSettings,
    /// A signal ended it before its last rung.
    pub interrupted: bool,
    /// The rungs in the order of measuring.
    pub rungs: Vec<Rung>,
    /// The highest loads within each bound.
    pub limits: Vec<Limit>,
}

/// Facts of a machine that its error depends on. Absent where the system does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// CPU model name.
    pub cpu: Option<String>,
    /// Cores on line.
    pub cores: Option<usize>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Frequency governor.
    pub governor: Option<String>,
    /// Kernel clock source.
    pub clock_source: Option<String>,
    /// The hypervisor or product that the machine is a guest of.
    pub virtualization: Option<String>,
    /// cgroup CPU limit.
    pub cgroup_cpu_max: Option<String>,
}

impl Machine {
    /// The facts in which `now` differs: `kernel 6.18.1, now 6.19.0`.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let cores = |m: &Self| m.cores.map(|n| n.to_string());
        [
            ("CPU", self.cpu.clone(), now.cpu.clone()),
            ("cores", cores(self), cores(now)),
            ("kernel", self.kernel.clone(), now.kernel.clone()),
            ("governor", self.governor.clone(), now.governor.clone()),
            (
                "clock source",
                self.clock_source.clone(),
                now.clock_source.clone(),
            ),
            (
                "virtualization",
                self.virtualization.clone(),
                now.virtualization.clone(),
            ),
            (
                "CPU limit",
                self.cgroup_cpu_max.clone(),
                now.cgroup_cpu_max.clone(),
            ),
        ]
        .into_iter()
        .filter(|(_, then, now)| then != now)
        .map(|(name, then, now)| {
            let text = |fact: Option<String>| fact.unwrap_or_else(|| "unknown".to_owned());
            format!("{name} {}, now {}", text(then), text(now))
        })
        .collect()
    }
}

/// Settings of the client that was calibrated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientSettings {
    /// Worker threads.
    pub threads: usize,
    /// How it waits for its sockets: `epoll` or `io_uring`.
    pub io: String,
    /// Kernel receive stamps worked.
    pub kernel_stamps: bool,
    /// Artificial load per chunk.
    pub burn: Option<Span>,
}

/// What kind of load a rung is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LoadKind {
    /// A number of streams, each with so many tokens per second, in synchronised steps.
    Streams,
    /// So many short requests per second, open loop.
    Requests,
    /// Streams with events of so many bytes.
    Bytes,
    /// Streams with events of so many tokens.
    Chunks,
    /// Slots that ask for one token at once: the generator's ceiling in requests.
    Null,
    /// Streams as fast as the simulator writes: the generator's ceiling in events.
    Flood,
}

impl LoadKind {
    /// Every kind, in the order of printing.
    pub const ALL: [Self; 6] = [
        Self::Streams,
        Self::Requests,
        Self::Bytes,
        Self::Chunks,
        Self::Null,
        Self::Flood,
    ];

    /// The name that opens a rung's.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Streams => "streams",
            Self::Requests => "requests",
            Self::Bytes => "bytes",
            Self::Chunks => "chunks",
            Self::Null => "null",
            Self::Flood => "flood",
        }
    }

    /// It has no rate of its own: what it reaches is a ceiling, and its errors are not looked at.
    pub fn is_ceiling(self) -> bool {
        match self {
            Self::Streams | Self::Requests | Self::Bytes | Self::Chunks => false,
            Self::Null | Self::Flood => true,
        }
    }

    /// What is counted per second on this ladder.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Streams | Self::Bytes | Self::Chunks | Self::Flood => "events/s",
            Self::Requests | Self::Null => "requests/s",
        }
    }
}

/// How the bytes travel.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// TCP alone.
    Plain,
    /// TLS.
    Tls,
}

/// One load, measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rung {
    /// As `--rung` takes it: `streams:100x50`.
    pub name: String,
    /// Its kind.
    pub kind: LoadKind,
    /// Its transport.
    pub transport: Transport,
    /// Asked for, per second, in the kind's unit; absent for a ceiling.
    pub asked_per_s: Option<f64>,
    /// Events received inside the window, per second.
    pub events_per_s: f64,
    /// Requests completed inside the window, per second.
    pub requests_per_s: f64,
    /// Bytes on the wire per event, heads and frames included.
    pub bytes_per_event: Option<f64>,
    /// What was compared.
    pub joined: Joined,
    /// Errors of the kernel's stamps, where they worked.
    pub kernel: Option<Errors>,
    /// Errors of the program's stamps.
    pub program: Option<Errors>,
    /// Send - intended (open loop).
    pub send_lag: Option<Spread>,
    /// Share of the chunks whose instant is uncertain by more than 1 ms.
    pub uncertain_share: Option<f64>,
    /// What the client spent.
    pub cost: Cost,
    /// What the simulator did.
    pub simulator: SimulatorSide,
    /// Cores kept busy by anything else on this machine, or stolen from it.
    pub foreign_cores: Option<f64>,
    /// Why the rung says nothing about the client, where it does not.
    pub spoilt: Option<Spoilt>,
}

impl Rung {
    /// Per second in the kind's unit, as it came out.
    pub fn per_s(&self) -> f64 {
        match self.kind {
            LoadKind::Streams | LoadKind::Bytes | LoadKind::Chunks | LoadKind::Flood => {
                self.events_per_s
            }
            LoadKind::Requests | LoadKind::Null => self.requests_per_s,
        }
    }

    /// The errors by whose stamps.
    pub fn errors(&self, stamps: StampSource) -> Option<&Errors> {
        match stamps {
            StampSource::Kernel => self.kernel.as_ref(),
            StampSource::Program => self.program.as_ref(),
            StampSource::Imported => None,
        }
    }

    /// The largest of the errors' p99s, microseconds.
    pub fn worst_p99_us(&self, stamps: StampSource) -> Option<f64> {
        self.errors(stamps)?.worst_p99_us()
    }
}

/// Conservation of the comparison: `requests` + `without_truth` + `unequal` + `unfinished` are the
/// measured requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Joined {
    /// Requests compared.
    pub requests: u64,
    /// Their chunks.
    pub chunks: u64,
    /// Completed requests that the truth log does not have.
    pub without_truth: u64,
    /// Completed requests with another number of tokens than the truth log.
    pub unequal: u64,
    /// Requests that did not complete.
    pub unfinished: u64,
}

/// Absolute errors of instants, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Errors {
    /// (first chunk - send) - (first write - arrival).
    pub ttft: Option<Spread>,
    /// Chunk's instant - its write.
    pub chunk: Option<Spread>,
    /// Gap between chunks - gap between their writes.
    pub itl: Option<Spread>,
}

impl Errors {
    /// The largest p99; absent where the chunks are too few for one.
    pub fn worst_p99_us(&self) -> Option<f64> {
        let chunk = self.chunk?.p99_us?;
        let others = [self.ttft, self.itl].into_iter().flatten();
        Some(others.filter_map(|s| s.p99_us).fold(chunk, f64::max))
    }
}

/// A sample's own order statistics, microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Spread {
    /// Its size.
    pub n: u64,
    /// The median.
    pub p50_us: f64,
    /// The 99th percentile; absent below 100 values.
    pub p99_us: Option<f64>,
    /// The largest.
    pub max_us: f64,
}

/// What the client spent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// CPU time of the whole process per event, microseconds.
    pub cpu_us_per_event: Option<f64>,
    /// CPU time of the whole process per request, microseconds.
    pub cpu_us_per_request: Option<f64>,
    /// CPU time / wall time of the busiest worker thread.
    pub busiest_thread: Option<f64>,
    /// Time runnable but not running / wall time, of the worst worker thread.
    pub run_queue_wait_share: Option<f64>,
}

/// The simulator's own view.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SimulatorSide {
    /// CPU time / wall time of its thread.
    pub busy: Option<f64>,
    /// Time runnable but not running / wall time.
    pub run_queue_wait_share: Option<f64>,
    /// First write of a step - its planned end, p99, microseconds.
    pub step_lateness_p99_us: Option<f64>,
    /// Engine time given up because its host was too slow, milliseconds.
    pub lost_ms: Option<f64>,
}

/// Who spoilt a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spoiler {
    /// The simulator could not give the load.
    Simulator,
    /// Other work on the machine, or its hypervisor.
    OtherLoad,
    /// A signal.
    Interrupt,
    /// Requests failed, or too few could be compared.
    NothingToCompare,
}

/// Why a rung says nothing about the client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spoilt {
    /// Who.
    pub by: Spoiler,
    /// The figures behind it.
    pub evidence: String,
}

/// The highest load at which every error's p99 stays within a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Limit {
    /// The ladder.
    pub kind: LoadKind,
    /// Its transport.
    pub transport: Transport,
    /// Whose stamps.
    pub stamps: StampSource,
    /// The bound, microseconds.
    pub bound_us: f64,
    /// The highest usable rung below the first that exceeds the bound.
    pub proven: Option<Proven>,
    /// Why it is not higher.
    pub ended: LimitEnd,
}

/// A load that was shown to be within a bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Proven {
    /// The rung.
    pub rung: String,
    /// What it reached per second, in the kind's unit.
    pub per_s: f64,
    /// Its largest p99, microseconds.
    pub worst_p99_us: f64,
}

/// Why a limit is not higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LimitEnd {
    /// The next rung exceeds the bound.
    Exceeded,
    /// The simulator could not give more.
    Simulator,
    /// No higher rung was usable, or there was none.
    LadderEnd,
}

/// What a run cites of the certificate that its machine has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Citation {
    /// The certificate's file.
    pub path: String,
    /// SHA-256 of the file, hex; absent where it could not be read.
    pub sha256: Option<String>,
    /// The certificate's date; absent where it could not be read.
    pub created: Option<String>,
    /// The version that made it; absent where it could not be read.
    pub infermeter_version: Option<String>,
    /// Why it does not hold for this run; empty where it does.
    pub stale: Vec<String>,
    /// The usable rungs with errors.
    pub rungs: Vec<CitedRung>,
    /// Its limits.
    pub limits: Vec<Limit>,
}

/// A usable rung, in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CitedRung {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: LoadKind,
    /// Its transport.
    pub transport: Transport,
    /// What it reached per second, in the kind's unit.
    pub per_s: f64,
    /// Its largest p99 by the kernel's stamps, microseconds.
    pub kernel_p99_us: Option<f64>,
    /// Its largest p99 by the program's stamps, microseconds.
    pub program_p99_us: Option<f64>,
}

impl CitedRung {
    /// Of a rung; `None` for one that is spoilt or a ceiling.
    pub fn of(rung: &Rung) -> Option<Self> {
        (rung.spoilt.is_none() && !rung.kind.is_ceiling()).then(|| Self {
            name: rung.name.clone(),
            kind: rung.kind,
            transport: rung.transport,
            per_s: rung.per_s(),
            kernel_p99_us: rung.worst_p99_us(StampSource::Kernel),
            program_p99_us: rung.worst_p99_us(StampSource::Program),
        })
    }

    /// Its largest p99 by whose stamps, microseconds.
    pub fn worst_p99_us(&self, stamps: StampSource) -> Option<f64> {
        match stamps {
            StampSource::Kernel => self.kernel_p99_us,
            StampSource::Program => self.program_p99_us,
            StampSource::Imported => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_what_was_and_what_is() {
        let then = Machine {
            kernel: Some("6.18.1".to_owned()),
            cores: Some(2),
            ..Machine::default()
        };
        let now = Machine {
            kernel: Some("6.19.0".to_owned()),
            governor: Some("performance".to_owned()),
            ..then.clone()
        };
        assert_eq!(then.differences(&then), Vec::<String>::new());
        assert_eq!(
            then.differences(&now),
            [
                "kernel 6.18.1, now 6.19.0",
                "governor unknown, now performance"
            ]
        );
    }

    #[test]
    fn the_worst_error_counts_and_needs_its_chunks() {
        let spread = |p99_us: Option<f64>| {
            Some(Spread {
                n: 1,
                p50_us: 1.0,
                p99_us,
                max_us: 1.0,
            })
        };
        let errors = |ttft, chunk, itl| Errors {
            ttft: spread(ttft),
            chunk: spread(chunk),
            itl: spread(itl),
        };
        let worst = |e: Errors| e.worst_p99_us();
        assert_eq!(worst(errors(Some(9.0), Some(3.0), None)), Some(9.0));
        assert_eq!(worst(errors(None, Some(3.0), Some(2.0))), Some(3.0));
        assert_eq!(worst(errors(Some(9.0), None, Some(2.0))), None);
    }
}
