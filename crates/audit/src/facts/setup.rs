//! What a set-up consists of: the items that a comparison holds equal and a publication states.

use serde::Serialize;

macro_rules! items {
    ($($variant:ident $name:literal $label:literal;)*) => {
        /// An item of the set-up.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum SetupItem {
            $(#[doc = $label] $variant,)*
        }

        impl SetupItem {
            /// All items.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in `--state` and in mapping files.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The name printed.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

items! {
    GpuModel "gpu-model" "GPU model";
    GpuCount "gpu-count" "GPU count";
    GpuMemory "gpu-memory" "GPU memory";
    Interconnect "interconnect" "interconnect";
    Network "network" "network";
    Storage "storage" "storage";
    Model "model" "model";
    ModelVersion "model-version" "model version";
    ModelSize "model-size" "model size";
    Precision "precision" "precision";
    Engine "engine" "engine";
    EngineVersion "engine-version" "engine version";
    EngineFlags "engine-flags" "engine flags";
    TensorParallel "tensor-parallel" "tensor parallelism";
    PipelineParallel "pipeline-parallel" "pipeline parallelism";
    DataParallel "data-parallel" "data parallelism";
    BatchLimits "batch-limits" "batch limits";
    AttentionBackend "attention-backend" "attention back end";
    Scheduling "scheduling" "scheduling";
    PrefixCache "prefix-cache" "prefix cache";
    ChunkedPrefill "chunked-prefill" "chunked prefill";
    Speculation "speculation" "speculative decoding";
    Tuning "tuning" "tuning trials or parameters";
    ClientPlacement "client-placement" "client placement";
    Client "client" "measuring client";
    ClientCores "client-cores" "the client's cores";
    Tokenizer "tokenizer" "tokenizer";
    ChatTemplate "chat-template" "chat template";
    Dataset "dataset" "dataset";
    ServerLogging "server-logging" "server logging";
    CacheHitRate "cache-hit-rate" "prefix-cache hit rate";
}

impl SetupItem {
    /// The item of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|item| item.name() == name)
    }
}
