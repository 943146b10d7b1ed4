//! A simulator at an address that others in its network reach: `infermeter mock` serves the loopback alone.
//!
//! For the launchers, inside namespaces that nobody else reaches.

use super::Bench;
use super::namespace::Namespace;
use crate::running::{Running, ready_url};
use anyhow::{Context, Result, bail};
use infermeter_core::units::Span;
use infermeter_mock::{Config, Place, Preset, serve as serve_mock};
use std::fs::File;
use std::process::Stdio;

/// Task of this program that serves.
pub const TASK: &str = "serve-simulator";
/// The model that is served.
pub(super) const MODEL: &str = "mock/fixed";
/// Port inside a namespace, where all are free.
const PORT: u16 = 8_000;

/// Serves at `ADDRESS` until it is ended.
///
/// # Errors
/// For no address, and where it cannot listen there.
pub fn serve(arguments: &[String]) -> Result<()> {
    let [address] = arguments else {
        bail!("cargo xtask {TASK} ADDRESS: serves inside a network namespace");
    };
    let preset = Preset::parse("fixed")?;
    let config = Config {
        host: address.parse().with_context(|| address.clone())?,
        port: PORT,
        ttft: Some(Span::millis(8)),
        step: Some(Span::millis(4)),
        ..Config::new(preset)
    };
    let told = |place: &Place| println!("serving on http://{place}");
    serve_mock(&config, told, || false)?;
    Ok(())
}

/// One in a namespace, and its URL.
///
/// # Errors
/// When it does not start.
pub(super) fn started(bench: &Bench, space: &Namespace) -> Result<(Running, String)> {
    let own = std::env::current_exe().context("own program not found")?;
    let log = File::create(bench.directory.join("simulator.log"))?;
    let mut command = space.command(own);
    command.args([TASK, &space.address.to_string()]);
    let process = command.stdout(Stdio::piped()).stderr(log).spawn();
    let mut process = Running(process.context("cannot start the simulator")?);
    let url = ready_url(&mut process.0)?;
    Ok((process, url))
}
