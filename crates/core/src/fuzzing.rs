//! What must hold of whatever somebody writes as an objective or a gate.
//!
//! Invariant: nothing panics, and what reads prints as a text that reads back as the same value.

use crate::gate::FailIf;
use crate::slo::Slo;

/// One objective, or one gate.
///
/// # Panics
/// Where a property is broken.
pub fn objective(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Slo>() {
        Ok(slo) => {
            let printed = slo.to_string();
            // Spelt out it may be longer than what may be read.
            if printed.len() <= text.len().max(1_000) {
                assert_eq!(printed.parse(), Ok(slo), "{printed}");
            }
        }
        Err(error) => assert!(error.to_string().contains("at character"), "{error}"),
    }
    if let Ok(gate) = text.parse::<FailIf>() {
        let printed = gate.to_string();
        if printed.len() <= text.len().max(1_000) {
            assert_eq!(printed.parse(), Ok(gate), "{printed}");
        }
    }
}
