//! Triton's own series, which are about the same requests as those of the backend that it serves.

use super::{Apart, Reader, Series, series};
use infermeter_core::server::Quantity as Q;
use infermeter_core::server::ServerEngine;

pub(super) static READER: Reader = Reader {
    engine: ServerEngine::Triton,
    apart: Apart::Engines,
    series: &SERIES,
};

static SERIES: [Series; 4] = [
    series(Q::Waiting, &["nv_inference_pending_request_count"]),
    series(Q::Finished, &["nv_inference_request_success"]),
    series(Q::Failed, &["nv_inference_request_failure"]).by("reason"),
    series(Q::Ttft, &["nv_inference_first_response_histogram_ms"]).scaled(1e-3),
];
