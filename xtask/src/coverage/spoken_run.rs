//! A run in virtual time whose answers have words: measured, settled, checked and judged as any run is.
//!
//! The questions that a live run asks alone before its load are asked here by a run of the same requests, one after the
//! other, whose answers are put beside those under load. Invariant: what is found depends on the load and the seed alone.

use crate::ci::scratch_directory;
use anyhow::Result;
use infermeter_analysis::{Run, judge, summarize};
use infermeter_core::answer::Doubt;
use infermeter_core::finding::Finding;
use infermeter_core::plan::Plan;
use infermeter_core::record::RequestRecord;
use infermeter_core::run::{Solo, SoloAnswer, SoloEnd, SoloPass};
use infermeter_core::seed::splitmix64;
use infermeter_protocol::Coordinates;
use infermeter_record::{ParquetRecords, read_manifest, read_records};
use infermeter_session::drive::{Bench, Order};
use infermeter_session::runs::{Into, Runs};
use infermeter_session::virtually::Virtual;
use std::fs;
use std::path::{Path, PathBuf};

/// Requests that are looked through for questions to be asked alone: with a fifth of them canaries, sixty.
const ALONE: u64 = 300;

/// An object with members of three types.
const SCHEMA: &str = r#"{"type":"object","properties":{"name":{"type":"string"},"count":{"type":"integer"},
"kind":{"type":"string","enum":["first","second"]}},"required":["name","count","kind"]}"#;

/// What answers are asked to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text of a length that is asked for.
    Forced,
    /// Text that ends by itself.
    Natural,
    /// Every second one JSON by a schema.
    Schema,
    /// Every second one with tools at hand.
    Tools,
}

/// How tokens are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drawn {
    /// Always the likeliest.
    Greedy,
    /// At a temperature of 0.8.
    Sampled,
}

/// What a run is made of, beside its seed.
#[derive(Debug, Clone, Copy)]
pub struct SpokenLoad<'a> {
    /// The simulator, with its parameters.
    pub target: &'a str,
    /// What answers are asked to be.
    pub form: Form,
    /// How tokens are drawn.
    pub drawn: Drawn,
    /// Share of the requests that are canaries; absent: none.
    pub canaries: Option<&'static str>,
    /// Requests per second, open loop.
    pub rate: f64,
    /// Requests.
    pub requests: u64,
}

/// The codes of what is found of one run. `place` keeps its files apart from those of others that run at the same time.
///
/// # Errors
/// When it cannot be measured, or its record cannot be read.
pub fn found(load: &SpokenLoad<'_>, place: &str, seed: u64) -> Result<Vec<String>> {
    let scratch = Scratch::new(&format!("cheats-{place}-{seed}"))?;
    let plan = plan(load, seed, &scratch.0)?;
    let directory = scratch.0.join("run");
    let told = measured(&plan, &directory)?;
    if load.canaries.is_none() || read_manifest(&directory)?.solo.is_some() {
        return Ok(told);
    }
    let alone = alone(&plan, &scratch.0.join("alone"))?;
    beside(&directory, alone)
}

fn plan(load: &SpokenLoad<'_>, seed: u64, scratch: &Path) -> Result<Plan> {
    let mut plan = Plan {
        target: load.target.to_owned(),
        rate: Some(load.rate),
        requests: Some(load.requests),
        warmup: Some("0".parse()?),
        workload: "fixed:240,80".parse()?,
        seed,
        salt: Some(splitmix64(seed) >> 12),
        check_answers: true,
        canaries: load.canaries.map(str::parse).transpose()?,
        ..Plan::defaults()
    };
    let temperature = match load.drawn {
        Drawn::Greedy => "temperature=0",
        Drawn::Sampled => "temperature=0.8",
    };
    plan.sampling = vec![temperature.parse()?];
    if load.form != Form::Forced {
        plan.extra_body = Some(serde_json::json!({ "ignore_eos": false }));
    }
    match load.form {
        Form::Forced | Form::Natural => {}
        Form::Schema => {
            let file = scratch.join("schema.json");
            fs::write(&file, SCHEMA)?;
            plan.schema = Some(file);
            plan.kind = vec!["schema=1".parse()?, "plain=1".parse()?];
        }
        Form::Tools => {
            plan.tools = Some("3".to_owned());
            plan.kind = vec!["tools=1".parse()?, "plain=1".parse()?];
        }
    }
    Ok(plan)
}

/// Measures a plan into a directory, and says what was found.
fn measured(plan: &Plan, directory: &Path) -> Result<Vec<String>> {
    let plans = [plan.clone()];
    let mut runs = Runs::new(Virtual, &plans, Into::Alone(Some(directory.to_owned())));
    let seen = runs.measure(Order {
        number: 1,
        at: &Coordinates::default(),
        replicate: 0,
    })?;
    Ok(told(&seen.findings))
}

fn told(findings: &[Finding]) -> Vec<String> {
    let codes = findings.iter().map(|finding| finding.code.to_string());
    codes.collect()
}

/// The first questions of a load with nothing else in flight, each with another salt in front.
fn alone(plan: &Plan, directory: &Path) -> Result<SoloPass> {
    let plan = Plan {
        rate: None,
        concurrency: Some(1),
        requests: Some(ALONE),
        salt: plan.salt.map(|salt| salt ^ 1),
        ..plan.clone()
    };
    measured(&plan, directory)?;
    let answers: Vec<SoloAnswer> = read_records(directory)?.iter().filter_map(answer).collect();
    Ok(SoloPass {
        wanted: answers.len() as u32,
        answers,
        ended_by: SoloEnd::AllAsked,
        problem: None,
    })
}

fn answer(record: &RequestRecord) -> Option<SoloAnswer> {
    let facts = record.answer.as_deref()?;
    Some(SoloAnswer {
        id: record.id,
        question: facts.question?,
        correct: facts.correct,
        doubts: facts
            .doubts
            .iter()
            .map(Doubt::as_str)
            .map(str::to_owned)
            .collect(),
        chars: facts.chars,
        output_tokens: record.output_tokens,
        finish_reason: record.finish_reason.clone(),
        e2e_ns: record.closed?.since(record.intended),
    })
}

/// Judges a record again, with what was answered alone beside it.
fn beside(directory: &Path, before: SoloPass) -> Result<Vec<String>> {
    let mut manifest = read_manifest(directory)?;
    manifest.solo = Some(Solo {
        before: Some(before),
        ..Solo::default()
    });
    let records = ParquetRecords::open(directory)?;
    let run = Run::read(manifest, &records)?;
    let summary = summarize(&run, &records)?;
    Ok(told(&judge(&run, &summary)))
}

/// A directory that goes when it is not needed any more.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Result<Self> {
        let path = scratch_directory(name);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies among temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
