//! The warm-up in force: its least time and count, and the latest instant at which it ends.
//!
//! It does not place arrivals; [`crate::cut`] does.

use infermeter_core::plan::Warmup;
use infermeter_core::units::Span;
use serde::Serialize;

/// How long the warm-up lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct WarmupRule {
    /// Both parts must have passed.
    pub least: Warmup,
    /// It ends here at the latest; absent where the user set it.
    pub at_most: Option<Span>,
}

impl WarmupRule {
    /// The rule for a plan's `warmup` and `duration`: what was asked for has no upper limit, the
    /// default ends after [`Warmup::MAX`].
    pub fn resolve(asked: Option<Warmup>, duration: Option<Span>) -> Self {
        match asked {
            Some(least) => Self {
                least,
                at_most: None,
            },
            None => Self {
                least: Warmup::default_for(duration),
                at_most: Some(Warmup::MAX),
            },
        }
    }

    /// No warm-up at all.
    pub const NONE: Self = Self {
        least: Warmup::NONE,
        at_most: None,
    };
}
