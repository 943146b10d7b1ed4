//! What is found out about a target before the load: address, TLS, credentials, model, and the request
//! fields it accepts. All control traffic of a run happens here.
//!
//! It starts nothing. Invariant: what the target says is without secrets before it goes anywhere.

mod asker;
mod doubts;
pub(crate) mod form;

pub(crate) use asker::Asker;
pub use form::template;

use crate::api_key::api_key;
use crate::experiment::{Experiment, FormSpec, Probing, Server};
use crate::failure::{Cause, Failure};
use crate::gpu_metrics::{self, KnownGpus};
use crate::observer::Observer;
use crate::redact::{redact_lines, redact_path};
use crate::run_id::RunIdentity;
use crate::secrets::Secrets;
use crate::server_metrics::{self, Asking, KnownPages, Readable, place_of};
use crate::unusable::{Known, Unusable};
use crate::ways::{self, Way, Ways};
use anyhow::{Result, bail};
use doubts::{doubts, probe_unsure};
use infermeter_client::control::{Channel, ControlError, Speech};
use infermeter_client::encode::{
    BodyTemplate, Features, Headers, RequestEncoder, RequestShape, Target as Url,
};
use infermeter_client::engine::{Destinations, Hop};
use infermeter_client::reuse::Reuse;
use infermeter_core::environment::{
    MetricsPlace, PrefixCounters, PrefixCountersOfRun, RequestFields, TargetSide,
};
use infermeter_core::finding::Finding;
use infermeter_core::plan::Balance;
use infermeter_core::run::{ControlRequest, RunManifest};
use infermeter_core::server::ServerFigures;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_probe::features::{ProbeError, Probed, Trial, probe, try_all};
use infermeter_probe::host::is_own_address;
use infermeter_probe::target::{Control, IdentifyError, Limits, ModelList, TargetFacts};
use infermeter_probe::waits::Waits;
use infermeter_sys::signals;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Longest time for a question or a trial's few tokens: twice what a model without an accelerator takes
/// for these, and soon over where nobody answers.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// All trials together take as long as this many that are just not late.
const ALL_PROBES: u32 = 6;
/// How often signals are looked for meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// What takes longer is told.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// What was found out about a target.
#[derive(Debug)]
pub struct Found {
    /// Where the load goes.
    pub to: Arc<Destinations>,
    /// What its addresses are called.
    pub addresses: Vec<String>,
    /// Encodes the load's requests.
    pub encoder: RequestEncoder,
    /// The model asked for.
    pub model: String,
    /// Whether connections are known to last for one answer only.
    pub reuse: Reuse,
    /// The servers, as requests name them.
    targets: Vec<Url>,
    /// Control requests made: those that found all this out, then those of the run that goes on.
    pub control: Vec<ControlRequest>,
    /// How many of them found all this out.
    probes: usize,
    /// Sends further ones.
    asking: Control,
    /// Encodes the load's requests for answers in one piece, to be asked alone.
    pub(crate) encoder_alone: RequestEncoder,
    /// The server's metrics pages, where it has one that is known.
    pub metrics: Option<KnownPages>,
    /// Who tells of its GPUs, where there is anybody.
    pub(crate) gpus: Option<KnownGpus>,
    /// Who says how many replicas there are, where anybody does.
    pub(crate) replicas: Option<Readable>,
    /// What was found out, for `environment.target`.
    pub facts: TargetSide,
    /// Doubts.
    pub findings: Vec<Finding>,
    /// What must not be repeated when the target says it.
    pub secrets: Secrets,
}

impl Found {
    /// A further run begins: see [`crate::target::Target::begin`].
    ///
    /// # Errors
    /// When nobody accepts a connection any more.
    pub(crate) fn begin_run(
        &mut self,
        experiment: &Experiment,
        identity: &RunIdentity,
    ) -> Result<()> {
        self.is_there(experiment)?;
        self.asking.begin_run(&identity.id, limits(experiment));
        self.asking.log.truncate(self.probes);
        self.control.truncate(self.probes);
        if let Some(known) = &mut self.metrics {
            known.read_again(&mut self.asking);
            for mut request in self.asking.log[self.probes..].iter().cloned() {
                hide(&self.secrets, &mut request);
                self.control.push(request);
            }
            self.facts.prefix_cache = counters_before(known.before());
        }
        Ok(())
    }

