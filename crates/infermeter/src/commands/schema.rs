//! `infermeter schema [NAME]`: a published JSON Schema, or the list of them.

use crate::cli::Given;
use crate::cli::tables::{SchemaArgs, ShowArgs};
use crate::schema::{PUBLISHED, Published};
use crate::show::Shown;
use crate::{exit, output};
use anyhow::{Result, bail};
use infermeter_core::run::FORMAT_VERSION;
use infermeter_report::{Document, Entries, Section};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Runs the subcommand.
///
/// # Errors
/// Where there is no such schema, version or form.
pub(crate) fn schema(given: &Given) -> Result<u8> {
    let args: SchemaArgs = given.read()?;
    let show: ShowArgs = given.read()?;
    let Some(name) = &args.name else {
        if args.format_version.is_some() {
            bail!("--format-version is of one schema: name it, as in infermeter schema run");
        }
        show.shown().print(document, list);
        return Ok(exit::OK);
    };
    let published = Published::named(name)?;
    let asked = args.format_version.unwrap_or(published.version);
    if asked != published.version {
        bail!(
            "--format-version {asked}: `{}` has version {} here, and no other",
            published.name,
            published.version
        );
    }
    let asks_for_text = show.markdown || show.format.is_some_and(|form| form != Shown::Json);
    if asks_for_text {
        bail!(
            "a schema is JSON, whatever --format: leave it out, or write --json. The book has a page with every \
             field; `infermeter schema` without a name lists the schemas in any form"
        );
    }
    output::print(&published.text()?);
    Ok(exit::OK)
}

fn document() -> Document {
    let mut document = Document::titled("JSON Schemas (draft 2020-12): infermeter schema NAME");
    let mut entries = Entries::default();
    for published in PUBLISHED {
        entries.add(published.name, published.describes);
    }
    document.push(Section::new("").with(entries));
    document
}

/// The schemas that there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SchemasOutput {
    /// Version of the format.
    format_version: u32,
    /// Each of them.
    schemas: Vec<SchemaListed>,
}

/// A schema that there is.
#[derive(Debug, Serialize, JsonSchema)]
struct SchemaListed {
    /// What it is asked for by.
    name: &'static str,
    /// Version of the format that it describes.
    format_version: u32,
    /// Its `$id`.
    id: String,
    /// What it describes.
    describes: &'static str,
}

fn list() -> Value {
    let each = PUBLISHED.iter().map(|published| SchemaListed {
        name: published.name,
        format_version: published.version,
        id: published.id(),
        describes: published.describes,
    });
    let output = SchemasOutput {
        format_version: FORMAT_VERSION,
        schemas: each.collect(),
    };
    serde_json::to_value(output).unwrap_or_default()
}
