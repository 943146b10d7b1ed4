//! A mapping file: how to read a CSV or JSON result of a tool that is not known here.
//!
//! TOML. Each key of `[values]` is a fact, each value the column or JSON path that holds it;
//! `[facts]` states what the file does not say. See the page on `audit` for every key.

use super::ImportError;
use crate::csv;
use crate::facts::{
    Arrivals, Facts, LoadModel, Metric, PercentileRule, Request, SetupItem, Statistics, TokenSource,
};
use crate::format::Format;
use crate::json::{as_number, key_of, percent};
use crate::lenient;
use serde_json::Value;
use std::collections::BTreeMap;

/// A mapping, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Milliseconds in the file's unit of latency.
    unit_ms: f64,
    /// One row is one request, instead of one result.
    rows_are_requests: bool,
    /// JSON path of the rows, where the file is one object.
    rows_at: Option<String>,
    /// Fact by column or path.
    values: Vec<(Key, String)>,
    /// What the file does not say.
    stated: Vec<(Key, String)>,
}

/// Why a mapping file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Not TOML.
    #[error("the mapping is not TOML: {0}")]
    NotToml(String),
    /// A key that names no fact.
    #[error("the mapping's key `{0}` is no fact; see the page on audit for the list")]
    UnknownKey(String),
    /// A value of the wrong kind.
    #[error("the mapping's `{key}` must be {expected}")]
    BadValue {
        /// The key.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
}

/// A fact that a mapping can name.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Tool,
    Date,
    Seed,
    LoadModel,
    Arrivals,
    Rate,
    Concurrency,
    Duration,
    WarmupSeconds,
    WarmupRequests,
    Completed,
    Failed,
    Retries,
    InputTokens,
    OutputTokens,
    TokenSource,
    AskedOutput,
    CachedTokens,
    RequestRate,
    OutputRate,
    TotalRate,
    PerGpuRate,
    Attainment,
    InputRate,
    PerChunk,
    SendLag,
    NewConnections,
    CutShort,
    Streaming,
    Percentiles,
    Test,
    Start,
    Error,
    Prompt,
    Answer,
    Latency(Metric, Statistic),
    Setup(SetupItem),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Statistic {
    Value,
    Mean,
    Std,
    Min,
    Max,
    Count,
    Percentile(f64),
}

/// Names of the facts without a metric.
const KEYS: [(&str, Key); 35] = [
    ("tool", Key::Tool),
    ("date", Key::Date),
    ("seed", Key::Seed),
    ("load-model", Key::LoadModel),
    ("arrivals", Key::Arrivals),
    ("rate", Key::Rate),
    ("concurrency", Key::Concurrency),
    ("duration-s", Key::Duration),
    ("warmup-s", Key::WarmupSeconds),
    ("warmup-requests", Key::WarmupRequests),
    ("completed", Key::Completed),
    ("failed", Key::Failed),
    ("retries", Key::Retries),
    ("input-tokens", Key::InputTokens),
    ("output-tokens", Key::OutputTokens),
    ("token-source", Key::TokenSource),
    ("asked-output-tokens", Key::AskedOutput),
    ("cached-tokens", Key::CachedTokens),
    ("request-throughput", Key::RequestRate),
    ("output-throughput", Key::OutputRate),
    ("total-throughput", Key::TotalRate),
    ("per-gpu-throughput", Key::PerGpuRate),
    ("attainment", Key::Attainment),
    ("input-throughput", Key::InputRate),
    ("tokens-per-chunk", Key::PerChunk),
    ("send-lag", Key::SendLag),
    ("new-connections", Key::NewConnections),
    ("interrupted", Key::CutShort),
    ("streaming", Key::Streaming),
    ("percentiles", Key::Percentiles),
    ("test", Key::Test),
    ("start-s", Key::Start),
    ("error", Key::Error),
    ("prompt", Key::Prompt),
    ("answer", Key::Answer),
];

/// Names of the metrics.
const METRICS: [(&str, Metric); 6] = [
    ("ttft", Metric::Ttft),
    ("tpot", Metric::Tpot),
    ("chunk-gap", Metric::ChunkGap),
    ("itl", Metric::Itl),
    ("ntpot", Metric::Ntpot),
    ("e2e", Metric::E2e),
];

