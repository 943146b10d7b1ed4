//! Engines derived from a model's shape and a data sheet. None of them was measured.
//!
//! Sources: the models' config.json files (layers, heads, head size) and their published numbers of
//! parameters; NVIDIA's data sheets (memory, bandwidth, dense FLOP/s, power). The same few assumptions for
//! all of them stand below as constants. Invariant: whatever is not a fact of a source is one of
//! these constants.

use super::{Preset, PresetFacts};
use crate::engine::{EngineParams, KvParams, StepLaw};

/// Share of the memory's bandwidth at which a step reads the weights, kernels' starts and the
/// scheduler's time included: 70 to 75 % is what engines reach.
const WEIGHTS_BANDWIDTH: f64 = 0.7;

/// Share of the memory's bandwidth at which attention reads the cache.
const KV_BANDWIDTH: f64 = 0.9;

/// Share of the peak FLOP/s that a prefill reaches on one device.
const PREFILL_PEAK: f64 = 0.65;

/// The same with tensor parallelism: devices wait for each other.
const PARALLEL_PREFILL_PEAK: f64 = 0.5;

/// Share of the peak FLOP/s that attention reaches over the pairs of a prompt.
const ATTENTION_PEAK: f64 = 0.5;

/// One all-reduce of a decode step between devices, nanoseconds; two in each layer.
const ALL_REDUCE_NS: f64 = 15_000.0;

/// Sampling and bookkeeping per sequence, nanoseconds.
const PER_SEQUENCE_NS: i64 = 2_000;

/// Share of the memory that an engine takes: vLLM's default.
const MEMORY_SHARE: f64 = 0.9;

/// Activations, graphs and communication buffers on each device, bytes.
const OVERHEAD_BYTES: f64 = 1.5e9;

/// Tokens per block: vLLM's default.
const BLOCK_SIZE: u32 = 16;

/// What a data sheet says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gpu {
    name: &'static str,
    memory_gb: f64,
    bandwidth: f64,
    bf16_flops: f64,
    fp8_flops: f64,
    power_w: f64,
}

pub(super) const H100: Gpu = Gpu {
    name: "H100 SXM",
    memory_gb: 80.0,
    bandwidth: 3.35e12,
    bf16_flops: 989e12,
    fp8_flops: 1979e12,
    power_w: 700.0,
};

const H200: Gpu = Gpu {
    name: "H200 SXM",
    memory_gb: 141.0,
    bandwidth: 4.8e12,
    ..H100
};

/// Without 8-bit floats: it computes such models in bf16.
const A100: Gpu = Gpu {
    name: "A100 SXM 80GB",
    memory_gb: 80.0,
    bandwidth: 2.039e12,
    bf16_flops: 312e12,
    fp8_flops: 312e12,
    power_w: 400.0,
};

const L40S: Gpu = Gpu {
    name: "L40S",
    memory_gb: 48.0,
    bandwidth: 0.864e12,
    bf16_flops: 362e12,
    fp8_flops: 733e12,
    power_w: 350.0,
};

const L4: Gpu = Gpu {
    name: "L4",
    memory_gb: 24.0,
    bandwidth: 0.3e12,
    bf16_flops: 121e12,
    fp8_flops: 242e12,
    power_w: 72.0,
};

/// How weights are stored. The KV cache is bf16 in every case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Precision {
    Bf16,
    Fp8,
}

/// What a model's configuration says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    name: &'static str,
    parameters: f64,
    /// Used by one token: fewer than all in a mixture of experts.
    active: f64,
    precision: Precision,
    layers: f64,
    heads: f64,
    kv_heads: f64,
    head_size: f64,
}

const LLAMA_8B: Model = Model {
    name: "Llama 3.1 8B",
    parameters: 8.03e9,
    active: 8.03e9,
    precision: Precision::Bf16,
    layers: 32.0,
    heads: 32.0,
    kv_heads: 8.0,
    head_size: 128.0,
};

pub(super) const LLAMA_70B: Model = Model {
    name: "Llama 3.1 70B",
    parameters: 70.55e9,
    active: 70.55e9,
    layers: 80.0,
    heads: 64.0,
    ..LLAMA_8B
};

