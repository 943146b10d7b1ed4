//! The quantities that a metrics page may have: one table for every engine, every GPU's exporter and hosts.
//!
//! A reader of an engine or an exporter says which of its series is which quantity; whoever computes knows quantities
//! alone. Invariant: a quantity's name never changes, since files of readings hold it, and the first ten are
//! those of version 1 in its order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a value of a quantity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuantityKind {
    /// A value at an instant.
    Gauge,
    /// A sum since the server started.
    Counter,
    /// Counts by bucket since the server started.
    Histogram,
}

/// What a quantity is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuantityUnit {
    /// Requests.
    Requests,
    /// Tokens.
    Tokens,
    /// 0 to 1.
    Share,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
    /// Floating-point operations.
    Flop,
    /// Pieces of what the name says.
    Number,
    /// Watts.
    Watts,
    /// Joules.
    Joules,
    /// Cycles per second.
    Hertz,
    /// Degrees Celsius.
    Celsius,
    /// A whole number whose bits each say something.
    Bits,
}

/// How the values of several engines become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// They are added.
    Sum,
    /// Their mean.
    Mean,
    /// The greatest.
    Max,
}

macro_rules! quantities {
    ($($name:ident = $text:literal, $kind:ident, $unit:ident, $over:ident, $doc:literal;)+) => {
        /// A quantity.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Quantity {
            $(#[doc = $doc] $name,)+
        }

        impl Quantity {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name, as files have it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What its values are.
            pub const fn kind(self) -> QuantityKind {
                match self { $(Self::$name => QuantityKind::$kind,)+ }
            }

            /// What it is measured in.
            pub const fn unit(self) -> QuantityUnit {
                match self { $(Self::$name => QuantityUnit::$unit,)+ }
            }

            /// How several engines combine.
            pub const fn over(self) -> Over {
                match self { $(Self::$name => Over::$over,)+ }
            }

            /// What it is, in a line.
            pub const fn doc(self) -> &'static str {
                match self { $(Self::$name => $doc,)+ }
            }
        }
    };
}

