//! `infermeter mock`: the engine simulator on its own.

use crate::cli::MockArgs;
use crate::mock_child::READY;
use crate::{exit, output};
use anyhow::{Context, Result, anyhow};
use infermeter_mock::{Config, FaultRule, FaultShare, Preset, Stats, serve};
use infermeter_sys::{affinity, signals};

/// Runs the subcommand: serves until a signal.
///
/// # Errors
/// For an unknown preset, parameters that make no engine, a port in use.
pub fn mock(args: &MockArgs) -> Result<u8> {
    let config = config(args)?;
    if !args.cores.is_empty() {
        affinity::restrict_to(&args.cores).context("--cores")?;
    }
    signals::count_from_now().context("signal handlers")?;
    let parent = args.exit_with_parent;
    let on_ready = |address| {
        output::print(&format!("{READY}http://{address}\n"));
        if parent.is_none() {
            output::note(&format!(
                "preset {}, model {}; Ctrl-C ends it",
                args.preset,
                config.model_name()
            ));
        }
    };
    let stats = serve(&config, on_ready, || {
        signals::count() > 0 || is_orphan(parent)
    })
    .with_context(|| format!("--port {}", args.port))?;
    if parent.is_none() {
        output::note(&farewell(&stats));
    }
    Ok(exit::OK)
}

fn config(args: &MockArgs) -> Result<Config> {
    let preset = Preset::parse(&args.preset).map_err(|e| anyhow!("{e}"))?;
    let mut config = Config::new(preset);
    config.port = args.port;
    config.truth = args.truth.clone();
    config.ttft = args.ttft;
    config.step = args.step;
    config.role_chunk = args
        .role_chunk
        .parse()
        .map_err(|e| anyhow!("--role-chunk: {e}"))?;
    config.max_num_seqs = args.max_num_seqs;
    config.model = args.model.clone();
    config.seed = args.seed;
    if let Some(fault) = &args.fault {
        let fault = fault.parse().map_err(|e| anyhow!("--fault: {e}"))?;
        config.faults = Some(FaultRule {
            fault,
            share: FaultShare::Always,
        });
    }
    config.engine_params().map_err(|e| anyhow!("{e}"))?;
    Ok(config)
}

/// The process that asked to be followed is no longer the parent.
fn is_orphan(parent: Option<u32>) -> bool {
    let Some(parent) = parent else { return false };
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    now.is_none_or(|pid| u32::try_from(pid) != Ok(parent))
}

fn farewell(stats: &Stats) -> String {
    format!(
        "served {} requests ({} generations, {} finished, {} refused, {} disconnected), {} tokens \
         in {} steps, at most {} in flight",
        stats.requests,
        stats.generations,
        stats.finished,
        stats.refused,
        stats.disconnects,
        stats.tokens,
        stats.steps,
        stats.max_in_flight
    )
}
