//! Measuring in virtual time: the simulator's engine without sockets and without waiting.
//!
//! It measures no client: connections, stamps and bytes do not exist. What it is for is everything that
//! decides over several runs, which sees the same records, findings and verdicts as of a live run, in
//! milliseconds. Sessions, shared beginnings and the simulator's faults are those of a live run, as far as they
//! have meaning without bytes; what has none is refused. Not here: the words of answers. Invariant: the same
//! experiment gives the same records, to the nanosecond.

mod arrivals;
mod dependents;
mod reader;
mod replicas;

use crate::answers::References;
use crate::begun::{Sides, manifest};
use crate::environment::environment;
use crate::experiment::{Experiment, Server};
use crate::found;
use crate::journal::Journal;
use crate::live::session_rules;
use crate::load::Load;
use crate::measure::{Measure, Measured, Site};
use crate::place::{Cores, Placement, Size};
use crate::secrets::Secrets;
use anyhow::{Context, Result, bail};
use arrivals::Arrivals;
use infermeter_core::clock::Offset;
use infermeter_core::environment::{Bound, RequestFields, TargetSide};
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{ClientHealth, Progress, RunManifest, RunState, ThreadHealth};
use infermeter_mock::Config;
use infermeter_mock::engine::Fleet;
use infermeter_mock::virtual_time::run_watched;
use infermeter_record::{ManifestRoom, write_manifest};
use infermeter_runner::RecordSink;
use reader::Reader;
use replicas::Replicas;

/// The simulator's seed where its target gives none: that of a simulator that is started.
const SEED: u64 = 1;

/// Measures targets `mock:` in virtual time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Virtual;

impl Measure for Virtual {
    fn measure(&mut self, experiment: &Experiment, site: &Site) -> Result<Measured> {
        let Server::Simulator(target) = &experiment.target.server else {
            bail!("virtual time needs the embedded simulator: write mock:PRESET");
        };
        let load = Load::of(experiment, site.identity.salt)?;
        let load = match &site.part {
            None => load,
            Some(part) => load.cut(part.slice)?,
        };
        let config = Config {
            seed: SEED,
            ..target.config()?
        };
        let params = config.engine_params().context("target")?;
        let mut fleet = Fleet::new(params, config.replicas).scaled(config.scaling());
        let reader = Reader::new(experiment, &load, config.clone())?;
        let rules = session_rules(&experiment.requests.texts);
        let fields = found::fields(experiment.target.probing, reader.features);
        let mut arrivals = Arrivals::of(&load, reader, rules.on_failure);
        let (mut replicas, every_ns) = (Replicas::default(), Replicas::interval_ns(&config));
        let note = |at_ns: i64, fleet: &Fleet| replicas.note(at_ns, fleet);
        let totals = run_watched(&mut fleet, &mut arrivals, |_| {}, every_ns, note);
        let records = arrivals.take_records()?;
        let rest = arrivals.rest();
        let begun = begun(experiment, &load, site, &config, fields);
        let window = arrivals.window(totals.end_ns);
        replicas.write(&site.directory, window)?;
        let manifest = RunManifest {
            window,
            state: RunState::Finished,
            progress: Some(Progress {
                scheduled: records.len() as u64,
                drain_not_reached: arrivals.not_reached() + rest.count,
                unfinished_sessions: rest.sessions,
                drain_without_load: load.drain_without_load,
                ended: Offset(totals.end_ns),
                interrupted: false,
                recovered: false,
                counted: None,
            }),
            client_health: Some(health(totals.end_ns)),
            ..begun.clone()
        };
        written(site, &begun, manifest, &records)
    }
}

/// `run.json` before the first request.
fn begun(
    experiment: &Experiment,
    load: &Load,
    site: &Site,
    config: &Config,
    fields: RequestFields,
) -> RunManifest {
    let mock = match &experiment.target.server {
        Server::Simulator(target) => Some(target.to_string()),
        Server::Served(_) => None,
    };
    let url = format!("mock:{}", mock.as_deref().unwrap_or_default());
    let facts = TargetSide {
        url: Some(url.clone()),
        loopback: Some(true),
        same_host: Some(true),
        mock,
        virtual_time: Some(true),
        fields: Some(fields),
        replicas: Replicas::place(config),
        ..TargetSide::default()
    };
    let nobody = Cores {
        mock: Vec::new(),
        client: Vec::new(),
    };
    let size = Size {
        threads: 1,
        max_connections: 1,
        bound_by: Bound::Plan,
        open_ahead: 0,
    };
    let salt = site.identity.salt;
    let place = Placement {
        cores: &nobody,
        size,
    };
    let sides = Sides {
        model: config.model_name().to_owned(),
        environment: environment(experiment, &facts, load, place, salt),
        addresses: vec![url],
        control: Vec::new(),
        findings: Vec::new(),
    };
    manifest(experiment, load, site, sides)
}

/// A client that was never late.
fn health(end_ns: i64) -> ClientHealth {
    ClientHealth {
        threads: vec![ThreadHealth {
            wall_ns: end_ns,
            ..ThreadHealth::default()
        }],
        kernel_stamps: true,
        cores: 1,
        ..ClientHealth::default()
    }
}

/// The journal and `run.json`, as a live run leaves them.
fn written(
    site: &Site,
    begun: &RunManifest,
    ended: RunManifest,
    records: &[RequestRecord],
) -> Result<Measured> {
    let directory = site.directory.as_path();
    write_manifest(directory, begun)?;
    let room = ManifestRoom::take(directory, begun, 1)?;
    let secrets = Secrets::default();
    let (mut sink, journal) = Journal::create(directory, &secrets)?;
    let refused = |error: String| anyhow::anyhow!(error);
    for record in records {
        sink.append(record).map_err(refused)?;
    }
    let end = ended.progress.as_ref().map_or(Offset::ZERO, |p| p.ended);
    sink.flush(end).map_err(refused)?;
    Ok(Measured {
        manifest: ended,
        interrupted: false,
        room,
        journal,
        references: References::default(),
    })
}

#[cfg(test)]
mod tests;
