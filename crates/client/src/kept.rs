//! How much memory answers may take beyond what was asked for: all of an engine's threads, and the
//! records on their way to the disk, share one budget.
//!
//! It ends no request. Limits on one answer are in [`crate::limits`].
//!
//! Invariant: what was taken for an answer is given back in full, by the engine or, for its record, by
//! whoever has written it.

use infermeter_core::record::{Chunk, RequestRecord};
use std::sync::atomic::{AtomicI64, Ordering};

/// Beyond this the client's memory is that of a server that does not end its answers.
const BUDGET_BYTES: i64 = 256 << 20;
/// Free for every answer, whatever was asked for.
const FREE_BYTES: usize = 16 << 10;
/// Free for each token asked for: a chunk of its own, and its text.
const FREE_BYTES_PER_TOKEN: usize = size_of::<Chunk>() + 24;

/// The budget.
#[derive(Debug)]
pub struct Budget {
    left: AtomicI64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(BUDGET_BYTES)
    }
}

impl Budget {
    /// A budget of so many bytes.
    pub fn of(bytes: i64) -> Self {
        Self {
            left: AtomicI64::new(bytes),
        }
    }

    /// Takes bytes, unless there are too few.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let bytes = bytes as i64;
        let enough = self.left.fetch_sub(bytes, Ordering::Relaxed) >= bytes;
        if !enough {
            self.left.fetch_add(bytes, Ordering::Relaxed);
        }
        enough
    }

    /// Exchanges what was taken for an answer for what its record takes.
    pub(crate) fn settle(&self, taken: usize, record: &RequestRecord) {
        let change = taken as i64 - excess_of(record) as i64;
        if change != 0 {
            self.left.fetch_add(change, Ordering::Relaxed);
        }
    }

    /// A record has been written and will be dropped.
    pub fn written(&self, record: &RequestRecord) {
        let bytes = excess_of(record);
        if bytes > 0 {
            self.left.fetch_add(bytes as i64, Ordering::Relaxed);
        }
    }
}

/// What an answer may hold without asking.
pub(crate) fn free(tokens: u32) -> usize {
    FREE_BYTES + tokens as usize * FREE_BYTES_PER_TOKEN
}

/// Bytes of so many chunks with their texts.
pub(crate) fn bytes(chunks: usize, texts: usize) -> usize {
    chunks * size_of::<Chunk>() + texts
}

/// What a record holds beyond what is free.
fn excess_of(record: &RequestRecord) -> usize {
    let texts = record.texts.as_ref();
    let texts = texts.map_or(0, |t| t.bytes.len() + size_of_val(&*t.ends));
    bytes(record.chunks.len(), texts).saturating_sub(free(record.requested_output_tokens))
}

#[cfg(test)]
mod tests {
    use super::{Budget, free};
    use infermeter_core::clock::Offset;
    use infermeter_core::record::{ChunkTexts, RequestRecord};
    use infermeter_core::schedule::Phase;
    use std::sync::atomic::Ordering;

    #[test]
    fn what_is_taken_comes_back_with_the_record() {
        let budget = Budget::of(1_000_000);
        let mut record = RequestRecord::unsent(0, 0, Phase::Measure, Offset::ZERO, 1, 10);
        record.texts = Some(ChunkTexts {
            bytes: vec![0; free(10) + 70_000],
            ends: Vec::new(),
        });
        assert!(budget.take(300_000));
        assert!(!budget.take(800_000));
        budget.settle(300_000, &record);
        assert_eq!(budget.left.load(Ordering::Relaxed), 930_000);
        budget.written(&record);
        assert_eq!(budget.left.load(Ordering::Relaxed), 1_000_000);
    }
}
