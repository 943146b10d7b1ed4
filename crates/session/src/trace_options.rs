//! `--trace-option`: how a trace or a dataset is read.
//!
//! The options themselves are the workload's; here they get their flag's name in messages, and a
//! suggestion where one is misspelt. Invariant: the arguments alone decide.

use anyhow::{Context, Result, bail};
use infermeter_core::text::closest;
use infermeter_core::text::inert;
use infermeter_workload::TraceOptions;

/// Options from their texts, with the number of rows and the seed of what is drawn.
///
/// # Errors
/// Naming the option that is wrong.
pub fn options(texts: &[String], limit: Option<u64>, seed: u64) -> Result<TraceOptions> {
    let mut options = TraceOptions {
        limit,
        seed,
        ..TraceOptions::default()
    };
    for text in texts {
        let name = text.split('=').next().unwrap_or_default().trim();
        let known = TraceOptions::NAMES;
        if !known.contains(&name)
            && let Some(meant) = closest(name, known.into_iter())
        {
            let name = inert(name, 80);
            bail!("--trace-option: unknown option `{name}`; did you mean `{meant}`?");
        }
        options.set(text).context("--trace-option")?;
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_options_get_a_suggestion() {
        for (text, expect) in [
            ("spred", "did you mean `spread`"),
            ("max-contxt=5", "did you mean `max-context`"),
            ("zzz", "one of format, block-size"),
            (
                "time-unit=weeks",
                "--trace-option: option `time-unit=weeks`",
            ),
        ] {
            let error = options(&[text.to_owned()], None, 1).expect_err(text);
            let said = format!("{error:#}");
            assert!(said.contains(expect), "{said}");
        }
    }
}
