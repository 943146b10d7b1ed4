//! Questions with known answers that some requests of a load carry: canaries, and rows of files.
//!
//! What a question is, `answers` knows. Invariant: a file that cannot be asked is refused before anything is sent.

use crate::experiment::RequestsSpec;
use anyhow::{Context, Result, anyhow, bail};
use infermeter_answers::canary::Abilities;
use infermeter_answers::eval::Eval;
use infermeter_answers::questions::Questions;
use infermeter_core::plan::{Endpoint, EvalSpec, Share};
use infermeter_core::seed::splitmix64;
use infermeter_core::text::inert;
use infermeter_workload::Workload;
use std::fs;
use std::io::Read;
use std::sync::Arc;

/// Keeps the questions apart from lengths and words.
const QUESTIONS_TAG: u64 = 0x6361_6e61_7269_6573;

/// One byte more than a file of questions may have: what is longer is told, and not read.
const MOST_READ: u64 = (64 << 20) + 1;

/// The requests, some of which ask what a program can check.
pub(super) fn asking(requests: &RequestsSpec, workload: Workload) -> Result<Workload> {
    if requests.canaries.is_none() && requests.evals.is_empty() {
        return Ok(workload);
    }
    let questions = questions(requests)?;
    let counted = workload.with_questions(questions);
    counted.context("the tokens of questions cannot be counted")
}

fn questions(requests: &RequestsSpec) -> Result<Questions> {
    let seed = splitmix64(requests.seeds.workload ^ QUESTIONS_TAG);
    let canaries = requests.canaries.map_or(0.0, Share::of_one);
    let mut questions = Questions::new(seed, canaries).with_abilities(abilities(requests));
    for spec in &requests.evals {
        let eval = read(spec)?;
        questions = questions.with_eval(Arc::new(eval), spec.share.of_one());
    }
    Ok(questions)
}

/// Many servers refuse requests with tools: one that gets some anyway takes others, too.
fn abilities(requests: &RequestsSpec) -> Abilities {
    let has_tools = requests.carried.tools.is_some() && requests.form.endpoint == Endpoint::Chat;
    match has_tools {
        true => Abilities::Tools,
        false => Abilities::Text,
    }
}

/// The rows of a file, or those that are made here.
fn read(spec: &EvalSpec) -> Result<Eval> {
    let Some(path) = &spec.file else {
        return Ok(Eval::builtin());
    };
    let shown = inert(&path.display().to_string(), 300);
    let file = fs::File::open(path).map_err(|e| anyhow!("--eval {shown}: {e}"))?;
    let mut bytes = Vec::new();
    let all = file.take(MOST_READ).read_to_end(&mut bytes);
    all.map_err(|e| anyhow!("--eval {shown}: {e}"))?;
    let Some(name) = path.file_name() else {
        bail!("--eval {shown} is no file");
    };
    let eval = Eval::read(&bytes, &name.to_string_lossy());
    eval.map_err(|e| anyhow!("--eval {shown}: {e}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use infermeter_core::plan::Plan;

    fn spec(evals: &[&str]) -> RequestsSpec {
        let evals = evals.iter().map(|text| text.parse());
        let plan = Plan {
            target: "mock:fixed".to_owned(),
            eval: evals.collect::<Result<_, _>>().expect("questions"),
            ..Plan::defaults()
        };
        RequestsSpec::of(&plan).expect("a plan")
    }

    #[test]
    fn files_are_read_in_order_and_their_rows_count_on() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("own.jsonl");
        fs::write(
            &path,
            "{\"prompt\":\"2+2?\",\"answer\":4,\"kind\":\"number\"}\n",
        )
        .expect("written");
        let own = format!("{},share=10%", path.display());
        let questions = questions(&spec(&[&own, "builtin"])).expect("questions");
        let evals = questions.evals();
        assert_eq!(evals[0].name, "own.jsonl");
        assert_eq!(
            (evals[0].rows, evals[0].first_row, evals[0].share),
            (1, 0, 0.1)
        );
        assert_eq!((evals[1].rows, evals[1].first_row), (200, 1));
        assert!(evals[1].synthetic && !evals[0].synthetic);
    }

    #[test]
    fn files_that_cannot_be_asked_are_named_with_their_line() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("bad.jsonl");
        let good = "{\"prompt\":\"2+2?\",\"answer\":4,\"kind\":\"number\"}\n";
        fs::write(&path, format!("{good}nonsense\n")).expect("written");
        let error = questions(&spec(&[&path.display().to_string()])).expect_err("a bad row");
        assert!(error.to_string().contains("bad.jsonl: line 2"), "{error}");
        let missing = dir.path().join("missing.jsonl");
        let error = questions(&spec(&[&missing.display().to_string()])).expect_err("no file");
        assert!(error.to_string().contains("--eval"), "{error}");
    }
}
