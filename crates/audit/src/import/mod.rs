//! Bytes to facts: the format is recognised by what a file contains, never by its name.
//!
//! No IO. Invariant: whatever the bytes are, the answer is facts or an error that says what was
//! looked for; names are translated by definition, never copied.

mod aiperf;
mod aiperf_csv;
mod arrays;
mod error;
mod evalscope;
mod genai_bench;
mod guidellm;
mod guidellm_csv;
mod guidellm_layouts;
mod guidellm_old;
mod inference_perf;
mod inferencex;
mod llm_perf;
mod llmd;
mod llmeter;
mod llmperf;
mod mapping;
mod mlperf;
mod mlperf_endpoints;
mod oha;
mod own;
mod sglang;
mod signature;
mod statistics;
mod vllm;

pub use error::ImportError;
pub(crate) use inference_perf::is_summary_of_stages;
pub use mapping::{Mapping, MappingError, RequestRow};
pub(crate) use mapping::{path_of, rows_of};
pub use own::{add_answers, add_judgement, of_run};

use crate::csv;
use crate::facts::{Facts, LoadModel, Metric, Request};
use crate::json::{is_infinite, number};
use crate::lenient;
use serde_json::Value;
use signature::Kind;

/// The client placement that a loopback address means.
pub(crate) const SAME_HOST: &str = "same host";

/// Reads the results in a file's bytes: one, or one for each line or level.
///
/// # Errors
/// [`ImportError`]: empty, truncated, binary, or of no known format.
pub fn read(bytes: &[u8]) -> Result<Vec<Facts>, ImportError> {
    let text = as_text(bytes)?;
    if let Some(facts) = mlperf::facts(text) {
        return Ok(vec![facts]);
    }
    let documents = documents(text)?;
    let lines_of_requests =
        aiperf::requests_of_lines(&documents).or_else(|| llmeter::requests_of_lines(&documents));
    if let Some(facts) = lines_of_requests {
        return Ok(vec![facts]);
    }
    let several = documents.len() > 1;
    let mut results = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        let mut read = translated(document)?;
        for facts in &mut read {
            if several {
                facts.source = format!("line {}", index + 1);
            }
        }
        results.append(&mut read);
    }
    Ok(results)
}

fn as_text(bytes: &[u8]) -> Result<&str, ImportError> {
    if bytes.starts_with(b"PAR1") {
        return Err(ImportError::Parquet);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| ImportError::NotText)?;
    if text.trim().is_empty() {
        return Err(ImportError::Empty);
    }
    Ok(text)
}

/// One JSON document, several one a line, a known CSV, or YAML that holds a report.
fn documents(text: &str) -> Result<Vec<Value>, ImportError> {
    let whole = lenient::parse(text);
    let cause = match whole {
        Ok(value) => return Ok(vec![value]),
        Err(cause) => cause,
    };
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    if lines.len() > 1 && lines.iter().all(|l| l.trim_start().starts_with('{')) {
        let parse = |(index, line): (usize, &&str)| {
            lenient::parse(line).map_err(|cause| ImportError::BadLine {
                line: index + 1,
                cause: cause.to_string(),
            })
        };
        return lines.iter().enumerate().map(parse).collect();
    }
    if text.trim_start().starts_with(['{', '[']) {
        return Err(ImportError::BadJson(cause.to_string()));
    }
    match from_csv(text) {
        Some(value) => Ok(vec![value]),
        None => from_yaml(text).map(|value| vec![value]),
    }
}

/// The document behind a CSV of a known layout.
fn from_csv(text: &str) -> Option<Value> {
    let first = text.lines().next()?;
    if !first.contains(',') {
        return None;
    }
    let rows = csv::rows(text);
    aiperf_csv::document(&rows)
        .or_else(|| guidellm_csv::document(&rows))
        .or_else(|| llm_perf::document(&rows))
}

