//! Whether a plan makes sense as a whole. Single values were checked when they were read.

use crate::items;
use crate::layers::{Origin, Resolved};
use crate::mock_settings::MockTarget;
use crate::secrets::redact_path;
use anyhow::{Result, anyhow, bail};
use infermeter_client::encode::{Headers, Target};
use infermeter_core::declared::{Statement, Subject};
use infermeter_core::plan::{
    ArrivalKind, DatasetOrder, MAX_RATE, Plan, PrefixMode, PromptCount, ServerMetrics, Wait,
};
use infermeter_core::slo::parse_percentile;
use infermeter_core::text::inert;
use infermeter_core::units::Span;
use infermeter_workload::TraceFacts;
use serde_json::Value;

/// Most threads that anyone can mean.
const MAX_THREADS: u32 = 1_024;

/// Least time between readings of the server's metrics: they are no load.
const SHORTEST_READING: Span = Span::millis(100);
/// Longest time between them: a minute has to have one.
const LONGEST_READING: Span = Span::seconds(60);

/// Checks a plan.
///
/// # Errors
/// Naming the flags at fault and what to write instead.
pub fn validate(plan: &Plan) -> Result<()> {
    target(plan)?;
    items::check(plan)?;
    load_model(plan)?;
    arrival(plan)?;
    bounds(plan)?;
    threads(plan)?;
    probes(plan)?;
    dataset(plan)?;
    requests(plan)?;
    sessions(plan)?;
    declared(plan)?;
    server_metrics(plan)?;
    objectives(plan)?;
    for percentile in &plan.percentile {
        if parse_percentile(percentile).is_none() {
            bail!(
                "--percentile: `{}` is not a percentile: write p75 or p99.99",
                inert(percentile, 40)
            );
        }
    }
    Ok(())
}

/// What is asked of the latencies has to exist.
fn objectives(plan: &Plan) -> Result<()> {
    let slos = plan.slo.iter().map(|slo| ("--slo", slo.metric));
    let until = plan.until.iter().map(|until| ("--until", until.metric));
    let mut asked = slos.chain(until);
    if plan.no_stream
        && let Some((flag, metric)) = asked.find(|(_, metric)| metric.needs_stream())
    {
        bail!(
            "{flag} {name} needs a stream: with --no-stream there is no {name}; limit e2e or ntpot, or \
             leave --no-stream out",
            name = metric.name()
        );
    }
    Ok(())
}

fn target(plan: &Plan) -> Result<()> {
    if plan.target.is_empty() {
        bail!(
            "no target: write the server's URL, as in `infermeter run http://localhost:8000 \
             --rate 10 --duration 60s`, or mock:llama-8b-h100 for the embedded simulator"
        );
    }
    if let Some(mock) = plan.target.strip_prefix("mock:") {
        MockTarget::parse(mock).map_err(|e| anyhow!("target: {e}"))?;
        return tls(plan, None);
    }
    let target = Target::parse(&plan.target).map_err(|e| anyhow!("target: {e}"))?;
    tls(plan, Some(&target))?;
    if plan.api_key_file.is_some() && target.authorization().is_some() {
        bail!("--api-key-file and a user name in the URL exclude each other: give one");
    }
    Ok(())
}

/// Whom to believe, where there is TLS.
fn tls(plan: &Plan, target: Option<&Target>) -> Result<()> {
    if plan.tls_ca.is_some() && plan.tls_insecure {
        bail!("--tls-ca and --tls-insecure exclude each other: the first verifies the server");
    }
    let flags = [
        ("--tls-ca", plan.tls_ca.is_some()),
        ("--tls-insecure", plan.tls_insecure),
    ];
    let page = match &plan.server_metrics {
        ServerMetrics::Url(url) => url.starts_with("https://"),
        ServerMetrics::Auto | ServerMetrics::Off => false,
    };
    let has_tls = page || target.is_some_and(Target::is_https);
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) if !has_tls => bail!("{flag} needs an https:// target"),
        _ => Ok(()),
    }
}

/// Where and how often the server's own metrics are read.
fn server_metrics(plan: &Plan) -> Result<()> {
    let interval = plan.server_metrics_interval;
    if !(SHORTEST_READING..=LONGEST_READING).contains(&interval) {
        bail!(
            "--server-metrics-interval: {interval} is out of range: write {SHORTEST_READING} to \
             {LONGEST_READING}"
        );
    }
    if let ServerMetrics::Url(url) = &plan.server_metrics {
        Target::parse(url).map_err(|e| anyhow!("--server-metrics: {e}"))?;
    }
    Ok(())
}

