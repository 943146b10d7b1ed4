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
    /// The requests that wait for the end of this one's answer.
    pub next: Vec<FollowUp>,
    /// The address that answered the turn before, by its number: its session stays there.
    pub address: Option<u32>,
    /// Closed loop: time between the end of this request's session and its user's next one,
    /// nanoseconds.
    pub pause_ns: i64,
}
