//! One run of a plan in this process, or the part of it that is this process's.
//!
//! It shows nothing. Invariant: whoever else measures, what is measured here goes through the stages of every run.

use anyhow::Result;
use infermeter_core::plan::Plan;
use infermeter_protocol::Once;
use infermeter_session::book::Book;
use infermeter_session::drive::{End, drive};
use infermeter_session::expose::Exposed;
use infermeter_session::finish::Ended;
use infermeter_session::host::Host;
use infermeter_session::live::Live;
use infermeter_session::load::Load;
use infermeter_session::observer::Observer;
use infermeter_session::ranked::Shared;
use infermeter_session::runs::{Into, Runs};
use std::path::PathBuf;
use std::slice;
use std::sync::Arc;

/// What is measured once, or a part of that.
pub(super) struct Measuring<'a> {
    /// What was asked for.
    pub plan: &'a Plan,
    /// By whom.
    pub host: &'a Host,
    /// Who watches.
    pub observer: &'a dyn Observer,
    /// The page that shows it meanwhile.
    pub exposed: Option<Arc<Exposed>>,
    /// The directory of its record.
    pub into: Option<PathBuf>,
    /// What it shares with other processes, where it is a part.
    pub shared: Option<Shared>,
}

/// A run that was measured, and where its record is.
pub(super) struct MeasuredRun {
    /// What came of it.
    pub ended: Ended,
    /// Where it is.
    pub directory: PathBuf,
}

impl Measuring<'_> {
    /// Measures it; nothing where a signal came before it began.
    ///
    /// # Errors
    /// When there is nothing to be seen.
    pub fn measured(self, load: Load) -> Result<Option<MeasuredRun>> {
        let live = Live::new(self.host, self.observer).with_load(load);
        let live = live.exposed(self.exposed);
        let into = Into::Alone(self.into);
        let mut runs = Runs::new(live, slice::from_ref(self.plan), into).shared(self.shared);
        let driven = drive(&Once, &mut runs, &mut Book::none(), Vec::new(), &mut |_| {})?;
        if let End::Failed(error) = driven.end {
            return Err(error);
        }
        let (Some(ended), Some(point)) = (runs.take_last(), driven.points.last()) else {
            return Ok(None);
        };
        Ok(Some(MeasuredRun {
            ended,
            directory: point.seen.place.directory.clone(),
        }))
    }
}
