//! A Parquet file of a log as JSON lines: every column by its name, nested ones as objects and lists.
//!
//! It knows no column. Invariant: one line per row, in order; what is null is left out.

use crate::error::RecordError;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::{Field, Row};
use serde_json::{Map, Number, Value};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Writes the rows of the Parquet file at `path` to `out`; returns their number. Instants become seconds since
/// the Unix epoch.
///
/// # Errors
/// When the file is no Parquet, or cannot be read or written.
pub fn rows_as_json_lines(path: &Path, out: &mut dyn Write) -> Result<u64, RecordError> {
    let wrong = |cause: String| RecordError::Texts {
        path: path.to_owned(),
        cause,
    };
    let file = File::open(path).map_err(RecordError::io("open", path))?;
    let reader = SerializedFileReader::new(file).map_err(|e| wrong(e.to_string()))?;
    let mut rows = 0;
    for row in reader
        .get_row_iter(None)
        .map_err(|e| wrong(e.to_string()))?
    {
        let row = row.map_err(|e| wrong(format!("row {}: {e}", rows + 1)))?;
        writeln!(out, "{}", object(&row)).map_err(RecordError::io("unpack", path))?;
        rows += 1;
    }
    Ok(rows)
}

fn object(row: &Row) -> Value {
    let columns = row.get_column_iter();
    let filled = columns.filter_map(|(name, field)| Some((name.clone(), value(field)?)));
    Value::Object(filled.collect::<Map<String, Value>>())
}

/// A value; `None` where it is null.
fn value(field: &Field) -> Option<Value> {
    Some(match field {
        Field::Null => return None,
        Field::Bool(value) => (*value).into(),
        Field::Byte(n) => (*n).into(),
        Field::Short(n) => (*n).into(),
        Field::Int(n) => (*n).into(),
        Field::Long(n) => (*n).into(),
        Field::UByte(n) => (*n).into(),
        Field::UShort(n) => (*n).into(),
        Field::UInt(n) => (*n).into(),
        Field::ULong(n) => (*n).into(),
        Field::Float(x) => f64::from(*x).into(),
        Field::Double(x) => (*x).into(),
        Field::Str(text) => text.as_str().into(),
        Field::TimestampMillis(ms) => seconds(*ms, 1_000)?,
        Field::TimestampMicros(us) => seconds(*us, 1_000_000)?,
        Field::Group(row) => object(row),
        Field::ListInternal(list) => list
            .elements()
            .iter()
            .map(|f| value(f).unwrap_or_default())
            .collect(),
        Field::MapInternal(map) => {
            let entries = map.entries().iter();
            let named = entries.filter_map(|(key, field)| match key {
                Field::Str(name) => Some((name.clone(), value(field)?)),
                _ => None,
            });
            Value::Object(named.collect())
        }
        other => other.to_string().into(),
    })
}

/// Seconds with every decimal of the file's unit.
fn seconds(since: i64, per_second: i64) -> Option<Value> {
    let digits = if per_second == 1_000 { 3 } else { 6 };
    let (whole, rest) = (since.div_euclid(per_second), since.rem_euclid(per_second));
    let text = format!("{whole}.{rest:0digits$}");
    serde_json::from_str::<Number>(&text)
        .ok()
        .map(Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{TableColumn, write_table};

    #[test]
    fn rows_become_objects_without_what_is_null() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("log.parquet");
        let texts = TableColumn::Texts(vec![Some("a \"b\"".to_owned()), None]);
        let numbers = TableColumn::Numbers(vec![None, Some(7)]);
        write_table(&path, &[("input", texts), ("tokens", numbers)], &[]).expect("written");
        let mut out = Vec::new();
        assert_eq!(rows_as_json_lines(&path, &mut out).expect("read"), 2);
        let out = String::from_utf8(out).expect("JSON is UTF-8");
        assert_eq!(out, "{\"input\":\"a \\\"b\\\"\"}\n{\"tokens\":7}\n");
        assert_eq!(
            seconds(1_772_359_200_250, 1_000).map(|n| n.to_string()),
            Some("1772359200.25".to_owned())
        );
    }
}
