//! Why a figure is missing: what stands in its place in a table, and in a sentence.
//!
//! Invariant: no reason looks like a figure.

use crate::document::Cell;
use infermeter_analysis::NoFigure;
use infermeter_core::number::counted;

/// What stands in the place of the figure.
pub(crate) fn cell(why: NoFigure) -> Cell {
    match why {
        NoFigure::AmongFailures => Cell::noted("failed"),
        NoFigure::TooFew { needed } => Cell::needing(needed),
        NoFigure::NoSample => Cell::noted("no sample"),
        NoFigure::UnknownClass => Cell::noted("no such class"),
        NoFigure::NoDeadlines => Cell::noted("no deadlines"),
        NoFigure::NothingToMeet => Cell::noted("no objective"),
    }
}

/// The same as part of a sentence.
pub(crate) fn sentence(why: NoFigure) -> String {
    match why {
        NoFigure::AmongFailures => "it lies among the failed requests".to_owned(),
        NoFigure::TooFew { needed } => {
            format!(
                "a run needs {} for it",
                counted(needed as u64, "observation")
            )
        }
        NoFigure::NoSample => "nothing of it was measured".to_owned(),
        NoFigure::UnknownClass => "the workload has no such class".to_owned(),
        NoFigure::NoDeadlines => "--fluidity does not say when tokens are due".to_owned(),
        NoFigure::NothingToMeet => "no --slo of the run says what a good request is".to_owned(),
    }
}
