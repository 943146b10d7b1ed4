//! Writes `requests.parquet`.
//!
//! Does not sort: rows must come in id order. Invariant: the file appears under its name only when
//! it is whole.

use super::PARQUET_FILE;
use super::columns::ColumnsWriter;
use crate::atomic::AtomicFile;
use crate::error::RecordError;
use crate::schema::{CLASSES_KEY, COLUMNS, Column, Kind, VERSION_KEY};
use ::parquet::basic::{Compression, Encoding};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use infermeter_core::record::{Chunk, RequestRecord};
use infermeter_core::run::FORMAT_VERSION;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Records held as records before they become columns: 64 Ki chunks take a few megabytes.
const BATCH_ROWS: usize = 1024;
const BATCH_CHUNKS: usize = 1 << 16;

/// A row group ends at either. A million chunks are about 40 MB in a reader's memory.
pub(super) const GROUP_ROWS: usize = 8192;
pub(super) const GROUP_CHUNKS: usize = 1 << 20;

/// Writes records, in id order, to `requests.parquet`.
pub struct RecordsWriter {
    writer: ColumnsWriter<AtomicFile>,
    path: PathBuf,
    classes: Vec<String>,
    batch: Vec<RequestRecord>,
    batch_chunks: usize,
    group_rows: usize,
    group_chunks: usize,
    last_id: Option<u64>,
}

impl RecordsWriter {
    /// Starts the file in `dir`; it appears under its name with [`Self::finish`]. `classes` are the
    /// names by class index.
    pub fn create(dir: &Path, classes: &[String]) -> Result<Self, RecordError> {
        let (writer, path) = open(dir, classes)?;
        Ok(Self {
            writer,
            path,
            classes: classes.to_vec(),
            batch: Vec::new(),
            batch_chunks: 0,
            group_rows: 0,
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
        if self.batch.is_empty() {
            return Ok(());
        }
        let written = write_rows(&mut self.writer, &COLUMNS, &self.batch, &self.classes);
        written.map_err(|cause| write_error(&self.path, cause))?;
        self.group_rows += self.batch.len();
        self.group_chunks += self.batch_chunks;
        self.batch_chunks = 0;
        self.batch.clear();
        if self.group_rows >= GROUP_ROWS || self.group_chunks >= GROUP_CHUNKS {
            self.group_rows = 0;
            self.group_chunks = 0;
            let ended = self.writer.end_group();
            ended.map_err(|cause| write_error(&self.path, cause))?;
        }
        Ok(())
    }
}

/// Starts the file of a record in `dir`: its columns, and its name for messages.
pub(super) fn open(
    dir: &Path,
    classes: &[String],
) -> Result<(ColumnsWriter<AtomicFile>, PathBuf), RecordError> {
    let file = AtomicFile::create(dir, PARQUET_FILE)?;
    let path = file.target().to_owned();
    let names = serde_json::to_string(classes).map_err(|cause| RecordError::NotJson {
        path: path.clone(),
        cause,
    })?;
    let shapes: Vec<_> = COLUMNS.iter().map(|column| column.shape()).collect();
    let writer = ColumnsWriter::new(file, &shapes, properties(names))
        .map_err(|cause| write_error(&path, cause))?;
    Ok((writer, path))
}

pub(super) fn write_error(path: &Path, cause: ParquetError) -> RecordError {
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

/// Adds these records to the row group; `columns` are those of the file.
pub(super) fn write_rows<'a>(
    file: &mut ColumnsWriter<impl Write + Send>,
    columns: impl IntoIterator<Item = &'a Column>,
    records: &[RequestRecord],
    classes: &[String],
) -> Result<(), ParquetError> {
    for (place, column) in columns.into_iter().enumerate() {
        let rows = records.iter();
        match column.kind {
            Kind::Class => {
                let name = |r: &RequestRecord| classes.get(usize::from(r.class));
                let names = rows.map(|r| name(r).map(|name| ByteArray::from(name.as_str())));
                file.values::<ByteArrayType>(place, names)?;
            }
            Kind::Number { give, .. } => file.values::<Int64Type>(place, rows.map(give))?,
            Kind::Flag { give, .. } => file.values::<BoolType>(place, rows.map(give))?,
            Kind::Text { give, .. } => {
                let texts = rows.map(|r| give(r).map(|text| ByteArray::from(&*text)));
                file.values::<ByteArrayType>(place, texts)?;
            }
            Kind::ChunkNumber { give, .. } => {
                let lists = rows.map(|r| r.chunks.iter().map(give));
                file.lists::<Int64Type, _>(place, lists)?;
            }
            Kind::ChunkText { give, .. } => {
                let lists = rows.map(|r| names(&r.chunks, give));
                file.lists::<ByteArrayType, _>(place, lists)?;
            }
        }
    }
    Ok(())
}

/// A name of every chunk. Neighbours mostly have the same one: it is copied where it changes.
fn names(
    chunks: &[Chunk],
    give: fn(&Chunk) -> &'static str,
) -> impl Iterator<Item = Option<ByteArray>> {
    let mut last: Option<(&'static str, ByteArray)> = None;
    chunks.iter().map(move |chunk| {
        let name = give(chunk);
        let same = last.take().filter(|(known, _)| *known == name);
        let (_, bytes) = last.insert(same.unwrap_or_else(|| (name, ByteArray::from(name))));
        Some(bytes.clone())
    })
}
