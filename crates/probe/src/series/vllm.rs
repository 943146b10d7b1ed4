//! vLLM's series: names and types of a page of version 0.32, older names behind them.

use super::{Apart, Reader, Series, series};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::Vllm,
    apart: Apart::Engines,
    series: &SERIES,
};

static SERIES: [Series; 32] = [
    series(Q::Running, &["vllm:num_requests_running"]),
    series(Q::Waiting, &["vllm:num_requests_waiting"]),
    series(Q::Paused, &["vllm:num_requests_swapped"]),
    series(
        Q::KvUsage,
        &["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
    ),
    series(Q::HostKvUsage, &["vllm:cpu_cache_usage_perc"]),
    series(Q::Preemptions, &["vllm:num_preemptions"]),
    series(Q::PrefixQueries, &["vllm:prefix_cache_queries"]),
    series(Q::PrefixHits, &["vllm:prefix_cache_hits"]),
    series(Q::ExternalQueries, &["vllm:external_prefix_cache_queries"]),
    series(Q::ExternalHits, &["vllm:external_prefix_cache_hits"]),
    series(Q::Drafts, &["vllm:spec_decode_num_drafts"]),
    series(Q::DraftTokens, &["vllm:spec_decode_num_draft_tokens"]),
    series(Q::AcceptedTokens, &["vllm:spec_decode_num_accepted_tokens"]),
    series(
        Q::AcceptedByPosition,
        &["vllm:spec_decode_num_accepted_tokens_per_pos"],
    )
    .by("position"),
    series(Q::PromptTokens, &["vllm:prompt_tokens"]),
    series(Q::CachedTokens, &["vllm:prompt_tokens_cached"]),
    series(Q::GenerationTokens, &["vllm:generation_tokens"]),
    series(Q::Finished, &["vllm:request_success"]).by("finished_reason"),
    series(Q::Refused, &["vllm:admission_rejections"]).by("reason"),
    series(Q::Flops, &["vllm:estimated_flops_per_gpu"]),
    series(Q::BytesRead, &["vllm:estimated_read_bytes_per_gpu"]),
    series(Q::BytesWritten, &["vllm:estimated_write_bytes_per_gpu"]),
    series(Q::Ttft, &["vllm:time_to_first_token_seconds"]),
    series(
        Q::Itl,
        &[
            "vllm:inter_token_latency_seconds",
            "vllm:time_per_output_token_seconds",
        ],
    ),
    series(Q::Tpot, &["vllm:request_time_per_output_token_seconds"]),
    series(Q::E2e, &["vllm:e2e_request_latency_seconds"]),
    series(Q::QueueTime, &["vllm:request_queue_time_seconds"]),
    series(Q::PrefillTime, &["vllm:request_prefill_time_seconds"]),
    series(Q::DecodeTime, &["vllm:request_decode_time_seconds"]),
    series(Q::InferenceTime, &["vllm:request_inference_time_seconds"]),
    series(Q::IterationTokens, &["vllm:iteration_tokens_total"]),
    series(Q::TransferTime, &["vllm:nixl_xfer_time_seconds"]),
];
