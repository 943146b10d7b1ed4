//! What the texts of a load share, add and carry, once lengths and instants are drawn.

use super::questions::asking;
use crate::experiment::{RequestsSpec, TextsSpec};
use anyhow::{Context, Result, bail};
use infermeter_core::schedule::Schedule;
use infermeter_workload::{ChatTemplate, Kinds, TokenCounter, Workload, tokens_with_template};

/// The requests with all that they hold, and the tokens that the chat template adds to each. A warm-up that
/// is drawn meets every band of lengths of the `schedule`'s requests; the head of a trace stays what it is.
pub(super) fn completed(
    requests: &RequestsSpec,
    workload: Workload,
    warmed_for: Option<&Schedule>,
) -> Result<(Workload, Option<u32>)> {
    let workload = workload.with_items(requests.texts.items);
    let (workload, template_tokens) = beginning(requests, workload)?;
    let workload = match warmed_for {
        None => workload,
        Some(schedule) => {
            let (warmup, measured) = schedule.ids();
            workload.with_warm_bands(warmup, measured)
        }
    };
    let workload = match Kinds::of(&requests.carried)? {
        Some(kinds) => workload.with_kinds(kinds)?,
        None => workload,
    };
    Ok((asking(requests, workload)?, template_tokens))
}

/// The chat template of the texts, where they have one.
pub(super) fn template(texts: &TextsSpec) -> Result<Option<ChatTemplate>> {
    let file = texts.template.as_ref().map(|template| &template.file);
    Ok(file.map(|file| ChatTemplate::open(file)).transpose()?)
}

/// The requests with the beginnings that they are to share, and the tokens of the chat template, counted in
/// where that was asked for.
fn beginning(requests: &RequestsSpec, workload: Workload) -> Result<(Workload, Option<u32>)> {
    let texts = &requests.texts;
    if texts.shares() && workload.has_blocks() {
        bail!(
            "--prefix: the hash ids of the trace say what its prompts share: leave it out, or \
             write bust or none"
        );
    }
    let begin = |workload: Workload| {
        let workload = workload.with_prefix(texts.prefix, requests.form.endpoint);
        workload.context("--prefix")
    };
    let workload = begin(workload)?;
    let Some(template) = template(texts)? else {
        return Ok((workload, None));
    };
    let tokens = added_by(&template, &workload)?;
    if !texts.counts_template() {
        return Ok((workload, tokens));
    }
    let workload = begin(workload.with_template_tokens(tokens.unwrap_or(0)))?;
    Ok((workload, tokens))
}

/// Tokens that a chat template adds to a prompt: all prompts of a workload have the same messages,
/// and texts that begin and end alike.
fn added_by(template: &ChatTemplate, workload: &Workload) -> Result<Option<u32>> {
    if workload.texts_before_repeating().is_some() || workload.session_means().is_some() {
        return Ok(None);
    }
    let content = workload.content(&workload.spec(0), &[])?;
    let counter = TokenCounter::load(workload.tokenizer())?;
    let all = tokens_with_template(content.messages(), template, &counter)?;
    let texts = content.texts().into_iter();
    let texts = texts.map(|text| counter.count(text) as u64);
    let added = all.checked_sub(texts.sum());
    let added = added.context("--chat-template: it leaves out a part of the messages")?;
    Ok(Some(u32::try_from(added)?))
}
