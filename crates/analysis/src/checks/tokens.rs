//! Token counts: asked, delivered, counted.

use super::{Check, count, counted, percent};
use crate::limits::{
    self, CACHED_PROMPT, CHAT_OVERHEAD_TOKENS, COMPLETIONS_OVERHEAD_TOKENS, FORMLESS_PROMPTS,
    INPUT_OVERHEAD_TOKENS, TOKENS_DISAGREE,
};
use crate::prefix_cache::HitSource;
use crate::run::Run;
use crate::summary::Summary;
use infermeter_core::environment::Fate;
use infermeter_core::finding::{Dimension, Finding, Scope, Severity, Weight};
use infermeter_core::plan::{Input, Plan, PrefixMode, PromptCount};
use infermeter_metrics::token_counts::{OffLength, PromptDifference};

/// Answers were not as long as asked. No doubt where the plan lets them end by themselves.
pub const LENGTH_NOT_OBEYED: Check = Check {
    code: "length-not-obeyed",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::UpTo(Severity::Warning),
    limit: Some(limits::LENGTH_NOT_OBEYED),
    test: length_not_obeyed,
};

fn length_not_obeyed(run: &Run, summary: &Summary) -> Option<Finding> {
    if summary
        .usage
        .as_ref()
        .is_some_and(|usage| usage.implausible)
    {
        // Whatever was delivered, usage does not say it.
        return None;
    }
    let tokens = &summary.tokens;
    let share = tokens
        .not_obeyed_share()
        .filter(|s| *s > limits::LENGTH_NOT_OBEYED)?;
    let off = &tokens.output_off;
    let forced = (off.cut_short + off.too_long) as f64 / tokens.output_known as f64;
    let own_end = has_own_end(&run.manifest.plan) && forced <= limits::LENGTH_NOT_OBEYED;
    let severity = match own_end {
        true => Severity::Note,
        false => Severity::Warning,
    };
    Some(LENGTH_NOT_OBEYED.weighing(
        severity,
        format!(
            "{} of the answers do not have the length asked for.",
            percent(share)
        ),
        format!(
            "{} of {} answers: {}; {} output tokens asked for, {} delivered.",
            count(tokens.output_not_obeyed),
            count(tokens.output_known),
            off_length(off),
            count(tokens.output_tokens_asked),
            count(tokens.output_tokens)
        ),
        if own_end {
            "Nothing to do: answers end with their form, or as the model likes; the length asked for \
             is a limit. Compare servers on NTPOT and tokens, not on E2E."
        } else if off.cut_short > off.stopped_early {
            "Something cut the answers before their length: the server's limit on tokens (its \
             context length, say). Raise it, or ask for less."
        } else {
            "Let the server ignore the end token (ignore_eos, --extra-body), or say that lengths \
             are the model's own."
        },
    ))
}

/// The plan lets answers end before their length: in the form asked for, in a tool call, or since it says
/// that the end token counts.
fn has_own_end(plan: &Plan) -> bool {
    let formed = [
        plan.schema.is_some(),
        plan.regex.is_some(),
        plan.grammar.is_some(),
    ];
    let told = plan
        .extra_body
        .as_ref()
        .and_then(|body| body.get("ignore_eos"));
    formed.contains(&true) || plan.tools.is_some() || told.is_some_and(|v| *v == false)
}

/// `12 stopped early, 3 cut at a limit`.
fn off_length(off: &OffLength) -> String {
    let parts = [
        (off.stopped_early, "stopped early"),
        (off.cut_short, "cut at a limit"),
        (off.ended_otherwise, "too short for another reason"),
        (off.too_long, "too long"),
    ];
    let parts = parts.iter().filter(|(n, _)| *n > 0);
    let parts: Vec<String> = parts
        .map(|(n, how)| format!("{} {how}", count(*n)))
        .collect();
    parts.join(", ")
}

/// Usage and the chunks' own counts differ by more than 1 token and 1 %.
pub const TOKEN_COUNTS_DISAGREE: Check = Check {
    code: "token-counts-disagree",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::NoteUpToLimit,
    limit: Some(TOKENS_DISAGREE),
    test: counts_disagree,
};

