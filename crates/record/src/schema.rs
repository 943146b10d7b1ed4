//! The columns of `requests.parquet`: one table that the writer, the reader and the schema share.
//!
//! Every number is a signed 64-bit one (unsigned columns underflow silently or fail in what reads
//! them: DuckDB, NumPy), every name a string. `*_ns` are offsets from the clock's origin. Null
//! means that the fact does not exist. Column `error` holds the reason code and `error_text` its
//! detail. The chunk columns are lists of equal length, empty where no chunk came; elements of
//! `chunk_tokens` are null where a chunk's tokens are unknown.
//!
//! The table itself is [`columns::COLUMNS`].
//!
//! Does not read or write files. Invariant: a record without texts survives the way into the
//! columns and back unchanged.

mod columns;

use arrow_schema::{DataType, Field, Schema};
use infermeter_core::record::{Chunk, RequestRecord};
use std::borrow::Cow;
use std::sync::Arc;

pub(crate) use columns::COLUMNS;

/// Key of the format version in the file's metadata.
pub(crate) const VERSION_KEY: &str = "format_version";

/// Key of the class names (a JSON list, by class index) in the file's metadata.
pub(crate) const CLASSES_KEY: &str = "classes";

/// `None`: the value cannot be.
pub(crate) type Taken = Option<()>;

/// Whether a value can be null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Null {
    Never,
    Absent,
}

/// A column: its name, and how it leaves a record and comes back.
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) null: Null,
    pub(crate) kind: Kind,
}

/// What a column holds. `take` puts a value that is not null into a record.
pub(crate) enum Kind {
    /// The class, by its name.
    Class,
    Number {
        give: fn(&RequestRecord) -> Option<i64>,
        take: fn(&mut RequestRecord, i64) -> Taken,
    },
    Text {
        give: fn(&RequestRecord) -> Option<Cow<'_, str>>,
        take: fn(&mut RequestRecord, &str) -> Taken,
    },
    Flag {
        give: fn(&RequestRecord) -> Option<bool>,
        take: fn(&mut RequestRecord, bool) -> Taken,
    },
    /// A number of every chunk; comes back as the lane says.
    ChunkNumber {
        give: fn(&Chunk) -> Option<i64>,
        lane: Lane,
    },
    /// A name of every chunk.
    ChunkText {
        give: fn(&Chunk) -> &'static str,
        lane: Lane,
    },
}

/// Which fact about chunks a column holds: they are read a column at a time, not a chunk at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    At,
    Seen,
    Lower,
    Tokens,
    Kind,
    Read,
}

impl Column {
    /// Its type in the file.
    pub(crate) fn data_type(&self) -> DataType {
        match self.kind {
            Kind::Class | Kind::Text { .. } => DataType::Utf8,
            Kind::Number { .. } => DataType::Int64,
            Kind::Flag { .. } => DataType::Boolean,
            Kind::ChunkNumber { .. } | Kind::ChunkText { .. } => DataType::List(self.element()),
        }
    }

    /// Whether files from before the column existed are read all the same: as if it were null.
    pub(crate) fn may_be_missing(&self) -> bool {
        matches!(
            self.name,
            "left_ns"
                | "session"
                | "turn"
                | "parent"
                | "planned_ns"
                | "text_tokens"
                | "repeated_chunks"
                | "estimated_output_tokens"
                | "oddities"
                | "unknown_members"
                | "address"
                | "items"
                | "dimensions"
        )
    }

    /// The element of a list column.
    pub(crate) fn element(&self) -> Arc<Field> {
        let data_type = match self.kind {
            Kind::ChunkText { .. } => DataType::Utf8,
            _ => DataType::Int64,
        };
        // The name that the Parquet specification gives to list elements.
        Arc::new(Field::new("element", data_type, self.null == Null::Absent))
    }

    /// Whether it holds instants or other numbers that grow, which are stored as differences.
    pub(crate) fn grows(&self) -> bool {
        self.name.ends_with("_ns") || ["id", "chunk_read"].contains(&self.name)
    }

    /// Path of its leaf in the Parquet schema.
    pub(crate) fn leaf(&self) -> Vec<String> {
        let path: &[&str] = match self.kind {
            Kind::ChunkNumber { .. } | Kind::ChunkText { .. } => &[self.name, "list", "element"],
            _ => &[self.name],
        };
        path.iter().map(|part| (*part).to_owned()).collect()
    }
}

/// The schema of the file.
pub(crate) fn schema() -> Schema {
    let field = |column: &Column| {
        let nullable =
            column.null == Null::Absent && !matches!(column.data_type(), DataType::List(_));
        Field::new(column.name, column.data_type(), nullable)
    };
    Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>())
}
