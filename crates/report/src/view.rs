//! How much is told of a run.

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// The summary.
    #[default]
    Summary,
    /// The summary, and below it what a reader elsewhere needs: figures with their conditions, and all that it
    /// takes to measure the same again.
    Shared,
    /// All this, and every figure of every metric.
    Full,
}
