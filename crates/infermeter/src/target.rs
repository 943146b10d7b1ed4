//! From plan to a target that is ready for load: address, TLS, credentials, model, and the
//! request fields it accepts. All control traffic of a run happens here.

use crate::api_key::{api_key, key_file_readable};
use crate::exit::{self, ExitError};
use crate::run_id::salt_of;
use crate::secrets::{Secrets, redact_lines, redact_path};
use crate::server_metrics::{self, KnownPage};
use crate::unusable::{Known, Unusable, not_listed};
use crate::ways::{self, Way, Ways};
use crate::{cache_probe, output, proxy};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::control::{Channel, ControlError, Speech};
use infermeter_client::encode::{
    BodyTemplate, Features, Headers, RequestEncoder, RequestShape, Target,
};
use infermeter_client::engine::{Destinations, Hop};
use infermeter_client::reuse::Reuse;
use infermeter_client::tls::Trust;
use infermeter_core::declared::{Declared, Subject};
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::plan::{Plan, SamplingValue};
use infermeter_core::request::{BodyMember, RequestContent};
use infermeter_core::run::{ControlRequest, RunManifest};
use infermeter_core::text::inert;
use infermeter_probe::counters::PrefixCounters;
use infermeter_probe::engine::EngineFacts;
use infermeter_probe::features::{ProbeError, Trial, careful, probe, try_all};
use infermeter_probe::host::is_own_address;
use infermeter_probe::response_cache::PROMPTS;
use infermeter_probe::target::{Control, IdentifyError, Limits, ModelList, TargetFacts};
use infermeter_probe::waits::Waits;
use infermeter_sys::signals;
use infermeter_workload::Kinds;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Longest time for a question or a trial's few tokens: twice what a model without an accelerator takes
/// for these, and soon over where nobody answers.
const PROBE_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest time for an answer of the trial of response caching.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(60);
/// All trials together take as long as this many that are just not late.
const ALL_PROBES: u32 = 6;
/// How often signals are looked for meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// What takes longer is told.
const LONG_WAIT: Duration = Duration::from_secs(1);

/// A target ready for load.
#[derive(Debug)]
pub struct ReadyTarget {
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
    /// Control requests made.
    pub control: Vec<ControlRequest>,
    /// Sends those after the load.
    after: Control,
    /// The server's metrics page, where it has one that is known.
    pub metrics: Option<KnownPage>,
    /// What was found out, for `environment.target`.
    pub facts: Value,
    /// Doubts.
    pub findings: Vec<Finding>,
    /// What must not be repeated when the target says it.
    pub secrets: Secrets,
}

impl ReadyTarget {
    /// Reads the server's counters after the load, where they were there before it: into the
    /// manifest's environment and control requests.
    pub fn read_counters_after(&self, manifest: &mut RunManifest) {
        let Some(known) = self.metrics.as_ref() else {
            return;
        };
        if PrefixCounters::of(&known.before).is_none() {
            return;
        }
        let mut control = self.after.clone();
        let after = control.read_page(&known.page, "after the load");
        let after = after.ok().and_then(|(_, now)| PrefixCounters::of(&now));
        manifest.environment["target"]["prefix_cache"]["after"] = json!(after);
        for mut request in control.log.split_off(self.control.len()) {
            hide(&self.secrets, &mut request);
            manifest.control_requests.push(request);
        }
    }
}

/// Prepares on a thread of its own: a signal ends the wait, whatever the target does.
///
/// # Errors
/// When the target cannot be used, and when a signal came.
pub fn prepare_unless_stopped(
    plan: &Plan,
    mock_url: Option<&str>,
    run_id: &str,
) -> Result<ReadyTarget> {
    let (sender, receiver) = channel();
    let waits = Waits::default();
    let (own, url, waiting) = (plan.clone(), mock_url.map(str::to_owned), waits.clone());
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
                told = tell(plan, &waits, told);
            }
            Err(RecvTimeoutError::Disconnected) => bail!("the target could not be prepared"),
            _ => return Err(ExitError::interrupted("stopped before the first request").into()),
        }
    }
}

