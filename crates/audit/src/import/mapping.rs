//! A mapping file: how to read a CSV or JSON result of a tool that is not known here.
//!
//! TOML. Each key of `[values]` is a fact, each value the column or JSON path that holds it, with its
//! unit where that is not the usual one; `[facts]` states what the file does not say. See the page on
//! `audit` for every key. Invariant: a column that is not there and a value that cannot be are errors.

mod key;

use super::ImportError;
use crate::csv;
use crate::facts::{
    Arrivals, Facts, LoadModel, Metric, PercentileRule, Request, Statistics, TokenSource,
};
use crate::format::Format;
use crate::json::{as_number, is_not_finite, key_of};
use crate::lenient;
use key::{Key, Quantity, Statistic};
use serde_json::Value;
use std::collections::BTreeMap;

/// Cells that say that there is no value.
const BLANKS: [&str; 6] = ["", "-", "n/a", "na", "null", "none"];

/// A mapping, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// One row is one request, instead of one result.
    rows_are_requests: bool,
    /// JSON path of the rows, where the file is one object.
    rows_at: Option<String>,
    /// Where the facts are.
    fields: Vec<Field>,
    /// What the file does not say.
    stated: Vec<(Key, String)>,
}

/// Where a fact is.
#[derive(Debug, Clone, PartialEq)]
struct Field {
    key: Key,
    /// Its name in the mapping.
    name: String,
    /// Column, or path of members.
    column: String,
    /// What one of the file's unit is here.
    factor: f64,
}

/// A row that is one request, and what an audit has no use for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RequestRow {
    /// What an audit has of it.
    pub request: Request,
    /// When it was sent, where that is not a number.
    pub start_text: Option<String>,
    /// Tokens of the prompt that were cached.
    pub cached_tokens: Option<f64>,
    /// Conversation that it belongs to.
    pub session: Option<String>,
    /// What it asks.
    pub prompt: Option<String>,
}

/// Why a mapping file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MappingError {
    /// Not TOML.
    #[error("the mapping is not TOML: {0}")]
    NotToml(String),
    /// A key that names no fact.
    #[error("the mapping's key `{0}` is not a fact; see the page on audit for the list")]
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

fn bad(key: &str, expected: &'static str) -> MappingError {
    MappingError::BadValue {
        key: key.to_owned(),
        expected,
    }
}

