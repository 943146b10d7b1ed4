//! Dynamo's series: those of its front end, and what its workers say beside the engine's own.

use super::{Apart, Reader, Series, series};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::Dynamo,
    apart: Apart::Engines,
    series: &SERIES,
};

static SERIES: [Series; 12] = [
    // All that it has not answered in full, those without a first token among them.
    series(Q::Running, &["dynamo_frontend_inflight_requests"]),
    series(Q::AwaitingFirst, &["dynamo_frontend_queued_requests"]),
    series(
        Q::KvUsage,
        &["dynamo_component_kvstats_gpu_cache_usage_percent"],
    ),
    series(
        Q::PrefixHitRate,
        &["dynamo_component_kvstats_gpu_prefix_cache_hit_rate"],
    ),
    series(
        Q::PromptTokens,
        &["dynamo_frontend_input_sequence_tokens_sum"],
    ),
    series(Q::CachedTokens, &["dynamo_frontend_cached_tokens_sum"]),
    series(
        Q::GenerationTokens,
        &[
            "dynamo_frontend_output_tokens",
            "dynamo_frontend_output_sequence_tokens_sum",
        ],
    ),
    series(Q::Finished, &["dynamo_frontend_requests"]).by("status"),
    series(Q::Failed, &["dynamo_component_errors"]).by("error_type"),
    series(Q::Ttft, &["dynamo_frontend_time_to_first_token_seconds"]),
    series(Q::Itl, &["dynamo_frontend_inter_token_latency_seconds"]),
    series(Q::E2e, &["dynamo_frontend_request_duration_seconds"]),
];
