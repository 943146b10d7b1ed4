//! What a reader has learnt: live figures while it reads, the facts of a record afterwards.

use super::{Phase, ResponseReader};
use infermeter_core::clock::Offset;
use infermeter_core::record::{Outcome, RequestRecord, StampSource};

impl ResponseReader {
    /// The connection may carry another request: the response was read to its end, both sides
    /// mean to keep it, and nothing came behind the end.
    pub fn keep_alive(&self) -> bool {
        !matches!(self.phase, Phase::Reading) && self.http.keep_alive()
    }

    /// Facts of the head; all defaults (status 0) before it is complete.
    pub fn head(&self) -> &crate::http::Head {
        self.http.head()
    }

    /// Chunks so far.
    pub fn chunks_so_far(&self) -> usize {
        self.answer.chunks().len()
    }

    /// When the answer's end mark came, where the body went on behind it.
    pub(crate) fn done_at(&self) -> Option<Offset> {
        self.done_at
    }

    /// Bytes that the response holds.
    pub(crate) fn kept(&self) -> usize {
        self.answer.kept() + self.held.len() + self.sse.held() + self.lines.held()
    }

    /// Instant of the first chunk.
    pub fn first_token_at(&self) -> Option<Offset> {
        self.answer.chunks().first().map(|chunk| chunk.at)
    }

    /// Instant of the last read.
    pub fn last_read_at(&self) -> Option<Offset> {
        self.last.map(|stamp| stamp.at)
    }

    /// Moves what was learnt into a record: instants, status, chunks, usage, texts. Where the
    /// response ended (`Done` or `Failed`) also `closed`, `outcome` and `error`; else those three
    /// are left to the caller, who knows why it stops reading. The reader must be
    /// [reset](ResponseReader::reset) before its next use.
    pub fn fill(&mut self, record: &mut RequestRecord) {
        record.first_byte = self.first.map(|stamp| stamp.at);
        record.first_byte_seen = self.first.map(|stamp| stamp.seen);
        record.stamp_source = self.first.map(|_| {
            if self.kernel_stamps {
                StampSource::Kernel
            } else {
                StampSource::Program
            }
        });
        let status = self.http.head().status;
        record.status = (status != 0).then_some(status);
        record.oddities = self.oddities;
        self.answer.fill(record);
        record.server_times.processing_ns = self.http.head().processing_ns;
        match &self.phase {
            Phase::Reading => {}
            Phase::Done => {
                record.outcome = Outcome::Completed;
                record.error = None;
                record.closed = self.closed;
            }
            Phase::Failed(error) => {
                record.outcome = Outcome::Failed;
                record.error = Some(error.clone());
                record.closed = self.closed;
            }
        }
    }
}