fn counts_disagree(_: &Run, summary: &Summary) -> Option<Finding> {
    let tokens = &summary.tokens;
    if tokens.disagreeing == 0 {
        return None;
    }
    let share = tokens.disagreeing as f64 / tokens.comparable as f64;
    let severity = TOKEN_COUNTS_DISAGREE.weigh(share)?;
    Some(TOKEN_COUNTS_DISAGREE.weighing(
        severity,
        "The tokens of the chunks do not add up to the server's usage.",
        format!(
            "{} of {} answers ({}) differ by more than 1 token and 1 %.",
            count(tokens.disagreeing),
            count(tokens.comparable),
            percent(share)
        ),
        "Per-token figures (ITL, smoothed ITL, output throughput) rest on the chunks, TPOT and \
         NTPOT on usage; find out which one the server gets wrong.",
    ))
}

/// Prompts count for more tokens than their texts, for a reason that is known.
pub(super) const PROMPT_OVERHEAD: Check = Check {
    code: "prompt-overhead",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: |run, summary| PROMPT_OVERHEAD.only(prompt_tokens(run, summary)),
};

/// They do not count for what the chat template makes of them.
pub(super) const TEMPLATE_MISMATCH: Check = Check {
    code: "template-mismatch",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: |run, summary| TEMPLATE_MISMATCH.only(prompt_tokens(run, summary)),
};

/// They count for another number of tokens, for no reason that is known.
pub const PROMPT_TOKENS_DISAGREE: Check = Check {
    code: "prompt-tokens-disagree",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: |run, summary| PROMPT_TOKENS_DISAGREE.only(prompt_tokens(run, summary)),
};

/// The server counted other prompt tokens than were asked for.
fn prompt_tokens(run: &Run, summary: &Summary) -> Option<Finding> {
    if run.manifest.plan.has_live_history() {
        // Nobody asked for a length of the server's own words.
        return None;
    }
    let prompt = summary.tokens.prompt?;
    let has_template = run.manifest.plan.endpoint.has_messages();
    let overhead = overhead(&run.manifest.plan)?;
    let evidence = format!(
        "usage.prompt_tokens - tokens asked for: median {}, {} to {} over {} answers, {} of them \
         off the median by more than 2 tokens and 1 %.",
        prompt.median,
        prompt.min,
        prompt.max,
        count(prompt.requests),
        count(prompt.outliers)
    );
    if carries_more(run) {
        return Some(PROMPT_OVERHEAD.found(
            "Definitions of tools and images count as prompt tokens, too.",
            evidence,
            "Nothing to do; the lengths of the texts are not checked against the server's count.",
        ));
    }
    if let Some(planned) = template_planned(run) {
        if prompt.outliers > 0 || prompt.median != planned {
            return Some(template_mismatch(planned, evidence));
        }
    } else if varies(&run.manifest.plan, &prompt) || !(0..=overhead).contains(&prompt.median) {
        return Some(prompt_disagreement(&prompt, evidence));
    }
    (prompt.median != 0 && has_template).then(|| {
        PROMPT_OVERHEAD.found(
            format!(
                "The chat template adds {} tokens to each prompt.",
                prompt.median
            ),
            evidence,
            "Nothing to do; input throughput counts them.",
        )
    })
}

/// Tokens that a server may count beyond the lengths asked for; `None` where servers count each in their own
/// way: a query once for each document, or once in all.
fn overhead(plan: &Plan) -> Option<i64> {
    match plan.endpoint.api().input {
        Input::Messages => Some(CHAT_OVERHEAD_TOKENS),
        Input::Text => Some(COMPLETIONS_OVERHEAD_TOKENS),
        Input::Texts => {
            let texts = plan.item_counts().map_or(1, |counts| counts.items);
            Some(i64::from(texts) * INPUT_OVERHEAD_TOKENS)
        }
        Input::Query => None,
    }
}

/// The difference is not the template's. Texts of a dataset come in several forms (with and without a
/// system prompt, of one message and of twenty), and a template adds another constant to each.
fn varies(plan: &Plan, prompt: &PromptDifference) -> bool {
    if plan.dataset.is_some() || plan.workload_file.is_some() {
        return prompt.formless as f64 > FORMLESS_PROMPTS * prompt.requests as f64;
    }
    prompt.outliers > 0
}

