//! Chat completions in vLLM's shape.

use super::choices::{Kind, voice};
use super::{Naming, Voice, Wire};

/// The dialect.
pub(super) struct Chat;

impl Wire for Chat {
    fn voice(&self, naming: Naming<'_>) -> Box<dyn Voice> {
        voice(Kind::Chat, naming)
    }
}
