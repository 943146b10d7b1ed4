//! What each tool's client costs per token event, and how much it adds to TTFT.
//!
//! Measured on two cores of a virtual machine (client pinned to one, a reference server with a
//! send log on the other; true TTFT 50 to 70 ms, ITL 20 ms in steps; one run each, November
//! 2026): Poisson 20/s of 64 tokens, and 64 and 256 streams of a token every 20 ms. Trust
//! ratios, not microseconds.

use crate::format::Format;

/// Token events per second of the three loads.
const EVENTS_PER_S: [f64; 3] = [1280.0, 3200.0, 12_800.0];

/// A tool's client at one of the loads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// CPU per token event, microseconds.
    pub(crate) cpu_us: f64,
    /// Mean error of TTFT, milliseconds.
    pub(crate) ttft_mean_ms: f64,
    /// p99 of the error of TTFT, milliseconds.
    pub(crate) ttft_p99_ms: f64,
    /// Token events per second of the load.
    pub(crate) events_per_s: f64,
}

/// CPU per event, mean and p99 of the TTFT error, at the three loads.
type Row = [(f64, f64, f64); 3];

const VLLM: Row = [(124.0, 4.0, 4.6), (81.0, 31.0, 67.0), (73.0, 147.0, 246.0)];
const VLLM_RUST: Row = [(26.0, 0.6, 4.1), (18.0, 1.7, 10.0), (17.0, 7.0, 30.0)];
const SGLANG: Row = [(128.0, 3.4, 4.2), (79.0, 22.0, 35.0), (77.0, 213.0, 752.0)];
const AIPERF: Row = [
    (295.0, 4.8, 9.9),
    (345.0, 91.0, 430.0),
    (146.0, 216.0, 1559.0),
];
const GUIDELLM: Row = [
    (559.0, 34.0, 145.0),
    (333.0, 37.0, 113.0),
    (166.0, 442.0, 1408.0),
];
const INFERENCE_PERF: Row = [(155.0, 4.6, 18.0), (95.0, 12.0, 70.0), (84.0, 29.0, 247.0)];

/// The tool's cost at the tabulated load nearest to `events_per_s` (by ratio); `None` for a tool
/// that was not measured.
pub(crate) fn nearest(format: Format, events_per_s: f64) -> Option<Cost> {
    let row = match format {
        Format::Vllm => VLLM,
        Format::VllmRust => VLLM_RUST,
        Format::Sglang => SGLANG,
        Format::Aiperf => AIPERF,
        Format::Guidellm => GUIDELLM,
        Format::InferencePerf => INFERENCE_PERF,
        Format::Infermeter
        | Format::GenaiPerf
        | Format::Llmperf
        | Format::GenaiBench
        | Format::Llmd
        | Format::Mapped => return None,
    };
    let distance = |load: f64| (load / events_per_s.max(1e-9)).ln().abs();
    let loads = EVENTS_PER_S.into_iter().zip(row);
    let (events_per_s, (cpu_us, ttft_mean_ms, ttft_p99_ms)) =
        loads.min_by(|(a, _), (b, _)| distance(*a).total_cmp(&distance(*b)))?;
    Some(Cost {
        cpu_us,
        ttft_mean_ms,
        ttft_p99_ms,
        events_per_s,
    })
}

/// Whether the tool's client is one process with one event loop.
pub(crate) fn is_single_process(format: Format) -> bool {
    matches!(format, Format::Vllm | Format::Sglang)
}

#[cfg(test)]
mod tests {
    use super::nearest;
    use crate::format::Format;

    #[test]
    fn the_nearest_load_is_taken_by_ratio() {
        let at = |events| nearest(Format::Vllm, events).map(|c| (c.cpu_us, c.ttft_mean_ms));
        assert_eq!(at(75.0), Some((124.0, 4.0)));
        assert_eq!(at(3000.0), Some((81.0, 31.0)));
        assert_eq!(at(50_000.0), Some((73.0, 147.0)));
        assert_eq!(nearest(Format::Llmperf, 100.0), None);
    }
}