quantities! {
    Running = "running", Gauge, Requests, Sum, "Requests that take part in the engine's steps.";
    Waiting = "waiting", Gauge, Requests, Sum, "Requests in its queue.";
    KvUsage = "kv_usage", Gauge, Share, Mean, "Share of the KV cache in use.";
    Preemptions = "preemptions", Counter, Number, Sum, "Sequences that gave their KV cache back.";
    PrefixQueries = "prefix_queries", Counter, Tokens, Sum, "Prompt tokens looked up in the prefix cache.";
    PrefixHits = "prefix_hits", Counter, Tokens, Sum, "Of those, found.";
    Drafts = "drafts", Counter, Number, Sum, "Drafts verified.";
    DraftTokens = "draft_tokens", Counter, Tokens, Sum, "Tokens of these drafts.";
    AcceptedTokens = "accepted_tokens", Counter, Tokens, Sum, "Of those, accepted.";
    AcceptedLength = "accepted_length", Gauge, Tokens, Mean,
        "Tokens per verified draft as the engine itself averages them lately.";
    AcceptanceRate = "acceptance_rate", Gauge, Share, Mean,
        "Share of the draft tokens accepted, as the engine itself averages it lately.";
    AcceptedByPosition = "accepted_by_position", Counter, Tokens, Sum,
        "Draft tokens accepted, by position in the draft.";
    Paused = "paused", Gauge, Requests, Sum, "Requests taken out of the steps for a time.";
    AwaitingFirst = "awaiting_first", Gauge, Requests, Sum, "Requests in a front end that have no first token yet.";
    PrefixHitRate = "prefix_hit_rate", Gauge, Share, Mean,
        "Share of prompt tokens found in the prefix cache, as the engine itself averages it.";
    KvTokens = "kv_tokens", Gauge, Tokens, Sum, "Tokens that the KV cache holds.";
    HostKvUsage = "host_kv_usage", Gauge, Share, Mean, "Share of the KV cache in the host's memory in use.";
    PromptTokens = "prompt_tokens", Counter, Tokens, Sum, "Prompt tokens of the requests.";
    CachedTokens = "cached_tokens", Counter, Tokens, Sum, "Prompt tokens that needed no computing.";
    GenerationTokens = "generation_tokens", Counter, Tokens, Sum, "Tokens generated.";
    EvictedTokens = "evicted_tokens", Counter, Tokens, Sum, "Tokens that the prefix cache gave up.";
    LoadedBackTokens = "loaded_back_tokens", Counter, Tokens, Sum,
        "Tokens whose KV cache came back from the host's memory.";
    ExternalQueries = "external_queries", Counter, Tokens, Sum,
        "Prompt tokens looked up in a cache outside the engine.";
    ExternalHits = "external_hits", Counter, Tokens, Sum, "Of those, found.";
    ReusedBlocks = "reused_blocks", Counter, Number, Sum, "Blocks of the KV cache used again.";
    MissedBlocks = "missed_blocks", Counter, Number, Sum, "Blocks of the KV cache that had to be computed.";
    Finished = "finished", Counter, Requests, Sum, "Requests that ended, by reason where the page says it.";
    Aborted = "aborted", Counter, Requests, Sum, "Requests given up.";
    Failed = "failed", Counter, Requests, Sum, "Requests that failed.";
    Refused = "refused", Counter, Requests, Sum, "Requests that were not admitted.";
    Flops = "flops", Counter, Flop, Mean, "Floating-point operations per GPU, as the engine estimates them.";
    BytesRead = "bytes_read", Counter, Bytes, Mean,
        "Bytes read from memory per GPU, as the engine estimates them.";
    BytesWritten = "bytes_written", Counter, Bytes, Mean,
        "Bytes written to memory per GPU, as the engine estimates them.";
    IdleTime = "idle_time", Counter, Seconds, Mean, "Time in which the scheduler had nothing to do.";
    TokenRate = "token_rate", Gauge, Tokens, Sum, "Tokens generated per second, as the engine averages them.";
    PrefillBootstrap = "prefill_bootstrap", Gauge, Requests, Sum,
        "Requests of a prefill pool that wait for their decode side.";
    PrefillInflight = "prefill_inflight", Gauge, Requests, Sum,
        "Requests of a prefill pool whose KV cache is on its way.";
    DecodePrealloc = "decode_prealloc", Gauge, Requests, Sum,
        "Requests of a decode pool that wait for room.";
    DecodeTransfer = "decode_transfer", Gauge, Requests, Sum,
        "Requests of a decode pool whose KV cache is on its way.";
    TransfersFailed = "transfers_failed", Counter, Requests, Sum, "KV caches that did not arrive.";
    TransferRate = "transfer_rate", Gauge, Bytes, Mean, "Bytes of KV cache per second, of the last transfers.";
    TransferLatency = "transfer_latency", Gauge, Seconds, Mean, "Time of the last transfers of a KV cache.";
    Balancedness = "balancedness", Gauge, Share, Mean, "How evenly experts are loaded; 1 is evenly.";
    TokenImbalance = "token_imbalance", Gauge, Number, Max,
        "Tokens of the most loaded data-parallel rank over the mean.";
    Ttft = "ttft", Histogram, Seconds, Sum, "From a request's arrival to its first token.";
    Itl = "itl", Histogram, Seconds, Sum, "Between successive outputs of a request.";
    Tpot = "tpot", Histogram, Seconds, Sum, "Mean time per token after the first of a request.";
    E2e = "e2e", Histogram, Seconds, Sum, "From a request's arrival to its last token.";
    QueueTime = "queue_time", Histogram, Seconds, Sum, "From a request's arrival to its admission.";
    PrefillTime = "prefill_time", Histogram, Seconds, Sum, "From a request's admission to its first token.";
    DecodeTime = "decode_time", Histogram, Seconds, Sum, "From a request's first token to its last.";
    InferenceTime = "inference_time", Histogram, Seconds, Sum, "From a request's admission to its last token.";
    IterationTime = "iteration_time", Histogram, Seconds, Sum, "Time of a step.";
    IterationTokens = "iteration_tokens", Histogram, Tokens, Sum, "Tokens of a step.";
    TransferTime = "transfer_time", Histogram, Seconds, Sum, "Time of the transfer of a KV cache.";
    GpuUtilisation = "gpu_utilisation", Gauge, Share, Mean,
        "Share of the time in which a kernel ran on the GPU, however small.";
    GpuMemoryBusyProxy = "gpu_memory_busy_proxy", Gauge, Share, Mean,
        "Share of the time in which the GPU's memory was read or written at all: a proxy, not its bandwidth.";
    GpuSmActive = "gpu_sm_active", Gauge, Share, Mean, "Share of the time and of the SMs with a warp on them.";
    GpuTensorActive = "gpu_tensor_active", Gauge, Share, Mean, "Share of the cycles in which tensor cores worked.";
    GpuDramActive = "gpu_dram_active", Gauge, Share, Mean,
        "Share of the cycles in which the GPU's memory moved data: of its bandwidth.";
    GpuMemoryUsed = "gpu_memory_used", Gauge, Bytes, Sum, "Bytes of the GPU's memory in use.";
    GpuMemoryFree = "gpu_memory_free", Gauge, Bytes, Sum, "Bytes of the GPU's memory that are free.";
    GpuMemoryTotal = "gpu_memory_total", Gauge, Bytes, Sum, "Bytes of the GPU's memory.";
    GpuProcessMemory = "gpu_process_memory", Gauge, Bytes, Sum,
        "Bytes of the GPU's memory that processes hold, by process.";
    GpuPower = "gpu_power", Gauge, Watts, Sum, "Power that the GPU's board draws, as its sensor averages it.";
    GpuPowerLimit = "gpu_power_limit", Gauge, Watts, Sum, "Power that the board may draw.";
    GpuEnergy = "gpu_energy", Counter, Joules, Sum, "Energy that the board has drawn.";
    GpuSmClock = "gpu_sm_clock", Gauge, Hertz, Mean, "Clock of the GPU's multiprocessors.";
    GpuMemoryClock = "gpu_memory_clock", Gauge, Hertz, Mean, "Clock of the GPU's memory.";
    GpuTemperature = "gpu_temperature", Gauge, Celsius, Max, "Temperature of the GPU.";
    GpuMemoryTemperature = "gpu_memory_temperature", Gauge, Celsius, Max, "Temperature of the GPU's memory.";
    GpuThrottleReasons = "gpu_throttle_reasons", Gauge, Bits, Max,
        "Why the GPU's clock is not higher, in the bits of NVIDIA's libraries.";
    GpuPowerThrottled = "gpu_power_throttled", Counter, Seconds, Sum,
        "Time in which the power limit held the clock down.";
    GpuThermalThrottled = "gpu_thermal_throttled", Counter, Seconds, Sum,
        "Time in which the temperature held the clock down.";
    GpuEccCorrected = "gpu_ecc_corrected", Counter, Number, Sum, "Errors of the GPU's memory that were corrected.";
    GpuEccUncorrected = "gpu_ecc_uncorrected", Counter, Number, Sum,
        "Errors of the GPU's memory that could not be corrected.";
    GpuXid = "gpu_xid", Gauge, Number, Max, "Number of the last error that NVIDIA's driver logged; 0 of none.";
    GpuPcieSent = "gpu_pcie_sent", Gauge, Bytes, Sum, "Bytes per second that the GPU sent over PCIe.";
    GpuPcieReceived = "gpu_pcie_received", Gauge, Bytes, Sum, "Bytes per second that the GPU received over PCIe.";
    GpuPcieReplays = "gpu_pcie_replays", Counter, Number, Sum, "Packets that PCIe had to send again.";
    GpuLinkSent = "gpu_link_sent", Gauge, Bytes, Sum, "Bytes per second that the GPU sent over NVLink.";
    GpuLinkReceived = "gpu_link_received", Gauge, Bytes, Sum, "Bytes per second that the GPU received over NVLink.";
    HostCpuTime = "host_cpu_time", Counter, Seconds, Sum, "CPU time of a host, by mode.";
    HostMemoryTotal = "host_memory_total", Gauge, Bytes, Sum, "Bytes of a host's memory.";
    HostMemoryAvailable = "host_memory_available", Gauge, Bytes, Sum,
        "Bytes of a host's memory that a process could still get.";
    Replicas = "replicas", Gauge, Number, Sum, "Replicas of the server.";
}

impl QuantityKind {
    /// Its name, as files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

impl QuantityUnit {
    /// Its name, as files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::Share => "share",
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Flop => "flop",
            Self::Number => "number",
            Self::Watts => "watts",
            Self::Joules => "joules",
            Self::Hertz => "hertz",
            Self::Celsius => "celsius",
            Self::Bits => "bits",
        }
    }
}

impl Quantity {
    /// That of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|quantity| quantity.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_those_of_version_1_come_first() {
        for quantity in Quantity::ALL {
            assert_eq!(Quantity::named(quantity.name()), Some(*quantity));
            assert!(quantity.doc().ends_with('.'), "{quantity:?}");
        }
        let first: Vec<&str> = Quantity::ALL[..10].iter().map(|q| q.name()).collect();
        assert_eq!(
            first,
            [
                "running",
                "waiting",
                "kv_usage",
                "preemptions",
                "prefix_queries",
                "prefix_hits",
                "drafts",
                "draft_tokens",
                "accepted_tokens",
                "accepted_length"
            ]
        );
        assert_eq!(Quantity::named("run"), None);
    }
}
