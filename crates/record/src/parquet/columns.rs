//! Writes typed columns to a Parquet file, a row group at a time.
//!
//! Knows levels, not meanings, as [`super::cells`] does for reading. Invariant: between row groups no column is
//! open, and what is held of a row group is its encoded pages.

use super::levels::ListLevels;
use super::one_value::{self, OneValue};
use super::pages::{Pages, Shared, WholeColumn};
use ::parquet::basic::{LogicalType, Repetition, Type as Physical};
use ::parquet::column::writer::{ColumnWriter, get_column_writer, get_typed_column_writer_mut};
use ::parquet::data_type::DataType;
use ::parquet::errors::Result;
use ::parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use ::parquet::file::writer::SerializedFileWriter;
use ::parquet::schema::types::{Type, TypePtr};
use bytes::Bytes;
use std::io::Write;
use std::sync::Arc;

/// Name of the elements of a list: the Parquet specification's.
pub(crate) const ELEMENT: &str = "element";
/// Name of the group that repeats in a list: the specification's.
pub(crate) const LIST: &str = "list";

/// What a column holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    pub(crate) name: &'a str,
    pub(crate) values: Values,
    /// A value, or an element of a list, can be null.
    pub(crate) nullable: bool,
    /// Each row has a list of values; the list itself is never null.
    pub(crate) list: bool,
}

/// The types of values that our files have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Values {
    /// Signed, of 64 bits.
    Numbers,
    /// UTF-8.
    Texts,
    /// Truth values.
    Flags,
    /// Floating-point numbers of 64 bits.
    Reals,
}

impl Shape<'_> {
    fn field(&self) -> Result<TypePtr> {
        if !self.list {
            return self.leaf(self.name);
        }
        let list = Type::group_type_builder(LIST)
            .with_repetition(Repetition::REPEATED)
            .with_fields(vec![self.leaf(ELEMENT)?])
            .build()?;
        let outer = Type::group_type_builder(self.name)
            .with_repetition(Repetition::REQUIRED)
            .with_logical_type(Some(LogicalType::List))
            .with_fields(vec![Arc::new(list)])
            .build()?;
        Ok(Arc::new(outer))
    }

    fn leaf(&self, name: &str) -> Result<TypePtr> {
        let (physical, logical) = match self.values {
            Values::Numbers => (Physical::INT64, None),
            Values::Texts => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Values::Flags => (Physical::BOOLEAN, None),
            Values::Reals => (Physical::DOUBLE, None),
        };
        let repetition = match self.nullable {
            true => Repetition::OPTIONAL,
            false => Repetition::REQUIRED,
        };
        let leaf = Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition)
            .build()?;
        Ok(Arc::new(leaf))
    }
}

/// A file that takes columns of some rows after those of others.
pub(crate) struct ColumnsWriter<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    properties: WriterPropertiesPtr,
    /// The columns of the row group, in the order of the schema.
    group: Vec<Open>,
}

/// A column of the row group that is being written.
struct Open {
    writer: ColumnWriter<'static>,
    pages: Shared,
    /// Definition level of a value that is there.
    defined: i16,
    /// What it becomes instead of what was written, where that is known as a whole.
    whole: Option<WholeColumn>,
}