impl Key {
    fn parse(name: &str) -> Option<Self> {
        if let Some((_, key)) = KEYS.iter().find(|(known, _)| *known == name) {
            return Some(*key);
        }
        if let Some(item) = SetupItem::parse(name) {
            return Some(Self::Setup(item));
        }
        let (metric, statistic) = name.split_once('.').unwrap_or((name, ""));
        let (_, metric) = METRICS.iter().find(|(known, _)| *known == metric)?;
        let statistic = match statistic {
            "" => Statistic::Value,
            "mean" => Statistic::Mean,
            "std" => Statistic::Std,
            "min" => Statistic::Min,
            "max" => Statistic::Max,
            "count" => Statistic::Count,
            "median" => Statistic::Percentile(50.0),
            p => Statistic::Percentile(percent(p.strip_prefix('p')?)?),
        };
        Some(Self::Latency(*metric, statistic))
    }
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// [`MappingError`] with the key that is wrong.
    pub fn parse(text: &str) -> Result<Self, MappingError> {
        let table: toml::Table = text
            .parse()
            .map_err(|e: toml::de::Error| MappingError::NotToml(e.message().to_owned()))?;
        let mut mapping = Self {
            unit_ms: 1.0,
            rows_are_requests: false,
            rows_at: None,
            values: Vec::new(),
            stated: Vec::new(),
        };
        for (name, value) in &table {
            match name.as_str() {
                "unit" => mapping.unit_ms = unit(value)?,
                "rows" => mapping.rows_are_requests = rows(value)?,
                "rows-at" => mapping.rows_at = Some(string(name, value)?),
                "values" => mapping.values = facts_of(name, value)?,
                "facts" => mapping.stated = facts_of(name, value)?,
                _ => return Err(MappingError::UnknownKey(name.clone())),
            }
        }
        Ok(mapping)
    }

    /// Reads a file by this mapping: CSV with a header, JSON lines, or JSON.
    ///
    /// # Errors
    /// [`ImportError`] where the file is none of them.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<Facts>, ImportError> {
        let text = super::as_text(bytes)?;
        let rows = if text.trim_start().starts_with(['{', '[']) {
            self.json_rows(text)?
        } else {
            csv_rows(text)
        };
        if rows.is_empty() {
            return Err(ImportError::Empty);
        }
        if self.rows_are_requests {
            return Ok(vec![self.of_requests(&rows)]);
        }
        let several = rows.len() > 1;
        let results = rows.iter().enumerate().map(|(index, row)| {
            let mut facts = self.of_result(row);
            if several {
                facts.source = format!("row {}", index + 1);
            }
            facts
        });
        Ok(results.collect())
    }

    fn json_rows(&self, text: &str) -> Result<Vec<Value>, ImportError> {
        let mut documents = super::documents(text)?;
        if documents.len() > 1 {
            return Ok(documents);
        }
        let document = documents.pop().unwrap_or_default();
        let inner = self
            .rows_at
            .as_deref()
            .map(|path| path_of(&document, path).cloned());
        match inner.unwrap_or(Some(document)) {
            Some(Value::Array(rows)) => Ok(rows),
            Some(value) => Ok(vec![value]),
            None => Ok(Vec::new()),
        }
    }

    fn of_result(&self, row: &Value) -> Facts {
        let mut facts = self.fresh();
        let mut latency: BTreeMap<Metric, Statistics> = BTreeMap::new();
        for (key, path) in &self.values {
            let Some(value) = path_of(row, path) else {
                continue;
            };
            if let Key::Latency(metric, statistic) = key {
                if let Some(number) = as_number(value) {
                    let statistics = latency.entry(*metric).or_default();
                    keep(statistics, *statistic, number, self.unit_ms);
                }
            } else {
                set(&mut facts, *key, value, self.unit_ms);
            }
        }
        for (metric, statistics) in latency {
            facts.state(metric, statistics);
        }
        facts.not_finite = lenient::count_not_finite(row);
        facts
    }

    fn of_requests(&self, rows: &[Value]) -> Facts {
        let mut facts = self.fresh();
        let requests = rows.iter().map(|row| self.request(row)).collect();
        let has_errors = self.values.iter().any(|(key, _)| *key == Key::Error);
        facts.list(requests, has_errors);
        facts.not_finite = rows.iter().map(lenient::count_not_finite).sum();
        facts
    }

    fn request(&self, row: &Value) -> Request {
        let mut request = Request::default();
        for (key, path) in &self.values {
            let Some(value) = path_of(row, path) else {
                continue;
            };
            let number = as_number(value);
            let in_ms = number.map(|n| n * self.unit_ms);
            match key {
                Key::Start => request.start_s = number,
                Key::InputTokens => request.input_tokens = number,
                Key::OutputTokens => request.output_tokens = number,
                Key::Error => request.failed = is_error(value),
                Key::Prompt => request.prompt_key = Some(key_of(&text_of(value))),
                Key::Answer => request.answer_key = Some(key_of(&text_of(value))),
                Key::Latency(Metric::Ttft, _) => request.ttft_ms = in_ms,
                Key::Latency(Metric::Tpot, _) => request.tpot_ms = in_ms,
                Key::Latency(Metric::E2e, _) => request.e2e_ms = in_ms,
                _ => {}
            }
        }
        request
    }

    fn fresh(&self) -> Facts {
        let mut facts = Facts::of(Format::Mapped);
        for (key, text) in &self.stated {
            set(&mut facts, *key, &Value::String(text.clone()), self.unit_ms);
        }
        facts
    }
}