/// YAML that holds a report: of llm-d, or of GuideLLM.
///
/// # Errors
/// [`ImportError::NotJson`] for another text, [`ImportError::BadYaml`] for a broken one.
fn from_yaml(text: &str) -> Result<Value, ImportError> {
    let has = |key: &str| text.lines().any(|line| line.starts_with(key));
    let llmd = has("version:") && (has("results:") || has("metrics:"));
    if !(llmd || has("benchmarks:")) {
        return Err(ImportError::NotJson);
    }
    let first_line = |e: &dyn std::fmt::Display| {
        let said = e.to_string();
        let line = said.lines().next().unwrap_or_default();
        line.trim_start_matches("error: ").to_owned()
    };
    serde_saphyr::from_str(text).map_err(|e| ImportError::BadYaml(first_line(&e)))
}

fn translated(document: &Value) -> Result<Vec<Facts>, ImportError> {
    let kind = match (signature::recognise(document), document.as_array()) {
        (Err(ImportError::Unknown { .. }), Some(list)) if !list.is_empty() => {
            return list_of_results(list);
        }
        (kind, _) => kind?,
    };
    let mut results = match kind {
        Kind::Vllm => vec![vllm::facts(document)],
        Kind::Sglang => vec![sglang::facts(document)],
        Kind::Aiperf => vec![aiperf::facts(document)],
        Kind::Guidellm => guidellm::facts(document),
        Kind::InferencePerf => vec![inference_perf::facts(document)],
        Kind::InferencePerfRequests => vec![inference_perf::requests(document)],
        Kind::Llmperf => vec![llmperf::facts(document)],
        Kind::LlmperfRequests => vec![llmperf::requests(document)],
        Kind::GenaiBench => vec![genai_bench::facts(document)],
        Kind::Llmd => vec![llmd::facts(document)],
        Kind::MlperfEndpoints => vec![mlperf_endpoints::facts(document)],
        Kind::Evalscope => vec![evalscope::facts(document)],
        Kind::EvalscopePercentiles => vec![evalscope::percentiles(document)],
        Kind::Llmeter => vec![llmeter::facts(document)],
        Kind::Oha => vec![oha::facts(document)],
        Kind::InferenceX => vec![inferencex::facts(document)],
        Kind::LlmPerf => llm_perf::facts(document),
    };
    let not_finite = lenient::count_not_finite(document);
    for facts in &mut results {
        facts.not_finite = not_finite;
        infer_streaming(facts);
    }
    Ok(results)
}

/// A list of objects, each a result.
fn list_of_results(list: &[Value]) -> Result<Vec<Facts>, ImportError> {
    let mut results = Vec::new();
    for (index, element) in list.iter().enumerate() {
        signature::recognise(element)?;
        for mut facts in translated(element)? {
            facts.source = format!("element {}", index + 1);
            results.push(facts);
        }
    }
    Ok(results)
}

/// Gaps between chunks are seen in streams alone.
fn infer_streaming(facts: &mut Facts) {
    let gaps = facts.latency.get(&Metric::ChunkGap).and_then(|s| s.mean);
    let has_gaps = |r: &Request| r.gaps_ms.as_ref().is_some_and(|g| g.len() > 1);
    if facts.streaming.is_none()
        && (gaps.is_some_and(|g| g > 0.0) || facts.completed().any(has_gaps))
    {
        facts.streaming = Some(true);
    }
}

/// `request_rate` and `max_concurrency` of the vLLM family: infinite without a cap is a burst,
/// infinite with a cap is a closed loop.
fn open_or_burst(facts: &mut Facts, value: &Value) {
    facts.load.rate = number(value, "request_rate").filter(|r| *r > 0.0);
    facts.load.concurrency = number(value, "max_concurrency").filter(|c| *c > 0.0);
    let infinite = is_infinite(value, "request_rate");
    facts.load.model = match (facts.load.rate, infinite, facts.load.concurrency) {
        (Some(_), _, _) => Some(LoadModel::Open),
        (None, true, Some(_)) => Some(LoadModel::Closed),
        (None, true, None) => Some(LoadModel::Burst),
        (None, false, _) => None,
    };
}

/// Where the client was, as far as a target's address says it.
fn placement(url: &str) -> Option<String> {
    let host = url.split("://").nth(1).unwrap_or(url);
    let local = ["127.", "localhost", "[::1]", "0.0.0.0"];
    let own = ["mock:", "unix:"];
    let on_host = local.iter().any(|name| host.starts_with(name))
        || own.iter().any(|scheme| url.starts_with(scheme));
    on_host.then(|| SAME_HOST.to_owned())
}
