//! SGLang's series, of version 0.5: with `--enable-metrics`. Its pools of prefill and decode servers have
//! queues of their own, which are no part of the usual one.

use super::{Apart, Reader, Series, series};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::Sglang,
    apart: Apart::Engines,
    series: &SERIES,
};

static SERIES: [Series; 38] = [
    series(Q::Running, &["sglang:num_running_reqs"]),
    series(Q::Waiting, &["sglang:num_queue_reqs"]),
    series(Q::Paused, &["sglang:num_paused_reqs"]),
    series(Q::KvUsage, &["sglang:token_usage"]),
    series(Q::KvTokens, &["sglang:num_used_tokens"]),
    series(Q::Preemptions, &["sglang:num_retracted_requests"]),
    series(Q::AcceptedLength, &["sglang:spec_accept_length"]),
    series(Q::AcceptanceRate, &["sglang:spec_accept_rate"]),
    series(Q::Drafts, &["sglang:spec_verify_calls"]),
    series(Q::PrefixHitRate, &["sglang:cache_hit_rate"]),
    series(Q::PromptTokens, &["sglang:prompt_tokens"]),
    series(Q::CachedTokens, &["sglang:cached_tokens"]),
    series(Q::GenerationTokens, &["sglang:generation_tokens"]),
    series(Q::Finished, &["sglang:num_requests"]),
    series(Q::Aborted, &["sglang:num_aborted_requests"]),
    series(Q::EvictedTokens, &["sglang:evicted_tokens"]),
    series(Q::LoadedBackTokens, &["sglang:load_back_tokens"]),
    series(Q::TokenRate, &["sglang:gen_throughput"]),
    series(Q::IdleTime, &["sglang:scheduler_idle_seconds"]),
    series(Q::Flops, &["sglang:estimated_flops_per_gpu"]),
    series(Q::BytesRead, &["sglang:estimated_read_bytes_per_gpu"]),
    series(Q::BytesWritten, &["sglang:estimated_write_bytes_per_gpu"]),
    series(
        Q::PrefillBootstrap,
        &[
            "sglang:num_prefill_bootstrap_queue_reqs",
            "sglang:num_prefill_prealloc_queue_reqs",
        ],
    ),
    series(
        Q::PrefillInflight,
        &["sglang:num_prefill_inflight_queue_reqs"],
    ),
    series(
        Q::DecodePrealloc,
        &["sglang:num_decode_prealloc_queue_reqs"],
    ),
    series(
        Q::DecodeTransfer,
        &["sglang:num_decode_transfer_queue_reqs"],
    ),
    series(Q::TransfersFailed, &["sglang:num_transfer_failed_reqs"]),
    series(Q::TransferRate, &["sglang:kv_transfer_speed_gb_s"]).scaled(1e9),
    // A gauge in older versions, a histogram in newer ones: each name is looked up as both.
    series(Q::TransferLatency, &["sglang:kv_transfer_latency_ms"]).scaled(1e-3),
    series(Q::TransferTime, &["sglang:kv_transfer_latency_ms"]).scaled(1e-3),
    series(Q::Balancedness, &["sglang:eplb_balancedness"]),
    series(
        Q::TokenImbalance,
        &["sglang:dp_attention_token_imbalance_ratio"],
    ),
    series(Q::Ttft, &["sglang:time_to_first_token_seconds"]),
    series(
        Q::Itl,
        &[
            "sglang:inter_token_latency_seconds",
            "sglang:time_per_output_token_seconds",
        ],
    ),
    series(Q::Tpot, &["sglang:request_time_per_output_token_seconds"]),
    series(Q::E2e, &["sglang:e2e_request_latency_seconds"]),
    series(Q::QueueTime, &["sglang:queue_time_seconds"]),
    series(Q::IterationTime, &["sglang:forward_step_seconds"]),
];
