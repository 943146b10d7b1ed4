//! The CSV of the LLM-Perf leaderboard: reports of optimum-benchmark, a configuration a row.
//!
//! No server and no load: one batch at a time inside the process. So its prefill latency is a TTFT
//! without queue and network, and its requests are a closed loop as wide as the batch. Rows without a
//! measured latency (a configuration that did not fit) are left out.

use crate::facts::{Facts, LoadModel, Metric, PercentileRule, SetupItem, Statistics};
use crate::format::Format;
use crate::json::{as_number, percent, unit_in_ms};
use serde_json::{Map, Value};

/// The member that holds the rows.
pub(super) const ROWS: &str = "llm_perf_rows";

/// Columns that such a file has.
const TOLD_BY: [&str; 2] = ["config.backend.model", "report.prefill.latency.mean"];

/// Items of the set-up, by column.
const ITEMS: [(&str, SetupItem); 6] = [
    ("config.backend.model", SetupItem::Model),
    ("config.backend.name", SetupItem::Engine),
    ("config.backend.version", SetupItem::EngineVersion),
    ("config.backend.torch_dtype", SetupItem::Precision),
    (
        "config.backend.attn_implementation",
        SetupItem::AttentionBackend,
    ),
    ("config.environment.gpu", SetupItem::GpuModel),
];

/// The document behind such a CSV.
pub(super) fn document(rows: &[Vec<String>]) -> Option<Value> {
    let (names, rows) = rows.split_first()?;
    if !TOLD_BY.iter().all(|name| names.iter().any(|n| n == name)) {
        return None;
    }
    let object = |row: &Vec<String>| {
        let cells = names.iter().zip(row).filter(|(_, cell)| !cell.is_empty());
        Value::Object(
            cells
                .map(|(name, cell)| (name.clone(), cell.clone().into()))
                .collect(),
        )
    };
    let rows: Vec<Value> = rows.iter().filter(|r| !r.is_empty()).map(object).collect();
    Some(Value::Object(Map::from_iter([(
        ROWS.to_owned(),
        rows.into(),
    )])))
}

/// Translates the rows that were measured.
pub(super) fn facts(document: &Value) -> Vec<Facts> {
    let rows = document.get(ROWS).and_then(Value::as_array);
    let rows = rows.map_or(&[][..], Vec::as_slice).iter().enumerate();
    let mut results = Vec::new();
    for (index, row) in rows {
        let mut facts = of_row(row);
        facts.source = format!("row {}", index + 1);
        if !facts.latency.is_empty() {
            results.push(facts);
        }
    }
    results
}

fn of_row(row: &Value) -> Facts {
    let mut facts = Facts::of(Format::LlmPerf);
    facts.percentile_rule = Some(PercentileRule::Linear);
    facts.state(Metric::Ttft, family(row, "report.prefill.latency"));
    facts.state(Metric::Tpot, family(row, "report.per_token.latency"));
    facts.state(Metric::E2e, family(row, "report.generate.latency"));
    let cell = |name: &str| row.get(name).and_then(as_number);
    let tokens_per_s = row
        .get("report.decode.throughput.unit")
        .and_then(Value::as_str);
    let per_s = cell("report.decode.throughput.value");
    facts.rates.output = per_s.filter(|_| tokens_per_s == Some("tokens/s"));
    facts.load.concurrency = cell("config.scenario.input_shapes.batch_size");
    facts.load.model = Some(LoadModel::Closed);
    facts.tokens.asked_output = cell("config.scenario.generate_kwargs.max_new_tokens");
    for (name, item) in ITEMS {
        let text = row.get(name).and_then(Value::as_str).map(str::to_owned);
        facts.declare(item, text);
    }
    translate(&mut facts);
    facts
}

/// `PREFIX.mean`, `PREFIX.p99`, `PREFIX.stdev` and the like, in the unit that `PREFIX.unit` names.
fn family(row: &Value, prefix: &str) -> Statistics {
    let mut out = Statistics::default();
    let unit = row.get(format!("{prefix}.unit")).cloned();
    let unit = unit.map(|unit| Value::Object(Map::from_iter([("unit".to_owned(), unit)])));
    let Some(in_ms) = unit.and_then(|unit| unit_in_ms(&unit, "unit")) else {
        return out;
    };
    let prefix = format!("{prefix}.");
    for (name, member) in row.as_object().into_iter().flatten() {
        let Some((statistic, number)) = name.strip_prefix(&prefix).zip(as_number(member)) else {
            continue;
        };
        match statistic {
            "mean" => out.mean = Some(number),
            "stdev" => out.std = Some(number),
            "count" => out.n = Some(number),
            other => {
                if let Some(p) = other.strip_prefix('p').and_then(percent) {
                    out.insert(p, number);
                }
            }
        }
    }
    out.scaled(in_ms)
}

fn translate(facts: &mut Facts) {
    facts.translate(
        "prefill.latency",
        "TTFT",
        "of one batch, without queue and network",
    );
    facts.translate(
        "per_token.latency",
        "TPOT",
        "time of a decoding step; batches as samples",
    );
    facts.translate(
        "decode.throughput",
        "output throughput",
        "of decoding alone",
    );
}
