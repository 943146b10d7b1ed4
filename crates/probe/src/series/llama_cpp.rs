//! llama.cpp's series: with `--metrics`.

use super::{Apart, Reader, Series, series};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::LlamaCpp,
    apart: Apart::Engines,
    series: &SERIES,
};

static SERIES: [Series; 7] = [
    series(Q::Running, &["llamacpp:requests_processing"]),
    series(Q::Waiting, &["llamacpp:requests_deferred"]),
    series(Q::KvUsage, &["llamacpp:kv_cache_usage_ratio"]),
    series(Q::KvTokens, &["llamacpp:kv_cache_tokens"]),
    series(Q::PromptTokens, &["llamacpp:prompt_tokens"]),
    series(Q::GenerationTokens, &["llamacpp:tokens_predicted"]),
    series(Q::TokenRate, &["llamacpp:predicted_tokens_seconds"]),
];
