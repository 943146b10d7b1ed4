//! The two origins of a latency.
//!
//! Does not say where a request's origin lies. Invariant: two origins never mix in one series.

use crate::schedule::phase::LoadModel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a latency is counted from. Two origins never mix in one series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The intended send time: what a user feels, immune to coordinated omission.
    Intended,
    /// `send_start`: connect and TLS are inside, the client's own lag is not.
    Send,
}

impl Origin {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Intended, Self::Send];

    /// The origin that heads the summary: intended in an open loop; the send in a closed loop,
    /// where `intended` is recorded, not scheduled (measurement.md, instants).
    pub fn headline(load_model: LoadModel) -> Self {
        match load_model {
            LoadModel::OpenLoop => Self::Intended,
            LoadModel::ClosedLoop | LoadModel::Imported | LoadModel::Observed => Self::Send,
        }
    }

    /// The name used in files and tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Send => "send",
        }
    }
}
