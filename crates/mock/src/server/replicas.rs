//! Replicas that are added and drained while the simulator serves, by its user or by itself.
//!
//! Each change stands in the truth log with its instant, whoever made it. Invariant: the configuration has the number
//! of replicas that are meant to serve.

use super::Server;
use crate::config::ConfigError;
use crate::settings::{SettingError, Settings};
use crate::truth::TruthChange;

impl Server {
    /// Whether the replicas asked for have room.
    pub(super) fn check_replicas(&self, given: &Settings) -> Result<(), SettingError> {
        match given.replicas {
            Some(asked) => Ok(self.engine.check_room(asked).map_err(ConfigError::from)?),
            None => Ok(()),
        }
    }

    /// Takes over what was given of replicas, which has been checked.
    pub(super) fn change_replicas(&mut self, at_ns: i64, given: &Settings) {
        self.engine.rescale(self.config.scaling());
        if let Some(asked) = given.replicas {
            let _ = self.engine.scale(at_ns, asked);
            self.follow_replicas();
        }
    }

    /// Lets the autoscaler look, where there is one and its time has come.
    pub(super) fn autoscale(&mut self, now_ns: i64) {
        if self.engine.next_look_ns().is_none_or(|due| due > now_ns) {
            return;
        }
        self.engine.look(now_ns);
        let wanted = self.engine.wanted();
        if wanted == self.config.replicas {
            return;
        }
        self.follow_replicas();
        if let Some(truth) = &mut self.truth {
            let settings = Settings {
                replicas: Some(wanted),
                ..Settings::default()
            };
            let settings = settings.to_map();
            truth.change(TruthChange {
                at_ns: now_ns,
                settings,
            });
        }
    }

    fn follow_replicas(&mut self) {
        self.config.replicas = self.engine.wanted();
        self.metrics.grow(self.engine.replicas().len());
    }
}
