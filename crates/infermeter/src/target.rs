//! From plan to a target that is ready for load: address, TLS, credentials, model, and the
//! request fields it accepts. All control traffic of a run happens here.

use crate::cache_probe;
use crate::exit::ExitError;
use crate::run_id::salt_of;
use crate::secrets::Secrets;
use crate::server_metrics::{self, KnownPage};
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::control::{Channel, reach};
use infermeter_client::encode::{
    BodyTemplate, Features, Headers, RequestEncoder, RequestShape, Target,
};
use infermeter_client::tls::{Tls, tls_for};
use infermeter_core::finding::{Finding, Severity};
use infermeter_core::plan::{Plan, SamplingValue};
use infermeter_core::request::{BodyMember, RequestContent};
use infermeter_core::run::{ControlRequest, RunManifest};
use infermeter_core::text::inert;
use infermeter_probe::counters::PrefixCounters;
use infermeter_probe::features::{ProbeError, Probed, Trial, careful, probe, try_all};
use infermeter_probe::host::is_own_address;
use infermeter_probe::target::{Control, TargetFacts};
use infermeter_sys::signals;
use infermeter_workload::Kinds;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Longest time for one control request.
const CONTROL_TIMEOUT: Duration = Duration::from_secs(60);
/// How often signals are looked for meanwhile.
const LOOK: Duration = Duration::from_millis(50);
/// Models named in a message.
const MODELS_NAMED: usize = 10;

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
            self.secrets.scrub(&mut request.result);
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
    let (plan, mock_url) = (plan.clone(), mock_url.map(str::to_owned));
    let run_id = run_id.to_owned();
    std::thread::spawn(move || {
        // Nobody listens any more after a signal.
        let _ = sender.send(prepare(&plan, mock_url.as_deref(), &run_id));
    });
    loop {
        match receiver.recv_timeout(LOOK) {
            Ok(result) if signals::count() == 0 => return result,
            Err(RecvTimeoutError::Timeout) if signals::count() == 0 => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the target could not be prepared"),
            _ => return Err(ExitError::interrupted("stopped before the first request").into()),
        }
    }
}

/// Reaches the target, learns who it is, and tries the request fields.
///
/// # Errors
/// When it cannot be used: unreachable, wrong credentials, unknown model, no event stream.
fn prepare(plan: &Plan, mock_url: Option<&str>, run_id: &str) -> Result<ReadyTarget> {
    let url = mock_url.unwrap_or(plan.target.as_str());
    let target = Target::parse(url).map_err(|e| anyhow!("target: {e}"))?;
    let api_key = api_key(plan, &target)?;
    let secrets = Secrets::of(plan, &target, api_key.as_deref());
    let headers = headers(plan, api_key.as_deref())?;
    let ready = ready(plan, mock_url.is_some(), run_id, target, headers);
    match ready {
        Ok(mut ready) => {
            for request in &mut ready.control {
                secrets.scrub(&mut request.result);
            }
            if let Some(Value::String(problem)) = ready.facts.pointer_mut("/response_cache/problem")
            {
                secrets.scrub(problem);
            }
            for finding in &mut ready.findings {
                secrets.scrub(&mut finding.evidence);
            }
            Ok(ReadyTarget { secrets, ..ready })
        }
        Err(error) => match error.downcast::<ExitError>() {
            Ok(mut error) => {
                secrets.scrub(&mut error.message);
                Err(error.into())
            }
            Err(error) => Err(error),
        },
    }
}

fn ready(
    plan: &Plan,
    is_mock: bool,
    run_id: &str,
    target: Target,
    headers: Headers,
) -> Result<ReadyTarget> {
    let channel = channel_to(plan, &target)?;
    let (address, tls) = (channel.address, channel.tls.clone());
    let (to, with) = (target.clone(), headers.clone());
    let mut control = Control::new(channel.clone(), to, with, run_id.to_owned());
    let facts = match (&plan.model, plan.no_probe) {
        (Some(_), true) => TargetFacts::default(),
        _ => control
            .identify()
            .map_err(|e| unusable(&target, plan, &e))?,
    };
    let models_status = control.log.first().and_then(|request| request.status);
    let model = choose_model(plan, &facts, models_status)?;
    let trials = trials(plan)?;
    let extra_body = plan.extra_body.as_ref().and_then(Value::as_object).cloned();
    let mut shape = RequestShape {
        endpoint: plan.endpoint,
        model: model.clone(),
        stream: !plan.no_stream,
        features: careful(!plan.no_stream),
        headers,
        extra_body: extra_body.unwrap_or_default(),
        session_header: plan.session_header.clone(),
        path: plan.endpoint_path.clone(),
        template: template(plan)?,
    };
    let findings = probed(plan, (&mut control, &trials), &mut shape)
        .map_err(|e| unusable(&target, plan, &e))?;
    let cache = cache_probe::trial(plan, &mut control, &shape, salt_of(run_id))?;
    let found = server_metrics::find(plan, &mut control, (&target, &shape.headers, channel));
    let mut seen = facts_of(&facts, &target, address);
    seen["mock"] = json!(is_mock.then(|| plan.target.trim_start_matches("mock:")));
    seen["fields"] = fields(plan, shape.features);
    describe_metrics(&mut seen, &found);
    seen["response_cache"] = json!(cache);
    let encoder = RequestEncoder::new(&target, &shape);
    Ok(ReadyTarget {
        address,
        tls,
        encoder,
        model,
        control: control.log.clone(),
        after: control,
        metrics: found.ok(),
        facts: seen,
        findings,
        secrets: Secrets::default(),
    })
}

