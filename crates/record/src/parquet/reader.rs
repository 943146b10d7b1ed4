//! Reads `requests.parquet` back into records.
//!
//! Reads files of this format only; foreign results come through importers. Invariant: a value that
//! the format does not allow is an error that names its row and column, never a default.

use super::PARQUET_FILE;
use crate::error::RecordError;
use crate::schema::{CLASSES_KEY, COLUMNS, Column, Kind, Null, Taken, VERSION_KEY};
use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ListArray, RecordBatch};
use arrow_schema::{DataType, Schema};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Chunk, ChunkKind, RequestRecord};
use infermeter_core::run::FORMAT_VERSION;
use infermeter_core::schedule::Phase;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Rows decoded at a time: 256 rows of 4,000 chunks take about 100 MB at most.
const BATCH_ROWS: usize = 256;

/// All records of `dir`, in id order. Chunk texts are not in the file.
pub fn read_records(dir: &Path) -> Result<Vec<RequestRecord>, RecordError> {
    let mut records = Vec::new();
    for_each_record(dir, &mut |record| records.push(record))?;
    Ok(records)
}

/// Gives each record of `dir`, in id order, to `each`; memory is bounded by a row group.
pub fn for_each_record(dir: &Path, each: &mut dyn FnMut(RequestRecord)) -> Result<(), RecordError> {
    let path = dir.join(PARQUET_FILE);
    let file = File::open(&path).map_err(|cause| match cause.kind() {
        ErrorKind::NotFound => RecordError::NoRecord(dir.to_owned()),
        _ => RecordError::io("open", &path)(cause),
    })?;
    let unreadable = |cause: String| RecordError::ParquetRead {
        path: path.clone(),
        cause,
    };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|cause| unreadable(cause.to_string()))?;
    let classes = check_metadata(&path, &builder)?;
    check_schema(&path, builder.schema())?;
    let known = ProjectionMask::columns(builder.parquet_schema(), COLUMNS.iter().map(|c| c.name));
    let reader = builder
        .with_projection(known)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|cause| unreadable(cause.to_string()))?;
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|cause| unreadable(cause.to_string()))?;
        let place = Place {
            path: &path,
            first_row: rows,
        };
        rows += batch.num_rows() as u64;
        records_of(&batch, &classes, place)?
            .into_iter()
            .for_each(&mut *each);
    }
    Ok(())
}

/// Version and class names.
fn check_metadata(
    path: &Path,
    builder: &ParquetRecordBatchReaderBuilder<File>,
) -> Result<Vec<String>, RecordError> {
    let metadata = builder.metadata().file_metadata().key_value_metadata();
    let value_of = |key: &str| {
        let entries = metadata.map_or(&[][..], Vec::as_slice);
        let entry = entries.iter().find(|entry| entry.key == key);
        entry.and_then(|entry| entry.value.as_deref())
    };
    let lacks = |key: &str| RecordError::NotARecord {
        path: path.to_owned(),
        problem: format!("its metadata has no valid `{key}` (was it rewritten by another tool?)"),
    };
    let found: u64 = value_of(VERSION_KEY)
        .and_then(|v| v.parse().ok())
        .ok_or_else(|| lacks(VERSION_KEY))?;
    if found > u64::from(FORMAT_VERSION) {
        return Err(RecordError::NewerVersion {
            path: path.to_owned(),
            found,
            newest: u64::from(FORMAT_VERSION),
        });
    }
    value_of(CLASSES_KEY)
        .and_then(|v| serde_json::from_str(v).ok())
        .ok_or_else(|| lacks(CLASSES_KEY))
}

fn check_schema(path: &Path, found: &Schema) -> Result<(), RecordError> {
    let mut problems = Vec::new();
    for column in &COLUMNS {
        match found.field_with_name(column.name) {
            Err(_) if column.may_be_missing() => {}
            Err(_) => problems.push(format!("column {} is missing", column.name)),
            Ok(field) if !same_type(field.data_type(), &column.data_type()) => problems.push(
                format!("column {} has type {}", column.name, field.data_type()),
            ),
            Ok(_) => {}
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(RecordError::NotARecord {
        path: path.to_owned(),
        problem: problems.join(", "),
    })
}

/// Equal, but for names and nullability of list elements.
fn same_type(a: &DataType, b: &DataType) -> bool {
    match (a, b) {
        (DataType::List(a), DataType::List(b)) => a.data_type() == b.data_type(),
        _ => a == b,
    }
}

/// Where a batch of rows comes from, for messages.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    first_row: u64,
}

impl Place<'_> {
    fn bad(self, row: usize, column: &Column, problem: &'static str) -> RecordError {
        RecordError::BadValue {
            path: PathBuf::from(self.path),
            row: self.first_row + row as u64,
            column: column.name,
            problem,
        }
    }
}

