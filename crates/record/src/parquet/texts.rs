//! A Parquet file of prompts as JSON lines: the form in which the `workload` crate reads texts.
//!
//! It checks names and types of columns, nothing of what the texts say. Invariant: one line per row,
//! in order.

use crate::error::RecordError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Field, Row};
use ::parquet::schema::types::Type;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Columns of texts, one of which there has to be: a prompt, or messages as JSON.
const TEXTS: [&str; 2] = ["prompt", "messages"];
/// Columns of lengths.
const LENGTHS: [&str; 2] = ["output_tokens", "max_tokens"];

/// Writes the rows of the Parquet file at `path` to `out`: `prompt` or `messages` (JSON text), with
/// `output_tokens` or `max_tokens` where there is such a column, and the other columns as members.
/// Lists and objects of those that `is_member` knows are JSON text. Returns the rows' number.
///
/// # Errors
/// When the file is no Parquet, has no column of texts, or a value is no text, no JSON or no number.
pub fn texts_as_json_lines(
    path: &Path,
    is_member: &dyn Fn(&str) -> bool,
    out: &mut dyn Write,
) -> Result<u64, RecordError> {
    let wrong = |cause: String| RecordError::Texts {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(RecordError::io("open", path))?;
    let reader = SerializedFileReader::new(file).map_err(|e| wrong(e.to_string()))?;
    let schema = reader.metadata().file_metadata().schema();
    let columns = schema.get_fields();
    let names: Vec<&str> = columns.iter().map(|column| column.name()).collect();
    let known = |all: &'static [&'static str]| all.iter().copied().find(|c| names.contains(c));
    let text = known(&TEXTS).ok_or_else(|| {
        wrong(format!(
            "no column prompt or messages; found {}",
            names.join(", ")
        ))
    })?;
    let length = known(&LENGTHS);
    let nested = columns.iter().filter(|c| c.is_group()).map(|c| c.name());
    if let Some(name) = nested.clone().find(|name| *name == text || is_member(name)) {
        return Err(wrong(format!(
            "the column {name} is nested: write it as JSON text"
        )));
    }
    let nested: Vec<&str> = nested.collect();
    let columns = columns.iter().filter(|column| !column.is_group());
    let projection = Type::group_type_builder(schema.name())
        .with_fields(columns.map(Arc::clone).collect())
        .build()
        .map_err(|e| wrong(e.to_string()))?;
    let found = reader.get_row_iter(Some(projection));
    let mut rows = 0;
    for row in found.map_err(|e| wrong(e.to_string()))? {
        let row = row.map_err(|e| wrong(e.to_string()))?;
        let line = line(&row, Wanted { text, length }, is_member, &nested);
        let line = line.map_err(|cause| wrong(format!("row {}: {cause}", rows + 1)))?;
        writeln!(out, "{line}").map_err(RecordError::io("unpack", path))?;
        rows += 1;
    }
    Ok(rows)
}

/// The columns that make a request.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    text: &'a str,
    /// Of the answer, tokens.
    length: Option<&'a str>,
}

/// One row as the reader of texts takes it. The `nested` columns are named alone: none is a member of
/// a request.
fn line(
    row: &Row,
    Wanted { text, length }: Wanted<'_>,
    is_member: &dyn Fn(&str) -> bool,
    nested: &[&str],
) -> Result<Value, String> {
    let mut line = Map::new();
    line.extend(
        nested
            .iter()
            .map(|name| ((*name).to_owned(), "nested".into())),
    );
    for (name, field) in row.get_column_iter() {
        if name == text {
            let said = match field {
                Field::Str(said) => said,
                _ => return Err(format!("{text} is not text")),
            };
            let value = match text {
                "messages" => {
                    serde_json::from_str(said).map_err(|e| format!("{text} is not JSON: {e}"))?
                }
                _ => Value::from(said.as_str()),
            };
            line.insert(text.to_owned(), value);
        } else if Some(name.as_str()) != length {
            line.extend(scalar(field, is_member(name)).map(|value| (name.clone(), value)));
        } else if let Some(tokens) = number(field, name)? {
            // The names that the reader of each form knows.
            let member = match text {
                "messages" => "max_tokens",
                _ => "output_tokens",
            };
            line.insert(member.to_owned(), tokens.into());
        }
    }
    Ok(Value::Object(line))
}

