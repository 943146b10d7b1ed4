//! Traces and datasets: files of production load or of texts, brought to one kind of row.
//!
//! A file is read as a stream, gzip or not; its format is recognised by the names of its columns
//! or members. A row that cannot be read is an error that names its line; what is left out or
//! changed is counted in [`TraceFacts`].
//!
//! Invariant: reading depends on the file and on [`TraceOptions`] alone.

mod collect;
mod csv;
mod error;
mod facts;
mod format;
mod jsonl;
mod links;
mod options;
mod pacing;
mod reader;
mod records;
mod replay;
mod row;
mod rows;
mod sharing;
mod tables;
mod time_unit;
mod timestamp;
mod value;

pub(crate) use collect::GZIP;
pub use collect::read_rows;
pub(crate) use csv::{TextColumns, TextFields, text_columns};
pub use error::TraceError;
pub use facts::TraceFacts;
pub use format::{TraceFormat, TraceFormatError};
pub(crate) use links::Links;
pub use options::{Instants, OverContext, RowOrder, TraceOptions};
pub use reader::TraceReader;
pub use replay::Trace;
pub use row::{DrawnLengths, MAX_TOKENS, Row, TextRef, TraceRow};
pub use rows::{BlockOrigin, RowsHeader, RowsWriter};
pub(crate) use rows::{Run, Written, runs_of};
pub use sharing::{Sharing, SharingCounts};
pub use time_unit::TimeUnit;
pub use timestamp::parse as parse_timestamp;
pub(crate) use value::decimal_ns;
