//! Reads `requests.parquet` back into records: all of them, one after the other, or in parts by
//! several threads, with only those columns that are needed.
//!
//! Reads files of this format only; foreign results come through importers. Invariant: a value that
//! the format does not allow is an error that names its row and column, never a default. Memory is
//! bounded by [`super::BATCH_ROWS`] rows and a page of each column per thread.

use super::rows::{Batch, Group, Layout};
use super::{PARQUET_FILE, unreadable};
use crate::error::RecordError;
use crate::schema::{CLASSES_KEY, VERSION_KEY};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::FORMAT_VERSION;
use infermeter_core::source::{ChunkFields, RecordSource};
use std::fs::File;
use std::io::ErrorKind;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};

/// Threads that decode at the same time: more only wait for memory.
const MOST_THREADS: usize = 8;

/// All records of `dir`, in id order. Chunk texts are not in the file.
pub fn read_records(dir: &Path) -> Result<Vec<RequestRecord>, RecordError> {
    let mut records = Vec::new();
    for_each_record(dir, &mut |record| records.push(record))?;
    Ok(records)
}

/// Gives each record of `dir`, in id order, to `each`; memory is bounded by some rows.
pub(crate) fn for_each_record(
    dir: &Path,
    each: &mut dyn FnMut(RequestRecord),
) -> Result<(), RecordError> {
    let file = ParquetRecords::open(dir)?;
    let all = 0..file.groups.len();
    file.read(all, ChunkFields::ALL, &mut |record| {
        each(record.clone());
        ControlFlow::Continue(())
    })
}

/// The records of a `requests.parquet`, to be gone through as often as needed.
#[derive(Debug)]
pub struct ParquetRecords {
    path: PathBuf,
    classes: Vec<String>,
    layout: Layout,
    /// First row and size of each row group.
    groups: Vec<GroupSize>,
}

#[derive(Debug, Clone, Copy)]
struct GroupSize {
    first_row: u64,
    bytes: u64,
}

impl ParquetRecords {
    /// Opens the file of `dir` and checks version and columns.
    pub fn open(dir: &Path) -> Result<Self, RecordError> {
        let path = dir.join(PARQUET_FILE);
        let reader = open(&path).map_err(|error| match error {
            RecordError::Io { cause, .. } if cause.kind() == ErrorKind::NotFound => {
                RecordError::NoRecord(dir.to_owned())
            }
            other => other,
        })?;
        let metadata = reader.metadata();
        let classes = check_metadata(&path, metadata)?;
        let layout = Layout::of(&path, metadata.file_metadata().schema_descr())?;
        let mut first_row = 0;
        let mut groups = Vec::new();
        for group in metadata.row_groups() {
            let bytes = u64::try_from(group.total_byte_size()).unwrap_or(0);
            groups.push(GroupSize { first_row, bytes });
            first_row += u64::try_from(group.num_rows()).unwrap_or(0);
        }
        Ok(Self {
            path,
            classes,
            layout,
            groups,
        })
    }

    /// Names of the classes, by the numbers that its records have.
    pub(crate) fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Gives all rows in batches with every fact about their chunks, until `each` has seen enough
    /// ([`super::rows::Batch::give`] takes one away).
    pub(crate) fn batches(
        &self,
        each: &mut dyn FnMut(&mut Batch) -> ControlFlow<()>,
    ) -> Result<(), RecordError> {
        self.for_each_group(0..self.groups.len(), |group| {
            group.batches(ChunkFields::ALL, each)
        })
    }

    /// Gives each record of consecutive row groups to `each`, until it has seen enough.
    fn read(
        &self,
        groups: Range<usize>,
        fields: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), RecordError> {
        self.for_each_group(groups, |group| group.read(fields, each))
    }

    fn for_each_group(
        &self,
        groups: Range<usize>,
        mut each: impl FnMut(&Group<'_>) -> Result<ControlFlow<()>, RecordError>,
    ) -> Result<(), RecordError> {
        let reader = open(&self.path)?;
        for index in groups {
            let group = reader.get_row_group(index);
            let group = group.map_err(|cause| unreadable(&self.path, &cause))?;
            let group = Group {
                path: &self.path,
                classes: &self.classes,
                layout: &self.layout,
                first_row: self.groups[index].first_row,
                reader: group.as_ref(),
            };
            if each(&group)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Consecutive row groups of about the same size for each thread.
    fn parts(&self, threads: usize) -> Vec<Range<usize>> {
        let total: u64 = self.groups.iter().map(|group| group.bytes.max(1)).sum();
        let mut parts = Vec::new();
        let (mut start, mut bytes) = (0, 0);
        for (index, group) in self.groups.iter().enumerate() {
            bytes += group.bytes.max(1);
            let share = total * (parts.len() as u64 + 1) / threads as u64;
            if bytes >= share {
                parts.push(start..index + 1);
                start = index + 1;
            }
        }
        parts
    }
}

impl RecordSource for ParquetRecords {
    type Error = RecordError;

    fn in_order(
        &self,
        fields: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), RecordError> {
        self.read(0..self.groups.len(), fields, each)
    }

    fn scan<C: Send>(
        &self,
        fields: ChunkFields,
        start: &(dyn Fn() -> C + Sync),
        take: &(dyn Fn(&mut C, &RequestRecord) + Sync),
    ) -> Result<Vec<C>, RecordError> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let parts = self.parts(threads.min(MOST_THREADS));
        let one = |part: Range<usize>| {
            let mut collector = start();
            self.read(part, fields, &mut |record| {
                take(&mut collector, record);
                ControlFlow::Continue(())
            })?;
            Ok(collector)
        };
        std::thread::scope(|scope| {
            let one = &one;
            let started: Vec<_> = parts
                .into_iter()
                .map(|part| scope.spawn(move || one(part)))
                .collect();
            let ended = started.into_iter().map(|thread| match thread.join() {
                Ok(collected) => collected,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            ended.collect()
        })
    }
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, RecordError> {
    let file = File::open(path).map_err(RecordError::io("open", path))?;
    SerializedFileReader::new(file).map_err(|cause| unreadable(path, &cause))
}

/// Version and class names.
fn check_metadata(path: &Path, metadata: &ParquetMetaData) -> Result<Vec<String>, RecordError> {
    let entries = metadata.file_metadata().key_value_metadata();
    let value_of = |key: &str| {
        let entries = entries.map_or(&[][..], Vec::as_slice);
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
