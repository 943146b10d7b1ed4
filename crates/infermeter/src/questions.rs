//! Questions with known answers and references in a plan: what goes with them.
//!
//! It opens no file. Invariant: nothing that was asked for is passed over.

use anyhow::{Result, bail};
use infermeter_core::plan::{Plan, Share};
use infermeter_core::text::inert;

/// What their single values do not say.
///
/// # Errors
/// Naming the flags at fault, and what to write instead.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    for (place, eval) in plan.eval.iter().enumerate() {
        let others = &plan.eval[..place];
        if others.iter().any(|other| other.file == eval.file) {
            let file = eval.place().display().to_string();
            bail!("--eval {} is given twice: leave one out", inert(&file, 200));
        }
    }
    let shares = plan.eval.iter().map(|eval| eval.share);
    let shares = shares.chain(plan.canaries).map(Share::of_one);
    let all: f64 = shares.sum();
    // A sum of tenths is not always 1.
    if all > 1.0 + 1e-9 {
        bail!(
            "--canaries and --eval take {}% of the requests together: at most 100% can carry a question",
            (all * 1e4).round() / 1e2
        );
    }
    if plan.reference.is_some() && plan.has_live_history() {
        bail!(
            "--reference and --sessions history=live exclude each other: later prompts hold what the \
             server said, and cannot be asked again"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = Plan::defaults();
        change(&mut plan);
        check(&plan).expect_err("must be refused").to_string()
    }

    fn evals(texts: &[&str]) -> Vec<infermeter_core::plan::EvalSpec> {
        let specs = texts.iter().map(|text| text.parse());
        specs.collect::<Result<_, _>>().expect("questions")
    }

    #[test]
    fn what_goes_together_passes() {
        let plan = Plan {
            canaries: "10%".parse().ok(),
            eval: evals(&["a.jsonl,share=70%", "builtin,share=20%"]),
            reference: "solo".parse().ok(),
            ..Plan::defaults()
        };
        check(&plan).expect("sound");
    }

    #[test]
    fn what_does_not_is_named() {
        let twice = refused(|plan| plan.eval = evals(&["a.jsonl", "a.jsonl,share=1%"]));
        assert!(twice.contains("--eval a.jsonl is given twice"), "{twice}");
        let many = refused(|plan| {
            plan.canaries = "50%".parse().ok();
            plan.eval = evals(&["builtin,share=70%"]);
        });
        assert!(many.contains("take 120% of the requests"), "{many}");
        let live = refused(|plan| {
            plan.reference = "solo".parse().ok();
            plan.sessions = vec!["turns=3".to_owned(), "history=live".to_owned()];
        });
        assert!(live.contains("cannot be asked again"), "{live}");
    }
}
