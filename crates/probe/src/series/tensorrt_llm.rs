//! TensorRT-LLM's series: those of its own server, those that Dynamo passed on under an older prefix, and those of
//! its backend in Triton, where one series has several figures, told apart by a label.

use super::{Apart, Label, Reader, Series, series};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::TensorrtLlm,
    apart: Apart::Engines,
    series: &SERIES,
};

/// A figure of Triton's backend.
const fn labelled(quantity: Q, names: &'static [&'static str], only: &'static [Label]) -> Series {
    series(quantity, names).only(only)
}

const fn request_type(value: &'static str) -> Label {
    Label {
        name: "request_type",
        value,
    }
}

const SCHEDULED: &[Label] = &[request_type("scheduled")];
const WAITING: &[Label] = &[request_type("waiting")];
const FRACTION: &[Label] = &[Label {
    name: "kv_cache_block_type",
    value: "fraction",
}];

static SERIES: [Series; 28] = [
    series(
        Q::Running,
        &["trtllm_num_requests_running", "trtllm:num_requests_running"],
    ),
    series(
        Q::Waiting,
        &["trtllm_num_requests_waiting", "trtllm:num_requests_waiting"],
    ),
    labelled(Q::Running, &["nv_trt_llm_request_metrics"], SCHEDULED),
    labelled(Q::Waiting, &["nv_trt_llm_request_metrics"], WAITING),
    labelled(Q::KvUsage, &["nv_trt_llm_kv_cache_block_metrics"], FRACTION),
    series(Q::Paused, &["trtllm_num_paused_requests"]),
    series(
        Q::KvUsage,
        &["trtllm_kv_cache_utilization", "trtllm:kv_cache_utilization"],
    ),
    series(Q::HostKvUsage, &["trtllm_kv_cache_host_utilization"]),
    series(
        Q::PrefixHitRate,
        &["trtllm_kv_cache_hit_rate", "trtllm:kv_cache_hit_rate"],
    ),
    series(Q::ReusedBlocks, &["trtllm_kv_cache_reused_blocks"]),
    series(Q::MissedBlocks, &["trtllm_kv_cache_missed_blocks"]),
    series(Q::DraftTokens, &["trtllm_spec_decode_num_draft_tokens"]),
    series(
        Q::AcceptedTokens,
        &["trtllm_spec_decode_num_accepted_tokens"],
    ),
    series(Q::AcceptedLength, &["trtllm_spec_decode_acceptance_length"]),
    series(Q::PromptTokens, &["trtllm_prompt_tokens"]),
    series(Q::GenerationTokens, &["trtllm_generation_tokens"]),
    series(
        Q::Finished,
        &["trtllm_request_success", "trtllm:request_success"],
    )
    .by("finished_reason"),
    series(
        Q::Ttft,
        &[
            "trtllm_time_to_first_token_seconds",
            "trtllm:time_to_first_token_seconds",
        ],
    ),
    series(
        Q::Tpot,
        &[
            "trtllm_time_per_output_token_seconds",
            "trtllm:time_per_output_token_seconds",
        ],
    ),
    series(
        Q::E2e,
        &[
            "trtllm_e2e_request_latency_seconds",
            "trtllm:e2e_request_latency_seconds",
        ],
    ),
    series(
        Q::QueueTime,
        &[
            "trtllm_request_queue_time_seconds",
            "trtllm:request_queue_time_seconds",
        ],
    ),
    series(Q::PrefillTime, &["trtllm_request_prefill_time_seconds"]),
    series(Q::DecodeTime, &["trtllm_request_decode_time_seconds"]),
    series(Q::InferenceTime, &["trtllm_request_inference_time_seconds"]),
    series(Q::IterationTime, &["trtllm_iteration_latency_seconds"]),
    series(Q::IterationTokens, &["trtllm_prefill_batch_tokens"]),
    series(Q::PromptTokens, &["nv_llm_input_token_len_sum"]),
    series(Q::GenerationTokens, &["nv_llm_output_token_len_sum"]),
];
