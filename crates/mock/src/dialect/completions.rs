//! Completions in vLLM's shape.

use super::choices::{Kind, voice};
use super::{Naming, Voice, Wire};

/// The dialect.
pub(super) struct Completions;

impl Wire for Completions {
    fn voice(&self, naming: Naming<'_>) -> Box<dyn Voice> {
        voice(Kind::Completion, naming)
    }
}