fn is_error(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(failed) => *failed,
        Value::Number(n) => n.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.trim(), "" | "0" | "false" | "None" | "null"),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn keep(statistics: &mut Statistics, statistic: Statistic, number: f64, unit_ms: f64) {
    let in_ms = number * unit_ms;
    match statistic {
        Statistic::Value | Statistic::Mean => statistics.mean = Some(in_ms),
        Statistic::Std => statistics.std = Some(in_ms),
        Statistic::Min => statistics.min = Some(in_ms),
        Statistic::Max => statistics.max = Some(in_ms),
        Statistic::Count => statistics.n = Some(number),
        Statistic::Percentile(p) => statistics.insert(p, in_ms),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

fn set(facts: &mut Facts, key: Key, value: &Value, unit_ms: f64) {
    let number = as_number(value);
    let text = text_of(value);
    match key {
        Key::Tool => facts.tool_version = Some(text),
        Key::Date => facts.date = Some(text),
        Key::Seed => facts.seed = Some(text),
        Key::Test => facts.comparison_test = Some(text),
        Key::LoadModel => facts.load.model = load_model(&text),
        Key::Arrivals => facts.load.arrivals = arrivals(&text),
        Key::Rate => facts.load.rate = number,
        Key::Concurrency => facts.load.concurrency = number,
        Key::Duration => facts.load.duration_s = number,
        Key::WarmupSeconds => facts.load.warmup_s = number,
        Key::WarmupRequests => facts.load.warmup_requests = number,
        Key::Completed => facts.counts.completed = number,
        Key::Failed => facts.counts.failed = number,
        Key::Retries => facts.counts.retries = number,
        Key::InputTokens => facts.tokens.input = number,
        Key::OutputTokens => facts.tokens.output = number,
        Key::TokenSource => facts.tokens.source = token_source(&text),
        Key::AskedOutput => facts.tokens.asked_output = number,
        Key::CachedTokens => facts.tokens.cached = number,
        Key::RequestRate => facts.rates.requests = number,
        Key::OutputRate => facts.rates.output = number,
        Key::TotalRate => facts.rates.total = number,
        Key::PerGpuRate => facts.rates.per_gpu = number,
        Key::Attainment => facts.rates.attainment = number,
        Key::InputRate => facts.rates.input = number,
        Key::PerChunk => facts.tokens.per_chunk = number,
        Key::SendLag => facts.load.send_lag_ms = number.map(|n| n * unit_ms),
        Key::NewConnections => facts.new_connections = number,
        Key::CutShort => facts.cut_short = text.to_ascii_lowercase().parse().ok(),
        Key::Streaming => facts.streaming = text.to_ascii_lowercase().parse().ok(),
        Key::Percentiles => facts.percentile_rule = percentile_rule(&text),
        Key::Setup(item) => facts.declare(item, Some(text)),
        Key::Start | Key::Error | Key::Prompt | Key::Answer | Key::Latency(..) => {}
    }
}

fn load_model(text: &str) -> Option<LoadModel> {
    match text {
        "open" => Some(LoadModel::Open),
        "closed" => Some(LoadModel::Closed),
        "burst" => Some(LoadModel::Burst),
        _ => None,
    }
}

fn arrivals(text: &str) -> Option<Arrivals> {
    match text {
        "poisson" => Some(Arrivals::Poisson),
        "constant" => Some(Arrivals::Constant),
        "" => None,
        _ => Some(Arrivals::Other),
    }
}

fn token_source(text: &str) -> Option<TokenSource> {
    match text {
        "usage" => Some(TokenSource::Usage),
        "tokenizer" => Some(TokenSource::Tokenizer),
        "chunks" => Some(TokenSource::Chunks),
        _ => None,
    }
}

fn percentile_rule(text: &str) -> Option<PercentileRule> {
    match text {
        "exact" => Some(PercentileRule::Exact),
        "linear" => Some(PercentileRule::Linear),
        "histogram" => Some(PercentileRule::Histogram),
        _ => None,
    }
}

fn unit(value: &toml::Value) -> Result<f64, MappingError> {
    match value.as_str() {
        Some("ms") => Ok(1.0),
        Some("s") => Ok(1e3),
        Some("us") => Ok(1e-3),
        Some("ns") => Ok(1e-6),
        _ => Err(MappingError::BadValue {
            key: "unit".to_owned(),
            expected: "\"s\", \"ms\", \"us\" or \"ns\"",
        }),
    }
}

fn rows(value: &toml::Value) -> Result<bool, MappingError> {
    match value.as_str() {
        Some("requests") => Ok(true),
        Some("results") => Ok(false),
        _ => Err(MappingError::BadValue {
            key: "rows".to_owned(),
            expected: "\"requests\" or \"results\"",
        }),
    }
}

fn string(key: &str, value: &toml::Value) -> Result<String, MappingError> {
    let text = match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(n) => Some(n.to_string()),
        toml::Value::Float(n) => Some(n.to_string()),
        toml::Value::Boolean(b) => Some(b.to_string()),
        _ => None,
    };
    text.ok_or_else(|| MappingError::BadValue {
        key: key.to_owned(),
        expected: "a text or a number",
    })
}

fn facts_of(section: &str, value: &toml::Value) -> Result<Vec<(Key, String)>, MappingError> {
    let table = value.as_table().ok_or_else(|| MappingError::BadValue {
        key: section.to_owned(),
        expected: "a table",
    })?;
    let entry = |(name, value): (&String, &toml::Value)| {
        let key = Key::parse(name).ok_or_else(|| MappingError::UnknownKey(name.clone()))?;
        Ok((key, string(name, value)?))
    };
    table.iter().map(entry).collect()
}

/// A member by its own name, dots and all, or else by path.
fn path_of<'a>(row: &'a Value, path: &str) -> Option<&'a Value> {
    let direct = row.get(path).filter(|v| !v.is_null());
    direct.or_else(|| crate::json::at(row, path))
}

/// Rows of a CSV with a header.
fn csv_rows(text: &str) -> Vec<Value> {
    let mut rows = csv::rows(text).into_iter().filter(|row| !row.is_empty());
    let Some(names) = rows.next() else {
        return Vec::new();
    };
    let object = |row: Vec<String>| {
        let pairs = names.iter().cloned().zip(row);
        let stated = pairs.filter(|(_, text)| !text.is_empty());
        Value::Object(
            stated
                .map(|(name, text)| (name, Value::String(text)))
                .collect(),
        )
    };
    rows.map(object).collect()
}
