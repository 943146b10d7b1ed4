//! Plans for APIs that generate nothing: what goes with them.
//!
//! Invariant: nothing that was asked for is passed over. Each rule names the flag and says why.

use anyhow::{Result, bail};
use infermeter_core::plan::{
    DatasetOrder, MAX_ITEMS, MAX_TOKENS, MIN_PROMPT_TOKENS, Plan, PrefixMode,
};

/// Something that a plan asks for, and what it needs.
struct Rule {
    flag: &'static str,
    given: fn(&Plan) -> bool,
    why: &'static str,
}

const fn rule(flag: &'static str, given: fn(&Plan) -> bool, why: &'static str) -> Rule {
    Rule { flag, given, why }
}

const NO_TEXT: &str = "answers of this API hold numbers, and nothing is generated";
const NO_TOKENS: &str = "no token comes back";
const NO_CHAT: &str = "its requests stand alone, and have no messages";

/// What asks for generated text, its tokens, or a chat.
const GENERATING: [Rule; 16] = [
    rule("--sessions", |p| !p.sessions.is_empty(), NO_CHAT),
    rule(
        "--dataset-order conversations",
        |p| p.dataset_order == DatasetOrder::Conversations,
        NO_CHAT,
    ),
    rule("--schema", |p| p.schema.is_some(), NO_TEXT),
    rule("--regex", |p| p.regex.is_some(), NO_TEXT),
    rule("--grammar", |p| p.grammar.is_some(), NO_TEXT),
    rule("--tools", |p| p.tools.is_some(), NO_TEXT),
    rule("--sampling", |p| !p.sampling.is_empty(), NO_TEXT),
    rule("--save-responses", |p| p.save_responses, NO_TEXT),
    rule("--images", |p| p.images.is_some(), NO_CHAT),
    rule("--image", |p| !p.image.is_empty(), NO_CHAT),
    rule(
        "--first-token-timeout",
        |p| p.first_token_timeout.is_some(),
        NO_TOKENS,
    ),
    rule("--fluidity", |p| p.fluidity.is_some(), NO_TOKENS),
    rule(
        "--prefix",
        |p| p.prefix.as_ref().is_some_and(PrefixMode::shares),
        "its texts share no beginning; leave --prefix out, or write bust or none",
    ),
    rule(
        "--workload-file",
        |p| p.workload_file.is_some(),
        "a workload file holds prompts",
    ),
    rule(
        "--body-template",
        |p| p.body_template.is_some(),
        "a template has places for a prompt alone",
    ),
    rule(
        "--probe-response-cache",
        |p| p.probe_response_cache,
        "its trial sends prompts",
    ),
];

/// Checks what a plan asks of an API that generates nothing.
///
/// # Errors
/// Naming the flag, and why it does not go with the API.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    counts(plan)?;
    if plan.endpoint.generates() {
        return Ok(());
    }
    let api = plan.endpoint.api().name;
    if let Some(rule) = GENERATING.iter().find(|rule| (rule.given)(plan)) {
        bail!(
            "{} does not go with --endpoint {api}: {}",
            rule.flag,
            rule.why
        );
    }
    let slos = plan.slo.iter();
    let slos = slos.filter_map(|slo| Some(("--slo", slo.of.needs_tokens()?)));
    let until = plan.until.iter().map(|until| ("--until", until.metric));
    let until = until.filter(|(_, metric)| metric.needs_tokens());
    let until = until.map(|(flag, metric)| (flag, metric.name()));
    if let Some((flag, name)) = slos.chain(until).next() {
        bail!(
            "{flag} {name} does not go with --endpoint {api}: {NO_TOKENS}; limit e2e, as in e2e.p99<200ms"
        );
    }
    recorded(plan)
}

/// How many texts, and how long a query.
fn counts(plan: &Plan) -> Result<()> {
    let bounded = [
        ("--batch-size", plan.batch_size, 1..=MAX_ITEMS),
        ("--documents", plan.documents, 1..=MAX_ITEMS),
        (
            "--query-tokens",
            plan.query_tokens,
            MIN_PROMPT_TOKENS..=MAX_TOKENS,
        ),
    ];
    for (flag, value, bounds) in bounded {
        if let Some(value) = value.filter(|value| !bounds.contains(value)) {
            let (least, most) = (bounds.start(), bounds.end());
            bail!("{flag}: {value} is out of range: write {least} to {most}");
        }
    }
    let extra = plan.extra_body.as_ref();
    let twice = extra.is_some_and(|body| body.get("encoding_format").is_some());
    if plan.encoding_format.is_some() && twice {
        bail!("--encoding-format and --extra-body both set encoding_format: leave one out");
    }
    Ok(())
}

/// Recorded requests have one length each.
fn recorded(plan: &Plan) -> Result<()> {
    let recorded = [
        ("--trace", plan.trace.is_some()),
        ("--clients", plan.clients.is_some()),
    ];
    let Some((flag, _)) = recorded.iter().find(|(_, given)| *given) else {
        return Ok(());
    };
    match plan.item_counts() {
        Some(counts) if counts.query_tokens.is_some() => bail!(
            "{flag} does not go with --endpoint rerank: it says how long a request is, not how long its \
             query and its documents are"
        ),
        Some(counts) if counts.items > 1 => bail!(
            "{flag} does not go with --batch-size {}: it says how long a request is, not how long its \
             texts are; leave --batch-size out",
            counts.items
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::plan::Endpoint;
    use infermeter_core::units::Span;

    #[track_caller]
    fn check(endpoint: Endpoint, change: impl FnOnce(&mut Plan), expect: &str) {
        let mut plan = Plan {
            endpoint,
            ..Plan::defaults()
        };
        change(&mut plan);
        let text =
            super::check(&plan).map_or_else(|error| error.to_string(), |()| "fine".to_owned());
        assert!(text.contains(expect), "{text}");
    }

    #[test]
    fn what_does_not_go_with_numbers_is_named() {
        use Endpoint::{Embeddings, Rerank};
        check(Embeddings, |p| p.batch_size = Some(64), "fine");
        check(Rerank, |p| p.documents = Some(64), "fine");
        check(
            Embeddings,
            |p| p.batch_size = Some(0),
            "--batch-size: 0 is out of range: write 1 to 8192",
        );
        check(Rerank, |p| p.save_responses = true, "nothing is generated");
        check(
            Embeddings,
            |p| p.first_token_timeout = Some(Span::seconds(1)),
            "--first-token-timeout does not go with --endpoint embeddings: no token comes back",
        );
        for (slo, expect) in [
            ("ttft.p99<200ms", "--slo ttft does not go with"),
            ("ntpot.p99<200ms", "--slo ntpot does not go with"),
            ("e2e.p99<200ms", "fine"),
        ] {
            check(
                Embeddings,
                |p| p.slo = vec![slo.parse().expect("an objective")],
                expect,
            );
        }
        check(
            Rerank,
            |p| p.trace = Some("t.jsonl".into()),
            "its query and its documents",
        );
        check(
            Embeddings,
            |p| (p.trace, p.batch_size) = (Some("t.jsonl".into()), Some(2)),
            "leave --batch-size out",
        );
    }
}
