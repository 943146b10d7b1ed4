//! A row group becomes records: the columns side by side, a batch of rows at a time.
//!
//! Does not open files. Invariant: a column that is not asked for is not read.

use super::cells::{AnyCells, Cells};
use super::lanes::{IS_NULL, Lanes, NOT_ALLOWED};
use super::{BATCH_ROWS, unreadable};
use crate::error::RecordError;
use crate::schema::{COLUMNS, Column, Kind, Lane, Null, Taken};
use ::parquet::basic::Type;
use ::parquet::data_type::{ByteArray, DataType};
use ::parquet::file::reader::RowGroupReader;
use ::parquet::file::statistics::Statistics;
use ::parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_core::schedule::Phase;
use infermeter_core::source::ChunkFields;
use std::ops::ControlFlow;
use std::path::Path;

/// Where the format's columns lie in a file; `None` for one that it may lack.
#[derive(Debug)]
pub(super) struct Layout(Vec<Option<usize>>);

impl Layout {
    /// Finds every column, or says what is wrong with the file.
    pub(super) fn of(path: &Path, schema: &SchemaDescriptor) -> Result<Self, RecordError> {
        let mut problems = Vec::new();
        let place = |column: &Column| {
            let leaves = schema.columns().iter();
            let mut leaves = leaves.enumerate();
            let found = leaves.find(|(_, leaf)| leaf.path().parts()[0] == column.name);
            match found {
                None if column.may_be_missing() => {}
                None => problems.push(format!("column {} is missing", column.name)),
                Some((_, leaf)) if !is_of(column, leaf) => {
                    let found = leaf.physical_type();
                    problems.push(format!("column {} has type {found}", column.name));
                }
                Some((index, _)) => return Some(index),
            }
            None
        };
        let places = COLUMNS.iter().map(place).collect();
        if problems.is_empty() {
            return Ok(Self(places));
        }
        Err(RecordError::NotARecord {
            path: path.to_owned(),
            problem: problems.join(", "),
        })
    }

    /// Index of a lane's column in the file.
    fn lane(&self, wanted: Lane) -> Option<usize> {
        let mut columns = COLUMNS.iter().zip(&self.0);
        let (_, index) = columns.find(|(column, _)| column.lane() == Some(wanted))?;
        *index
    }
}

fn is_of(column: &Column, leaf: &ColumnDescriptor) -> bool {
    let (physical, repeated) = match column.kind {
        Kind::Class | Kind::Text { .. } => (Type::BYTE_ARRAY, 0),
        Kind::Number { .. } => (Type::INT64, 0),
        Kind::Flag { .. } => (Type::BOOLEAN, 0),
        Kind::ChunkNumber { .. } => (Type::INT64, 1),
        Kind::ChunkText { .. } => (Type::BYTE_ARRAY, 1),
    };
    let unsigned = leaf.converted_type() == ::parquet::basic::ConvertedType::UINT_64;
    leaf.physical_type() == physical && leaf.max_rep_level() == repeated && !unsigned
}

fn is_wanted(lane: Lane, fields: ChunkFields) -> bool {
    match lane {
        Lane::At => true,
        Lane::Seen => fields.seen,
        Lane::Lower => fields.lower,
        Lane::Tokens => fields.tokens,
        Lane::Kind => fields.kind,
        Lane::Read => fields.read,
    }
}

/// One row group of a file.
pub(super) struct Group<'a> {
    pub(super) path: &'a Path,
    /// Names by class index.
    pub(super) classes: &'a [String],
    pub(super) layout: &'a Layout,
    /// Rows of the file before this group.
    pub(super) first_row: u64,
    pub(super) reader: &'a dyn RowGroupReader,
}