/// The way that control requests take.
fn channel_to(plan: &Plan, target: &Target) -> Result<Channel> {
    let tls = match target.is_https() {
        true => Some(tls_for(target.host(), plan.tls_ca.as_deref())?),
        false => None,
    };
    let connect_timeout = Duration::from_nanos(plan.connect_timeout.ns().unsigned_abs());
    let address = reach(target.host(), target.port(), connect_timeout)
        .map_err(|e| unreachable(target, &e.to_string()))?;
    let timeout = CONTROL_TIMEOUT.min(Duration::from_nanos(plan.timeout.ns().unsigned_abs()));
    Ok(Channel {
        address,
        tls,
        connect_timeout,
        timeout,
    })
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
        "models": facts.models,
    })
}

/// Finds out which fields the server accepts, and whether it takes what the load's requests carry;
/// completes the shape. Returns doubts.
fn probed(
    plan: &Plan,
    (control, trials): (&mut Control, &[Trial]),
    shape: &mut RequestShape,
) -> Result<Vec<Finding>, ProbeError> {
    let mut findings = Vec::new();
    if !plan.no_probe {
        match probe(control, shape)? {
            Probed::Accepted(features) => shape.features = features,
            Probed::Unsure { features, why } => {
                shape.features = features;
                findings.push(probe_unsure(&why));
            }
        }
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
        "probed": !plan.no_probe,
    })
}

fn unreachable(target: &Target, why: &str) -> ExitError {
    ExitError::target(format!(
        "target {target} cannot be reached: {why}\n  is the server up, and is this its address \
         and port?"
    ))
}

fn unusable(target: &Target, plan: &Plan, why: &dyn std::fmt::Display) -> ExitError {
    let why = why.to_string();
    let hint = if why.contains("target refuses --") {
        "\n  does this server support it? Leave the flag away, or serve the model with the feature \
         turned on"
    } else if plan.body_template.is_some() && why.contains("status 4") {
        "\n  check --body-template and --endpoint-path"
    } else if why.contains("status 401") || why.contains("status 403") {
        "\n  give the API key in OPENAI_API_KEY or with --api-key-file"
    } else if why.contains("status 404") {
        "\n  check the URL's path, --model and --endpoint"
    } else if why.contains("status 400") || why.contains("status 422") {
        "\n  check --extra-body, --header and --endpoint: even a request with plain fields is refused"
    } else if why.contains("peer certificate") {
        "\n  name its authority's certificate with --tls-ca FILE (PEM), if you trust it"
    } else if why.contains("status 3") {
        "\n  redirects are not followed: give the URL that it leads to"
    } else {
        ""
    };
    ExitError::target(format!("target {target} cannot be measured: {why}{hint}"))
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

/// The key of the file, else the variable's; what the URL says goes before the variable.
fn api_key(plan: &Plan, target: &Target) -> Result<Option<String>> {
    if let Some(path) = &plan.api_key_file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("--api-key-file {} cannot be read", path.display()))?;
        let key = text.trim().to_owned();
        if key.is_empty() {
            bail!("--api-key-file {} is empty", path.display());
        }
        return Ok(Some(key));
    }
    // A key is not sent to the simulator: nothing there needs it.
    let key = if plan.is_mock() || target.authorization().is_some() {
        None
    } else {
        std::env::var("OPENAI_API_KEY").ok()
    };
    Ok(key.map(|k| k.trim().to_owned()).filter(|k| !k.is_empty()))
}

fn choose_model(plan: &Plan, facts: &TargetFacts, status: Option<u16>) -> Result<String> {
    let ids: Vec<&str> = facts.models.iter().map(|m| m.id.as_str()).collect();
    let Some(asked) = &plan.model else {
        let first = ids.first().ok_or_else(|| {
            let status = status.map_or_else(String::new, |s| format!(" (status {s})"));
            ExitError::target(format!(
                "the target lists no model at /v1/models{status}: check the URL, or give --model \
                 NAME"
            ))
        })?;
        return Ok((*first).to_owned());
    };
    if ids.is_empty() || ids.contains(&asked.as_str()) {
        return Ok(asked.clone());
    }
    let named = ids
        .iter()
        .take(MODELS_NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let suggestion = crate::suggest::closest(asked, ids.iter().copied());
    let meant = suggestion.map_or_else(|| ".".to_owned(), |m| format!("; did you mean `{m}`?"));
    let asked = infermeter_core::text::inert(asked, 100);
    Err(ExitError::target(format!(
        "--model: the target does not serve `{asked}`{meant} It serves: {named}"
    ))
    .into())
}

fn probe_unsure(why: &str) -> Finding {
    Finding::new(
        Severity::Warning,
        "probe-unsure",
        "the server did not answer the feature probes well",
        why,
        "requests carry only plain OpenAI fields, so output lengths may not be obeyed; run again \
         when the server is healthy",
    )
}