/// Prompts have more than their text.
fn carries_more(run: &Run) -> bool {
    let plan = &run.manifest.plan;
    let file = run.manifest.environment.workload.trace.as_ref();
    let members = file.into_iter().flat_map(|file| &file.members);
    let mut sent = members.filter(|member| member.fate == Fate::Sent);
    let counted = sent.any(|member| COUNTED_MEMBERS.contains(&member.name.as_str()));
    plan.tools.is_some() || plan.images.is_some() || !plan.image.is_empty() || counted
}

/// Members of a dataset's requests that become part of the prompt beside its texts.
const COUNTED_MEMBERS: [&str; 6] = [
    "tools",
    "functions",
    "documents",
    "messages[].tool_calls",
    "messages[].function_call",
    "messages[].reasoning_content",
];

/// What the server should count beyond the lengths asked for, where the chat template is known: the
/// template's tokens, or nothing where lengths count them. The facade counts them.
fn template_planned(run: &Run) -> Option<i64> {
    let plan = &run.manifest.plan;
    plan.chat_template.as_ref()?;
    if plan.count == PromptCount::Template {
        return Some(0);
    }
    run.manifest
        .environment
        .workload
        .template_tokens
        .map(i64::from)
}

fn template_mismatch(planned: i64, evidence: String) -> Finding {
    TEMPLATE_MISMATCH.found(
        "The server counts a different number of prompt tokens than the given chat template makes.",
        format!("By the template the difference should be {planned}. {evidence}"),
        "Give the template and the tokenizer that the server uses (--chat-template, --tokenizer), \
         or leave --chat-template out.",
    )
}

fn prompt_disagreement(prompt: &PromptDifference, evidence: String) -> Finding {
    let message = if prompt.outliers > 0 {
        "The server counts a different number of prompt tokens than were asked for, by an amount that varies."
    } else {
        "The server counts a different number of prompt tokens than were asked for, by more than a template adds."
    };
    PROMPT_TOKENS_DISAGREE.found(
        message,
        evidence,
        "Give the model's own tokenizer with --tokenizer path/to/tokenizer.json.",
    )
}

/// Prompts were found in the server's prefix cache, as the workload means it.
pub(super) const PREFIX_CACHE_SHARED: Check = Check {
    code: "prefix-cache-shared",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: |run, summary| PREFIX_CACHE_SHARED.only(cached_prompts(run, summary)),
};

/// They were found there though nothing was to be shared.
pub const PREFIX_CACHE_HIT: Check = Check {
    code: "prefix-cache-hit",
    scope: Scope::Run,
    dimension: Dimension::EvaluationSetup,
    weight: Weight::Always(Severity::Warning),
    limit: None,
    test: |run, summary| PREFIX_CACHE_HIT.only(cached_prompts(run, summary)),
};

/// Prompts were found in the server's prefix cache: as the workload means it, up to what a cache
/// without limit would hold of it, or though nothing was to be shared.
fn cached_prompts(run: &Run, summary: &Summary) -> Option<Finding> {
    let cache = summary.prefix_cache.as_ref()?;
    let found = cache.realised.as_ref()?;
    let source = match found.source {
        HitSource::Usage => "by usage",
        HitSource::ServerCountersInWindow => "by the server's counters over the window",
        HitSource::ServerCounters => "by the server's counters over the whole run",
    };
    let evidence = format!(
        "{} of {} prompt tokens, {source}.",
        count(found.cached_tokens),
        count(found.prompt_tokens)
    );
    let taken = format!(
        "The server took {} of the prompt tokens from its prefix cache",
        percent(found.share)
    );
    if let Some(meant) = cache.unlimited
        && found.share <= meant + CACHED_PROMPT
    {
        let asked = cache
            .asked
            .map(|share| format!("; {} was asked for", percent(share)));
        return Some(PREFIX_CACHE_SHARED.found(
            format!(
                "{taken}; a cache without limit would hold {} of this workload's{}.",
                percent(meant),
                asked.unwrap_or_default()
            ),
            evidence,
            "State the rate with the figures: they depend on the size of the server's cache.",
        ));
    }
    let advice = match run.manifest.plan.prefix {
        Some(PrefixMode::None) => {
            "TTFT and throughput are better than for new prompts. The prompts carry no salt \
             (--prefix none), so an earlier run with the same seed left them there: leave --prefix \
             away, or restart the server."
        }
        _ => {
            "TTFT and throughput are better than for new prompts. Change --workload-seed, or \
             restart the server, if the same prompts were sent before."
        }
    };
    // The template's first tokens are the same in every prompt: any cache holds them, and they are
    // nothing that this workload shares.
    let own = found.share - summary.tokens.template_share();
    (own > CACHED_PROMPT).then(|| PREFIX_CACHE_HIT.found(format!("{taken}."), evidence, advice))
}