    /// Who asks single requests, beside the load.
    pub(crate) fn alone(&self) -> Control {
        self.asking.clone()
    }

    /// Looks whether anybody accepts a connection.
    ///
    /// # Errors
    /// When nobody does.
    pub(crate) fn is_there(&self, experiment: &Experiment) -> Result<()> {
        let timeout = duration(experiment.client.connect_timeout);
        let reached = ways::find(experiment, &self.targets, timeout, &Waits::default());
        reached.map_err(|error| self.scrubbed(&error))?;
        Ok(())
    }

    /// An error without what must not be repeated.
    fn scrubbed(&self, error: &anyhow::Error) -> Failure {
        let mut message = redact_lines(&format!("{error:#}"));
        self.secrets.scrub(&mut message);
        Failure {
            cause: Cause::of(error),
            message,
        }
    }

    /// Reads the server's counters after the load, where they were there before it: into the
    /// manifest's environment and control requests.
    pub(crate) fn read_counters_after(&self, manifest: &mut RunManifest) {
        let Some(known) = self.metrics.as_ref() else {
            return;
        };
        if PrefixCounters::of(known.before()).is_none() {
            return;
        }
        let mut control = self.asking.clone();
        let after = known.after(&mut control);
        let after = after.and_then(|now| PrefixCounters::of(&now));
        if let Some(counters) = &mut manifest.environment.target.prefix_cache {
            counters.after = after;
        }
        for mut request in control.log.split_off(self.control.len()) {
            hide(&self.secrets, &mut request);
            manifest.control_requests.push(request);
        }
    }
}

/// Finds out on a thread of its own: a signal ends the wait, whatever the target does.
pub(crate) fn found_unless_stopped(
    experiment: &Experiment,
    mock_url: Option<&str>,
    asker: Asker,
    observer: &dyn Observer,
) -> Result<Found> {
    let (own, url) = (experiment.clone(), mock_url.map(str::to_owned));
    unless_stopped(observer, move |waits| {
        prepare(&own, url.as_deref(), asker, waits)
    })
}

/// Does something that may wait for a target, on a thread of its own: a signal ends the wait.
pub(crate) fn unless_stopped<T: Send + 'static>(
    observer: &dyn Observer,
    work: impl FnOnce(Waits) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (sender, receiver) = channel();
    let waits = Waits::default();
    let waiting = waits.clone();
    std::thread::spawn(move || {
        // Nobody listens any more after a signal.
        let _ = sender.send(work(waiting));
    });
    let mut told = 0;
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(result) if signals::count() == 0 => return result,
            Err(RecvTimeoutError::Timeout) if signals::count() == 0 => {
                told = tell(observer, &waits, told);
            }
            Err(RecvTimeoutError::Disconnected) => bail!("the target could not be prepared"),
            _ => return Err(Failure::interrupted("stopped before the first request").into()),
        }
    }
}

/// Says once what takes long; returns the number of the last wait that was told.
fn tell(observer: &dyn Observer, waits: &Waits, told: u64) -> u64 {
    match waits.look() {
        Some(wait) if wait.number > told && wait.lasted() >= LONG_WAIT => {
            let what = redact_path(&wait.what);
            let (limit, flag) = (wait.limit.as_secs_f64(), wait.flag);
            observer.note(&format!(
                "waiting for {what}, at most {limit:.0} s ({flag})"
            ));
            wait.number
        }
        _ => told,
    }
}

/// Reaches the target, learns who it is, and tries the request fields.
///
/// # Errors
/// When it cannot be used: unreachable, wrong credentials, no answer as it should be.
fn prepare(
    experiment: &Experiment,
    mock_url: Option<&str>,
    asker: Asker,
    waits: Waits,
) -> Result<Found> {
    let server = &experiment.target.server;
    let targets = ways::targets(server, mock_url)?;
    let api_key = api_key(experiment, &targets[0])?;
    let template = form::template(&experiment.requests)?;
    let secrets = Secrets::of(experiment, &targets, api_key.as_deref(), template.as_ref());
    let mut headers = form::headers(&experiment.requests.form, api_key.as_deref())?;
    let targets = ways::through_proxy(server, targets, &mut headers)?;
    let asked = Asked {
        asker,
        headers,
        targets,
        template,
    };
    match find_out(experiment, asked, waits) {
        Ok(mut found) => {
            found.control.iter_mut().for_each(|r| hide(&secrets, r));
            found.facts.each_text(&mut |text| secrets.scrub(text));
            for finding in &mut found.findings {
                secrets.scrub(&mut finding.message);
                secrets.scrub(&mut finding.evidence);
                secrets.scrub(&mut finding.advice);
            }
            Ok(Found { secrets, ..found })
        }
        Err(error) => {
            let mut message = redact_lines(&format!("{error:#}"));
            secrets.scrub(&mut message);
            Err(Failure::of(Cause::of(&error), message).into())
        }
    }
}

