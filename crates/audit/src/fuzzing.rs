//! The entry point of the fuzz target. It panics where a property is broken: for tests alone.

use crate::audit::audit;
use crate::evidence::sides;
use crate::import;

/// Other tools' results: bytes to facts, and every check on them.
pub fn results(data: &[u8]) {
    if let Ok(results) = import::read(data) {
        audit(&sides("fuzz", results));
    }
}
