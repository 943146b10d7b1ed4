//! Records on their way to the journal, told to whoever shows a run while it goes on.
//!
//! Invariant: a record is in the journal's hands before it is counted, and what the journal says is handed on.

use super::figures::RunFigures;
use infermeter_core::clock::Offset;
use infermeter_core::record::RequestRecord;
use infermeter_runner::RecordSink;

/// A sink that counts what goes into another one.
pub(crate) struct Told<'a> {
    sink: &'a mut dyn RecordSink,
    figures: Option<&'a RunFigures>,
}

impl<'a> Told<'a> {
    /// Counts where there are figures to count into.
    pub fn new(sink: &'a mut dyn RecordSink, figures: Option<&'a RunFigures>) -> Self {
        Self { sink, figures }
    }
}

impl RecordSink for Told<'_> {
    fn append(&mut self, record: &RequestRecord) -> Result<(), String> {
        let kept = self.sink.append(record);
        if let Some(figures) = self.figures {
            figures.ended(record);
        }
        kept
    }

    fn begin(&mut self, record: &RequestRecord) -> Result<(), String> {
        self.sink.begin(record)
    }

    fn flush(&mut self, now: Offset) -> Result<(), String> {
        self.sink.flush(now)
    }
}
