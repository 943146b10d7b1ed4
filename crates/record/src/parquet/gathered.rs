//! Rows of several records on their way into one file: a row group at a time, a column at a time.
//!
//! Chunks are never put together: their values go from the columns of one file into those of the other. Does not look
//! at the order of rows. Invariant: what is read back is what was taken.

use super::columns::ColumnsWriter;
use super::lanes::{Lanes, Values};
use super::levels::ListLevels;
use super::one_value::OneValue;
use super::writer::{GROUP_CHUNKS, GROUP_ROWS, open, write_error, write_rows};
use crate::atomic::AtomicFile;
use crate::error::RecordError;
use crate::schema::{COLUMNS, Lane};
use ::parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use ::parquet::errors::Result as ParquetResult;
use infermeter_core::record::{Chunk, ChunkKind, RequestRecord};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Rows of a row group in the making.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Without their chunks.
    records: Vec<RequestRecord>,
    /// Where each row's chunks end.
    ends: Vec<usize>,
    at: Vec<i64>,
    seen: Vec<i64>,
    lower: Vec<i64>,
    read: Vec<i64>,
    tokens: Alike<u32>,
    kind: Alike<ChunkKind>,
}

impl Gathered {
    /// Takes a row: its record without chunks, and its chunks from where they lie.
    pub(crate) fn take(&mut self, record: RequestRecord, lanes: &Lanes, row: usize) {
        let places = lanes.places(row);
        self.at.extend_from_slice(lanes.at(places.clone()));
        self.seen.extend_from_slice(lanes.seen(places.clone()));
        self.lower.extend_from_slice(lanes.lower(places.clone()));
        match lanes.reads(places.clone()) {
            Values::Alike(read, count) => {
                self.read.resize(self.read.len() + count, i64::from(read));
            }
            Values::Each(reads) => self.read.extend(reads.iter().map(|read| i64::from(*read))),
        }
        self.tokens.take(&lanes.tokens(places.clone()));
        self.kind.take(&lanes.kinds(places));
        self.ends.push(self.at.len());
        self.records.push(record);
    }

    /// As many rows or chunks as a row group has.
    pub(crate) fn is_full(&self) -> bool {
        self.records.len() >= GROUP_ROWS || self.at.len() >= GROUP_CHUNKS
    }

    /// Chunks of all its rows.
    pub(crate) fn chunks(&self) -> u64 {
        self.at.len() as u64
    }

    /// Empties it; keeps its room.
    fn clear(&mut self) {
        self.records.clear();
        self.ends.clear();
        for lane in [
            &mut self.at,
            &mut self.seen,
            &mut self.lower,
            &mut self.read,
        ] {
            lane.clear();
        }
        self.tokens.clear();
        self.kind.clear();
    }

    fn write(
        &self,
        file: &mut ColumnsWriter<impl Write + Send>,
        classes: &[String],
    ) -> ParquetResult<()> {
        // Columns of chunks come last.
        let scalars = COLUMNS.iter().take_while(|column| column.lane().is_none());
        write_rows(file, scalars, &self.records, classes)?;
        let levels = ListLevels::of(&self.ends);
        for (place, column) in COLUMNS.iter().enumerate() {
            match column.lane() {
                None => {}
                Some(Lane::At) => file.packed::<Int64Type>(place, &self.at, &levels)?,
                Some(Lane::Seen) => file.packed::<Int64Type>(place, &self.seen, &levels)?,
                Some(Lane::Lower) => file.packed::<Int64Type>(place, &self.lower, &levels)?,
                Some(Lane::Read) => file.packed::<Int64Type>(place, &self.read, &levels)?,
                Some(Lane::Tokens) => self.write_tokens(file, place, &levels)?,
                Some(Lane::Kind) => self.write_kinds(file, place, &levels)?,
            }
        }
        file.end_group()
    }

    fn write_tokens(
        &self,
        file: &mut ColumnsWriter<impl Write + Send>,
        place: usize,
        levels: &ListLevels,
    ) -> ParquetResult<()> {
        let known = |tokens: &u32| (*tokens != Chunk::TOKENS_UNKNOWN).then(|| i64::from(*tokens));
        match self.tokens.one().map(|tokens| known(&tokens)) {
            Some(Some(tokens)) => file.alike(place, &OneValue::Number(tokens), levels),
            Some(None) => {
                let unknown = self.lists(|chunks| chunks.map(|_| None));
                file.lists::<Int64Type, _>(place, unknown)
            }
            None => {
                let each = &self.tokens.each;
                let tokens = self.lists(|chunks| each[chunks].iter().map(known));
                file.lists::<Int64Type, _>(place, tokens)
            }
        }
    }