/// What is said of the server.
fn declared(plan: &Plan) -> Result<()> {
    let said = [
        (Subject::Hardware, &plan.hardware),
        (Subject::Model, &plan.model_info),
        (Subject::Engine, &plan.engine_info),
    ];
    for (subject, text) in said {
        let Some(text) = text else { continue };
        let statement = Statement::parse(subject, text).map_err(|e| anyhow!("--{e}"))?;
        if subject != Subject::Hardware && matches!(statement, Statement::Text(_)) {
            bail!(
                "--{}: `{}` has no name: write NAME=VALUE with one of {}",
                subject.key(),
                inert(text, 40),
                subject.names().join(", ")
            );
        }
    }
    Ok(())
}

/// What goes into each request.
fn requests(plan: &Plan) -> Result<()> {
    let mut headers = Headers::default();
    for line in &plan.header {
        headers
            .push_line(line)
            .map_err(|e| anyhow!("--header: {e}"))?;
    }
    if headers.has("authorization") && plan.api_key_file.is_some() {
        bail!("--api-key-file and --header Authorization exclude each other: give one");
    }
    if plan.no_stream && plan.first_token_timeout.is_some() {
        bail!(
            "--first-token-timeout needs a stream: with --no-stream use --timeout, or leave one \
             of the two away"
        );
    }
    carried(plan)?;
    if plan.count == PromptCount::Template && plan.chat_template.is_none() {
        bail!("--count template needs --chat-template FILE");
    }
    if plan.chat_template.is_some() && !plan.endpoint.has_messages() {
        bail!("--chat-template needs --endpoint chat: other prompts have no template");
    }
    if plan.extra_body.as_ref().is_some_and(|b| !b.is_object()) {
        bail!("--extra-body: must be a JSON object");
    }
    Ok(())
}

/// Members that the server takes as they are, and where requests go.
fn carried(plan: &Plan) -> Result<()> {
    let extra = plan.extra_body.as_ref().and_then(Value::as_object);
    for (i, sampling) in plan.sampling.iter().enumerate() {
        let name = &sampling.name;
        if plan.sampling[..i].iter().any(|other| other.name == *name) {
            bail!("--sampling {name} is given twice");
        }
        if extra.is_some_and(|extra| extra.contains_key(name)) {
            bail!("--sampling and --extra-body both set {name}: leave one of them away");
        }
    }
    let sampled = plan.sampling.iter().find(|s| s.name == "n");
    let several = sampled.map(|s| &s.value).or_else(|| extra?.get("n"));
    if several.and_then(Value::as_f64).is_some_and(|n| n > 1.0) {
        bail!(
            "--sampling, --extra-body: `n` above 1 asks for several answers to a request, and one is \
             measured: leave it out, and raise the load instead"
        );
    }
    let of_chat = [
        ("--tools", plan.tools.is_some()),
        ("--images", plan.images.is_some()),
        ("--image", !plan.image.is_empty()),
    ];
    let given = of_chat.iter().find(|(_, given)| *given);
    if let Some((flag, _)) = given
        && !plan.endpoint.has_messages()
    {
        bail!("{flag} needs --endpoint chat: completions carry a text alone");
    }
    if let Some(path) = &plan.endpoint_path {
        let usable = path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if !path.starts_with('/') || !usable {
            bail!(
                "--endpoint-path: `{}` is no path: write it with a slash in front and without \
                 blanks, as in /generate",
                inert(&redact_path(path), 100)
            );
        }
    }
    Ok(())
}

/// Conversations.
fn sessions(plan: &Plan) -> Result<()> {
    let sessions = plan.sessions().map_err(|e| anyhow!("--sessions: {e}"))?;
    if let Some(name) = &plan.session_header {
        let mut headers = Headers::default();
        let bad = |e| anyhow!("--session-header: {e}");
        headers.push(name, "0").map_err(bad)?;
        if sessions.is_none() && plan.trace.is_none() {
            bail!("--session-header needs --sessions or a --trace with conversations");
        }
    }
    let Some(sessions) = sessions else {
        return Ok(());
    };
    if plan.trace.is_some() {
        bail!("--sessions and --trace exclude each other: a trace brings its own conversations");
    }
    if plan.clients.is_some() {
        bail!("--sessions and --clients exclude each other: give one");
    }
    if plan.workload_file.is_some() {
        bail!("--sessions and --workload-file exclude each other: give one");
    }
    if plan.dataset.is_some() {
        bail!("--sessions and --dataset exclude each other: a dataset brings its own texts");
    }
    if plan.prefix.as_ref().is_some_and(PrefixMode::shares) {
        bail!("--sessions has --sessions system=TOKENS for what its prompts share, not --prefix");
    }
    if plan.count == PromptCount::Template {
        bail!("--sessions counts the texts of its messages: leave --count template away");
    }
    if !plan.endpoint.has_messages() {
        bail!("--sessions needs --endpoint chat: completions have no messages");
    }
    if sessions.pause != Wait::NONE && plan.concurrency.is_none() {
        bail!(
            "--sessions pause=TIME needs --concurrency: in an open loop no user waits to begin the \
             next session"
        );
    }
    Ok(())
}

