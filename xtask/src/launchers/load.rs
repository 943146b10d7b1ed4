//! The plan that ranks and one process measure, and what has to be equal in their records.
//!
//! No latency is compared: the machine is busy. Invariant: whatever the plan decides (which requests there are, when
//! they are due, what they say, how much is asked for) is the same to the last bit, and so is every sum of it.

use super::Bench;
use super::namespace::Namespace;
use super::simulator::MODEL;
use anyhow::{Context, Result, bail, ensure};
use infermeter_core::record::{Outcome, RequestRecord};
use infermeter_core::schedule::Phase;
use infermeter_record::{read_manifest, read_records};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Seeds and salt are those of the plan, so that every process says the same.
const FLAGS: &str = "--rate 60 --duration 6s --warmup 1s --workload uniform:20..200,4..24 --seed 17 --salt 29 --threads 1 \
                     --no-probe";

/// Exit codes of a run that was measured; a busy machine may spoil it.
const MEASURED: [i32; 3] = [0, 3, 5];

/// `run` against a simulator, with the flags of the plan.
pub(super) fn words(url: &str) -> Vec<String> {
    let fixed = FLAGS.split_whitespace().map(str::to_owned);
    let target = ["run".to_owned(), url.to_owned()];
    let model = ["--model".to_owned(), MODEL.to_owned()];
    target.into_iter().chain(fixed).chain(model).collect()
}

/// A run ended with a code of one that was measured.
///
/// # Errors
/// With the code, and what was said.
pub(super) fn measured(code: Option<i32>, said: &str) -> Result<()> {
    match code {
        Some(code) if MEASURED.contains(&code) => Ok(()),
        code => bail!("the run ended with {code:?}: {said}"),
    }
}

/// The same plan, measured by one process in a namespace: its directory.
///
/// # Errors
/// When it is not measured.
pub(super) fn alone(bench: &Bench, space: &Namespace, url: &str) -> Result<PathBuf> {
    let directory = bench.directory.join("alone");
    let mut run = space.command(&bench.infermeter);
    run.args(words(url))
        .arg("--quiet")
        .arg("--out")
        .arg(&directory);
    let ran = run.output().context("cannot start infermeter")?;
    measured(ran.status.code(), &String::from_utf8_lossy(&ran.stderr))?;
    Ok(directory)
}

/// What is compared of a request, and what of a run.
struct Seen {
    records: Vec<RequestRecord>,
    manifest: Value,
}

/// The record of all ranks is that of one process, as far as the plan says what is in it.
///
/// # Errors
/// Naming what differs.
pub(super) fn compare(whole: &Path, alone: &Path, ranks: usize, told_by: &str) -> Result<String> {
    let (whole, alone) = (seen(whole)?, seen(alone)?);
    let hosts = clients(&whole, ranks, told_by)?;
    for place in ["sha256", "schedule_sha256"] {
        let hash = |seen: &Seen| seen.manifest["environment"]["workload"][place].clone();
        ensure!(
            hash(&alone).is_string(),
            "one process has no {place} of its workload"
        );
        equal(place, &hash(&whole), &hash(&alone))?;
    }
    equal("requests", &whole.records.len(), &alone.records.len())?;
    for (there, here) in whole.records.iter().zip(&alone.records) {
        let of_plan = |r: &RequestRecord| {
            let lengths = (r.requested_prompt_tokens, r.requested_output_tokens);
            (r.id, r.phase, r.intended, r.class, lengths)
        };
        equal("a request", &of_plan(there), &of_plan(here))?;
        let of_server = |r: &RequestRecord| (r.outcome, r.prompt_tokens, r.output_tokens);
        equal(
            &format!("request {}", here.id),
            &of_server(there),
            &of_server(here),
        )?;
        equal("outcome", &there.outcome, &Outcome::Completed)?;
    }
    let sums = |seen: &Seen| {
        let tokens = |of: fn(&RequestRecord) -> Option<u32>| {
            let all = seen.records.iter().filter_map(of).map(u64::from);
            all.sum::<u64>()
        };
        (tokens(|r| r.prompt_tokens), tokens(|r| r.output_tokens))
    };
    equal("sums of tokens", &sums(&whole), &sums(&alone))?;
    let (prompts, answers) = sums(&whole);
    Ok(format!(
        "{ranks} ranks on {hosts}, merged, are one process: {} requests, {prompts} prompt tokens, {answers} output tokens, \
         the same ids, instants, lengths and hashes",
        whole.records.len()
    ))
}

/// Every rank is there, and was told who it is by this engine: the names of their hosts.
fn clients(whole: &Seen, ranks: usize, told_by: &str) -> Result<String> {
    let clients = whole.manifest["clients"].as_array();
    let clients = clients.context("the merged run has no clients")?;
    equal("ranks", &clients.len(), &ranks)?;
    let mut hosts = Vec::new();
    for (index, client) in clients.iter().enumerate() {
        let rank = &client["rank"];
        equal("who told a rank", &rank["told_by"], &told_by.into())?;
        equal("the part of a rank", &rank["slice"]["index"], &index.into())?;
        let host = rank["host"].as_str().unwrap_or_default().to_owned();
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    Ok(hosts.join(" and "))
}

/// What the plan has put into it: the requests of the drain depend on when the last answer came.
fn seen(directory: &Path) -> Result<Seen> {
    let place = || directory.display().to_string();
    let mut records = read_records(directory).with_context(place)?;
    records.retain(|record| record.phase != Phase::Drain);
    records.sort_by_key(|record| record.id);
    let manifest = read_manifest(directory).with_context(place)?;
    Ok(Seen {
        records,
        manifest: serde_json::to_value(&manifest)?,
    })
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, ranks: &T, one: &T) -> Result<()> {
    ensure!(
        ranks == one,
        "{what}: the ranks have {ranks:?}, one process {one:?}"
    );
    Ok(())
}