/// Says once what takes long; returns the number of the last wait that was told.
fn tell(plan: &Plan, waits: &Waits, told: u64) -> u64 {
    match waits.look() {
        Some(wait) if wait.number > told && wait.lasted() >= LONG_WAIT => {
            if !plan.quiet {
                let what = redact_path(&wait.what);
                let (limit, flag) = (wait.limit.as_secs_f64(), wait.flag);
                output::note(&format!(
                    "waiting for {what}, at most {limit:.0} s ({flag})"
                ));
            }
            wait.number
        }
        _ => told,
    }
}

/// Reaches the target, learns who it is, and tries the request fields.
///
/// # Errors
/// When it cannot be used: unreachable, wrong credentials, no answer as it should be.
fn prepare(plan: &Plan, mock_url: Option<&str>, run_id: &str, waits: Waits) -> Result<ReadyTarget> {
    let targets = ways::targets(plan, mock_url)?;
    let api_key = api_key(plan, &targets[0])?;
    let template = template(plan)?;
    let secrets = Secrets::of(plan, &targets, api_key.as_deref(), template.as_ref());
    let mut headers = headers(plan, api_key.as_deref())?;
    let targets = ways::through_proxy(plan, targets, &mut headers)?;
    let place = (targets.as_slice(), headers, template);
    match ready(plan, mock_url.is_some(), run_id, place, waits) {
        Ok(mut ready) => {
            ready.control.iter_mut().for_each(|r| hide(&secrets, r));
            secrets.scrub_value(&mut ready.facts);
            for finding in &mut ready.findings {
                secrets.scrub(&mut finding.message);
                secrets.scrub(&mut finding.evidence);
                secrets.scrub(&mut finding.advice);
            }
            Ok(ReadyTarget { secrets, ..ready })
        }
        Err(error) => {
            let mut message = redact_lines(&format!("{error:#}"));
            secrets.scrub(&mut message);
            let code = exit::code_of(&error);
            Err(ExitError { code, message }.into())
        }
    }
}

/// Hides what is secret in a control request: in its path, and in what the server said.
fn hide(secrets: &Secrets, request: &mut ControlRequest) {
    request.request = redact_path(&request.request);
    secrets.scrub(&mut request.request);
    secrets.scrub(&mut request.result);
}

fn ready(
    plan: &Plan,
    is_mock: bool,
    run_id: &str,
    (targets, headers, template): (&[Target], Headers, Option<BodyTemplate>),
    waits: Waits,
) -> Result<ReadyTarget> {
    let Ways {
        all: ways,
        left_out,
    } = ways::find(plan, targets, connect_timeout(plan), &waits)?;
    let target = &targets[0];
    let channel = channel_to(plan, &ways[0]);
    let to = (channel.clone(), target.clone());
    let within = (limits(plan), waits);
    let mut control = Control::new(to, headers.clone(), run_id.to_owned(), within);
    let extra_body = plan.extra_body.as_ref().and_then(Value::as_object).cloned();
    let mut shape = RequestShape {
        endpoint: plan.endpoint,
        model: String::new(),
        stream: !plan.no_stream,
        features: careful(!plan.no_stream),
        headers,
        extra_body: extra_body.unwrap_or_default(),
        session_header: plan.session_header.clone(),
        path: plan.endpoint_path.clone(),
        template,
    };
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
    control.limit(limits_of_trial(plan));
    let cache = cache_probe::trial(plan, &mut control, &shape, salt_of(run_id))?;
    control.limit(limits(plan));
    let found = server_metrics::find(plan, &mut control, (target, &shape.headers, channel));
    let engine = match plan.no_probe || is_mock {
        true => EngineFacts::default(),
        false => control.engine(),
    };
    findings.extend(doubts(plan, target, &engine, &facts));
    findings.extend(left_out);
    let mut seen = facts_of(&facts, target, &ways);
    seen["mock"] = json!(is_mock.then(|| plan.target.trim_start_matches("mock:")));
    seen["fields"] = fields(plan, shape.features);
    seen["engine"] = json!(engine);
    describe_metrics(&mut seen, &found);
    seen["response_cache"] = json!(cache);
    let encoder = RequestEncoder::new(target, &shape);
    let to = destinations(plan, &ways, (targets, &shape));
    Ok(ReadyTarget {
        to: Arc::new(to),
        addresses: ways.into_iter().map(|way| way.name).collect(),
        encoder,
        model: shape.model,
        reuse: control.reuse(),
        control: control.log.clone(),
        after: control,
        metrics: found.ok(),
        facts: seen,
        findings,
        secrets: Secrets::default(),
    })
}

