//! AIPerf and GenAI-Perf as CSV: a block of metrics with their statistics, a block of single
//! values, and in AIPerf a block of GPU telemetry.
//!
//! Gives the document that the JSON export of the same tool would be, as far as the CSV says it;
//! names are those of the metrics' headers, units stand in brackets behind them. Numbers have two
//! decimals. Set-up and load are not in it.

use serde_json::{Map, Value, json};

/// Headers whose metric has another name than its words.
const RENAMED: [(&str, &str); 3] = [
    ("total_output_sequence_length", "total_osl"),
    ("total_input_sequence_length", "total_isl"),
    ("time_to_first_token_ttft", "time_to_first_token"),
];

/// The document behind the rows; `None` where they are of something else.
pub(super) fn document(rows: &[Vec<String>]) -> Option<Value> {
    let mut metrics = Map::new();
    let mut header: &[String] = &[];
    let mut gpus = Map::new();
    let mut aiperf = false;
    for row in rows {
        let first = row.first().map(String::as_str);
        match first {
            None => header = &[],
            Some("Metric" | "Endpoint") => {
                header = row;
                aiperf |= ascending(row);
            }
            Some(_) if header.first().is_some_and(|h| h == "Endpoint") => {
                gpu(&mut gpus, header, row)
            }
            Some(_) if !header.is_empty() => metric(&mut metrics, header, row),
            Some(_) => return None,
        }
    }
    // Every request has a latency, in both tools.
    metrics.get("request_latency")?.get("avg")?;
    // The JSON has its input there.
    let of_csv = json!({"aiperf_csv": aiperf});
    metrics.insert("input_config".to_owned(), of_csv);
    if !gpus.is_empty() {
        let telemetry = json!({"endpoints": {"csv": {"gpus": gpus}}});
        metrics.insert("telemetry_data".to_owned(), telemetry);
    }
    Some(Value::Object(metrics))
}

/// AIPerf writes percentiles upwards, GenAI-Perf downwards.
fn ascending(header: &[String]) -> bool {
    let at = |name: &str| header.iter().position(|h| h == name);
    at("p25")
        .zip(at("p99"))
        .is_some_and(|(low, high)| low < high)
}

fn metric(metrics: &mut Map<String, Value>, header: &[String], row: &[String]) {
    let Some((name, unit)) = row.first().map(|text| name_and_unit(text)) else {
        return;
    };
    let mut object = Map::new();
    if let Some(unit) = unit {
        object.insert("unit".to_owned(), Value::String(unit));
    }
    for (column, cell) in header.iter().zip(row).skip(1) {
        if cell.is_empty() {
            continue;
        }
        let statistic = if column == "Value" { "avg" } else { column };
        object.insert(statistic.to_owned(), Value::String(cell.replace(',', "")));
    }
    metrics.insert(name, Value::Object(object));
}

/// `Time to First Token (ms)` as `time_to_first_token` and `ms`.
fn name_and_unit(text: &str) -> (String, Option<String>) {
    let (words, unit) = match text.rsplit_once('(') {
        Some((words, unit)) => (words, Some(unit.trim_end_matches(')').trim().to_owned())),
        None => (text, None),
    };
    let words = words.replace(['(', ')'], " ").to_ascii_lowercase();
    let slug = words.split_whitespace().collect::<Vec<_>>().join("_");
    let renamed = RENAMED.iter().find(|(known, _)| *known == slug);
    (renamed.map_or(slug, |(_, name)| (*name).to_owned()), unit)
}

fn gpu(gpus: &mut Map<String, Value>, header: &[String], row: &[String]) {
    let cell = |name: &str| {
        header
            .iter()
            .position(|h| h == name)
            .and_then(|i| row.get(i))
    };
    if let Some((id, name)) = cell("GPU_UUID").zip(cell("GPU_Name")) {
        gpus.insert(id.clone(), json!({"gpu_name": name}));
    }
}
