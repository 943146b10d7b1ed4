//! A record without what the server said: it may have repeated prompts in the texts of its errors, and in what it
//! answered before the load.
//!
//! Invariant: no figure changes but those texts themselves.

use crate::book::Book;
use crate::kept::KeptRun;
use crate::redact::HIDDEN;
use anyhow::{Context, Result};
use infermeter_analysis::raised::PROBE_UNSURE;
use infermeter_core::finding::Finding;
use infermeter_core::record::{Reason, RequestError};
use infermeter_core::run::RunManifest;
use infermeter_core::source::{ChunkFields, RecordSource};
use infermeter_record::{
    Ledger, PARQUET_FILE, ParquetRecords, RecordError, RecordsWriter, SERVER_METRICS_FILE,
    SPANS_FILE, digest_of, write_manifest,
};
use serde_json::Value;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// Writes the rows of `directory` into `folder` without the texts of errors; the digest of that file. `None` where
/// there is no such text.
pub(super) fn without(
    directory: &Path,
    folder: &Path,
    manifest: &RunManifest,
) -> Result<Option<String>> {
    let records = ParquetRecords::open(directory)?;
    let mut any = false;
    records.in_order(ChunkFields::default(), &mut |record| {
        any = record.error.as_ref().is_some_and(is_said);
        match any {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if !any {
        return Ok(None);
    }
    let mut writer = RecordsWriter::create(folder, &manifest.classes)?;
    let mut written: Result<(), RecordError> = Ok(());
    records.in_order(ChunkFields::ALL, &mut |record| {
        let mut record = record.clone();
        if let Some(error) = record.error.as_mut().filter(|error| is_said(error)) {
            error.text = String::new();
        }
        written = writer.append(record);
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    })?;
    written?;
    writer.finish()?;
    Ok(digest_of(&folder.join(PARQUET_FILE))?)
}

/// There is a text, and the server may have had a part in it.
fn is_said(error: &RequestError) -> bool {
    let own = match error.reason {
        Reason::ConnectFailed
        | Reason::TlsFailed
        | Reason::HttpProtocol
        | Reason::HttpStatus
        | Reason::UnexpectedContent
        | Reason::MalformedEvent
        | Reason::InBandError
        | Reason::NoTokens
        | Reason::Aborted
        | Reason::Truncated
        | Reason::LimitExceeded
        | Reason::ConnectBackoff
        | Reason::Imported => false,
        Reason::ConnectTimeout
        | Reason::StaleConnection
        | Reason::Disconnected
        | Reason::FirstTokenTimeout
        | Reason::IdleTimeout
        | Reason::RequestTimeout
        | Reason::DrainEnded
        | Reason::Interrupted
        | Reason::RunKilled
        | Reason::SessionEnded
        | Reason::UserGone
        | Reason::LocalResource
        | Reason::PortsExhausted => true,
    };
    !own && !error.text.is_empty()
}

/// Takes out what the server said before the load: outcomes of trials, and why it lists no models. Whether there was
/// anything.
pub(super) fn hide_said(manifest: &mut RunManifest) -> bool {
    let mut any = false;
    let mut hide = |text: &mut String| {
        any |= !text.is_empty() && text != HIDDEN;
        HIDDEN.clone_into(text);
    };
    let target = &mut manifest.environment.target;
    target.models_problem.iter_mut().for_each(&mut hide);
    let trial = target.response_cache.as_mut();
    let problem = trial.and_then(|trial| trial.problem.as_mut());
    problem.into_iter().for_each(&mut hide);
    for request in &mut manifest.control_requests {
        // `purpose: outcome`; the purpose is our own word.
        let Some((purpose, outcome)) = request.result.split_once(": ") else {
            continue;
        };
        let mut outcome = outcome.to_owned();
        hide(&mut outcome);
        request.result = format!("{purpose}: {outcome}");
    }
    let found = manifest
        .run_findings
        .iter_mut()
        .chain(&mut manifest.findings);
    for finding in found.filter(|finding| finding.code == PROBE_UNSURE.code) {
        hide(&mut finding.evidence);
    }
    any
}

/// Writes the ledger of `directory` into `folder` without why something could not be measured. Those texts; where
/// there are none, nothing is written.
pub(super) fn ledger_without(directory: &Path, folder: &Path) -> Result<Vec<String>> {
    let mut contents = Ledger::read(directory)?;
    let mut said = Vec::new();
    for entry in &mut contents.entries {
        let Some(Value::String(why)) = Book::why_of(entry) else {
            continue;
        };
        if *why != HIDDEN {
            said.push(std::mem::replace(why, HIDDEN.to_owned()));
        }
    }
    if said.is_empty() {
        return Ok(said);
    }
    let mut ledger = Ledger::create(folder, &contents.header)?;
    for entry in &contents.entries {
        ledger.append(entry)?;
    }
    Ok(said)
}

/// Takes these texts out of the answer that is stated in the file `name`. Whether any was in it.
pub(super) fn answer_without(
    directory: &Path,
    folder: &Path,
    name: &str,
    said: &[String],
) -> Result<bool> {
    let path = directory.join(name);
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let stated: Value =
        serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
    let mut clean = stated.clone();
    hide_in(&mut clean, said);
    if clean == stated {
        return Ok(false);
    }
    let mut text = serde_json::to_vec_pretty(&clean)?;
    text.push(b'\n');
    let to = folder.join(name);
    fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))?;
    Ok(true)
}

/// Puts `***` for each of these texts, wherever it stands.
fn hide_in(value: &mut Value, said: &[String]) {
    match value {
        Value::String(text) => {
            for said in said {
                // An answer says of which run it was at another place.
                let own = said
                    .strip_prefix("run ")
                    .and_then(|rest| rest.split_once(": "));
                let own = own.map_or(said.as_str(), |(_, own)| own);
                if text.contains(own) {
                    *text = text.replace(said, HIDDEN).replace(own, HIDDEN);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| hide_in(value, said)),
        Value::Object(map) => map.values_mut().for_each(|value| hide_in(value, said)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Takes the texts out of what a run states, too: wherever what its record gives depends on them, what it gives
/// without them is put.
pub(super) fn restate(directory: &Path, folder: &Path, manifest: &mut RunManifest) -> Result<()> {
    write_manifest(folder, manifest)?;
    for name in [PARQUET_FILE, SERVER_METRICS_FILE, SPANS_FILE] {
        let (from, to) = (directory.join(name), folder.join(name));
        if from.exists() && !to.exists() {
            fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        }
    }
    let judged = |directory: &Path| -> Result<RunManifest> {
        Ok(KeptRun::open(directory)?.judge(None)?.manifest)
    };
    let (with, without) = (judged(directory)?, judged(folder)?);
    if let (Some(stated), Some(with), Some(without)) =
        (&mut manifest.summary, &with.summary, &without.summary)
    {
        put(stated, with, without);
    }
    for finding in &mut manifest.findings {
        put_finding(finding, &with.findings, &without.findings);
    }
    Ok(())
}

fn put(stated: &mut Value, with: &Value, without: &Value) {
    if with == without {
        return;
    }
    match (stated, with, without) {
        (Value::Object(stated), Value::Object(with), Value::Object(without)) => {
            for (key, stated) in stated {
                let side = |side: &serde_json::Map<String, Value>| side.get(key).cloned();
                put(
                    stated,
                    &side(with).unwrap_or_default(),
                    &side(without).unwrap_or_default(),
                );
            }
        }
        (Value::Array(stated), Value::Array(with), Value::Array(without))
            if stated.len() == with.len() && with.len() == without.len() =>
        {
            for ((stated, with), without) in stated.iter_mut().zip(with).zip(without) {
                put(stated, with, without);
            }
        }
        // What was stated of the texts was never so: it may hold any.
        (stated, with, without) => {
            *stated = match *stated == *with {
                true => without.clone(),
                false => Value::from(HIDDEN),
            }
        }
    }
}

fn put_finding(stated: &mut Finding, with: &[Finding], without: &[Finding]) {
    let find = |all: &[Finding]| {
        all.iter()
            .find(|finding| finding.code == stated.code)
            .cloned()
    };
    let (with, without) = (find(with), find(without));
    if with == without {
        return;
    }
    if let (true, Some(without)) = (Some(&*stated) == with.as_ref(), without) {
        *stated = without;
        return;
    }
    for text in [&mut stated.message, &mut stated.evidence] {
        HIDDEN.clone_into(text);
    }
}