/// Rows of a file, and the names of its columns where it is a table.
struct Table {
    names: Option<Vec<String>>,
    rows: Vec<Value>,
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
            rows_are_requests: false,
            rows_at: None,
            fields: Vec::new(),
            stated: Vec::new(),
        };
        let unit = table.get("unit").map(|value| string("unit", value));
        let unit = unit.transpose()?.unwrap_or_else(|| "ms".to_owned());
        if Quantity::Latency.factor(&unit).is_none() {
            return Err(bad("unit", Quantity::Latency.units()));
        }
        for (name, value) in &table {
            match name.as_str() {
                "unit" => {}
                "rows" => mapping.rows_are_requests = rows(value)?,
                "rows-at" => mapping.rows_at = Some(string(name, value)?),
                "values" => mapping.fields = fields_of(value, &unit)?,
                "facts" => mapping.stated = stated_in(value)?,
                _ => return Err(MappingError::UnknownKey(name.clone())),
            }
        }
        mapping.check_places()?;
        Ok(mapping)
    }

    /// A fact that its row cannot hold would be lost without a word.
    fn check_places(&self) -> Result<(), MappingError> {
        for field in &self.fields {
            if self.rows_are_requests && !field.key.is_of_request() {
                return Err(bad(&field.name, "in [facts]: a row is one request"));
            }
            if !self.rows_are_requests && field.key.is_of_request_alone() {
                return Err(bad(
                    &field.name,
                    "left out: a row is a result (rows = \"requests\"?)",
                ));
            }
        }
        Ok(())
    }

    /// Reads a file by this mapping: CSV with a header, JSON lines, or JSON.
    ///
    /// # Errors
    /// [`ImportError`] where the file is none of them, lacks a column, or holds a value that cannot be.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<Facts>, ImportError> {
        let text = super::as_text(bytes)?;
        let table = if text.trim_start().starts_with(['{', '[']) {
            self.json_rows(text)?
        } else {
            csv_rows(text)
        };
        if table.rows.is_empty() {
            return Err(ImportError::Empty);
        }
        self.check_columns(&table)?;
        self.check_cells(&table.rows)?;
        let rows = table.rows;
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

    fn json_rows(&self, text: &str) -> Result<Table, ImportError> {
        let mut documents = super::documents(text)?;
        let names = None;
        if documents.len() > 1 {
            let rows = documents;
            return Ok(Table { names, rows });
        }
        let document = documents.pop().unwrap_or_default();
        let inner = self
            .rows_at
            .as_deref()
            .map(|path| path_of(&document, path).cloned());
        let rows = match inner.unwrap_or(Some(document)) {
            Some(Value::Array(rows)) => rows,
            Some(value) => vec![value],
            None => Vec::new(),
        };
        Ok(Table { names, rows })
    }

    /// In a table a column is there with its name, elsewhere with its first value.
    fn check_columns(&self, table: &Table) -> Result<(), ImportError> {
        for field in &self.fields {
            let column = field.column.as_str();
            let there = match &table.names {
                Some(names) => names.iter().any(|name| name == column),
                None => table.rows.iter().any(|row| has(row, column)),
            };
            if !there {
                let mut names: Vec<&str> = match (&table.names, table.rows.first()) {
                    (Some(names), _) => names.iter().map(String::as_str).collect(),
                    (None, Some(Value::Object(map))) => map.keys().map(String::as_str).collect(),
                    (None, _) => Vec::new(),
                };
                names.truncate(12);
                return Err(ImportError::NoColumn {
                    column: column.to_owned(),
                    key: field.name.clone(),
                    names: names.join(", "),
                });
            }
        }
        Ok(())
    }

    fn check_cells(&self, rows: &[Value]) -> Result<(), ImportError> {
        for (index, row) in rows.iter().enumerate() {
            for field in &self.fields {
                let Some(value) = cell(row, &field.column) else {
                    continue;
                };
                let text = text_of(value);
                if let Some(expected) = field.key.quantity().refuses(&text) {
                    return Err(ImportError::BadCell {
                        row: index + 1,
                        column: field.column.clone(),
                        value: infermeter_core::text::inert(&text, 60),
                        expected,
                    });
                }
            }
        }
        Ok(())
    }

    fn of_result(&self, row: &Value) -> Facts {
        let mut facts = self.fresh();
        let mut latency: BTreeMap<Metric, Statistics> = BTreeMap::new();
        for field in &self.fields {
            let Some(value) = cell(row, &field.column) else {
                continue;
            };
            let number = as_number(value).map(|n| n * field.factor);
            match (field.key, number) {
                (Key::Latency(metric, statistic), Some(number)) => {
                    keep(latency.entry(metric).or_default(), statistic, number);
                }
                (Key::InputLength(statistic), Some(number)) => {
                    let lengths = facts.tokens.input_lengths.get_or_insert_default();
                    keep(lengths, statistic, number);
                }
                (Key::OutputLength(statistic), Some(number)) => {
                    let lengths = facts.tokens.output_lengths.get_or_insert_default();
                    keep(lengths, statistic, number);
                }
                _ => set(&mut facts, field.key, number, text_of(value)),
            }
        }
        for (metric, statistics) in latency {
            facts.state(metric, statistics);
        }
        totals_of_means(&mut facts);
        facts.not_finite = lenient::count_not_finite(row);
        facts
    }

    fn of_requests(&self, rows: &[Value]) -> Facts {
        let mut facts = self.fresh();
        let requests = rows.iter().map(|row| self.request(row)).collect();
        let has_errors = self.fields.iter().any(|field| field.key == Key::Error);
        facts.list(requests, has_errors);
        facts.not_finite = rows.iter().map(lenient::count_not_finite).sum();
        facts
    }

    fn request(&self, row: &Value) -> Request {
        let mut request = Request::default();
        for field in &self.fields {
            let Some(value) = path_of(row, &field.column) else {
                continue;
            };
            let number = as_number(value).map(|n| n * field.factor);
            match field.key {
                Key::Start => request.start_s = number,
                Key::InputTokens => request.input_tokens = number,
                Key::OutputTokens => request.output_tokens = number,
                Key::Error => request.failed = is_error(value),
                Key::Prompt => request.prompt_key = Some(key_of(&text_of(value))),
                Key::Answer => request.answer_key = Some(key_of(&text_of(value))),
                Key::Latency(Metric::Ttft, _) => request.ttft_ms = number,
                Key::Latency(Metric::Tpot, _) => request.tpot_ms = number,
                Key::Latency(Metric::E2e, _) => request.e2e_ms = number,
                _ => {}
            }
        }
        request
    }

    /// One row of a file of requests by itself, for whoever reads a file as a stream.
    ///
    /// # Errors
    /// What is wrong with a value, and how its column is called.
    pub fn row(&self, row: &Value) -> Result<RequestRow, String> {
        let mut found = RequestRow::default();
        for field in &self.fields {
            let Some(value) = cell(row, &field.column) else {
                continue;
            };
            let text = text_of(value);
            match (field.key, field.key.quantity().refuses(&text)) {
                (Key::Start, Some(_)) => found.start_text = Some(text),
                (_, Some(expected)) => {
                    let text = infermeter_core::text::inert(&text, 60);
                    return Err(format!(
                        "{} is `{text}`: it must be {expected}",
                        field.column
                    ));
                }
                (Key::CachedTokens, None) => found.cached_tokens = as_number(value),
                (Key::Session, None) => found.session = Some(text),
                (Key::Prompt, None) => found.prompt = Some(text),
                _ => {}
            }
        }
        found.request = self.request(row);
        Ok(found)
    }

    /// A row is one request, and rows stand by themselves: the file can be read as a stream.
    pub fn is_of_requests(&self) -> bool {
        self.rows_are_requests && self.rows_at.is_none()
    }

    fn fresh(&self) -> Facts {
        let mut facts = Facts::of(Format::Mapped);
        for (key, text) in &self.stated {
            let number = as_number(&Value::String(text.clone()));
            set(&mut facts, *key, number, text.clone());
        }
        facts
    }
}

