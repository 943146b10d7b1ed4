//! `--expose`: the page of live metrics, from before the first run until a command ends.
//!
//! Invariant: where the page cannot be served nothing is measured.

use crate::{exit, output};
use anyhow::Result;
use infermeter_core::plan::Plan;
use infermeter_core::units::Span;
use infermeter_session::expose::{Exposed, Exposing};
use std::sync::Arc;

/// The page, where one is asked for.
pub(crate) struct LivePage {
    exposing: Option<Exposing>,
    linger: Option<Span>,
    quiet: bool,
}

impl LivePage {
    /// Serves it as the plan asks, and says where, on standard error.
    ///
    /// # Errors
    /// When nothing can listen there.
    pub(crate) fn of(plan: &Plan) -> Result<Self> {
        let exposing = plan.expose.map(Exposing::start).transpose()?;
        if let (Some(exposing), Some(at)) = (&exposing, plan.expose) {
            // Which port it is, and that others can read it, is told whatever else is not.
            if !plan.quiet || at.0.port() == 0 {
                output::note(&format!("live metrics at {}", exposing.url()));
            }
            if at.is_open() {
                output::note(
                    "note: --expose names an address that is not the loopback's: whoever reaches it can read the \
                     page, which names target, model and classes",
                );
            }
        }
        Ok(Self {
            exposing,
            linger: plan.expose_linger,
            quiet: plan.quiet,
        })
    }

    /// What fills it.
    pub(crate) fn exposed(&self) -> Option<Arc<Exposed>> {
        self.exposing.as_ref().map(Exposing::exposed)
    }

    /// Everything is measured and shown, with this exit code: keeps the page for a last reader, as the plan asks, and
    /// says what its readers were refused.
    pub(crate) fn end(self, code: u8) -> u8 {
        let Some(exposing) = self.exposing else {
            return code;
        };
        // Who interrupts does not want to wait.
        if let Some(linger) = self.linger.filter(|_| code != exit::INTERRUPTED) {
            exposing.linger(linger);
        }
        let heard = exposing.heard();
        if !self.quiet && heard.refused + heard.malformed > 0 {
            output::note(&format!(
                "note: of those who asked for live metrics, {} had to go because too many were connected, and {} sent \
                 no HTTP",
                heard.refused, heard.malformed
            ));
        }
        code
    }
}
