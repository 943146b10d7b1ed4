//! Writes `requests.parquet`.
//!
//! Does not sort: rows must come in id order. Invariant: the file appears under its name only when
//! it is whole.

use super::PARQUET_FILE;
use crate::atomic::AtomicFile;
use crate::error::RecordError;
use crate::schema::{CLASSES_KEY, COLUMNS, Column, Kind, VERSION_KEY, schema};
use ::parquet::arrow::ArrowWriter;
use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression, Encoding};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow_array::builder::{Int64Builder, ListBuilder, StringBuilder};
use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::FORMAT_VERSION;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Records held as records before they become columns: 64 Ki chunks take a few megabytes.
const BATCH_ROWS: usize = 1024;
const BATCH_CHUNKS: usize = 1 << 16;

/// A row group ends at either. A million chunks are about 40 MB in a reader's memory.
const GROUP_ROWS: usize = 8192;
const GROUP_CHUNKS: usize = 1 << 20;

/// Writes records, in id order, to `requests.parquet`.
pub struct RecordsWriter {
    writer: ArrowWriter<AtomicFile>,
    path: PathBuf,
    classes: Vec<String>,
    batch: Vec<RequestRecord>,
    batch_chunks: usize,
    group_chunks: usize,
    last_id: Option<u64>,
}

impl RecordsWriter {
    /// Starts the file in `dir`; it appears under its name with [`Self::finish`]. `classes` are the
    /// names by class index.
    pub fn create(dir: &Path, classes: &[String]) -> Result<Self, RecordError> {
        let file = AtomicFile::create(dir, PARQUET_FILE)?;
        let path = file.target().to_owned();
        let names = serde_json::to_string(classes).map_err(|cause| RecordError::NotJson {
            path: path.clone(),
            cause,
        })?;
        // Without the Arrow schema in it the file means the same to every reader.
        let options = ArrowWriterOptions::new()
            .with_properties(properties(names))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(file, Arc::new(schema()), options)
            .map_err(|cause| write_error(&path, cause))?;
        Ok(Self {
            writer,
            path,
            classes: classes.to_vec(),
            batch: Vec::new(),
            batch_chunks: 0,
            group_chunks: 0,
            last_id: None,
        })
    }

    /// Adds a row.
    pub fn append(&mut self, record: RequestRecord) -> Result<(), RecordError> {
        self.check(&record)?;
        self.last_id = Some(record.id);
        self.batch_chunks += record.chunks.len();
        self.batch.push(record);
        if self.batch.len() >= BATCH_ROWS || self.batch_chunks >= BATCH_CHUNKS {
            self.write_batch()?;
        }
        Ok(())
    }

    /// Completes the file and gives it its name.
    pub fn finish(mut self) -> Result<(), RecordError> {
        self.write_batch()?;
        self.writer
            .into_inner()
            .map_err(|cause| write_error(&self.path, cause))?
            .commit()
    }

    fn check(&self, record: &RequestRecord) -> Result<(), RecordError> {
        let id = record.id;
        if i64::try_from(id).is_err() {
            return Err(RecordError::IdTooLarge(id));
        }
        if let Some(after) = self.last_id.filter(|last| *last >= id) {
            return Err(RecordError::OutOfOrder { id, after });
        }
        if usize::from(record.class) >= self.classes.len() {
            return Err(RecordError::UnknownClass {
                id,
                class: record.class,
                known: self.classes.len(),
            });
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), RecordError> {
        let result = self.write_columns();
        result.map_err(|cause| write_error(&self.path, cause))?;
        self.group_chunks += self.batch_chunks;
        self.batch_chunks = 0;
        self.batch.clear();
        if self.writer.in_progress_rows() >= GROUP_ROWS || self.group_chunks >= GROUP_CHUNKS {
            self.group_chunks = 0;
            let flushed = self.writer.flush();
            flushed.map_err(|cause| write_error(&self.path, cause))?;
        }
        Ok(())
    }

    fn write_columns(&mut self) -> Result<(), ParquetError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let arrays = COLUMNS
            .iter()
            .map(|column| array_of(column, &self.batch, &self.classes))
            .collect();
        let batch = RecordBatch::try_new(Arc::new(schema()), arrays)?;
        self.writer.write(&batch)
    }
}

fn write_error(path: &Path, cause: ParquetError) -> RecordError {
    RecordError::ParquetWrite {
        path: path.to_owned(),
        cause,
    }
}

fn properties(classes: String) -> WriterProperties {
    let metadata = vec![
        KeyValue::new(VERSION_KEY.to_owned(), FORMAT_VERSION.to_string()),
        KeyValue::new(CLASSES_KEY.to_owned(), classes),
    ];
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("infermeter ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(metadata));
    for column in COLUMNS.iter().filter(|c| c.grows()) {
        let path = ColumnPath::new(column.leaf());
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties.build()
}

fn array_of(column: &Column, records: &[RequestRecord], classes: &[String]) -> ArrayRef {
    match column.kind {
        Kind::Class => Arc::new(
            records
                .iter()
                .map(|r| classes.get(usize::from(r.class)))
                .collect::<StringArray>(),
        ),
        Kind::Number { give, .. } => Arc::new(records.iter().map(give).collect::<Int64Array>()),
        Kind::Text { give, .. } => Arc::new(records.iter().map(give).collect::<StringArray>()),
        Kind::Flag { give, .. } => Arc::new(records.iter().map(give).collect::<BooleanArray>()),
        Kind::ChunkNumber { give, .. } => {
            let mut lists = ListBuilder::new(Int64Builder::new()).with_field(column.element());
            for record in records {
                lists.append_value(record.chunks.iter().map(give));
            }
            Arc::new(lists.finish())
        }
        Kind::ChunkText { give, .. } => {
            let mut lists = ListBuilder::new(StringBuilder::new()).with_field(column.element());
            for record in records {
                lists.append_value(record.chunks.iter().map(|c| Some(give(c))));
            }
            Arc::new(lists.finish())
        }
    }
}