/// What the port speaks instead, where its answer may mean that.
fn otherwise(why: &Unusable, channel: &Channel, target: &Target) -> Option<Speech> {
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
fn limits(plan: &Plan) -> Limits {
    let timeout = Duration::from_nanos(plan.timeout.ns().unsigned_abs());
    let asked = plan.probe_timeout;
    let asked = asked.map(|t| Duration::from_nanos(t.ns().unsigned_abs()));
    let each = asked.unwrap_or(PROBE_TIMEOUT.min(timeout));
    Limits {
        each,
        all: each.saturating_mul(ALL_PROBES),
    }
}

/// Those of the trial that is asked for by name: its answers are longer.
fn limits_of_trial(plan: &Plan) -> Limits {
    let timeout = Duration::from_nanos(plan.timeout.ns().unsigned_abs());
    let each = TRIAL_TIMEOUT.min(timeout);
    Limits {
        each,
        all: each.saturating_mul(2 * PROMPTS as u32),
    }
}

/// Doubts that do not depend on what requests are accepted.
fn doubts(plan: &Plan, target: &Target, engine: &EngineFacts, facts: &TargetFacts) -> Vec<Finding> {
    let variable = |name: &str| std::env::var(name).ok();
    let asked = plan.model.as_deref();
    let mut found = Vec::new();
    found.extend(asked.and_then(|asked| model_not_listed(asked, &facts.models)));
    found.extend(plan.tls_insecure.then(tls_unverified));
    found.extend(engine_disagrees(plan, engine));
    if !plan.is_mock() && plan.proxy.is_none() && target.socket().is_none() {
        found.extend(proxy::unused(target, &variable));
    }
    let key_file = plan.api_key_file.as_deref();
    found.extend(key_file.and_then(key_file_readable));
    found
}

/// The way that control requests take.
fn channel_to(plan: &Plan, way: &Way) -> Channel {
    Channel {
        route: way.route.clone(),
        connect_timeout: connect_timeout(plan),
        timeout: limits(plan).each,
    }
}

fn connect_timeout(plan: &Plan) -> Duration {
    Duration::from_nanos(plan.connect_timeout.ns().unsigned_abs())
}

/// Where the load goes, and how its requests begin there.
fn destinations(
    plan: &Plan,
    ways: &[Way],
    (targets, shape): (&[Target], &RequestShape),
) -> Destinations {
    let encoders = ways.iter().map(|way| &targets[way.target]);
    let encoders: Vec<_> = encoders.map(|t| RequestEncoder::new(t, shape)).collect();
    let heads: Vec<&[u8]> = encoders.iter().map(RequestEncoder::head).collect();
    let mut routes = ways.iter().map(|way| way.route.clone());
    let first = routes.next().expect("every target has a way");
    Destinations::new(first, routes.collect(), plan.balance).with_heads(&heads)
}

/// Whom the user believes to be the server.
pub fn trust(plan: &Plan) -> Trust<'_> {
    match (&plan.tls_ca, plan.tls_insecure) {
        (_, true) => Trust::Anyone,
        (Some(file), false) => Trust::And(file),
        (None, false) => Trust::Platform,
    }
}

/// Who answers where.
fn facts_of(facts: &TargetFacts, target: &Target, ways: &[Way]) -> Value {
    let address = &ways[0].route.address;
    // Where a proxy is says nothing of the server.
    let mut direct = ways.iter().filter(|way| way.route.hop == Hop::Server);
    let is_own = |way: &Way| way.route.address.ip().is_none_or(is_own_address);
    let is_loopback = |way: &Way| {
        let ip = way.route.address.ip();
        ip.is_some_and(|ip| ip.is_loopback())
    };
    json!({
        "url": target.to_string(),
        "address": address.to_string(),
        "loopback": direct.clone().any(is_loopback),
        "same_host": direct.any(is_own),
        "server": facts.server,
        "version": facts.version,
        "models": facts.models.models,
        "models_problem": facts.models.problem,
    })
}