/// What goes with every question.
struct Asked {
    asker: Asker,
    targets: Vec<Url>,
    headers: Headers,
    template: Option<BodyTemplate>,
}

/// Hides what is secret in a control request: in its path, and in what the server said.
fn hide(secrets: &Secrets, request: &mut ControlRequest) {
    request.request = redact_path(&request.request);
    secrets.scrub(&mut request.request);
    secrets.scrub(&mut request.result);
}

fn find_out(experiment: &Experiment, asked: Asked, waits: Waits) -> Result<Found> {
    let Asked {
        asker,
        targets,
        headers,
        template,
    } = asked;
    let timeout = duration(experiment.client.connect_timeout);
    let ways = ways::find(experiment, &targets, timeout, &waits)?;
    let target = &targets[0];
    let channel = channel_to(experiment, &ways.all[0]);
    let control = Control::new(
        channel.clone(),
        target.clone(),
        headers.clone(),
        asker.name(),
        limits(experiment),
        waits,
    );
    let shape = form::shape(&experiment.requests.form, headers, template)?;
    let mut trial = Trying::new(experiment, control, shape)?;
    let mut findings = trial
        .probed()
        .map_err(|why| trial.stopped(why, &channel, target))?;
    let Trying {
        mut control,
        shape,
        facts,
        ..
    } = trial;
    let cache = asker.response_cache(experiment, &mut control, &shape)?;
    let asking = Asking {
        target,
        headers: &shape.headers,
        channel,
    };
    let mut seen = facts_of(&facts, target, &ways);
    let gpus = asker.once(|| gpu_metrics::find(experiment, &mut control, &asking, &seen));
    let replicas = asker.replicas(experiment, &asking);
    let found = asker.once(|| server_metrics::find(experiment, &mut control, asking));
    let engine = asker.engine(experiment, &mut control);
    findings.extend(doubts(experiment, target, &engine, &facts));
    findings.extend(ways.left_out());
    describe_requests(&mut seen, experiment, &shape);
    seen.engine = Some(engine);
    describe_metrics(&mut seen, &found, &gpus);
    seen.replicas = replicas.as_ref().map(described_replicas);
    seen.response_cache = cache;
    let balance = experiment.target.server.balance();
    let to = destinations(&ways.all, &targets, &shape, balance);
    Ok(Found {
        to: Arc::new(to),
        addresses: ways.all.into_iter().map(|way| way.name).collect(),
        encoder: RequestEncoder::new(target, &shape),
        encoder_alone: encoder_alone(target, &shape),
        model: shape.model,
        reuse: control.reuse(),
        targets,
        probes: control.log.len(),
        control: control.log.clone(),
        asking: control,
        metrics: found.ok(),
        gpus: gpus.ok(),
        replicas: replicas.and_then(Result::ok),
        facts: seen,
        findings,
        secrets: Secrets::default(),
    })
}

/// Of questions asked with nothing else in flight: nothing of them is timed, so they need no stream.
fn encoder_alone(target: &Url, shape: &RequestShape) -> RequestEncoder {
    RequestEncoder::new(
        target,
        &RequestShape {
            stream: false,
            ..shape.clone()
        },
    )
}

/// What the port speaks instead, where its answer may mean that.
fn otherwise(why: &Unusable, channel: &Channel, target: &Url) -> Option<Speech> {
    let may_be = match why.no_answer() {
        Some(
            ControlError::Resolve { .. }
            | ControlError::Connect { .. }
            | ControlError::Proxy { .. },
        ) => false,
        // A certificate has been seen: it is TLS.
        Some(error) => error.certificate().is_none(),
        None => why.status() == Some(400) && !target.is_https(),
    };
    may_be
        .then(|| channel.speaks_otherwise(target.host()))
        .flatten()
}

