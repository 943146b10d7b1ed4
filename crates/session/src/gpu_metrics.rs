//! The GPUs behind a target: whether anybody tells of them, and who. They are read during the run by the threads of
//! [`crate::server_metrics`].
//!
//! What cannot be read is a fact, never an error of the run. Invariant: NVML is loaded only where the target is on this
//! host, or where the plan names it.

use crate::experiment::{Experiment, GpuSpec, Probing, Server};
use crate::redact::redact_url;
use crate::server_metrics::{Asking, Readable, elsewhere, place_of, quick};
use infermeter_core::environment::{MetricsPlace, TargetSide, UnreadPage};
use infermeter_core::plan::GpuSource;
use infermeter_core::server::ServerEngine;
use infermeter_core::text::inert;
use infermeter_probe::metrics_page::MetricsPage;
use infermeter_probe::nvml::NvmlGpus;
use infermeter_probe::target::Control;
use infermeter_probe::watch::Source;
use std::path::Path;

/// Who tells of GPUs: at least one.
#[derive(Debug, Clone)]
pub(crate) struct KnownGpus {
    readable: Vec<Readable>,
    unread: Vec<UnreadPage>,
}

impl KnownGpus {
    /// What is read during the run.
    pub(crate) fn readable(&self) -> &[Readable] {
        &self.readable
    }

    /// For the record.
    pub(crate) fn place(&self) -> MetricsPlace {
        let watched = self.readable.iter().flat_map(Readable::watched);
        place_of(watched.collect(), self.unread.clone())
    }
}

/// Looks for whoever the experiment means, or else tells why there is nobody. `seen` says where the target is.
pub(crate) fn find(
    experiment: &Experiment,
    control: &mut Control,
    asking: &Asking<'_>,
    seen: &TargetSide,
) -> Result<KnownGpus, String> {
    let mut found = KnownGpus {
        readable: Vec::new(),
        unread: Vec::new(),
    };
    match &experiment.target.gpus {
        GpuSpec::Off => return Err("--gpu-metrics off".to_owned()),
        GpuSpec::Usual { .. } => found
            .readable
            .push(usual(experiment, control, asking, seen)?),
        GpuSpec::At { places, .. } => {
            for place in places {
                match at(experiment, control, asking, place) {
                    Ok(readable) => found.readable.push(readable),
                    Err(why) => found.unread.push(UnreadPage {
                        url: shown(place),
                        why,
                    }),
                }
            }
        }
    }
    if found.readable.is_empty() {
        let why = found.unread.first().map(|place| place.why.clone());
        return Err(why.unwrap_or_else(|| "no place is named".to_owned()));
    }
    Ok(found)
}

/// What there is without anybody naming it.
fn usual(
    experiment: &Experiment,
    control: &mut Control,
    asking: &Asking<'_>,
    seen: &TargetSide,
) -> Result<Readable, String> {
    let target = &experiment.target;
    match (&target.server, target.probing, seen.same_host) {
        (_, Probing::Never, _) => Err("--no-probe".to_owned()),
        (Server::Simulator(_), ..) => {
            let Asking {
                target,
                headers,
                channel,
            } = asking.clone();
            let channel = quick(channel);
            let page = MetricsPage::of_simulated_gpus(target.clone(), headers.clone(), channel);
            of_page(control, page)
        }
        (Server::Served(_), _, Some(true)) => of_nvml(None),
        (Server::Served(_), ..) => Err(
            "the server is on another host: name the page of an exporter there with --gpu-metrics"
                .to_owned(),
        ),
    }
}

/// What the plan names.
fn at(
    experiment: &Experiment,
    control: &mut Control,
    asking: &Asking<'_>,
    place: &GpuSource,
) -> Result<Readable, String> {
    match place {
        GpuSource::Nvml => of_nvml(None),
        GpuSource::NvmlAt(file) => of_nvml(Some(file)),
        GpuSource::Url(url) => of_page(control, elsewhere(experiment, url, asking)?),
    }
}

fn of_nvml(file: Option<&Path>) -> Result<Readable, String> {
    let inertly = |error: String| inert(&error, 300);
    let gpus = NvmlGpus::find(file).map_err(|error| inertly(error.to_string()))?;
    if gpus.count() == 0 {
        return Err("NVML knows no GPU on this host".to_owned());
    }
    gpus.read().map_err(|error| inertly(error.to_string()))?;
    Ok(Readable {
        source: Source::Nvml(gpus),
        engines: vec![ServerEngine::Nvml],
    })
}

/// A page on which somebody tells of GPUs or of a host.
fn of_page(control: &mut Control, page: MetricsPage) -> Result<Readable, String> {
    let found = control.read_page(&page, "before the load");
    let found = found.map_err(|error| inert(&error.to_string(), 300))?;
    let engines = found.iter().map(|own| own.engine);
    let engines: Vec<ServerEngine> = engines.filter(|engine| engine.is_device()).collect();
    if engines.is_empty() {
        return Err(
            "the page tells of an engine, and of no GPU: give it to --server-metrics".into(),
        );
    }
    Ok(Readable {
        source: Source::Page(page),
        engines,
    })
}

/// A place without secrets.
fn shown(place: &GpuSource) -> String {
    match place {
        GpuSource::Url(url) => redact_url(url),
        GpuSource::Nvml | GpuSource::NvmlAt(_) => inert(&place.to_string(), 200),
    }
}
