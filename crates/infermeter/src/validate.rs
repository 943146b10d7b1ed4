//! Whether a plan makes sense as a whole. Single values were checked when they were read.

use crate::items;
use crate::layers::Resolved;
use crate::questions;
use crate::values;
use anyhow::{Context, Result, anyhow, bail};
use infermeter_client::encode::{Headers, Target};
use infermeter_core::declared::{Statement, Subject};
use infermeter_core::gate::FailIf;
use infermeter_core::key::{Asked, Keyed, broken};
use infermeter_core::origin::Origin;
use infermeter_core::plan::{Plan, PrefixMode, Wait};
use infermeter_core::slo::{
    AnswerShare, Figure, Measure, RateName, Slo, SloMetric, parse_percentile,
};
use infermeter_core::text::{closest, inert};
use infermeter_session::experiment::{AnswerPlaces, Server};
use infermeter_session::redact::redact_path;
use infermeter_session::ways;
use infermeter_workload::TraceFacts;
use serde_json::Value;

/// Checks a plan.
///
/// # Errors
/// Naming the flags or keys at fault, as they were written, and what to write instead.
pub(crate) fn validate(resolved: &Resolved) -> Result<()> {
    let checked = check(&resolved.plan, &|key| resolved.given(key));
    checked.map_err(|error| anyhow!(resolved.in_users_words(&format!("{error:#}"))))
}

/// Ranges and simple rules come from the table of keys; what takes more than a look at values is here.
fn check(plan: &Plan, given: &dyn Fn(&str) -> bool) -> Result<()> {
    let targets = target(plan)?;
    items::check(plan)?;
    load_model(plan)?;
    let values = values::map_of(plan);
    let values = &values;
    if let Some(message) = broken(Plan::KEYS, Asked { values, given }) {
        bail!(message);
    }
    tls(plan, &targets)?;
    time_scale(plan)?;
    threads(plan)?;
    probes(plan)?;
    dataset(plan)?;
    requests(plan)?;
    sessions(plan)?;
    questions::check(plan)?;
    declared(plan)?;
    for url in plan.server_metrics.urls() {
        Target::parse(url).map_err(|e| anyhow!("--server-metrics: {e}"))?;
    }
    for url in plan.gpu_metrics.urls() {
        Target::parse(url).map_err(|e| anyhow!("--gpu-metrics: {e}"))?;
    }
    if let Some(from) = &plan.replicas_from {
        Target::parse(&from.url).map_err(|e| anyhow!("--replicas-from: {e}"))?;
    }
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
    let slos = plan.slo.iter();
    let slos = slos.filter_map(|slo| Some(("--slo", slo.of.needs_stream()?)));
    let until = plan.until.iter().map(|until| ("--until", until.metric));
    let until = until.filter(|(_, metric)| metric.needs_stream());
    let mut asked = slos.chain(until.map(|(flag, metric)| (flag, metric.name())));
    if plan.no_stream
        && let Some((flag, name)) = asked.next()
    {
        bail!(
            "{flag} {name} needs a stream: with --no-stream there is no {name}; limit e2e or ntpot, or \
             leave --no-stream out"
        );
    }
    for slo in &plan.slo {
        objective(plan, slo)?;
    }
    Ok(())
}

/// One objective beside the rest of the plan.
fn objective(plan: &Plan, slo: &Slo) -> Result<()> {
    let of_sessions = matches!(&slo.of.figure,
        Figure::Latency(latency) if latency.metric == SloMetric::SessionE2e);
    let alone = plan.sessions.is_empty() && !plan.is_replay() && plan.dataset.is_none();
    if of_sessions && alone {
        bail!(
            "--slo {slo}: these requests are of no sessions: give --sessions turns=N, or a trace or a dataset \
             of conversations"
        );
    }
    if slo.of.needs_deadlines() && plan.deadlines().is_none() {
        bail!(
            "--slo {slo}: nobody says when tokens are due: write fluidity(500ms/50ms), or give --fluidity \
             500ms/50ms"
        );
    }
    let asks = plan.slo.iter().any(|other| !other.conditions().is_empty());
    if slo.of.figure == Figure::Rate(RateName::Goodput) && !asks {
        bail!(
            "--slo {slo}: no other objective says what a good request is: add one, as in --slo \
             'ttft.p99<500ms'"
        );
    }
    if let Figure::Answers(share) = slo.of.figure
        && let Some(flag) = missing_check(plan, share)
    {
        bail!("--slo {slo}: nothing of the kind is checked: give {flag}");
    }
    if slo.of.origin() == Some(Origin::Intended) && plan.concurrency.is_some() {
        bail!(
            "--slo {slo}: in a closed loop no send is intended at an instant of its own: leave \
             origin=intended out, or give --rate"
        );
    }
    Ok(())
}

