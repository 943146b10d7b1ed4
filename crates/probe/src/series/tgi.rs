//! Series of Text Generation Inference. Token counts stand in histograms of lengths, whose sums they are.

use super::{Apart, Reader, Series, series};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::Tgi,
    apart: Apart::Engines,
    series: &SERIES,
};

static SERIES: [Series; 10] = [
    series(Q::Running, &["tgi_batch_current_size"]),
    series(Q::Waiting, &["tgi_queue_size"]),
    series(Q::PromptTokens, &["tgi_request_input_length_sum"]),
    series(Q::GenerationTokens, &["tgi_request_generated_tokens_sum"]),
    series(Q::Finished, &["tgi_request_success"]),
    series(Q::Failed, &["tgi_request_failure"]).by("err"),
    series(Q::E2e, &["tgi_request_duration"]),
    series(Q::QueueTime, &["tgi_request_queue_duration"]),
    series(Q::InferenceTime, &["tgi_request_inference_duration"]),
    series(Q::Tpot, &["tgi_request_mean_time_per_token_duration"]),
];