/// A column at hand, with its meaning.
type Open = (&'static Column, AnyCells);

/// Some rows: records without their chunks, and these beside them.
#[derive(Default)]
pub(crate) struct Batch {
    /// In the order of the file.
    pub(crate) records: Vec<RequestRecord>,
    /// The chunks of the same rows.
    pub(crate) lanes: Lanes,
}

impl Batch {
    /// Gives the rows away; goes on in the room of `used`, with what is known of the whole row group.
    pub(crate) fn give(&mut self, mut used: Self) -> Self {
        used.lanes.continue_as(&self.lanes);
        std::mem::replace(self, used)
    }
}

impl Group<'_> {
    /// Gives each record to `each`, chunks with the facts of `fields`, until it has seen enough.
    pub(super) fn read(
        &self,
        fields: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RecordError> {
        let mut chunks = Vec::new();
        self.batches(fields, &mut |batch| {
            let Batch { records, lanes } = batch;
            for (row, record) in records.iter_mut().enumerate() {
                std::mem::swap(&mut record.chunks, &mut chunks);
                lanes.fill(row, record);
                let seen = each(record);
                std::mem::swap(&mut record.chunks, &mut chunks);
                if seen.is_break() {
                    return seen;
                }
            }
            ControlFlow::Continue(())
        })
    }

    /// Gives the rows in batches, chunks with the facts of `fields`, until `each` has seen enough. It may take a batch
    /// away and leave another one's room in its place ([`Batch::give`]).
    pub(super) fn batches(
        &self,
        fields: ChunkFields,
        each: &mut dyn FnMut(&mut Batch) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, RecordError> {
        let mut batch = Batch::default();
        batch.lanes.clear();
        let mut columns = self.open(fields, &mut batch.lanes)?;
        let rows = usize::try_from(self.reader.metadata().num_rows()).unwrap_or(0);
        for first in (0..rows).step_by(BATCH_ROWS) {
            let count = BATCH_ROWS.min(rows - first);
            let Batch { records, lanes } = &mut batch;
            records.clear();
            records.resize(count, blank());
            for (column, cells) in &mut columns {
                cells
                    .read(count)
                    .map_err(|cause| unreadable(self.path, &cause))?;
                self.take(column, cells, records, lanes)
                    .map_err(|(row, problem)| RecordError::BadValue {
                        path: self.path.to_owned(),
                        row: self.first_row + (first + row) as u64,
                        column: column.name,
                        problem,
                    })?;
            }
            if each(&mut batch).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Opens the columns that are needed; of those that have one value in the whole group, `lanes`
    /// takes it from the statistics instead.
    fn open(&self, fields: ChunkFields, lanes: &mut Lanes) -> Result<Vec<Open>, RecordError> {
        let metadata = self.reader.metadata();
        let mut open = Vec::new();
        for (column, index) in COLUMNS.iter().zip(&self.layout.0) {
            let Some(index) = *index else { continue };
            if let Some(lane) = column.lane()
                && (!is_wanted(lane, fields)
                    || self
                        .constant(index)
                        .is_some_and(|one| lanes.take_constant(lane, one)))
            {
                continue;
            }
            let reader = self.reader.get_column_reader(index);
            let reader = reader.map_err(|cause| unreadable(self.path, &cause))?;
            let descriptor = metadata.column(index).column_descr();
            if let Some(cells) = AnyCells::new(reader, descriptor) {
                open.push((column, cells));
            }
        }
        Ok(open)
    }

    /// The statistics of a column of chunks that has one value only, as often as there are chunks:
    /// it need not be read.
    fn constant(&self, index: usize) -> Option<&Statistics> {
        let metadata = self.reader.metadata();
        let (column, instants) = (
            metadata.column(index),
            metadata.column(self.layout.lane(Lane::At)?),
        );
        let statistics = column.statistics()?;
        let nulls = instants.statistics()?.null_count_opt()?;
        let alike = column.num_values() == instants.num_values()
            && statistics.null_count_opt() == Some(nulls)
            && statistics.min_is_exact()
            && statistics.max_is_exact()
            && statistics.min_bytes_opt().is_some()
            && statistics.min_bytes_opt() == statistics.max_bytes_opt();
        alike.then_some(statistics)
    }

    fn take(
        &self,
        column: &Column,
        cells: &mut AnyCells,
        records: &mut [RequestRecord],
        lanes: &mut Lanes,
    ) -> Result<(), (usize, &'static str)> {
        match (&column.kind, cells) {
            (Kind::Number { take, .. }, AnyCells::Numbers(cells)) => {
                fill(column, cells, records, |record, v| take(record, *v))
            }
            (Kind::Text { take, .. }, AnyCells::Texts(cells)) => {
                fill(column, cells, records, |record, v| take(record, text(v)?))
            }
            (Kind::Flag { take, .. }, AnyCells::Flags(cells)) => {
                fill(column, cells, records, |record, v| take(record, *v))
            }
            (Kind::Class, AnyCells::Texts(cells)) => fill(column, cells, records, |record, v| {
                let mut names = self.classes.iter();
                let index = names.position(|name| name.as_bytes() == v.data())?;
                record.class = u16::try_from(index).ok()?;
                Some(())
            }),
            (Kind::ChunkNumber { lane, .. }, AnyCells::Numbers(cells)) => {
                lanes.take_numbers(*lane, cells)
            }
            (Kind::ChunkText { .. }, AnyCells::Texts(cells)) => lanes.take_kinds(cells),
            _ => Err((0, NOT_ALLOWED)),
        }
    }
}

fn text(value: &ByteArray) -> Option<&str> {
    value.as_utf8().ok()
}

pub(crate) fn blank() -> RequestRecord {
    RequestRecord::unsent(0, 0, Phase::Warmup, Offset::ZERO, 0, 0)
}

/// Fills a column with one value per record.
fn fill<T: DataType>(
    column: &Column,
    cells: &Cells<T>,
    records: &mut [RequestRecord],
    put: impl Fn(&mut RequestRecord, &T::T) -> Taken,
) -> Result<(), (usize, &'static str)> {
    cells.for_each(|row, value| match (value, records.get_mut(row)) {
        (Some(value), Some(record)) => put(record, value).ok_or((row, NOT_ALLOWED)),
        (None, _) if column.null == Null::Never => Err((row, IS_NULL)),
        _ => Ok(()),
    })
}