/// Why there will be no load.
enum Stopped {
    Unusable(Unusable),
    NoModel(ExitError),
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
        let probed = probe(control, shape)?;
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

/// What is known of the server's metrics page, for the record.
fn describe_metrics(facts: &mut Value, found: &Result<KnownPage, String>) {
    let known = found.as_ref().ok();
    let before = known.and_then(|known| PrefixCounters::of(&known.before));
    facts["server_metrics"] = match found {
        Ok(known) => json!({ "engine": known.engine, "url": known.page.url() }),
        Err(why) => json!({ "not_available": inert(why, 300) }),
    };
    facts["prefix_cache"] = json!(before.map(|before| json!({ "before": before })));
}

/// Which request fields are used, for the record.
fn fields(plan: &Plan, features: Features) -> Value {
    json!({
        "ignore_eos": features.ignore_eos,
        "include_usage": features.include_usage,
        "continuous_usage": features.continuous_usage,
        "max_completion_tokens": features.max_completion_tokens,
        "probed": !plan.no_probe,
    })
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
            "--body-template {}: images come with {{{{messages}}}}, which does not stand in it",
            path.display()
        );
    }
    Ok(Some(template))
}

/// A request for each thing that the load's requests carry beside their text.
fn trials(plan: &Plan) -> Result<Vec<Trial>> {
    const PROMPT: &str = "Count from one to four.";
    let mut trials = Vec::new();
    if !plan.sampling.is_empty() {
        let mut content = RequestContent::of_prompt(PROMPT);
        content.members = plan.sampling.iter().map(sampling).collect();
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
    if let Some(key) = api_key
        && !headers.has("authorization")
    {
        headers
            .push("authorization", &format!("Bearer {key}"))
            .map_err(|e| anyhow!("API key: {e}"))?;
    }
    Ok(headers)
}

/// The model asked for, or the first that is listed.
fn choose_model(plan: &Plan, list: &ModelList) -> Result<String, ExitError> {
    if let Some(asked) = &plan.model {
        return Ok(asked.clone());
    }
    let first = list.models.first().ok_or_else(|| {
        let why = list.problem.as_deref();
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        ExitError::target(format!(
            "the target lists no model at /v1/models{why}: check the URL, or give --model NAME"
        ))
    })?;
    Ok(first.id.clone())
}

fn probe_unsure(why: &str) -> Finding {
    Finding::new(
        Severity::Warning,
        "probe-unsure",
        "The server answered a trial before the run with an error of its own.",
        why,
        "Requests may lack a field that the server knows, so output lengths may not be obeyed; run \
         again when the server is healthy.",
    )
}

fn model_not_listed(asked: &str, list: &ModelList) -> Option<Finding> {
    Some(Finding::new(
        Severity::Note,
        "model-not-listed",
        "The server answers for a model that it does not list.",
        not_listed(asked, list)?,
        "See that the router sends this name where you mean it to go.",
    ))
}

fn tls_unverified() -> Finding {
    Finding::new(
        Severity::Warning,
        "tls-unverified",
        "Nobody vouches for the server's identity: --tls-insecure.",
        "The certificate was not verified.",
        "Give the server's certificate, or its authority's, with --tls-ca FILE.",
    )
}

/// What a server says of itself disagrees, or is not what the user declares.
fn engine_disagrees(plan: &Plan, engine: &EngineFacts) -> Option<Finding> {
    let declared = Declared::of_plan(plan).value(Subject::Engine, "engine");
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        letters.collect::<String>().to_ascii_lowercase()
    };
    let other = declared.filter(|declared| {
        let names = engine.names.iter();
        engine.names.len() == 1
            && !names
                .into_iter()
                .any(|n| plain(declared).contains(&plain(n)))
    });
    if engine.names.len() < 2 && other.is_none() {
        return None;
    }
    let mut evidence = engine.sources();
    if let Some(declared) = other {
        evidence.push_str(&format!("; declared: {}", inert(&declared, 100)));
    }
    Some(Finding::new(
        Severity::Note,
        "engine-disagrees",
        "What is known of the server names several engines.",
        evidence,
        "Say which one it is with --engine-info engine=NAME.",
    ))
}
