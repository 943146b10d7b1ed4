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

/// A load and what was measured there.
type Load = (f64, (f64, f64, f64));

/// A client that was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Client {
    /// The name in `--state client=`.
    pub(crate) name: &'static str,
    /// One process with one event loop, so that it can use one core at most.
    pub(crate) single_process: bool,
    loads: Row,
}

/// Every client of the table.
const CLIENTS: [Client; 8] = [
    Client {
        name: "vllm",
        single_process: true,
        loads: [(124.0, 4.0, 4.6), (81.0, 31.0, 67.0), (73.0, 147.0, 246.0)],
    },
    Client {
        name: "vllm-rust",
        single_process: false,
        loads: [(26.0, 0.6, 4.1), (18.0, 1.7, 10.0), (17.0, 7.0, 30.0)],
    },
    Client {
        name: "sglang",
        single_process: true,
        loads: [(128.0, 3.4, 4.2), (79.0, 22.0, 35.0), (77.0, 213.0, 752.0)],
    },
    Client {
        name: "sglang-rust",
        single_process: false,
        loads: [(27.0, 0.3, 0.3), (18.0, 1.4, 6.6), (19.0, 6.1, 27.0)],
    },
    Client {
        name: "aiperf",
        single_process: false,
        loads: [
            (295.0, 4.8, 9.9),
            (345.0, 91.0, 430.0),
            (146.0, 216.0, 1559.0),
        ],
    },
    Client {
        name: "guidellm",
        single_process: false,
        loads: [
            (559.0, 34.0, 145.0),
            (333.0, 37.0, 113.0),
            (166.0, 442.0, 1408.0),
        ],
    },
    Client {
        name: "inference-perf",
        single_process: false,
        loads: [(155.0, 4.6, 18.0), (95.0, 12.0, 70.0), (84.0, 29.0, 247.0)],
    },
    Client {
        name: "evalscope",
        single_process: false,
        loads: [
            (135.0, 4.3, 5.9),
            (100.0, 109.0, 383.0),
            (86.0, 234.0, 733.0),
        ],
    },
];

impl Client {
    /// The client of this name, whatever its case; spaces and underscores count as hyphens.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase().replace([' ', '_'], "-");
        CLIENTS.into_iter().find(|client| client.name == name)
    }

    /// The client that writes a format, where it is one that was measured.
    pub(crate) fn of_format(format: Format) -> Option<Self> {
        let name = match format {
            Format::Vllm => "vllm",
            Format::VllmRust => "vllm-rust",
            Format::Sglang => "sglang",
            Format::Aiperf => "aiperf",
            Format::Guidellm => "guidellm",
            Format::InferencePerf => "inference-perf",
            Format::Evalscope => "evalscope",
            Format::Infermeter
            | Format::GenaiPerf
            | Format::Llmperf
            | Format::GenaiBench
            | Format::Llmd
            | Format::MlperfLoadgen
            | Format::MlperfEndpoints
            | Format::Llmeter
            | Format::Oha
            | Format::InferenceX
            | Format::LlmPerf
            | Format::Mapped => return None,
        };
        Self::named(name)
    }

    /// Its cost at the load measured that is nearest to `events_per_s`, by ratio.
    pub(crate) fn nearest(self, events_per_s: f64) -> Cost {
        let distance = |load: f64| (load / events_per_s.max(1e-9)).ln().abs();
        let loads = EVENTS_PER_S.into_iter().zip(self.loads);
        let nearer = |a: Load, b: Load| if distance(b.0) < distance(a.0) { b } else { a };
        let first = (EVENTS_PER_S[0], self.loads[0]);
        let (events_per_s, (cpu_us, ttft_mean_ms, ttft_p99_ms)) = loads.fold(first, nearer);
        Cost {
            cpu_us,
            ttft_mean_ms,
            ttft_p99_ms,
            events_per_s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Client;
    use crate::format::Format;

    #[test]
    fn the_nearest_load_is_taken_by_ratio() {
        let vllm = Client::of_format(Format::Vllm).expect("measured");
        let at = |events| {
            let cost = vllm.nearest(events);
            (cost.cpu_us, cost.ttft_mean_ms)
        };
        assert_eq!(at(75.0), (124.0, 4.0));
        assert_eq!(at(3000.0), (81.0, 31.0));
        assert_eq!(at(50_000.0), (73.0, 147.0));
        assert_eq!(at(0.0), (124.0, 4.0));
    }

    #[test]
    fn clients_have_names() {
        assert_eq!(Client::of_format(Format::Llmperf), None);
        let evalscope = Client::named(" EvalScope ").expect("measured");
        assert_eq!(evalscope.nearest(12_800.0).ttft_p99_ms, 733.0);
        assert_eq!(
            Client::named("SGLang Rust").map(|c| c.name),
            Some("sglang-rust")
        );
        assert_eq!(Client::named("curl"), None);
    }
}
