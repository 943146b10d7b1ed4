//! `infermeter schema plan`: the JSON Schema of plan files.

use crate::cli::tables::{SchemaArgs, SchemaOf};
use crate::{exit, output, schema};
use anyhow::Result;

/// Runs the subcommand.
///
/// # Errors
/// Never.
pub(crate) fn schema(args: &SchemaArgs) -> Result<u8> {
    let schema = match args.file {
        SchemaOf::Plan => schema::of_plan(),
    };
    output::json(&schema);
    Ok(exit::OK)
}