const LLAMA_405B_FP8: Model = Model {
    name: "Llama 3.1 405B",
    parameters: 405.9e9,
    active: 405.9e9,
    precision: Precision::Fp8,
    layers: 126.0,
    heads: 128.0,
    ..LLAMA_8B
};

const QWEN_32B: Model = Model {
    name: "Qwen2.5 32B",
    parameters: 32.76e9,
    active: 32.76e9,
    layers: 64.0,
    heads: 40.0,
    ..LLAMA_8B
};

const MIXTRAL: Model = Model {
    name: "Mixtral 8x7B",
    parameters: 46.7e9,
    active: 12.9e9,
    ..LLAMA_8B
};

/// A model on devices, tensor-parallel over all of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Machine {
    pub model: Model,
    pub gpu: Gpu,
    pub gpus: u32,
}

impl Machine {
    /// The engine's law.
    pub fn law(&self) -> StepLaw {
        let (model, devices) = (self.model, f64::from(self.gpus));
        let bandwidth = self.gpu.bandwidth * devices;
        let (flops, prefill_peak) = (self.flops(), self.prefill_peak());
        let weights_s = model.weight_bytes() / (bandwidth * WEIGHTS_BANDWIDTH);
        let prefill_s = 2.0 * model.active / (flops * prefill_peak);
        let kv_s = model.kv_bytes() / (bandwidth * KV_BANDWIDTH);
        // Two products of a query with keys and of weights with values, two operations each.
        let pair_flop = 4.0 * model.layers * model.heads * model.head_size;
        StepLaw::Batched {
            base_ns: (weights_s * 1e9 + self.all_reduces_ns()).round() as i64,
            per_prefill_token_ns: (prefill_s * 1e9).round() as i64,
            per_sequence_ns: PER_SEQUENCE_NS,
            per_kv_token_ns: kv_s * 1e9,
            per_attention_ns: pair_flop / (flops * ATTENTION_PEAK) * 1e9,
        }
    }

    /// What the weights leave of the memory, as blocks.
    pub fn kv(&self) -> KvParams {
        let devices = f64::from(self.gpus);
        let memory = (self.gpu.memory_gb * 1e9 * MEMORY_SHARE - OVERHEAD_BYTES) * devices;
        let tokens = (memory - self.model.weight_bytes()) / self.model.kv_bytes();
        KvParams {
            block_size: BLOCK_SIZE,
            blocks: (tokens / f64::from(BLOCK_SIZE)) as u32,
            prefix_cache: true,
        }
    }

    /// The facts, for display.
    pub fn facts(&self, source: &'static str) -> PresetFacts {
        PresetFacts {
            model: self.model.name,
            parameters: self.model.parameters,
            precision: match self.model.precision {
                Precision::Bf16 => "bf16",
                Precision::Fp8 => "fp8",
            },
            gpu: self.gpu.name,
            gpus: self.gpus,
            memory_gb: self.gpu.memory_gb,
            board_w: self.gpu.power_w,
            kv_bytes_per_token: self.model.kv_bytes() as u64,
            source,
        }
    }

    fn flops(&self) -> f64 {
        let each = match self.model.precision {
            Precision::Bf16 => self.gpu.bf16_flops,
            Precision::Fp8 => self.gpu.fp8_flops,
        };
        each * f64::from(self.gpus)
    }

    fn prefill_peak(&self) -> f64 {
        if self.gpus > 1 {
            PARALLEL_PREFILL_PEAK
        } else {
            PREFILL_PEAK
        }
    }

    fn all_reduces_ns(&self) -> f64 {
        if self.gpus > 1 {
            2.0 * self.model.layers * ALL_REDUCE_NS
        } else {
            0.0
        }
    }
}

impl Model {
    fn weight_bytes(&self) -> f64 {
        self.parameters
            * match self.precision {
                Precision::Bf16 => 2.0,
                Precision::Fp8 => 1.0,
            }
    }

    /// Keys and values of one token in all layers, bf16.
    fn kv_bytes(&self) -> f64 {
        2.0 * self.layers * self.kv_heads * self.head_size * 2.0
    }
}

