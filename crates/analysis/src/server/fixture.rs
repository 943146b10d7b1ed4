//! Readings for tests: a server that says each second what a test makes of the client's requests.

use crate::run::Run;
use crate::{Summary, summarize};
use infermeter_core::clock::Offset;
use infermeter_core::run::RunLog;
use infermeter_core::schedule::Phase;
use infermeter_core::server::{
    PageDetail, Quantity, ReadingCause, SERVER_METRICS_VERSION, ServerEngine, ServerFigures,
    ServerReading, ServerReadings, ServerWatch, WatchedPage,
};
use infermeter_metrics::seconds::stays;
use infermeter_stats::inside_at;

/// One second, nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// A run whose server was read each second, and where the window begins and ends; `says` makes the
/// figures of the instant, in seconds since the window's start, and of the client's requests in
/// flight then.
pub(crate) fn watched(log: &RunLog, says: impl Fn(i64, f64) -> ServerFigures) -> Run {
    let mut run = Run::of(log);
    let window = log.manifest.window.expect("a window");
    let stays = stays(&run.collected.requests);
    let reading = |at: i64, cause, phase| {
        // An answer takes 4 ms; the figures are of the middle.
        let inside = inside_at(&stays, &[at + 2_000_000])[0] as f64;
        ServerReading {
            asked_ns: Offset(at),
            answered_ns: Offset(at + 4_000_000),
            phase,
            cause,
            skipped: 0,
            page: 0,
            error: None,
            detail: PageDetail::default(),
            figures: says((at - window.start.0).div_euclid(SECOND), inside),
        }
    };
    let mut readings = Vec::new();
    for at in (0..=window.end.0).step_by(SECOND as usize) {
        let phase = match at {
            at if at < window.start.0 => Phase::Warmup,
            at if at < window.end.0 => Phase::Measure,
            _ => Phase::Drain,
        };
        readings.push(reading(at, ReadingCause::Interval, phase));
        if at == window.start.0 || at == window.end.0 {
            readings.push(reading(at + 40_000_000, ReadingCause::PhaseStart, phase));
        }
    }
    run.server = Some(ServerReadings {
        watch: ServerWatch {
            format_version: SERVER_METRICS_VERSION,
            pages: vec![WatchedPage {
                engine: ServerEngine::Vllm,
                url: "http://server.example:8000/metrics".to_owned(),
            }],
            interval_ns: SECOND,
        },
        readings,
    });
    run
}

/// Its summary.
pub(crate) fn summary(run: &Run, log: &RunLog) -> Summary {
    let Ok(summary) = summarize(run, log);
    summary
}

/// So many running and waiting, and a tenth of the KV cache.
pub(crate) fn inside(running: f64, waiting: f64) -> ServerFigures {
    ServerFigures::from([
        (Quantity::Running, running),
        (Quantity::Waiting, waiting),
        (Quantity::KvUsage, 0.1),
    ])
}
