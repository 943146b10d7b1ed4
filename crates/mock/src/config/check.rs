//! What a configuration must fulfil to run, beyond the engine's own conditions.

use super::{Config, ConfigError};

impl Config {
    /// Whether a simulator can run like this.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.engine_params()?;
        if !matches!(self.full_status, 429 | 503) {
            return Err(bad("full-status", "must be 503 or 429".to_owned()));
        }
        if self.link.bytes_per_second == Some(0) {
            return Err(too_small("link-bandwidth", "1"));
        }
        Ok(())
    }
}

pub(super) fn too_small(field: &'static str, least: &'static str) -> ConfigError {
    ConfigError::TooSmall { field, least }
}

fn bad(field: &'static str, problem: String) -> ConfigError {
    ConfigError::Bad { field, problem }
}
