//! `infermeter completions SHELL`: the script with which a shell completes infermeter's command line.
//!
//! Invariant: what is printed depends on the tables of flags alone.

use super::COMMANDS;
use crate::cli::complete::{self, Names};
use crate::cli::tables::CompletionsArgs;
use crate::schema::PUBLISHED;
use crate::{exit, output};
use anyhow::{Context, Result};
use infermeter_mock::Preset;

/// Runs the subcommand.
///
/// # Errors
/// Where no shell is named.
pub(crate) fn completions(args: &CompletionsArgs) -> Result<u8> {
    let shell = args
        .shell
        .context("name a shell, as in infermeter completions bash")?;
    let names = Names {
        presets: Preset::NAMES.to_vec(),
        schemas: PUBLISHED.iter().map(|published| published.name).collect(),
    };
    output::print(&complete::script(shell, &COMMANDS, &names));
    Ok(exit::OK)
}