/// A value of a column beside texts and lengths; of a member a text may hold a list or an object.
/// `None` where it is null, or of a type that JSON does not have.
fn scalar(field: &Field, is_member: bool) -> Option<Value> {
    Some(match field {
        Field::Bool(value) => (*value).into(),
        Field::Int(n) => (*n).into(),
        Field::Long(n) => (*n).into(),
        Field::UInt(n) => (*n).into(),
        Field::ULong(n) => (*n).into(),
        Field::Float(x) => f64::from(*x).into(),
        Field::Double(x) => (*x).into(),
        Field::Str(text) => {
            let folded = serde_json::from_str::<Value>(text).ok();
            let folded = folded.filter(|v| is_member && (v.is_array() || v.is_object()));
            folded.unwrap_or_else(|| text.as_str().into())
        }
        Field::Null => return None,
        _ => "of another type".into(),
    })
}

/// A whole number; `None` where it is null.
fn number(field: &Field, name: &str) -> Result<Option<u32>, String> {
    let found = match field {
        Field::Null => return Ok(None),
        Field::Int(n) => u32::try_from(*n).ok(),
        Field::Long(n) => u32::try_from(*n).ok(),
        Field::UInt(n) => Some(*n),
        Field::ULong(n) => u32::try_from(*n).ok(),
        _ => None,
    };
    found
        .map(Some)
        .ok_or_else(|| format!("{name} is not a whole number of tokens"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{TableColumn, write_table};

    fn converted(columns: &[(&str, TableColumn)]) -> Result<String, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("texts.parquet");
        write_table(&path, columns, &[]).expect("written");
        let mut out = Vec::new();
        match texts_as_json_lines(&path, &|name| name == "tools", &mut out) {
            Ok(rows) => {
                let text = String::from_utf8(out).expect("UTF-8");
                assert_eq!(text.lines().count() as u64, rows);
                Ok(text)
            }
            Err(error) => Err(error.to_string()),
        }
    }

    fn texts(texts: &[&str]) -> TableColumn {
        TableColumn::Texts(texts.iter().map(|t| Some((*t).to_owned())).collect())
    }

    #[test]
    fn rows_become_lines() {
        let lengths = TableColumn::Numbers(vec![Some(7), None]);
        let id = TableColumn::Numbers(vec![Some(1), Some(2)]);
        let prompts = vec![
            ("id", id),
            ("prompt", texts(&["One \"two\".", "Three."])),
            ("output_tokens", lengths.clone()),
        ];
        let value = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let said = converted(&prompts).expect("converts");
        let lines: Vec<Value> = said.lines().map(value).collect();
        let first = serde_json::json!({ "id": 1, "prompt": "One \"two\".", "output_tokens": 7 });
        assert_eq!(
            lines,
            [first, serde_json::json!({ "id": 2, "prompt": "Three." })]
        );
        let message = "[{\"role\":\"user\",\"content\":\"Hi.\"}]";
        let messages = vec![
            ("messages", texts(&[message, message])),
            ("max_tokens", lengths),
            ("tools", texts(&["[1]", "[2]"])),
        ];
        let said = converted(&messages).expect("converts");
        let first = said.lines().next().expect("a line");
        let expect = format!("{{\"messages\":{message},\"max_tokens\":7,\"tools\":[1]}}");
        assert_eq!(value(first), value(&expect));
    }

    #[test]
    fn wrong_columns_are_named() {
        for (columns, said) in [
            (
                vec![("text", texts(&["a"]))],
                "no column prompt or messages; found text",
            ),
            (
                vec![("messages", texts(&["{"]))],
                "row 1: messages is not JSON",
            ),
            (
                vec![("prompt", texts(&["a"])), ("max_tokens", texts(&["b"]))],
                "row 1: max_tokens is not a whole number",
            ),
        ] {
            let error = converted(&columns).expect_err(said);
            assert!(error.contains(said), "{error}");
        }
    }
}
