//! A run that is exported: its figures, the facts of its requests, and its record.

use infermeter_analysis::Summary;
use infermeter_core::clock::Offset;
use infermeter_core::finding::{Finding, Verdict};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::RunManifest;
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_metrics::collect::Collected;
use std::error::Error;
use std::io;
use std::ops::ControlFlow;

/// Records in id order, whoever keeps them.
pub trait Records {
    /// Goes through all of them.
    ///
    /// # Errors
    /// When one cannot be read, and those of `each`.
    fn each(&self, each: &mut dyn FnMut(&RequestRecord) -> io::Result<()>) -> io::Result<()>;
}

impl<S> Records for S
where
    S: RecordSource,
    S::Error: Error + Send + Sync + 'static,
{
    fn each(&self, each: &mut dyn FnMut(&RequestRecord) -> io::Result<()>) -> io::Result<()> {
        let fields = ChunkFields {
            tokens: true,
            ..ChunkFields::default()
        };
        let mut ended = Ok(());
        let read = self.in_order(fields, &mut |record| match each(record) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                ended = Err(error);
                ControlFlow::Break(())
            }
        });
        ended.and(read.map_err(io::Error::other))
    }
}

/// A run that is exported.
pub struct ExportedRun<'a> {
    /// What it is called: the name of its directory, in an experiment its number.
    pub name: String,
    /// Where it is.
    pub directory: String,
    /// Which of the plans of its experiment; absent where there is one.
    pub variant: Option<usize>,
    /// UTC of an instant, as `2026-11-30T09:00:00Z`; `None` where nobody knows when the run began.
    pub real_time: &'a dyn Fn(Offset) -> Option<String>,
    /// What was planned and what the runner saw.
    pub manifest: &'a RunManifest,
    /// Every figure.
    pub summary: &'a Summary,
    /// Whether they can be trusted.
    pub verdict: Verdict,
    /// What the first reading of its record gave.
    pub collected: &'a Collected,
    /// Its record.
    pub records: &'a dyn Records,
}

impl ExportedRun<'_> {
    /// Whether it is known when requests were sent: an import's file need not say it, and its requests then all
    /// stand at the same instant.
    pub(crate) fn is_timed(&self) -> bool {
        let imported = self.manifest.imported.as_ref();
        imported.is_none_or(|imported| imported.has_starts)
    }

    /// Whether its date is known.
    pub(crate) fn is_dated(&self) -> bool {
        self.manifest.begun_ns().is_some()
    }

    /// Whether the plan is infermeter's: that of an import, or of users' own load, has the defaults where nobody says
    /// anything.
    pub(crate) fn is_planned(&self) -> bool {
        self.manifest.load_model.is_ours()
    }

    /// When its window began; without one, when it did. Absent where nobody knows.
    pub(crate) fn begun(&self) -> Option<String> {
        let window = self.manifest.window;
        let start = window.map_or(Offset::ZERO, |window| window.start);
        (self.real_time)(start).filter(|_| self.is_timed())
    }

    /// What is to be known of it.
    pub(crate) fn findings(&self) -> &[Finding] {
        &self.manifest.findings
    }
}