const NOT_ALLOWED: &str = "a value that the format does not have";
const IS_NULL: &str = "null, where a value is required";
const UNEQUAL: &str = "its length differs from that of the other chunk columns";

fn records_of(
    batch: &RecordBatch,
    classes: &[String],
    place: Place<'_>,
) -> Result<Vec<RequestRecord>, RecordError> {
    let blank = RequestRecord::unsent(0, 0, Phase::Warmup, Offset::ZERO, 0, 0);
    let mut records = vec![blank; batch.num_rows()];
    let mut lists_seen = Lists::None;
    for column in &COLUMNS {
        let Some(array) = batch.column_by_name(column.name) else {
            if column.may_be_missing() {
                continue;
            }
            return Err(RecordError::NotARecord {
                path: place.path.to_owned(),
                problem: format!("column {} is missing", column.name),
            });
        };
        if let Some(lists) = array.as_list_opt::<i32>() {
            size_chunks(column, lists, &mut records, lists_seen, place)?;
            lists_seen = Lists::Some;
            fill_chunks(column, lists, &mut records, place)?;
        } else {
            fill(column, array.as_ref(), classes, &mut records, place)?;
        }
    }
    Ok(records)
}

/// Whether a chunk column has given the records their number of chunks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    None,
    Some,
}

fn size_chunks(
    column: &Column,
    lists: &ListArray,
    records: &mut [RequestRecord],
    seen: Lists,
    place: Place<'_>,
) -> Result<(), RecordError> {
    let blank = Chunk {
        at: Offset::ZERO,
        seen: Offset::ZERO,
        lower: Offset::ZERO,
        tokens: Chunk::TOKENS_UNKNOWN,
        read: 0,
        kind: ChunkKind::Text,
    };
    for (row, record) in records.iter_mut().enumerate() {
        if lists.is_null(row) {
            return Err(place.bad(row, column, IS_NULL));
        }
        let length = lists.value_length(row) as usize;
        if seen == Lists::None {
            record.chunks = vec![blank; length];
        } else if record.chunks.len() != length {
            return Err(place.bad(row, column, UNEQUAL));
        }
    }
    Ok(())
}

/// Puts the value at an index of a column into a record or chunk.
type Put<'a, T> = Box<dyn Fn(&mut T, usize) -> Taken + 'a>;

/// Fills a column of lists; the records' chunks have the right number.
fn fill_chunks(
    column: &Column,
    lists: &ListArray,
    records: &mut [RequestRecord],
    place: Place<'_>,
) -> Result<(), RecordError> {
    let elements = lists.values();
    let offsets = lists.value_offsets();
    let put: Put<'_, Chunk> = match column.kind {
        Kind::ChunkNumber { take, .. } => {
            let numbers = elements.as_primitive::<Int64Type>();
            Box::new(move |chunk, i| take(chunk, numbers.value(i)))
        }
        Kind::ChunkText { take, .. } => {
            let texts = elements.as_string::<i32>();
            Box::new(move |chunk, i| take(chunk, texts.value(i)))
        }
        _ => return Ok(()),
    };
    for (row, record) in records.iter_mut().enumerate() {
        let first = offsets[row] as usize;
        for (i, chunk) in record.chunks.iter_mut().enumerate() {
            if elements.is_valid(first + i) {
                put(chunk, first + i).ok_or_else(|| place.bad(row, column, NOT_ALLOWED))?;
            } else if column.null == Null::Never {
                return Err(place.bad(row, column, IS_NULL));
            }
        }
    }
    Ok(())
}

/// Fills a column with one value per record.
fn fill(
    column: &Column,
    array: &dyn Array,
    classes: &[String],
    records: &mut [RequestRecord],
    place: Place<'_>,
) -> Result<(), RecordError> {
    let put: Put<'_, RequestRecord> = match column.kind {
        Kind::Class => {
            let names = array.as_string::<i32>();
            Box::new(move |record, row| {
                let index = classes.iter().position(|c| c == names.value(row))?;
                record.class = u16::try_from(index).ok()?;
                Some(())
            })
        }
        Kind::Number { take, .. } => {
            let numbers = array.as_primitive::<Int64Type>();
            Box::new(move |record, row| take(record, numbers.value(row)))
        }
        Kind::Text { take, .. } => {
            let texts = array.as_string::<i32>();
            Box::new(move |record, row| take(record, texts.value(row)))
        }
        Kind::Flag { take, .. } => {
            let flags = array.as_boolean();
            Box::new(move |record, row| take(record, flags.value(row)))
        }
        Kind::ChunkNumber { .. } | Kind::ChunkText { .. } => return Ok(()),
    };
    for (row, record) in records.iter_mut().enumerate() {
        if array.is_valid(row) {
            put(record, row).ok_or_else(|| place.bad(row, column, NOT_ALLOWED))?;
        } else if column.null == Null::Never {
            return Err(place.bad(row, column, IS_NULL));
        }
    }
    Ok(())
}