/// Tokens that could not be counted, or only by spreading usage.
pub(super) const TOKEN_COUNTS_UNKNOWN: Check = Check {
    code: "token-counts-unknown",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: unknown_counts,
};

fn unknown_counts(run: &Run, summary: &Summary) -> Option<Finding> {
    if !run.manifest.plan.endpoint.generates() {
        return None;
    }
    let throughput = summary.throughput.as_ref();
    let spread = throughput.map_or(0, |t| t.responses_spread_evenly);
    let uncounted = throughput.map_or(0, |t| t.uncounted_chunks);
    let tokens = &summary.tokens;
    let without_usage = tokens.completed - tokens.with_usage - tokens.estimated;
    if spread == 0 && uncounted == 0 && without_usage == 0 {
        return None;
    }
    Some(TOKEN_COUNTS_UNKNOWN.found(
        "Some tokens could not be counted: ITL and smoothed ITL leave those answers out, and \
         output throughput is approximate or too low by them.",
        format!(
            "{without_usage} answers without usage; {spread} answers whose usage is spread evenly \
             over their chunks; {uncounted} chunks in the window not counted."
        ),
        "Use a server version that reports usage in streams, or --tokenizer with the model's own \
         tokenizer.json.",
    ))
}

/// The server says nothing about output tokens: figures per token rest on the tokenizer's count.
pub(super) const TOKENS_ESTIMATED: Check = Check {
    code: "tokens-estimated",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: estimated,
};

fn estimated(run: &Run, summary: &Summary) -> Option<Finding> {
    let answers = summary.tokens.estimated;
    let inside = summary
        .throughput
        .as_ref()
        .map_or(0, |t| t.responses_estimated);
    (answers + inside > 0).then(|| {
        TOKENS_ESTIMATED.found(
            "The server does not count the output tokens of some answers: TPOT, NTPOT and output \
             throughput rest on an estimate, and ITL and smoothed ITL leave those answers out.",
            format!(
                "{} of {} completed answers, and {} with output inside the window, counted with the \
                 tokenizer {}.",
                count(answers),
                count(summary.tokens.completed),
                counted(inside, "answer"),
                run.manifest.plan.tokenizer
            ),
            "Use a server version that reports usage in streams; else give the model's own tokenizer \
             (--tokenizer path/to/tokenizer.json), and do not compare these figures with counted ones.",
        )
    })
}

/// Chunks carry several tokens: the gap between them is not the time per token.
pub const MULTI_TOKEN_CHUNKS: Check = Check {
    code: "multi-token-chunks",
    scope: Scope::Run,
    dimension: Dimension::MetricDesign,
    weight: Weight::Always(Severity::Note),
    limit: None,
    test: multi_token_chunks,
};

fn multi_token_chunks(_: &Run, summary: &Summary) -> Option<Finding> {
    let chunks = summary.latency.tokens_per_chunk.as_ref()?;
    let mean = chunks.mean?.value;
    summary.latency.multi_token_chunks.then(|| {
        MULTI_TOKEN_CHUNKS.found(
            "Chunks carry several tokens: chunk gap is not ITL.",
            format!(
                "{mean:.2} tokens per chunk on average, {:.0} at most.",
                chunks.max
            ),
            "Compare engines on TPOT or smoothed ITL, never on chunk gap.",
        )
    })
}