/// Trials before the run.
fn probes(plan: &Plan) -> Result<()> {
    if plan.no_probe && plan.model.is_some() && plan.probe_timeout.is_some() {
        bail!("--no-probe and --probe-timeout exclude each other: nothing is asked");
    }
    if plan.no_probe && plan.probe_response_cache {
        bail!("--no-probe and --probe-response-cache exclude each other: the second is a probe");
    }
    Ok(())
}

/// Each thread has connections of its own.
fn threads(plan: &Plan) -> Result<()> {
    let Some(threads) = plan.threads else {
        return Ok(());
    };
    if threads > MAX_THREADS {
        bail!("--threads: {threads} must be at most {MAX_THREADS}; one per core is enough");
    }
    if let Some(cap) = plan.max_connections.filter(|cap| *cap < threads) {
        bail!(
            "--threads {threads} needs at least as many connections, --max-connections allows \
             {cap}: lower --threads or raise --max-connections"
        );
    }
    Ok(())
}

/// Keys that were given and that this plan has no use for.
///
/// # Errors
/// Naming the flag: nothing that was asked for is left out silently.
pub fn used(resolved: &Resolved) -> Result<()> {
    let given = |key: &str| !matches!(resolved.origins.get(key), None | Some(Origin::Default));
    let plan = &resolved.plan;
    if plan.clients.is_some() && given("workload") {
        bail!("--workload and --clients exclude each other: clients bring their own lengths");
    }
    if plan.clients.is_some() && (given("arrival") || given("cv")) {
        bail!("--arrival and --cv are for one process: each of --clients brings its own gaps");
    }
    for key in WORD_FOR_WORD {
        if plan.workload_file.is_some() && given(key) {
            bail!(
                "--{key} and --workload-file exclude each other: the file has its requests word for \
                 word"
            );
        }
    }
    if plan.peak_rate().is_none() && given("arrival") {
        bail!("{ARRIVAL_NEEDS_RATE}");
    }
    Ok(())
}

/// The lengths that were given, once it is known whether the trace has its own.
///
/// # Errors
/// Where a trace leaves nothing to them.
pub fn lengths_used(resolved: &Resolved, facts: Option<&TraceFacts>) -> Result<()> {
    let given = !matches!(
        resolved.origins.get("workload"),
        None | Some(Origin::Default)
    );
    let drawn = facts.is_some_and(|facts| facts.drawn_outputs > 0);
    if resolved.plan.trace.is_some() && given && !drawn {
        bail!("--workload and --trace exclude each other: this trace brings its own lengths");
    }
    Ok(())
}

/// What a workload file has settled.
const WORD_FOR_WORD: [&str; 12] = [
    "workload",
    "workload-seed",
    "clients",
    "kind",
    "schema",
    "regex",
    "grammar",
    "tools",
    "tool-choice",
    "images",
    "image",
    "lora",
];

const ARRIVAL_NEEDS_RATE: &str = "--arrival needs --rate or --rate-profile: a trace or a closed \
                                  loop brings its own arrivals";

