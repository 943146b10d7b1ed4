//! A request as bytes, ready before it is due.

use crate::response::Expect;
use infermeter_core::request::{FollowUp, RequestSpec, Waited};

/// One request, encoded.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What it asks for.
    pub spec: RequestSpec,
    /// Head and body, as written to the socket.
    pub bytes: Vec<u8>,
    /// What the answer should look like.
    pub expect: Expect,
    /// What it waits for itself.
    pub waited: Option<Waited>,
    /// The request that waits for the end of this one's answer.
    pub next: Option<FollowUp>,
}
