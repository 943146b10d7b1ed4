//! Chat completions in vLLM's shape.

use super::choices::{Choices, Kind};
use super::{Naming, Voice, Wire};

/// The dialect.
pub(super) struct Chat;

impl Wire for Chat {
    fn voice(&self, naming: Naming<'_>) -> Box<dyn Voice> {
        Box::new(Choices::new(Kind::Chat, naming))
    }
}