fn load_model(plan: &Plan) -> Result<()> {
    let given = [
        ("--clients", plan.clients.is_some()),
        // Beside clients it scales them.
        ("--rate", plan.rate.is_some() && plan.clients.is_none()),
        ("--rate-profile", plan.rate_profile.is_some()),
        ("--concurrency", plan.concurrency.is_some()),
        ("--trace", plan.trace.is_some()),
    ];
    let named: Vec<&str> = given
        .iter()
        .filter(|(_, on)| *on)
        .map(|(name, _)| *name)
        .collect();
    match named.as_slice() {
        [] if plan.workload_file.is_some() => {}
        [] => bail!(
            "no load: give --rate R, --rate-profile PROFILE or --clients NAME (open loop), \
             --concurrency N (closed loop), --trace FILE or --workload-file FILE"
        ),
        [_] => {}
        several => bail!("{} exclude each other: give one", several.join(" and ")),
    }
    let replay = named.is_empty() || plan.trace.is_some();
    if !replay && plan.duration.is_none() && plan.requests.is_none() {
        bail!("no end: give --duration TIME, --requests N, or both (whichever comes first)");
    }
    if plan.trace.is_some() && plan.dataset.is_some() {
        bail!("--dataset and --trace exclude each other: each brings its own prompts");
    }
    let others = [
        ("--dataset", plan.dataset.is_some()),
        ("--prefix", plan.prefix.is_some()),
        ("--count template", plan.count == PromptCount::Template),
    ];
    for (flag, given) in others {
        if given && plan.workload_file.is_some() {
            bail!(
                "{flag} and --workload-file exclude each other: the file has its requests word for \
                 word"
            );
        }
    }
    let file = plan.trace.is_some() || plan.dataset.is_some();
    if !file && plan.trace_limit.is_some() {
        bail!("--trace-limit needs --trace or --dataset");
    }
    if !file && !plan.trace_option.is_empty() {
        bail!("--trace-option needs --trace or --dataset");
    }
    if !replay && plan.time_scale != 1.0 {
        bail!("--time-scale needs --trace, or the instants of a --workload-file");
    }
    if plan.workload_file.is_some() && plan.trace.is_some() {
        bail!(
            "--trace and --workload-file exclude each other: `infermeter workload convert` makes a \
               file of a trace"
        );
    }
    if plan.trace.is_none() && plan.thin.is_some() {
        bail!("--thin needs --trace: to lower any other load, lower its --rate");
    }
    Ok(())
}

fn dataset(plan: &Plan) -> Result<()> {
    if plan.dataset.is_none() && plan.dataset_order != DatasetOrder::File {
        bail!("--dataset-order needs --dataset");
    }
    if plan.dataset_order == DatasetOrder::Conversations {
        if plan.peak_rate().is_none() {
            bail!(
                "--dataset-order conversations needs --rate or --rate-profile: conversations per second"
            );
        }
        if !plan.endpoint.has_messages() {
            bail!(
                "--dataset-order conversations needs --endpoint chat: completions have no messages"
            );
        }
    }
    if plan.dataset.is_some() && plan.prefix.as_ref().is_some_and(PrefixMode::shares) {
        bail!(
            "--prefix and --dataset: texts share what they share in the file; leave --prefix away, \
             or write bust or none"
        );
    }
    Ok(())
}

fn arrival(plan: &Plan) -> Result<()> {
    match (plan.arrival, plan.cv) {
        (ArrivalKind::Gamma, None) => bail!("--arrival gamma needs --cv X, as in --cv 2"),
        (ArrivalKind::Weibull, None) => bail!("--arrival weibull needs --cv X, as in --cv 2"),
        (ArrivalKind::Gamma | ArrivalKind::Weibull, Some(_)) | (_, None) => {}
        (ArrivalKind::Constant | ArrivalKind::Poisson, Some(_)) => {
            bail!("--cv needs --arrival gamma or --arrival weibull")
        }
    }
    if plan.peak_rate().is_none() && plan.arrival != ArrivalKind::Poisson {
        bail!("{ARRIVAL_NEEDS_RATE}");
    }
    Ok(())
}

