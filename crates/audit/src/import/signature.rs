//! Which format a JSON document is of: the members that it must have, by format.

use super::ImportError;
use serde_json::Value;

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Vllm,
    Sglang,
    Aiperf,
    Guidellm,
    InferencePerf,
    InferencePerfRequests,
    Llmperf,
    LlmperfRequests,
    GenaiBench,
    Llmd,
    MlperfEndpoints,
    Evalscope,
    EvalscopePercentiles,
    Llmeter,
    Oha,
    InferenceX,
    LlmPerf,
}

/// A kind, the name printed, and alternative sets of members: all of one set must be there.
struct Signature {
    kind: Kind,
    name: &'static str,
    sets: &'static [&'static [&'static str]],
}

/// In the order of trying: the more particular first.
const SIGNATURES: &[Signature] = &[
    Signature {
        kind: Kind::Guidellm,
        name: "GuideLLM",
        sets: &[&["benchmarks", "benchmarks.0.metrics"]],
    },
    Signature {
        kind: Kind::Llmd,
        name: "llm-d Benchmark Report",
        sets: &[
            &["version", "results.request_performance"],
            &["version", "metrics.latency", "scenario"],
        ],
    },
    Signature {
        kind: Kind::GenaiBench,
        name: "genai-bench",
        sets: &[&["aggregated_metrics.stats"]],
    },
    Signature {
        kind: Kind::Llmperf,
        name: "llmperf",
        sets: &[&["results_num_requests_started", "num_concurrent_requests"]],
    },
    Signature {
        kind: Kind::LlmperfRequests,
        name: "llmperf (individual responses)",
        sets: &[&["0.ttft_s", "0.end_to_end_latency_s"]],
    },
    Signature {
        kind: Kind::InferencePerf,
        name: "inference-perf",
        sets: &[&["successes.latency"], &["load_summary", "successes"]],
    },
    Signature {
        kind: Kind::InferencePerfRequests,
        name: "inference-perf (per request)",
        sets: &[&["0.start_time", "0.end_time", "0.info"]],
    },
    Signature {
        kind: Kind::MlperfEndpoints,
        name: "MLPerf Endpoints",
        sets: &[&["n_samples_issued", "n_samples_completed", "duration_ns"]],
    },
    Signature {
        kind: Kind::Sglang,
        name: "SGLang bench_serving",
        sets: &[
            &["completed", "duration", "total_output_tokens_retokenized"],
            &[
                "completed",
                "duration",
                "mean_e2e_latency_ms",
                "total_throughput",
            ],
        ],
    },
    Signature {
        kind: Kind::Vllm,
        name: "vllm bench serve",
        sets: &[
            &["completed", "duration", "total_token_throughput"],
            // An export of ours lacks what nobody knows.
            &["completed", "num_prompts", "infermeter.definitions"],
        ],
    },
    Signature {
        kind: Kind::Aiperf,
        name: "AIPerf or GenAI-Perf",
        sets: &[
            &["aiperf_version", "request_latency.avg"],
            &["request_latency.avg", "input_config"],
        ],
    },
    Signature {
        kind: Kind::Evalscope,
        name: "evalscope",
        sets: &[
            &["Success Requests", "Total Requests", "Avg Latency (s)"],
            &["Succeed requests", "Total requests", "Average latency (s)"],
        ],
    },
    Signature {
        kind: Kind::EvalscopePercentiles,
        name: "evalscope (percentiles)",
        sets: &[
            &["0.Percentiles", "0.Latency (s)"],
            &["Percentiles", "Latency (s)"],
        ],
    },
    Signature {
        kind: Kind::Llmeter,
        name: "LLMeter",
        sets: &[&["clients", "total_requests", "time_to_last_token-average"]],
    },
    Signature {
        kind: Kind::Oha,
        name: "oha",
        sets: &[&["summary.requestsPerSec", "latencyPercentiles"]],
    },
    Signature {
        kind: Kind::InferenceX,
        name: "InferenceX",
        sets: &[
            &["conc", "framework", "tput_per_gpu"],
            &["conc", "framework", "metrics.tput_per_gpu"],
            &["conc", "framework", "request_metrics.latency"],
        ],
    },
    Signature {
        kind: Kind::LlmPerf,
        name: "LLM-Perf leaderboard",
        sets: &[&["llm_perf_rows"]],
    },
];

/// Members of the files of a run of infermeter, which are read with their directory.
const PARTS_OF_RUN: [&[&str]; 3] = [
    &["format_version", "run_id"],
    &["format_version", "verdict", "runs"],
    &["id", "finish_reason", "usage"],
];

/// The kind of a document.
///
/// # Errors
/// [`ImportError::Unknown`] with the nearest format, or [`ImportError::PartOfRun`].
pub(super) fn recognise(document: &Value) -> Result<Kind, ImportError> {
    let has_all = |set: &&[&str]| set.iter().all(|path| has(document, path));
    let found = SIGNATURES.iter().find(|s| s.sets.iter().any(&has_all));
    if let Some(signature) = found {
        return Ok(signature.kind);
    }
    if PARTS_OF_RUN.iter().any(has_all) {
        return Err(ImportError::PartOfRun);
    }
    Err(unknown(document))
}

fn unknown(document: &Value) -> ImportError {
    let candidates = SIGNATURES
        .iter()
        .flat_map(|s| s.sets.iter().map(move |set| (s.name, *set)));
    let there = |set: &[&str]| set.iter().filter(|path| has(document, path)).count();
    let share = |set: &[&str]| there(set) as f64 / set.len() as f64;
    let nearest = candidates
        .filter(|(_, set)| there(set) > 0)
        .max_by(|(_, a), (_, b)| share(a).total_cmp(&share(b)));
    let about = match nearest {
        Some((name, set)) => {
            let lacking = set.iter().filter(|path| !has(document, path));
            let lacking: Vec<String> = lacking.map(|path| format!("`{path}`")).collect();
            format!("nearest is {name}, which also has {}", lacking.join(", "))
        }
        None => {
            let names: Vec<&str> = SIGNATURES.iter().map(|s| s.name).collect();
            format!("known are {}", names.join(", "))
        }
    };
    ImportError::Unknown { about }
}

/// Whether a path is there; a number in it is a place in a list.
fn has(document: &Value, path: &str) -> bool {
    let found = path
        .split('.')
        .try_fold(document, |value, key| match key.parse::<usize>() {
            Ok(index) => value.get(index),
            Err(_) => value.get(key),
        });
    found.is_some_and(|value| !value.is_null())
}
