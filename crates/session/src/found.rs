//! What is found out about a target before the load: address, TLS, credentials, model, and the request
//! fields it accepts. All control traffic of a run happens here.
//!
//! It starts nothing. Invariant: what the target says is without secrets before it goes anywhere.

mod doubts;

use crate::api_key::api_key;
use crate::cache_probe;
use crate::experiment::{Answers, Experiment, Probing, TrustSpec};
use crate::failure::{Cause, Failure};
use crate::observer::Observer;
use crate::run_id::{RunIdentity, salt_of};
use crate::secrets::{Secrets, redact_lines, redact_path};
use crate::server_metrics::{self, KnownPage};
use crate::unusable::{Known, Unusable};
use crate::ways::{self, Way, Ways};
use anyhow::{Context, Result, anyhow, bail};
use doubts::{doubts, probe_unsure};
use infermeter_client::control::{Channel, ControlError, Speech};
use infermeter_client::dialect::{Dialect, Pointer, Pointers};
use infermeter_client::encode::{
    BodyTemplate, Features, Headers, RequestEncoder, RequestShape, Target as Url,
};
use infermeter_client::engine::{Destinations, Hop};
use infermeter_client::reuse::Reuse;
use infermeter_client::tls::Trust;
use infermeter_core::environment::{
    EngineFacts, MetricsPlace, PrefixCounters, PrefixCountersOfRun, RequestFields, TargetSide,
};
use infermeter_core::finding::Finding;
use infermeter_core::plan::{Plan, SamplingValue};
use infermeter_core::request::{BodyMember, RequestContent};
use infermeter_core::run::{ControlRequest, RunManifest};
use infermeter_core::server::ServerFigures;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_probe::features::{ProbeError, Probed, Trial, probe, try_all};
use infermeter_probe::host::is_own_address;
use infermeter_probe::response_cache::PROMPTS;
use infermeter_probe::target::{Control, IdentifyError, Limits, ModelList, TargetFacts};
use infermeter_probe::waits::Waits;
use infermeter_sys::signals;
use infermeter_workload::Kinds;
use serde_json::Value;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Longest time for a question or a trial's few tokens: twice what a model without an accelerator takes
/// for these, and soon over where nobody answers.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for an answer of the trial of response caching.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(60);
/// Most texts of a request that is tried before the load: its answer is held as a whole.
const TRIED_ITEMS: u32 = 512;
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
    /// The server's metrics page, where it has one that is known.
    pub metrics: Option<KnownPage>,
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
        let timeout = duration(experiment.client.connect_timeout);
        let reached = ways::find(experiment, &self.targets, timeout, &Waits::default());
        reached.map_err(|error| self.scrubbed(&error))?;
        self.asking.begin_run(&identity.id, limits(experiment));
        self.asking.log.truncate(self.probes);
        self.control.truncate(self.probes);
        if let Some(known) = &mut self.metrics {
            if let Ok((_, now)) = self.asking.read_page(&known.page, "before the load") {
                known.before = now;
            }
            for mut request in self.asking.log[self.probes..].iter().cloned() {
                hide(&self.secrets, &mut request);
                self.control.push(request);
            }
            self.facts.prefix_cache = counters_before(&known.before);
        }
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
    pub fn read_counters_after(&self, manifest: &mut RunManifest) {
        let Some(known) = self.metrics.as_ref() else {
            return;
        };
        if PrefixCounters::of(&known.before).is_none() {
            return;
        }
        let mut control = self.asking.clone();
        let after = control.read_page(&known.page, "after the load");
        let after = after.ok().and_then(|(_, now)| PrefixCounters::of(&now));
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
    run_id: &str,
    observer: &dyn Observer,
) -> Result<Found> {
    let (sender, receiver) = channel();
    let waits = Waits::default();
    let (own, url, waiting) = (
        experiment.clone(),
        mock_url.map(str::to_owned),
        waits.clone(),
    );
    let run_id = run_id.to_owned();
    std::thread::spawn(move || {
        // Nobody listens any more after a signal.
        let _ = sender.send(prepare(&own, url.as_deref(), &run_id, waiting));
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
    run_id: &str,
    waits: Waits,
) -> Result<Found> {
    let plan = experiment.plan();
    let targets = ways::targets(plan, mock_url)?;
    let api_key = api_key(plan, &targets[0])?;
    let template = template(plan)?;
    let secrets = Secrets::of(plan, &targets, api_key.as_deref(), template.as_ref());
    let mut headers = headers(plan, api_key.as_deref())?;
    let targets = ways::through_proxy(plan, targets, &mut headers)?;
    let asked = Asked {
        run_id: run_id.to_owned(),
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
    run_id: String,
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
    let plan = experiment.plan();
    let Asked {
        run_id,
        targets,
        headers,
        template,
    } = asked;
    let timeout = duration(experiment.client.connect_timeout);
    let Ways {
        all: ways,
        left_out,
    } = ways::find(experiment, &targets, timeout, &waits)?;
    let target = &targets[0];
    let channel = channel_to(experiment, &ways[0]);
    let to = (channel.clone(), target.clone());
    let within = (limits(experiment), waits);
    let mut control = Control::new(to, headers.clone(), run_id.clone(), within);
    let mut shape = shape(experiment, headers, template)?;
    let trials = trials(plan)?;
    let mut facts = TargetFacts::default();
    let probed = probed(plan, (&mut control, &trials), (&mut shape, &mut facts));
    let mut findings = probed.map_err(|error| match error {
        Stopped::Unusable(why) => why.error(&Known {
            plan,
            target,
            model: Some(&*shape.model).filter(|model| !model.is_empty()),
            models: &facts.models,
            log: &control.log,
            otherwise: otherwise(&why, &channel, target),
        }),
        Stopped::NoModel(why) => why,
    })?;
    control.limit(limits_of_trial(experiment));
    let cache = cache_probe::trial(plan, &mut control, &shape, salt_of(&run_id))?;
    control.limit(limits(experiment));
    let found = server_metrics::find(experiment, &mut control, (target, &shape.headers, channel));
    let probing = experiment.target.probing;
    let engine = match probing == Probing::Never || experiment.is_simulated() {
        true => EngineFacts::default(),
        false => control.engine(),
    };
    findings.extend(doubts(experiment, target, &engine, &facts));
    findings.extend(left_out);
    let mut seen = facts_of(&facts, target, &ways);
    let simulated = experiment.is_simulated();
    seen.mock = simulated.then(|| plan.target.trim_start_matches("mock:").to_owned());
    seen.fields = Some(fields(probing, shape.features));
    seen.path = Some(redact_path(shape.path()));
    seen.engine = Some(engine);
    describe_metrics(&mut seen, &found);
    seen.response_cache = cache;
    let encoder = RequestEncoder::new(target, &shape);
    let to = destinations(plan, &ways, (&targets, &shape));
    Ok(Found {
        to: Arc::new(to),
        addresses: ways.into_iter().map(|way| way.name).collect(),
        encoder,
        model: shape.model,
        reuse: control.reuse(),
        targets,
        probes: control.log.len(),
        control: control.log.clone(),
        asking: control,
        metrics: found.ok(),
        facts: seen,
        findings,
        secrets: Secrets::default(),
    })
}

/// The requests' form, as far as it is known before the server was asked.
fn shape(
    experiment: &Experiment,
    headers: Headers,
    template: Option<BodyTemplate>,
) -> Result<RequestShape> {
    let (plan, requests) = (experiment.plan(), &experiment.requests);
    let extra_body = plan.extra_body.as_ref().and_then(Value::as_object).cloned();
    let stream = requests.answers != Answers::Whole;
    let dialect = match answers(plan)? {
        Some(pointers) => Dialect::pointed(requests.endpoint, pointers),
        None => Dialect::of(requests.endpoint),
    };
    let mut extra_body = extra_body.unwrap_or_default();
    if let Some(format) = plan.encoding_format {
        extra_body.insert("encoding_format".to_owned(), format.as_str().into());
    }
    Ok(RequestShape {
        dialect,
        model: String::new(),
        stream,
        features: dialect.careful(stream),
        headers,
        extra_body,
        session_header: plan.session_header.clone(),
        path: requests.path.clone(),
        template,
    })
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
    let asked = match experiment.target.probing {
        Probing::Fields { each, .. } => each.map(duration),
        // The model's name may still be asked for.
        Probing::Never => experiment.plan().probe_timeout.map(duration),
    };
    let timeout = duration(experiment.client.timeout);
    let each = asked.unwrap_or(PROBE_TIMEOUT.min(timeout));
    Limits {
        each,
        all: each.saturating_mul(ALL_PROBES),
    }
}

/// Those of the trial that is asked for by name: its answers are longer.
fn limits_of_trial(experiment: &Experiment) -> Limits {
    let each = TRIAL_TIMEOUT.min(duration(experiment.client.timeout));
    Limits {
        each,
        all: each.saturating_mul(2 * PROMPTS as u32),
    }
}

fn duration(span: Span) -> Duration {
    Duration::from_nanos(span.ns().unsigned_abs())
}

/// The way that control requests take.
fn channel_to(experiment: &Experiment, way: &Way) -> Channel {
    Channel {
        route: way.route.clone(),
        connect_timeout: duration(experiment.client.connect_timeout),
        timeout: limits(experiment).each,
    }
}

/// Where the load goes, and how its requests begin there.
fn destinations(
    plan: &Plan,
    ways: &[Way],
    (targets, shape): (&[Url], &RequestShape),
) -> Destinations {
    let encoders = ways.iter().map(|way| &targets[way.target]);
    let encoders: Vec<_> = encoders.map(|t| RequestEncoder::new(t, shape)).collect();
    let heads: Vec<&[u8]> = encoders.iter().map(RequestEncoder::head).collect();
    let mut routes = ways.iter().map(|way| way.route.clone());
    let first = routes.next().expect("every target has a way");
    Destinations::new(first, routes.collect(), plan.balance).with_heads(&heads)
}

/// Whom the user believes to be the server.
pub fn trust(spec: &TrustSpec) -> Trust<'_> {
    match spec {
        TrustSpec::Anyone => Trust::Anyone,
        TrustSpec::And(file) => Trust::And(file),
        TrustSpec::Platform => Trust::Platform,
    }
}

/// Who answers where.
fn facts_of(facts: &TargetFacts, target: &Url, ways: &[Way]) -> TargetSide {
    let address = &ways[0].route.address;
    // Where a proxy is says nothing of the server.
    let mut direct = ways.iter().filter(|way| way.route.hop == Hop::Server);
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

/// Finds out who the server is, which fields it accepts, and whether it takes what the load's requests
/// carry; completes shape and facts. Returns doubts.
fn probed(
    plan: &Plan,
    (control, trials): (&mut Control, &[Trial]),
    (shape, facts): (&mut RequestShape, &mut TargetFacts),
) -> Result<Vec<Finding>, Stopped> {
    let mut findings = Vec::new();
    if plan.model.is_none() || !plan.no_probe {
        match control.identify() {
            Ok(known) => *facts = known,
            // Who knows the model needs no list of them.
            Err(IdentifyError::NoAnswer(_)) if plan.model.is_some() => {}
            Err(error) => return Err(Stopped::Unusable(Unusable::Identify(error))),
        }
    }
    shape.model = choose_model(plan, &facts.models).map_err(Stopped::NoModel)?;
    if !plan.no_probe {
        let probed = probe_paths(plan, control, shape)?;
        shape.features = probed.features;
        findings.extend(probed.doubt.map(|why| probe_unsure(&why)));
        findings.extend(try_all(control, shape, trials)?.map(|why| probe_unsure(&why)));
    }
    for sampling in &plan.sampling {
        let value = sampling.value.clone();
        shape.extra_body.insert(sampling.name.clone(), value);
    }
    Ok(findings)
}

/// Tries the field sets where the API mostly is, and where else servers have it. The shape keeps the path
/// that there was an answer at.
fn probe_paths(
    plan: &Plan,
    control: &mut Control,
    shape: &mut RequestShape,
) -> Result<Probed, ProbeError> {
    let first = probe(control, shape);
    let absent = |status| matches!(status, 404 | 405 | 501);
    if plan.endpoint_path.is_some()
        || !matches!(&first, Err(ProbeError::Refused { status, .. }) if absent(*status))
    {
        return first;
    }
    for path in plan.endpoint.api().other_paths {
        shape.path = Some((*path).to_owned());
        match probe(control, shape) {
            Err(ProbeError::Refused { status, .. }) if absent(status) => {}
            found => return found,
        }
    }
    shape.path = None;
    first
}

/// What is known of the server's metrics page, for the record.
fn describe_metrics(facts: &mut TargetSide, found: &Result<KnownPage, String>) {
    facts.server_metrics = Some(match found {
        Ok(known) => MetricsPlace::Known {
            engine: known.engine,
            url: known.page.url(),
        },
        Err(why) => MetricsPlace::NotAvailable {
            not_available: inert(why, 300),
        },
    });
    let known = found.as_ref().ok();
    facts.prefix_cache = known.and_then(|known| counters_before(&known.before));
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
fn fields(probing: Probing, features: Features) -> RequestFields {
    RequestFields {
        ignore_eos: Some(features.ignore_eos),
        include_usage: Some(features.include_usage),
        continuous_usage: Some(features.continuous_usage),
        max_completion_tokens: Some(features.max_completion_tokens),
        probed: Some(probing != Probing::Never),
        ..RequestFields::default()
    }
}

/// The form of the bodies, where the user has written one.
///
/// # Errors
/// When the file cannot be read, is no template, or has no place for what requests carry.
pub fn template(plan: &Plan) -> Result<Option<BodyTemplate>> {
    let Some(path) = &plan.body_template else {
        return Ok(None);
    };
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("--body-template {} cannot be read", path.display()))?;
    let template = BodyTemplate::parse(&text)
        .with_context(|| format!("--body-template {}", path.display()))?;
    let images = plan.images.is_some() || !plan.image.is_empty();
    if images && !template.has_messages() {
        bail!(
            "--body-template {}: images come with {{{{messages}}}}, which it does not have",
            path.display()
        );
    }
    Ok(Some(template))
}

/// Where things stand in the answers to a body template, if the plan says so.
///
/// # Errors
/// When a pointer is none.
pub fn answers(plan: &Plan) -> Result<Option<Pointers>> {
    let pointer = |flag: &str, text: &Option<String>| -> Result<Option<Pointer>> {
        let text = text.as_deref();
        text.map(|text| text.parse().map_err(|e| anyhow!("{flag}: {e}")))
            .transpose()
    };
    let text = pointer("--answer-text", &plan.answer_text)?;
    let usage = pointer("--answer-usage", &plan.answer_usage)?;
    let end = pointer("--answer-end", &plan.answer_end)?;
    Ok(text.map(|text| Pointers { text, usage, end }))
}

/// A request for each thing that the load's requests carry beside their text.
fn trials(plan: &Plan) -> Result<Vec<Trial>> {
    const PROMPT: &str = "Count from one to four.";
    let mut trials = Vec::new();
    let input = plan.endpoint.api().input;
    // A server may have a limit of its own on what one request holds.
    let tried = 2..=TRIED_ITEMS;
    if let Some(counts) = plan.item_counts().filter(|c| tried.contains(&c.items)) {
        let flag = match counts.query_tokens {
            Some(_) => format!("--documents {}", counts.items),
            None => format!("--batch-size {}", counts.items),
        };
        let content = RequestContent::repeated(input, PROMPT, counts.items);
        trials.push(Trial { flag, content });
    }
    if !plan.sampling.is_empty() {
        let mut content = RequestContent::plain(input, PROMPT);
        let members = plan.sampling.iter().map(sampling);
        content.members_mut().extend(members);
        let flag = "--sampling".to_owned();
        trials.push(Trial { flag, content });
    }
    if let Some(kinds) = Kinds::of_plan(plan)? {
        let all = kinds.trials(plan, PROMPT).into_iter();
        trials.extend(all.map(|(flag, content)| Trial { flag, content }));
    }
    Ok(trials)
}

fn sampling(sampling: &SamplingValue) -> BodyMember {
    BodyMember {
        name: sampling.name.as_str().into(),
        json: sampling.value.to_string().into(),
    }
}

/// The user's headers and the API key.
fn headers(plan: &Plan, api_key: Option<&str>) -> Result<Headers> {
    let mut headers = Headers::default();
    for line in &plan.header {
        headers
            .push_line(line)
            .map_err(|e| anyhow!("--header: {e}"))?;
    }
    if let Some(key) = api_key {
        let (name, value) = Dialect::of(plan.endpoint).key_header(key);
        if !headers.has(name) {
            let pushed = headers.push(name, &value);
            pushed.map_err(|e| anyhow!("API key: {e}"))?;
        }
    }
    Ok(headers)
}

/// The model asked for, or the first that is listed.
fn choose_model(plan: &Plan, list: &ModelList) -> Result<String, Failure> {
    if let Some(asked) = &plan.model {
        return Ok(asked.clone());
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
