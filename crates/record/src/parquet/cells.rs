//! One column of a row group, read some rows at a time into buffers that are used again.
//!
//! Knows levels, not meanings. Invariant: after a reading the buffers hold exactly the rows asked
//! for, or those that were left.

use ::parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use ::parquet::data_type::{BoolType, ByteArrayType, DataType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::schema::types::ColumnDescriptor;

/// The values of one column for the rows at hand.
pub(super) struct Cells<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// Definition level of a value that is there.
    defined: i16,
    /// Definition level from which a list has an entry, null or not.
    entry: i16,
    levels: usize,
    definition: Vec<i16>,
    repetition: Vec<i16>,
    /// The values that are there.
    pub(super) values: Vec<T::T>,
}

impl<T: DataType> Cells<T> {
    fn new(reader: ColumnReader, column: &ColumnDescriptor) -> Self {
        let nullable = column.self_type().is_optional();
        Self {
            reader: get_typed_column_reader(reader),
            defined: column.max_def_level(),
            entry: column.max_def_level() - i16::from(nullable),
            levels: 0,
            definition: Vec::new(),
            repetition: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Reads the next `rows` rows.
    pub(super) fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        self.definition.clear();
        self.repetition.clear();
        self.values.clear();
        let (read, _, levels) = self.reader.read_records(
            rows,
            Some(&mut self.definition),
            Some(&mut self.repetition),
            &mut self.values,
        )?;
        self.levels = levels;
        if read == rows {
            return Ok(());
        }
        Err(ParquetError::General(format!(
            "a column ends after {read} of {rows} rows"
        )))
    }

    /// Whether every level has its value.
    pub(super) fn all_there(&self) -> bool {
        self.values.len() == self.levels
    }

    /// Calls `each` with the place of every row or list entry and its value, `None` for null.
    pub(super) fn for_each<'a, E>(
        &'a self,
        mut each: impl FnMut(usize, Option<&'a T::T>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut values = self.values.iter();
        if self.all_there() {
            let mut places = values.enumerate();
            return places.try_for_each(|(place, value)| each(place, Some(value)));
        }
        let entries = self.definition.iter().filter(|d| **d >= self.entry);
        for (place, definition) in entries.enumerate() {
            let there = *definition == self.defined;
            each(place, if there { values.next() } else { None })?;
        }
        Ok(())
    }

    /// The first null among the rows or entries.
    pub(super) fn first_null(&self) -> Option<usize> {
        let nothing_missing = self.all_there();
        let mut entries = self.definition.iter().filter(|d| **d >= self.entry);
        entries
            .position(|d| *d < self.defined)
            .filter(|_| !nothing_missing)
    }

    /// Where each row's list ends, counted in entries; or the first row whose list is null.
    pub(super) fn ends(&self, ends: &mut Vec<usize>) -> Result<(), usize> {
        ends.clear();
        let starts = self.repetition.iter().enumerate();
        let starts = starts.filter(|(_, repetition)| **repetition == 0);
        if self.all_there() {
            ends.extend(starts.skip(1).map(|(level, _)| level));
        } else {
            let mut entries = 0;
            for (level, definition) in self.definition.iter().enumerate() {
                if self.repetition[level] == 0 && level > 0 {
                    ends.push(entries);
                }
                if definition + 1 < self.entry {
                    return Err(ends.len());
                }
                entries += usize::from(*definition >= self.entry);
            }
            if self.levels > 0 {
                ends.push(entries);
            }
            return Ok(());
        }
        if self.levels > 0 {
            ends.push(self.levels);
        }
        Ok(())
    }
}

/// A column of any type that the format has.
pub(super) enum AnyCells {
    Numbers(Cells<Int64Type>),
    Texts(Cells<ByteArrayType>),
    Flags(Cells<BoolType>),
}

impl AnyCells {
    /// `None` for a type that the format has not.
    pub(super) fn new(reader: ColumnReader, column: &ColumnDescriptor) -> Option<Self> {
        match reader {
            ColumnReader::Int64ColumnReader(_) => Some(Self::Numbers(Cells::new(reader, column))),
            ColumnReader::ByteArrayColumnReader(_) => Some(Self::Texts(Cells::new(reader, column))),
            ColumnReader::BoolColumnReader(_) => Some(Self::Flags(Cells::new(reader, column))),
            _ => None,
        }
    }

    pub(super) fn read(&mut self, rows: usize) -> Result<(), ParquetError> {
        match self {
            Self::Numbers(cells) => cells.read(rows),
            Self::Texts(cells) => cells.read(rows),
            Self::Flags(cells) => cells.read(rows),
        }
    }
}