/// Totals that only means are given of.
fn totals_of_means(facts: &mut Facts) {
    let completed = facts.counts.completed;
    let total = |lengths: &Option<Statistics>| Some(lengths.as_ref()?.mean? * completed?);
    let tokens = &mut facts.tokens;
    tokens.input = tokens.input.or(total(&tokens.input_lengths));
    tokens.output = tokens.output.or(total(&tokens.output_lengths));
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

fn keep(statistics: &mut Statistics, statistic: Statistic, number: f64) {
    match statistic {
        Statistic::Value | Statistic::Mean => statistics.mean = Some(number),
        Statistic::Std => statistics.std = Some(number),
        Statistic::Min => statistics.min = Some(number),
        Statistic::Max => statistics.max = Some(number),
        Statistic::Count => statistics.n = Some(number),
        Statistic::Percentile(p) => statistics.insert(p, number),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

fn set(facts: &mut Facts, key: Key, number: Option<f64>, text: String) {
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
        Key::SendLag => facts.load.send_lag_ms = number,
        Key::NewConnections => facts.new_connections = number,
        Key::CutShort => facts.cut_short = text.to_ascii_lowercase().parse().ok(),
        Key::Streaming => facts.streaming = text.to_ascii_lowercase().parse().ok(),
        Key::Percentiles => facts.percentile_rule = percentile_rule(&text),
        Key::Setup(item) => facts.declare(item, Some(text)),
        Key::Start
        | Key::Error
        | Key::Prompt
        | Key::Answer
        | Key::Session
        | Key::InputLength(_)
        | Key::OutputLength(_)
        | Key::Latency(..) => {}
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

fn rows(value: &toml::Value) -> Result<bool, MappingError> {
    match value.as_str() {
        Some("requests") => Ok(true),
        Some("results") => Ok(false),
        _ => Err(bad("rows", "\"requests\" or \"results\"")),
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
    text.ok_or_else(|| bad(key, "a text or a number"))
}

/// Columns by fact: a name, or a table with the name and its unit.
fn fields_of(value: &toml::Value, latency_unit: &str) -> Result<Vec<Field>, MappingError> {
    let table = value.as_table().ok_or_else(|| bad("values", "a table"))?;
    let field = |(name, value): (&String, &toml::Value)| {
        let key = Key::parse(name).ok_or_else(|| MappingError::UnknownKey(name.clone()))?;
        let (column, unit) = match value.as_table() {
            Some(table) => column_and_unit(name, table)?,
            None => (string(name, value)?, None),
        };
        let quantity = key.quantity();
        let unit = unit.as_deref();
        let factor = match (quantity, unit) {
            (Quantity::Latency, None) => quantity.factor(latency_unit),
            (_, None) => Some(1.0),
            (_, Some(unit)) => quantity.factor(unit),
        };
        let factor = factor.ok_or_else(|| bad(&format!("{name}.unit"), quantity.units()))?;
        let name = name.clone();
        Ok(Field {
            key,
            name,
            column,
            factor,
        })
    };
    table.iter().map(field).collect()
}

fn column_and_unit(
    name: &str,
    table: &toml::Table,
) -> Result<(String, Option<String>), MappingError> {
    let other = table
        .keys()
        .find(|k| !["column", "unit"].contains(&k.as_str()));
    if let Some(other) = other {
        return Err(MappingError::UnknownKey(format!("{name}.{other}")));
    }
    let column = table.get("column");
    let column = column.ok_or_else(|| bad(name, "a column, or { column = ..., unit = ... }"))?;
    let unit = table.get("unit").map(|unit| string("unit", unit));
    Ok((string("column", column)?, unit.transpose()?))
}

/// What the file does not say, checked as cells are.
fn stated_in(value: &toml::Value) -> Result<Vec<(Key, String)>, MappingError> {
    let table = value.as_table().ok_or_else(|| bad("facts", "a table"))?;
    let entry = |(name, value): (&String, &toml::Value)| {
        let key = Key::parse(name).ok_or_else(|| MappingError::UnknownKey(name.clone()))?;
        let of_column = matches!(
            key,
            Key::Latency(..) | Key::InputLength(_) | Key::OutputLength(_)
        );
        if of_column || key.is_of_request_alone() {
            return Err(bad(name, "in [values], as a column"));
        }
        let text = string(name, value)?;
        match key.quantity().refuses(&text) {
            Some(expected) => Err(bad(name, expected)),
            None => Ok((key, text)),
        }
    };
    table.iter().map(entry).collect()
}

/// The value of a cell; a word for nothing, or a number that is none, is none.
fn cell<'a>(row: &'a Value, column: &str) -> Option<&'a Value> {
    let value = path_of(row, column)?;
    let blank = value.as_str().is_some_and(|text| {
        let text = text.trim();
        is_not_finite(text) || BLANKS.contains(&text.to_ascii_lowercase().as_str())
    });
    (!blank).then_some(value)
}

/// Whether a member is there, if only as null.
fn has(row: &Value, path: &str) -> bool {
    let by_path = || path.split('.').try_fold(row, |value, key| value.get(key));
    row.get(path).is_some() || by_path().is_some()
}

/// A member by its own name, dots and all, or else by path.
pub(crate) fn path_of<'a>(row: &'a Value, path: &str) -> Option<&'a Value> {
    let direct = row.get(path).filter(|v| !v.is_null());
    direct.or_else(|| crate::json::at(row, path))
}

/// The rows of a file as every mapping reads them: those of a CSV with a header, JSON lines, or JSON, there at a path.
///
/// # Errors
/// [`ImportError`] where it is none of them, or has no row.
pub(crate) fn rows_of(bytes: &[u8], rows_at: Option<&str>) -> Result<Vec<Value>, ImportError> {
    let mapping = Mapping {
        rows_are_requests: true,
        rows_at: rows_at.map(str::to_owned),
        fields: Vec::new(),
        stated: Vec::new(),
    };
    let text = super::as_text(bytes)?;
    let table = match text.trim_start().starts_with(['{', '[']) {
        true => mapping.json_rows(text)?,
        false => csv_rows(text),
    };
    match table.rows.is_empty() {
        true => Err(ImportError::Empty),
        false => Ok(table.rows),
    }
}

/// Rows of a CSV with a header.
fn csv_rows(text: &str) -> Table {
    let mut rows = csv::rows(text).into_iter().filter(|row| !row.is_empty());
    let names = rows.next().unwrap_or_default();
    let object = |row: Vec<String>| {
        let pairs = names.iter().cloned().zip(row);
        let stated = pairs.filter(|(_, text)| !text.is_empty());
        Value::Object(
            stated
                .map(|(name, text)| (name, Value::String(text)))
                .collect(),
        )
    };
    let rows = rows.map(object).collect();
    Table {
        names: Some(names),
        rows,
    }
}
