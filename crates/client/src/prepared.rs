//! A request as bytes, ready before it is due.

use crate::response::Expect;
use infermeter_core::request::RequestSpec;

/// One request, encoded.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// What it asks for.
    pub spec: RequestSpec,
    /// Head and body, as written to the socket.
    pub bytes: Vec<u8>,
    /// What the answer should look like.
    pub expect: Expect,
}
