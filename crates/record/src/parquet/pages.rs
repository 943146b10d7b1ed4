//! The encoded pages of one column, kept until its row group ends: columns stand one after the other in the file,
//! and grow side by side.
//!
//! Encodes nothing. Invariant: pages lie in the order in which they were written.

use ::parquet::column::page::{CompressedPage, PageWriteSpec, PageWriter};
use ::parquet::column::writer::ColumnCloseResult;
use ::parquet::errors::{ParquetError, Result};
use ::parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use bytes::Bytes;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// A column of a row group, encoded.
pub(super) struct WholeColumn {
    /// Its pages.
    pub(super) pages: Bytes,
    /// What is said of them.
    pub(super) closed: ColumnCloseResult,
}

/// Where pages are kept.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    /// What was written.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pages.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The library's writer of pages borrows where they go. This one owns it.
pub(super) struct Pages(TrackedWrite<Shared>);

impl Pages {
    /// Writes them there.
    pub(super) fn to(shared: Shared) -> Self {
        Self(TrackedWrite::new(shared))
    }
}

impl PageWriter for Pages {
    fn write_page(&mut self, page: CompressedPage) -> Result<PageWriteSpec> {
        SerializedPageWriter::new(&mut self.0).write_page(page)
    }

    fn close(&mut self) -> Result<()> {
        self.0.flush().map_err(ParquetError::from)
    }
}
