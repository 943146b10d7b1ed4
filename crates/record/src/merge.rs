//! The rows of several records as those of one, in id order.
//!
//! Each record is decoded by a thread of its own, which stays a few batches ahead; the lowest id at the head of any of
//! them comes next; row groups that are full are encoded by a further thread. Chunks go from column to column and are
//! never put together. Memory holds some batches of each record, and three row groups.
//!
//! Does not know why there are several records, nor which rows each of them should have. Invariant: every row of every
//! record is in the result, unchanged but for the numbers of its class and address and the name of its client. An id that
//! comes twice stays twice, and a row that comes too late stays where it came: both are counted.

pub(crate) mod beside;
mod encoding;
mod head;

#[cfg(test)]
mod tests;

use crate::error::RecordError;
use crate::parquet::gathered::{Gathered, GatheredWriter};
use crate::parquet::reader::ParquetRecords;
use encoding::Encoding;
use head::{Head, Row};
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_core::request::{ClassIndex, RequestId};
use infermeter_core::schedule::Phase;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::path::Path;

/// One of several records that become one.
#[derive(Debug, Clone)]
pub struct RowsOf<'a> {
    /// Where it is.
    pub directory: &'a Path,
    /// Which client wrote it; absent where one has the whole load.
    pub client: Option<u32>,
    /// For each of its addresses, the number that it has in the result.
    pub addresses: Vec<u32>,
    /// When the first of the others had come to its end; absent where none had, or it does not matter.
    pub others_end: Option<Offset>,
}

/// What was merged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MergedRows {
    /// Rows of the result.
    pub rows: u64,
    /// Their chunks.
    pub chunks: u64,
    /// Rows whose id the row before has as well.
    pub twice: u64,
    /// The first of them.
    pub first_twice: Option<Twice>,
    /// For each record, rows that came behind one of a higher id.
    pub out_of_order: Vec<u64>,
    /// Rows of measured requests that came to an end.
    pub measured: u64,
    /// Those of them that did when another of the records had come to its own.
    pub outlasting: u64,
}

/// An id that two rows have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Twice {
    /// The id.
    pub id: RequestId,
    /// Which of the records have them.
    pub records: [usize; 2],
}

/// Merges the rows of these records into `requests.parquet` of `out`. `classes` are the names by class index that the
/// result has: every record's are among them.
///
/// # Errors
/// When a record cannot be read, or the result cannot be written: nothing is under its name then.
pub fn merge_records(
    records: &[RowsOf<'_>],
    out: &Path,
    classes: &[String],
) -> Result<MergedRows, RecordError> {
    let sources: Vec<Source<'_>> = records
        .iter()
        .map(|of| Source::open(of, classes))
        .collect::<Result<_, _>>()?;
    let writer = GatheredWriter::create(out, classes)?;
    std::thread::scope(|scope| {
        let encoding = Encoding::start(scope, writer);
        let mut heads: Vec<Head<'_>> = sources
            .iter()
            .map(|source| Head::start(scope, &source.rows))
            .collect();
        let mut merging = Merging {
            sources: &sources,
            encoding,
            group: Gathered::default(),
            merged: MergedRows {
                out_of_order: vec![0; records.len()],
                ..MergedRows::default()
            },
            last: vec![None; records.len()],
            before: None,
        };
        // Where a reader fails, the channels close: the other threads notice, and end.
        merging.all(&mut heads)?;
        merging.end()
    })
}

/// A record to be merged.
struct Source<'a> {
    rows: ParquetRecords,
    of: &'a RowsOf<'a>,
    /// For each of its classes, the number that it has in the result.
    classes: Vec<ClassIndex>,
}

impl<'a> Source<'a> {
    fn open(of: &'a RowsOf<'a>, classes: &[String]) -> Result<Self, RecordError> {
        let rows = ParquetRecords::open(of.directory)?;
        let number = |name: &String| {
            let place = classes.iter().position(|known| known == name);
            let place = place.and_then(|place| ClassIndex::try_from(place).ok());
            place.ok_or_else(|| RecordError::NotARecord {
                path: of.directory.to_owned(),
                problem: format!("class `{name}` of its rows is none of its run"),
            })
        };
        let classes = rows
            .classes()
            .iter()
            .map(number)
            .collect::<Result<_, _>>()?;
        Ok(Self { rows, of, classes })
    }

    /// A row as the result has it. What has no number in the result keeps its own: a damaged record stays seen.
    fn renumbered(&self, mut record: RequestRecord) -> RequestRecord {
        let class = self.classes.get(usize::from(record.class));
        record.class = class.copied().unwrap_or(record.class);
        record.address = record.address.map(|address| {
            let known = self.of.addresses.get(address as usize);
            known.copied().unwrap_or(address)
        });
        record.client = self.of.client.or(record.client);
        record
    }
}

/// Rows on their way into the result.
struct Merging<'a, 'scope> {
    sources: &'a [Source<'a>],
    encoding: Encoding<'scope>,
    group: Gathered,
    merged: MergedRows,
    /// The id of each record's last row.
    last: Vec<Option<RequestId>>,
    /// The row before: its id, and which record it is of.
    before: Option<(RequestId, usize)>,
}

impl Merging<'_, '_> {
    fn all(&mut self, heads: &mut [Head<'_>]) -> Result<(), RecordError> {
        let mut lowest = BinaryHeap::with_capacity(heads.len());
        for (record, head) in heads.iter_mut().enumerate() {
            lowest.extend(head.id()?.map(|id| Reverse((id, record))));
        }
        while let Some(Reverse((id, record))) = lowest.pop() {
            let head = &mut heads[record];
            self.count(id, record);
            let row = head.take();
            self.count_end(record, &row.record);
            if !self.take(record, row) {
                break;
            }
            lowest.extend(head.id()?.map(|id| Reverse((id, record))));
        }
        Ok(())
    }

    fn count(&mut self, id: RequestId, record: usize) {
        self.merged.rows += 1;
        if let Some((_, other)) = self.before.filter(|(before, _)| *before == id) {
            self.merged.twice += 1;
            self.merged.first_twice.get_or_insert(Twice {
                id,
                records: [other, record],
            });
        }
        if self.last[record].is_some_and(|last| last > id) {
            self.merged.out_of_order[record] += 1;
        }
        self.last[record] = self.last[record].max(Some(id));
        self.before = Some((id, record));
    }

    fn count_end(&mut self, record: usize, row: &RequestRecord) {
        let Some(closed) = row.closed.filter(|_| row.phase == Phase::Measure) else {
            return;
        };
        let others_end = self.sources[record].of.others_end;
        self.merged.measured += 1;
        self.merged.outlasting += u64::from(others_end.is_some_and(|end| closed > end));
    }

    /// Takes a row; false where nobody encodes any more.
    fn take(&mut self, record: usize, row: Row<'_>) -> bool {
        let renumbered = self.sources[record].renumbered(row.record);
        self.group.take(renumbered, row.lanes, row.number);
        if !self.group.is_full() {
            return true;
        }
        self.merged.chunks += self.group.chunks();
        match self.encoding.hand_over(std::mem::take(&mut self.group)) {
            Some(empty) => {
                self.group = empty;
                true
            }
            None => false,
        }
    }

    /// Encodes what is left, and gives the file its name.
    fn end(mut self) -> Result<MergedRows, RecordError> {
        self.merged.chunks += self.group.chunks();
        self.encoding.end(self.group)?.finish()?;
        Ok(self.merged)
    }
}
