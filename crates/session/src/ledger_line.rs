//! What stands in a line of a ledger, behind its checksum: what its published schema is of.
//!
//! Invariant: nothing is read or written through it.

use crate::book::{Header, Line};
use crate::calibrate::ladder::RungAt;
use crate::runs::RunEntry;
use infermeter_core::certificate::Rung;
use infermeter_protocol::Coordinates;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// A line of a ledger: the first, that of a run, or that of a rung of a calibration.
#[derive(Debug, Clone, Copy)]
pub struct LedgerLine;

impl JsonSchema for LedgerLine {
    fn schema_name() -> Cow<'static, str> {
        "LedgerLine".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                generator.subschema_for::<Header>(),
                generator.subschema_for::<Line<Coordinates, RunEntry>>(),
                generator.subschema_for::<Line<RungAt, Rung>>(),
            ]
        })
    }
}
