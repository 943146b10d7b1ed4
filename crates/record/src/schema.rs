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

use crate::parquet::columns::{ELEMENT, LIST, Shape, Values};
use infermeter_core::record::{Chunk, RequestRecord};
use std::borrow::Cow;

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
    /// What it is in the file.
    pub(crate) fn shape(&self) -> Shape<'static> {
        let (values, list) = match self.kind {
            Kind::Class | Kind::Text { .. } => (Values::Texts, false),
            Kind::Number { .. } => (Values::Numbers, false),
            Kind::Flag { .. } => (Values::Flags, false),
            Kind::ChunkNumber { .. } => (Values::Numbers, true),
            Kind::ChunkText { .. } => (Values::Texts, true),
        };
        Shape {
            name: self.name,
            values,
            nullable: self.null == Null::Absent,
            list,
        }
    }

    /// Which fact about chunks it holds; `None` where it has one value a row.
    pub(crate) fn lane(&self) -> Option<Lane> {
        match self.kind {
            Kind::ChunkNumber { lane, .. } | Kind::ChunkText { lane, .. } => Some(lane),
            _ => None,
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
                | "client"
                | "items"
                | "dimensions"
                | "server_queue_ns"
                | "server_prefill_ns"
                | "server_decode_ns"
                | "server_processing_ns"
                | "answer_doubts"
                | "answer_chars"
                | "answer_script"
                | "answer_hash"
                | "prompt_hash"
                | "question"
                | "question_row"
                | "answer_correct"
                | "reference_chars"
                | "reference_diverged_at"
                | "reference_margin_mnat"
                | "reference_repeat_diverged_at"
        )
    }

    /// Whether it holds instants or other numbers that grow, which are stored as differences.
    pub(crate) fn grows(&self) -> bool {
        self.name.ends_with("_ns") || ["id", "chunk_read"].contains(&self.name)
    }

    /// Path of its leaf in the Parquet schema.
    pub(crate) fn leaf(&self) -> Vec<String> {
        let path: &[&str] = match self.shape().list {
            true => &[self.name, LIST, ELEMENT],
            false => &[self.name],
        };
        path.iter().map(|part| (*part).to_owned()).collect()
    }
}