/// How long control requests may take.
fn limits(experiment: &Experiment) -> Limits {
    let asked = experiment.target.probe_timeout.map(duration);
    let timeout = duration(experiment.client.timeout);
    let each = asked.unwrap_or(PROBE_TIMEOUT.min(timeout));
    Limits {
        each,
        all: each.saturating_mul(ALL_PROBES),
    }
}

pub(crate) fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.ns().unsigned_abs())
}

/// The way that control requests take.
pub(crate) fn channel_to(experiment: &Experiment, way: &Way) -> Channel {
    Channel {
        route: way.route.clone(),
        connect_timeout: duration(experiment.client.connect_timeout),
        timeout: limits(experiment).each,
    }
}

/// Where the load goes, and how its requests begin there.
fn destinations(
    ways: &[Way],
    targets: &[Url],
    shape: &RequestShape,
    balance: Balance,
) -> Destinations {
    let encoders = ways.iter().map(|way| &targets[way.target]);
    let encoders: Vec<_> = encoders.map(|t| RequestEncoder::new(t, shape)).collect();
    let heads: Vec<&[u8]> = encoders.iter().map(RequestEncoder::head).collect();
    let mut routes = ways.iter().map(|way| way.route.clone());
    let first = routes.next().expect("every target has a way");
    Destinations::new(first, routes.collect(), balance).with_heads(&heads)
}

/// Who answers where.
fn facts_of(facts: &TargetFacts, target: &Url, ways: &Ways) -> TargetSide {
    let address = &ways.all[0].route.address;
    // Where a proxy is says nothing of the server.
    let mut direct = ways.all.iter().filter(|way| way.route.hop == Hop::Server);
    let is_own = |way: &Way| way.route.address.ip().is_none_or(is_own_address);
    let is_loopback = |way: &Way| {
        let ip = way.route.address.ip();
        ip.is_some_and(|ip| ip.is_loopback())
    };
    TargetSide {
        url: Some(target.to_string()),
        address: Some(address.to_string()),
        loopback: Some(direct.clone().any(is_loopback)),
        same_host: Some(direct.any(is_own)),
        resolve_ns: ways.resolve_ns,
        server: facts.server.clone(),
        version: facts.version.clone(),
        models: facts.models.models.clone(),
        models_problem: facts.models.problem.clone(),
        ..TargetSide::default()
    }
}

/// Why there will be no load.
enum Stopped {
    Unusable(Unusable),
    NoModel(Failure),
}

impl From<ProbeError> for Stopped {
    fn from(error: ProbeError) -> Self {
        Self::Unusable(Unusable::Probe(error))
    }
}

/// Asking a server, and what came of it so far.
struct Trying<'a> {
    experiment: &'a Experiment,
    control: Control,
    /// What the load's requests carry beside their text.
    trials: Vec<Trial>,
    /// What requests look like; completed here.
    shape: RequestShape,
    facts: TargetFacts,
}

impl<'a> Trying<'a> {
    /// One that has asked nothing yet.
    fn new(experiment: &'a Experiment, control: Control, shape: RequestShape) -> Result<Self> {
        Ok(Self {
            experiment,
            control,
            trials: form::trials(&experiment.requests)?,
            shape,
            facts: TargetFacts::default(),
        })
    }

    fn form(&self) -> &FormSpec {
        &self.experiment.requests.form
    }

    /// Finds out who the server is, which fields it accepts, and whether it takes what the load's requests
    /// carry. Returns doubts.
    fn probed(&mut self) -> Result<Vec<Finding>, Stopped> {
        let mut findings = Vec::new();
        let model = self.form().model.clone();
        let probes = self.experiment.target.probing != Probing::Never;
        if model.is_none() || probes {
            match self.control.identify() {
                Ok(known) => self.facts = known,
                // Who knows the model needs no list of them.
                Err(IdentifyError::NoAnswer(_)) if model.is_some() => {}
                Err(error) => return Err(Stopped::Unusable(Unusable::Identify(error))),
            }
        }
        self.shape.model = chosen(model, &self.facts.models).map_err(Stopped::NoModel)?;
        if probes {
            let probed = self.probe_paths()?;
            self.shape.features = probed.features;
            findings.extend(probed.doubt.map(|why| probe_unsure(&why)));
            let doubt = try_all(&mut self.control, &self.shape, &self.trials)?;
            findings.extend(doubt.map(|why| probe_unsure(&why)));
        }
        for sampling in &self.experiment.requests.form.sampling {
            let value = sampling.value.clone();
            self.shape.extra_body.insert(sampling.name.clone(), value);
        }
        Ok(findings)
    }

