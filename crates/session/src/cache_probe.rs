//! `--probe-response-cache`: the prompts of the trial, and the trial itself.
//!
//! It judges nothing: `analysis` does. Invariant: no prompt of the trial begins like one of the load.

use crate::experiment::{Experiment, Probing};
use anyhow::{Context, Result, anyhow};
use infermeter_client::encode::RequestShape;
use infermeter_core::environment::CacheTrial;
use infermeter_core::request::{RequestContent, RequestSpec};
use infermeter_probe::response_cache::PROMPTS;
use infermeter_probe::target::Control;
use infermeter_workload::{Tokenizer, Workload};

/// Lengths of the trial: a prompt long enough to cost something, an answer long enough to show whether
/// it was generated.
const LENGTHS: &str = "fixed:256,32";

/// Sends the trial's pairs, where that is asked for.
///
/// # Errors
/// When no prompts can be made under the load's tokenizer.
pub(crate) fn trial(
    experiment: &Experiment,
    control: &mut Control,
    shape: &RequestShape,
    salt: u64,
) -> Result<Option<CacheTrial>> {
    let asked = Probing::Fields {
        response_cache: true,
    };
    if experiment.target.probing != asked {
        return Ok(None);
    }
    let requests = &experiment.requests;
    let prompts = prompts(&requests.texts.tokenizer, requests.seeds.workload, salt)
        .context("--probe-response-cache")?;
    Ok(Some(control.response_cache(shape, &prompts)))
}

fn prompts(tokenizer: &str, seed: u64, salt: u64) -> Result<Vec<(RequestSpec, RequestContent)>> {
    let lengths = LENGTHS.parse().map_err(|e| anyhow!("{e}"))?;
    let tokenizer = Tokenizer::open(tokenizer)?;
    let workload = Workload::from_plan(&lengths, seed, tokenizer)?;
    // Another salt than the load's.
    let workload = workload.with_salt(!salt);
    let prompt = |id| {
        let spec = workload.spec(id);
        let content = workload.content(&spec, &[])?;
        Ok((spec, content))
    };
    (0..PROMPTS as u64).map(prompt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn prompts_of_one_length_that_begin_differently() {
        let prompts = prompts("o200k", 1, 7).expect("prompts");
        assert_eq!(prompts.len(), PROMPTS);
        let text = |content: &RequestContent| content.texts()[0].to_owned();
        let begins = prompts.iter().map(|(_, c)| text(c)[..40].to_owned());
        assert_eq!(begins.collect::<BTreeSet<_>>().len(), PROMPTS);
        let lengths = prompts
            .iter()
            .map(|(s, _)| (s.prompt_tokens, s.output_tokens));
        assert_eq!(
            lengths.collect::<BTreeSet<_>>(),
            BTreeSet::from([(256, 32)])
        );
    }
}
