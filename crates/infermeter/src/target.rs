//! From plan to a target that is ready for load: address, TLS, credentials, model, and the
//! request fields it accepts. All control traffic of a run happens here.

use crate::api_key::{api_key, key_file_readable};
use crate::exit::{self, ExitError};
use crate::run_id::salt_of;
use crate::secrets::{Secrets, redact_lines, redact_path};
use crate::server_metrics::{self, KnownPage};
use crate::unusable::{Known, Unusable, not_listed, unreachable};
use crate::{cache_probe, output, proxy};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::control::{Channel, ControlError, Speech, reach};
use infermeter_client::dialect::{Dialect, Pointer, Pointers};
use infermeter_client::encode::{
    BodyTemplate, Features, Headers, RequestEncoder, RequestShape, Target,
};
use infermeter_client::reuse::Reuse;
use infermeter_client::tls::{Tls, Trust, tls_for};
use infermeter_core::declared::{Declared, Subject};
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::plan::{Plan, SamplingValue};
use infermeter_core::request::{BodyMember, RequestContent};
use infermeter_core::run::{ControlRequest, RunManifest};
use infermeter_core::text::inert;
use infermeter_probe::counters::PrefixCounters;
use infermeter_probe::engine::EngineFacts;
use infermeter_probe::features::{ProbeError, Trial, probe, try_all};
use infermeter_probe::host::is_own_address;
use infermeter_probe::response_cache::PROMPTS;
use infermeter_probe::target::{Control, IdentifyError, Limits, ModelList, TargetFacts};
use infermeter_probe::waits::Waits;
use infermeter_sys::signals;
use infermeter_workload::Kinds;
use serde_json::{Value, json};
use std::net::SocketAddr;
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
    /// Where to connect.
    pub address: SocketAddr,
    /// TLS, for https.
    pub tls: Option<Tls>,
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
    let url = mock_url.unwrap_or(plan.target.as_str());
    let target = Target::parse(url).map_err(|e| anyhow!("target: {e}"))?;
    let api_key = api_key(plan, &target)?;
    let template = template(plan)?;
    let secrets = Secrets::of(plan, &target, api_key.as_deref(), template.as_ref());
    let headers = headers(plan, api_key.as_deref())?;
    let place = (target, headers, template);
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
    (target, headers, template): (Target, Headers, Option<BodyTemplate>),
    waits: Waits,
) -> Result<ReadyTarget> {
    let channel = channel_to(plan, &target, &waits)?;
    let (address, tls) = (channel.address, channel.tls.clone());
    let to = (channel.clone(), target.clone());
    let within = (limits(plan), waits);
    let mut control = Control::new(to, headers.clone(), run_id.to_owned(), within);
    let extra_body = plan.extra_body.as_ref().and_then(Value::as_object).cloned();
    let dialect = dialect(plan)?;
    let mut shape = RequestShape {
        dialect,
        model: String::new(),
        stream: !plan.no_stream,
        features: dialect.careful(!plan.no_stream),
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
            target: &target,
            model: Some(&*shape.model).filter(|model| !model.is_empty()),
            models: &facts.models,
            log: &control.log,
            otherwise: otherwise(&why, &channel, &target),
        }),
        Stopped::NoModel(why) => why,
    })?;
    control.limit(limits_of_trial(plan));
    let cache = cache_probe::trial(plan, &mut control, &shape, salt_of(run_id))?;
    control.limit(limits(plan));
    let found = server_metrics::find(plan, &mut control, (&target, &shape.headers, channel));
    let engine = match plan.no_probe || is_mock {
        true => EngineFacts::default(),
        false => control.engine(),
    };
    findings.extend(doubts(plan, &target, &engine, &facts));
    let mut seen = facts_of(&facts, &target, address);
    seen["mock"] = json!(is_mock.then(|| plan.target.trim_start_matches("mock:")));
    seen["fields"] = fields(plan, shape.features);
    seen["engine"] = json!(engine);
    describe_metrics(&mut seen, &found);
    seen["response_cache"] = json!(cache);
    let encoder = RequestEncoder::new(&target, &shape);
    Ok(ReadyTarget {
        address,
        tls,
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
        Some(ControlError::Resolve { .. } | ControlError::Connect { .. }) => false,
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
    if !plan.is_mock() {
        found.extend(proxy::unused(target, &variable));
    }
    let key_file = plan.api_key_file.as_deref();
    found.extend(key_file.and_then(key_file_readable));
    found
}

/// The way that control requests take.
fn channel_to(plan: &Plan, target: &Target, waits: &Waits) -> Result<Channel> {
    let tls = match target.is_https() {
        true => Some(tls_for(target.host(), trust(plan))?),
        false => None,
    };
    let connect_timeout = Duration::from_nanos(plan.connect_timeout.ns().unsigned_abs());
    let (host, port) = (target.host(), target.port());
    let address = waits
        .during(
            &format!("a connection to {}", target.host_header()),
            (connect_timeout, "--connect-timeout"),
            || reach(host, port, connect_timeout),
        )
        .map_err(|e| unreachable(target, &e.to_string()))?;
    Ok(Channel {
        address,
        tls,
        connect_timeout,
        timeout: limits(plan).each,
    })
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
fn facts_of(facts: &TargetFacts, target: &Target, address: SocketAddr) -> Value {
    json!({
        "url": target.to_string(),
        "address": address.to_string(),
        "loopback": address.ip().is_loopback(),
        "same_host": is_own_address(address.ip()),
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

/// How requests and answers are written.
fn dialect(plan: &Plan) -> Result<Dialect> {
    Ok(match answers(plan)? {
        Some(pointers) => Dialect::pointed(plan.endpoint, pointers),
        None => Dialect::of(plan.endpoint),
    })
}

/// Where things stand in the answers to a body template, if the plan says so.
///
/// # Errors
/// When a pointer is none, or nothing says where the text is.
pub fn answers(plan: &Plan) -> Result<Option<Pointers>> {
    let pointer = |flag: &str, text: &Option<String>| -> Result<Option<Pointer>> {
        let text = text.as_deref();
        text.map(|text| text.parse().map_err(|e| anyhow!("{flag}: {e}")))
            .transpose()
    };
    let text = pointer("--answer-text", &plan.answer_text)?;
    let usage = pointer("--answer-usage", &plan.answer_usage)?;
    let end = pointer("--answer-end", &plan.answer_end)?;
    if plan.body_template.is_none() && (text.is_some() || usage.is_some() || end.is_some()) {
        bail!(
            "--answer-text, --answer-usage and --answer-end need --body-template: the answers of \
             --endpoint are known"
        );
    }
    match text {
        Some(text) => Ok(Some(Pointers { text, usage, end })),
        None if usage.is_some() || end.is_some() => {
            bail!("--answer-usage and --answer-end need --answer-text: where does the text stand?")
        }
        None => Ok(None),
    }
}

/// A request for each thing that the load's requests carry beside their text.
fn trials(plan: &Plan) -> Result<Vec<Trial>> {
    const PROMPT: &str = "Count from one to four.";
    let mut trials = Vec::new();
    if !plan.sampling.is_empty() {
        let mut content = RequestContent::of_prompt(PROMPT);
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
