//! Records that can be gone through more than once without holding them all.
//!
//! Does not say where they lie: in memory, in the Parquet file, in a journal. Invariant: every
//! reading gives the same records, each once, in id order.

use crate::record::RequestRecord;
use crate::run::RunLog;
use std::convert::Infallible;
use std::ops::ControlFlow;

pub mod merged;

/// Which facts about chunks a reading needs beside their instants. The others come without
/// meaning: `seen` and `lower` equal to the instant, tokens unknown, read 0, kind text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChunkFields {
    /// When the program had read them.
    pub seen: bool,
    /// The lower bounds of their instants.
    pub lower: bool,
    /// Their tokens.
    pub tokens: bool,
    /// The reads that completed them.
    pub read: bool,
    /// What they carry.
    pub kind: bool,
}

impl ChunkFields {
    /// Every fact.
    pub const ALL: Self = Self {
        seen: true,
        lower: true,
        tokens: true,
        read: true,
        kind: true,
    };
}

/// Records in id order, to be read as often as needed.
pub trait RecordSource {
    /// Why they cannot be read.
    type Error;

    /// Goes through all records in id order, one after the other, until `each` has seen enough.
    ///
    /// # Errors
    /// When a record cannot be read; those before it were given.
    fn in_order(
        &self,
        fields: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), Self::Error>;

    /// Goes through all records. They come in consecutive parts, in one thread each: for each part
    /// `start` makes a collector, and `take` gives it the part's records in id order. The
    /// collectors come back in the order of the parts; without records there may be none. Where a
    /// source knows no parts, there is one.
    ///
    /// # Errors
    /// When a record cannot be read; nothing is collected then.
    fn scan<C: Send>(
        &self,
        fields: ChunkFields,
        start: &(dyn Fn() -> C + Sync),
        take: &(dyn Fn(&mut C, &RequestRecord) + Sync),
    ) -> Result<Vec<C>, Self::Error> {
        let mut collector = start();
        self.in_order(fields, &mut |record| {
            take(&mut collector, record);
            ControlFlow::Continue(())
        })?;
        Ok(vec![collector])
    }
}

impl RecordSource for [RequestRecord] {
    type Error = Infallible;

    fn in_order(
        &self,
        _: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        // Enough was seen, or all.
        let _ = self.iter().try_for_each(each);
        Ok(())
    }
}

impl RecordSource for RunLog {
    type Error = Infallible;

    fn in_order(
        &self,
        fields: ChunkFields,
        each: &mut dyn FnMut(&RequestRecord) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        self.records.in_order(fields, each)
    }
}
