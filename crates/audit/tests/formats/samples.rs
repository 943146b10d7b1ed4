//! One sample of each format, where they come from stands in `golden/README.md`.

use infermeter_audit::Format;

pub const VLLM: &str = include_str!("../golden/vllm.json");
pub const VLLM_PLAIN: &str = include_str!("../golden/vllm-plain.json");
pub const VLLM_OLD: &str = include_str!("../golden/vllm-old.json");
pub const VLLM_RUST: &str = include_str!("../golden/vllm-rust.json");
pub const SGLANG: &str = include_str!("../golden/sglang.jsonl");
pub const AIPERF: &str = include_str!("../golden/aiperf.json");
pub const AIPERF_REQUESTS: &str = include_str!("../golden/aiperf-requests.jsonl");
pub const GENAI_PERF: &str = include_str!("../golden/genai-perf.json");
pub const GUIDELLM: &str = include_str!("../golden/guidellm.json");
pub const INFERENCE_PERF: &str = include_str!("../golden/inference-perf.json");
pub const INFERENCE_PERF_REQUESTS: &str = include_str!("../golden/inference-perf-requests.json");
pub const LLMPERF: &str = include_str!("../golden/llmperf.json");
pub const LLMPERF_REQUESTS: &str = include_str!("../golden/llmperf-requests.json");
pub const GENAI_BENCH: &str = include_str!("../golden/genai-bench.json");
pub const LLMD: &str = include_str!("../golden/llmd.json");

pub const AIPERF_CSV: &str = include_str!("../golden/aiperf.csv");
pub const GENAI_PERF_CSV: &str = include_str!("../golden/genai-perf.csv");
pub const GUIDELLM_OLD: &str = include_str!("../golden/guidellm-old.json");
pub const GUIDELLM_CSV: &str = include_str!("../golden/guidellm.csv");
pub const MLPERF_SUMMARY: &str = include_str!("../golden/mlperf-summary.txt");
pub const MLPERF_DETAIL: &str = include_str!("../golden/mlperf-detail.txt");
pub const MLPERF_ENDPOINTS: &str = include_str!("../golden/mlperf-endpoints.json");

pub const EVALSCOPE: &str = include_str!("../golden/evalscope.json");
pub const EVALSCOPE_OLD: &str = include_str!("../golden/evalscope-old.json");
pub const EVALSCOPE_PERCENTILES: &str = include_str!("../golden/evalscope-percentiles.json");
pub const LLMETER: &str = include_str!("../golden/llmeter.json");
pub const LLMETER_REQUESTS: &str = include_str!("../golden/llmeter-requests.jsonl");
pub const OHA: &str = include_str!("../golden/oha.json");
pub const INFERENCEX: &str = include_str!("../golden/inferencex.json");
pub const INFERENCEX_API: &str = include_str!("../golden/inferencex-api.json");
pub const LLM_PERF: &str = include_str!("../golden/llm-perf.csv");

/// Every sample with its format.
pub const SAMPLES: [(&str, Format); 31] = [
    (VLLM, Format::Vllm),
    (VLLM_PLAIN, Format::Vllm),
    (VLLM_OLD, Format::Vllm),
    (VLLM_RUST, Format::VllmRust),
    (SGLANG, Format::Sglang),
    (AIPERF, Format::Aiperf),
    (AIPERF_REQUESTS, Format::Aiperf),
    (GENAI_PERF, Format::GenaiPerf),
    (GUIDELLM, Format::Guidellm),
    (INFERENCE_PERF, Format::InferencePerf),
    (INFERENCE_PERF_REQUESTS, Format::InferencePerf),
    (LLMPERF, Format::Llmperf),
    (LLMPERF_REQUESTS, Format::Llmperf),
    (GENAI_BENCH, Format::GenaiBench),
    (LLMD, Format::Llmd),
    (AIPERF_CSV, Format::Aiperf),
    (GENAI_PERF_CSV, Format::GenaiPerf),
    (GUIDELLM_OLD, Format::Guidellm),
    (GUIDELLM_CSV, Format::Guidellm),
    (MLPERF_SUMMARY, Format::MlperfLoadgen),
    (MLPERF_DETAIL, Format::MlperfLoadgen),
    (MLPERF_ENDPOINTS, Format::MlperfEndpoints),
    (EVALSCOPE, Format::Evalscope),
    (EVALSCOPE_OLD, Format::Evalscope),
    (EVALSCOPE_PERCENTILES, Format::Evalscope),
    (LLMETER, Format::Llmeter),
    (LLMETER_REQUESTS, Format::Llmeter),
    (OHA, Format::Oha),
    (INFERENCEX, Format::InferenceX),
    (INFERENCEX_API, Format::InferenceX),
    (LLM_PERF, Format::LlmPerf),
];