/// vLLM's default limit of tokens in a step of a server: on devices of 80 GB and more but the A100.
const LARGE_BUDGET: u32 = 8_192;

/// The same on others.
const SMALL_BUDGET: u32 = 2_048;

/// Sequences running at once: vLLM's default for servers.
const MAX_NUM_SEQS: u32 = 256;

/// The derived presets: name, simulated model's name, machine, greatest length, budget of a step.
const ROWS: [(&str, &str, Machine, u32, u32); 7] = [
    (
        "llama-8b-h100",
        "mock/llama-8b-h100",
        on(LLAMA_8B, H100, 1),
        131_072,
        LARGE_BUDGET,
    ),
    (
        "llama-8b-a100",
        "mock/llama-8b-a100",
        on(LLAMA_8B, A100, 1),
        131_072,
        SMALL_BUDGET,
    ),
    (
        "llama-8b-l40s",
        "mock/llama-8b-l40s",
        on(LLAMA_8B, L40S, 1),
        131_072,
        SMALL_BUDGET,
    ),
    // The KV cache holds 30,000 tokens: too few for one request of the model's greatest length.
    (
        "llama-8b-l4",
        "mock/llama-8b-l4",
        on(LLAMA_8B, L4, 1),
        16_384,
        SMALL_BUDGET,
    ),
    // The KV cache holds 19,000 tokens: an engine short of memory, which preempts under load.
    (
        "qwen-32b-h100",
        "mock/qwen-32b-h100",
        on(QWEN_32B, H100, 1),
        16_384,
        LARGE_BUDGET,
    ),
    // A step is taken to read all experts, as it does from a batch of about ten on.
    (
        "mixtral-8x7b-2xh100",
        "mock/mixtral-8x7b-2xh100",
        on(MIXTRAL, H100, 2),
        32_768,
        LARGE_BUDGET,
    ),
    (
        "llama-405b-8xh200",
        "mock/llama-405b-8xh200",
        on(LLAMA_405B_FP8, H200, 8),
        131_072,
        LARGE_BUDGET,
    ),
];

const fn on(model: Model, gpu: Gpu, gpus: u32) -> Machine {
    Machine { model, gpu, gpus }
}

/// The derived preset of a name.
pub(super) fn preset(wanted: &str) -> Option<Preset> {
    let (name, model, machine, max_model_len, budget) =
        ROWS.into_iter().find(|(name, ..)| *name == wanted)?;
    Some(Preset {
        name,
        model,
        max_model_len,
        answer_limit: None,
        engine: EngineParams {
            kv: Some(machine.kv()),
            ..EngineParams::plain(machine.law(), MAX_NUM_SEQS, budget)
        },
        facts: Some(machine.facts("derived from the model's configuration and the data sheet")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_model_on_a_large_device_is_what_hand_calculation_says() {
        let machine = on(LLAMA_8B, H100, 1);
        let StepLaw::Batched {
            base_ns,
            per_prefill_token_ns,
            per_sequence_ns,
            per_kv_token_ns,
            per_attention_ns,
        } = machine.law()
        else {
            panic!("a batched law");
        };
        // 16.06 GB / (3.35 TB/s x 0.7); 2 x 8.03e9 / (989e12 x 0.65).
        assert_eq!(base_ns, 6_848_614);
        assert_eq!(per_prefill_token_ns, 24_982);
        // 131,072 bytes / (3.35 TB/s x 0.9); 524,288 / (989e12 x 0.5).
        assert!(
            (per_kv_token_ns - 43.474).abs() < 0.001,
            "{per_kv_token_ns}"
        );
        assert!(
            (per_attention_ns - 1.0602).abs() < 0.0001,
            "{per_attention_ns}"
        );
        let per_decode_ns = per_sequence_ns as f64 + 1000.0 * per_kv_token_ns;
        assert!((per_decode_ns - 45_474.0).abs() < 1.0, "{per_decode_ns}");
        // (80 GB x 0.9 - 1.5 GB - 16.06 GB) / 131,072 bytes / 16.
        assert_eq!(machine.kv().blocks, 25_959);
    }
}
