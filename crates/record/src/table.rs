//! A table of plain columns as one Parquet file: for logs that are no record of a run.
//!
//! Knows no column's meaning. Invariant: the file appears under its name only when it is whole.

use crate::atomic::AtomicFile;
use crate::error::RecordError;
use crate::parquet::columns::{ColumnsWriter, Shape, Values};
use ::parquet::basic::Compression;
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use std::io::Write;
use std::path::Path;

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
    fn shape<'a>(&self, name: &'a str) -> Shape<'a> {
        let (values, nullable, list) = match self {
            Self::Numbers(_) => (Values::Numbers, true, false),
            Self::Texts(_) => (Values::Texts, true, false),
            Self::Flags(_) => (Values::Flags, false, false),
            Self::NumberLists(_) => (Values::Numbers, false, true),
        };
        Shape {
            name,
            values,
            nullable,
            list,
        }
    }

    fn write(
        &self,
        file: &mut ColumnsWriter<impl Write + Send>,
        place: usize,
    ) -> Result<(), ParquetError> {
        match self {
            Self::Numbers(values) => file.values::<Int64Type>(place, values.iter().copied()),
            Self::Texts(values) => {
                let texts = values.iter().map(|v| v.as_deref().map(ByteArray::from));
                file.values::<ByteArrayType>(place, texts)
            }
            Self::Flags(values) => file.values::<BoolType>(place, values.iter().copied().map(Some)),
            Self::NumberLists(lists) => {
                let lists = lists.iter().map(|list| list.iter().copied().map(Some));
                file.lists::<Int64Type, _>(place, lists)
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
    let failed = |cause: ParquetError| RecordError::ParquetWrite {
        path: path.to_owned(),
        cause,
    };
    let notes = notes
        .iter()
        .map(|(name, text)| KeyValue::new((*name).to_owned(), text.clone()));
    let properties = WriterProperties::builder()
        .set_created_by(concat!("infermeter ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(notes.collect()))
        .build();
    let shapes: Vec<Shape<'_>> = columns.iter().map(|(name, c)| c.shape(name)).collect();
    let mut writer = ColumnsWriter::new(file, &shapes, properties).map_err(failed)?;
    for (place, (_, column)) in columns.iter().enumerate() {
        column.write(&mut writer, place).map_err(failed)?;
    }
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