    /// Tries the field sets where the API mostly is, and where else servers have it. The shape keeps the path
    /// that there was an answer at.
    fn probe_paths(&mut self) -> Result<Probed, ProbeError> {
        let first = probe(&mut self.control, &self.shape);
        let absent = |status| matches!(status, 404 | 405 | 501);
        if self.form().path.is_some()
            || !matches!(&first, Err(ProbeError::Refused { status, .. }) if absent(*status))
        {
            return first;
        }
        for path in self.form().endpoint.api().other_paths {
            self.shape.path = Some((*path).to_owned());
            match probe(&mut self.control, &self.shape) {
                Err(ProbeError::Refused { status, .. }) if absent(status) => {}
                found => return found,
            }
        }
        self.shape.path = None;
        first
    }

    /// The error that ends the command.
    fn stopped(&self, why: Stopped, channel: &Channel, target: &Url) -> Failure {
        match why {
            Stopped::Unusable(why) => why.error(&Known {
                form: self.form(),
                target,
                model: Some(&*self.shape.model).filter(|model| !model.is_empty()),
                models: &self.facts.models,
                log: &self.control.log,
                otherwise: otherwise(&why, channel, target),
            }),
            Stopped::NoModel(why) => why,
        }
    }
}

/// What is asked of it, and how, for the record.
fn describe_requests(facts: &mut TargetSide, experiment: &Experiment, shape: &RequestShape) {
    facts.mock = match &experiment.target.server {
        Server::Simulator(mock) => Some(mock.to_string()),
        Server::Served(_) => None,
    };
    facts.fields = Some(fields(experiment.target.probing, shape.features));
    facts.path = Some(redact_path(shape.path()));
}

/// What is known of the server's metrics page, for the record.
fn describe_metrics(
    facts: &mut TargetSide,
    found: &Result<KnownPages, String>,
    gpus: &Result<KnownGpus, String>,
) {
    facts.gpu_metrics = Some(described(gpus.as_ref().map(KnownGpus::place)));
    facts.server_metrics = Some(described(found.as_ref().map(KnownPages::place)));
    let known = found.as_ref().ok();
    facts.prefix_cache = known.and_then(|known| counters_before(known.before()));
}

/// Who says how many replicas there are, or why nobody does.
fn described_replicas(found: &Result<Readable, String>) -> MetricsPlace {
    let found = found.as_ref();
    described(found.map(|known| place_of(known.watched().collect(), Vec::new())))
}

/// A place that was found, or why there is none.
fn described(found: Result<MetricsPlace, &String>) -> MetricsPlace {
    found.unwrap_or_else(|why| MetricsPlace::NotAvailable {
        not_available: inert(why, 300),
    })
}

/// What the server's counters of its prefix cache said before the load.
fn counters_before(page: &ServerFigures) -> Option<PrefixCountersOfRun> {
    let before = PrefixCounters::of(page)?;
    Some(PrefixCountersOfRun {
        before,
        after: None,
    })
}

/// Which request fields are used, for the record.
pub(crate) fn fields(probing: Probing, features: Features) -> RequestFields {
    RequestFields {
        ignore_eos: Some(features.ignore_eos),
        include_usage: Some(features.include_usage),
        continuous_usage: Some(features.continuous_usage),
        max_completion_tokens: Some(features.max_completion_tokens),
        probed: Some(probing != Probing::Never),
        ..RequestFields::default()
    }
}

/// The model asked for, or the first that is listed.
fn chosen(asked: Option<String>, list: &ModelList) -> Result<String, Failure> {
    if let Some(asked) = asked {
        return Ok(asked);
    }
    let first = list.models.first().ok_or_else(|| {
        let why = list.problem.as_deref();
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        Failure::target(format!(
            "the target lists no model at /v1/models{why}: check the URL, or give --model NAME"
        ))
    })?;
    Ok(first.id.clone())
}