    fn write_kinds(
        &self,
        file: &mut ColumnsWriter<impl Write + Send>,
        place: usize,
        levels: &ListLevels,
    ) -> ParquetResult<()> {
        if let Some(kind) = self.kind.one() {
            return file.alike(place, &OneValue::Text(kind.as_str()), levels);
        }
        // A name is made once, and then shared.
        let names: Vec<(ChunkKind, ByteArray)> = (0..)
            .map_while(ChunkKind::from_u8)
            .map(|kind| (kind, ByteArray::from(kind.as_str())))
            .collect();
        let name = |kind: &ChunkKind| {
            let known = names.iter().find(|(known, _)| known == kind);
            known.map(|(_, name)| name.clone())
        };
        let each = &self.kind.each;
        let kinds = self.lists(|chunks| each[chunks].iter().map(name));
        file.lists::<ByteArrayType, _>(place, kinds)
    }

    /// What becomes of each row's chunks.
    fn lists<L>(&self, of: impl Fn(Range<usize>) -> L) -> impl Iterator<Item = L> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let chunks = start..*end;
            start = *end;
            of(chunks)
        })
    }
}

/// One value per chunk, kept once as long as all are the same.
struct Alike<T> {
    first: Option<T>,
    count: usize,
    /// Each one, once they differ.
    each: Vec<T>,
}

impl<T> Default for Alike<T> {
    fn default() -> Self {
        Self {
            first: None,
            count: 0,
            each: Vec::new(),
        }
    }
}

impl<T: Copy + PartialEq> Alike<T> {
    fn take(&mut self, values: &Values<'_, T>) {
        let (begins_with, length) = match values {
            Values::Alike(value, count) => (Some(*value).filter(|_| *count > 0), *count),
            Values::Each(values) => (values.first().copied(), values.len()),
        };
        let Some(begins_with) = begins_with else {
            return;
        };
        let first = *self.first.get_or_insert(begins_with);
        let all_first = match values {
            Values::Alike(value, _) => *value == first,
            Values::Each(values) => values.iter().all(|value| *value == first),
        };
        if self.each.is_empty() && !all_first {
            self.each.resize(self.count, first);
            self.add(values);
        } else if !self.each.is_empty() {
            self.add(values);
        }
        self.count += length;
    }

    fn add(&mut self, values: &Values<'_, T>) {
        match values {
            Values::Alike(value, count) => self.each.resize(self.each.len() + count, *value),
            Values::Each(values) => self.each.extend_from_slice(values),
        }
    }

    /// What all of them are; absent where they differ, and without any.
    fn one(&self) -> Option<T> {
        self.first.filter(|_| self.each.is_empty())
    }

    fn clear(&mut self) {
        self.first = None;
        self.count = 0;
        self.each.clear();
    }
}

/// Writes row groups to `requests.parquet`.
pub(crate) struct GatheredWriter {
    writer: ColumnsWriter<AtomicFile>,
    path: PathBuf,
    classes: Vec<String>,
}

impl GatheredWriter {
    /// Starts the file in `dir`; it appears under its name with [`Self::finish`].
    pub(crate) fn create(dir: &Path, classes: &[String]) -> Result<Self, RecordError> {
        let (writer, path) = open(dir, classes)?;
        Ok(Self {
            writer,
            path,
            classes: classes.to_vec(),
        })
    }

    /// Writes a row group, and empties it.
    pub(crate) fn write(&mut self, group: &mut Gathered) -> Result<(), RecordError> {
        let written = group.write(&mut self.writer, &self.classes);
        written.map_err(|cause| write_error(&self.path, cause))?;
        group.clear();
        Ok(())
    }

    /// Completes the file and gives it its name.
    pub(crate) fn finish(self) -> Result<(), RecordError> {
        let file = self.writer.into_inner();
        file.map_err(|cause| write_error(&self.path, cause))?
            .commit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_one_by_one_only_once_they_differ() {
        let mut alike: Alike<u32> = Alike::default();
        assert_eq!(alike.one(), None);
        alike.take(&Values::Each(&[]));
        alike.take(&Values::Alike(7, 0));
        assert_eq!(alike.one(), None);
        alike.take(&Values::Alike(1, 3));
        alike.take(&Values::Each(&[1, 1]));
        assert_eq!((alike.one(), alike.count), (Some(1), 5));
        alike.take(&Values::Each(&[1, 2]));
        alike.take(&Values::Alike(3, 2));
        alike.take(&Values::Each(&[1]));
        assert_eq!(alike.one(), None);
        assert_eq!(alike.each, [1, 1, 1, 1, 1, 1, 2, 3, 3, 1]);
        alike.clear();
        alike.take(&Values::Each(&[4, 5]));
        assert_eq!(alike.each, [4, 5]);
    }

    #[test]
    fn columns_of_chunks_come_last() {
        let lanes = COLUMNS.iter().map(|column| column.lane().is_some());
        assert!(lanes.is_sorted());
    }
}