/// The flag that a share of answers needs, and that is not there.
fn missing_check(plan: &Plan, share: AnswerShare) -> Option<&'static str> {
    match share {
        AnswerShare::Corrupted => (!plan.checks_answers()).then_some("--check-answers"),
        AnswerShare::Canaries => plan.canaries.is_none().then_some("--canaries 5%"),
        AnswerShare::Evals => plan.eval.is_empty().then_some("--eval FILE"),
        AnswerShare::Equal => plan.reference.is_none().then_some("--reference solo"),
    }
}

/// The classes that objectives and criteria are about have to be the workload's.
///
/// # Errors
/// Naming the objective, and the classes that there are.
pub(crate) fn classes_asked(plan: &Plan, fail_if: &[FailIf], classes: &[String]) -> Result<()> {
    for slo in &plan.slo {
        class_asked(&slo.of, classes).with_context(|| format!("--slo {slo}"))?;
    }
    for criterion in fail_if {
        class_asked(&criterion.of, classes).with_context(|| format!("--fail-if {criterion}"))?;
    }
    Ok(())
}

fn class_asked(of: &Measure, classes: &[String]) -> Result<()> {
    match &of.class {
        Some(class) if !classes.contains(class) => {
            let near = closest(class, classes.iter().map(String::as_str));
            let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            bail!(
                "the workload has no class `{}`: it has {}{near}",
                inert(class, 80),
                inert(&classes.join(", "), 200)
            )
        }
        _ => Ok(()),
    }
}

/// The servers; none for the simulator.
fn target(plan: &Plan) -> Result<Vec<Target>> {
    if plan.target.is_empty() {
        bail!(
            "no target: write the server's URL, as in `infermeter run http://localhost:8000 \
             --rate 10 --duration 60s`, or mock:llama-8b-h100 for the embedded simulator"
        );
    }
    let targets = ways::targets(&Server::of(plan)?, None)?;
    let has_user = |target: &Target| target.authorization().is_some();
    if plan.api_key_file.is_some() && targets.iter().any(has_user) {
        bail!("--api-key-file and a user name in the URL exclude each other: give one");
    }
    Ok(targets)
}