fn bounds(plan: &Plan) -> Result<()> {
    if let Some(rate) = plan.rate
        && !(rate > 0.0 && rate <= MAX_RATE)
    {
        bail!(
            "--rate: {rate} is not a rate: write a number of requests per second above 0 and at most \
             {MAX_RATE}"
        );
    }
    if !(plan.time_scale > 0.0 && plan.time_scale.is_finite()) {
        bail!("--time-scale: {} must be above 0", plan.time_scale);
    }
    if let Some(share) = plan.thin
        && !(share > 0.0 && share <= 1.0)
    {
        bail!("--thin: {share} must be above 0 and at most 1: the share of rows that is kept");
    }
    if let Some(cv) = plan.cv
        && !(cv > 0.0 && cv <= 100.0)
    {
        bail!("--cv: {cv} must be above 0 (1 is Poisson) and at most 100");
    }
    let counts = [
        ("--concurrency", plan.concurrency.map(u64::from)),
        ("--requests", plan.requests),
        ("--repeat", plan.repeat.map(u64::from)),
        ("--trace-limit", plan.trace_limit),
        ("--threads", plan.threads.map(u64::from)),
        ("--max-connections", plan.max_connections.map(u64::from)),
        ("--gpus", plan.gpus.map(u64::from)),
        ("--duration", plan.duration.map(|d| d.ns().unsigned_abs())),
        ("--timeout", Some(plan.timeout.ns().unsigned_abs())),
        (
            "--probe-timeout",
            plan.probe_timeout.map(|t| t.ns().unsigned_abs()),
        ),
        (
            "--connect-timeout",
            Some(plan.connect_timeout.ns().unsigned_abs()),
        ),
        (
            "--first-token-timeout",
            plan.first_token_timeout.map(|t| t.ns().unsigned_abs()),
        ),
        (
            "--idle-timeout",
            plan.idle_timeout.map(|t| t.ns().unsigned_abs()),
        ),
    ];
    for (flag, value) in counts {
        if value == Some(0) {
            bail!("{flag}: must be above 0");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::plan::Endpoint;
    use infermeter_core::units::Span;

    fn plan() -> Plan {
        Plan {
            target: "mock:fixed".to_owned(),
            rate: Some(1.0),
            duration: Some(Span::seconds(1)),
            ..Plan::defaults()
        }
    }

    fn check(change: impl FnOnce(&mut Plan), expect: &str) {
        let mut plan = plan();
        change(&mut plan);
        let text = validate(&plan).expect_err("must be refused").to_string();
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn a_sound_plan_passes() {
        validate(&plan()).expect("sound");
    }

    #[test]
    fn declared_names_are_known_ones() {
        let engine = |text: &'static str| move |p: &mut Plan| p.engine_info = Some(text.to_owned());
        check(engine("verson=1"), "did you mean `version`?");
        check(engine("vllm"), "--engine-info: `vllm` has no name");
        check(
            |p| p.hardware = Some("gpus=8".to_owned()),
            "--hardware: unknown name `gpus`",
        );
        let mut plan = plan();
        plan.hardware = Some("8 x H100".to_owned());
        plan.model_info = Some("size=70B, quantisation=fp8".to_owned());
        assert!(validate(&plan).is_ok());
    }

    #[test]
    fn impossible_plans_name_their_flags() {
        check(|p| p.target.clear(), "no target");
        check(
            |p| p.concurrency = Some(3),
            "--rate and --concurrency exclude each other",
        );
        check(|p| p.rate = None, "no load");
        check(|p| p.duration = None, "no end");
        check(|p| p.rate = Some(-1.0), "--rate: -1");
        check(|p| p.rate = Some(0.0), "--rate: 0");
        check(|p| p.rate = Some(f64::NAN), "--rate: NaN");
        check(|p| p.cv = Some(2.0), "--cv needs --arrival gamma");
        check(|p| p.arrival = ArrivalKind::Gamma, "needs --cv");
        check(|p| p.arrival = ArrivalKind::Weibull, "needs --cv");
        check(
            |p| p.rate_profile = "ramp:1..2/1s".parse().ok(),
            "--rate and --rate-profile exclude each other",
        );
        check(|p| p.thin = Some(0.5), "--thin needs --trace");
        check(|p| p.requests = Some(0), "--requests: must be above 0");
        check(|p| p.time_scale = 2.0, "--time-scale needs --trace");
        check(
            |p| p.target = "mock:fixd".to_owned(),
            "did you mean `fixed`",
        );
        check(|p| p.target = "localhost:80".to_owned(), "http://");
        check(|p| p.header = vec!["Host".to_owned()], "--header: ");
        check(|p| p.tls_ca = Some("ca.pem".into()), "--tls-ca needs");
        check(|p| p.tls_insecure = true, "--tls-insecure needs");
        check(
            |p| (p.tls_ca, p.tls_insecure) = (Some("ca.pem".into()), true),
            "--tls-ca and --tls-insecure exclude each other",
        );
        check(
            |p| p.probe_timeout = Some(Span(0)),
            "--probe-timeout: must be above 0",
        );
        check(
            |p| (p.threads, p.max_connections) = (Some(4), Some(2)),
            "--max-connections",
        );
        check(
            |p| {
                p.sampling = vec!["temperature=0".parse().expect("a value")];
                p.extra_body = Some(serde_json::json!({"temperature": 1}));
            },
            "--sampling and --extra-body both set temperature",
        );
        check(
            |p| (p.tools, p.endpoint) = (Some("2".to_owned()), Endpoint::Completions),
            "--tools needs --endpoint chat",
        );
        check(
            |p| p.endpoint_path = Some("generate".to_owned()),
            "--endpoint-path: `generate` is no path",
        );
        check(
            |p| (p.clients, p.concurrency) = (Some("synthetic".to_owned()), Some(1)),
            "--clients and --concurrency exclude each other",
        );
        check(|p| p.percentile = vec!["99".to_owned()], "not a percentile");
    }
}