impl<W: Write + Send> ColumnsWriter<W> {
    /// Starts a file with these columns.
    pub(crate) fn new(sink: W, shapes: &[Shape<'_>], properties: WriterProperties) -> Result<Self> {
        let fields = shapes.iter().map(Shape::field).collect::<Result<_>>()?;
        let schema = Type::group_type_builder("schema")
            .with_fields(fields)
            .build()?;
        let properties = Arc::new(properties);
        let writer = SerializedFileWriter::new(sink, Arc::new(schema), Arc::clone(&properties))?;
        Ok(Self {
            writer,
            properties,
            group: Vec::new(),
        })
    }

    /// Adds one value a row to a column. Every column must get the same rows before the row group ends.
    pub(crate) fn values<T: DataType>(
        &mut self,
        column: usize,
        rows: impl Iterator<Item = Option<T::T>>,
    ) -> Result<()> {
        let open = self.open(column);
        let mut values = Vec::new();
        let mut definition = Vec::new();
        for row in rows {
            definition.push(i16::from(row.is_some()));
            values.extend(row);
        }
        let definition = (open.defined > 0).then_some(definition.as_slice());
        let writer = get_typed_column_writer_mut::<T>(&mut open.writer);
        writer.write_batch(&values, definition, None).map(|_| ())
    }

    /// Adds one list a row to a column, as [`Self::values`].
    pub(crate) fn lists<T: DataType, L: Iterator<Item = Option<T::T>>>(
        &mut self,
        column: usize,
        rows: impl Iterator<Item = L>,
    ) -> Result<()> {
        let open = self.open(column);
        let mut values = Vec::new();
        let mut definition = Vec::new();
        let mut repetition = Vec::new();
        for row in rows {
            let start = definition.len();
            for element in row {
                repetition.push(i16::from(definition.len() > start));
                definition.push(open.defined - i16::from(element.is_none()));
                values.extend(element);
            }
            // A list without elements has one entry in the levels all the same.
            if definition.len() == start {
                repetition.push(0);
                definition.push(0);
            }
        }
        let writer = get_typed_column_writer_mut::<T>(&mut open.writer);
        let written = writer.write_batch(&values, Some(&definition), Some(&repetition));
        written.map(|_| ())
    }

    /// Adds lists whose values lie one behind the other, none of them null: as [`Self::lists`], without a look at each.
    pub(crate) fn packed<T: DataType>(
        &mut self,
        column: usize,
        values: &[T::T],
        levels: &ListLevels,
    ) -> Result<()> {
        let open = self.open(column);
        let definition = levels.definition(open.defined);
        let writer = get_typed_column_writer_mut::<T>(&mut open.writer);
        let written = writer.write_batch(values, Some(&definition), Some(levels.repetition()));
        written.map(|_| ())
    }

    /// Gives a column of lists one value, as often as there are elements in the whole row group. Nothing else may be
    /// added to the column.
    pub(crate) fn alike(
        &mut self,
        column: usize,
        value: &OneValue,
        levels: &ListLevels,
    ) -> Result<()> {
        let descriptor = self.writer.schema_descr().column(column);
        let whole = one_value::column(descriptor, value, levels)?;
        self.open(column).whole = Some(whole);
        Ok(())
    }

    fn open(&mut self, column: usize) -> &mut Open {
        if self.group.is_empty() {
            let properties = &self.properties;
            let columns = self.writer.schema_descr().columns().iter();
            self.group = columns
                .map(|descriptor| {
                    let pages = Shared::default();
                    let writer = Pages::to(pages.clone());
                    Open {
                        defined: descriptor.max_def_level(),
                        writer: get_column_writer(
                            Arc::clone(descriptor),
                            Arc::clone(properties),
                            Box::new(writer),
                        ),
                        pages,
                        whole: None,
                    }
                })
                .collect();
        }
        &mut self.group[column]
    }

    /// Ends the row group.
    pub(crate) fn end_group(&mut self) -> Result<()> {
        if self.group.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for open in self.group.drain(..) {
            let WholeColumn { pages, closed } = open.end()?;
            group.append_column(&pages, closed)?;
        }
        group.close().map(|_| ())
    }

    /// Ends the file and gives back what it was written to.
    pub(crate) fn into_inner(mut self) -> Result<W> {
        self.end_group()?;
        self.writer.into_inner()
    }
}

impl Open {
    fn end(self) -> Result<WholeColumn> {
        if let Some(whole) = self.whole {
            return Ok(whole);
        }
        let closed = self.writer.close()?;
        Ok(WholeColumn {
            pages: Bytes::from(self.pages.take()),
            closed,
        })
    }
}
