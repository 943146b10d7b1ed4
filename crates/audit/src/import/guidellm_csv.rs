//! GuideLLM as CSV: three rows of headings (group, field, statistic), then one row a benchmark.
//!
//! Gives the document that the JSON of the same tool would be, as far as the CSV says it. What a
//! single column does not fix is left out: the rate and streams of one benchmark of a sweep.

use crate::json::at;
use crate::lenient;
use serde_json::{Map, Value, json};

/// Columns of single values and where the JSON has them: group, field, path.
const VALUES: [(&str, &str, &str); 11] = [
    ("Benchmark", "Strategy", "config.strategy.type_"),
    ("Timings", "Duration", "duration"),
    ("Timings", "Warmup", "warmup_duration"),
    ("Timings", "Cooldown", "cooldown_duration"),
    (
        "Request Counts",
        "Successful",
        "metrics.request_totals.successful",
    ),
    (
        "Request Counts",
        "Incomplete",
        "metrics.request_totals.incomplete",
    ),
    (
        "Request Counts",
        "Errored",
        "metrics.request_totals.errored",
    ),
    ("Request Counts", "Total", "metrics.request_totals.total"),
    (
        "Scheduler State",
        "Num Processes",
        "scheduler_state.num_processes",
    ),
    (
        "Scheduler Metrics",
        "Request Targeted Start Delay Avg",
        "scheduler_metrics.request_targeted_start_delay_avg",
    ),
    ("Run Info", "Backend", "config.backend"),
];

/// Columns of distributions over successful requests: group, field, metric.
const DISTRIBUTIONS: [(&str, &str, &str); 11] = [
    ("Request Latency", "Successful Sec", "request_latency"),
    (
        "Time to First Token",
        "Successful ms",
        "time_to_first_token_ms",
    ),
    (
        "Time per Output Token",
        "Successful ms",
        "time_per_output_token_ms",
    ),
    (
        "Inter Token Latency",
        "Successful ms",
        "inter_token_latency_ms",
    ),
    (
        "Server Throughput",
        "Successful Requests/Sec",
        "requests_per_second",
    ),
    (
        "Token Metrics",
        "Successful Input Tokens",
        "prompt_token_count",
    ),
    (
        "Token Metrics",
        "Successful Output Tokens",
        "output_token_count",
    ),
    (
        "Token Throughput",
        "Successful Input Tokens/Sec",
        "prompt_tokens_per_second",
    ),
    (
        "Token Throughput",
        "Successful Output Tokens/Sec",
        "output_tokens_per_second",
    ),
    (
        "Token Throughput",
        "Successful Total Tokens/Sec",
        "tokens_per_second",
    ),
    (
        "Token Streaming",
        "Successful Output Tokens/Iter",
        "output_tokens_per_iteration",
    ),
];

/// What the cell `Percentiles` lists.
const LISTED: [&str; 11] = [
    "min", "p001", "p01", "p05", "p10", "p25", "p75", "p90", "p95", "p99", "max",
];

/// The document behind the rows; `None` where they are of something else.
pub(super) fn document(rows: &[Vec<String>]) -> Option<Value> {
    let [groups, fields, statistics, benchmarks @ ..] = rows else {
        return None;
    };
    let has = |name: &str| groups.iter().any(|g| g == name);
    if !(has("Run Info") && has("Timings") && has("Request Counts")) {
        return None;
    }
    let columns = Columns {
        groups,
        fields,
        statistics,
    };
    let rows = benchmarks.iter().filter(|row| !row.is_empty());
    let list: Vec<Value> = rows.map(|row| columns.benchmark(row)).collect();
    let first = benchmarks.first();
    let metadata = first.and_then(|row| columns.cell(row, "Runtime Info", "Metadata", ""));
    let metadata = metadata.and_then(|text| lenient::parse(text).ok());
    Some(json!({"metadata": metadata, "benchmarks": list, "guidellm_csv": true}))
}

/// The three rows of headings.
struct Columns<'a> {
    groups: &'a [String],
    fields: &'a [String],
    statistics: &'a [String],
}

impl Columns<'_> {
    /// A cell by its headings; the third is a unit or a statistic, `""` takes any.
    fn cell<'r>(
        &self,
        row: &'r [String],
        group: &str,
        field: &str,
        statistic: &str,
    ) -> Option<&'r str> {
        let headings = self.groups.iter().zip(self.fields).zip(self.statistics);
        let wanted = |((g, f), s): ((&String, &String), &String)| {
            g == group && f == field && (statistic.is_empty() || s == statistic)
        };
        let at = headings.into_iter().position(wanted)?;
        row.get(at).map(String::as_str).filter(|c| !c.is_empty())
    }

    fn benchmark(&self, row: &[String]) -> Value {
        let mut out = json!({"metrics": {}});
        for (group, field, path) in VALUES {
            if let Some(text) = self.cell(row, group, field, "") {
                set(&mut out, path, typed(text));
            }
        }
        for (group, field, metric) in DISTRIBUTIONS {
            if let Some(object) = self.distribution(row, group, field) {
                set(&mut out, &format!("metrics.{metric}.successful"), object);
            }
        }
        out
    }

    fn distribution(&self, row: &[String], group: &str, field: &str) -> Option<Value> {
        let mut object = Map::new();
        for (column, name) in [
            ("Mean", "mean"),
            ("Median", "median"),
            ("Std Dev", "std_dev"),
        ] {
            if let Some(text) = self.cell(row, group, field, column) {
                object.insert(name.to_owned(), typed(text));
            }
        }
        let listed = self.cell(row, group, field, "Percentiles");
        let listed = listed.and_then(|text| lenient::parse(text).ok());
        if let Some(Value::Array(values)) = listed.filter(|v| length(v) == LISTED.len()) {
            let mut percentiles = Map::new();
            for (name, value) in LISTED.iter().zip(values) {
                let into = match *name {
                    "min" | "max" => &mut object,
                    _ => &mut percentiles,
                };
                into.insert((*name).to_owned(), value);
            }
            object.insert("percentiles".to_owned(), Value::Object(percentiles));
        }
        (!object.is_empty()).then_some(Value::Object(object))
    }
}

fn length(value: &Value) -> usize {
    value.as_array().map_or(0, Vec::len)
}

/// JSON where the cell is JSON, else text.
fn typed(text: &str) -> Value {
    lenient::parse(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// Sets a member by its path, making objects on the way.
fn set(value: &mut Value, path: &str, member: Value) {
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = value;
    for key in parents.split('.').filter(|k| !k.is_empty()) {
        if at(place, key).is_none_or(|v| !v.is_object()) {
            place[key] = json!({});
        }
        place = &mut place[key];
    }
    place[name] = member;
}