/// Whom to believe, where there is TLS.
fn tls(plan: &Plan, targets: &[Target]) -> Result<()> {
    let flags = [
        ("--tls-ca", plan.tls_ca.is_some()),
        ("--tls-insecure", plan.tls_insecure),
    ];
    let pages = plan.server_metrics.urls().iter().map(String::as_str);
    let pages = pages.chain(plan.gpu_metrics.urls());
    let mut pages = pages.chain(plan.replicas_from.iter().map(|from| from.url.as_str()));
    let page = pages.any(|url| url.starts_with("https://"));
    let has_tls = page || targets.iter().any(Target::is_https);
    match flags.iter().find(|(_, given)| *given) {
        Some((flag, _)) if !has_tls => bail!("{flag} needs an https:// target"),
        _ => Ok(()),
    }
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
    carried(plan)?;
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
            bail!("--sampling and --extra-body both set {name}: leave one out");
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
    AnswerPlaces::of(plan)?;
    let of_format = [
        ("--schema", plan.schema.is_some()),
        ("--regex", plan.regex.is_some()),
        ("--grammar", plan.grammar.is_some()),
    ];
    let given = of_format.iter().find(|(_, given)| *given);
    if let Some((flag, _)) = given
        && !plan.endpoint.api().formats
        && plan.body_template.is_none()
    {
        bail!(
            "{flag}: {} has no such member; use another --endpoint",
            plan.endpoint.api().name
        );
    }
    if let Some(path) = &plan.endpoint_path {
        let usable = path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        if !path.starts_with('/') || !usable {
            bail!(
                "--endpoint-path: `{}` is not a path: write it with a slash in front and without \
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
    }
    let Some(sessions) = sessions else {
        return Ok(());
    };
    if plan.prefix.as_ref().is_some_and(PrefixMode::shares) {
        bail!("--sessions has --sessions system=TOKENS for what its prompts share, not --prefix");
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
    Ok(())
}

/// Each thread has connections of its own.
fn threads(plan: &Plan) -> Result<()> {
    let Some(threads) = plan.threads else {
        return Ok(());
    };
    if let Some(cap) = plan.max_connections.filter(|cap| *cap < threads) {
        bail!(
            "--threads {threads} needs at least as many connections, --max-connections allows \
             {cap}: lower --threads or raise --max-connections"
        );
    }
    Ok(())
}

/// The lengths that were given, once it is known whether the trace has its own.
///
/// # Errors
/// Where a trace leaves nothing to them.
pub(crate) fn lengths_used(resolved: &Resolved, facts: Option<&TraceFacts>) -> Result<()> {
    let drawn = facts.is_some_and(|facts| facts.drawn_outputs > 0);
    if resolved.plan.trace.is_some() && resolved.given("workload") && !drawn {
        let wrong = "--workload and --trace exclude each other: this trace brings its own lengths";
        bail!(resolved.in_users_words(wrong));
    }
    Ok(())
}

/// Something sends requests, and something ends.
fn load_model(plan: &Plan) -> Result<()> {
    let paced = plan.peak_rate().is_some() || plan.clients.is_some() || plan.concurrency.is_some();
    if !paced && !plan.is_replay() {
        bail!(
            "no load: give --rate R, --rate-profile PROFILE or --clients NAME (open loop), \
             --concurrency N (closed loop), --trace FILE or --workload-file FILE"
        );
    }
    let endless = plan.duration.is_none() && plan.requests.is_none();
    if paced && plan.trace.is_none() && endless {
        bail!("no end: give --duration TIME, --requests N, or both (whichever comes first)");
    }
    Ok(())
}

/// Only recorded instants can be stretched.
fn time_scale(plan: &Plan) -> Result<()> {
    if plan.time_scale != 1.0 && !plan.is_replay() {
        bail!("--time-scale needs --trace, or the instants of a --workload-file");
    }
    Ok(())
}

fn dataset(plan: &Plan) -> Result<()> {
    if plan.dataset.is_some() && plan.prefix.as_ref().is_some_and(PrefixMode::shares) {
        bail!(
            "--prefix and --dataset: texts share what they share in the file; leave --prefix out, \
             or write bust or none"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::differs;
    use infermeter_core::key::{Demand, Key, Rule, ValueKind, When};
    use infermeter_core::plan::{ArrivalKind, Endpoint};
    use infermeter_core::units::Span;

    fn plan() -> Plan {
        Plan {
            target: "mock:fixed".to_owned(),
            rate: Some(1.0),
            duration: Some(Span::seconds(1)),
            ..Plan::defaults()
        }
    }

    fn checked(plan: &Plan) -> Result<()> {
        let values = values::map_of(plan);
        super::check(plan, &|key| differs(&values, key))
    }

    fn check(change: impl FnOnce(&mut Plan), expect: &str) {
        let mut plan = plan();
        change(&mut plan);
        let text = format!("{:#}", checked(&plan).expect_err("must be refused"));
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn a_sound_plan_passes() {
        checked(&plan()).expect("sound");
    }

    #[test]
    fn objectives_on_answers_need_their_checks() {
        let on = |text: &'static str| {
            move |p: &mut Plan| p.slo = vec![text.parse().expect("an objective")]
        };
        check(on("answers.corrupted<0.1%"), "give --check-answers");
        check(on("canary.accuracy>99%"), "give --canaries 5%");
        check(on("eval.accuracy>60%"), "give --eval FILE");
        check(on("reference.equal>99%"), "give --reference solo");
        let mut plan = plan();
        plan.canaries = "5%".parse().ok();
        plan.slo = ["answers.corrupted<0.1%", "canary.accuracy>99%"]
            .map(|text| text.parse().expect("an objective"))
            .to_vec();
        checked(&plan).expect("sound");
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
        assert!(checked(&plan).is_ok());
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
            |p| (p.regex, p.endpoint) = (Some("a".to_owned()), Endpoint::Messages),
            "--regex: Anthropic Messages has no such member",
        );
        check(
            |p| p.answer_text = Some("/a".to_owned()),
            "--answer-text needs --body-template",
        );
        check(
            |p| {
                p.body_template = Some("body.json".into());
                p.answer_text = Some("message/content".to_owned());
            },
            "--answer-text: `message/content` does not begin with a slash",
        );
        check(
            |p| {
                p.body_template = Some("body.json".into());
                p.answer_end = Some("/done".to_owned());
            },
            "--answer-end needs --answer-text",
        );
        check(
            |p| p.endpoint_path = Some("generate".to_owned()),
            "--endpoint-path: `generate` is not a path",
        );
        check(
            |p| (p.rate, p.clients, p.concurrency) = (None, Some("synthetic".to_owned()), Some(1)),
            "--clients and --concurrency exclude each other",
        );
        check(|p| p.percentile = vec!["99".to_owned()], "not a percentile");
    }
    /// What the table says of a plan that has only these values.
    fn of_table(values: &[(&str, Value)]) -> Option<String> {
        let mut plan = values::defaults::<Plan>();
        plan.extend(
            values
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone())),
        );
        let given = |key: &str| values.iter().any(|(name, _)| *name == key);
        let values = &plan;
        broken(
            Plan::KEYS,
            Asked {
                values,
                given: &given,
            },
        )
    }

    fn key(name: &str) -> &'static Key {
        Plan::KEYS.iter().find(|key| key.name == name).expect(name)
    }

    fn example(name: &str) -> Value {
        let text = match key(name).kind {
            ValueKind::Switch => return true.into(),
            _ => key(name).example,
        };
        values::read::<Plan>(key(name), text.into()).expect(name)
    }

    #[test]
    fn every_range_is_kept() {
        for key in Plan::KEYS {
            let Some(range) = key.range else { continue };
            let value = |bound: f64| match key.kind {
                ValueKind::Time => Span(bound as i64).to_string().into(),
                ValueKind::Number => Value::from(bound),
                _ => Value::from(bound as i64),
            };
            let beyond = [
                range.above,
                range.least.map(|least| least - 1.0),
                range.most.map(|most| most + 1.0),
            ];
            for wrong in beyond.into_iter().flatten().map(value) {
                let said = of_table(&[(key.name, wrong.clone())]).expect(key.name);
                assert!(
                    said.starts_with(&format!("--{}: ", key.name)),
                    "{wrong}: {said}"
                );
                assert!(said.contains("must be"), "{said}");
            }
            for right in [range.least, range.most].into_iter().flatten().map(value) {
                let said = of_table(&[(key.name, right)]);
                assert!(
                    said.is_none_or(|said| !said.contains("must be")),
                    "{}",
                    key.name
                );
            }
        }
    }

    #[test]
    fn every_rule_is_kept() {
        for key in Plan::KEYS {
            for rule in key.rules {
                let own = rule.at.map_or_else(|| example(key.name), Value::from);
                let own = (key.name, own);
                let other = |when: &When| match when {
                    When::Given(other) => (*other, example(other)),
                    When::Is(other, value) => (*other, Value::from(*value)),
                };
                let named = format!("--{}", key.name);
                match rule.demand {
                    Demand::Excludes => {
                        for when in rule.others {
                            let (name, value) = other(when);
                            let both = [own.clone(), (name, value)];
                            let said = said_by(key, rule, &both);
                            let said = said.unwrap_or_else(|| panic!("{named} with {name}"));
                            assert!(said.contains(&named), "{said}");
                            assert!(said.contains(&format!("--{name}")), "{said}");
                        }
                    }
                    Demand::Needs => {
                        let against: Vec<(&str, Value)> = rule
                            .others
                            .iter()
                            .filter_map(|when| unlike(when, rule.others))
                            .collect();
                        let without: Vec<_> = [own.clone()].into_iter().chain(against).collect();
                        let said = said_by(key, rule, &without);
                        let said = said.unwrap_or_else(|| panic!("{named} {rule:?}"));
                        assert!(
                            said.starts_with(&named) && said.contains(" needs --"),
                            "{said}"
                        );
                        for when in rule.others {
                            let with = [own.clone(), other(when)];
                            assert_eq!(said_by(key, rule, &with), None, "{named} {when:?}");
                        }
                    }
                }
            }
        }
    }

    /// A value that a key does not have to have.
    fn unlike(when: &When, others: &[When]) -> Option<(&'static str, Value)> {
        let When::Is(name, _) = when else {
            return None;
        };
        let ValueKind::OneOf(names) = key(name).kind else {
            return None;
        };
        let other = names
            .iter()
            .find(|other| !others.contains(&When::Is(name, other)) && **other != "weibull")?;
        Some((name, Value::from(*other)))
    }

    /// What one rule says.
    fn said_by(of: &Key, rule: &Rule, values: &[(&str, Value)]) -> Option<String> {
        let mut plan = values::defaults::<Plan>();
        plan.extend(
            values
                .iter()
                .map(|(key, value)| ((*key).to_owned(), value.clone())),
        );
        let rules: &'static [Rule] = Box::leak(vec![*rule].into_boxed_slice());
        let alone = Key {
            rules,
            range: None,
            ..*of
        };
        let given = |key: &str| values.iter().any(|(name, _)| *name == key);
        let values = &plan;
        broken(
            &[alone],
            Asked {
                values,
                given: &given,
            },
        )
    }
}
