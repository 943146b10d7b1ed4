//! A run with its summary, findings and verdict: what measuring ends with and a report
//! begins with.

use infermeter_analysis::series::RunSeries;
use infermeter_analysis::{PrecisionRun, Run, Summary, judge, summarize};
use infermeter_core::finding::Verdict;
use infermeter_core::plan::Until;
use infermeter_core::run::RunManifest;
use infermeter_core::source::RecordSource;
use infermeter_metrics::collect::Collected;
use infermeter_protocol::{Kept, Place, RunSeen};
use std::path::Path;

/// A judged run.
#[derive(Debug)]
pub struct Judged {
    /// The manifest with verdict, findings and summary.
    pub manifest: RunManifest,
    /// Every figure.
    pub summary: Summary,
    /// Whether it can be trusted.
    pub verdict: Verdict,
    /// The run as far as a precision that was asked for goes.
    pub precision: Option<PrecisionRun>,
    /// What its charts show, where they were asked for.
    pub series: Option<RunSeries>,
}

impl Judged {
    /// Computes everything from the record and writes it into the manifest. `run` comes from the
    /// same records.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn of<S: RecordSource>(
        run: Run,
        records: &S,
        until: Option<&Until>,
    ) -> Result<Self, S::Error> {
        let summary = summarize(&run, records)?;
        Ok(Self::of_summary(run, summary, until).0)
    }

    /// The same, and what the first reading gave, for who goes on with single requests.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub(crate) fn with_collected<S: RecordSource>(
        run: Run,
        records: &S,
    ) -> Result<(Self, Collected), S::Error> {
        let summary = summarize(&run, records)?;
        Ok(Self::of_summary(run, summary, None))
    }

    /// The same with what its charts show, which takes one more reading.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn pictured<S: RecordSource>(run: Run, records: &S) -> Result<Self, S::Error> {
        let summary = summarize(&run, records)?;
        let series = RunSeries::read(&run, &summary, records)?;
        Ok(Self {
            series: Some(series),
            ..Self::of_summary(run, summary, None).0
        })
    }

    fn of_summary(run: Run, summary: Summary, until: Option<&Until>) -> (Self, Collected) {
        let precision = until.map(|until| PrecisionRun::of(&run, &summary, until));
        let findings = judge(&run, &summary);
        let verdict = Verdict::of(&findings);
        let mut manifest = run.manifest;
        manifest.findings = findings;
        manifest.verdict = Some(verdict);
        manifest.summary = serde_json::to_value(&summary).ok();
        let judged = Self {
            manifest,
            summary,
            verdict,
            precision,
            series: None,
        };
        (judged, run.collected)
    }

    /// What a protocol sees of it.
    pub fn seen(&self, directory: &Path, kept: Kept) -> RunSeen {
        RunSeen {
            summary: self.summary.clone(),
            verdict: self.verdict,
            findings: self.manifest.findings.clone(),
            state: self.manifest.state,
            kept,
            precision: self.precision.clone(),
            place: Place {
                directory: directory.to_owned(),
                run_id: self.manifest.run_id.clone(),
                seeds: self.manifest.seeds,
            },
        }
    }
}
