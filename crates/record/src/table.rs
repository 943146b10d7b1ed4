//! A table of plain columns as one Parquet file: for logs that are no record of a run.
//!
//! Knows no column's meaning. Invariant: the file appears under its name only when it is whole.

use crate::atomic::AtomicFile;
use crate::error::RecordError;
use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::Compression;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow_schema::ArrowError;
use std::path::Path;
use std::sync::Arc;

/// The values of one column, one per row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableColumn {
    /// Whole numbers, absent ones null.
    Numbers(Vec<Option<i64>>),
    /// Texts, absent ones null.
    Texts(Vec<Option<String>>),
    /// Truth values.
    Flags(Vec<bool>),
    /// Lists of whole numbers.
    NumberLists(Vec<Vec<i64>>),
}

impl TableColumn {
    fn array(&self) -> ArrayRef {
        match self {
            Self::Numbers(values) => Arc::new(Int64Array::from(values.clone())),
            Self::Texts(values) => Arc::new(StringArray::from(values.clone())),
            Self::Flags(values) => Arc::new(BooleanArray::from(values.clone())),
            Self::NumberLists(lists) => {
                let mut builder = ListBuilder::new(Int64Builder::new());
                for list in lists {
                    builder.append_value(list.iter().copied().map(Some));
                }
                Arc::new(builder.finish())
            }
        }
    }
}

/// Writes a table with `notes` (name and text) in the file's metadata. All columns have the same
/// number of rows, and names of their own.
pub fn write_table(
    path: &Path,
    columns: &[(&str, TableColumn)],
    notes: &[(&str, String)],
) -> Result<(), RecordError> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = AtomicFile::create(directory.unwrap_or(Path::new(".")), &name)?;
    let failed = |cause: ::parquet::errors::ParquetError| RecordError::ParquetWrite {
        path: path.to_owned(),
        cause,
    };
    let no_table = |cause: ArrowError| failed(cause.into());
    let arrays = columns.iter().map(|(name, column)| {
        let nullable = matches!(column, TableColumn::Numbers(_) | TableColumn::Texts(_));
        (*name, column.array(), nullable)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(arrays).map_err(no_table)?;
    let notes = notes
        .iter()
        .map(|(name, text)| KeyValue::new((*name).to_owned(), text.clone()));
    let properties = WriterProperties::builder()
        .set_created_by(concat!("infermeter ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(notes.collect()))
        .build();
    // Without the Arrow schema in it the file means the same to every reader.
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let mut writer =
        ArrowWriter::try_new_with_options(file, batch.schema(), options).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    writer.into_inner().map_err(failed)?.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;
    use std::fs::File;

    #[test]
    fn a_table_reads_back_row_by_row() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("t.parquet");
        let columns = [
            ("n", TableColumn::Numbers(vec![Some(7), None])),
            ("t", TableColumn::Texts(vec![None, Some("x".to_owned())])),
            ("f", TableColumn::Flags(vec![true, false])),
            ("l", TableColumn::NumberLists(vec![vec![], vec![1, 2]])),
        ];
        write_table(&path, &columns, &[("note", "kept".to_owned())]).expect("written");
        let reader = SerializedFileReader::new(File::open(&path).expect("there")).expect("whole");
        let metadata = reader.metadata().file_metadata();
        let notes = metadata.key_value_metadata().expect("notes");
        assert!(notes.iter().any(|n| n.value.as_deref() == Some("kept")));
        let rows: Vec<String> = reader
            .get_row_iter(None)
            .expect("rows")
            .map(|row| {
                let row = row.expect("a row");
                let cells: Vec<String> = row
                    .get_column_iter()
                    .map(|(name, field)| match field {
                        Field::Null => format!("{name}: null"),
                        field => format!("{name}: {field}"),
                    })
                    .collect();
                cells.join(", ")
            })
            .collect();
        assert_eq!(
            rows,
            [
                "n: 7, t: null, f: true, l: []",
                "n: null, t: \"x\", f: false, l: [1, 2]"
            ]
        );
    }
}
